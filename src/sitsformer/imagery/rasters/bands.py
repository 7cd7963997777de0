"""Which band of a file or cube is which, by its names (`Sensor.spelled`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sitsformer.config import Rasters
from sitsformer.errors import SitsError
from sitsformer.sensors import BANDS, SENTINEL2

OTHERS = (
    "SCL", "TCI", "AOT", "WVP", "PVI", "CLDPRB", "SNWPRB", "VISUAL", "FMASK", "SAA", "SZA", "VAA",
    "VZA",
)  # fmt: skip
"""What the files of Sentinel-2 and HLS products hold beside bands of reflectance."""


def in_order(own: Sequence[Any], settings: Rasters, what: str, where: str) -> list[str]:
    """Names of bands in their order: those of the config, else their own.

    A name that stands there exactly goes before other spellings of it, and those before a band
    that is one word of a longer name (`B2, central wavelength 490 nm`, `T31UES_B02_10m`).

    Raises:
        SitsError: the config names more bands than there are, or two are called the same.
    """
    if settings.bands is not None and len(settings.bands) > len(own):
        raise SitsError(
            f"{where}.bands: {len(settings.bands)} names for the {len(own)} bands of {what}"
        )
    raw = [str(name or "") for name in (own if settings.bands is None else settings.bands)]
    names = _with_broad_nir([SENTINEL2.spelled(name) for name in raw])
    within = [_in_words(name) if name not in BANDS else None for name in names]
    names = [
        band if band is not None and band not in names else name
        for band, name in zip(within, names, strict=True)
    ]
    for band in BANDS:
        same = [i for i, name in enumerate(names) if name == band]
        exact = [i for i in same if raw[i].strip().upper() == band]
        if len(same) > 1 and len(exact) != 1:
            raise SitsError(
                f"{where}.bands: {', '.join(raw[i] for i in same)} of {what} are all {band}; "
                "set `bands` to the names in their order, other ones for those not wanted"
            )
        for i in same if exact else ():
            names[i] = band if i in exact else raw[i].strip().upper() + " "
    return names


def _with_broad_nir(names: list[str]) -> list[str]:
    """FORCE calls B08 BROADNIR and B8A NIR."""
    if "BROADNIR" not in names or "B8A" in names:
        return names
    other = {"BROADNIR": "B08", "B08": "B8A"}
    return [other.get(name, name) for name in names]


def _in_words(name: str) -> str | None:
    """The band that one word of a name is by its number; None without, or with several."""
    words = re.split(r"[^A-Z0-9]+", name)
    found = {SENTINEL2.spelled(word) for word in words if re.fullmatch(r"B(\d{1,2}|8A)", word)}
    return found.pop() if len(found) == 1 else None


def positions(names: Sequence[str], what: str, where: str) -> tuple[int, ...]:
    """Where the ten bands stand among names.

    Raises:
        SitsError: one does not exist.
    """
    absent = [band for band in BANDS if band not in names]
    if absent:
        found = ", ".join(name or "(no description)" for name in names)
        raise SitsError(
            f"{where}.bands: {what} lacks {', '.join(absent)}; its bands are {found}; "
            "set `bands` to the names in their order"
        )
    return tuple(names.index(band) for band in BANDS)


def extra(wanted: str, names: Sequence[str], what: str, where: str) -> int:
    """Where the cloud band stands: by its name, or by its number from 1.

    Raises:
        SitsError: it does not exist.
    """
    upper = SENTINEL2.spelled(wanted)
    if upper in names:
        return names.index(upper)
    if wanted.isdigit() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    raise SitsError(
        f"{where}.clouds.band: {what} has no band {wanted!r}; it has {len(names)} bands: "
        f"{', '.join(name or '(no description)' for name in names)}"
    )
