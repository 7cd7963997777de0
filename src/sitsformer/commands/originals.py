"""Options of SITS-Former's own scripts, so that its commands work as they are written.

    python pretraining.py --dataset_path ... --batch_size ...
    sitsformer pretrain --dataset_path ... --batch_size ...

The command line takes underscores for hyphens everywhere (`sitsformer.cli`). Options that shape the
network are shown in the help; those that only repeat what a sample store knows are compared with
it and hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from sitsformer.errors import SitsError

Command = Callable[..., Any]

NETWORK = {"hidden_size": "hidden", "layers": "layers", "attn_heads": "heads", "dropout": "dropout"}
"""Options of the network, and the keys of the section `model`."""
REPEATED = {"patch_size": "px", "num_features": "band"}
"""Options that repeat a size of the samples, and the dimension."""


def network(command: Command) -> Command:
    """Options of the shape of the network."""
    options = (
        click.option("--hidden-size", type=int, help="Width of the encoder."),
        click.option("--layers", type=int, help="Encoder layers."),
        click.option("--attn-heads", type=int, help="Attention heads."),
        click.option(
            "--dropout", type=float, help="Share of activations set to zero while training."
        ),
    )
    return with_options(command, options)


def samples(command: Command) -> Command:
    """Options on the samples and the machine, hidden from the help."""
    options = (
        click.option("--max-length", type=int, hidden=True),
        click.option("--patch-size", type=int, hidden=True),
        click.option("--num-features", type=int, hidden=True),
        click.option("--num-classes", type=int, hidden=True),
        click.option("--num-workers", type=int, hidden=True),
        click.option("--with-cuda/--no-with-cuda", default=None, hidden=True),
    )
    return with_options(command, options)


def with_options(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    """A command with some more options, in this order in its help."""
    for option in reversed(options):
        command = option(command)
    return command


def shape(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of the network, by the keys of the section `model`."""
    return {key: given[name] for name, key in NETWORK.items() if given.get(name) is not None}


def check_samples(store: Path, given: Mapping[str, Any]) -> None:
    """Compare what was said of the samples with the store.

    Raises:
        SitsError: they differ.
    """
    from sitsformer.samples import about, open_samples

    if all(given.get(name) is None for name in (*REPEATED, "max_length", "num_classes")):
        return
    dataset = open_samples(store)
    for name, dimension in REPEATED.items():
        wanted, found = given.get(name), dataset.sizes[dimension]
        if wanted is not None and wanted != found:
            raise SitsError(f"--{_option(name)} is {wanted}, but {store} has {found}")
    longest, classes = given.get("max_length"), given.get("num_classes")
    if longest is not None and dataset.sizes["time"] > longest:
        raise SitsError(
            f"--max-length is {longest}, but series of {store} have up to {dataset.sizes['time']} "
            "steps: leave the option out, series of any length are read"
        )
    names = about(dataset).classes.names
    if classes is not None and len(names) > classes:
        raise SitsError(f"--num-classes is {classes}, but {store} has {len(names)} classes")


def check_network(model: Path, given: Mapping[str, Any]) -> None:
    """Compare what was said of the network with the pretrained model.

    Raises:
        SitsError: they differ.
    """
    from sitsformer.modelfiles import describe

    found = describe(model)["architecture"]
    for name, key in NETWORK.items():
        if given.get(name) is not None and given[name] != found[key]:
            raise SitsError(
                f"--{_option(name)} is {given[name]}, but {model} was pretrained with {found[key]}"
            )


def device(chosen: str, with_cuda: bool | None) -> str:
    """`auto`, `cpu` or `cuda`: --no-with-cuda means `cpu`."""
    return "cpu" if with_cuda is False else chosen


def _option(name: str) -> str:
    return name.replace("_", "-")
