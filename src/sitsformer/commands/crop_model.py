"""`sitsformer crop-model`: who draws the maps, chosen and fitted."""

from __future__ import annotations

from pathlib import Path

import click

from sitsformer.commands import names
from sitsformer.threads import hand_on

PATH = click.Path(path_type=Path)


@click.command("crop-model")
@click.option("--config", "config_path", type=PATH, required=True, help="YAML config.")
@click.option("--samples", "store", type=PATH, required=True, help="Sample store of the sweep.")
@click.option(
    "--pretrained", type=(str, PATH), multiple=True, metavar="NAME PATH",
    help="Pretrained models that learners start from, as `dual-p0 PATH`.",
)  # fmt: skip
@click.option(
    "--embeddings", "layers", type=PATH, multiple=True,
    help="Embeddings of the samples, of each layer that learners learn from.",
)  # fmt: skip
@names.checkpoint
@names.device
@names.threads
@click.option("--out", type=PATH, required=True, help="Folder of the model.")
@click.argument("cells", nargs=-1, type=PATH)
def crop_model(
    config_path: Path,
    store: Path,
    pretrained: tuple[tuple[str, Path], ...],
    layers: tuple[Path, ...],
    checkpoint: Path | None,
    device: str,
    threads: int | None,
    out: Path,
    cells: tuple[Path, ...],
) -> None:
    """Fit the learner that draws the maps of a config: maps.learner at maps.shots.

    CELLS are the predictions of the sweep at these shots; `maps.learner: auto` chooses by their
    validation scores.
    """
    from sitsformer import cropmodel, maplearner
    from sitsformer.commands import training_options as options
    from sitsformer.config import load
    from sitsformer.config.learners import map_learners
    from sitsformer.embedded.store import KIND, given_layer
    from sitsformer.embeddings import members
    from sitsformer.model.device import find_device
    from sitsformer.training.objectives import SCRATCH

    hand_on(threads)
    config, where = load(config_path), str(find_device(device))
    if config.maps.model is not None:
        raise click.UsageError(f"maps.model of {config_path} draws its maps: nothing is fitted")
    chosen = maplearner.choose(map_learners(config), cells, str(config.maps.shots))
    learner, init = chosen.learner, None
    if learner.init != SCRATCH.name:
        name, given = f"{learner.init}-p{learner.pretrain_seed}", dict(pretrained)
        if name not in given:
            raise click.UsageError(f"give --pretrained {name} PATH: {learner.name} starts from it")
        init = given[name]
    embedded = None
    if (member := members(config.embeddings).get(learner.method)) is not None:
        embedded = given_layer(layers, KIND, member.layer, learner.name)
    cropmodel.make(
        config, options.sample_store(store), chosen, init, out, where, checkpoint, embedded
    )
    click.echo(f"{out}: {learner.name}; {chosen.why}", err=True)
