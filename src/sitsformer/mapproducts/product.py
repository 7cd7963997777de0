"""What the workflow knows of a product of a map: one record, which everything else reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sitsformer import artefacts
from sitsformer.errors import SitsError
from sitsformer.registry import records

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import xarray as xr

    from sitsformer.classes import Classes
    from sitsformer.config import Config
    from sitsformer.maps import CropMap


@dataclass(frozen=True, eq=False, kw_only=True)
class Mapped:
    """A predicted tile, and what its products are made from.

    Attributes:
        found: classes and their probability.
        classes: those of the map.
        cube: of the tile, with raw integers.
        labels: (y, x) uint16, labels of the tile in the classes of the map, 0 none; None without.
        areas: of each class, from `evaluation.areas.estimate`.
        config: of the run.
    """

    found: CropMap
    classes: Classes
    cube: xr.Dataset
    labels: npt.NDArray[np.uint16] | None
    areas: pd.DataFrame
    config: Config

    @property
    def title(self) -> str:
        """Area and tile."""
        return f"{self.cube.attrs['area']}, tile {self.cube.attrs['tile']}"


@dataclass(frozen=True, eq=False, kw_only=True)
class MapProduct:
    """A file that is made of a predicted tile.

    Attributes:
        name: of the product: small letters, digits and `_`.
        title: what the report calls it.
        ending: of the file, behind the name of the tile: `_dates.tif`.
        kind: of the artefact, in its record.
        make: the bytes of the file. In memory, since some libraries hide that a disk is full.
        order: of files in lists; records with one order are sorted by name.
    """

    name: str
    title: str
    ending: str
    kind: str
    make: Callable[[Mapped], bytes]
    order: int = 100

    def __post_init__(self) -> None:
        said = {
            "a name is a small letter, then small letters, digits or '_'": re.fullmatch(
                r"[a-z][a-z0-9_]*", self.name
            ),
            f"its ending {self.ending!r} is none such as '.tif' or '_dates.tif'": re.fullmatch(
                r"(_[a-z0-9_]+)?\.[a-z0-9]+", self.ending
            ),
        }
        problems = [text for text, right in said.items() if not right]
        if problems:
            raise SitsError(f"map product {self.name!r}: {'; '.join(problems)}")

    @property
    def picture(self) -> bool:
        """Whether it is a picture, which reports show."""
        return self.ending.endswith(".png")

    def path(self, classes: Path) -> Path:
        """The file beside that of the classes; a GeoTIFF has its suffix (`.tiff`)."""
        ending = self.ending
        if ending.endswith(".tif") and classes.suffix:
            ending = ending.removesuffix(".tif") + classes.suffix
        return classes.with_name(f"{classes.stem}{ending}")


def products() -> Mapping[str, MapProduct]:
    """Every product by name, in the order of lists; the first one is the map of classes.

    Raises:
        SitsError: two have one ending.
    """
    found = records("sitsformer.mapproducts", MapProduct)
    endings: dict[str, str] = {}
    for name, product in found.items():
        other = endings.setdefault(product.ending, name)
        if other != name:
            raise SitsError(
                f"the map products {other!r} and {name!r} would be one file, {product.ending}: "
                "give one another ending"
            )
    return found


def write(mapped: Mapped, classes: Path) -> None:
    """Write every product of a tile; none before all are made."""
    made = [(product, product.make(mapped)) for product in products().values()]
    for product, content in made:
        with artefacts.create_file(product.path(classes), product.kind) as path:
            path.write_bytes(content)
