"""The scripts that make tables of the examples out of files of series, on made files."""

import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio

from sitsformer.convert.table import table
from sitsformer.samples import load_samples

ROOT = Path(__file__).parents[2]
NAMES = ["Corn", "Grass/Pasture", "Evergreen Forest", "Rare"]


def made_counties(path: Path, samples: int = 240) -> dict[str, np.ndarray]:
    """Irregular series of six counties, the first step of each of them cloudy."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 9, samples)
    doy = np.zeros((samples, 8), np.int16)
    for row, length in zip(doy, lengths, strict=True):
        row[:length] = np.sort(rng.choice(np.arange(1, 366), length, replace=False))
    x = rng.integers(200, 1500, (samples, 8, 10)).astype(np.uint16)
    x[:, 0, 0] = 5000
    x[doy == 0] = 0
    label = rng.integers(0, 3, samples).astype(np.int16)
    label[:3], label[3:6] = 3, -1
    arrays = {
        "x": x,
        "doy": doy,
        "label": label,
        "label_names": np.array(NAMES),
        "region": np.array(["A", "B", "C", "D", "E", "F"])[np.arange(samples) % 6],
        "bands": np.array(["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"]),
    }
    np.savez(path, **arrays)
    return arrays


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts/us_sets.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_counties_are_left_out(tmp_path: Path) -> None:
    made = made_counties(tmp_path / "us.npz")
    done = run(tmp_path / "us.npz", tmp_path / "out", "--test", "B,E")
    assert done.returncode == 0, done.stderr
    for name in ("crops", "landcover"):
        table(tmp_path / f"out/{name}.npz", tmp_path / f"{name}.zarr")
    crops, cover = (load_samples(tmp_path / f"{name}.zarr") for name in ("crops", "landcover"))
    test = np.isin(made["region"], ["B", "E"])
    assert np.array_equal(crops.split == 2, test)
    assert np.isin(crops.split[~test], [0, 1]).all() and (crops.split == 1).sum() == 40
    wanted = np.where(made["label"] == 3, -1, made["label"])  # too few series
    assert crops.classes.names == tuple(NAMES[:3]) and np.array_equal(crops.label, wanted)
    # No label but those to learn from is known to pretraining, and none of the test.
    assert cover.classes.names == ("cropland", "grassland", "shrubland", "tree cover")
    assert (cover.label[crops.split > 0] == -1).all()
    learned = (crops.split == 0) & (wanted >= 0)
    assert np.array_equal(cover.label[learned], np.array([0, 1, 3])[wanted[learned]])
    assert np.array_equal((crops.doy > 0).sum(1), (made["doy"] > 0).sum(1))


def test_bright_steps_are_left_out_where_asked(tmp_path: Path) -> None:
    made = made_counties(tmp_path / "us.npz")
    assert run(tmp_path / "us.npz", tmp_path, "--test", "A", "--clear").returncode == 0
    table(tmp_path / "crops.npz", tmp_path / "crops.zarr")
    found = load_samples(tmp_path / "crops.zarr")
    assert np.array_equal((found.doy > 0).sum(1), (made["doy"] > 0).sum(1) - 1)


@pytest.mark.parametrize(
    ("test", "message"),
    [("B,Z", "no county 'Z'; it has A, B, C, D, E, F"), ("A,B,C,D,E,F", "fewer than two classes")],
)
def test_counties_that_do_not_serve_are_refused(tmp_path: Path, test: str, message: str) -> None:
    made_counties(tmp_path / "us.npz")
    done = run(tmp_path / "us.npz", tmp_path / "out", "--test", test)
    assert done.returncode != 0 and message in done.stderr
    assert not (tmp_path / "out").exists()


def test_whole_fields_go_to_splits(tmp_path: Path) -> None:
    """Four fields of a crop and one of another, on a raster of 10 m."""
    codes = np.zeros((2, 20, 20), np.int16)
    for code, rows, columns in (
        (7, slice(0, 8), slice(0, 8)),
        (7, slice(0, 6), slice(10, 18)),
        (7, slice(10, 15), slice(0, 5)),
        (7, slice(17, 20), slice(0, 3)),
        (9, slice(10, 18), slice(10, 18)),
    ):
        codes[1, rows, columns] = code
    codes[1, 19, 19] = 7  # smaller than a field
    with rasterio.open(
        tmp_path / "labels.tif", "w", driver="GTiff", width=20, height=20, count=2,
        dtype="int16", crs=32631, transform=rasterio.transform.from_origin(5e5, 5.6e6, 10, 10),
    ) as opened:  # fmt: skip
        opened.write(codes)
    script = ROOT / "scripts/belgium_parcels.py"
    command = [sys.executable, script, tmp_path / "labels.tif", tmp_path / "out"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    parcels = geopandas.read_file(tmp_path / "out/parcels.gpkg")
    assert parcels[["code", "pixels"]].values.tolist() == [
        [7, 64],
        [9, 64],
        [7, 48],
        [7, 25],
        [7, 9],
    ]
    splits = geopandas.read_file(tmp_path / "out/splits.gpkg")
    of_field = dict(zip(parcels.field, splits.split, strict=False))
    assert [of_field[k] for k in range(5)] == ["train", "train", "test", "validation", "train"]
    assert splits.area.sum() == 200 * 200 and splits.split.iloc[-1] == "train"
    assert splits.union_all().area == pytest.approx(200 * 200)  # all ground, none of it twice
