"""The whole workflow as a user runs it: end to end, partly again, killed and repeated."""

import os
import signal
import subprocess
import time
from pathlib import Path

import geopandas
import pandas as pd
import pytest
import xarray as xr
import yaml
from dryruns import DryRuns
from shapely import box
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score
from workflow import ROOT, command, contents, run, tiny

from sitsformer import artefacts
from sitsformer.config import parse
from sitsformer.paths import Paths

pytestmark = pytest.mark.long

AFTER_SWEEP = {"evaluate": 1, "report": 1}
AFTER_PRETRAIN = {"fewshot": 2, "crop_model": 1, "map": 1, "mosaic": 1, **AFTER_SWEEP}


@pytest.fixture(scope="module")
def finished(warm: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny workflow has run."""
    folder = tmp_path_factory.mktemp("finished")
    result = run(folder, tiny(), env=warm)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_everything_is_there_and_nothing_is_left_to_do(dry: DryRuns, finished: Path) -> None:
    assert dry.jobs(finished, tiny()) == {}
    assert (finished / "results" / "report.html").stat().st_size > 100_000
    paths = Paths(parse(tiny()))
    made = [*paths.cubes(), *paths.pretrained(), paths.samples("crops")]
    for artefact in made:
        assert artefacts.check(finished / artefact) == []


def test_every_job_has_a_log_and_a_benchmark(finished: Path) -> None:
    logs = sorted((finished / "results" / "logs").rglob("*.log"))
    timings = sorted((finished / "results" / "benchmarks").rglob("*.tsv"))
    assert len(logs) == len(timings) > 15
    assert all("Traceback" not in log.read_text() for log in logs)


def test_the_table_has_the_promised_columns_and_every_cell(finished: Path) -> None:
    table = pd.read_csv(finished / "results" / "tables" / "fewshot.csv")
    promised = ["method", "init", "shots", "seed", "overall_accuracy", "kappa", "macro_f1"]
    assert list(table.columns[:7]) == promised
    assert len(table) == 3 * 2 * 2  # learners x shots x seeds


def test_tables_and_report_are_what_the_stored_predictions_say(finished: Path) -> None:
    results = finished / "results"
    table = pd.read_csv(results / "tables" / "fewshot.csv", dtype={"shots": str})
    table = table.set_index(["learner", "shots", "seed"])
    found = 0
    for path in sorted((results / "fewshot").rglob("*.parquet")):
        for key, cell in pd.read_parquet(path).groupby(["learner", "shots", "seed"]):
            columns = [name for name in cell if name.startswith("p_")]
            guess = cell[columns].to_numpy().argmax(1)
            row = table.loc[(key[0], str(key[1]), key[2])]
            classes = range(len(columns))
            scores = {
                "overall_accuracy": accuracy_score(cell.truth, guess),
                "kappa": cohen_kappa_score(cell.truth, guess),
                "macro_f1": f1_score(
                    cell.truth, guess, labels=classes, average="macro", zero_division=0
                ),
            }
            for name, value in scores.items():
                assert row[name] == pytest.approx(value, abs=1e-6), (key, name)
            found += 1
    assert found == len(table)
    page = (results / "report.html").read_text()
    for (_, _), cells in table.groupby(["learner", "shots"]):
        assert f"{cells.macro_f1.mean():.3f}" in page


def test_stores_show_what_the_readme_says(finished: Path) -> None:
    paths = Paths(parse(tiny()))
    cube = xr.open_zarr(finished / paths.cubes("crops")[0], decode_coords="all")
    assert cube.reflectance.dims == ("time", "band", "y", "x")
    assert {"clear", "worldcover", "cdl"} <= set(cube.data_vars)
    assert "spatial_ref" in cube.coords
    samples = xr.open_zarr(finished / paths.samples("crops"), decode_coords="all")
    assert samples.reflectance.dims == ("sample", "time", "band", "py", "px")
    assert {"doy", "label"} <= set(samples.variables)
    assert {"lon", "lat", "x", "y", "tile", "block", "split"} <= set(samples.variables)


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        ({"fewshot__shots": [2, 5, 8]}, {"fewshot": 2, "baseline": 1, **AFTER_SWEEP}),
        ({"fewshot__seeds": 3}, {"fewshot": 4, "baseline": 2, **AFTER_SWEEP}),
        (
            {"fewshot__steps": 11},
            {"fewshot": 4, "crop_model": 1, "map": 1, "mosaic": 1, **AFTER_SWEEP},
        ),
        ({"pretrain__epochs": 3}, {"pretrain": 2, **AFTER_PRETRAIN}),
        ({"pretrain__seeds": [0, 1]}, {"pretrain": 2, "fewshot": 2, **AFTER_SWEEP}),
        ({"evaluation__bootstrap": 60}, AFTER_SWEEP),
        ({"maps__batch_size": 512}, {"map": 1, "mosaic": 1, "report": 1}),
        ({"pretrain__loader": "memory", "pretrain__checkpoint_every": 7}, {}),
        ({"patches__memory_gb": 0.5, "earthengine__concurrent": 3}, {}),
        (
            {"sets__crops__per_tile": 200},
            {
                "patches": 2,
                "merge": 1,
                "fewshot": 4,
                "baseline": 2,
                "crop_model": 1,
                "map": 1,
                "mosaic": 1,
                **AFTER_SWEEP,
            },
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_a_changed_value_re_runs_what_depends_on_it_and_nothing_else(
    dry: DryRuns, finished: Path, change, jobs
) -> None:
    assert dry.jobs(finished, tiny(**change)) == jobs


def test_a_deleted_tile_is_made_again(dry: DryRuns, finished: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-a", f"{finished}/.", str(tmp_path)], check=True)
    lost = tmp_path / Paths(parse(tiny())).cubes("landcover")[0]
    before = artefacts.digest(lost)
    subprocess.run(["rm", "-r", str(lost)], check=True)
    assert dry.jobs(tmp_path, tiny())["cube"] == 1
    target = str(lost.relative_to(tmp_path))
    assert run(tmp_path, tiny(), "--", target).returncode == 0
    assert artefacts.digest(lost) == before


def test_whatever_is_deleted_is_made_again(dry: DryRuns, finished: Path, tmp_path: Path) -> None:
    """One artefact of each kind, beside those that nothing else misses."""
    subprocess.run(["cp", "-a", f"{finished}/.", str(tmp_path)], check=True)
    paths = Paths(parse(tiny()))
    lost = {
        "cube": paths.cubes("crops")[0],
        "patches": paths.tile_stores("landcover")[0],
        "merge": paths.samples("landcover"),
        "pretrain": paths.model("ssl", 0),
        "fewshot": paths.cells()[0],
        "crop_model": "results/models/crop",
        "map": paths.tile_maps("south", "confidence")[0],
        "mosaic": paths.maps("areas")[0],
        "evaluate": "results/tables/fewshot.parquet",
        "report": "results/figures",
    }
    for rule, path in lost.items():
        kept = (tmp_path / path).rename(tmp_path / "kept")
        assert dry.jobs(tmp_path, tiny())[rule] >= 1, path
        kept.rename(tmp_path / path)
    assert dry.jobs(tmp_path, tiny()) == {}


def test_polygons_of_a_split_decide_what_is_cut_and_are_an_input(
    dry: DryRuns, tmp_path: Path
) -> None:
    """Split by block, then by polygons, then by other polygons in the same file."""
    paths = Paths(parse(tiny()))
    cut, store = paths.tile_stores("crops"), paths.samples("crops")
    file = tmp_path / "split.geojson"
    values = tiny(sets__crops__split={"by": "polygons", "polygons": str(file)})

    def draw(name: str) -> None:
        area = box(-95.0, 43.0, -94.8, 43.2)
        geopandas.GeoDataFrame({"split": [name]}, geometry=[area], crs=4326).to_file(file)

    assert run(tmp_path, tiny(), "--", *cut).returncode == 0
    draw("train")
    assert dry.jobs(tmp_path, values, "--", store) == {"patches": 2, "merge": 1}
    assert run(tmp_path, values, "--", *cut).returncode == 0
    assert dry.jobs(tmp_path, values, "--", store) == {"merge": 1}
    draw("test")
    assert dry.jobs(tmp_path, values, "--", store) == {"patches": 2, "merge": 1}
    # Samples alone need no polygons for every split; who learns from them does.
    whole = dry.jobs(tmp_path, values)
    assert "no polygon for validation, and the sweep needs samples" in whole


def test_the_same_config_twice_gives_the_same_bytes_even_when_killed(
    finished: Path, tmp_path: Path
) -> None:
    """The second run is killed with all its jobs three times, each time further on its way.

    Its jobs are Python processes of their own from the first import on, those of the first are not.
    """
    reached = ("results/cubes/*/*.zarr", "results/checkpoints/*", "results/fewshot/*/*/*.parquet")
    for milestone in reached:
        lock = () if milestone == reached[-1] else ("--nolock",)
        process = subprocess.Popen(
            command(tmp_path, tiny(), *lock),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )
        while not list(tmp_path.glob(milestone)):
            assert process.poll() is None, f"it ended before there was {milestone}"
            time.sleep(0.05)
        assert process.poll() is None, "it was done before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "results" / "report.html").exists()
    locked = run(tmp_path, tiny())
    assert "Directory cannot be locked" in locked.stdout + locked.stderr
    assert run(tmp_path, tiny(), "--unlock").returncode == 0
    result = run(tmp_path, tiny())
    assert result.returncode == 0, result.stdout + result.stderr
    expected, found = contents(finished), contents(tmp_path)
    assert sorted(found) == sorted(expected)
    # The page shows how long each job took; everything else must not differ by a byte.
    different = [name for name in expected if found[name] != expected[name]]
    page = {"report.html", ".provenance/report.html.json"}
    assert [name for name in different if name not in page] == []


def test_snakemake_makes_its_own_report_with_captions(finished: Path, tmp_path: Path) -> None:
    page = tmp_path / "snakemake.html"
    result = run(finished, tiny(), "--report", str(page))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Maps" in page.read_text()


def test_a_wrong_config_stops_before_any_job(tmp_path: Path) -> None:
    result = run(tmp_path, tiny(patches__size=4))
    assert result.returncode != 0
    assert "patches.size: Input should be 1, 3, 5, 7 or 9" in result.stderr + result.stdout
    assert not (tmp_path / "results").exists()


def test_the_full_example_is_planned(dry: DryRuns, tmp_path: Path) -> None:
    values = yaml.safe_load((ROOT / "config" / "examples" / "full.yaml").read_text())
    jobs = dry.jobs(tmp_path, values)
    assert jobs["cube"] == 120
    assert jobs["pretrain"] == 5 * 3
    assert jobs["fewshot"] == 7 * 3 * (1 + 5 * 3)
