"""`sitsformer pretrain`: learn from many samples without crop labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sitsformer.commands import names, originals
from sitsformer.threads import hand_on
from sitsformer.training.objectives import default_objective, objectives

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--config", "config_path", type=PATH, help="Config of the workflow.")
@click.option(
    "--objective",
    type=click.Choice(list(objectives())),
    help=f"Default: {default_objective(True)} where the samples have labels, "
    f"{default_objective(False)} where they have none.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of first weights, batches and what is hidden.",
)
@click.option(
    "--samples",
    "--dataset-path",
    "samples",
    type=PATH,
    required=True,
    help="Sample store, or a folder of .npz as SITS-Former has them.",
)
@click.option("--valid-rate", type=float, help="Share of such a folder that validates.")
@click.option("--checkpoint", type=PATH, help="Folder of the checkpoint.")
@click.option("--out", type=PATH, help="The model artefact.")
@click.option("--pretrain-path", type=PATH, help="Folder for both: `model` and `checkpoint`.")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Passes over the training split. Default of this and what follows: the config's, else "
    "SITS-Former's.",
)
@click.option("--batch-size", type=click.IntRange(min=2), help="Samples a step.")
@click.option("--learning-rate", type=float, help="Highest learning rate.")
@click.option(
    "--warmup-epochs",
    type=click.IntRange(min=0),
    help="Epochs in which the rate grows; of an exponential schedule, those before it falls.",
)
@click.option("--decay-gamma", type=float, help="Factor of the learning rate an epoch.")
@click.option("--gradient-clipping", type=float, help="Largest gradient norm.")
@click.option(
    "--mask-rate", type=float, help="Share of the dates hidden, of objectives that hide some."
)
@originals.network
@originals.samples
@names.threads
@names.device
@click.option("--tensorboard", type=PATH, help="Folder of TensorBoard files.")
@click.option("--mlflow", help="Tracking URI of MLflow.")
def pretrain(
    config_path: Path | None,
    objective: Any,
    seed: int,
    samples: Path,
    valid_rate: float | None,
    checkpoint: Path | None,
    out: Path | None,
    pretrain_path: Path | None,
    threads: int | None,
    device: str,
    tensorboard: Path | None,
    mlflow: str | None,
    **given: Any,
) -> None:
    """Pretrain one model on a sample store.

    Options of SITS-Former's pretraining.py are taken as they are, underscores included. A folder of
    .npz samples is converted first, into a store beside the model.

    Run the same command again after it was killed or ran out of time: it resumes where it was. With
    several GPUs start it by `torchrun --nproc-per-node N -m sitsformer pretrain ...`.
    """
    from sitsformer import pretrain as stage
    from sitsformer.commands import training_options as options
    from sitsformer.pretrain import Where

    if pretrain_path is not None:
        checkpoint = checkpoint or pretrain_path / "checkpoint"
        out = out or pretrain_path / "model"
    if checkpoint is None or out is None:
        raise click.UsageError("give --checkpoint and --out, or --pretrain-path for both")
    hand_on(threads)
    store = options.sample_store(samples, out.parent, valid_rate)
    originals.check_samples(store, given)
    chosen = options.objective(store, objective)
    model, settings = options.pretraining(config_path, chosen, given)
    stage.run(
        Where(store, checkpoint, out, tensorboard, mlflow),
        chosen,
        seed,
        model,
        settings,
        originals.device(device, given["with_cuda"]),
    )
