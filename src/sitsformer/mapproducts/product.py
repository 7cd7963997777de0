"""What the workflow knows of a product of a map: records, which everything else reads.

A `MapProduct` is made of a predicted tile; where it is a GeoTIFF, that of the area is put together
of those of its tiles. An `AreaProduct` is made of the map of a whole area.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sitsformer import artefacts
from sitsformer.errors import SitsError
from sitsformer.registry import records

if TYPE_CHECKING:
    import xarray as xr

    from sitsformer.classes import Classes
    from sitsformer.config import Patches
    from sitsformer.maps import CropMap
    from sitsformer.maps.area import MappedArea

TIF = ".tif"


@dataclass(frozen=True, eq=False, kw_only=True)
class Mapped:
    """A predicted tile, and what its products are made from.

    Attributes:
        found: classes, their probability, number of dates.
        classes: those of the map.
        cube: of the tile, with raw integers.
        patches: what a sample looks like.
        about: who drew it and why, as tags of the map.
    """

    found: CropMap
    classes: Classes
    cube: xr.Dataset
    patches: Patches
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Product:
    """What both kinds have.

    Attributes:
        name: of the product: small letters, digits and `_`.
        title: what the report calls it.
        ending: of the file, behind the name of the tile or the area: `_dates.tif`.
        kind: of the artefact, in its record.
        order: of files in lists; records with one order are sorted by name.
    """

    name: str
    title: str
    ending: str
    kind: str
    order: int = 100

    def __post_init__(self) -> None:
        said = {
            "a name is a small letter, then small letters, digits or '_'": re.fullmatch(
                r"[a-z][a-z0-9_]*", self.name
            ),
            "Snakemake keeps this name for itself; take another": not hasattr(list, self.name),
            f"its ending {self.ending!r} is none such as '.tif' or '_dates.tif'": re.fullmatch(
                r"(_[a-z0-9_]+)?(\.[a-z0-9]+)+", self.ending
            ),
        }
        problems = [text for text, right in said.items() if not right]
        if problems:
            raise SitsError(f"map product {self.name!r}: {'; '.join(problems)}")

    @property
    def picture(self) -> bool:
        """Whether it is a picture, which reports show."""
        return self.ending.endswith(".png")

    @property
    def raster(self) -> bool:
        """Whether it is a GeoTIFF."""
        return self.ending.endswith(TIF)

    def path(self, classes: Path) -> Path:
        """The file beside that of the classes; a GeoTIFF has its suffix (`.tiff`)."""
        before, tif, after = self.ending.partition(TIF)
        suffix = classes.suffix if tif and classes.suffix else tif
        return classes.with_name(f"{classes.stem}{before}{suffix}{after}")


@dataclass(frozen=True, eq=False, kw_only=True)
class MapProduct(_Product):
    """A file that is made of a predicted tile.

    Attributes:
        make: the bytes of the file. In memory, since some libraries hide that a disk is full.
        wanted: it is made only where `maps.layers` has its name.
        resampling: of the overviews, in words of GDAL.
    """

    make: Callable[[Mapped], bytes]
    wanted: bool = False
    resampling: str = "nearest"


@dataclass(frozen=True, eq=False, kw_only=True)
class AreaProduct(_Product):
    """A file that is made of the map of an area.

    Attributes:
        make: the bytes of the file.
        wanted: it is made only where its name is among the layers (`Maps.products`).
    """

    make: Callable[[MappedArea], bytes]
    wanted: bool = False


def products(layers: Collection[str] = ()) -> Mapping[str, MapProduct]:
    """Products of a tile by name, in the order of lists; the first one is the map of classes.

    Args:
        layers: those that are made only where they are asked for.

    Raises:
        SitsError: two have one ending.
    """
    found = records("sitsformer.mapproducts", MapProduct)
    _refuse_doubles(found.values())
    return {name: item for name, item in found.items() if not item.wanted or name in layers}


def area_products(layers: Collection[str] = ()) -> Mapping[str, AreaProduct]:
    """Products of an area by name, beside the rasters of its tiles, in the order of lists.

    Args:
        layers: those that are made only where they are asked for.

    Raises:
        SitsError: two have one ending, or one has that of a raster of tiles.
    """
    found = records("sitsformer.mapproducts", AreaProduct)
    rasters = records("sitsformer.mapproducts", MapProduct)
    _refuse_doubles([*(item for item in rasters.values() if item.raster), *found.values()])
    return {name: item for name, item in found.items() if not item.wanted or name in layers}


def area_endings(layers: Collection[str] = ()) -> dict[str, str]:
    """Name and ending of every file of an area; the first one is the map of classes."""
    rasters = {
        # Those on request have many bands: of the area there is a VRT over its tiles.
        name: item.ending.replace(TIF, ".vrt") if item.wanted else item.ending
        for name, item in products(layers).items()
        if item.raster
    }
    return rasters | {name: item.ending for name, item in area_products(layers).items()}


def _refuse_doubles(found: Iterable[_Product]) -> None:
    endings: dict[str, _Product] = {}
    for product in found:
        other = endings.setdefault(product.ending, product)
        if other is not product:
            raise SitsError(
                f"the map products {other.name!r} and {product.name!r} would be one file, "
                f"{product.ending}: give one another ending"
            )


def refuse_name(classes: Path, endings: Collection[str] = (TIF, ".tiff")) -> None:
    """Refuse a name of a map of classes that the names of its other files would not fit.

    Raises:
        SitsError: it is that of no GeoTIFF.
    """
    if classes.suffix not in endings:
        raise SitsError(f"{classes}: a map is a GeoTIFF; give a name that ends in {TIF}")


def write(mapped: Mapped, classes: Path, layers: Collection[str] = ()) -> None:
    """Write every product of a tile; none before all are made.

    Args:
        mapped: the tile.
        classes: where the map of classes goes; the others go beside it.
        layers: products that are made only where they are asked for.

    Raises:
        SitsError: the name of the map is that of no GeoTIFF.
    """
    refuse_name(classes)
    made = [(product, product.make(mapped)) for product in products(layers).values()]
    for product, content in made:
        with artefacts.create_file(product.path(classes), product.kind) as path:
            path.write_bytes(content)
