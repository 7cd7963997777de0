"""Samples that no split may part: those of one group, and those whose patches share a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def units(
    group: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    epsg: NDArray[np.integer[Any]],
    reach: float,
    pixel: float,
) -> NDArray[np.int64]:
    """Numbers (sample,) of the smallest units that a split by group may give away.

    Args:
        group: (sample,) of the survey.
        x: (sample,) eastings of the centres of the patches, metres.
        y: (sample,) northings.
        epsg: (sample,) of their UTM zone.
        reach: metres, side of a patch; centres nearer than this both ways share a pixel.
        pixel: metres.
    """
    from scipy.spatial import cKDTree

    pairs = [_chained(group)]
    for zone in np.unique(epsg):
        rows = np.flatnonzero(epsg == zone)
        tree = cKDTree(np.column_stack([x[rows], y[rows]]))
        # Centres lie on one grid; half a pixel keeps rounding out of the comparison.
        near = tree.query_pairs(reach - pixel / 2, p=np.inf, output_type="ndarray")
        pairs.append(rows[near])
    return _components(len(group), np.concatenate(pairs))


def joined_blocks(group: NDArray[np.int64], block: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers (sample,) of units of whole blocks: blocks that one group lies in stay together."""
    return _components(len(group), np.concatenate([_chained(group), _chained(block)]))


def stragglers(group: NDArray[np.int64], split: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Samples (sample,) of groups that a split parts, outside of the split with most of the group.

    Args:
        group: (sample,) of the survey; below 0 without.
        split: (sample,) positions in SPLITS.
    """
    known = np.flatnonzero(group >= 0)
    _, member = np.unique(group[known], return_inverse=True)
    counts = np.zeros((member.max(initial=-1) + 1, 256), np.int64)
    np.add.at(counts, (member, split[known]), 1)
    found = np.zeros(len(group), bool)
    found[known] = counts.argmax(axis=1)[member] != split[known]
    return found


def _chained(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs (pair, 2) of samples that connect all with one value; below 0 stands alone."""
    order = np.argsort(values, kind="stable")
    same = (values[order[1:]] == values[order[:-1]]) & (values[order[1:]] >= 0)
    found: NDArray[np.int64] = np.column_stack([order[:-1][same], order[1:][same]])
    return found


def _components(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), bool), pairs.T), shape=(count, count))
    _, found = connected_components(links, directed=False)
    return np.asarray(found, np.int64)
