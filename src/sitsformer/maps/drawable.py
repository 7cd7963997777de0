"""How much of a map could have been drawn as a sample: counted on its pixels, and no others.

A map may hold a part of its tiles (`maps.within`, `maps.mask`), and the samples of a set are drawn
from whole tiles: what could not be drawn beyond the outline says nothing of the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sitsformer import artefacts
from sitsformer.cube import layer_values, open_cube, tile_of
from sitsformer.maps.codes import MapCodes
from sitsformer.maps.mosaic import count


@dataclass(frozen=True)
class Drawable:
    """Pixels of a map, and shares of them.

    Attributes:
        mapped: pixels with a class.
        of_tiles: of the tiles' pixels, those that are mapped; without cubes, of the map's frame.
        of_map: of the mapped pixels, those with a label that the set could draw: of a class of the
            map, pure and sure enough; None where no cube has the labels.
    """

    mapped: int
    of_tiles: float
    of_map: float | None


def drawable(raster: Path, codes: MapCodes, cubes: Sequence[Path], store: Path) -> Drawable:
    """How much of a map the samples of a set could be drawn from.

    Args:
        raster: map of the area.
        codes: of the map.
        cubes: of its tiles.
        store: samples of the set.

    Raises:
        SampleError: a cube lacks the confidence that the set asked for.
    """
    import rasterio
    from rasterio.windows import from_bounds

    from sitsformer.patches.sampling import CONFIDENCE_MISSING, uniform_window
    from sitsformer.patches.tile_store import confidence_values
    from sitsformer.samples import about, open_samples

    record = artefacts.read(store) if artefacts.has_record(store) else {}
    chosen = record.get("config", {}).get("set", {})
    purity, least = int(chosen.get("purity", 1)), int(chosen.get("confidence", 0))
    layer = about(open_samples(store)).label
    pixels = mapped = could = 0
    labelled = bool(cubes)
    with rasterio.open(raster) as source:
        for path in cubes:
            cube = open_cube(path)
            tile = tile_of(cube)
            window = from_bounds(*tile.bounds, source.transform)
            values = source.read(1, window=window, boundless=True, fill_value=codes.nodata)
            has_class = codes.decode(values) > 0
            pixels, mapped = pixels + has_class.size, mapped + int(has_class.sum())
            labelled &= layer in cube
            if not labelled:
                continue
            label = codes.classes.index(layer_values(cube[layer]))
            sure = label >= 0
            if purity > 1:
                # At the edge of a tile nobody knows; there the others speak for them.
                edge = np.ones(label.shape, bool)
                half = purity // 2
                edge[half:-half, half:-half] = False
                sure &= uniform_window(label, purity) | edge
            confidence = confidence_values(cube, layer, least, path)
            if confidence is not None:
                sure &= (confidence != CONFIDENCE_MISSING) & (confidence >= least)
            could += int((has_class & sure).sum())
        if not cubes:
            pixels = source.width * source.height
            empty = count(raster, max(*codes.values, codes.nodata))[codes.nodata]
            mapped = pixels - int(empty)
    return Drawable(mapped, mapped / pixels, could / mapped if labelled and mapped else None)
