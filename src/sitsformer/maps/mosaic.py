"""Rasters of an area, put together of those of its tiles: a VRT, and a cloud-optimised GeoTIFF.

The tiles of an area lie on one grid, so nothing is resampled. An area has one UTM zone, that of its
centre, also where it reaches over the border of the zone (`grid.py`): its map is one raster.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

from sitsformer.errors import SitsError, TemporaryError
from sitsformer.geotiff import COG, colour_table
from sitsformer.maps.codes import MapCodes, band_xml

TYPES = {"uint8": "Byte", "uint16": "UInt16", "float32": "Float32"}
"""Names of types: numpy's, and GDAL's."""

CACHE_MB = 64
"""GDAL's memory for blocks; else it takes a twentieth of the machine, whatever a job was given."""

DRAWN = ("LEARNER", "WHY", "REFINED")
"""Tags of who drew a map, and why."""


@dataclass(frozen=True)
class Piece:
    """The raster of a tile: where it lies, and what it is.

    Attributes:
        path: of the file.
        epsg: code of its UTM zone.
        west, north: metres.
        size: pixels along a side.
        pixel: side of a pixel, metres.
        band_names: descriptions of its bands.
        dtype, nodata: of its bands.
        tags: of its first band.
        about: tags of the file: AREA, TILE, START, END, and who drew it.
    """

    path: Path
    epsg: int
    west: int
    north: int
    size: int
    pixel: int
    band_names: tuple[str, ...]
    dtype: str
    nodata: float
    tags: Mapping[str, str]
    about: Mapping[str, str]


@dataclass(frozen=True)
class Grid:
    """The pixels of an area: of the least square-edged frame that holds its tiles."""

    epsg: int
    west: int
    north: int
    width: int
    height: int
    pixel: int

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """West, south, east, north, metres."""
        east, south = self.west + self.width * self.pixel, self.north - self.height * self.pixel
        return self.west, south, east, self.north

    @property
    def transform(self) -> tuple[int, ...]:
        """Of GDAL: west, pixel, 0, north, 0, -pixel."""
        return self.west, self.pixel, 0, self.north, 0, -self.pixel

    def place(self, piece: Piece) -> tuple[int, int]:
        """Column and row of a tile."""
        return (piece.west - self.west) // self.pixel, (self.north - piece.north) // self.pixel


def read_pieces(paths: Sequence[Path]) -> list[Piece]:
    """The rasters of the tiles of an area.

    Raises:
        SitsError: one cannot be read, or they do not belong together.
    """
    pieces = [_read(path) for path in paths]
    if not pieces:
        raise SitsError("there are no tiles to put together: give maps of tiles")
    first = pieces[0]
    for piece in pieces:
        for what in ("epsg", "pixel", "dtype", "nodata", "band_names", "tags"):
            one, other = getattr(piece, what), getattr(first, what)
            if one != other and not (one != one and other != other):  # NaN is NaN here
                raise SitsError(
                    f"{piece.path} and {first.path} differ in {what}: {one} and {other}; make the "
                    "maps of all tiles of the area with one model and one config"
                )
        if any(piece.about.get(key) != first.about.get(key) for key in DRAWN):
            raise SitsError(
                f"{piece.path} was drawn by {piece.about.get('LEARNER', 'nobody knows whom')}, "
                f"{first.path} by {first.about.get('LEARNER', 'nobody knows whom')}: make the maps "
                "of all tiles of the area with one model"
            )
        if piece.about.get("AREA") != first.about.get("AREA"):
            raise SitsError(
                f"{piece.path} is of the area {piece.about.get('AREA')}, {first.path} of "
                f"{first.about.get('AREA')}: give tiles of one area"
            )
    places = [(piece.west, piece.north) for piece in pieces]
    if len(set(places)) < len(places):
        raise SitsError("two of the files are of one tile: give each tile once")
    return pieces


def _read(path: Path) -> Piece:
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as source:
            west, north = source.transform.c, source.transform.f
            return Piece(
                path=path,
                epsg=int(source.crs.to_epsg()),
                west=round(west),
                north=round(north),
                size=source.width,
                pixel=round(source.transform.a),
                band_names=tuple(source.descriptions),
                dtype=source.dtypes[0],
                nodata=source.nodata,
                tags=source.tags(1),
                about=source.tags(),
            )
    except (RasterioError, TypeError) as error:
        raise SitsError(f"{path} cannot be read as the map of a tile: {error}") from None


def grid_of(pieces: Sequence[Piece]) -> Grid:
    """The frame of some tiles."""
    west, north = min(p.west for p in pieces), max(p.north for p in pieces)
    pixel = pieces[0].pixel
    east = max(p.west + p.size * pixel for p in pieces)
    south = min(p.north - p.size * pixel for p in pieces)
    width, height = (east - west) // pixel, (north - south) // pixel
    return Grid(pieces[0].epsg, west, north, width, height, pixel)


def vrt(pieces: Sequence[Piece], beside: Path | None, codes: MapCodes | None = None) -> str:
    """The VRT of an area.

    Args:
        pieces: of its tiles.
        beside: folder of the VRT, if its tiles are to be found from there; None: by full paths.
        codes: of a map of classes.
    """
    from pyproj import CRS

    grid, first = grid_of(pieces), pieces[0]
    bands = [
        _band_xml(k + 1, name, pieces, grid, beside, codes)
        for k, name in enumerate(first.band_names)
    ]
    about = {
        "AREA": first.about.get("AREA", ""),
        "START": min(piece.about.get("START", "") for piece in pieces),
        "END": max(piece.about.get("END", "") for piece in pieces),
        **{key: first.about[key] for key in DRAWN if key in first.about},
    }
    transform = ", ".join(map(str, grid.transform))
    return (
        f'<VRTDataset rasterXSize="{grid.width}" rasterYSize="{grid.height}">\n'
        f"<SRS>{escape(CRS.from_epsg(grid.epsg).to_wkt('WKT1_GDAL'))}</SRS>\n"
        f"<GeoTransform>{transform}</GeoTransform>\n{_tags_xml(about)}"
        f"{''.join(bands)}</VRTDataset>\n"
    )


def _tags_xml(tags: Mapping[str, str]) -> str:
    items = "".join(
        f'<MDI key="{escape(key)}">{escape(text)}</MDI>\n' for key, text in tags.items()
    )
    return f"<Metadata>\n{items}</Metadata>\n"


def _band_xml(
    number: int,
    name: str | None,
    pieces: Sequence[Piece],
    grid: Grid,
    beside: Path | None,
    codes: MapCodes | None,
) -> str:
    first = pieces[0]
    head = [
        f"<Description>{escape(name or '')}</Description>\n",
        _tags_xml(first.tags if number == 1 else {}),
        f"<NoDataValue>{first.nodata:g}</NoDataValue>\n",
    ]
    if codes is not None:
        table = colour_table(codes.colours, codes.nodata)
        entries = "".join(
            '<Entry c1="{}" c2="{}" c3="{}" c4="{}"/>\n'.format(*table.get(value, (0, 0, 0, 255)))
            for value in range(max(table) + 1)
        )
        head += ["<ColorInterp>Palette</ColorInterp>\n", f"<ColorTable>\n{entries}</ColorTable>\n"]
        head.append(band_xml(codes))
    sources = "".join(_source_xml(number, piece, grid, beside) for piece in pieces)
    return (
        f'<VRTRasterBand dataType="{TYPES[first.dtype]}" band="{number}">\n'
        f"{''.join(head)}{sources}</VRTRasterBand>\n"
    )


def _source_xml(number: int, piece: Piece, grid: Grid, beside: Path | None) -> str:
    column, row = grid.place(piece)
    path = piece.path.absolute()
    name = str(path) if beside is None else os.path.relpath(path, beside.absolute())
    frame = f'xSize="{piece.size}" ySize="{piece.size}"'
    return (
        "<SimpleSource>\n"
        f'<SourceFilename relativeToVRT="{int(beside is not None)}">{escape(name)}'
        f"</SourceFilename>\n<SourceBand>{number}</SourceBand>\n"
        f'<SrcRect xOff="0" yOff="0" {frame}/>\n<DstRect xOff="{column}" yOff="{row}" {frame}/>\n'
        "</SimpleSource>\n"
    )


def write_cog(
    pieces: Sequence[Piece], out: Path, resampling: str, codes: MapCodes | None = None
) -> None:
    """Write the tiles of an area as one cloud-optimised GeoTIFF with overviews.

    GDAL goes through them window by window, so that a county, 10^8 pixels and more, takes no more
    memory than a tile; what it makes overviews in lies beside `out` until they are made.

    Args:
        pieces: of its tiles.
        out: the file.
        resampling: of the overviews.
        codes: of a map of classes.

    Raises:
        TemporaryError: it cannot be written; the disk is full.
        SitsError: the raster of a tile cannot be read.
    """
    import rasterio
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    options: dict[str, Any] = {**COG, "overview_resampling": resampling, "bigtiff": "if_safer"}
    content = vrt(pieces, None, codes).encode()
    try:
        # Names of classes lie in a file of their own beside the map (`mapproducts/names.py`).
        settings = rasterio.Env(GDAL_CACHEMAX=CACHE_MB, GDAL_PAM_ENABLED=False)
        with settings, MemoryFile(content, ext=".vrt") as source:
            copy(source.name, str(out), **options)
            # GDAL closes a file without a word where the disk became full.
            _read_through(out)
    except Exception as error:  # of GDAL's own, which no module of rasterio lists
        for piece in pieces:
            try:
                _read_through(piece.path)
            except Exception as cause:
                raise SitsError(
                    f"{piece.path} is damaged ({cause}): delete it, and make it again"
                ) from None
        raise TemporaryError(
            f"the map of the area cannot be written into {out.parent} ({error}): is the disk full? "
            "Make room and run the same command again"
        ) from None


def _read_through(path: Path) -> None:
    """Read every block of a raster and of its overviews; rasterio says what it cannot read."""
    import rasterio

    with rasterio.open(path) as source:
        levels = len(source.overviews(1))
    for level in range(-1, levels):
        with rasterio.open(path, **({} if level < 0 else {"overview_level": level})) as source:
            for _, window in source.block_windows(1):
                source.read(window=window)


def thinned(path: Path, side: int) -> npt.NDArray[Any]:
    """A raster (y, x) for a picture: every n-th pixel, so that no side is longer."""
    import rasterio

    with rasterio.open(path) as source:
        step = max(1, -(-max(source.height, source.width) // side))
        shape = (-(-source.height // step), -(-source.width // step))
        found: npt.NDArray[Any] = source.read(1, out_shape=shape)
    return found


def count(path: Path, most: int) -> npt.NDArray[np.int64]:
    """Pixels of each value (most + 1,) of a raster, read block by block."""
    import rasterio

    found = np.zeros(most + 1, np.int64)
    with rasterio.open(path) as source:
        for _, window in source.block_windows(1):
            found += np.bincount(source.read(1, window=window).ravel(), minlength=most + 1)
    return found
