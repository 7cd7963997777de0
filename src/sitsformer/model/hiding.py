"""What of a batch is hidden, as the network asks for it.

Which steps are hidden is decided on the host (`masking.py`). Every index that follows from it is
made there too, before the network runs: inside it nothing is looked for and nothing is copied.

Axes: N packed steps, n of them hidden, C bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sitsformer.model.device import to_device
from sitsformer.model.rows import Rows, choose
from sitsformer.model.steps import StepTable, subset


@dataclass(frozen=True)
class HiddenSteps:
    """Whole steps are hidden.

    Attributes:
        rows: the n hidden steps of the batch's table.
        layout: whose they are.
        seen: the other steps.
        seen_layout: whose these are.
    """

    rows: Rows
    layout: StepTable
    seen: Rows
    seen_layout: StepTable


@dataclass(frozen=True)
class HiddenBands:
    """Bands of whole series are hidden.

    Attributes:
        values: (N, C) bool, True where hidden; False in rows that are no steps.
    """

    values: Tensor


Hidden: TypeAlias = HiddenSteps | HiddenBands
"""On the device of the network."""


def hide(layout: StepTable, mask: npt.NDArray[np.bool_], device: torch.device | str) -> Hidden:
    """Put a mask in the form that the network reads.

    Args:
        layout: of the batch.
        mask: (N,) which steps are hidden, or (N, C) which values; on the host.
        device: where the network runs.
    """
    if mask.ndim == 2:
        missing = layout.steps - len(mask)
        return HiddenBands(to_device(np.pad(mask, ((0, missing), (0, 0))), device))
    rows, seen = (choose(chosen, device, layout.steps) for chosen in (mask, ~mask))
    hidden_layout, seen_layout = (subset(layout, chosen, device) for chosen in (mask, ~mask))
    return HiddenSteps(rows, hidden_layout, seen, seen_layout)
