"""What the sensors of areas rule out, each as `path.of.key: message`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sitsformer.config.areas import Area, Clouds, Rasters
from sitsformer.sensors import Sensor, sensor_of, sensors
from sitsformer.sources import source_of, sources

if TYPE_CHECKING:
    from sitsformer.config import Config


def sensor_checks(config: Config) -> Iterator[str]:
    """What an area's sensor has not, and sensors that do not go together."""
    for name, area in config.areas.items():
        yield from _area(f"areas.{name}", area)
    for name, sample_set in config.sets.items():
        named = {area: config.areas[area] for area in sample_set.areas if area in config.areas}
        yield from _alike(f"sets.{name}.areas", {a: sensor_of(b) for a, b in named.items()})
    yield from _chain(config)


def _area(path: str, area: Area) -> Iterator[str]:
    sensor, source = sensor_of(area), source_of(area)
    if source.sensors is not None and sensor.name not in source.sensors:
        known = [
            name
            for name, one in sources().items()
            if one.sensors is None or sensor.name in one.sensors
        ]
        yield (
            f"{path}.sensor: `source: {area.source}` brings {', '.join(source.sensors)}, not "
            f"{sensor.name!r}; sources that bring it are {', '.join(known)}"
        )
    if area.tiles.size % sensor.tile_step:
        yield (
            f"{path}.tiles.size: {area.tiles.size} pixels of {sensor.pixel} m must be a multiple "
            f"of {sensor.tile_step}, so that tiles of {sensor.title} begin at multiples of "
            f"{sensor.snap} m"
        )
    if area.rasters is not None:
        yield from _clouds(f"{path}.rasters", area.rasters.clouds, sensor)
        yield from _rasters(f"{path}.rasters", area.rasters, sensor)
    if area.stac is not None:
        yield from _clouds(f"{path}.stac", area.stac.clouds, sensor)
        for band in area.stac.assets:
            name = sensor.spelled(band)
            if name not in sensor.names:
                yield (
                    f"{path}.stac.assets: {name!r} is no band; these are {', '.join(sensor.names)}"
                )


def _clouds(path: str, clouds: Clouds, sensor: Sensor) -> Iterator[str]:
    own = f"; its products have {sensor.flags.band}: use `by: bits`" if sensor.flags else ""
    if clouds.by == "scl" and not sensor.scene_codes:
        yield f"{path}.clouds.by: {sensor.title} has no scene classification (scl){own}"
    if clouds.by == "bits" and sensor.flags is None and (clouds.bits is None or not clouds.band):
        yield (
            f"{path}.clouds.by: products of {sensor.title} have no band of bits; name yours with "
            "`band` and the bits that hide the ground with `bits`, or use another way"
        )
    if clouds.by == "simple" and not sensor.has("blue", "swir16"):
        yield (
            f"{path}.clouds.by: simple needs a band of 1.6 um (swir16), which {sensor.title} has "
            f"not; use another way{own}"
        )


def _rasters(path: str, settings: Rasters, sensor: Sensor) -> Iterator[str]:
    given = settings.bands or ()
    numberings = (sensor.numbers, *(one.numbers for one in sensor.products))
    spelled = {sensor.spelled(band) for band in given}
    spelled |= {numbers.get(band, band) for band in spelled for numbers in numberings}
    lacking = [name for name in sensor.names if name not in spelled]
    others = {n for one in sensors().values() if one is not sensor for n in one.names}
    strange = [band for band in given if sensor.spelled(band) in others - {*sensor.names}]
    if given and lacking and strange:
        yield (
            f"{path}.bands: {sensor.title} has no {', '.join(strange)}, and {', '.join(lacking)} "
            f"of {sensor.title} are not there; name its bands, or set the area's `sensor`"
        )


def _chain(config: Config) -> Iterator[str]:
    """What is pretrained, learned and mapped in one chain is of one sensor."""
    learned: dict[str, Sensor] = {}
    for section in ("pretrain", "fewshot"):
        sample_set = config.sets.get(getattr(config, section).set)
        for area in sample_set.areas if sample_set else ():
            if area in config.areas:
                learned.setdefault(f"{section}.set", sensor_of(config.areas[area]))
    if config.learns:
        yield from _alike("pretrain.set", learned)
    asked = learned.get("fewshot.set")
    for area in config.maps.tiles if config.maps.model is None else ():
        found = sensor_of(config.areas[area]) if area in config.areas else asked
        if asked is not None and found is not None and found is not asked:
            yield (
                f"maps.tiles.{area}: its images are of {found.title}, and fewshot.set is of "
                f"{asked.title}; a model reads images of one sensor"
            )


def _alike(path: str, found: Mapping[str, Sensor]) -> Iterator[str]:
    if len({sensor.name for sensor in found.values()}) > 1:
        said = ", ".join(f"{what} is of {sensor.title}" for what, sensor in found.items())
        yield f"{path}: images of one sensor are wanted; {said}"
