"""Jobs of the sweep that are stopped or killed at a step they count, and are started again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import phenology
import stopped

pytestmark = pytest.mark.long

STEPS = 12
"""Of a training. Two seeds with two learning rates are four."""

SECTIONS: dict[str, Any] = {
    "model": {"embedding": "linear", "hidden": 16, "layers": 1, "heads": 2},
    "fewshot": {
        "set": "crops",
        "shots": [5],
        "seeds": 2,
        "steps": STEPS,
        "passes": 0,
        "batch_size": 16,
        "learning_rates": [1e-3, 1e-2],
        "baselines": ["temporal_cnn", "ltae"],
    },
    "pretrain": {"set": "crops", "overlap": "labels"},
}

NETWORKS = {
    "full": ("fewshot", "--init", "none", "--adaptation", "full"),
    "temporal_cnn": ("baseline", "--method", "temporal_cnn"),
    "ltae": ("baseline", "--method", "ltae"),
}


class Jobs:
    """Runs of one job in a folder."""

    def __init__(self, folder: Path, job: Sequence[str], seeds: str | None = "0-1") -> None:
        cells = () if seeds is None else ("--shots", "5", "--seeds", seeds)
        self.folder, self.job, self.cells = folder, job, cells
        self.store, self.checkpoint = folder / "crops.zarr", folder / "checkpoint"
        phenology.write(self.store, phenology.make(160))
        self.write()

    def write(self, maps: dict[str, Any] | None = None, **fewshot: Any) -> None:
        """Write the config, with some keys of the sweep changed."""
        sections = {**SECTIONS, "sets": {"crops": {"store": str(self.store)}}}
        sections["fewshot"] = SECTIONS["fewshot"] | fewshot
        if maps is not None:
            sections["maps"] = maps
        (self.folder / "config.yaml").write_text(yaml.safe_dump(sections))

    def run(self, *output: object, stop: tuple[str, int] = ("none", 0)) -> tuple[int, int, str]:
        """Exit status, steps trained (-1: it had no time to say so), messages of one run."""
        words = (
            *(sys.executable, stopped.__file__, *stop, *self.job),
            *("--config", self.folder / "config.yaml", "--samples", self.store),
            *(*self.cells, *output),
        )
        done = subprocess.run(
            [str(word) for word in words], capture_output=True, text=True, env=os.environ
        )
        if stop[1]:
            assert f"signal after step {stop[1]}" in done.stdout, done.stderr
        last = done.stdout.split()[-2:]
        return done.returncode, int(last[1]) if last[0] == "steps" else -1, done.stderr

    def kept(self, out: Path) -> tuple[object, ...]:
        return ("--out", out, "--checkpoint", self.checkpoint)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The cells of each network that nobody interrupted."""
    cells = {}
    for name, job in NETWORKS.items():
        jobs = Jobs(tmp_path_factory.mktemp(name), job)
        assert jobs.run("--out", jobs.folder / "w.parquet")[:2] == (0, 4 * STEPS)
        cells[name] = (jobs.folder / "w.parquet").read_bytes()
    return cells


@pytest.mark.parametrize(
    ("name", "told"), [("full", "SIGTERM"), ("temporal_cnn", "SIGUSR1"), ("ltae", "SIGXCPU")]
)
def test_a_job_goes_on_where_it_was_and_ends_with_the_same_bytes(
    name: str, told: str, whole: dict[str, bytes], tmp_path: Path
) -> None:
    jobs, out = Jobs(tmp_path, NETWORKS[name]), tmp_path / "o.parquet"
    status, steps, said = jobs.run(*jobs.kept(out), stop=(told, STEPS + 5))
    assert (status, steps) == (143, STEPS + 6)
    assert f"terminated: saved after step 6 of {STEPS}" in said
    assert not out.exists()
    # The second training goes on after its sixth step; the third is lost.
    assert jobs.run(*jobs.kept(out), stop=("SIGKILL", STEPS - 6 + 4))[:2] == (-9, -1)
    assert not out.exists()
    status, steps, said = jobs.run(*jobs.kept(out))
    assert (status, steps) == (0, 2 * STEPS), said
    assert out.read_bytes() == whole[name]
    assert not jobs.checkpoint.exists()


AUTO = ("fewshot", "--init", "none", "--adaptation", "auto")
NETWORK_FILES = ("model.safetensors", "config.json", "provenance.json")


@pytest.mark.parametrize(
    ("job", "learner", "files"),
    [
        (AUTO, None, NETWORK_FILES),  # trains from a probe; its mean and its tuned probe share that
        (("crop-model",), "none-linear", NETWORK_FILES),
        (("crop-model",), "temporal_cnn", ("fitted.safetensors", "config.json", "provenance.json")),
    ],
)
def test_a_model_for_maps_is_the_same_after_an_interruption(
    job: Sequence[str], learner: str | None, files: Sequence[str], tmp_path: Path
) -> None:
    jobs, option = Jobs(tmp_path, job, "0-0" if learner is None else None), "--out"
    if learner is None:
        option = "--save-model"
    else:
        jobs.write({"learner": learner, "shots": 5}, inits=["none"], adaptations=["linear"])
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert jobs.run(option, whole)[0] == 0
    model = (option, out, "--checkpoint", jobs.checkpoint)
    assert jobs.run(*model, stop=("SIGTERM", STEPS + 3))[:2] == (143, STEPS + 4)
    assert not out.exists()
    status, steps, said = jobs.run(*model)
    assert (status, steps) == (0, STEPS - 4), said
    for file in files:
        assert (out / file).read_bytes() == (whole / file).read_bytes()
    assert not jobs.checkpoint.exists()


@pytest.mark.parametrize("change", ["setting", "samples"])
def test_what_was_kept_for_other_settings_or_samples_is_never_read(
    change: str, tmp_path: Path
) -> None:
    jobs, whole, out = (
        Jobs(tmp_path, NETWORKS["full"]),
        tmp_path / "w.parquet",
        tmp_path / "o.parquet",
    )
    assert jobs.run(*jobs.kept(out), stop=("SIGTERM", 2 * STEPS + 1))[0] == 143
    if change == "setting":
        jobs.write(label_smoothing=0.3)
    else:
        phenology.write(jobs.store, phenology.make(160, seed=1))
    status, steps, said = jobs.run(*jobs.kept(out))
    assert (status, steps) == (0, 4 * STEPS), said
    assert "is of other settings, inputs or versions: starting afresh" in said
    assert jobs.run("--out", whole)[0] == 0
    assert out.read_bytes() == whole.read_bytes()
    assert not jobs.checkpoint.exists()


def test_a_damaged_cell_is_made_again(whole: dict[str, bytes], tmp_path: Path) -> None:
    jobs, out = Jobs(tmp_path, NETWORKS["full"]), tmp_path / "o.parquet"
    assert jobs.run(*jobs.kept(out), stop=("SIGTERM", 3 * STEPS + 1))[0] == 143
    (cell,) = jobs.checkpoint.rglob("0.parquet")
    cell.write_bytes(cell.read_bytes()[:-10])
    status, _, said = jobs.run(*jobs.kept(out))
    assert status == 0 and "the cell is made again" in said
    assert out.read_bytes() == whole["full"]


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    jobs, out = Jobs(tmp_path, NETWORKS["full"], "0"), tmp_path / "o.parquet"
    mine = jobs.checkpoint / "results" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert jobs.run(*jobs.kept(out))[0] == 0
    assert [item.name for item in jobs.checkpoint.iterdir()] == ["results"]
    assert mine.read_text() == "mine"
