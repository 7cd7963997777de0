"""An item of a catalogue -> a scene: when and where it was taken, which file holds which band."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from sitsformer.config import Stac
from sitsformer.errors import SitsError
from sitsformer.imagery.rasters import clouds
from sitsformer.imagery.stac import offsets
from sitsformer.imagery.stac.catalogue import Item
from sitsformer.sensors import Sensor, unfit

CLOUD = "cloud"
"""Name of the layer that clear pixels are told by."""

COARSEST = 60.0
"""Side of a pixel that nothing is said of, metres."""

PICTURES = ("image/jpeg", "image/png")
NO_DATA_ROLES = {"thumbnail", "overview", "visual", "metadata"}
_RESOLUTION = re.compile(r"_(\d{2,3})m$", re.IGNORECASE)
_PLACE = re.compile(r"(?:^|[_-])T?(\d{1,2}[C-X][A-Z]{2})(?:_|$)")


@dataclass(frozen=True)
class Layer:
    """A band of a file.

    Attributes:
        name: of the band, or CLOUD.
        href: of the file.
        index: of the band in the file, from 1.
        scale: reflectance = stored value x scale + offset.
        offset: see `scale`.
        missing: stored values that are none, by the item.
    """

    name: str
    href: str
    index: int
    scale: float
    offset: float
    missing: tuple[float, ...]


@dataclass(frozen=True)
class Scene:
    """An item: one granule of a sensor.

    Attributes:
        id: of the item.
        collection: that it is of; empty if unknown.
        time: datetime64[s], UTC.
        platform: satellite, in small letters, or the product that the id tells; empty if unknown.
        place: MGRS tile (`31UES`); empty if unknown.
        strip: sensing start of the datastrip, which tells the parts of a split granule apart.
        baseline: processing baseline, 400 of 04.00.
        made: when it was processed, as the catalogue writes it.
        layers: the bands of the sensor in their order, and CLOUD where a band tells clear pixels.
    """

    id: str
    collection: str
    time: np.datetime64
    platform: str
    place: str
    strip: str
    baseline: int | None
    made: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class _Band:
    """What an item says of a band of an asset."""

    key: str
    href: str
    index: int
    names: tuple[str, ...]
    scale: float | None
    offset: float | None
    nodata: float | None
    resolution: float
    alone: bool


def scene(item: Item, settings: Stac, sensor: Sensor, where: str) -> Scene:
    """What an item is, with the files of the bands of a sensor and of the clouds.

    Raises:
        SitsError: it lacks a band, a time, or word of its offset, or is of a level that is unfit.
    """
    said, product = item["properties"], sensor.product(item["id"])
    if what := unfit(item["id"]):
        raise SitsError(f"{where}: item {what}")
    return Scene(
        id=item["id"],
        collection=str(item.get("collection") or ""),
        time=time_of(item, where),
        platform=str(said.get("platform") or (product and product.title) or "").lower(),
        place=_place(item),
        strip=_strip(said),
        baseline=offsets.baseline(item["id"], said),
        made=_made(said),
        layers=_layers(item, settings, sensor, where),
    )


def time_of(item: Item, where: str) -> np.datetime64:
    """When an item was taken, datetime64[s], UTC.

    Raises:
        SitsError: it does not say.
    """
    said = item["properties"]
    text = said.get("datetime") or said.get("start_datetime")
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise SitsError(
            f"{where}: item {item['id']} has no time that can be read (`datetime` is {text!r}); "
            "name it in `exclude`"
        ) from None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "s")


def _made(said: Mapping[str, Any]) -> str:
    keys = ("s2:generation_time", "processing:datetime", "created", "updated")
    return next((str(said[key]) for key in keys if said.get(key)), "")


def _strip(said: Mapping[str, Any]) -> str:
    found = re.search(r"_S(\d{8}T\d{6})", str(said.get("s2:datastrip_id", "")))
    return found[1] if found else ""


def _place(item: Item) -> str:
    said = item["properties"]
    parts = [said.get(f"mgrs:{key}") for key in ("utm_zone", "latitude_band", "grid_square")]
    if all(parts):
        return "".join(map(str, parts)).zfill(5)
    for text in (said.get("s2:mgrs_tile"), said.get("grid:code"), item["id"]):
        if found := _PLACE.search(str(text or "")):
            return found[1].zfill(5)
    return ""


def _layers(item: Item, settings: Stac, sensor: Sensor, where: str) -> tuple[Layer, ...]:
    bands = list(_bands(item))
    # The id tells the product, and so which number is which band.
    spelled = partial(sensor.spelled, file=item["id"])
    told = {sensor.spelled(name): key for name, key in settings.assets.items()}
    found = {name: _of_band(name, bands, told, spelled, sensor) for name in sensor.names}
    wanted = clouds.needs_band(settings.clouds, sensor, where)
    if wanted is not None:
        found[CLOUD] = _finest([band for band in bands if _is_called(band, wanted)])
    absent = [wanted if name == CLOUD else name for name, band in found.items() if band is None]
    if absent:
        keys = ", ".join(dict.fromkeys(band.key for band in bands)) or "no images"
        remedy = (
            "" if wanted not in absent else "; or find clouds otherwise (`clouds: {by: simple}`)"
        )
        raise SitsError(
            f"{where}: item {item['id']} lacks {', '.join(map(str, absent))}; its assets are "
            f"{keys}. Tell in `assets` which is which, leave it out by `exclude`, or all such "
            f"items by `on_broken: skip`{remedy}"
        )
    return tuple(
        _layer(name, band, item, settings, sensor, where) for name, band in found.items() if band
    )


def _layer(name: str, band: _Band, item: Item, settings: Stac, sensor: Sensor, where: str) -> Layer:
    scale, offset = band.scale or sensor.scale, 0.0
    if name != CLOUD and settings.offset is None:
        if sensor.offset_since is not None:
            offset = offsets.offset(item["id"], item["properties"], band.offset, where)
        elif band.offset is not None:
            offset = band.offset
        elif band.scale is None and settings.scale is None:
            offset = sensor.offset  # nobody says anything: that of the sensor's products
    missing = () if band.nodata is None else (band.nodata,)
    return Layer(name, band.href, band.index, scale, offset, missing)


def _of_band(
    name: str,
    bands: list[_Band],
    told: Mapping[str, str],
    spelled: Callable[[str], str],
    sensor: Sensor,
) -> _Band | None:
    """The asset of a band: as the config names it, by its key, else by what it says of itself.

    An asset of several bands counts where none holds one alone: a picture in natural colours has
    bands called red, green and blue, too.
    """
    if name in told:
        return _finest([band for band in bands if _is_called(band, told[name])])
    alone = [band for band in bands if band.alone]
    by_key = [band for band in alone if spelled(band.key) == name]
    by_name = [band for band in alone if name in map(spelled, band.names)]
    if by_key or by_name:
        return _finest(by_key or by_name)
    if any(spelled(band.key) in sensor.names for band in alone):
        return None
    return _finest([band for band in bands if name in map(spelled, band.names)])


def _is_called(band: _Band, wanted: str) -> bool:
    names = (_RESOLUTION.sub("", band.key), band.key) if band.alone else band.names
    return wanted.casefold() in [name.casefold() for name in names]


def _finest(bands: list[_Band]) -> _Band | None:
    return min(bands, key=lambda band: (band.resolution, band.key), default=None)


def _bands(item: Item) -> Iterator[_Band]:
    """Bands of the images of an item, as STAC 1.0 (eo:bands, raster:bands) or 1.1 (bands) say."""
    for key, asset in sorted(item["assets"].items()):
        kind = str(asset.get("type", ""))
        if kind in PICTURES or "xml" in kind or "json" in kind:
            continue
        if NO_DATA_ROLES & set(asset.get("roles") or ()):
            continue
        named = asset.get("bands") or asset.get("eo:bands") or []
        packed = asset.get("raster:bands") or []
        count = max(len(named), len(packed), 1)
        for i in range(count):
            told = {**asset, **_at(named, i), **_at(packed, i)}
            yield _Band(
                key,
                asset["href"],
                i + 1,
                _names(_at(named, i), key if count == 1 else ""),
                number(told, "raster:scale", "scale"),
                number(told, "raster:offset", "offset"),
                number(told, "nodata", "raster:nodata"),
                _pixel(key, told),
                count == 1,
            )


def _at(parts: list[Any], i: int) -> dict[str, Any]:
    """What is said of a band; some catalogues list names alone, or numbers, which say nothing."""
    told = parts[i] if i < len(parts) else {}
    return told if isinstance(told, dict) else {"name": told} if isinstance(told, str) else {}


def _names(band: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = (band.get("name"), band.get("common_name"), band.get("eo:common_name"), key)
    return tuple(str(name) for name in names if name)


def number(told: Mapping[str, Any], *keys: str) -> float | None:
    """A number of the metadata; a text is one, too (`nan`), since JSON has no such number."""
    for key in keys:
        try:
            return float(told[key])
        except (KeyError, TypeError, ValueError):
            continue
    return None


def _pixel(key: str, told: Mapping[str, Any]) -> float:
    """Side of a pixel, metres; that of the coarsest where nothing says it."""
    found = _RESOLUTION.search(key)
    given = number(told, "raster:spatial_resolution", "spatial_resolution", "gsd")
    return float(found[1]) if found else given or COARSEST
