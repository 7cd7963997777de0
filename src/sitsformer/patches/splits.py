"""Which samples go to train, validation and test, so that no two splits share a pixel.

`block`: the UTM grid is cut into squares; a patch that is not wholly inside one square is dropped
when the tile is cut, and the merge gives whole squares to splits. `polygons`: a pixel belongs to
the split of the polygon its centre lies in, and a patch must lie wholly in the pixels of one split.
`area`, `year`: whole areas are given to splits; areas that overlap on the ground in different
splits are refused for `area`. In every case two patches of different splits share no pixel (of
the same year, for `year`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer import splitpolygons
from sitsformer.config import SplitBy
from sitsformer.errors import SitsError, some
from sitsformer.grid import Tile, within_blocks
from sitsformer.samples.contract import SPLITS, UNASSIGNED

_OFFSET = 2**21
"""Makes grid positions positive: at 10 m blocks it reaches 20,000 km to either side."""
_WIDTH = 2**22

_TOLERANCE = 1e-12
"""Smallest gain for which the improvement of an assignment moves a block."""
_PASSES = 4
"""Rounds of improvement over all blocks at most."""
_FEW_BLOCKS = 300
"""Up to so many blocks, pairs are tried too; with more, single ones get close enough."""


class SplitError(SitsError):
    """Samples that cannot be split as the config asks."""


def block_ids(
    epsg: int, x: NDArray[np.float64], y: NDArray[np.float64], side: float
) -> NDArray[np.int64]:
    """Number of the square of the UTM grid in which points lie; the same for every tile and area.

    Returns:
        int64 of the same shape: zone, column and row of the square in one number.
    """
    column = np.floor(x / side).astype(np.int64) + _OFFSET
    row = np.floor(y / side).astype(np.int64) + _OFFSET
    return (np.int64(epsg) * _WIDTH + column) * _WIDTH + row


def inside_blocks(tile: Tile, side: float, size: int) -> NDArray[np.bool_]:
    """Pixels (y, x) of a tile whose patch of `size` pixels lies wholly inside one block."""
    rows, columns = (within_blocks(axis, side, size, tile.pixel) for axis in (tile.y, tile.x))
    return rows[:, None] & columns


def polygon_map(tile: Tile, path: str) -> NDArray[np.uint8]:
    """Splits (y, x) of the pixels of a tile by a user's polygons; UNASSIGNED outside of them.

    Raises:
        ConfigError: the file cannot be used.
        SplitError: polygons of two splits overlap.
    """
    from rasterio.features import rasterize

    shapes = splitpolygons.near(splitpolygons.read(path), tile)
    result = np.full((tile.size, tile.size), UNASSIGNED, np.uint8)
    for value, name in enumerate(SPLITS):
        if not shapes[name]:
            continue
        inside = (
            rasterize(shapes[name], out_shape=result.shape, transform=tile.transform, dtype="uint8")
            == 1
        )
        twice = inside & (result != UNASSIGNED)
        if twice.any():
            row, column = np.argwhere(twice)[0]
            other = SPLITS[result[row, column]]
            raise SplitError(
                f"{path}: polygons of {name!r} and {other!r} overlap at "
                f"({tile.x[column]:.0f}, {tile.y[row]:.0f}) m in EPSG:{tile.epsg}; "
                "a pixel can belong to one split only"
            )
        result[inside] = value
    return result


def of_areas(split: SplitBy, areas: Sequence[str], years: Sequence[int]) -> NDArray[np.uint8]:
    """Split of each area (area,) for `by: area` and `by: year`; UNASSIGNED for one not listed."""
    keys = list(areas) if split.by == "area" else [str(year) for year in years]
    lists = [split.train, split.validation, split.test]
    return np.array(
        [
            next((value for value, names in enumerate(lists) if key in names), UNASSIGNED)
            for key in keys
        ],
        np.uint8,
    )


def assign_blocks(
    counts: NDArray[np.int64], fractions: tuple[float, float, float], seed: int
) -> NDArray[np.uint8]:
    """Give whole blocks to splits so that shares are met and every class is in every split.

    Classes are served from the one in the fewest blocks on, its largest blocks first, each block to
    the split that lacks most of the class (iterative stratification: Sechidis, Tsoumakas &
    Vlahavas 2011, ECML PKDD, applied to blocks). When no more blocks of a class are left than
    splits without it, these go to such splits: train first, then test, then validation. At the end
    blocks are moved or exchanged while that brings the shares closer and takes no class from a
    split.

    Args:
        counts: (block, class) samples.
        fractions: shares of train, validation, test.
        seed: decides ties.

    Returns:
        (block,) uint8 positions in SPLITS.
    """
    order = np.random.default_rng(seed).permutation(len(counts))
    shuffled = np.asarray(counts, np.int64)[order]
    shares = np.array(fractions)
    drafted = _draft(shuffled, shares)
    result = np.empty(len(counts), np.uint8)
    result[order] = _improve(shuffled, shares, drafted)
    return result


def _draft(counts: NDArray[np.int64], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """First assignment of blocks (block,) to splits; see `assign_blocks`."""
    blocks, classes = counts.shape
    result = np.full(blocks, -1)
    lack = shares[:, None] * counts.sum(axis=0)  # (split, class): samples still wanted
    has = np.zeros((len(shares), classes), bool)
    left = (counts > 0).sum(axis=0)  # (class,): blocks not given yet
    by_size = [np.argsort(-counts[:, k], kind="stable")[: left[k]] for k in range(classes)]
    place = [0] * classes
    preference = [split for split in (0, 2, 1) if shares[split] > 0]
    while left.any():
        k = int(np.argmin(np.where(left > 0, left, blocks + 1)))
        while result[by_size[k][place[k]]] >= 0:
            place[k] += 1
        block = by_size[k][place[k]]
        without = [split for split in preference if not has[split, k]]
        if without and left[k] <= len(without):
            split = without[0]
        else:
            split = max(preference, key=lambda s: (lack[s, k], lack[s].sum()))
        result[block] = split
        present = counts[block] > 0
        has[split] |= present
        lack[split] -= counts[block]
        left -= present
    result[result < 0] = int(np.argmax(shares))  # blocks without samples
    return result


def _improve(
    counts: NDArray[np.int64], shares: NDArray[np.float64], split: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Move or exchange blocks while the squared error of the shares falls."""
    plan = _Plan(counts, shares, split)
    for _ in range(_PASSES):
        moved = False
        for block in range(len(counts)):
            moved |= plan.move(block)
            if len(counts) <= _FEW_BLOCKS:
                moved |= plan.exchange(block)
        if not moved:
            break
    return plan.split


class _Plan:
    """An assignment under improvement, with the sums that tell what a change is worth.

    The error is the squared difference of shares from what is wanted, where all samples together
    count as much as all classes together. No change takes the last block of a class from a split.
    """

    def __init__(
        self, counts: NDArray[np.int64], shares: NDArray[np.float64], split: NDArray[np.int64]
    ) -> None:
        total = counts.sum(axis=0)
        kept = counts[:, total > 0]
        classes = max(1, kept.shape[1])
        self.split = split
        self._shares = shares[:, None]
        self._amount = np.column_stack(
            [kept / kept.sum(axis=0), counts.sum(axis=1) / max(1, total.sum())]
        )
        self._weights = np.concatenate([np.full(kept.shape[1], 1 / classes), [1.0]])
        self._present = (kept > 0).astype(np.int64)
        every = range(len(shares))
        self._held = np.stack([self._amount[split == s].sum(axis=0) for s in every])
        self._blocks = np.stack([self._present[split == s].sum(axis=0) for s in every])

    def move(self, block: int) -> bool:
        """Give a block to the split where it helps most; whether it moved."""
        source, amount = self.split[block], self._amount[block]
        if (self._blocks[source][self._present[block] > 0] == 1).any():
            return False
        error = self._held - self._shares
        change = (2 * (error - error[source]) * amount + 2 * amount**2) @ self._weights
        change[(self._shares[:, 0] == 0) | (np.arange(len(change)) == source)] = 0.0
        target = int(np.argmin(change))
        if change[target] >= -_TOLERANCE:
            return False
        self._give(block, target)
        return True

    def exchange(self, block: int) -> bool:
        """Exchange a block for the one of another split that helps most; whether it did."""
        source = self.split[block]
        error = self._held - self._shares
        amount = self._amount[block] - self._amount  # what `source` would lose, for each other
        change = (2 * (error[self.split] - error[source]) * amount + 2 * amount**2) @ self._weights
        gain = self._present[block] - self._present
        here, there = self._blocks[source], self._blocks[self.split]
        lost = ((here > 0) & (here == gain)) | ((there > 0) & (there == -gain))
        change[(self.split == source) | lost.any(axis=1)] = 0.0
        other = int(np.argmin(change))
        if change[other] >= -_TOLERANCE:
            return False
        target = int(self.split[other])
        self._give(block, target)
        self._give(other, int(source))
        return True

    def _give(self, block: int, target: int) -> None:
        source = self.split[block]
        self._held[source] -= self._amount[block]
        self._held[target] += self._amount[block]
        self._blocks[source] -= self._present[block]
        self._blocks[target] += self._present[block]
        self.split[block] = target


_MORE = {
    "block": "use smaller blocks, more tiles or other fractions, or draw split polygons over the "
    "tiles",
    "group": "every class needs a group (field) for each split: gather classes by `classes`, "
    "raise min_samples of the survey, or use other fractions",
    "polygons": "draw more split polygons over the tiles",
    "area": "give each split an area that has every class",
    "year": "give each split an area of a year of its own that has every class",
}
"""What gives each split samples of each class, by the way of the split."""


def check_presence(
    label: NDArray[np.integer[Any]],
    split: NDArray[np.uint8],
    class_names: Sequence[str],
    wanted: Sequence[bool],
    by: str = "block",
) -> list[str]:
    """Refuse splits nothing can be learned from; describe lesser gaps.

    Args:
        label: (sample,) class index; -1 none.
        split: (sample,) positions in SPLITS.
        class_names: of the classes.
        wanted: for each split, whether the config asks for it.
        by: way of the split.

    Returns:
        One line per class that validation or test lacks.

    Raises:
        SplitError: a wanted split is empty, or train lacks a class that another split has.
    """
    empty = [
        name for value, name in enumerate(SPLITS) if wanted[value] and not (split == value).any()
    ]
    if empty:
        raise SplitError(
            f"the split leaves {' and '.join(empty)} without samples "
            f"({len(split)} samples in all): {_MORE[by]}"
        )
    gaps = []
    for value, name in enumerate(SPLITS):
        if not wanted[value]:
            continue
        there = np.bincount(label[(split == value) & (label >= 0)], minlength=len(class_names))
        lacking = [class_names[k] for k in np.flatnonzero(there == 0).tolist()]
        if lacking and name == "train":
            raise SplitError(
                f"train has no sample of {some(lacking)}: no model can learn what it never sees; "
                f"{_MORE[by]}, or leave the class out of `classes`"
            )
        gaps += [f"{name} has no sample of {missing}" for missing in lacking]
    return gaps
