"""What files and places say against a config before the first job."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

import phenology
from sitsformer.checks.foresight import season_problems
from sitsformer.checks.problems import problems
from sitsformer.config import ConfigError, parse
from sitsformer.evaluation.seen import store_problems
from sitsformer.paths import Paths

TINY = Path(__file__).parents[1] / "integration" / "tiny.yaml"


def tiny() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(TINY.read_text())
    return values


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ("{file}", "{file} is there and no folder; name another place"),
        ("{file}/below/it", "{file} is there and no folder; name another place"),
        ("{link}/out", "{link} is there and no folder; name another place"),
        ("{folder}/" + 300 * "x", "cannot be a folder: File name too long"),
    ],
)
def test_results_where_no_folder_can_be(tmp_path: Path, results: str, message: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    names = {"file": tmp_path / "file", "link": tmp_path / "link", "folder": tmp_path}
    (line,) = problems(parse({**tiny(), "results": results.format(**names)}))
    assert line.startswith("results: ")
    assert message.format(**names) in line
    assert problems(parse({**tiny(), "results": str(tmp_path / "new" / "folder")})) == []


def test_results_where_nobody_may_write() -> None:
    """For root every folder is writable: the look is that of another user."""
    with TemporaryDirectory() as name:  # in a place that other users may look into
        folder = Path(name)
        folder.chmod(0o555)
        config = parse({**tiny(), "results": str(folder / "out" / "run")})
        root = os.getuid() == 0
        if root:
            os.setresuid(65534, 65534, 0)
        try:
            (line,) = problems(config)
        finally:
            if root:
                os.setresuid(0, 0, 0)
        folder.chmod(0o755)
        assert line == (
            f"results: {folder}/out/run cannot be made, there is no right to write in {folder}"
        )
        assert problems(config) == []


def test_a_variable_of_results_that_is_not_set_is_told_with_the_key() -> None:
    with pytest.raises(ConfigError, match=r"^results: .* NO_SUCH_PLACE is not set"):
        Paths(parse({**tiny(), "results": "$NO_SUCH_PLACE/x"}))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("pattern", "/data/*.tif", "does not tell files below `path`"),
        ("pattern", "../*.tif", "does not tell files below `path`"),
        ("pattern", "**.tif", "does not tell files below `path`"),
        ("date_pattern", "(", "'(' is not a regular expression"),
        ("date_pattern", r"\d{8}", "has no group (?P<date>...)"),
    ],
)
def test_patterns_that_cannot_find_files_or_dates(key: str, value: str, message: str) -> None:
    values = tiny()
    label = {"path": "labels.tif", "legend": "worldcover"}
    rasters = {"path": "images", "labels": {"worldcover": label}, key: value}
    values["areas"]["north"] |= {"source": "rasters", "rasters": rasters}
    with pytest.raises(ConfigError, match=rf"areas\.north\.rasters\.{key}: ") as caught:
        parse(values)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"), [("memory_gb", 1e300), ("scheduler", "cluster"), ("scheduler", "tcp://c")]
)
def test_numbers_and_addresses_that_no_machine_has(key: str, value: object) -> None:
    values = tiny()
    values["patches"][key] = value
    with pytest.raises(ConfigError, match=rf"patches\.{key}: "):
        parse(values)


def test_a_legend_that_cannot_be_read_is_told_with_its_key(tmp_path: Path) -> None:
    values = tiny()
    (tmp_path / "labels.tif").touch()
    label = {"path": str(tmp_path / "labels.tif"), "legend": str(tmp_path / "legend.csv")}
    rasters = {"path": str(tmp_path), "labels": {"worldcover": label, "spare": label}}
    values["areas"]["north"] |= {"source": "rasters", "rasters": rasters}
    values["areas"]["north"]["labels"] = ["worldcover", "spare"]
    found = [line.partition(": ")[0] for line in problems(parse(values))]
    assert found == [
        f"areas.north.rasters.labels.{name}.legend" for name in ("worldcover", "spare")
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": "2011-03-01", "end": "2011-10-31"}, "Sentinel-2 began on 2015-06-27"),
        ({"start": "2999-03-01", "end": "2999-10-31"}, "which is yet to come"),
        ({"bounds": [5.9, 43.1, 5.913, 43.105]}, "lies outside the Cropland Data Layer"),
    ],
)
def test_seasons_and_places_that_earth_engine_has_not(change: dict[str, Any], message: str) -> None:
    values = tiny()
    values["areas"]["south"] |= {"source": "earthengine"}
    assert season_problems(parse(values)) == []
    values["areas"]["south"] |= change
    (line,) = season_problems(parse(values))
    assert line.startswith("areas.south: ") and message in line


# --- existing stores -----------------------------------------------------------------------------


def with_store(name: str, store: Path, **patches: Any) -> list[str]:
    values = tiny()
    values["sets"][name] = {"store": str(store)}
    values["patches"] |= patches
    if name == "crops":
        values["maps"] = {}
    return store_problems(parse(values))


def test_what_is_no_sample_store_is_told_before_the_first_job(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no store")
    for path in (tmp_path, tmp_path / "text"):
        (line,) = with_store("landcover", path)
        assert line.startswith(f"sets.landcover.store: {path} cannot be opened as a sample store")


def test_a_store_must_have_samples_where_they_are_looked_for(tmp_path: Path) -> None:
    samples = phenology.make(60)
    side = samples.reflectance.shape[-1]
    whole = phenology.write(tmp_path / "whole.zarr", samples)
    assert with_store("crops", whole, size=side) == []
    assert with_store("landcover", whole, size=side) == []
    (line,) = with_store("crops", whole, size=side + 2)
    assert line.startswith("pretrain.set: 'landcover' has patches of")
    samples.split[:] = 0
    lacking = phenology.write(tmp_path / "lacking.zarr", samples)
    assert with_store("landcover", lacking, size=side) == [
        f"sets.landcover.store: {lacking} has no sample for validation, and pretraining needs some "
        "there"
    ]
    assert len(with_store("crops", lacking, size=side)) == 2
