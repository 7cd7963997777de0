"""What a loss of pretraining is: a record with its name, what it needs, and how it is added up.

Axes: N packed steps of a batch, B samples, C bands, H width of the encoder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sitsformer.errors import SitsError
from sitsformer.registry import records

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    from sitsformer.model import SITSFormer
    from sitsformer.model.hiding import Hidden
    from sitsformer.model.steps import Steps, StepTable

NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Names become columns, file names and wildcards of the workflow."""

HEADS = ("reconstruction", "classifier", "projection")
"""Heads of the network that a loss can train."""

FIRST = 100
"""Where records without an `order` of their own stand: behind those of the method."""


@dataclass(frozen=True)
class Drawn:
    """A micro-batch on the host, before the network runs.

    Attributes:
        hidden: (N,) or (N, C) what of it is masked; None: nothing.
        label: (B,) class index, -1 = none. With two views, B is twice the number of series: all
            first views, then all second ones.
        bands: C.
    """

    hidden: npt.NDArray[np.bool_] | None
    label: npt.NDArray[np.int64]
    bands: int


@dataclass(frozen=True)
class Encoded:
    """A micro-batch and what the network made of it, on the device; all losses share it.

    On a GPU tables are filled up with rows that are no steps (`model/rows.py`), and a step of
    training may be recorded: a loss takes tensors alone, and copies none from the host.

    Attributes:
        steps: what the network was given, N steps, normalised.
        hidden: what of it was hidden; None: nothing.
        label: (B,) class index, -1 = none.
        every: (n, H) encoded steps as they are pooled for a class. With a decoder these are the
            visible steps. Where no loss of the objective is `whole`, it may be the hidden ones.
        layout: whose steps `every` are.
        doy: (n,) int64 day of year of each.
        masked: (hidden steps, H) what hidden steps are reconstructed from, or (N, H) where bands
            are hidden; None where nothing is.
        class_weights: (class,) weight of each class; None: all 1.
    """

    steps: Steps
    hidden: Hidden | None
    label: Tensor
    every: Tensor
    layout: StepTable
    doy: Tensor
    masked: Tensor | None
    class_weights: Tensor | None


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss of pretraining.

    Attributes:
        name: in configs (`pretrain.weights`) and columns of the history (`train_<name>`).
        title: in plots, after "Loss of".
        unit: of a term, as the label of an axis.
        count: how many terms a batch has; a batch of none is left to the other losses.
        total: the sum over these terms. It may import torch, inside of itself.
        hides: a part of each series is hidden from the network (`pretrain.mask`).
        views: the network is given each series twice, as two disjoint random halves of its dates;
            what one half does not show is hidden from it. Then every loss of the objective sees
            both halves.
        whole: `total` reads `Encoded.every`; where no loss does, the last layer of the encoder
            serves hidden steps alone.
        labelled: its terms are samples with a label.
        head: the head of the network that it trains.
        order: among the losses in plots; equal ones are sorted by name.
    """

    name: str
    title: str
    unit: str
    count: Callable[[Drawn], float]
    total: Callable[[SITSFormer, Encoded], Tensor]
    hides: bool = False
    views: bool = False
    whole: bool = True
    labelled: bool = False
    head: Literal["reconstruction", "classifier", "projection"] | None = None
    order: int = FIRST

    def __post_init__(self) -> None:
        said = {
            "a name is a small letter, then small letters, digits or '_'": not NAME.fullmatch(
                self.name
            ),
            "'loss' is the sum of all": self.name == "loss",
            "a loss that is not `whole` reads hidden steps: it `hides`": not (
                self.whole or self.hides
            ),
            "the head 'reconstruction' learns from hidden values: it `hides`": (
                self.head == "reconstruction" and not self.hides
            ),
            "two views hide what they do not show: it `hides`": self.views and not self.hides,
            "the head 'classifier' learns from labels: it is `labelled`": (
                self.head == "classifier" and not self.labelled
            ),
            f"its head {self.head!r} is none of {', '.join(HEADS)}": (
                self.head not in (*HEADS, None)
            ),
        }
        problems = [text for text, wrong in said.items() if wrong]
        if problems:
            raise SitsError(f"loss {self.name!r}: {'; '.join(problems)}")


def losses() -> Mapping[str, Loss]:
    """Every loss by name, in the order of plots."""
    return records("sitsformer.training.objectives", Loss)
