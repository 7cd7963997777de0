"""A made-up county: a scene cut into cubes, its map, and a truth that samples are drawn of."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import rasterio
from shapely.geometry import Point

from cubes import CODES
from sitsformer import cube, mapproducts, maps
from sitsformer.classes import Classes
from sitsformer.config import Patches
from sitsformer.grid import Tile
from sitsformer.legends import load_legend
from sitsformer.maps.area import make_area

WEST, NORTH, SIDE = 499980, 4650000, 36
"""Of the scene, m; pixels of a tile."""
GROUND = 120
"""Pixels of the side of the map that is assessed."""
CLASSES = Classes(
    ("tree cover", "crops & grass", "built <up>"),
    ("#006400", "#f096ff", "#fa0000"),
    ((10,), (40, 30), (50,)),
)
SETTINGS = Patches(size=5, max_length=6, min_dates=2)


def tile_at(column: int, row: int, side: int = SIDE) -> Tile:
    west, north = WEST + column * 10 * side, NORTH - row * 10 * side
    return Tile("county", f"32614_{west}_{north}", 32614, west, north, side)


def write_cube(path: Path, tile: Tile, scene: dict[str, np.ndarray], lacks: int = -1) -> Path:
    """A cube cut out of a scene; its granules were seen some seconds later than others'."""
    row, column = (NORTH - tile.north) // 10, (tile.west - WEST) // 10
    cut = (..., slice(row, row + tile.size), slice(column, column + tile.size))
    kept = np.arange(len(scene["reflectance"])) != lacks
    shift = np.timedelta64(3 * (row + column), "s")
    layers = {"worldcover": (scene["label"][cut], load_legend("worldcover"))}
    dataset = cube.build(
        tile, scene["times"][kept] + shift, scene["reflectance"][kept][cut],
        scene["clear"][kept][cut], layers, {},
    )  # fmt: skip
    cube.write(dataset, path, config={})
    return path


def make_scene(side: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Series that differ everywhere, clouds, and gaps."""
    rng = np.random.default_rng(seed)
    dates = 14
    reflectance = rng.integers(0, 6_000, (dates, 10, side, side), dtype=np.uint16)
    reflectance[:, :, rng.random((side, side)) < 0.002] = cube.MISSING
    blocks = rng.choice([0, 100], (dates, side // 6, side // 6), p=[0.35, 0.65])
    label = rng.choice(CODES, (side // 6, side // 6)).repeat(6, 0).repeat(6, 1).astype(np.uint8)
    return {
        "reflectance": reflectance,
        "clear": blocks.repeat(6, 1).repeat(6, 2).astype(np.uint8),
        "label": label,
        "times": np.datetime64("2021-04-01T10:00", "ns")
        + np.arange(dates) * np.timedelta64(10, "D"),
    }


def model(reflectance: np.ndarray, doy: np.ndarray) -> np.ndarray:
    """Depends on every pixel of the patch and on every date."""
    valid = doy > 0
    sums = np.where(valid, reflectance.sum((2, 3, 4), dtype=np.int64) * doy, 0).sum(1)
    logits = np.stack([np.sin(sums / 7e6), np.cos(sums / 5e6), np.sin(sums / 3e6)], 1)
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def make_world(folder: Path) -> dict[str, Path]:
    """One large tile, and the same ground as four tiles and their map."""
    scene = make_scene(2 * SIDE)
    large = write_cube(folder / "large.zarr", tile_at(0, 0, 2 * SIDE), scene)
    places = [(0, 0), (1, 0), (0, 1), (1, 1)]
    cubes = [write_cube(folder / f"{x}{y}.zarr", tile_at(x, y), scene) for x, y in places]
    files = [folder / "maps" / "county" / "tiles" / f"{tile_at(x, y).name}.tif" for x, y in places]
    for path, out in zip(cubes, files, strict=True):
        others = [other for other in cubes if other != path]
        found = maps.predict(
            path, SETTINGS, model, 300, neighbours=others, probabilities=len(CLASSES.names)
        )
        mapped = mapproducts.Mapped(
            found=found, classes=CLASSES, cube=cube.open_cube(path), patches=SETTINGS
        )
        mapproducts.write(mapped, out, ["probabilities"])
    out = folder / "maps" / "county" / "county.tif"
    make_area(files, out, layers=["probabilities"])
    return {"large": large, "map": out, **{f"tile{k}": file for k, file in enumerate(files)},
            **{f"cube{k}": path for k, path in enumerate(cubes)}}  # fmt: skip


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


def make_ground(folder: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """A map, its classes (0 none) and the truth (index in the classes of the map)."""
    rng = np.random.default_rng(0)
    fields = rng.choice(3, (GROUND // 5, GROUND // 5), p=[0.6, 0.3, 0.1])
    truth = fields.repeat(5, 0).repeat(5, 1)
    wrong = rng.random(truth.shape) < 0.2
    classes = np.where(wrong & (truth == 0), 1, truth) + 1
    classes[:6] = 0
    path = write_cube(folder / "c.zarr", tile_at(0, 0, GROUND), make_scene(GROUND))
    empty = np.zeros_like(classes)
    found = maps.CropMap(
        classes.astype(np.uint16), (empty + 50).astype(np.uint8), empty.astype(np.uint8),
        (empty + 9).astype(np.uint16),
    )  # fmt: skip
    mapped = mapproducts.Mapped(
        found=found, classes=CLASSES, cube=cube.open_cube(path), patches=SETTINGS
    )
    mapproducts.write(mapped, folder / "tiles" / "t.tif")
    make_area([folder / "tiles" / "t.tif"], folder / "county.tif")
    return folder / "county.tif", classes, truth


def draw(classes: np.ndarray, seed: int = 0, each: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a sample stratified by map class."""
    rng = np.random.default_rng(seed)
    flat = [
        rng.choice(np.flatnonzero(classes.ravel() == k), each, replace=False) for k in (1, 2, 3)
    ]
    return np.divmod(np.concatenate(flat), GROUND)


def points(row: np.ndarray, column: np.ndarray, **columns: object) -> geopandas.GeoDataFrame:
    x, y = WEST + 10 * column + 3.0, NORTH - 10 * row - 7.0
    return geopandas.GeoDataFrame(columns, geometry=[*map(Point, x, y)], crs=32614)
