"""Which samples of a table stay together, and which of these go to train, validation and test."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sitsformer.convert import npz
from sitsformer.convert.days import Ints
from sitsformer.convert.npz import Array, Arrays
from sitsformer.errors import SitsError
from sitsformer.samples import SPLITS

logger = logging.getLogger("sitsformer")

_WORDS = {word: code for code, name in enumerate(SPLITS) for word in (name, str(code))}
_WORDS |= {"val": 1, "valid": 1, "validate": 1}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Kept:
    """How the samples of a table are kept apart.

    Attributes:
        block: (sample,) which samples belong together.
        split: (sample,) uint8, 0 train, 1 validation, 2 test.
    """

    block: Ints
    split: npt.NDArray[np.uint8]


def check_shares(fractions: tuple[float, float, float], block: float) -> None:
    """Refuse shares and sides that cannot be meant.

    Raises:
        SitsError: what is wrong with which.
    """
    if not all(0 <= share <= 1 for share in fractions) or abs(sum(fractions) - 1) > 1e-6:
        raise SitsError(f"the shares {fractions} of the splits must sum to 1, none below 0")
    if not 0 < block < 360:
        raise SitsError(f"the side of a square must be above 0 degrees; found {block:g}")


def check_places(path: Path, found: Arrays) -> None:
    """Refuse a table of which nothing tells what belongs together.

    Raises:
        SitsError: it has no `block` and no places, or one of `lon` and `lat` alone.
    """
    lacking = [name for name in ("lon", "lat") if name not in found]
    if not lacking or (len(lacking) == 2 and "block" in found):
        return
    raise SitsError(
        f"{path} lacks the array {lacking[0]!r}: places decide what is tested on. Where they are "
        "not known, leave out both lon and lat and give 'block' (sample,), numbers or texts: which "
        "samples belong together, such as those of a county"
    )


def keep_apart(
    path: Path,
    found: Arrays,
    kept: npt.NDArray[np.bool_],
    place: tuple[Floats, Floats],
    fractions: tuple[float, float, float],
    side: float,
    seed: int,
) -> Kept:
    """Blocks and splits of the samples that are kept.

    Args:
        path: for messages.
        found: arrays of the file.
        kept: (sample,) of the file.
        place: (sample,) degrees east and north of the samples of the file.
        fractions: shares of train, validation and test.
        side: of a square, degrees, where the file has no blocks.
        seed: of the order in which blocks go to splits.

    Raises:
        SitsError: a split that has a share gets no sample, or the file's own splits do not hold.
    """
    lon, lat = (degrees[kept] for degrees in place)
    if "block" not in found:
        if "split" in found:
            logger.warning(
                "warning: %s has an array 'split', which is not used: squares decide", path
            )
        squares, square = _squares(lon, lat, side)
        where = f"{len(squares)} squares of {side:g} degrees: use a smaller --block"
        return _by_shares(path, square, len(squares), fractions, seed, where)
    names = npz.column(found["block"], len(kept), f"{path}: block")[kept]
    blocks, block = np.unique(names, return_inverse=True)
    if "split" in found:
        given = npz.column(found["split"], len(kept), f"{path}: split")[kept]
        return Kept(block, _given(path, given, blocks, block))
    where = f"{len(blocks)} blocks of the file's own: use larger shares"
    return _by_shares(path, block, len(blocks), fractions, seed, where)


def _squares(lon: Floats, lat: Floats, side: float) -> tuple[Ints, Ints]:
    """Squares with samples, and the position of each sample's in them."""
    column = np.floor(lon / side).astype(np.int64)
    row = np.floor(lat / side).astype(np.int64)
    squares, square = np.unique(np.stack([column, row], 1), axis=0, return_inverse=True)
    return squares, square.reshape(-1)


def _by_shares(
    path: Path,
    block: Ints,
    count: int,
    fractions: tuple[float, float, float],
    seed: int,
    where: str,
) -> Kept:
    """Blocks in random order, cut by the shares."""
    cuts = np.round(np.cumsum(fractions)[:2] * count).astype(int)
    order = np.random.default_rng(seed).permutation(count)
    split = np.zeros(count, np.uint8)
    split[order[cuts[0] : cuts[1]]] = 1
    split[order[cuts[1] :]] = 2
    for code, (name, share) in enumerate(zip(SPLITS, fractions, strict=True)):
        if share > 0 and not (split[block] == code).any():
            raise SitsError(
                f"{path}: the split {name} would have no sample: the samples lie in {where}, or "
                f"give {name} the share 0"
            )
    return Kept(block, split[block])


def _given(path: Path, given: Array, blocks: Array, block: Ints) -> npt.NDArray[np.uint8]:
    """The file's own splits, where no block of the test is in another one."""
    words = [word.lower() for word in npz.texts(given)]
    unknown = sorted(set(words) - set(_WORDS))
    if unknown:
        raise SitsError(
            f"{path}: split holds {unknown[0]!r}, expected {', '.join(SPLITS)}, or 0, 1, 2"
        )
    split = np.array([_WORDS[word] for word in words], np.uint8)
    inside = [set(split[block == position].tolist()) for position in range(len(blocks))]
    torn = [str(name) for name, found in zip(blocks, inside, strict=True) if {2} < found]
    if torn:
        raise SitsError(
            f"{path}: block {torn[0]!r} has samples in the test and in another split ({len(torn)} "
            "such blocks): a block is tested on as a whole, or not at all"
        )
    shared = sum({0, 1} <= found for found in inside)
    if shared and (split == 2).any():
        logger.warning(
            "warning: %s: train and validation share %d blocks; validation chooses settings and "
            "is no test, but what it says is better than it will be elsewhere",
            path,
            shared,
        )
    return split
