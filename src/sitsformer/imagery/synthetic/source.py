"""The embedded landscape as a source of cubes: ground, weather, sensor, labels put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sitsformer import cube
from sitsformer.classes import Legend
from sitsformer.config import Area, Config, Synthetic
from sitsformer.errors import SitsError
from sitsformer.grid import Tile, area_geometry
from sitsformer.imagery.synthetic.labelling import DRAWN
from sitsformer.imagery.synthetic.landscape import Ground, lay_out
from sitsformer.imagery.synthetic.noise import Floats, normal, smooth, stream
from sitsformer.imagery.synthetic.surfaces import POINTS, mixing, season
from sitsformer.imagery.synthetic.weather import Overpasses, Sky, overpasses, sky
from sitsformer.labels import products
from sitsformer.legends import load_legend
from sitsformer.sensors import BANDS, PIXEL, SENTINEL2
from sitsformer.stored import SCALE

Place = tuple[float, float, float, float]

COARSE = np.array([band.resolution > PIXEL for band in SENTINEL2.bands])
"""Bands with pixels of 20 m, which an export at 10 m repeats."""

CLOUD = np.array([0.62, 0.60, 0.60, 0.61, 0.62, 0.63, 0.63, 0.63, 0.44, 0.33], np.float32)
"""Reflectance of a thick water cloud; lower in the short-wave infrared, where droplets absorb."""
DIRECT = np.array([0.62, 0.70, 0.76, 0.78, 0.80, 0.82, 0.83, 0.84, 0.92, 0.94], np.float32)
"""Direct share of the sunlight; the rest comes from the sky and lights shadows."""
HAZE = np.array([1.0, 0.75, 0.55, 0.48, 0.42, 0.38, 0.34, 0.32, 0.12, 0.07], np.float32)
"""What an error in the aerosol's optical depth adds, relative to B02."""
HAZE_ERROR = 0.010
"""Standard deviation of that error in B02, units of reflectance (the L2A requirement for
uncertainty is 0.05 x reflectance + 0.005; Gascon et al. 2017, doi:10.3390/rs9060584)."""
GAIN_ERROR = 0.04
"""Standard deviation of a factor common to an image, and of one for each of its bands."""
SENSOR_NOISE = (0.0015, 0.012)
"""Standard deviation of a pixel's noise: constant, and share of the reflectance."""


@dataclass(frozen=True)
class SyntheticSource:
    """Cubes of the embedded landscape; everything comes from the settings' seed."""

    settings: Synthetic

    def cube(self, area_name: str, area: Area, tile: Tile) -> xr.Dataset:
        """Build the cube of a tile and season.

        Raises:
            SitsError: the season has no overpass.
        """
        seed = self.settings.seed
        place = _place(area, tile.epsg)
        passes = overpasses(
            seed, self.settings.revisit, self.settings.cloudiness, (area.start, area.end), place
        )
        if not passes.day.size:
            raise SitsError(
                f"areas.{area_name}: no overpass between {area.start} and {area.end}; make the "
                f"season longer than synthetic.revisit ({self.settings.revisit} days)"
            )
        x, y = _points(tile)
        ground = lay_out(seed, tile.epsg, self.settings.parcel, x, y)
        surface = _surface(seed, tile, ground, passes, place, x, y)
        above = sky(seed, passes, tile.west, tile.north, tile.size)
        reflectance = _measure(seed, tile, passes, surface, above)
        year = harvest_year(area, place[1])
        return cube.build(
            tile,
            passes.time,
            reflectance,
            _score(seed, tile, passes, surface, above),
            self._layers(area, tile, ground, year),
            {
                "source": "embedded landscape (synthetic; no real place)",
                "landscape": self.settings.model_dump_json(),
                "harvest_year": year,
            },
        )

    def _layers(
        self, area: Area, tile: Tile, ground: Ground, year: int
    ) -> dict[str, tuple[NDArray[np.integer], Legend | None]]:
        """Label layers that the area asks for, and the confidence beside those that have one."""
        layers: dict[str, tuple[NDArray[np.integer], Legend | None]] = {}
        for name, product in products().items():
            if name not in area.labels:
                continue
            codes, confidence = DRAWN[name](
                self.settings.seed, tile.epsg, ground, year, self.settings.label_error
            )
            label = _at_centres(codes, tile.size).astype(product.dtype)
            layers[name] = (label, load_legend(name))
            if confidence is not None and product.confidence_layer is not None:
                layers[product.confidence_layer] = (_at_centres(confidence, tile.size), None)
        return layers


def open_source(config: Config) -> SyntheticSource:
    """The source with the settings of a config."""
    return SyntheticSource(config.synthetic)


def harvest_year(area: Area, latitude: float) -> int:
    """Year whose harvest the labels of a season describe: that of the season's middle.

    In the southern hemisphere the middle is moved by half a year first, as the plants are.
    """
    middle = np.datetime64(area.start, "D") + (area.end - area.start).days // 2
    if latitude < 0:
        middle = middle + 181
    return int(str(middle)[:4])


def _place(area: Area, epsg: int) -> Place:
    """Longitude, latitude, easting and northing of an area's middle: one sky for all its tiles."""
    from pyproj import Transformer

    west, south, east, north = area_geometry(area).bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    return lon, lat, x, y


def _points(tile: Tile) -> tuple[Floats, Floats]:
    """Eastings and northings of POINTS x POINTS points a pixel, in rows from north to south."""
    step = (np.arange(tile.size * POINTS) + 0.5) * PIXEL / POINTS
    x, y = np.meshgrid(tile.west + step, tile.north - step)
    return x.ravel(), y.ravel()


def _at_centres(values: NDArray[np.integer], size: int) -> NDArray[np.integer]:
    """Values at points -> those at pixel centres (y, x)."""
    side = size * POINTS
    return values.reshape(side, side)[POINTS // 2 :: POINTS, POINTS // 2 :: POINTS]


def _surface(
    seed: int,
    tile: Tile,
    ground: Ground,
    passes: Overpasses,
    place: Place,
    x: Floats,
    y: Floats,
) -> NDArray[np.float32]:
    """Reflectance of the ground under a clear sky (time, band, y, x)."""
    spectra = season(seed, tile.epsg, ground.parcels, passes, place)
    shares = mixing(seed, tile.epsg, ground, x, y, tile.size)
    pixel = np.arange(tile.size**2).reshape(tile.size, tile.size)
    half = tile.size // 2
    blocks = pixel.reshape(half, 2, half, 2).transpose(0, 2, 1, 3).reshape(-1, 4)
    coarse = sum((shares[blocks[:, i]] for i in range(1, 4)), shares[blocks[:, 0]]) / 4

    surface = np.empty((len(passes.day), len(BANDS), tile.size, tile.size), np.float32)
    for bands, weights, side in ((~COARSE, shares, tile.size), (COARSE, coarse, half)):
        chosen = spectra[..., bands]
        image = weights @ chosen.reshape(len(spectra), -1)
        image = image.T.reshape(len(passes.day), -1, side, side)
        repeat = tile.size // side
        surface[:, bands] = image.repeat(repeat, 2).repeat(repeat, 3)
    return surface


def _measure(
    seed: int, tile: Tile, passes: Overpasses, surface: NDArray[np.float32], above: Sky
) -> NDArray[np.uint16]:
    """What the satellite reports: clouds, shadows, atmosphere and noise over the surface."""
    day = passes.day
    band = np.arange(len(BANDS))
    gain = 1 + GAIN_ERROR * normal(stream(seed, "gain"), day)[:, None]
    gain = gain + GAIN_ERROR * 0.5 * normal(stream(seed, "gain"), day[:, None], band)
    haze = _haze(seed, tile, day)
    noise = np.random.default_rng([seed, tile.epsg, tile.west, tile.north + 20_000_000])
    constant, share = SENSOR_NOISE
    measured = np.empty(surface.shape, np.uint16)
    for i in range(len(day)):
        image = surface[i] * (1 - DIRECT[:, None, None] * above.shadow[i, None].astype(np.float32))
        image = image * gain[i, :, None, None].astype(np.float32)
        image += HAZE[:, None, None] * haze[i, None]
        cloud = above.cloud[i, None].astype(np.float32)
        image = image * (1 - cloud) + CLOUD[:, None, None] * cloud
        image += noise.standard_normal(image.shape, np.float32) * (constant + share * image)
        # L2A values run from 1; 0 would mean no data there.
        measured[i] = np.clip(np.round(image * (1 / SCALE)), 1, 20_000)
    return measured


def _haze(seed: int, tile: Tile, day: NDArray[np.int64]) -> NDArray[np.float32]:
    """Aerosol error in B02 (time, y, x): one for the day, and a part that varies over 20 km."""
    x, y = tile.x[None, None, ::6], tile.y[None, ::6, None]
    local = smooth(stream(seed, "haze"), x, y, 20_000, day[:, None, None])
    error = HAZE_ERROR * (0.8 * normal(stream(seed, "haze day"), day)[:, None, None] + 0.6 * local)
    return error.repeat(6, 1).repeat(6, 2).astype(np.float32)


def _score(
    seed: int, tile: Tile, passes: Overpasses, surface: NDArray[np.float32], above: Sky
) -> NDArray[np.uint8]:
    """Cloud score (time, y, x), 0 cloudy to 100 clear: right mostly, wrong as real ones are.

    It misses thin cloud and shadow in some places and any cloud in a few, sees shadows less well
    than clouds, takes bright roofs and soils for thin cloud, and is uncertain by a few points.
    """
    bright = np.clip((surface[:, 0] - 0.14) * 3, 0, 0.4)
    clear = (1 - (1 - above.blind) * above.cloud) * (1 - 0.9 * (1 - above.blind) * above.shadow)
    x, y = tile.x[None, None, ::3], tile.y[None, ::3, None]
    doubt = smooth(stream(seed, "doubt"), x, y, 300.0, passes.day[:, None, None])
    doubt = 5 * doubt.repeat(3, 1).repeat(3, 2) - 4
    score = np.round(100 * clear * (1 - bright) + doubt)
    whole: NDArray[np.uint8] = np.clip(score, 0, 100).astype(np.uint8)
    return whole
