"""What networks compute and hold, from the config alone: no torch is asked.

A multiplication and an addition count as two operations; norms, softmax and dropout are left out.
`tests/unit/test_costs.py` compares with the count of the benchmarks, which asks the network.
"""

from __future__ import annotations

from dataclasses import dataclass

from sitsformer.config import Config
from sitsformer.sensors import BANDS

CHANNELS = (32, 64)
"""Of the two convolutions of the patch embedding (SITS-Former)."""
SIDES = {1: (1, 1), 3: (3, 1), 5: (3, 3), 7: (5, 3), 9: (5, 5)}
"""Side of a patch -> sides of the kernels of the two convolutions."""
DEPTHS = (5, 5)
"""Bands that the kernels of the two convolutions span, of ten bands."""


@dataclass(frozen=True)
class Network:
    """The network of a config on samples of a length.

    Attributes:
        hidden: width of the encoder.
        steps: time steps of a sample, all of them valid (an upper bound).
        operations: of one forward pass of one sample.
    """

    hidden: int
    steps: int
    operations: float


def network(config: Config, steps: int) -> Network:
    """The network of a config on samples of so many time steps."""
    shape = config.model
    hidden, width = shape.hidden, shape.feedforward or 4 * shape.hidden
    encoder = steps * (4 * hidden**2 + 2 * hidden * width) + 2 * steps**2 * hidden
    embedding = _embedding(config) * steps
    return Network(hidden, steps, 2.0 * (shape.layers * encoder + embedding))


def _embedding(config: Config) -> int:
    """Multiplications of the patch embedding of one time step."""
    bands, patch, hidden = len(BANDS), config.patches.size, config.model.hidden
    if config.model.embedding == "linear":
        return bands * patch**2 * hidden
    first = bands - DEPTHS[0] + 1
    outer = first - DEPTHS[1] + 1
    side = patch - SIDES[patch][0] + 1
    return (
        first * side**2 * DEPTHS[0] * SIDES[patch][0] ** 2 * CHANNELS[0]
        + outer * DEPTHS[1] * SIDES[patch][1] ** 2 * CHANNELS[0] * CHANNELS[1]
        + outer * CHANNELS[1] * hidden
    )
