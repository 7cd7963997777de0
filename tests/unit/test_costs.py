"""What jobs take, by the config alone: against plain counts, real stores, and what is asked for."""

import json
import re
import socket
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from click.testing import CliRunner

import model_data
import training_data
from sitsformer.cli import contents
from sitsformer.config import Compute, Config, load, load_all, parse
from sitsformer.costs import Job, job_of, jobs, learning, mem_mb, rates, runtime, said
from sitsformer.costs.data import CUBE_CHUNK
from sitsformer.costs.plan import beyond
from sitsformer.costs.sizes import dates, store
from sitsformer.costs.work import network
from sitsformer.cube import CHUNK
from sitsformer.fewshot import refine
from sitsformer.fewshot.space import MOST
from sitsformer.model import Architecture
from sitsformer.model.pooling import PARTS
from sitsformer.paths import Paths

ROOT = Path(__file__).parents[2]
FULL = ROOT / "config" / "examples" / "full.yaml"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores of a demo that was run here would be asked how large they are."""
    monkeypatch.chdir(tmp_path)


def demo(**changes: Any) -> Config:
    """The demo with some keys changed, given as `section__key=value`."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    for path, value in deepcopy(changes).items():
        *parents, last = path.split("__")
        section = values
        for key in parents:
            section = section.setdefault(key, {})
        section[last] = value
    return parse(values)


@pytest.mark.parametrize("embedding", ["linear", "conv3d"])
@pytest.mark.parametrize("patch", [1, 3, 5])
@pytest.mark.parametrize("bands", [10, 7])
def test_operations_are_those_that_the_benchmarks_count(
    embedding: str, patch: int, bands: int
) -> None:
    shape = {"embedding": embedding, "hidden": 64, "layers": 3, "heads": 4}
    found = network(demo(model=shape, patches__size=patch), 40, bands)
    own = Architecture(
        bands=bands, patch=patch, classes=0, embedding=embedding, hidden=64, layers=3, heads=4
    )
    assert found.operations == model_data.flops(own, np.array([40]))


def test_chunks_are_those_of_cubes() -> None:
    assert CUBE_CHUNK == CHUNK


def test_dates_are_those_of_the_season() -> None:
    config = demo()
    # 2021-03-01 to 2021-10-31 are 245 days, an overpass each 5; the last one may fall on the edge.
    assert dates(config, config.areas["county_2021"]) == 50
    year = load(FULL)
    assert dates(year, year.areas["illinois_2021"]) == 147  # 365 / 2.5 and the edge


def test_samples_are_what_the_tiles_are_asked_for() -> None:
    found = store(Paths(demo()), "crops")
    assert (found.samples, found.steps, found.patch, found.there) == (6000, 30, 3, False)
    assert (found.part("train"), found.part("test")) == (3000, 1800)
    assert found.bytes == 6000 * 30 * (10 * 9 + 1) * 2
    every = store(Paths(demo(sets__crops__per_tile="all")), "crops")
    assert every.samples == 6 * 126 * 126


def test_a_store_that_is_there_counts_by_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = Paths(demo())
    before = job_of(paths, "pretrain", {"objective": "ssl"})
    path = Path(paths.samples("landcover"))
    path.parent.mkdir(parents=True)
    training_data.store(path, count=50, time=12, patch=3)
    found = store(paths, "landcover")
    assert (found.samples, found.steps, found.there) == (50, 12, True)
    after = job_of(paths, "pretrain", {"objective": "ssl"})
    assert after.memory < before.memory
    assert after.seconds is not None and before.seconds is not None
    assert after.seconds < before.seconds
    (path / "reflectance" / "zarr.json").write_text("damaged")
    assert store(paths, "landcover").samples == 18_000


def test_what_is_asked_for_grows_with_the_attempts_up_to_the_limits() -> None:
    limits = Compute(hours=10, memory_gb=8)
    job = Job(seconds=3600.0, memory=2000.0)
    assert [runtime(job, limits, attempt) for attempt in (1, 2, 9)] == [120, 240, 600]
    assert [mem_mb(job, limits, attempt) for attempt in (1, 2, 9)] == [2600, 5200, 8000]
    small = Job(seconds=1.0, memory=10.0)
    assert (runtime(small, limits, 1), mem_mb(small, limits, 1)) == (30, 1500)
    unknown = Job(seconds=None, memory=10.0, gpu=True)
    assert runtime(unknown, limits, 1) == 600
    assert not job.beyond(limits)
    assert Job(seconds=36_001.0, memory=0.0).beyond(limits)
    assert Job(seconds=0.0, memory=8001.0).beyond(limits)


def test_more_of_everything_takes_more() -> None:
    few = Paths(demo())
    for stage, wildcards, changes in (
        ("cube", {"area": "county_2021"}, {"areas__county_2021__tiles__size": 252}),
        ("patches", {"set": "crops", "area": "county_2021"}, {"sets__crops__per_tile": 9000}),
        ("merge", {"set": "crops"}, {"sets__crops__per_tile": 9000}),
        ("pretrain", {"objective": "dual"}, {"pretrain__epochs": 60}),
        ("pretrain", {"objective": "dual"}, {"model__hidden": 256}),
        ("crop_model", {}, {"sets__crops__per_tile": 9000}),
        ("evaluate", {}, {"fewshot__seeds": 50}),
        ("map", {"area": "county_2021"}, {"areas__county_2021__tiles__size": 252}),
        ("mosaic", {"area": "county_2021"}, {"maps__tiles__county_2021": 6}),
    ):
        one, other = job_of(few, stage, wildcards), job_of(Paths(demo(**changes)), stage, wildcards)
        assert one.seconds is not None and other.seconds is not None
        assert other.seconds > one.seconds, stage
        assert other.memory >= one.memory, stage
    cell = {"learner": "none-full", "shots": "5", "seeds": "0-0"}
    longer = [job_of(few, "fewshot", cell | {"seeds": seeds}).seconds for seeds in ("0-0", "0-4")]
    assert longer[0] is not None and longer[1] is not None and longer[1] > longer[0]


def test_a_gpu_is_asked_for_where_a_network_uses_it_and_the_config_says_so() -> None:
    wanted = {
        "pretrain": {"objective": "dual"},
        "fewshot": {"learner": "dual-p0-probe", "shots": "5", "seeds": "0-4"},
        "crop_model": {},
        "map": {"area": "county_2021"},
    }
    cells = {
        "temporal_cnn": True,
        "random_forest": False,
        "random_forest-dual-p0": True,  # whose land cover a network tells
    }
    for device, expected in (("auto", False), ("cpu", False), ("cuda", True)):
        paths = Paths(demo(compute={"device": device}))
        for stage, wildcards in wanted.items():
            assert job_of(paths, stage, wildcards).gpu is expected, (device, stage)
        for learner, uses in cells.items():
            cell = {"learner": learner, "shots": "5", "seeds": "0-4"}
            assert job_of(paths, "baseline", cell).gpu is (expected and uses), learner
        for stage in ("cube", "patches", "merge", "evaluate", "mosaic", "report"):
            assert not any(job.gpu for _, job in jobs(paths)[stage])
    paths = Paths(demo(compute={"device": {"map": "cuda"}}))
    assert [stage for stage in wanted if job_of(paths, stage, wanted[stage]).gpu] == ["map"]


def test_what_nobody_measured_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    config = demo(compute={"device": {"pretrain": "cuda"}})
    monkeypatch.setattr(rates, "GPU", rates.Gpu("nobody", None, None, None))
    text = said(config)
    (row,) = [line for line in text.splitlines() if line.startswith("pretrain ")]
    assert row.count("not measured") == 2  # minutes, GPU-hours
    assert "pretrain: not measured on a GPU; a job ends within 24 h from" in text
    # 6 epochs of 112 steps of 128 samples: a quarter of a second each, whatever the card computes.
    slow = rates.Gpu(
        "a slow host", 0.75, 1e18, ((64, 1e18), (256, 1e18)),
        recorded_step=0.25, recorded_training=1e18,
    )  # fmt: skip
    monkeypatch.setattr(rates, "GPU", slow)
    assert "not measured" not in said(config).replace("Predicted, not measured here", "")
    seconds = job_of(Paths(config), "pretrain", {"objective": "dual"}).seconds
    assert seconds == pytest.approx(rates.TORCH.seconds + 6 * 112 * 0.25, abs=0.1)
    plain = demo(compute={"device": {"pretrain": "cuda"}}, pretrain__graphs=False)
    seconds = job_of(Paths(plain), "pretrain", {"objective": "dual"}).seconds
    assert seconds == pytest.approx(rates.TORCH.seconds + 6 * 112 * 0.75, abs=0.1)
    every = demo(compute={"device": "cuda"})
    assert job_of(Paths(every), "map", {"area": "county_2021"}).seconds is None
    network = {"learner": "temporal_cnn", "shots": "5", "seeds": "0-4"}
    assert job_of(Paths(every), "baseline", network).seconds is None
    control = {"learner": "random_forest-dual-p0", "shots": "5", "seeds": "0-4"}
    assert job_of(Paths(every), "baseline", control).seconds is not None


def test_a_baseline_with_controls_is_fitted_once() -> None:
    paths, alone = Paths(demo()), Paths(demo(fewshot__controls=[]))
    sweep = paths.config.fewshot
    draws = {"shots": "100", "seeds": "0-4"}
    fit = job_of(paths, "fit", {"method": "random_forest", **draws})
    cell = {"learner": "random_forest", **draws}
    refined, whole = (job_of(one, "baseline", cell) for one in (paths, alone))
    assert fit.seconds is not None and refined.seconds is not None and whole.seconds is not None
    # Together they take what one job did, and start and read the samples once more.
    read = store(paths, sweep.set).bytes / rates.READ_BYTES
    twice = fit.seconds + refined.seconds - rates.LEARNER.seconds - read
    assert twice == pytest.approx(whole.seconds)
    assert refined.seconds < whole.seconds / 2
    count = len(sweep.shots) * -(-sweep.seeds // sweep.seeds_per_job)
    assert sum(number for number, _ in jobs(paths)["fit"]) == count
    assert "fit" not in jobs(alone)
    # What draws the maps is fitted for itself.
    drawing = [
        demo(maps__learner="random_forest", fewshot__controls=c) for c in (["random_forest"], [])
    ]
    models = [job_of(Paths(config), "crop_model", {}) for config in drawing]
    assert models[0] == models[1]


def test_embeddings_are_planned_and_maps_of_them_need_no_network() -> None:
    layer = {"mine": {"rasters": {"county_2021": "a.tif"}}}
    plain, config = demo(), demo(embeddings=layer, maps__learner="mine")
    found, without = jobs(Paths(config)), jobs(Paths(plain))
    assert not {"embeddings", "embedded_samples"} & set(without)
    paths = Paths(config)
    over = {*paths.embedded_tiles("mine"), *paths.mapped_embeddings()}
    assert sum(count for count, _ in found["embeddings"]) == len(over)
    (_, tile), *_ = found["embeddings"]
    assert tile.disk == pytest.approx(config.areas["county_2021"].tiles.size ** 2 * 256 / 1e6)
    # Three learners of the layer alone, and one with each pretraining run.
    more = len(found["baseline"]) - len(without["baseline"])
    runs = sum(init != "none" for init in config.fewshot.inits) * len(config.pretrain.seeds)
    assert more == (3 + runs) * len(config.fewshot.shots) * -(
        -config.fewshot.seeds // config.fewshot.seeds_per_job
    )
    shots = str(config.fewshot.shots[0])
    joined = {"learner": "dual-p0+mine", "shots": shots, "seeds": "0-0"}
    alone = joined | {"learner": "mine"}
    both, one = (job_of(paths, "baseline", asked) for asked in (joined, alone))
    assert both.operations > 0 == one.operations and both.seconds > one.seconds
    (area,) = config.maps.tiles
    drawn = [job_of(paths, "map", {"area": area}) for paths in (Paths(config), Paths(plain))]
    assert drawn[0].operations == 0 < drawn[1].operations
    text = said(config)
    assert "\nembeddings " in text and "\nembedded_samples " in text


def test_rasters_of_embeddings_are_planned_by_their_bands(tmp_path: Path) -> None:
    shape = {"count": 5, "width": 4, "height": 4, "dtype": "float32"}
    place = {"crs": 32615, "transform": rasterio.transform.from_origin(500_000, 4_600_000, 9, 9)}
    with rasterio.open(tmp_path / "five.tif", "w", **shape, **place):
        pass
    for path, axes in ((tmp_path / "five.tif", 5), (tmp_path / "later.tif", 64)):
        config = demo(embeddings={"mine": {"rasters": {"county_2021": str(path)}}})
        (_, tile), *_ = jobs(Paths(config))["embeddings"]
        size = config.areas["county_2021"].tiles.size
        assert tile.disk == pytest.approx(size**2 * 4 * axes / 1e6)


def test_jobs_beyond_their_limits_are_named_with_a_remedy() -> None:
    assert beyond(demo()) == []
    (line,) = [found for found in beyond(demo(compute={"hours": 0.01})) if " pretrain: " in found]
    assert "BEYOND THE LIMITS: 3 of 3 jobs of pretrain" in line
    assert "it goes on from its checkpoint" in line
    small = beyond(demo(compute={"memory_gb": 1}, sets__crops__per_tile=10_000))
    assert any("jobs of fewshot" in line and "memory_gb 1" in line for line in small)


def test_the_full_example_fits_its_limits() -> None:
    config = load(FULL)
    assert beyond(config) == []
    every = [job for each in jobs(Paths(config)).values() for _, job in each]
    assert all(job.minutes is not None for job in every)


@pytest.mark.parametrize("name", ["config.yaml", "examples/full.yaml", "examples/iowa.yaml"])
def test_a_plan_asks_nobody(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(contents, ["plan", str(ROOT / "config" / name)])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].split()[:2] == ["stage", "jobs"]
    (together,) = [line for line in lines if line.startswith("together")]
    counted = sum(count for several in jobs(Paths(load(ROOT / "config" / name))).values()
                  for count, _ in several)  # fmt: skip
    assert together.split()[1] == f"{counted:,}"


def test_a_config_that_only_maps_is_planned(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps({}))
    areas = {"here": {"source": "synthetic", "bounds": [0, 0, 0.02, 0.02],
                      "start": "2021-03-01", "end": "2021-10-31"}}  # fmt: skip
    maps = {"model": str(tmp_path / "model"), "tiles": {"here": "all"}}
    config = parse({"areas": areas, "maps": maps})
    assert list(jobs(Paths(config))) == ["cube", "map", "mosaic", "report"]
    assert "maps of here" in said(config)


def test_a_store_of_the_user_s_is_asked_how_large_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALIFORNIA", str(tmp_path))
    path = str(ROOT / "config" / "examples" / "california.yaml")
    for name in ("crops", "pretraining"):
        result = CliRunner().invoke(contents, ["plan", path])
        assert "is no sample store that can be read" in str(result.exception)
        training_data.store(tmp_path / f"{name}.zarr", count=300)
    result = CliRunner().invoke(contents, ["plan", path])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[1].startswith("pretrain ")


def test_asking_earth_engine_of_a_config_without_it_is_refused() -> None:
    demo_config = str(ROOT / "config" / "config.yaml")
    result = CliRunner().invoke(contents, ["plan", demo_config, "--earthengine"])
    assert result.exit_code == 2
    assert "no area and no embeddings of this config come from Earth Engine" in result.output


def test_what_a_probe_reads_is_counted() -> None:
    assert learning.WHITENED == MOST
    assert learning.DIRECTED == refine.MOST
    assert PARTS["seasons"] == learning.SEASONS


@pytest.mark.parametrize(
    ("name", "place"), [("county", "Story County"), ("state", "Iowa"), ("country", "Poland")]
)
def test_the_page_on_scale_says_what_the_plan_says(name: str, place: str) -> None:
    """County, state and country: tiles, cubes, maps, jobs, disk and files."""
    page = (ROOT / "docs" / "scaling.md").read_text()
    (row,) = re.findall(rf"^\| {place} \| (.*) \|$", page, re.MULTILINE)
    tiles, cubes, maps, _, jobs_, disk, files = row.split(" | ")
    examples = FULL.parent
    text = said(load_all([FULL, examples / "scale" / f"{name}.yaml"]))
    # Columns are two spaces apart or more; a range of minutes or memory has one within it.
    plan = {cells[0]: cells for cells in (re.split(" {2,}", line) for line in text.splitlines())}
    cube, mapped, together = plan["cube"], plan["map"], plan["together"]
    assert cubes.split("; ") == [cube[4], cube[6], cube[7]]
    assert tiles == mapped[1] and maps.split("; ") == [mapped[4], mapped[3]]
    assert [jobs_, disk, files] == [together[1], *together[-2:]]
