"""Which band of a file or cube is which, by its names (`Sensor.spelled`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sitsformer.config import Rasters
from sitsformer.errors import SitsError
from sitsformer.sensors import SENTINEL2, Sensor, sensors, unfit

OTHERS = (
    "SCL", "TCI", "AOT", "WVP", "PVI", "CLDPRB", "SNWPRB", "VISUAL", "FMASK", "SAA", "SZA", "VAA",
    "VZA",
)  # fmt: skip
"""What the files of Sentinel-2 and HLS products hold beside bands of reflectance."""


def in_order(
    own: Sequence[Any], settings: Rasters, sensor: Sensor, what: str, where: str
) -> list[str]:
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
    names = _with_broad_nir([sensor.spelled(name, what) for name in raw], sensor)
    known = sensor.names
    within = [_in_words(name, sensor, what) if name not in known else None for name in names]
    names = [
        band if band is not None and band not in names else name
        for band, name in zip(within, names, strict=True)
    ]
    for band in known:
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


def _with_broad_nir(names: list[str], sensor: Sensor) -> list[str]:
    """FORCE calls B08 BROADNIR and B8A NIR."""
    if sensor is not SENTINEL2 or "BROADNIR" not in names or "B8A" in names:
        return names
    other = {"BROADNIR": "B08", "B08": "B8A"}
    return [other.get(name, name) for name in names]


def _in_words(name: str, sensor: Sensor, file: str) -> str | None:
    """The band that one word of a name is by its number; None without, or with several."""
    words = re.split(r"[^A-Z0-9]+", name)
    numbers = [word for word in words if re.fullmatch(r"B(\d{1,2}|8A)", word)]
    found = {sensor.spelled(word, file) for word in numbers}
    return found.pop() if len(found) == 1 else None


def positions(names: Sequence[str], sensor: Sensor, what: str, where: str) -> tuple[int, ...]:
    """Where the bands of the sensor stand among names.

    Raises:
        SitsError: one does not exist.
    """
    absent = [band for band in sensor.names if band not in names]
    if absent:
        found = ", ".join(name or "(no description)" for name in names)
        raise SitsError(
            f"{where}.bands: {what} lacks {', '.join(absent)}; its bands are {found}; "
            f"set `bands` to the names in their order{whose(names, sensor, what)}"
        )
    return tuple(names.index(band) for band in sensor.names)


def whose(names: Sequence[str], sensor: Sensor, file: str) -> str:
    """What to do where bands or the name of a file are those of another sensor; else nothing."""
    for other in sensors().values():
        alike = {*other.names} <= {other.spelled(name) for name in names}
        if other is not sensor and (alike or other.product(file) is not None):
            what = "bands" if alike else "names of files"
            return (
                f"; these are {what} of {other.title}, not of {sensor.title}: should it be "
                f"`sensor: {other.name}` in the area?"
            )
    return ""


def refuse_other_product(path: Path, folder: Path, sensor: Sensor, where: str) -> None:
    """Refuse a file that is named as a product of another sensor, or of a level that is unfit.

    Folders tell the level, too: those of the path below `folder`, and that itself.

    Landsat and HLS have the same bands under other numbers, scales and quality bits: read as one
    another they give reflectances that are wrong and look right. What a product may be read as
    instead, its record says.
    """
    file = path.name
    if what := unfit(*path.parts[max(len(folder.parts) - 1, 0) :]):
        raise SitsError(f"{where}: {what}")
    if sensor.product(file) is not None:
        return
    for other in sensors().values():
        product = other.product(file)
        if product is not None and product.read_as != sensor.name:
            raise SitsError(
                f"{where}: {file} is named as a product of {other.title}, and the area says "
                f"`sensor: {sensor.name}`; set `sensor: {other.name}` there, or rename what is of "
                f"{sensor.title} after all"
            )


def extra(wanted: str, names: Sequence[str], sensor: Sensor, what: str, where: str) -> int:
    """Where the cloud band stands: by its name, or by its number from 1.

    Raises:
        SitsError: it does not exist.
    """
    upper = sensor.spelled(wanted, what)
    if upper in names:
        return names.index(upper)
    if wanted.isdigit() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    raise SitsError(
        f"{where}.clouds.band: {what} has no band {wanted!r}; it has {len(names)} bands: "
        f"{', '.join(name or '(no description)' for name in names)}"
    )
