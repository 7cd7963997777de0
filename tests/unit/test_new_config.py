"""`sitsformer init`: from an area, a season and a file of labels to a config that works."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import geopandas
import pytest
import yaml
from click.testing import CliRunner
from shapely import force_3d
from shapely.geometry import box

from sitsformer.checks.problems import problems
from sitsformer.cli import contents
from sitsformer.config import load
from sitsformer.grid import area_geometry
from sitsformer.sources import sources

VISITS = Path(__file__).parents[2] / "config" / "examples" / "fields" / "visits.csv"
OWN = {
    "--area": "-94.90,43.10,-94.87,43.12", "--season": "2021-03-01 2021-10-31",
    "--labels": str(VISITS), "--source": "synthetic",
}  # fmt: skip


def init(folder: Path, **changes: str | None) -> object:
    options = OWN | {f"--{key}": value for key, value in changes.items()}
    words: list[str] = []
    for key, value in options.items():
        if key == "--area":
            words.append(f"{key}={value}")  # a longitude below 0 looks like an option
        elif value is not None:
            words += [key, *value.split(" ")]
    return CliRunner().invoke(contents, ["init", str(folder), *words])


def written(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_next_command_is_one_that_this_terminal_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    done = CliRunner().invoke(contents, ["init"])
    assert f"next: {shlex.quote(sys.executable)} -m snakemake --cores 2" in done.output.splitlines()
    # In an environment that is activated its name is enough.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    done = CliRunner().invoke(contents, ["init", "there"])
    assert "next: cd there && snakemake --cores 2" in done.output.splitlines()


def test_points_of_an_area_become_a_config_that_works(tmp_path: Path) -> None:
    done = init(tmp_path / "my crops")
    assert done.exit_code == 0, done.output
    assert f"next: cd '{tmp_path}/my crops' && " in done.output
    path = tmp_path / "my crops" / "config" / "config.yaml"
    config = load(path)
    assert problems(config) == []
    (area,) = config.areas
    assert area == "county_2021" and str(config.areas[area].end) == "2021-10-31"
    assert config.labels["crops"].kind == "points" and config.labels["crops"].column == "crop"
    assert config.maps.learner == "auto" and config.maps.tiles == {area: "all"}
    text = path.read_text()
    assert "Corn 27\n" in text and "Alfalfa 4 (dropped: too few)" in text
    # No more labels are asked for than the rarest class has to train on.
    assert config.fewshot.shots == (1, 5, "all")
    before = written(tmp_path)
    again = init(tmp_path / "my crops")
    assert "exists" in str(again.exception)
    assert written(tmp_path) == before


def test_polygons_and_an_outline_from_files(tmp_path: Path) -> None:
    table = geopandas.read_file(VISITS)
    places = geopandas.points_from_xy(table.lon, table.lat, crs=4326).to_crs(32615)
    fields = geopandas.GeoDataFrame(
        {"Kultur": table.crop}, geometry=places.buffer(30, cap_style="square")
    )
    fields.to_file(tmp_path / "fields.gpkg", driver="GPKG")
    outline = geopandas.GeoDataFrame(geometry=[box(-94.9, 43.1, -94.87, 43.12)], crs=4326)
    outline.to_file(tmp_path / "outline.geojson")
    done = init(
        tmp_path / "mine", area=str(tmp_path / "outline.geojson"), column="Kultur",
        labels=str(tmp_path / "fields.gpkg"), name="valley",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    values = yaml.safe_load((tmp_path / "mine" / "config" / "config.yaml").read_text())
    assert values["labels"]["crops"]["kind"] == "polygons"
    assert values["areas"]["valley_2021"]["geometry"] == str(tmp_path / "outline.geojson")
    lacking = init(tmp_path / "other", labels=str(tmp_path / "fields.gpkg"))
    assert "say with --column which of Kultur holds the class" in str(lacking.exception)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"area": "-94.9,43.1,-94.87"}, "neither a file nor west,south,east,north"),
        ({"area": "-94.87,43.10,-94.90,43.12"}, "areas.county_2021"),
        ({"area": "10.0,50.0,10.03,50.02"}, "crops"),
        ({"season": "2021-10-31 2021-03-01"}, "its last day is not after its first"),
        ({"season": "spring 2021"}, "give its first and last day"),
        ({"labels": "nowhere.csv"}, "nowhere.csv cannot be read as labels"),
        ({"column": "cropp"}, "did you mean 'crop'?"),
        ({"name": "1st"}, "areas"),
        ({"source": "rasters"}, "give --rasters"),
        ({"rasters": "images"}, "--rasters images is read by --source rasters, not by synthetic"),
    ],
)
def test_what_would_not_work_is_told_and_nothing_is_written(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    done = init(tmp_path / "mine", **changes)
    assert done.exit_code != 0
    assert message in str(done.exception) + done.output
    assert not (tmp_path / "mine").exists()


def test_a_season_across_new_year_and_an_outline_with_heights(tmp_path: Path) -> None:
    shape = box(-94.90, 43.10, -94.87, 43.12)
    heights = geopandas.GeoSeries([force_3d(shape, 312.5)], crs=4326)
    heights.to_file(tmp_path / "area.geojson")
    done = init(
        tmp_path / "mine", area=str(tmp_path / "area.geojson"), season="2020-10-01 2021-07-31"
    )
    assert done.exit_code == 0, done.output
    config = load(tmp_path / "mine" / "config" / "config.yaml")
    assert list(config.areas) == ["county_2020"]
    assert area_geometry(config.areas["county_2020"]).equals(shape)
    assert problems(config) == []


def test_every_source_gives_a_config(tmp_path: Path) -> None:
    """Without a look at the service: a catalogue is one without an account."""
    for name in sources():
        if name == "rasters":
            continue  # its images must be there
        done = init(tmp_path / name, source=name)
        assert done.exit_code == 0, (name, done.exception, done.output)
        (area,) = load(tmp_path / name / "config" / "config.yaml").areas.values()
        assert area.source == name
        assert area.labels == (() if name == "stac" else ("worldcover",))
        assert (area.stac is not None) == (name == "stac")


def test_half_a_config_is_asked_for_in_full(tmp_path: Path) -> None:
    done = init(tmp_path / "mine", labels=None)
    assert done.exit_code == 2 and "needs --labels too" in done.output
