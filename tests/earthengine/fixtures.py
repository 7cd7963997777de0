"""Places, configs and helpers shared by the tests of the exporter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from earthengine.catalogue import Place
from earthengine.reference import Expected
from sitsformer.config import Area, Config, EarthEngine, Tiles, parse
from sitsformer.cube import open_cube
from sitsformer.cube import write as write_cube
from sitsformer.grid import Tile, tiles
from sitsformer.imagery.earthengine import listing
from sitsformer.imagery.earthengine.source import EarthEngineSource

START, END = date(2021, 5, 1), date(2021, 7, 30)
"""Nineteen passes: each oddity of the archive happens at least once."""

OVERLAP = Place(-93.1, 41.9, -92.8, 42.1, START, END)
"""Iowa, zone 15, where two granules overlap."""
BORDER = Place(-96.1, 41.9, -95.9, 42.1, START, END)
"""Iowa, at 96 degrees west, the border of zones 14 and 15."""
FRANCE = Place(2.9, 48.1, 3.1, 48.3, START, END)
"""Near Sens, zone 31."""
EQUATOR = Place(36.9, -0.1, 37.1, 0.1, START, END)
"""Kenya, on the equator."""
SWATH = Place(-92.4962, 41.9, -92.2962, 42.1, START, END)
"""Iowa, where the edge of a swath runs through the tile."""


def area(
    bounds: tuple[float, float, float, float],
    labels: tuple[str, ...] = ("worldcover", "cdl"),
    size: int = 60,
    start: date = START,
    end: date = END,
) -> Area:
    """An area of one tile."""
    return Area(
        source="earthengine", bounds=bounds, start=start, end=end, labels=labels,
        tiles=Tiles(size=size, count=1),
    )  # fmt: skip


def in_place(place: Place, **kwargs: Any) -> Area:
    """A small area in the middle of a place."""
    lon, lat = (place.west + place.east) / 2, (place.south + place.north) / 2
    return area((lon, lat, lon + 0.004, lat + 0.003), **kwargs)


def only_tile(chosen: Area, name: str = "here") -> Tile:
    return tiles(name, chosen)[0]


def settings(url: str, cache: Path, **changes: Any) -> EarthEngine:
    """The Earth Engine section for a local server."""
    return EarthEngine(**{"url": url, "project": "proj-test", "cache": str(cache), **changes})


def config(areas: Mapping[str, Area], earthengine: EarthEngine) -> Config:
    """A whole config around areas."""
    values = {
        "areas": {name: item.model_dump(mode="json") for name, item in areas.items()},
        "sets": {"all": {"areas": list(areas), "label": next(iter(areas.values())).labels[0]}},
        "pretrain": {"set": "all"},
        "fewshot": {"set": "all"},
        "earthengine": earthengine.model_dump(mode="json"),
    }
    return parse(values)


def write_config(path: Path, chosen: Config) -> Path:
    """A config as the YAML file that a user would have."""
    path.write_text(yaml.safe_dump(chosen.model_dump(mode="json", exclude_none=True)))
    return path


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "sitsformer", *map(str, words)]


def start(*words: str | Path, cwd: Path) -> subprocess.Popen[str]:
    """`sitsformer WORDS` as a process of its own, without any credentials of this machine."""
    hidden = ("GOOGLE_APPLICATION_CREDENTIALS", "EARTHENGINE_PROJECT", "EARTHENGINE_TOKEN")
    env = {k: v for k, v in os.environ.items() if k not in hidden}
    env["HOME"] = str(cwd)
    env["OMP_NUM_THREADS"] = "1"
    return subprocess.Popen(
        command(*words), cwd=cwd, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(*words: str | Path, cwd: Path) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `sitsformer WORDS`."""
    process = start(*words, cwd=cwd)
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def assert_equal(cube: xr.Dataset, reference: Expected, clear_score: int, least: float) -> None:
    """A cube is, pixel for pixel, what the scenes say; no date is missing or too many."""
    valid = reference.clear <= 100
    unscored = (reference.clear == 255) & (reference.reflectance[:, 0] != 65535)
    share = ((valid & (reference.clear >= clear_score)) | unscored).mean(axis=(1, 2))
    kept = reference.seen & (share >= least)
    np.testing.assert_array_equal(
        cube.time.values.astype("datetime64[ms]"), reference.times[kept].astype("datetime64[ms]")
    )
    np.testing.assert_array_equal(cube.reflectance.values, reference.reflectance[kept])
    np.testing.assert_array_equal(cube.clear.values, reference.clear[kept])
    layers = {str(name) for name in cube.data_vars} - {"reflectance", "clear"}
    assert layers == set(reference.layers)
    for name, values in reference.layers.items():
        np.testing.assert_array_equal(cube[name].values, values, err_msg=name)


def attribute(cube: xr.Dataset, name: str) -> Any:
    """An attribute of a cube; dictionaries are stored as JSON."""
    value = cube.attrs[name]
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else value


HOUR = 3_600_000
FIRST = 1_620_000_000_000


def row(
    number: int, *, take: str = "GS2A_20210503T170851_030625", mgrs: str = "15TVG",
    strip: str = "20210503T170851", baseline: str = "05.00", generated: int = 1,
    time: int | None = None,
) -> list[Any]:  # fmt: skip
    return [
        f"I{number}", FIRST + number * 1000 if time is None else time, f"{take}_N{baseline}",
        f"S2A_OPER_MSI_L2A_DS_VGS2_20210503T211500_S{strip}_N{baseline}", mgrs, baseline, generated,
    ]  # fmt: skip


def observed(count: int) -> list[listing.Observation]:
    rows = [
        row(i, take=f"GS2A_{i:08d}T170851_0306{i:02d}", time=FIRST + i * HOUR) for i in range(count)
    ]
    return list(listing.group(rows, set(), 32615)[0])


def written(chosen: Area, settings: EarthEngine, path: Path) -> xr.Dataset:
    """Export, write, read again."""
    source = EarthEngineSource(config({"here": chosen}, settings))
    write_cube(source.cube("here", chosen, only_tile(chosen)), path, config={})
    return open_cube(path)
