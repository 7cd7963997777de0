"""What the workflow knows of a sensor: one record, which everything else reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

NEEDED = ("blue", "green", "red", "nir")
"""Common names that clouds, checks, indices and pictures look for."""

_NUMBERED = re.compile(r"(?:SR_|NBART_)?B(?:AND)?[ _-]?0?(8A|\d{1,2})(?:[ _-]\d0M?)?")
"""A band by its number, as products and tools write it."""


@dataclass(frozen=True)
class Band:
    """A band of a sensor.

    Attributes:
        name: in cubes and stores, and as its agency writes it.
        wavelength: of its centre, nm.
        resolution: side of its own pixels, metres.
        common: its name in STAC (common name of the extension eo).
        words: other names that tools give it, in capitals, without signs between words.
        earthengine: its name in the collection of Earth Engine; empty without one.
    """

    name: str
    wavelength: int
    resolution: int
    common: str
    words: tuple[str, ...]
    earthengine: str = ""


@dataclass(frozen=True)
class Product:
    """A product whose files are named, and number their bands, in a way of their own.

    Attributes:
        title: what a sentence calls it.
        pattern: regular expression of the beginning of a file's name, with the groups `scene`, what
            all files of one image share, and `band`, which a file of all bands may lack.
        numbers: number of a band (`B05`) -> its name in cubes.
        read_as: name of another sensor whose bands it has, under its numbers and in its scale.
    """

    title: str
    pattern: str
    numbers: Mapping[str, str]
    read_as: str = ""


@dataclass(frozen=True)
class Flags:
    """A band of bits that tell what a pixel shows.

    Attributes:
        band: its name, in capitals.
        hidden: bits of which none is set where the ground was seen clearly, counted from 0.
    """

    band: str
    hidden: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sensor:
    """A sensor, its surface-reflectance product, and the grid that its cubes have.

    What cubes and stores hold is the same for every sensor (`sitsformer.stored`).

    Attributes:
        name: in configs, and in all that is made from its images.
        title: what a sentence calls it.
        begins: day of its first image.
        bands: those of cubes and stores, in their order.
        instrument: names of all bands that a sample may have, in the order of wavelengths.
        pixel: side of a pixel of cubes, metres.
        snap: tile origins are multiples of this, metres: its coarsest pixel, or a multiple of it.
        corner: added to those multiples, metres: where the pixels of its products begin.
        scale: reflectance = value in its products x this + offset, where a file says nothing.
        offset: added to that, in products from `offset_since` on that are not harmonised.
        offset_since: day from which products of the day have it; None: all of them have.
        offset_baseline: number of the first processing baseline with it; None without baselines.
        scene_codes: codes of its scene classification; empty without one.
        scene_clear: those of them that are clear.
        flags: its band of quality bits; None without one.
        products: kinds of its files with numbers of bands of their own.
        numbers: number of a band (`B05`) -> its name, in files that are of none of `products`;
            bands that are called by their numbers need no entry.
        unfit: regular expression of names of files, folders, items or collections that look like
            its products and are none -> what they are, and what to get instead.
        made: regular expression of what names of products say of their processing, its groups in
            the order that tells newer ones; empty where they say nothing.
        collection: of images in Earth Engine, harmonised; empty without one.
        cloud_score: collection of cloud scores in Earth Engine, one image an image, same index.
        order: in lists and messages; records with one order are sorted by name.
    """

    name: str
    title: str
    begins: date
    bands: tuple[Band, ...]
    instrument: tuple[str, ...]
    pixel: int
    snap: int
    corner: int = 0
    scale: float
    offset: float = 0.0
    offset_since: date | None = None
    offset_baseline: int | None = None
    scene_codes: tuple[int, ...] = ()
    scene_clear: tuple[int, ...] = ()
    flags: Flags | None = None
    products: tuple[Product, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    unfit: Mapping[str, str] = field(default_factory=dict)
    made: str = ""
    collection: str = ""
    cloud_score: str = ""
    order: int = 100

    def __post_init__(self) -> None:
        words = [word for band in self.bands for word in (band.common.upper(), *band.words)]
        said = {
            "`snap` is no multiple of `pixel`": self.snap % self.pixel != 0,
            "a pixel of a band does not nest in `snap`": any(
                self.snap % band.resolution for band in self.bands
            ),
            "two bands have one name": len(set(self.names)) < len(self.bands),
            "two bands share a word": len(set(words)) < len(words),
            "`instrument` lacks a band": not {*self.names} <= {*self.instrument},
            "a code of `scene_clear` is none of `scene_codes`": (
                not {*self.scene_clear} <= {*self.scene_codes}
            ),
            "`corner` is not from 0 to below `pixel`": not 0 <= self.corner < self.pixel,
            "a number stands for no band": not {
                name for numbers in self._numberings() for name in numbers.values()
            }
            <= {*self.names},
        }
        said |= {f"no band is called {common}": not self.has(common) for common in NEEDED}
        said |= {
            f"the name {name} would be read as {self.spelled(name)}": self.spelled(name) != name
            for name in self.names
        }
        problems = [text for text, wrong in said.items() if wrong]
        if problems:
            raise ValueError(f"sensor {self.name!r}: {'; '.join(problems)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands of cubes and stores, in their order."""
        return tuple(band.name for band in self.bands)

    @property
    def tile_step(self) -> int:
        """Tile sides are multiples of so many pixels, so that the pixels of all bands nest."""
        return self.snap // self.pixel

    @cached_property
    def words(self) -> dict[str, str]:
        """Common names and other words for bands, in capitals -> the band's name."""
        return {
            word: band.name for band in self.bands for word in (band.common.upper(), *band.words)
        }

    def spelled(self, name: object, file: str = "") -> str:
        """The band of any spelling of its number or common name; other names in capitals.

        Args:
            name: as a tool or product writes it (`B2`, `SR_B2`, `blue`).
            file: name of the file that it is in, which may tell the product and so its numbers.
        """
        text = str(name).strip().upper()
        if match := _NUMBERED.fullmatch(text):
            number = f"B{match[1].zfill(2)}"
            product = self.product(file)
            return (self.numbers if product is None else product.numbers).get(number, number)
        word = re.sub(r"[^A-Z0-9]", "", text)
        return self.words.get(word) or self.words.get(word.removeprefix("NBART")) or text

    def product(self, file: str) -> Product | None:
        """The product that a file is of, by its name."""
        return next((one for one in self.products if re.match(one.pattern, file)), None)

    def part(self, file: str) -> tuple[str, str] | None:
        """Band and scene of a file of a product that has a file for each band.

        Args:
            file: name of the file without its ending.

        Returns:
            None where it is of no product, or its name tells no band.
        """
        product = self.product(file)
        match = product and re.match(product.pattern, file)
        if not match or match["band"] is None:
            return None
        return self.spelled(match["band"], file), match["scene"]

    def called(self, *common: str) -> tuple[str, ...]:
        """Names of the bands with common names (`red`).

        STAC calls a near infrared of 850 to 880 nm `nir08` and a broad one `nir`: where a sensor
        has only the one, it stands for the other.

        Raises:
            KeyError: the sensor has none of a name.
        """
        known = self._common()
        if missing := [name for name in common if name not in known]:
            raise KeyError(f"{self.title} has no band {', '.join(missing)}")
        return tuple(known[name] for name in common)

    def has(self, *common: str) -> bool:
        """Whether `called` finds all of them."""
        return {*common} <= {*self._common()}

    def _common(self) -> dict[str, str]:
        known = {band.common: band.name for band in self.bands}
        return {"nir": known["nir08"], **known} if "nir08" in known else known

    def _numberings(self) -> tuple[Mapping[str, str], ...]:
        return (self.numbers, *(product.numbers for product in self.products))
