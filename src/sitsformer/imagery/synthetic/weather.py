"""When the satellite passes, where the sun stands, and what the sky is like.

Overpasses alternate between two neighbouring orbits, which see the area from the west and from the
east. Cloud cover follows a daily series with memory; clouds are a smooth noise cut at the quantile
that gives the day's cover, and throw shadows by the sun's height and azimuth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr, ndtri

from sitsformer.imagery.synthetic.noise import Floats, fractal, normal, smooth, stream, uniform
from sitsformer.sensors import PIXEL, SNAP

Ints = NDArray[np.int64]

LOST = 0.03
"""Share of overpasses that never become a product."""
LOCAL_TIME = 10.5
"""Mean local solar time of an overpass, hours (Sentinel-2 mission requirement)."""
SYNOPTIC = 400_000.0
"""Size of weather systems, metres."""
MEMORY = 0.55
"""Correlation of the weather of one day with that of the day before."""
EXTREME = 0.6
"""Sum of the two parameters of the beta distribution of a day's cover; below 2, days are mostly
clear or overcast."""
CLOUD_SCALES = (9000.0, 2500.0, 800.0, 260.0)
CLOUD_WEIGHTS = (1.0, 0.75, 0.45, 0.25)
SHADE = 0.8
"""Share of the direct light that the thickest cloud takes away."""
BLIND_TO_THIN, BLIND_TO_ALL = -1.4, -3.1
"""Quantiles of the normal distribution below which the cloud score is blind: 8 % and 0.1 %."""
NODE = float(SNAP)
"""Clouds are computed on a lattice of this step, metres, which all tiles share."""


@dataclass(frozen=True)
class Overpasses:
    """The overpasses of a season, all (time,).

    Attributes:
        day: days since 1970-01-01 of the local date.
        time: UTC, datetime64[s].
        view: 0 seen from the west, 1 from the east.
        zenith: sun zenith, degrees.
        azimuth: sun azimuth, degrees clockwise from north.
        cover: share of the sky under cloud.
        wetness: soil moisture, 0 dry to 1 wet.
    """

    day: Ints
    time: NDArray[np.datetime64]
    view: Ints
    zenith: Floats
    azimuth: Floats
    cover: Floats
    wetness: Floats


@dataclass(frozen=True)
class Sky:
    """What is between the ground and the satellite, all (time, y, x), 0 to 1.

    Attributes:
        cloud: opacity of clouds.
        shadow: share of the direct sunlight that clouds take away.
        blind: how blind the cloud score is, 0 to 1: to thin cloud and shadow in some places, to
            everything in a few.
    """

    cloud: Floats
    shadow: Floats
    blind: Floats


def overpasses(
    seed: int,
    revisit: int,
    cloudiness: float,
    season: tuple[date, date],
    place: tuple[float, float, float, float],
) -> Overpasses:
    """Overpasses over an area in a season (first and last day).

    `revisit` are days on average, `cloudiness` is the mean cover, and `place` longitude, latitude
    (degrees), easting and northing (metres) of the area's middle.
    """
    lon, lat, x, y = place
    first, last = ((day - date(1970, 1, 1)).days for day in season)
    # Every second overpass belongs to the other orbit, a little off the middle: 4, 6, 4, 6 days.
    count = np.arange(first // revisit - 1, last // revisit + 2)
    phase = int(uniform(stream(seed, "phase"), int(lon // 1), int(lat // 1)) * revisit)
    view = count % 2
    day = count * revisit + phase - view * (revisit // 5)
    minutes = np.where(view == 0, 6.0, -4.0) + 3 * (uniform(stream(seed, "minute"), day) - 0.5)
    hour = LOCAL_TIME + minutes / 60
    seconds = day * 86400 + np.round((hour - lon / 15) * 3600).astype(np.int64)
    kept = (seconds >= first * 86400) & (seconds < (last + 1) * 86400)
    kept &= uniform(stream(seed, "lost"), count, int(lon // 1)) >= LOST
    day, view, hour, time = day[kept], view[kept], hour[kept], seconds[kept].astype("datetime64[s]")
    zenith, azimuth = sun(lat, day, hour)
    cover, wetness = _weather(seed, cloudiness, day, x, y)
    return Overpasses(day, time, view, zenith, azimuth, cover, wetness)


def sun(latitude: float, day: Ints, hour: Floats) -> tuple[Floats, Floats]:
    """Zenith and azimuth (degrees, clockwise from north) at local solar hours.

    The declination is Cooper's (1969, Solar Energy 12:333-346), good to half a degree.
    """
    of_year = np.mod(day + 0.5, 365.2425)  # 1970-01-01 is day 0
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (285 + of_year) / 365)
    angle, north = np.deg2rad(15 * (hour - 12)), np.deg2rad(latitude)
    height = np.sin(north) * np.sin(declination)
    height = height + np.cos(north) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    up = np.cos(north) * np.sin(declination) - np.sin(north) * np.cos(declination) * np.cos(angle)
    zenith = np.rad2deg(np.arccos(np.clip(height, -1, 1)))
    return zenith, np.mod(np.rad2deg(np.arctan2(east, up)), 360)


def sky(seed: int, passes: Overpasses, west: int, north: int, size: int) -> Sky:
    """Clouds, their shadows, and how well the cloud score sees them, for a tile of 10 m pixels."""
    steps = -(-size * PIXEL // int(NODE)) + 2
    # Tile corners are nodes, the lattice starts half a step outside.
    x = (west // NODE - 0.5 + np.arange(steps))[None, None, :] * NODE
    y = (north // NODE + 0.5 - np.arange(steps))[None, :, None] * NODE
    day, key = passes.day[:, None, None], stream(seed, "clouds")
    # The ray to the sun leaves the ground and meets the cloud layer this far away.
    away = cloud_height(seed, passes.day) * np.tan(np.deg2rad(np.minimum(passes.zenith, 75)))
    to_sun = np.deg2rad(passes.azimuth)
    sun_x, sun_y = ((away * trig(to_sun))[:, None, None] for trig in (np.sin, np.cos))

    edge = ndtri(np.clip(1 - passes.cover, 1e-6, 1 - 1e-6))[:, None, None]
    above = fractal(key, x, y, CLOUD_SCALES, CLOUD_WEIGHTS, day) - edge
    toward = fractal(key, x + sun_x, y + sun_y, CLOUD_SCALES, CLOUD_WEIGHTS, day) - edge
    cloud, shadow = _thickness(above), SHADE * _thickness(toward)
    luck = smooth(stream(seed, "detection"), x, y, 350.0, day)
    blind = np.where(luck < BLIND_TO_THIN, 0.8 * (1 - np.maximum(cloud, shadow)), 0.0)
    fields = [cloud, shadow, np.where(luck < BLIND_TO_ALL, 0.8, blind)]
    position = 10 * (np.arange(size, dtype=np.float64) + 0.5) / NODE + 0.5
    return Sky(*(_between(_between(field, position, 1), position, 2) for field in fields))


def cloud_height(seed: int, day: Ints) -> Floats:
    """Height of each day's clouds over the ground, metres: mostly low, up to 3.5 km."""
    return 500 + 3000 * uniform(stream(seed, "cloud height"), day) ** 2


def _thickness(above: Floats) -> Floats:
    """Opacity from the height of the noise above the cloud's edge."""
    opacity: Floats = 1 - np.exp(-4.5 * np.maximum(above, 0.0))
    return opacity


def _between(field: Floats, position: Floats, axis: int) -> Floats:
    """Interpolate linearly along an axis of (time, node, node)."""
    low = np.floor(position).astype(np.intp)
    shape = [1, 1, 1]
    shape[axis] = len(position)
    part = (position - low).reshape(shape)
    below, above = np.take(field, low, axis), np.take(field, low + 1, axis)
    return below * (1 - part) + above * part


def _weather(seed: int, cloudiness: float, day: Ints, x: float, y: float) -> tuple[Floats, Floats]:
    """Cover and soil wetness of days at a place."""
    if not day.size:
        return np.zeros(0), np.zeros(0)
    every = np.arange(day[0] - 40, day[-1] + 1)
    shock = smooth(stream(seed, "weather"), x, y, SYNOPTIC, every)
    state = np.empty_like(shock)
    state[0] = shock[0]
    for i in range(1, len(shock)):
        state[i] = MEMORY * state[i - 1] + np.sqrt(1 - MEMORY**2) * shock[i]
    cover = _cover(cloudiness, ndtr(state))
    rain = np.where(cover > 0.75, np.abs(normal(stream(seed, "rain"), every)), 0.0)
    wetness = np.zeros_like(shock)
    for i in range(1, len(shock)):
        wetness[i] = min(1.0, 0.82 * wetness[i - 1] + 0.5 * rain[i])
    at = day - every[0]
    return cover[at], wetness[at]


def _cover(cloudiness: float, quantile: Floats) -> Floats:
    """Quantiles of a U-shaped beta distribution with the mean `cloudiness`."""
    if cloudiness in (0.0, 1.0):
        return np.full_like(quantile, cloudiness)
    cover: Floats = betaincinv(EXTREME * cloudiness, EXTREME * (1 - cloudiness), quantile)
    return cover
