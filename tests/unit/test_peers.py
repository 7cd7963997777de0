"""Scripts that make features of peers, with stand-ins for clones of their repositories."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sitsformer.convert.table import table

ROOT = Path(__file__).parents[2]
BANDS = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"]

PRESTO = """
import torch
class Encoder(torch.nn.Module):
    def forward(self, x, dynamic_world, latlons, mask=None, month=0, eval_task=True):
        assert eval_task and x.shape == mask.shape and (dynamic_world == 9).all()
        assert mask.sum((1, 2)).unique().numel() == 1  # as the real one wants
        seen = 1 - mask
        mean = (x * seen).sum(1) / seen.sum(1).clamp(min=1)
        return torch.cat([mean, seen.sum(1), latlons, torch.full((len(x), 1), month)], 1)
class Presto(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.weight = Encoder(), torch.nn.Parameter(torch.zeros(1))
    @classmethod
    def construct(cls):
        return cls()
"""

GALILEO = """
import torch
S2_BANDS = ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12"]
SPACE_TIME_BANDS = ["VV", "VH", *S2_BANDS, "NDVI"]
SRTM_BANDS, LOCATION_BANDS = ["elevation", "slope"], ["x", "y", "z"]
SPACE_BANDS, TIME_BANDS = [*SRTM_BANDS, "crops"], ["rain"]
STATIC_BANDS = ["people", *LOCATION_BANDS]
SPACE_TIME_BANDS_GROUPS_IDX = {"S1": [0, 1], "S2": list(range(2, 12)), "NDVI": [12]}
SPACE_BAND_GROUPS_IDX = {"SRTM": [0, 1], "WC": [2]}
TIME_BAND_GROUPS_IDX, STATIC_BAND_GROUPS_IDX = {"ERA5": [0]}, {"LS": [0], "location": [1, 2, 3]}
class Encoder:
    @classmethod
    def load_from_folder(cls, folder, device):
        return cls()
    def eval(self):
        return self
    def __call__(self, s_t_x, sp_x, t_x, st_x, s_t_m, sp_m, t_m, st_m, months, patch_size):
        assert patch_size == 1 and months.dtype == torch.int64
        assert (s_t_m[..., 0] == 1).all() and (sp_m[..., 1] == 1).all() and (t_m == 1).all()
        return s_t_x, sp_x, t_x, st_x, s_t_m, sp_m, t_m, st_m, months
    @staticmethod
    def average_tokens(s_t_x, sp_x, t_x, st_x, s_t_m, sp_m, t_m, st_m):
        months = (1 - s_t_m[..., 1]).sum(3).reshape(-1, 1)
        first = (s_t_x * (1 - s_t_m[..., 1:2])).sum(3).reshape(len(s_t_x), -1)
        parts = (months, first, sp_x[:, 0, 0], 1 - sp_m[:, 0, 0], st_x, 1 - st_m)
        return torch.cat([part.reshape(len(s_t_x), -1) for part in parts], 1)
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 30 samples over three months, from December, and both clones."""
    root = tmp_path_factory.mktemp("peers")
    rng = np.random.default_rng(0)
    x = rng.integers(500, 4000, (30, 6, 10)).astype(np.uint16)
    valid = np.ones((30, 6), bool)
    valid[::3, 2:4] = False  # no January
    dates = ["2020-12-05", "2020-12-25", "2021-01-04", "2021-01-24", "2021-02-03", "2021-02-23"]
    place = {"lon": rng.uniform(3, 9, 30), "lat": rng.uniform(50, 54, 30)}
    np.savez(
        root / "t.npz", x=x, valid=valid, dates=np.array(dates), bands=np.array(BANDS), **place
    )
    table(root / "t.npz", root / "t.zarr")
    np.savez(root / "made.npz", x=x, valid=valid, **place)
    np.save(root / "high.npy", np.arange(30.0))
    (root / "presto/data").mkdir(parents=True)
    (root / "presto/single_file_presto.py").write_text(PRESTO)
    torch.save({"weight": torch.ones(1)}, root / "presto/data/default_model.pt")
    (root / "galileo/config").mkdir(parents=True)
    (root / "galileo/data/models/nano").mkdir(parents=True)
    (root / "galileo/data/models/nano/encoder.pt").write_bytes(b"")
    (root / "galileo/single_file_galileo.py").write_text(GALILEO)
    known = {
        str(n): {"mean": [float(10 * k) for k in range(n)], "std": [float(k + 1) for k in range(n)]}
        for n in (13, 3)
    }
    (root / "galileo/config/normalization.json").write_text(json.dumps(known))
    return root


def run(world: Path, peer: str, *more: object) -> subprocess.CompletedProcess[str]:
    script = ROOT / f"scripts/peers/{peer}.py"
    command = [script, world / peer, world / "t.zarr", world / "out.npy", *more]
    return subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, check=False
    )


def medians(world: Path) -> tuple[np.ndarray, np.ndarray]:
    """(sample, month, band) reflectance by plain means of two, and which months there are."""
    with np.load(world / "made.npz") as made:
        values, valid = made["x"] / 1e4, made["valid"]
    return values.reshape(30, 3, 2, 10).mean(2), valid.reshape(30, 3, 2).all(2)


def test_presto_is_fed_with_monthly_medians(world: Path) -> None:
    done = run(world, "presto", "--place", "--elevation", world / "high.npy")
    assert done.returncode == 0, done.stderr
    found = np.load(world / "out.npy")
    values, there = medians(world)
    mean = np.where(there[..., None], values, 0).sum(1) / there.sum(1)[:, None]
    np.testing.assert_allclose(found[:, 2:12], mean, rtol=1e-5)
    ndvi = (values[..., 6] - values[..., 2]) / (values[..., 6] + values[..., 2])
    wanted = np.where(there, ndvi, 0).sum(1) / there.sum(1)
    np.testing.assert_allclose(found[:, 16], wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[:, 14], np.arange(30) / 2000, rtol=1e-5)
    seen = found[:, 17:34]
    assert (seen[:, [0, 1, 12, 13]] == 0).all()  # Sentinel-1 and weather
    assert np.array_equal(seen[:, 2], there.sum(1))
    with np.load(world / "made.npz") as made:
        np.testing.assert_allclose(found[:, 34:36], np.stack([made["lat"], made["lon"]], 1))
    assert (found[:, 36] == 11).all()  # December


def test_without_places_the_peers_are_told_none_apart(world: Path) -> None:
    assert run(world, "presto").returncode == 0
    found = np.load(world / "out.npy")
    assert len(np.unique(found[:, 34:36], axis=0)) == 1
    assert (found[:, 17:34][:, [14, 15]] == 0).all()
    assert run(world, "galileo").returncode == 0
    found = np.load(world / "out.npy")
    assert (found[:, -2:] == 0).all() and (found[:, 17:19] == 0).all()


def test_galileo_is_fed_with_normalised_monthly_medians(world: Path) -> None:
    done = run(world, "galileo", "--place", "--elevation", world / "high.npy")
    assert done.returncode == 0, done.stderr
    found = np.load(world / "out.npy")
    values, there = medians(world)
    assert np.array_equal(found[:, 0], there.sum(1))
    place = np.arange(2, 12)
    normalised = (values * 1e4 - (10 * place - 2 * (place + 1))) / (4 * (place + 1))
    wanted = np.where(there[..., None], normalised, 0).sum(1)
    np.testing.assert_allclose(found[:, 3:13], wanted, rtol=1e-4)
    np.testing.assert_allclose(found[:, 14], (np.arange(30) + 2) / 4, rtol=1e-5)
    with np.load(world / "made.npz") as made:
        lat, lon = np.deg2rad(made["lat"]), np.deg2rad(made["lon"])
    np.testing.assert_allclose(found[:, -3], np.sin(lat), rtol=1e-5)
    np.testing.assert_allclose(found[:, -5], np.cos(lat) * np.cos(lon), rtol=1e-5)


@pytest.mark.parametrize(
    ("peer", "more", "message"),
    [
        ("presto", ["--weights", "nowhere.pt"], "nowhere.pt is not there: give the weights"),
        ("galileo", ["--weights", "nowhere"], "nowhere/encoder.pt is not there"),
        ("presto", ["--elevation", "nowhere.npy"], "--elevation: nowhere.npy cannot be read"),
    ],
)
def test_what_is_not_there_is_named(world: Path, peer: str, more: list[str], message: str) -> None:
    (world / "out.npy").unlink(missing_ok=True)
    done = run(world, peer, *more)
    assert done.returncode != 0 and message in done.stderr and "Traceback" not in done.stderr
    assert not (world / "out.npy").exists()


def test_a_file_of_other_elevations_is_refused(world: Path) -> None:
    np.save(world / "few.npy", np.arange(7.0))
    done = run(world, "galileo", "--elevation", world / "few.npy")
    assert done.returncode != 0 and "few.npy is (7,); asked for (30,) metres" in done.stderr
