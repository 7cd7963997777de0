"""A baseline with controls is fitted once: cells made of its fits are those of their own fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner

import phenology
from sitsformer import artefacts, fewshot, modelstore
from sitsformer.cli import contents
from sitsformer.config import parse
from sitsformer.errors import SitsError
from sitsformer.fewshot import Fit, Learner
from sitsformer.model import SITSFormer
from sitsformer.model.network import Architecture
from sitsformer.paths import Paths
from sitsformer.sensors import BANDS

OWN = """
from pathlib import Path
import numpy as np
from sitsformer.baselines import Baseline

def fit(task, choice):
    log = Path(__file__).with_name("fitted.txt")
    log.write_text((log.read_text() if log.exists() else "") + f"{task.seed} ")
    if task.seed == 1 and not Path(__file__).with_name("well").exists():
        raise ValueError("not yet")
    share = np.bincount(task.label, minlength=task.classes) / len(task.label)
    return lambda series: np.tile(share, (len(series), 1))

BASELINES = {"mine": Baseline(lambda task: [{}], fit)}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, and a pretrained model whose land cover differs from sample to sample."""
    folder = tmp_path_factory.mktemp("world")
    samples = phenology.make(160)
    phenology.write(folder / "crops.zarr", samples)
    phenology.write(folder / "other.zarr", phenology.make(160, seed=1))
    torch.manual_seed(0)
    shape = Architecture(
        patch=1, embedding="linear", hidden=16, layers=1, heads=2, pooling="mean_max", classes=3
    )
    network = SITSFormer(shape, np.full(10, 0.2), np.full(10, 0.1), BANDS, ("a", "b", "c"))
    vectors = torch.from_numpy(network.embed(samples.reflectance, samples.doy))
    with torch.no_grad():
        weight = torch.randn(network.classifier.weight.shape) / vectors.std(0)
        network.classifier.weight.copy_(weight)
        network.classifier.bias.copy_(-weight @ vectors.mean(0))
    origin = modelstore.Origin("dual", config={"objective": "dual", "seed": 0})
    modelstore.save_model(folder / "dual-p0", network, origin)
    return folder


def sections(world: Path, **changes: Any) -> dict[str, Any]:
    sweep = {
        "set": "crops", "shots": [5], "seeds": 2, "inits": ["none", "dual"],
        "baselines": ["random_forest", "temporal_cnn", "ltae"],
        "controls": ["random_forest", "temporal_cnn"], "steps": 3, "passes": 0, "batch_size": 16,
        "refine": ["land_cover", "smoothing", "nearby"], "options": {"random_forest": {"trees": 9}},
    }  # fmt: skip
    return {
        "sets": {"crops": {"store": str(world / "crops.zarr")}},
        "pretrain": {"set": "crops", "overlap": "labels", "objectives": ["dual"]},
        "model": {"embedding": "linear", "hidden": 16, "layers": 1, "heads": 2},
        "fewshot": sweep | changes,
    }


def call(folder: Path, world: Path, *words: object, **changes: Any) -> str:
    """The exit status of a command of the sweep, and what it says."""
    (folder / "config.yaml").write_text(yaml.safe_dump(sections(world, **changes)))
    command, *more = (str(word) for word in words)
    store = () if "--samples" in more else ("--samples", str(world / "crops.zarr"))
    given = ["--config", str(folder / "config.yaml"), *store, "--shots", "5", *more]
    done = CliRunner().invoke(contents, [command, *given])
    if isinstance(done.exception, SitsError):
        return f"{done.exception.exit_status} {done.exception}"
    return f"{done.exit_code} {done.output}"


@pytest.mark.parametrize("method", ["random_forest", "temporal_cnn"])
def test_cells_are_the_same_bytes(world: Path, tmp_path: Path, method: str) -> None:
    fits, seeds = tmp_path / "fits", ("--seeds", "0-1")
    said = call(tmp_path, world, "fit", "--method", method, *seeds, "--out", fits)
    assert said.startswith("0"), said
    assert artefacts.check(fits) == []
    cover = ("--land-cover", world / "dual-p0")
    for name, more in ((method, ()), (f"{method}-dual-p0", cover)):
        job = ("baseline", "--method", name, *seeds, *more)
        out = {way: tmp_path / f"{name}-{way}.parquet" for way in ("alone", "made")}
        said = call(tmp_path, world, *job, "--out", out["alone"])
        assert said.startswith("0"), said
        said = call(tmp_path, world, *job, "--fits", fits, "--out", out["made"])
        assert said.startswith("0"), said
        assert out["made"].read_bytes() == out["alone"].read_bytes()
    cells = fewshot.read_cells(out["made"]).cells
    assert "land_cover" in cells[0].choice["refinements"]


def test_without_refinements_fits_serve_too(world: Path, tmp_path: Path) -> None:
    job = ("--method", "random_forest", "--seeds", "0")
    plain: dict[str, Any] = {"refine": [], "controls": []}
    assert call(tmp_path, world, "fit", *job, "--out", tmp_path / "f", **plain)[0] == "0"
    for name, more in (("a", ()), ("b", ("--fits", tmp_path / "f"))):
        said = call(tmp_path, world, "baseline", *job, *more, "--out", tmp_path / name, **plain)
        assert said[0] == "0", said
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture(scope="module")
def fitted(world: Path) -> Path:
    path = world / "fits"
    job = ("fit", "--method", "random_forest", "--seeds", "0", "--out", path)
    assert call(world, world, *job).startswith("0")
    return path


@pytest.mark.parametrize(
    ("words", "changes", "message"),
    [
        ((), {"validation": 7}, "is of fits with another fewshot.validation than is asked for"),
        ((), {"options": {"random_forest": {"trees": 8}}}, "with another options.trees than"),
        (("--shots", "4"), {}, "with another shots than"),
        (("--seeds", "0-1"), {}, "has no fit of seed 1, but of 0: ask for these seeds"),
        (("--method", "ltae"), {}, "fits with another"),
        (("--samples", "other.zarr"), {}, "with another samples than"),
        (("--fits", "dual-p0"), {}, "holds no fits of a baseline"),
        (("--fits", "nowhere"), {}, "nowhere does not exist"),
    ],
)
def test_other_fits_are_refused(
    world: Path, fitted: Path, tmp_path: Path, words: tuple[str, ...], changes: dict[str, Any],
    message: str,
) -> None:  # fmt: skip
    given = {"--method": "random_forest", "--seeds": "0", "--fits": "fits"}
    given |= dict(zip(words[::2], words[1::2], strict=True))
    paths = {"--fits", "--samples"}
    job = [
        w for key, value in given.items() for w in (key, world / value if key in paths else value)
    ]
    said = call(tmp_path, world, "baseline", *job, "--out", tmp_path / "o.parquet", **changes)
    assert said.startswith("3") and message in said, said
    assert not (tmp_path / "o.parquet").exists()


def test_what_decides_nothing_refuses_nothing(world: Path, fitted: Path, tmp_path: Path) -> None:
    job = ("--method", "random_forest", "--seeds", "0", "--fits", fitted, "--out", tmp_path / "o")
    said = call(tmp_path, world, "baseline", *job, steps=5, shots=[5, 9], seeds=7)
    assert said.startswith("0"), said


def test_damaged_fits_are_refused(world: Path, tmp_path: Path) -> None:
    fits, job = tmp_path / "fits", ("--method", "random_forest", "--seeds", "0")
    assert call(tmp_path, world, "fit", *job, "--out", fits).startswith("0")
    values = bytearray((fits / "0.npy").read_bytes())
    values[-3] ^= 1
    (fits / "0.npy").write_bytes(values)
    said = call(tmp_path, world, "baseline", *job, "--fits", fits, "--out", tmp_path / "o")
    assert said.startswith("3") and "is damaged: altered: 0.npy" in said
    assert "delete it and make it again (`sitsformer fit`)" in said


def test_a_control_and_a_name_nobody_knows_are_not_fitted(world: Path, tmp_path: Path) -> None:
    job = ("fit", "--seeds", "0", "--out", tmp_path / "f", "--method")
    said = call(tmp_path, world, *job, "random_forest-dual-p0")
    assert said.startswith("2") and "a control takes the fits of its baseline" in said
    said = call(tmp_path, world, *job, "forest")
    assert said.startswith("3") and "forest" in said
    assert not (tmp_path / "f").exists()


def test_a_fit_goes_on_where_it_was(world: Path, tmp_path: Path) -> None:
    mine, log = tmp_path / "mine.py", tmp_path / "fitted.txt"
    mine.write_text(OWN)
    changes: dict[str, Any] = {
        "baselines": ["mine"], "controls": ["mine"], "options": {"mine": {"file": str(mine)}}
    }  # fmt: skip
    job = ("fit", "--method", "mine", "--seeds", "0-1", "--checkpoint", tmp_path / "kept")
    said = call(tmp_path, world, *job, "--out", tmp_path / "f", **changes)
    assert said.startswith("3") and "not yet" in said
    assert not (tmp_path / "f").exists() and log.read_text() == "0 1 "
    (tmp_path / "well").touch()
    assert call(tmp_path, world, *job, "--out", tmp_path / "f", **changes).startswith("0")
    assert log.read_text() == "0 1 1 "
    assert not (tmp_path / "kept").exists()
    assert call(tmp_path, world, *job, "--out", tmp_path / "g", **changes).startswith("0")
    assert log.read_text() == "0 1 1 0 1 "
    assert artefacts.digest(tmp_path / "f") == artefacts.digest(tmp_path / "g")
    # Another file of the user is another method.
    mine.write_text(OWN + "\n")
    job = ("baseline", "--method", "mine", "--seeds", "0", "--fits", tmp_path / "f")
    said = call(tmp_path, world, *job, "--out", tmp_path / "o", **changes)
    assert said.startswith("3") and "with another file than is asked for" in said


def test_fits_are_kept_to_the_last_bit(tmp_path: Path) -> None:
    exact = np.random.default_rng(0).random((5, 3))
    narrow = exact.astype(np.float32).astype(np.float64)
    narrow[2] = np.nan
    with fewshot.create_fits(tmp_path / "f") as keep:
        keep(Fit(0, exact, {"chosen": {"depth": None}, "score": 0.1}))
        keep(Fit(12, narrow))
    first, second = (fewshot.read_fit(tmp_path / "f", seed) for seed in (0, 12))
    assert first.choice == {"chosen": {"depth": None}, "score": 0.1}
    for found, expected in ((first, exact), (second, narrow)):
        assert found.probabilities.dtype == np.float64
        np.testing.assert_array_equal(found.probabilities, expected)
    assert np.load(tmp_path / "f" / "12.npy").dtype == np.float32


def test_who_is_made_of_fits(world: Path) -> None:
    paths = Paths(parse(sections(world)))
    made = {one.name: paths.fits(one, 5, "0-1") for one in paths.learners()}
    forest, network = ("results/fits/random_forest/5/0-1", "results/fits/temporal_cnn/5/0-1")
    assert {name: found for name, found in made.items() if found} == {
        "random_forest": [forest], "random_forest-dual-p0": [forest],
        "temporal_cnn": [network], "temporal_cnn-dual-p0": [network],
    }  # fmt: skip
    alone = Paths(parse(sections(world, controls=[])))
    assert not any(alone.fits(one, 5, "0-1") for one in alone.learners())
    assert paths.fits(Learner("random_forest", "sl", "-", 4), "all", "2-3") == [
        "results/fits/random_forest/all/2-3"
    ]
