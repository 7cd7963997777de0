"""What the workflow knows of a sensor: one record, which everything else reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property

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
        earthengine: its name in the collection of Earth Engine.
    """

    name: str
    wavelength: int
    resolution: int
    common: str
    words: tuple[str, ...]
    earthengine: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Sensor:
    """A sensor, its surface-reflectance product, and the grid that its cubes have.

    What cubes and stores hold is the same for every sensor (`sitsformer.stored`).

    Attributes:
        name: in code and files.
        title: what a sentence calls it.
        begins: day of its first image.
        bands: those of cubes and stores, in their order.
        instrument: names of all its bands, in the order of wavelengths.
        pixel: side of a pixel of cubes, metres.
        snap: tile origins are multiples of this, metres: its coarsest pixel.
        scale: reflectance = value in its products x this, where a file says nothing.
        offset: added to that in products from `offset_since` on that are not harmonised.
        offset_since: day from which products of the day have it.
        offset_baseline: number of the first processing baseline with it.
        scene_codes: codes of its scene classification.
        scene_clear: those of them that are clear.
        collection: of images in Earth Engine, harmonised.
        cloud_score: collection of cloud scores in Earth Engine, one image an image, same index.
    """

    name: str
    title: str
    begins: date
    bands: tuple[Band, ...]
    instrument: tuple[str, ...]
    pixel: int
    snap: int
    scale: float
    offset: float
    offset_since: date
    offset_baseline: int
    scene_codes: tuple[int, ...]
    scene_clear: tuple[int, ...]
    collection: str
    cloud_score: str

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

    def spelled(self, name: object) -> str:
        """`B02` of any spelling of its number or of its common name; other names in capitals."""
        text = str(name).strip().upper()
        if match := _NUMBERED.fullmatch(text):
            return f"B{match[1].zfill(2)}"
        word = re.sub(r"[^A-Z0-9]", "", text)
        return self.words.get(word) or self.words.get(word.removeprefix("NBART")) or text

    def called(self, *common: str) -> tuple[str, ...]:
        """Names of the bands with common names (`red`).

        Raises:
            KeyError: the sensor has none of a name.
        """
        known = {band.common: band.name for band in self.bands}
        return tuple(known[name] for name in common)
