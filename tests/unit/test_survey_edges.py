"""Field points beside the edges of tiles: their patches are cut with the cubes around."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cubes
from sitsformer import artefacts, cube
from sitsformer.config import Config, parse
from sitsformer.errors import SitsError
from sitsformer.grid import Tile, to_lonlat
from sitsformer.legends import load_legend
from sitsformer.patches import make_tile_store
from sitsformer.paths import Paths
from sitsformer.samples import open_samples, read_manifest
from sitsformer.samples.shards import Reader
from sitsformer.samples.trace import trace

SIZE, DATES = 30, 9
START = int(np.datetime64("2020-10-05", "D").astype(int))


def ground(tiles: list[Tile]) -> tuple[int, int, np.ndarray, np.ndarray]:
    """West, north, and reflectance and scores of all tiles together; never missing, some cloudy."""
    west, north = min(t.west for t in tiles), max(t.north for t in tiles)
    columns = (max(t.west for t in tiles) - west) // 10 + SIZE
    rows = (north - min(t.north for t in tiles)) // 10 + SIZE
    rng = np.random.default_rng(2)
    values = rng.integers(0, 12_000, (DATES, 10, rows, columns), dtype=np.uint16)
    score = np.full((DATES, rows, columns), 90, np.uint8)
    score[2, : rows // 2] = 10  # a date with clouds over the upper half
    return west, north, values, score


def made(folder: Path, points: list[tuple[float, float, str]], **survey: str) -> Config:
    """A config of two by two tiles and a survey of points (x, y, class), and its cubes."""
    values = cubes.make_config(SIZE, tiles="all", patches={"size": 5}).model_dump(mode="json")
    values["areas"]["farm"]["bounds"] = [5.0, 50.0, 5.006, 50.004]
    values["results"] = str(folder / "results")
    values["labels"] = {
        "visits": {"kind": "points", "path": str(folder / "points.csv"), "column": "crop",
                   "min_samples": 1, **survey}
    }  # fmt: skip
    values["sets"]["land"] |= {"label": "visits", "split": {"by": "group"}, "per_tile": "all"}
    chosen = parse(values)
    tiles = Paths(chosen).tiles("farm")
    assert len(tiles) >= 4
    x, y = (np.array([point[k] for point in points]) for k in (0, 1))
    lon, lat = to_lonlat(tiles[0].epsg, x, y)
    pd.DataFrame({"lon": lon, "lat": lat, "crop": [p[2] for p in points]}).to_csv(
        folder / "points.csv", index=False
    )
    west, north, reflectance, score = ground(tiles)
    times = np.datetime64("2020-10-05T10:50", "ns") + np.arange(DATES) * np.timedelta64(9, "D")
    for number, tile in enumerate(tiles):
        top, left = (north - tile.north) // 10, (tile.west - west) // 10
        here = (..., slice(top, top + SIZE), slice(left, left + SIZE))
        cover = np.full((SIZE, SIZE), 40, np.uint8)
        # A pass reaches tiles some seconds apart.
        built = cube.build(
            tile, times + np.timedelta64(7 * number, "s"), reflectance[here], score[here],
            {"worldcover": (cover, load_legend("worldcover"))}, {},
        )  # fmt: skip
        cube.write(built, Path(Paths(chosen).cube("farm", tile.name)), config={})
    return chosen


def cut(chosen: Config, tile: Tile, out: Path, around: bool = True) -> Path:
    paths = Paths(chosen)
    beside = [Path(path) for path in paths.neighbours("farm", tile.name)] if around else []
    own = Path(paths.cube("farm", tile.name))
    make_tile_store(chosen, "land", "farm", tile.name, own, out, beside)
    return out


def corner(chosen: Config) -> tuple[list[Tile], float, float]:
    """The tiles, and the place where four of them meet."""
    tiles = Paths(chosen).tiles("farm")
    first = min(tiles, key=lambda t: (t.west, -t.north))
    return tiles, first.west + 10 * SIZE, first.north - 10 * SIZE


def test_points_around_a_corner_of_four_tiles_have_the_pixels_around_them(tmp_path: Path) -> None:
    plain = cubes.make_config(SIZE, tiles="all").model_dump(mode="json")
    plain["areas"]["farm"]["bounds"] = [5.0, 50.0, 5.006, 50.004]
    _, x, y = corner(parse(plain))
    offsets = [-35, -25, -15, -5, 5, 15, 25, 35]
    points = [
        (x + dx, y + dy, "wheat" if (dx + dy) % 20 else "maize") for dx in offsets for dy in offsets
    ]
    chosen = made(tmp_path, points)
    tiles, *_ = corner(chosen)
    west, north, reflectance, score = ground(tiles)
    seen = 0
    for tile in tiles:
        store = cut(chosen, tile, tmp_path / f"{tile.name}.zarr")
        assert not any("edge" in reasons for reasons in read_manifest(store)["features"].values())
        samples = open_samples(store)
        count = samples.sizes["sample"]
        seen += count
        with Reader(store / "reflectance") as reader:
            patches = reader.take(np.arange(count))
        for k in range(count):
            column = int((samples.x.values[k] - west) // 10)
            row = int((north - samples.y.values[k]) // 10)
            around = (slice(row - 2, row + 3), slice(column - 2, column + 3))
            clear = [d for d in range(DATES) if (score[d][around] >= 60).mean() >= 0.9]
            length = int((samples.doy.values[k] > 0).sum())
            assert length == min(len(clear), 8)
            days = (samples.date.values[k, :length] - START) // 9
            assert set(days.tolist()) <= set(clear)
            for step, day in enumerate(days.tolist()):
                np.testing.assert_array_equal(patches[k, step], reflectance[day, :, *around])
            assert (patches[k, length:] == cube.MISSING).all()
    assert seen == len(points)


def test_without_a_neighbour_a_point_at_the_edge_is_lost_and_said(tmp_path: Path) -> None:
    plain = cubes.make_config(SIZE, tiles="all").model_dump(mode="json")
    plain["areas"]["farm"]["bounds"] = [5.0, 50.0, 5.006, 50.004]
    tiles, x, y = corner(parse(plain))
    outer = min(t.west for t in tiles) + 5
    points = [(x - 5, y + 155, "wheat"), (x - 95, y + 155, "maize"), (outer, y + 155, "wheat")]
    chosen = made(tmp_path, points)
    tile = min(tiles, key=lambda t: (t.west, -t.north))
    alone = read_manifest(cut(chosen, tile, tmp_path / "alone.zarr", around=False))["features"]
    assert alone == {"1": {"edge": 1}, "2": {"kept": 1}, "3": {"edge": 1}}
    path = cut(chosen, tile, tmp_path / "whole.zarr")
    assert read_manifest(path)["features"] == {"1": {"kept": 1}, "2": {"kept": 1}, "3": {"edge": 1}}
    # What it was cut from is recorded, its neighbours too.
    assert sum(name.startswith("neighbours/") for name in artefacts.read(path)["inputs"]) == 3


def test_a_sample_at_the_edge_is_traced_to_both_cubes(tmp_path: Path) -> None:
    plain = cubes.make_config(SIZE, tiles="all").model_dump(mode="json")
    plain["areas"]["farm"]["bounds"] = [5.0, 50.0, 5.006, 50.004]
    tiles, x, y = corner(parse(plain))
    chosen = made(tmp_path, [(x - 5, y + 155, "wheat"), (x - 95, y + 155, "maize")])
    tile = min(tiles, key=lambda t: (t.west, -t.north))
    store = cut(chosen, tile, tmp_path / "results" / "patches" / "one.zarr")
    for index in range(2):
        assert trace(store, index).differences == ()
    # The neighbour's pixels are compared, too.
    other = next(t for t in tiles if (t.west, t.north) == (tile.west + 10 * SIZE, tile.north))
    path = Path(Paths(chosen).cube("farm", other.name))
    changed = cube.open_cube(path).load()
    changed["reflectance"] = (
        (changed.reflectance + 1).astype(np.uint16).assign_attrs(changed.reflectance.attrs)
    )
    cube.write(changed, path, config={})
    edge = int(np.flatnonzero(np.abs(open_samples(store).x.values - (x - 5)) < 1)[0])
    assert any("values differ" in line for line in trace(store, edge).differences)
    assert trace(store, 1 - edge).differences == ()


def test_a_cube_that_is_no_neighbour_is_refused(tmp_path: Path) -> None:
    plain = cubes.make_config(SIZE, tiles="all").model_dump(mode="json")
    plain["areas"]["farm"]["bounds"] = [5.0, 50.0, 5.006, 50.004]
    tiles, x, y = corner(parse(plain))
    chosen = made(tmp_path, [(x - 5, y + 155, "wheat"), (x - 95, y + 155, "maize")])
    tile = min(tiles, key=lambda t: (t.west, -t.north))
    own = Path(Paths(chosen).cube("farm", tile.name))
    with pytest.raises(SitsError, match="is no neighbour of tile"):
        make_tile_store(chosen, "land", "farm", tile.name, own, tmp_path / "x.zarr", [own])
    assert not (tmp_path / "x.zarr").exists()


def test_a_field_over_the_edge_is_drawn_on_both_sides(tmp_path: Path) -> None:
    from sitsformer.surveys.claims import Claims
    from sitsformer.surveys.placing import eligible

    tiles = [Tile("a", "w", 32631, 0, 600, 30), Tile("a", "e", 32631, 300, 600, 30)]
    column = np.array([1, 2, 27, 28, 30, 57, 58, 10])
    row = np.array([40, 40, 40, 40, 40, 40, 40, 58])
    count = np.arange(8)
    claims = Claims(feature=count * 0, column=column, row=row, eroded=count < 0)
    found = eligible(claims, tiles, 5, None)
    #            outer edge      amid  the seam       amid   outer  top
    assert found.tolist() == [False, True, True, True, True, True, False, False]
