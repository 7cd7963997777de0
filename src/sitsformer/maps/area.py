"""The map of an area: rasters of its tiles, areas of its classes, and what shows it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sitsformer import artefacts, mapproducts
from sitsformer.cube import layer_values, open_cube, tile_of
from sitsformer.embedded import store as embeddings
from sitsformer.evaluation import areas
from sitsformer.maps.codes import MapCodes, read_codes
from sitsformer.maps.drawable import drawable
from sitsformer.maps.mosaic import Grid, Piece, count, grid_of, read_pieces, thinned, vrt, write_cog
from sitsformer.maps.predictor import Predictor

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

SIDE = 1400
"""Pixels along the longer side of a picture at most."""

COUNTED = (
    "counted pixels alone: no reference sample was given, and counts are biased where the map errs "
    "more one way than the other (sitsformer assess)"
)


@dataclass(frozen=True)
class MappedArea:
    """The map of an area, and what its products are made from.

    Attributes:
        name: of the area.
        out: where the map of classes goes.
        pieces: maps of classes of its tiles.
        codes: what stands in them.
        table: of `evaluation.areas.table`.
        level: of its intervals.
        cubes: of its tiles, for the labels of a picture.
        layer: label layer that the classes are of; empty where nobody said.
        store: sample store; labels of a survey are in no cube, and its samples are shown.
        endings: name -> ending of every file of the area.
        visits: how many places to visit are suggested.
        parcels: vector file of fields; None: there is none.
    """

    name: str
    out: Path
    pieces: tuple[Piece, ...]
    codes: MapCodes
    table: pd.DataFrame
    level: float
    cubes: tuple[Path, ...] = ()
    layer: str = ""
    store: Path | None = None
    endings: dict[str, str] = field(default_factory=dict)
    visits: int = 30
    parcels: Path | None = None

    @property
    def grid(self) -> Grid:
        """The frame of the tiles."""
        return grid_of(self.pieces)

    @property
    def season(self) -> tuple[str, str]:
        """First and last acquisition, YYYY-MM-DD."""
        starts, ends = (
            [piece.about.get(key, "") for piece in self.pieces] for key in ("START", "END")
        )
        return min(starts), max(ends)

    def shown(self, name: str) -> npt.NDArray[np.unsignedinteger]:
        """A raster of the area, made smaller for a picture."""
        return thinned(self.file(name), SIDE)

    def file(self, name: str) -> Path:
        """Where a file of the area goes."""
        return self.out.with_name(f"{self.out.stem}{self.endings[name]}")

    def labels(self) -> npt.NDArray[np.uint16] | None:
        """Labels of the cubes in the classes of the map (index + 1, 0 none), as `shown`."""
        grid = self.grid
        step = max(1, -(-max(grid.height, grid.width) // SIDE))
        shape = (-(-grid.height // step), -(-grid.width // step))
        found = np.zeros(shape, np.uint16)
        seen = False
        for path in self.cubes:
            cube = open_cube(path)
            label = self._label(cube)
            if label is None:
                continue
            seen, tile = True, tile_of(cube)
            index = label.astype(np.int32) + 1
            row = (grid.north - tile.north) // grid.pixel
            column = (tile.west - grid.west) // grid.pixel
            rows = np.arange(-(-row // step), -(-(row + tile.size) // step))
            columns = np.arange(-(-column // step), -(-(column + tile.size) // step))
            # Tiles that are not mapped have cubes too.
            rows = rows[(rows >= 0) & (rows < shape[0])]
            columns = columns[(columns >= 0) & (columns < shape[1])]
            part = index[np.ix_(rows * step - row, columns * step - column)]
            found[np.ix_(rows, columns)] = part
        return found if seen else None

    def _label(self, cube: xr.Dataset) -> npt.NDArray[np.int16] | None:
        """Class indices (y, x) of the map that a tile is labelled with, -1 none."""
        from sitsformer.maps.reference import positions
        from sitsformer.samples import about, open_samples
        from sitsformer.samples.onmap import label_map

        if self.layer in cube:
            return self.codes.classes.index(layer_values(cube[self.layer]))
        if self.store is None or "feature" not in open_samples(self.store):
            return None
        # The last place serves label -1.
        table = np.append(positions(self.codes, about(open_samples(self.store))), -1)
        return table.astype(np.int16)[label_map(self.store, cube)]


def make_area(
    tiles: Sequence[Path],
    out: Path,
    *,
    level: float = 0.95,
    layers: Sequence[str] = (),
    store: Path | None = None,
    predictor: Predictor | None = None,
    season: int | None = None,
    cubes: Sequence[Path] = (),
    visits: int = 30,
    parcels: Path | None = None,
    embedded: Sequence[Path] = (),
) -> MappedArea:
    """Put the map of an area together of the maps of its tiles.

    Args:
        tiles: maps of classes of its tiles; their other rasters lie beside them.
        out: where the map of classes goes; everything else goes beside it.
        level: of intervals.
        layers: rasters that are made only where they are asked for.
        store: sample store whose test samples tell how good the map is.
        predictor: whose map it is; needed to carry over what they say elsewhere.
        season: year in which the season of the map starts.
        cubes: of the tiles, for the labels of the picture.
        visits: how many places to visit are suggested.
        parcels: vector file of fields, each to get the class of most of its pixels.
        embedded: embeddings of the samples of the store, for a predictor that reads them.

    Raises:
        SitsError: a file cannot be read, or the tiles do not belong together.
    """
    mapproducts.refuse_name(out, [".tif"])
    rasters = [item for item in mapproducts.products(layers).values() if item.raster]
    pieces = {item.name: read_pieces([item.path(tile) for tile in tiles]) for item in rasters}
    first = rasters[0]
    codes, pixel = read_codes(tiles[0]), pieces[first.name][0].pixel
    name = pieces[first.name][0].about.get("AREA", out.stem)
    wanted = (*layers, *(() if parcels is None else ("fields",)))
    endings = mapproducts.area_endings(wanted)
    # All rasters are whole before the first one has its name; what is made of them comes after.
    with ExitStack() as written:
        for item in rasters:
            path = out.with_name(f"{out.stem}{endings[item.name]}")
            partial = written.enter_context(artefacts.create_file(path, item.kind))
            mine = pieces[item.name]
            if item.wanted:
                partial.write_text(vrt(mine, out.parent))
                continue
            write_cog(mine, partial, item.resampling, codes if item is first else None)
    mapped = MappedArea(
        name=name,
        out=out,
        pieces=tuple(pieces[first.name]),
        codes=codes,
        table=_table(out, codes, name, level, pixel, store, predictor, season, cubes, embedded),
        level=level,
        cubes=tuple(cubes),
        layer="" if predictor is None else predictor.layer,
        store=store,
        endings=endings,
        visits=visits,
        parcels=parcels,
    )
    products = mapproducts.area_products(wanted).values()
    contents = [(product, product.make(mapped)) for product in products]
    for product, content in contents:
        with artefacts.create_file(product.path(out), product.kind) as partial:
            partial.write_bytes(content)
    return mapped


def _table(
    raster: Path,
    codes: MapCodes,
    area: str,
    level: float,
    pixel: int,
    store: Path | None,
    predictor: Predictor | None,
    season: int | None,
    cubes: Sequence[Path],
    embedded: Sequence[Path],
) -> pd.DataFrame:
    from sitsformer.maps import reference

    pixels = count(raster, max(*codes.values, codes.nodata))[list(codes.values)]

    def table(sample: areas.Reference | None, basis: str) -> pd.DataFrame:
        names, hectares = codes.classes.names, pixel * pixel / 10_000
        return areas.table(pixels, names, codes.values, sample, level, basis, hectares)

    if store is None:
        return table(None, COUNTED)
    found = reference.look_up(
        store, raster, codes, area, season, lambda: drawable(raster, codes, cubes, store)
    )
    frame = table(found.sample, found.basis)
    if found.sample is not None or predictor is None or not (found.truth >= 0).any():
        return frame
    vectors = None
    if predictor.layer_read:
        rows = embeddings.given_layer(
            embedded, embeddings.KIND, predictor.layer_read, "who drew the map"
        )
        vectors = embeddings.read_rows(rows)
    mapped, truth, weight = reference.predicted(store, found, predictor.predict, vectors=vectors)
    return areas.carried_over(frame, mapped, truth, weight, found.basis)
