"""What is made of Sentinel-2 is, to the byte, what was made before an area had a sensor."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from raster_files import EPSG, NORTH, WEST, image, write
from sitsformer import decisive
from sitsformer.baselines.series import PixelSeries
from sitsformer.config import Config, parse
from sitsformer.export import export
from sitsformer.grid import tiles
from sitsformer.patches import make_tile_store
from sitsformer.patches.merge import merge
from sitsformer.samples import load_samples

SIZE = 66

RECORDED = {
    "cube": "ab786008dd5eeaf8d27fa8850a3e37a35423ab22ca6268481de395a024ce8de2",
    "samples": "dd6a6a0d42b77cb4e77cdf0f3fa61f157b9fd304e070f2fa82b2a096b37e1584",
    "tile": "ab19ab6f743e2df9d66b7007718266e39175ea5b24e54d2fd26975a0a4e0319b",
}
"""SHA-256 of arrays and attributes, by the last version without sensors of areas."""


def made(folder: Path) -> dict[str, Any]:
    """A cube of rasters, its samples, and the features of baselines."""
    files = folder / "images"
    files.mkdir()
    rng = np.random.default_rng(5)
    codes = rng.integers(1, 4, (1, 6, 6)).astype(np.uint8).repeat(11, 1).repeat(11, 2)
    for seed, month in enumerate(range(3, 11)):
        values = image(seed, SIZE)
        values[6] += codes[0] * np.uint16(500 + 100 * seed)
        write(files / f"2021{month:02}10.tif", values)
    write(folder / "crops.tif", codes, names=None)
    (folder / "legend.csv").write_text("code,name,colour\n1,a,#ff0000\n2,b,#00ff00\n3,c,#0000ff\n")
    label = {"path": str(folder / "crops.tif"), "legend": str(folder / "legend.csv")}
    config = parse(
        {
            "areas": {
                "farm": {
                    "source": "rasters",
                    "bounds": [3.0195, 50.8135, 3.0275, 50.8185],
                    "start": "2021-03-01",
                    "end": "2021-10-31",
                    "tiles": {"size": SIZE, "count": 1},
                    "rasters": {"path": str(files), "labels": {"crop": label}},
                }
            },
            "sets": {
                "land": {"areas": ["farm"], "label": "crop", "per_tile": 60,
                         "split": {"block": 110}},
            },
            "patches": {"size": 3, "max_length": 6, "min_dates": 3},
            "maps": {"tiles": {}, },
            "pretrain": {"set": "land"},
            "fewshot": {"set": "land"},
        }
    )  # fmt: skip
    return {"config": config, **_chain(config, folder)}


def _chain(config: Config, folder: Path) -> dict[str, Any]:
    area = config.areas["farm"]
    (tile,) = tiles("farm", area)
    assert (tile.epsg, tile.west, tile.north) == (EPSG, WEST, NORTH)
    cube, store, out = folder / "cube.zarr", folder / "tile.zarr", folder / "land.zarr"
    export(config, "farm", tile.name, cube)
    make_tile_store(config, "land", "farm", tile.name, cube, store)
    merge(config, "land", out, [store])
    return {"cube": cube, "tile": store, "samples": out}


def digest(path: Path) -> str:
    """Of every array and attribute of a store, whatever the compression."""
    found = hashlib.sha256()
    group = zarr.open_group(path, mode="r")
    for name, array in sorted(group.arrays()):
        # Versions of PROJ write one coordinate system in different words.
        attributes = {key: value for key, value in array.attrs.items() if key != "crs_wkt"}
        text = json.dumps([name, str(array.dtype), array.shape, attributes], sort_keys=True)
        found.update(text.encode())
        values = array[...]
        found.update(str(values.tolist()).encode() if values.dtype.kind in "OT" else
                     np.ascontiguousarray(values).tobytes())  # fmt: skip
    found.update(json.dumps(dict(group.attrs), sort_keys=True).encode())
    return found.hexdigest()


def test_cubes_samples_and_settings_of_sentinel_2_stay_as_they_are(tmp_path: Path) -> None:
    world = made(tmp_path)
    assert {name: digest(world[name]) for name in RECORDED} == RECORDED
    leaves = decisive.leaves(decisive.cube(world["config"], "farm"))
    assert "area.source=rasters" in leaves and "sensor" not in "".join(leaves)
    with xr.open_zarr(world["cube"]) as dataset:
        assert "sensor" not in dataset.attrs


def test_features_of_sentinel_2_are_those_of_b04_b08_and_b11(tmp_path: Path) -> None:
    samples = load_samples(made(tmp_path)["samples"])
    series = PixelSeries.of(samples)
    regular, found = series.regular("centre"), series.features("centre")
    grid, wide = regular.shape[1], regular.shape[1] * 10
    np.testing.assert_array_equal(found[:, :wide], regular.reshape(len(regular), wide))
    red, near = regular[..., 2], regular[..., 6]
    np.testing.assert_array_equal(found[:, wide : wide + grid], (near - red) / (near + red))
    moist = (near - regular[..., 8]) / (near + regular[..., 8])
    assert found[:, -9] == pytest.approx(moist.min(1))
    assert found[:, -8] == pytest.approx(moist.max(1))
