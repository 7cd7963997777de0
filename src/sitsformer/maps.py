"""Wall-to-wall prediction of a cube: classes with confidence; `mapproducts` writes them.

Each pixel is predicted from the patch around it, with the dates that its sample would have: the
clear ones, thinned to the length of the sample store. Pixels nearer to the edge of the tile than
half a patch take the prediction of the nearest pixel that has a whole patch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from sitsformer.classes import Classes
from sitsformer.config import Patches
from sitsformer.cube import CHUNK, label_layers, layer_values, open_cube, tile_of
from sitsformer.errors import SitsError
from sitsformer.labels import products
from sitsformer.patches.clear import ClearDates
from sitsformer.patches.thinning import thin
from sitsformer.progress import Progress
from sitsformer.samples import open_samples
from sitsformer.samples.onmap import label_map
from sitsformer.stored import MISSING

Predict = Callable[[npt.NDArray[np.uint16], npt.NDArray[np.int64]], npt.NDArray[np.floating]]
"""(sample, time, band, py, px) uint16 and (sample, time) days of year -> (sample, class)."""

NONE = 0
"""Value of a pixel without a prediction; class k is k + 1."""


@dataclass(frozen=True)
class CropMap:
    """A predicted tile.

    Attributes:
        classes: (y, x) uint16, class index + 1; 0 where nothing was predicted.
        confidence: (y, x) uint8, probability of the class in percent; 0 where there is none.
    """

    classes: npt.NDArray[np.uint16]
    confidence: npt.NDArray[np.uint8]

    def pixels(self, classes: int) -> npt.NDArray[np.int64]:
        """(class,) number of pixels of each class."""
        return np.bincount(self.classes.ravel(), minlength=classes + 1)[1:].astype(np.int64)


def predict(path: Path, settings: Patches, model: Predict, batch_size: int) -> CropMap:
    """Predict every pixel of a cube."""
    cube = open_cube(path)
    height, width, half = cube.sizes["y"], cube.sizes["x"], settings.size // 2
    if min(height, width) < settings.size:
        raise SitsError(
            f"{path} is {height} x {width} px, smaller than a patch of {settings.size} px"
        )
    classes = np.zeros((height, width), np.uint16)
    confidence = np.zeros((height, width), np.uint8)
    with Progress(total=(height - 2 * half) * (width - 2 * half), unit="px", desc="map") as bar:
        for row, column, reflectance, doy in _pixels(cube, path, settings, batch_size):
            bar.update(len(row))
            enough = (doy > 0).sum(1) >= settings.min_dates
            if not enough.any():
                continue
            found = model(reflectance[enough], doy[enough])
            place = row[enough], column[enough]
            classes[place] = found.argmax(1) + 1
            # At least 1: zero percent means that nothing was predicted.
            confidence[place] = np.clip(np.rint(100 * found.max(1)), 1, 100)
    inner = (slice(half, height - half), slice(half, width - half))
    return CropMap(np.pad(classes[inner], half, "edge"), np.pad(confidence[inner], half, "edge"))


Batch = tuple[
    npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint16], npt.NDArray[np.int64]
]


def _pixels(cube: xr.Dataset, path: Path, settings: Patches, batch_size: int) -> Iterator[Batch]:
    """Rows, columns, patches and days of all pixels with a whole patch, batch by batch."""
    size, half, width = settings.size, settings.size // 2, cube.sizes["x"]
    epsg = tile_of(cube).epsg
    days = cube.time.dt.dayofyear.values.astype(np.int64)
    x, y = np.floor(cube.x.values).astype(np.int64), np.floor(cube.y.values).astype(np.int64)
    step = min(CHUNK["y"], cube.sizes["y"])
    for first, clear in ClearDates(path, settings).strips():
        for top in range(first, first + clear.shape[1], step):
            bottom = min(top + step, first + clear.shape[1])
            low, high = max(top, half), min(bottom, cube.sizes["y"] - half)
            if low >= high:
                continue
            rows = slice(low - half, high + half)
            values = layer_values(cube.reflectance[:, :, rows])
            windows = np.lib.stride_tricks.sliding_window_view(values, (size, size), axis=(2, 3))
            row, column = np.divmod(np.arange((high - low) * (width - 2 * half)), width - 2 * half)
            for start in range(0, len(row), batch_size):
                r, c = row[start : start + batch_size], column[start : start + batch_size]
                seen = clear[:, r + low - first, c + half].T
                steps = thin(seen, settings.max_length, epsg, x[c + half], y[r + low])
                yield r + low, c + half, *_gather(windows, steps, r, c, days)


def _gather(
    windows: npt.NDArray[np.uint16],
    steps: npt.NDArray[np.int16],
    row: npt.NDArray[np.int64],
    column: npt.NDArray[np.int64],
    days: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """Patches (n, length, band, py, px) and days (n, length) of some pixels, packed in front.

    A date on which the patch has a missing value is left out, as it is from samples.
    """
    patches = windows[steps, :, row[:, None], column[:, None]]
    whole = (steps >= 0) & (patches.max((2, 3, 4)) != MISSING)
    order = np.argsort(~whole, axis=1, kind="stable")
    each = np.arange(len(row))[:, None]
    kept = whole[each, order]
    doy = np.where(kept, days[steps[each, order]], 0)
    packed = np.where(kept[:, :, None, None, None], patches[each, order], np.uint16(MISSING))
    return packed, doy


def only_cropland(found: CropMap, cube: xr.Dataset) -> CropMap:
    """Keep the map where a label product that knows cropland says so.

    Raises:
        SitsError: the cube has no layer of such a product.
    """
    knowing = {name: item.cropland for name, item in products().items() if item.cropland}
    # In an area of rasters the layer may be called as its user likes: its legend tells the product.
    known = [
        (layer, codes)
        for name, codes in knowing.items()
        for layer, legend in label_layers(cube).items()
        if name in (layer, legend.name)
    ]
    if not known:
        raise SitsError(
            f"maps.mask: cropland needs the label layer {' or '.join(f'`{n}`' for n in knowing)} "
            "in the cube: add it to `labels` of the area, or set maps.mask: none"
        )
    layer, codes = min(known, key=lambda pair: pair[0] not in knowing)
    inside = np.isin(layer_values(cube[layer]), codes)
    return CropMap(np.where(inside, found.classes, 0), np.where(inside, found.confidence, 0))


def reference(
    cube: xr.Dataset, layer: str, classes: Classes, store: Path | None = None
) -> npt.NDArray[np.uint16] | None:
    """(y, x) uint16 labels of a tile in the classes of the map, 0 none; None without the layer.

    Labels of a survey are in no cube: there the samples of `store` are shown.
    """
    if layer in cube:
        labels = classes.index(layer_values(cube[layer]))
    elif store is not None and "feature" in open_samples(store):
        labels = label_map(store, cube)
    else:
        return None
    # From the class indices on, which are signed: the last of them has no successor in int16.
    return (labels.astype(np.int32) + 1).astype(np.uint16)
