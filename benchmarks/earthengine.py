"""Exporting one tile and season from a local Earth Engine: against the bound and xee.

    python benchmarks/earthengine.py            252 px, nine months, 300 ms latency, 40 at once
    python benchmarks/earthengine.py --side 510

Every exporter brings the same data: ten bands and the cloud score of each date, WorldCover, CDL
and its confidence. The server is a process of its own that has computed every answer before (each
exporter runs once unmeasured), so that the protocol is measured and not the simulation. Setting up
the client (the same for all) is not counted. Two lines: the loopback as fast as it is, and 25 MB/s.

The bound is requests x latency / concurrency + bytes / bandwidth. An export also has three steps
that must wait for each other (which images, which are clear, their pixels): the second bound adds
the two round trips that this costs at least.

geemap and geedim are not in the table: geemap 0.37.2 hands over to an xee that it no longer
fits, and geedim 2.0.0 fetches each image by a thumbnail of its own, which the local server lacks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LATENCY = 0.3
CONCURRENT = 40
SLOW_LINE = 25e6
START, END = "2021-03-01", "2021-11-30"
WEST, NORTH, EPSG = 522_000, 4_650_000, 32615
"""A corner in Iowa that one granule covers, so that every exporter sees one image a date."""

Figures = dict[str, dict[str, Any]]


def tile(side: int) -> Any:
    from sitsformer.grid import Tile

    return Tile("iowa", f"{EPSG}_{WEST}_{NORTH}", EPSG, WEST, NORTH, side)


# --- the exporters, each run in a process of its own ----------------------------------------------


def ours(url: str, side: int, folder: Path) -> Callable[[], int]:
    """`source: earthengine`, from the list of images to the arrays in memory."""
    from datetime import date

    from sitsformer.config import Area, EarthEngine
    from sitsformer.sources.earthengine.export import EarthEngineSource
    from sitsformer.sources.earthengine.session import connect

    settings = EarthEngine(
        url=url, project="proj-test", cache=str(folder), concurrent=CONCURRENT, rate=100
    )
    area = Area(
        source="earthengine",
        bounds=(-92.7, 41.9, -92.6, 42.0),
        start=date.fromisoformat(START),
        end=date.fromisoformat(END),
        labels=("worldcover", "cdl"),
    )

    class Config:
        earthengine = settings

    connect(settings)
    source = EarthEngineSource(Config())  # type: ignore[arg-type]

    def run() -> int:
        found = source.cube("iowa", area, tile(side)).load()
        return int(found.sizes["time"])

    return run


def xee(url: str, side: int, folder: Path, *, dask: bool = False) -> Callable[[], int]:
    """As the README of xee shows, with as many workers as the quota allows."""
    import ee
    import xarray as xr
    import xee as _  # noqa: F401 (registers the engine)

    _initialize(url)
    grid = {
        "engine": "ee",
        "crs": f"EPSG:{EPSG}",
        "crs_transform": (10, 0, WEST, 0, -10, NORTH),
        "shape_2d": (side, side),
        "executor_kwargs": {"max_workers": CONCURRENT},
    }
    place = ee.Geometry.Rectangle([WEST, NORTH - 10 * side, WEST + 10 * side, NORTH],
                                  f"EPSG:{EPSG}", False)  # fmt: skip
    bands = ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12", "cs_cdf"]
    scores = ee.ImageCollection("GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED")
    images = (
        ee.ImageCollection("COPERNICUS/S2_SR_HARMONIZED")
        .filterDate(START, "2021-12-01")
        .filterBounds(place)
        .linkCollection(scores, ["cs_cdf"])
        .select(bands)
    )
    cdl = ee.ImageCollection("USDA/NASS/CDL").filterDate("2021-01-01", "2022-01-01")
    parts = [images, ee.ImageCollection("ESA/WorldCover/v200"), cdl]

    def load(collection: Any) -> Any:
        if not dask:
            return xr.open_dataset(collection, **grid).load()
        lazy = xr.open_dataset(collection, chunks={}, **grid)
        return lazy.compute(scheduler="threads", num_workers=CONCURRENT)

    def run() -> int:
        opened = [load(part) for part in parts]
        return int(opened[0].sizes["time"])

    return run


def xee_dask(url: str, side: int, folder: Path) -> Callable[[], int]:
    """The same through Dask: all bands at once."""
    return xee(url, side, folder, dask=True)


def _initialize(url: str) -> None:
    import ee
    from requests import Session
    from requests.adapters import HTTPAdapter

    ee.deprecation.deprecated_assets = {"": None}
    session = Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=CONCURRENT))
    ee.data._get_state().requests_session = session  # the peers, too, get enough connections
    ee.Initialize(credentials=None, url=url, project="proj-test")


EXPORTERS = {"sitsformer": ours, "xee": xee, "xee_dask": xee_dask}


# --- measuring ------------------------------------------------------------------------------------


@contextmanager
def server(bandwidth: float | None) -> Iterator[str]:
    """A local Earth Engine as a process of its own."""
    words = ["--port", "0", "--latency", str(LATENCY), "--remember"]
    if bandwidth:
        words += ["--bandwidth", str(bandwidth)]
    with subprocess.Popen(
        [sys.executable, "-m", "earthengine.server", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().rsplit(" ", 1)[-1].strip()
        try:
            yield url
        finally:
            process.terminate()


def measure(name: str, url: str, side: int) -> dict[str, Any] | str:
    """Run an exporter twice in a process of its own; the second time counts.

    Returns:
        seconds, requests, bytes and dates, or why it did not run.
    """
    import requests

    words = [sys.executable, __file__, "--child", name, "--url", url, "--side", str(side)]
    result = subprocess.run(words, capture_output=True, text=True, check=False, timeout=500)
    if result.returncode != 0:
        return (result.stderr.strip().splitlines() or ["no message"])[-1][:160]
    found: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    calls = requests.get(f"{url}/local/calls", timeout=30).json()
    sent = [call for call in calls if not call[0].startswith("/local")]
    found.update(requests=len(sent), bytes=sum(call[2] for call in sent))
    return found


def child(name: str, url: str, side: int) -> None:
    """What `measure` runs: one round to warm the server, one that counts."""
    import requests

    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        EXPORTERS[name](url, side, Path(first))()
        run = EXPORTERS[name](url, side, Path(second))
        requests.get(f"{url}/local/forget", timeout=30)
        began = time.perf_counter()
        dates = run()
        print(json.dumps({"seconds": time.perf_counter() - began, "dates": dates}))


def line_speed(url: str) -> float:
    """Bytes a second of the loopback: 16 answers of 16 MB, 8 at once, latency taken out."""
    import requests

    def get(_: int) -> int:
        return len(requests.get(f"{url}/local/bytes/16000000", timeout=300).content)

    with ThreadPoolExecutor(8) as pool:
        began = time.perf_counter()
        total = sum(pool.map(get, range(16)))
        return total / (time.perf_counter() - began - 2 * LATENCY)


def main() -> Figures:
    """All exporters over both lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=252)
    parser.add_argument("--child")
    parser.add_argument("--url", default="")
    options = parser.parse_args()
    if options.child:
        child(options.child, options.url, options.side)
        return {}
    figures: Figures = {}
    for line, bandwidth in (("loopback", None), ("25 MB/s", SLOW_LINE)):
        with server(bandwidth) as url:
            speed = bandwidth or line_speed(url)
            found = {name: measure(name, url, options.side) for name in EXPORTERS}
        figures.update(_figures(f"earthengine {line}", found, speed))
    return figures


def _figures(title: str, found: dict[str, dict[str, Any] | str], speed: float) -> Figures:
    figures: Figures = {}
    mine = found["sitsformer"]
    assert isinstance(mine, dict), mine
    for name, item in found.items():
        if isinstance(item, str):
            figures[f"{title}: {name}"] = {
                "value": float("nan"), "unit": "s", "against": f"does not run: {item}",
                "ratio": None,
            }  # fmt: skip
            continue
        figures[f"{title}: {name}"] = {
            "value": item["seconds"], "unit": "s",
            "against": f"sitsformer; {item['requests']} requests, {item['bytes'] / 1e6:.0f} MB",
            "ratio": item["seconds"] / mine["seconds"],
        }  # fmt: skip
    bound = mine["requests"] * LATENCY / CONCURRENT + mine["bytes"] / speed
    for name, least in (("bound", bound), ("bound with its three steps", bound + 2 * LATENCY)):
        figures[f"{title}: {name}"] = {
            "value": least, "unit": "s", "against": "sitsformer / bound",
            "ratio": mine["seconds"] / least,
        }  # fmt: skip
    return figures


def show(figures: Figures) -> None:
    """Print the table."""
    for name, figure in figures.items():
        ratio = "" if figure["ratio"] is None else f"x {figure['ratio']:.2f}"
        value = f"{figure['value']:>8.2f} {figure['unit']}"
        print(f"{name:<58} {value}  {ratio:<8} {figure['against']}")


if __name__ == "__main__":
    show(main())
