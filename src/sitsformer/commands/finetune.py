"""`sitsformer fewshot`: cells of the sweep; `sitsformer finetune`: one model on all labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sitsformer.commands import names, originals
from sitsformer.threads import hand_on
from sitsformer.training.objectives import SCRATCH, starts

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--config", "config_path", type=PATH, required=True, help="YAML config.")
@click.option("--samples", "store", type=PATH, required=True, help="Sample store with labels.")
@click.option("--init-model", type=PATH, help="Pretrained model; none: random weights.")
@click.option(
    "--init", type=click.Choice(list(starts())), required=True, help="What the weights start from."
)
@click.option("--pretrain-seed", type=int, default=-1, help="Seed of the pretrained model.")
@click.option(
    "--adaptation",
    "--way",
    type=names.NameOf("adaptation", "sitsformer.fewshot.adaptations:adaptations"),
    default="full",
    show_default=True,
    help="How the network learns crops; --way is the old name of this option.",
)
@click.option("--shots", required=True, help="Labelled samples a class, or `all`.")
@click.option("--seeds", required=True, help="Seeds of the draws: one, or a range such as 0-4.")
@click.option("--out", type=PATH, help="Parquet file of predictions.")
@click.option("--save-model", type=PATH, help="Write the model of the first seed here.")
@names.checkpoint
@names.device
@names.threads
def fewshot(
    config_path: Path,
    store: Path,
    init_model: Path | None,
    init: str,
    pretrain_seed: int,
    adaptation: str,
    shots: str,
    seeds: str,
    out: Path | None,
    save_model: Path | None,
    checkpoint: Path | None,
    device: str,
    threads: int | None,
) -> None:
    """Fine-tune on a few labels a class, and predict the test samples, for some seeds."""
    if (init == SCRATCH.name) != (init_model is None):
        raise click.UsageError(
            f"give --init-model with every --init but {SCRATCH.name}, and only then"
        )
    if out is None and save_model is None:
        raise click.UsageError(
            "give --out for the predictions, --save-model for the model, or both"
        )
    from sitsformer import artefacts, modelstore
    from sitsformer import fewshot as contract
    from sitsformer import finetune as stage
    from sitsformer.commands import training_options as options
    from sitsformer.config import load
    from sitsformer.fewshot.kept import Kept
    from sitsformer.model.device import find_device
    from sitsformer.samples import about, load_samples, open_samples
    from sitsformer.sampleseries import read_series
    from sitsformer.versions import STAGES

    hand_on(threads)
    where = find_device(device)
    model_settings, settings = options.finetuning(config_path)
    samples = load_samples(options.sample_store(store), reflectance=False)
    layer = about(open_samples(store)).label
    inputs = {"samples": store} | ({} if init_model is None else {"init": init_model})
    # Before the training: what has no record is refused at once.
    digests = {name: artefacts.digest(path) for name, path in inputs.items()}
    config = load(config_path)
    if init_model is not None:
        # Whoever names a model in the config knows which run it is.
        seed = -1 if init in config.pretrain.models else pretrain_seed
        modelstore.refuse_other_start(init_model, init, seed)
    learner = contract.Learner(contract.NETWORK, init, adaptation, pretrain_seed)
    count, chosen = contract.parse_shots(shots), contract.parse_seeds(seeds)
    sweep = {"shots", "seeds", "seeds_per_job", "inits", "adaptations"}
    sweep |= {"baselines", "controls", "options"}
    made_with = {
        "fewshot": settings.model_dump(mode="json", exclude=sweep),
        "model": model_settings.model_dump(mode="json"),
    }
    made_by = {
        "config": made_with,
        "inputs": digests,
    }
    kept = None
    if checkpoint is not None:
        asked = {"learner": learner.name, "shots": shots, "device": where.type}
        kept = Kept(checkpoint, {**made_by, **asked, "stage": STAGES["fewshot"]})
    cells, model = stage.run_cells(
        samples,
        init_model,
        learner,
        count,
        chosen,
        model_settings,
        settings,
        where,
        kept,
        with_model=save_model is not None,
        series=read_series(store, samples, init_model, where),
    )
    if out is not None:
        contract.write_cells(out, cells, samples.classes, made_by)
    if save_model is not None and model is not None:
        data = {"samples": store.name, "init": learner.name, "shots": shots}
        origin = modelstore.Origin(
            "classification",
            data,
            made_with,
            inputs,
            chosen[0],
            {},
            samples.classes,
            layer,
            config.patches.model_dump(mode="json", exclude={"memory_gb", "scheduler"}),
        )
        modelstore.save_model(save_model, model, origin)
    if kept is not None:
        kept.remove()


def _path_or_none(
    _context: click.Context, _option: click.Parameter, value: Path | None
) -> Path | None:
    """SITS-Former's README writes `--pretrain_path None` for random weights."""
    return None if value is None or str(value) == "None" else value


@click.command()
@click.option("--config", "config_path", type=PATH, help="Config of the workflow.")
@click.option(
    "--dataset-path",
    type=PATH,
    required=True,
    help="Sample store with labels, or a folder of .npz as SITS-Former has them.",
)
@click.option(
    "--pretrain-path",
    type=PATH,
    callback=_path_or_none,
    help="Pretrained model, ours or a folder with SITS-Former's; none: random weights.",
)
@click.option("--finetune-path", type=PATH, required=True, help="Folder for the result.")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Passes over the training split.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=2),
    default=128,
    show_default=True,
    help="Samples a step.",
)
@click.option("--learning-rate", type=float, default=2e-4, show_default=True, help="Learning rate.")
@click.option(
    "--weight-decay", type=float, default=1e-4, show_default=True, help="L2, by Adam's gradient."
)
@originals.network
@originals.samples
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of first weights and batches.",
)
@click.option("--patience", type=click.IntRange(min=1), help="Epochs before an early stop.")
@names.device
@names.threads
@click.option("--tensorboard", type=PATH, help="Folder of TensorBoard files.")
def finetune(
    config_path: Path | None,
    dataset_path: Path,
    pretrain_path: Path | None,
    finetune_path: Path,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    seed: int,
    patience: int | None,
    device: str,
    threads: int | None,
    tensorboard: Path | None,
    **given: Any,
) -> None:
    """Fine-tune on the training split of a set, and test on its test split (SITS-Former's way).

    Writes FINETUNE_PATH/model and resumes from FINETUNE_PATH/checkpoint after it was stopped.
    Options of SITS-Former's finetuning.py are taken as they are, underscores included. A folder of
    .npz samples, or a checkpoint of SITS-Former, is converted first, into FINETUNE_PATH.
    """
    from sitsformer import standardtuning as stage
    from sitsformer.commands import training_options as options

    hand_on(threads)
    model_settings, _ = options.finetuning(config_path, given)
    recipe = options.recipe(learning_rate, weight_decay)
    init = options.pretrained(pretrain_path, finetune_path, given["attn_heads"])
    if init is not None:
        originals.check_network(init, given)
    store = options.sample_store(dataset_path, finetune_path)
    originals.check_samples(store, given)
    metrics = stage.run_standard(
        store,
        init,
        finetune_path / "model",
        finetune_path / "checkpoint",
        model_settings,
        stage.Standard(epochs, batch_size, recipe, seed, patience),
        tensorboard,
        originals.device(device, given["with_cuda"]),
    )
    for name, value in metrics.items():
        click.echo(f"{name} {value:.4f}")
