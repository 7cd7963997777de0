"""What stands in a map: the codes of the legend, with names and colours that GIS show.

A class of several codes has the first of them. GDAL keeps category names and attribute tables of a
GeoTIFF in a file beside it (`.aux.xml`), and those of a VRT within it; the tags of the band say the
same, for whoever reads the file alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from sitsformer.classes import HIGHEST_CODE, Classes
from sitsformer.errors import SitsError
from sitsformer.geotiff import colour_table
from sitsformer.maps.tile import NONE

NAME, CODES = "CLASS_", "CODES_"
"""Beginnings of tags: name of the class of a value, and its codes where they are several."""


@dataclass(frozen=True)
class MapCodes:
    """Values of a map of classes.

    Attributes:
        classes: in the order of their values' positions.
        values: (class,) value of each class in the map.
        nodata: value of a pixel without a class.
    """

    classes: Classes
    values: tuple[int, ...]
    nodata: int

    @property
    def dtype(self) -> type[np.uint8 | np.uint16]:
        """The smallest that holds them."""
        return np.uint8 if max(*self.values, self.nodata) <= 255 else np.uint16

    @property
    def names(self) -> dict[int, str]:
        """Name of the class of each value."""
        return dict(zip(self.values, self.classes.names, strict=True))

    @property
    def colours(self) -> dict[int, str]:
        """'#rrggbb' of each value."""
        return dict(zip(self.values, self.classes.colours, strict=True))

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the band."""
        found = {f"{NAME}{value}": name for value, name in self.names.items()}
        for value, codes in zip(self.values, self.classes.codes, strict=True):
            if len(codes) > 1:
                found[f"{CODES}{value}"] = " ".join(map(str, codes))
        return found

    def encode(self, classes: NDArray[np.uint16]) -> NDArray[np.unsignedinteger]:
        """Class indices + 1 (0 none) -> values, of the same shape."""
        table = np.full(len(self.values) + 1, self.nodata, self.dtype)
        table[1:] = self.values
        found: NDArray[np.unsignedinteger] = table[classes]
        return found

    def decode(self, values: NDArray[np.integer[Any]]) -> NDArray[np.uint16]:
        """The inverse of `encode`; a value of no class is 0."""
        table = np.full(HIGHEST_CODE + 1, NONE, np.uint16)
        table[list(self.values)] = np.arange(1, len(self.values) + 1)
        found: NDArray[np.uint16] = table[values]
        return found


def map_codes(classes: Classes) -> MapCodes:
    """The values of some classes: their first codes; without codes, or of equal ones, 1, 2, ..."""
    first = [codes[0] for codes in classes.codes if codes]
    known = len(first) == len(classes.names) == len(set(first)) and min(first, default=0) >= 0
    values = tuple(first) if known and max(first) <= HIGHEST_CODE else tuple(
        range(1, len(classes.names) + 1)
    )  # fmt: skip
    taken = {*values, *(code for codes in classes.codes for code in codes)}
    free = (code for code in (0, 255, *range(HIGHEST_CODE, 0, -1)) if code not in taken)
    return MapCodes(classes, values, next(free))


def read_codes(path: Path) -> MapCodes:
    """The values of a map of classes, from its tags and colours.

    Raises:
        SitsError: it cannot be read, or is no map of classes.
    """
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as source:
            tags, nodata, dtype = source.tags(1), source.nodata, source.dtypes[0]
            try:
                colours = source.colormap(1)
            except ValueError:
                colours = {}
    except RasterioError as error:
        raise SitsError(f"{path} cannot be read as a map: {error}") from None
    names = {
        int(key.removeprefix(NAME)): text
        for key, text in tags.items()
        if key.startswith(NAME) and key.removeprefix(NAME).isdecimal()
    }
    if not names or nodata is None or dtype not in ("uint8", "uint16"):
        raise SitsError(
            f"{path} is no map of classes of this package: it has no tags {NAME}1, {NAME}2, ... "
            "with the names of its classes; give the file that `sitsformer map` or `sitsformer "
            "mosaic` wrote"
        )
    values = tuple(sorted(names))
    codes = tuple(tuple(map(int, tags.get(f"{CODES}{v}", str(v)).split())) for v in values)
    shown = tuple("#{:02x}{:02x}{:02x}".format(*colours.get(v, (128,) * 4)[:3]) for v in values)
    return MapCodes(Classes(tuple(names[v] for v in values), shown, codes), values, int(nodata))


def band_xml(codes: MapCodes) -> str:
    """Category names and attribute table, as GDAL has them within the element of a band."""
    names = codes.names
    listed = "".join(
        f"<Category>{escape(names.get(value, ''))}</Category>\n"
        for value in range(max(codes.values) + 1)
    )
    return f"<CategoryNames>\n{listed}</CategoryNames>\n{_table_xml(codes)}"


_FIELDS = (
    *(("Value", 0, 5), ("Class", 2, 2), ("Codes", 2, 0)),
    *(("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8), ("Alpha", 0, 9)),
)
"""Columns of the attribute table: name, type (0 whole number, 2 text) and usage, as in gdal.h."""


def _table_xml(codes: MapCodes) -> str:
    fields = "".join(
        f'<FieldDefn index="{k}"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage>'
        "</FieldDefn>\n"
        for k, (name, kind, usage) in enumerate(_FIELDS)
    )
    table = colour_table(codes.colours, codes.nodata)
    rows = []
    order = sorted(range(len(codes.values)), key=lambda k: codes.values[k])
    for index, k in enumerate(order):
        value, gathered = codes.values[k], codes.classes.codes[k]
        texts = (value, codes.classes.names[k], " ".join(map(str, gathered)), *table[value])
        cells = "".join(f"<F>{escape(str(text))}</F>" for text in texts)
        rows.append(f'<Row index="{index}">{cells}</Row>\n')
    return (
        f'<GDALRasterAttributeTable tableType="thematic">\n{fields}{"".join(rows)}'
        "</GDALRasterAttributeTable>\n"
    )


def sidecar(codes: MapCodes) -> str:
    """The file `.aux.xml` beside a GeoTIFF of classes."""
    band = f'<PAMRasterBand band="1">\n{band_xml(codes)}</PAMRasterBand>\n'
    return f"<PAMDataset>\n{band}</PAMDataset>\n"


def style(codes: MapCodes) -> str:
    """The style of a map of classes for QGIS (`.qml`)."""
    colours: Mapping[int, str] = codes.colours
    entries = "".join(
        f'<paletteEntry value="{value}" color="{colours[value]}" alpha="255" '
        f"label={quoteattr(name)}/>\n"
        for value, name in sorted(codes.names.items())
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="Symbology">\n<pipe>\n'
        '<rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1" '
        f'nodataColor="">\n<colorPalette>\n{entries}</colorPalette>\n</rasterrenderer>\n'
        "</pipe>\n<blendMode>0</blendMode>\n</qgis>\n"
    )
