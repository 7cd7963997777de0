"""What GDAL itself says of a raster: names of categories and attribute tables.

rasterio has no functions for them; its own copy of the library does.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import rasterio

Handle = ctypes.c_void_p


@cache
def _library() -> ctypes.CDLL:
    folder = Path(rasterio.__file__).parent
    found = [*folder.with_name("rasterio.libs").glob("libgdal*"), *folder.glob(".dylibs/libgdal*")]
    library = ctypes.CDLL(str(found[0]))
    library.GDALAllRegister()
    for name, result, *arguments in (
        ("GDALOpen", Handle, ctypes.c_char_p, ctypes.c_int),
        ("GDALClose", None, Handle),
        ("GDALGetRasterBand", Handle, Handle, ctypes.c_int),
        ("GDALGetRasterCategoryNames", ctypes.POINTER(ctypes.c_char_p), Handle),
        ("GDALGetDefaultRAT", Handle, Handle),
        ("GDALGetGeoTransform", ctypes.c_int, Handle, ctypes.POINTER(ctypes.c_double)),
        ("GDALRATGetRowCount", ctypes.c_int, Handle),
        ("GDALRATGetColumnCount", ctypes.c_int, Handle),
        ("GDALRATGetNameOfCol", ctypes.c_char_p, Handle, ctypes.c_int),
        ("GDALRATGetValueAsString", ctypes.c_char_p, Handle, ctypes.c_int, ctypes.c_int),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


@contextmanager
def _band(path: Path) -> Iterator[tuple[ctypes.CDLL, Handle]]:
    library = _library()
    dataset = library.GDALOpen(str(path).encode(), 0)
    assert dataset, f"GDAL cannot open {path}"
    # As gdalinfo and QGIS do first: GDAL 3.10 looks into .aux.xml only when asked where it lies.
    library.GDALGetGeoTransform(dataset, (ctypes.c_double * 6)())
    yield library, library.GDALGetRasterBand(dataset, 1)
    library.GDALClose(dataset)


def categories(path: Path) -> tuple[str, ...]:
    """Names of the values 0, 1, ... of the first band."""
    names: list[str] = []
    with _band(path) as (library, band):
        listed = library.GDALGetRasterCategoryNames(band)
        while listed and listed[len(names)] is not None:
            names.append(listed[len(names)].decode())
    return tuple(names)


def attributes(path: Path) -> list[dict[str, str]]:
    """Rows of the attribute table of the first band."""
    with _band(path) as (library, band):
        table = library.GDALGetDefaultRAT(band)
        assert table, f"{path} has no attribute table"
        columns = [
            library.GDALRATGetNameOfCol(table, k).decode()
            for k in range(library.GDALRATGetColumnCount(table))
        ]
        return [
            {
                name: library.GDALRATGetValueAsString(table, row, k).decode()
                for k, name in enumerate(columns)
            }
            for row in range(library.GDALRATGetRowCount(table))
        ]
