"""Samples cut out of a series of images on the device that the network is on.

Axes: n samples, S steps of one, C bands, P x P pixels of a patch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sitsformer.model.device import to_device
from sitsformer.model.steps import Series
from sitsformer.stored import MISSING
from sitsformer.windows import Images, Windows

BITS = int(np.array(MISSING, np.uint16).view(np.int16))
"""A missing value as tensors hold it."""


def cut(windows: Windows, mean: Tensor, std: Tensor) -> Series:
    """Samples as `steps.make_series` has them.

    Args:
        windows: on the host; their images are brought over once.
        mean: (C,) reflectance, on the device.
        std: (C,) reflectance.

    Raises:
        ValueError: a sample without a step.
    """
    device = mean.device
    lengths = (windows.doy > 0).sum(1).astype(np.int64)
    if lengths.min(initial=1) < 1:
        raise ValueError(f"sample {int(np.argmin(lengths))} has no valid time step")
    side = windows.patch
    view = _there(windows.images, device).unfold(1, side, 1).unfold(2, side, 1)
    step = to_device(windows.step, device)
    row, column = (to_device(place[:, None], device) for place in (windows.row, windows.column))
    bits = view[step, row, column].flatten(0, 1).flatten(2)
    valid = to_device((windows.doy > 0).ravel(), device)
    gaps = bool(((bits == BITS).flatten(1).any(1) & valid).any())
    starts = np.arange(len(lengths)) * windows.doy.shape[1]
    return Series(bits, windows.doy.astype(np.int16), lengths, starts, mean, std, gaps)


def _there(images: Images, device: torch.device) -> Tensor:
    """(T, Y, X, C) int16, the bits of the values; the bands are put last there."""
    if device not in images.elsewhere:
        bits = to_device(images.values.view(np.int16), device)
        images.elsewhere[device] = bits.permute(0, 2, 3, 1).contiguous()
    found: Tensor = images.elsewhere[device]
    return found
