"""Wall-to-wall prediction of a tile: classes with confidence; `mapproducts` writes them.

Each pixel is predicted from the patch around it, with the dates that its sample would have: the
clear ones, thinned to the length of the sample store. At the edge of the tile the patch goes on in
the cubes of its neighbours; a pixel whose patch reaches beyond all of them has no class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from sitsformer.config import Patches
from sitsformer.cube import CHUNK
from sitsformer.errors import SitsError
from sitsformer.ground import Ground
from sitsformer.maps.ahead import ahead
from sitsformer.patches.clear import clear_patches
from sitsformer.patches.thinning import thin
from sitsformer.progress import Progress
from sitsformer.stored import MISSING, SCALE
from sitsformer.windows import Images, Windows

Predict = Callable[..., npt.NDArray[np.floating]]
"""(sample, time, band, py, px) uint16, or `Windows` of them, and (sample, time) days of year ->
(sample, class); of one that learned from embeddings, these (sample, axis) come third."""

Vectors = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""Rows and columns of pixels -> their embeddings (pixel, axis), NaN where there are none."""

NONE = 0
"""Value of a pixel without a prediction; class k is k + 1."""

UNKNOWN = 255
"""Margin of a pixel without one, which may be 0."""

NO_DATES = 65535
"""Dates of a pixel that nobody looked at: its patch is not whole, or the mask leaves it out."""

_COLUMNS = 4 * CHUNK["x"]
"""Columns that are read together at most, with the rows of a chunk."""


@dataclass(frozen=True)
class CropMap:
    """A predicted tile.

    Attributes:
        classes: (y, x) uint16, class index + 1; 0 where nothing was predicted.
        confidence: (y, x) uint8, probability of the class in percent; 0 where there is none.
        margin: (y, x) uint8, by how many percent it exceeds the next class's; 255 none.
        dates: (y, x) uint16, dates that the prediction is made of, or would be but for being too
            few; 65535 where nobody looked.
        probabilities: (class, y, x) float16, NaN where there are none; None if not asked for.
        embeddings: (feature, y, x) float16, the same of the vector that the classifier reads.
    """

    classes: npt.NDArray[np.uint16]
    confidence: npt.NDArray[np.uint8]
    margin: npt.NDArray[np.uint8]
    dates: npt.NDArray[np.uint16]
    probabilities: npt.NDArray[np.float16] | None = None
    embeddings: npt.NDArray[np.float16] | None = None

    def pixels(self, classes: int) -> npt.NDArray[np.int64]:
        """(class,) number of pixels of each class."""
        return np.bincount(self.classes.ravel(), minlength=classes + 1)[1:].astype(np.int64)


def predict(
    path: Path,
    settings: Patches,
    model: Predict,
    batch_size: int,
    *,
    neighbours: Sequence[Path] = (),
    inside: Callable[[xr.Dataset], npt.NDArray[np.bool_]] | None = None,
    refuse_means: Callable[[npt.NDArray[np.floating]], None] | None = None,
    probabilities: int = 0,
    embed: Predict | None = None,
    features: int = 0,
    vectors: Vectors | None = None,
    elsewhere: bool = False,
) -> CropMap:
    """Predict every pixel of a cube.

    Args:
        path: of the cube.
        settings: what a sample looks like.
        model: raw samples -> probabilities.
        batch_size: pixels predicted at once.
        neighbours: cubes of the tiles around it.
        inside: of the cube, which pixels (y, x) are to be mapped; default: all.
        refuse_means: refuses mean reflectances (band,) that samples of the model cannot have.
        probabilities: number of classes, whose probabilities are then kept too; 0: they are not.
        embed: raw samples -> embeddings, which are then kept too.
        features: length of an embedding.
        vectors: embeddings of others, where the model reads them, too.
        elsewhere: the model works on a GPU: it is given `Windows`, and meanwhile the next pixels
            are read.

    Raises:
        SitsError: the tile is smaller than a patch, a cube cannot be used, or its values cannot be
            right.
    """
    ground = Ground(path, neighbours, settings.size // 2)
    size = ground.tile.size
    if size < settings.size:
        raise SitsError(f"{path} is {size} x {size} px, smaller than a patch of {settings.size} px")
    wanted = ground.whole if inside is None else ground.whole & inside(ground.cube)
    classes = np.zeros((size, size), np.uint16)
    confidence = np.zeros((size, size), np.uint8)
    margin = np.full((size, size), UNKNOWN, np.uint8)
    dates = np.full((size, size), NO_DATES, np.uint16)
    layers = {
        name: np.full((width, size, size), np.nan, np.float16)
        for name, width in (("probabilities", probabilities), ("embeddings", features))
        if width
    }
    sums, steps = np.zeros(ground.cube.sizes["band"]), 0
    with Progress(total=int(wanted.sum()), unit="px", desc="map") as bar:
        batches = windows_of(ground, wanted, settings, batch_size)
        for row, column, windows in ahead(batches) if elsewhere else batches:
            bar.update(len(row))
            count = (windows.doy > 0).sum(1)
            dates[row, column] = count
            enough = count >= settings.min_dates
            if not enough.any():
                continue
            middle = windows.centres()
            sums, steps = sums + middle.sum(0, dtype=np.float64), steps + len(middle)
            place, windows = (row[enough], column[enough]), windows.take(enough)
            samples = windows if elsewhere else np.asarray(windows)
            beside = () if vectors is None else (vectors(*place),)
            found = model(samples, windows.doy, *beside)
            classes[place], confidence[place], margin[place] = scored(found)
            if probabilities:
                layers["probabilities"][(slice(None), *place)] = found.T
            if embed is not None:
                own = embed(samples, windows.doy)
                layers["embeddings"][(slice(None), *place)] = own.T
    if refuse_means is not None and steps:
        refuse_means(sums / steps * SCALE)
    return CropMap(classes, confidence, margin, dates, **layers)


def scored(found: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.floating], ...]:
    """Class, confidence and margin (N,) of probabilities (N, class), as `CropMap` has them."""
    # At least 1: zero percent means that nothing was predicted.
    return found.argmax(1) + 1, np.clip(np.rint(100 * found.max(1)), 1, 100), _margin(found)


def _margin(found: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Percent between the two highest probabilities; the only class's own."""
    if found.shape[1] == 1:
        return np.asarray(np.rint(100 * found[:, 0]))
    second, first = np.partition(found, -2, axis=1)[:, -2:].T
    return np.asarray(np.rint(100 * (first - second)))


Batch = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Windows]


def windows_of(
    ground: Ground, wanted: npt.NDArray[np.bool_], settings: Patches, batch_size: int
) -> Iterator[Batch]:
    """Rows, columns and samples of the wanted pixels, batch by batch."""
    size, epsg = ground.tile.size, ground.tile.epsg
    days = ground.cube.time.dt.dayofyear.values.astype(np.int64)
    x, y = (np.floor(axis).astype(np.int64) for axis in (ground.tile.x, ground.tile.y))
    for top in range(0, size, CHUNK["y"]):
        for left in range(0, size, _COLUMNS):
            rows = slice(top, min(top + CHUNK["y"], size))
            columns = slice(left, min(left + _COLUMNS, size))
            row, column = np.nonzero(wanted[rows, columns])
            if not len(row):
                continue
            clear = clear_patches(ground.read("clear", rows, columns), settings)
            values = ground.read("reflectance", rows, columns)
            gaps, images = _gaps(values, settings.size), Images(values)
            for start in range(0, len(row), batch_size):
                r, c = row[start : start + batch_size], column[start : start + batch_size]
                seen = np.ascontiguousarray(clear[:, r, c].T)
                steps = thin(seen, settings.max_length, epsg, x[c + left], y[r + top])
                step, doy = _in_front(steps, gaps, r, c, days)
                yield r + top, c + left, Windows(images, step, r, c, doy, settings.size)


def _gaps(values: npt.NDArray[np.uint16], patch: int) -> npt.NDArray[np.bool_]:
    """(time, row, column) whether a patch has a missing value in any band.

    Args:
        values: (time, band, row + patch - 1, column + patch - 1).
        patch: its side.
    """
    missing = (values == MISSING).any(1)
    high = missing.shape[1] - patch + 1
    tall = np.logical_or.reduce([missing[:, i : i + high] for i in range(patch)])
    wide = missing.shape[2] - patch + 1
    return np.asarray(np.logical_or.reduce([tall[:, :, i : i + wide] for i in range(patch)]))


def _in_front(
    steps: npt.NDArray[np.int16],
    gaps: npt.NDArray[np.bool_],
    row: npt.NDArray[np.int64],
    column: npt.NDArray[np.int64],
    days: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Dates and days (n, length) of some pixels, those that are left in front.

    A date on which the patch has a missing value is left out, as it is from samples.
    """
    whole = (steps >= 0) & ~gaps[steps, row[:, None], column[:, None]]
    order = np.argsort(~whole, axis=1, kind="stable")
    each = np.arange(len(row))[:, None]
    kept, steps = whole[each, order], steps[each, order]
    return np.where(kept, steps, 0).astype(np.int64), np.where(kept, days[steps], 0)
