"""`sitsformer baseline`: one method without pretraining, one number of shots, some seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sitsformer.commands import names

if TYPE_CHECKING:
    from sitsformer.config import Config
    from sitsformer.samples import Samples


@click.command()
@click.option("--config", "config_path", type=Path, required=True, help="YAML config.")
@click.option("--samples", "store", type=Path, required=True, help="Sample store with crop labels.")
@click.option(
    "--method",
    required=True,
    help="Name of the baseline, such as random_forest; random_forest-dual-p0: with land cover; "
    "dual-p0+satellite_embedding: embeddings joined with an encoder.",
)
@click.option("--land-cover", type=Path, help="Pretrained model whose land cover a control uses.")
@click.option("--init-model", type=Path, help="Pretrained model that embeddings are joined with.")
@click.option("--embeddings", type=Path, help="Embeddings of the samples that the method needs.")
@click.option(
    "--fits", type=Path, help="What the baseline predicts by `sitsformer fit`; else it is fitted."
)
@click.option("--shots", required=True, help="Labelled samples a class, or `all`.")
@click.option("--seeds", required=True, help="Seeds of the draws: one, or a range such as 0-4.")
@click.option("--out", type=Path, required=True, help="Parquet file of predictions.")
@names.checkpoint
@names.device
def baseline(
    config_path: Path,
    store: Path,
    method: str,
    land_cover: Path | None,
    init_model: Path | None,
    embeddings: Path | None,
    fits: Path | None,
    shots: str,
    seeds: str,
    out: Path,
    checkpoint: Path | None,
    device: str,
) -> None:
    """Fit a method without pretraining to a few labels, and predict the test samples."""
    from sitsformer import artefacts, fewshot
    from sitsformer.baselines import OWN, embedded
    from sitsformer.baselines.fitting import run
    from sitsformer.config import expand, load
    from sitsformer.embeddings import members
    from sitsformer.fewshot.kept import Kept
    from sitsformer.fewshot.refine import LAND_COVER
    from sitsformer.versions import STAGES

    learner = fewshot.parse_learner(method)
    if learner.control != (land_cover is not None):
        raise click.UsageError("give --land-cover with a control (METHOD-INIT-pN), and only then")
    if learner.joins != (init_model is not None):
        raise click.UsageError(
            "give --init-model with embeddings joined with an encoder (INIT-pN+LAYER), and only "
            "then"
        )
    config = load(config_path)
    settings, member = config.fewshot, members(config.embeddings).get(learner.method)
    if (member is None) != (embeddings is None):
        raise click.UsageError(
            "give --embeddings with a learner of a layer of `embeddings`, and only then"
        )
    if member is not None and fits is not None:
        raise click.UsageError("--fits: learners of embeddings are always fitted here")
    init, own = land_cover or init_model, settings.options.get(learner.method, {})
    fit_of = None
    if fits is not None:
        fit_of = fewshot.open_fits(fits, *decided(config, learner.method, shots, store))
    network = init is not None or (
        member is None and fits is None and trains(config, learner.method)
    )
    where = place(device, network)
    inputs = {"samples": artefacts.digest(store)}
    samples, patches = read_samples(store)
    posterior, encoded = None, None
    if init is not None:
        from sitsformer.encoded import encoded as encode
        from sitsformer.finetune import land_cover as known_land_cover
        from sitsformer.modelstore import refuse_other_start
        from sitsformer.sampleseries import read_series

        inputs["init"] = artefacts.digest(init)
        # Whoever names a model in the config knows which run it is.
        seed = -1 if learner.init in config.pretrain.models else learner.pretrain_seed
        refuse_other_start(init, learner.init, seed)
        series = read_series(store, samples, init, where)
        if learner.joins:
            cover = LAND_COVER in settings.refine
            both = encode(init, samples, where, land_cover=cover, series=series, folder=out.parent)
            encoded, posterior = both.features, both.land_cover
        else:
            posterior = known_land_cover(init, samples, where, series)
        del series
    chosen = None
    if member is not None and embeddings is not None:
        inputs["embeddings"] = artefacts.digest(embeddings)
        chosen = embedded.of_layer(embeddings, store, member, encoded)
    sweep = {"shots", "seeds", "seeds_per_job", "inits", "adaptations"}
    sweep |= {"baselines", "controls", "options"}
    made_by = {
        "config": {**settings.model_dump(mode="json", exclude=sweep), "options": own},
        "inputs": inputs,
    }
    kept = None
    if checkpoint is not None:
        files = {key: artefacts.digest(expand(own[key])) for key in OWN if key in own}
        asked = {"learner": learner.name, "shots": shots, "device": where, "files": files}
        kept = Kept(checkpoint, {**made_by, **asked, "stage": STAGES["baseline"]})
    cells = run(
        samples,
        learner,
        fewshot.parse_shots(shots),
        fewshot.parse_seeds(seeds),
        settings,
        posterior,
        where,
        kept,
        chosen,
        patches,
        fit_of,
    )
    fewshot.write_cells(out, cells, samples.classes, made_by)
    if kept is not None:
        kept.remove()
    for cell in cells:
        right = float((fewshot.predicted(cell) == cell.truth).mean())
        click.echo(f"{method} shots {shots} seed {cell.seed}: accuracy {right:.3f}", err=True)


def decided(
    config: Config, method: str, shots: str, store: Path
) -> tuple[dict[str, Any], dict[str, Path]]:
    """What decides the fits of a baseline: settings, and files by role."""
    from sitsformer import decisive
    from sitsformer.baselines import file_options
    from sitsformer.config import expand
    from sitsformer.fewshot import Learner
    from sitsformer.versions import STAGES

    values = decisive.leaves(decisive.baseline(config, Learner(method)))
    settings: dict[str, Any] = dict(value.split("=", 1) for value in values)
    settings |= {"method": method, "shots": shots, "version": STAGES["baseline"]}
    files = file_options(method, config.fewshot.options.get(method, {}))
    return settings, {"samples": store, **{key: expand(path) for key, path in files.items()}}


def trains(config: Config, method: str) -> bool:
    """Whether a baseline is a network, as far as can be known before it is run."""
    from sitsformer.baselines import OWN, shipped

    own = {*OWN} & {*config.fewshot.options.get(method, {})}
    return bool(own) or method not in shipped() or shipped()[method].gradient


def place(device: str, network: bool) -> str:
    """Where a job runs.

    Whoever has no network does without torch, which takes longer to load than they to fit; only a
    GPU that is asked for must be there.
    """
    if not network and device != "cuda":
        return "cpu"
    from sitsformer.model.device import find_device

    return str(find_device(device))


def read_samples(store: Path) -> tuple[Samples, Path | None]:
    """The samples of a store, and where their patches are left; None: they hold them."""
    from sitsformer.samples import load_samples

    samples = load_samples(store, reflectance=False)
    if samples.reflectance.shape[-1] > 1:
        return samples, store
    return load_samples(store), None  # what is made of single pixels would be twice as large
