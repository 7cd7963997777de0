"""What networks compute and hold, from the config alone: no torch is asked.

A multiplication and an addition count as two operations; norms, softmax and dropout are left out.
`tests/unit/test_costs.py` compares with the count of the benchmarks, which asks the network.
"""

from __future__ import annotations

from dataclasses import dataclass

from sitsformer.config import Config

CHANNELS = (32, 64)
"""Of the two convolutions of the patch embedding (SITS-Former)."""
SIDES = {1: (1, 1), 3: (3, 1), 5: (3, 3), 7: (5, 3), 9: (5, 5)}
"""Side of a patch -> sides of the kernels of the two convolutions."""
DEPTHS = ((9, 5), (0, 3))
"""Bands from so many on -> bands that the kernels of both convolutions span."""


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


def network(config: Config, steps: int, bands: int) -> Network:
    """The network of a config on samples of so many time steps and bands."""
    shape = config.model
    hidden, width = shape.hidden, shape.feedforward or 4 * shape.hidden
    encoder = steps * (4 * hidden**2 + 2 * hidden * width) + 2 * steps**2 * hidden
    embedding = _embedding(config, bands) * steps
    return Network(hidden, steps, 2.0 * (shape.layers * encoder + embedding))


def _embedding(config: Config, bands: int) -> int:
    """Multiplications of the patch embedding of one time step."""
    patch, hidden = config.patches.size, config.model.hidden
    if config.model.embedding == "linear":
        return bands * patch**2 * hidden
    depth = next(depth for least, depth in DEPTHS if bands >= least)
    first = bands - depth + 1
    outer = first - depth + 1
    side = patch - SIDES[patch][0] + 1
    return (
        first * side**2 * depth * SIDES[patch][0] ** 2 * CHANNELS[0]
        + outer * depth * SIDES[patch][1] ** 2 * CHANNELS[0] * CHANNELS[1]
        + outer * CHANNELS[1] * hidden
    )
