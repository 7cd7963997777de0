"""Which pixels of a tile become samples, and why the others do not.

Every pixel of the tile ends in exactly one place: kept, or dropped for the first reason of REASONS
that holds. The draw is seeded by set seed, area and tile, so that a tile's samples do not depend
on which other tiles there are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sitsformer.classes import Classes
from sitsformer.config import SampleSet

REASONS = (
    "unlabelled",
    "other_class",
    "edge",
    "split",
    "purity",
    "confidence",
    "cloud",
    "quota",
    "missing",
)
"""Why a pixel is no sample, in the order in which they are tried.

unlabelled: no label there; other_class: a label that is in no class; edge: the patch reaches out of
the tile (of a survey: of all tiles); split: it reaches into another block, or its pixels are not
all in the polygons of one split; purity, confidence: the label is not sure enough; cloud: too few
clear dates; quota: not drawn; missing: drawn, but values are missing on too many of its dates.
"""

CONFIDENCE_MISSING = 255
KEPT = -1
"""In place of a reason, where a pixel is a sample."""


@dataclass(frozen=True)
class Layers:
    """Maps (y, x) of a tile that decide on its samples.

    Attributes:
        codes: label codes; `no_label` of the classes where there is none.
        dates: number of clear dates of the patch around each pixel.
        one_split: whether the patch lies wholly within what one split may use.
        confidence: percent, CONFIDENCE_MISSING where unknown; None when not asked for.
        beyond: pixels whose patches reach out of the tile, into cubes around it; None: those are
            none.
    """

    codes: NDArray[np.integer[Any]]
    dates: NDArray[np.uint16]
    one_split: NDArray[np.bool_]
    confidence: NDArray[np.uint8] | None
    beyond: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Draw:
    """Samples drawn from a tile.

    Attributes:
        row: (sample,) int64.
        column: (sample,) int64.
        label: (sample,) int16 class index; -1 none.
        dropped: reason -> (class + 1,) int64 pixels; the last place counts those without a class.
        candidates: (class + 1,) int64 pixels that could have been drawn.
        reason: (y, x) int8 position in REASONS of why a pixel was not drawn; KEPT where it was.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    label: NDArray[np.int16]
    dropped: dict[str, NDArray[np.int64]]
    candidates: NDArray[np.int64]
    reason: NDArray[np.int8]


def tile_seed(seed: int, *names: str) -> int:
    """A seed of its own for each tile, from the set's seed and names (area, tile)."""
    text = "/".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def draw_pixels(
    layers: Layers, classes: Classes, chosen: SampleSet, size: int, min_dates: int, seed: int
) -> Draw:
    """Draw the samples of a tile."""
    label = classes.index(layers.codes)
    unlabelled = layers.codes == classes.no_label
    reason = _reasons(layers, label, unlabelled, chosen, size, min_dates)
    count = len(classes.names) + 1
    group = np.where(label < 0, count - 1, label)
    free = np.flatnonzero(reason == KEPT)
    free_group = group.ravel()[free]
    candidates = np.bincount(free_group, minlength=count)
    take = quotas(candidates, chosen.per_tile, chosen.quota)
    picked = []
    for k in np.flatnonzero(take).tolist():
        members = free[free_group == k]
        # A generator for each class: another class's pixels do not change this one's draw.
        order = np.random.default_rng([seed, k]).permutation(len(members))
        picked.append(members[order[: take[k]]])
    mixed = np.concatenate(picked) if picked else free[:0]
    mixed = np.random.default_rng([seed, count]).permutation(mixed)
    np.put(reason, free, REASONS.index("quota"))
    np.put(reason, mixed, KEPT)
    row, column = np.divmod(mixed, label.shape[1])
    return Draw(
        row=row,
        column=column,
        label=label[row, column],
        dropped={
            name: np.bincount(group[reason == number], minlength=count)
            for number, name in enumerate(REASONS)
        },
        candidates=candidates,
        reason=reason,
    )


def _reasons(
    layers: Layers,
    label: NDArray[np.int16],
    unlabelled: NDArray[np.bool_],
    chosen: SampleSet,
    size: int,
    min_dates: int,
) -> NDArray[np.int8]:
    """First reason (y, x) why a pixel cannot be drawn, or KEPT."""
    reason = np.full(label.shape, KEPT, np.int8)
    labelled = label >= 0

    def drop(name: str, where: NDArray[np.bool_]) -> None:
        reason[where & (reason == KEPT)] = REASONS.index(name)

    if chosen.unlabelled == "drop":
        drop("unlabelled", unlabelled)
        drop("other_class", ~labelled)
    whole = _inner(label.shape, size)
    drop("edge", ~(whole if layers.beyond is None else whole | layers.beyond))
    drop("split", ~layers.one_split)
    if chosen.purity > 1:
        drop("purity", labelled & ~uniform_window(label, chosen.purity))
    if chosen.confidence > 0 and layers.confidence is not None:
        known = layers.confidence != CONFIDENCE_MISSING
        drop("confidence", labelled & ~(known & (layers.confidence >= chosen.confidence)))
    drop("cloud", layers.dates < min_dates)
    return reason


def uniform_window(values: NDArray[Any], size: int) -> NDArray[np.bool_]:
    """Where a window (y, x) of `size` pixels lies inside the map and holds one value only."""
    from scipy.ndimage import maximum_filter, minimum_filter

    same = np.asarray(minimum_filter(values, size) == maximum_filter(values, size))
    return same & _inner(values.shape, size)


def _inner(shape: tuple[int, ...], size: int) -> NDArray[np.bool_]:
    """Pixels (y, x) around which a window of `size` pixels lies inside the map."""
    half = size // 2
    inside = np.zeros(shape, bool)
    inside[half : shape[0] - half, half : shape[1] - half] = True
    return inside


def quotas(
    candidates: NDArray[np.int64],
    total: int | Literal["all"],
    rule: Literal["balanced", "proportional"],
) -> NDArray[np.int64]:
    """Share a number of samples among classes.

    Args:
        candidates: (class,) pixels that could be drawn.
        total: samples wanted, or `all`.
        rule: `balanced`: the same for each class, and what a small class cannot give goes to the
            others; `proportional`: by candidates, rounded by largest remainders.

    Returns:
        (class,) int64, at most `candidates`; their sum is the smaller of `total` and all.
    """
    everything = int(candidates.sum())
    if total == "all" or total >= everything:
        return candidates.copy()
    if rule == "proportional":
        exact = candidates * (total / everything)
        take: NDArray[np.int64] = np.floor(exact).astype(np.int64)
        largest = np.argsort(-(exact - take), kind="stable")[: total - int(take.sum())]
        take[largest] += 1
        return take
    take = np.zeros_like(candidates)
    left = total
    # From the smallest class on: each gets an equal part of what is left, or all it has.
    for done, k in enumerate(np.argsort(candidates, kind="stable").tolist()):
        take[k] = min(int(candidates[k]), left // (len(candidates) - done))
        left -= int(take[k])
    return take
