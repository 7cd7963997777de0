"""Which sensor an area, a cube, samples or a model are of, by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sitsformer.errors import SitsError
from sitsformer.registry import find, records
from sitsformer.sensors.sensor import Sensor
from sitsformer.sensors.sentinel2 import SENTINEL2

if TYPE_CHECKING:
    from sitsformer.config import Area

DEFAULT = SENTINEL2.name
"""The sensor of everything that names none."""


def sensors() -> Mapping[str, Sensor]:
    """Every sensor by name."""
    return records("sitsformer.sensors", Sensor)


def sensor_of(area: Area) -> Sensor:
    """The sensor of an area."""
    return find(sensors(), area.sensor, "sensor")


def recorded(described: Mapping[Any, Any]) -> Sensor:
    """The sensor that attributes of a cube or store, or the description of a model, name.

    Raises:
        RegistryError: this version does not know it.
    """
    return find(sensors(), str(described.get("sensor", DEFAULT)), "sensor")


def said(sensor: Sensor) -> dict[str, str]:
    """What an artefact says of its sensor: nothing where it is the default."""
    return {} if sensor.name == DEFAULT else {"sensor": sensor.name}


def unfit(*names: str) -> str:
    """What is named as a product that has no surface reflectance, and what to get; else nothing.

    Args:
        names: of files, folders, items or collections, in any case of letters.
    """
    for one in sensors().values():
        for pattern, what in one.unfit.items():
            for name in names:
                if re.match(pattern, name, re.IGNORECASE):
                    return f"{name} is named as a {one.title} product {what}"
    return ""


def refuse_other(what: object, asked: Sensor, found: Sensor) -> None:
    """Refuse images of another sensor.

    Args:
        what: a model, for the message.
        asked: the sensor it was trained on.
        found: the sensor of what it would read.

    Raises:
        SitsError: they are two.
    """
    if asked is not found:
        raise SitsError(
            f"{what} reads images of {asked.title} ({', '.join(asked.names)}, {asked.pixel} m), "
            f"and these are of {found.title} ({', '.join(found.names)}, {found.pixel} m): give a "
            f"model that was trained on {found.title}, or images of {asked.title}"
        )
