"""Surveys: files of labelled points and polygons -> labels of pixels, nothing lost unsaid."""

import re
import warnings
from datetime import date

import geopandas
import numpy as np
import pandas as pd
import pytest

from sitsformer.checks.problems import problems
from sitsformer.classes import Legend
from sitsformer.config import ConfigError, Survey, parse
from sitsformer.config.areas import Area
from sitsformer.legends import group
from sitsformer.surveys import entries
from sitsformer.surveys.reading import read
from survey_world import AREA, at, parsed, placed, points, save, survey_config

# Files


def _csv(frame, path):
    lonlat = frame.to_crs(4326)
    table = pd.DataFrame({"crop": frame.crop, "lon": lonlat.geometry.x, "lat": lonlat.geometry.y})
    table.to_csv(path, index=False)


def _spreadsheet(frame, path):
    _csv(frame, path)
    text = path.read_text().replace(",", ";").replace(".", ",")
    path.write_text("\ufeff" + text, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "write", "survey"),
    [
        ("a.gpkg", lambda f, p: f.to_crs(3857).to_file(p, layer="visits"), {}),
        ("a.geojson", lambda f, p: f.to_crs(4326).to_file(p), {}),
        ("a.parquet", lambda f, p: f.to_crs(5070).to_parquet(p), {}),
        ("a.shp", lambda f, p: f.to_crs(32614).to_file(p), {}),
        ("a.csv", _csv, {}),
        ("b.csv", _spreadsheet, {"lon": "lon", "lat": "lat"}),
        ("a.fgb", lambda f, p: f.to_file(p), {}),
    ],
)
def test_every_form_of_file_gives_the_same_labels(tmp_path, name, write, survey):
    frame = points().iloc[:188]
    frame.to_file(tmp_path / "plain.gpkg")
    write(frame, tmp_path / name)
    _, expected = placed(tmp_path / "plain.gpkg")
    _, found = placed(tmp_path / name, **survey)
    assert (expected.feature > 0).sum() > 20
    if name != "a.fgb":  # which sorts its features by place
        assert (found.feature == expected.feature).all()
    assert (found.codes == expected.codes).all()


@pytest.mark.parametrize(
    ("survey", "said"),
    [
        (
            {"column": "species"},
            "has no column 'species' (`column`); it has crop, year, sure",
        ),
        ({"column": "Crop"}, "sure, farm; did you mean 'crop'?"),
        ({"date": "when"}, "has no column 'when' (`date`)"),
        ({"kind": "polygons"}, "feature 1 is a Point, and `kind: polygons` takes polygons; say"),
        ({"layer": "second"}, "has no layer 'second'; it has"),
        ({"crs": "EPSG:4326"}, "and `crs` EPSG:4326; leave `crs` out"),
        ({"crs": "Lambert"}, "'Lambert' (`crs`) is no coordinate reference system"),
        ({"legend": "worldcover"}, "names that the legend worldcover lacks: Alfalfa, Flax"),
        ({"legend": "none.csv"}, "legend 'none.csv'"),
        ({"weight": "farm"}, "feature 1: 'farm 0' is no weight"),
        ({"date": "farm"}, "feature 1: 'farm 0' is no date; write 2018-06-30"),
    ],
)
def test_what_the_first_job_would_refuse_is_refused_before(tmp_path, survey, said):
    points().to_file(tmp_path / "points.gpkg")
    found = problems(parsed(tmp_path / "points.gpkg", **survey))
    assert any(line.startswith("labels.survey") and said in line for line in found), found


def test_what_stands_for_nothing_is_nothing_or_said(tmp_path, caplog):
    """Exports of R and of spreadsheets have words for empty cells."""
    path = tmp_path / "a.csv"
    path.write_text("crop,lon,lat\nMaize,NA,50\nMaize,4.5,-\nNA,4.5,50\n,4.6,50\n")
    survey = Survey(kind="points", path=str(path), column="crop")
    with caplog.at_level("WARNING", logger="sitsformer"):
        found = read("survey", survey)
    assert found.lost.tolist() == ["no_shape", "no_shape", "", "no_class"]
    assert "NA is taken for a class; empty these cells" in caplog.text


def test_what_gdal_mends_is_logged(tmp_path, monkeypatch, caplog):
    frame = points().iloc[:5]
    frame.to_file(tmp_path / "a.gpkg")
    plain = geopandas.read_file

    def warns(*args, **options):
        warnings.warn("rings with invalid winding order", RuntimeWarning, stacklevel=1)
        return plain(*args, **options)

    monkeypatch.setattr(geopandas, "read_file", warns)
    survey = Survey(kind="points", path=str(tmp_path / "a.gpkg"), column="crop")
    with caplog.at_level("WARNING", logger="sitsformer"):
        read("survey", survey)
    assert "a.gpkg: rings with invalid winding order" in caplog.text


def test_files_that_hold_no_survey_are_refused(tmp_path):
    frame = points().iloc[:50]
    empty = frame.iloc[:0]
    cases = {
        "does not exist": tmp_path / "none.gpkg",
        "cannot be read": tmp_path / "text.gpkg",
        "has no coordinate reference system": tmp_path / "bare.shp",
        "holds no features": tmp_path / "empty.gpkg",
        "has no column lon or longitude; it has crop": tmp_path / "plain.csv",
        "feature 2 has 'four' in the column lon": tmp_path / "words.csv",
        "several layers, a, b; name the one that is meant with `layer`": tmp_path / "two.gpkg",
        "the two seem to be exchanged": tmp_path / "swapped.csv",
        "save the sheet as CSV": tmp_path / "book.xlsx",
        "a raster is no survey": tmp_path / "codes.tif",
        "500100 and 5600000 are no degrees; name the system": tmp_path / "metres.csv",
        "1 of 3 features are not in the system of the others, feature 2 (500100, 5600000)": (
            tmp_path / "mixed.csv"
        ),
    }
    (tmp_path / "text.gpkg").write_text("no database")
    frame.to_file(tmp_path / "bare.shp")
    (tmp_path / "bare.prj").unlink()
    empty.to_file(tmp_path / "empty.gpkg")
    (tmp_path / "plain.csv").write_text("crop,place\nMaize,here\n")
    (tmp_path / "words.csv").write_text("crop,lon,lat\nMaize,4.5,50\nMaize,four,50\n")
    (tmp_path / "metres.csv").write_text("crop,x,y\nMaize,500100,5600000\n")
    rows = "Maize,4.5,50\nMaize,500100,5600000\nMaize,4.6,50\n"
    (tmp_path / "mixed.csv").write_text(f"crop,lon,lat\n{rows}")
    (tmp_path / "swapped.csv").write_text("crop,lat,lon\nMaize,-94.9,43.1\n")
    (tmp_path / "book.xlsx").write_bytes(b"PK")
    (tmp_path / "codes.tif").write_bytes(b"II")
    frame.to_file(tmp_path / "two.gpkg", layer="a")
    frame.to_file(tmp_path / "two.gpkg", layer="b")
    for said, path in cases.items():
        found = problems(parsed(path))
        assert any(line.startswith("labels.survey") and said in line for line in found), found


def test_surveys_elsewhere_and_of_other_years_are_refused(tmp_path):
    points().iloc[:188].assign(year=2018).to_file(tmp_path / "old.gpkg")
    found = problems(parsed(tmp_path / "old.gpkg", date="year"))
    assert "is of its season, 2021-03-01 to 2021-10-31; the column 'year' says 2018" in found[0]
    points().iloc[:188].translate(200_000, 0).to_frame("geometry").assign(crop="Rye").to_file(
        tmp_path / "away.gpkg"
    )
    found = problems(parsed(tmp_path / "away.gpkg"))
    assert "areas.county: no feature of" in found[0] and "they lie at -92.4" in found[0]
    points().iloc[:188].assign(crop="Rye").to_file(tmp_path / "rye.gpkg")
    found = problems(parsed(tmp_path / "rye.gpkg"))
    assert "has 1 class with 10 features (`min_samples`) in its areas (Rye 188)" in found[0]


def test_a_sound_survey_has_no_problem(tmp_path):
    points().to_file(tmp_path / "points.gpkg")
    assert problems(parsed(tmp_path / "points.gpkg", date="year", group="farm")) == []


# Config


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label": "survey", "purity": 3}, "sets.crops.purity: 3 asks for labels around each"),
        ({"label": "worldcover", "split": {"by": "group"}}, "group needs labels that have groups"),
        (
            {"label": "survey", "split": {"by": "group"}, "unlabelled": "keep"},
            "keep makes samples without a group",
        ),
        ({"label": "surveys"}, "and `labels` has ['survey']"),
    ],
)
def test_sets_that_no_survey_can_give_are_refused(changes, said):
    labels = {"survey": {"kind": "points", "path": "p.gpkg", "column": "crop"}}
    with pytest.raises(ConfigError, match="cannot be used") as refused:
        parse(survey_config(labels, {"crops": changes}))
    assert said in str(refused.value)


def test_keys_and_names_that_mean_nothing_are_refused():
    for name, survey, said in (
        ("cdl", {}, "labels.cdl: 'cdl' is a layer of cubes"),
        ("mine", {"erode": 5.0}, "erode: for `kind: polygons` alone"),
        ("mine", {"kind": "lines"}, "unknown kind of labels 'lines'"),
        ("mine", {"weight": "crop"}, "the column 'crop' is named for two things"),
    ):
        labels = {name: {"kind": "points", "path": "p.gpkg", "column": "crop"} | survey}
        with pytest.raises(ConfigError) as refused:
            parse(survey_config(labels, {"crops": {"label": name}}))
        assert said in str(refused.value)


def test_every_pixel_of_a_survey_is_a_sample_unless_the_set_says_how_many():
    labels = {"survey": {"kind": "points", "path": "p.gpkg", "column": "crop"}}
    sets = {
        "every": {"label": "survey"},
        "some": {"label": "survey", "per_tile": 7},
        "land": {"label": "worldcover"},
    }
    chosen = parse(survey_config(labels, sets)).sets
    assert [chosen[name].per_tile for name in sets] == ["all", 7, 1000]


def test_an_area_of_rasters_has_the_labels_of_its_section_unless_it_says_which():
    raster = {"path": "a.tif", "legend": "worldcover"}
    common = {"source": "rasters", "bounds": [3, 50, 3.1, 50.1], "start": date(2018, 3, 1)}
    common["end"] = date(2018, 10, 1)
    assert Area(**common, rasters={"path": "x"}).labels == ()
    assert Area(**common, rasters={"path": "x", "labels": {"a": raster}}).labels == ("a",)


# Columns


@pytest.mark.parametrize(
    ("cell", "fits"),
    [
        ("", (True, True)),
        ("2021", (True, False)),
        ("2021.0", (True, False)),
        ("2022", (False, True)),
        ("2021-06-30", (True, False)),
        ("2021-06-30T12:00:00", (True, False)),
        ("20210630", (True, False)),
        ("2021-12-24", (False, True)),
        ("2021/2022", (False, True)),
        ("2021/22", (False, True)),
        ("2021-2022", (False, True)),
        ("2020/21", (False, False)),
    ],
)
def test_seasons_of_labels(cell, fits):
    summer = Area.model_validate(AREA)
    winter = Area.model_validate(AREA | {"start": "2021-11-01", "end": "2022-07-31"})
    (season,) = entries.seasons([cell], "here")
    assert (season.fits(summer), season.fits(winter)) == fits


def test_classes_come_from_names_whatever_their_capitals(caplog):
    code, legend = entries.classes(["Maize", "maize", "Rye", "", "Maize"], None, "here")
    assert code.tolist() == [1, 1, 2, -1, 1]
    assert legend.names == ("Maize", "Rye") and len(set(legend.colours)) == 2
    assert "Maize and maize are taken for one class" in caplog.text


def test_codes_are_kept_and_zero_is_a_class():
    code, legend = entries.classes(["0", "600", "7.0"], None, "here")
    assert code.tolist() == [0, 600, 7]
    assert legend.codes == (0, 7, 600) and legend.no_label == 255 and legend.dtype == np.uint16


def test_many_classes_have_colours_of_their_own():
    assert len(set(entries.colours(60))) == 60


def test_a_product_names_codes_and_colours(tmp_path):
    path = save(tmp_path / "a.gpkg", [at(1, 1), at(2, 2)], crop=[1, 5])
    found, _ = placed(path, legend="cdl")
    assert dict(zip(found.legend.codes, found.legend.names, strict=True))[5] == "Soybeans"


def test_classes_of_a_set_may_name_entries():
    legend = Legend("crops", (1, 2, 7), ("Winter wheat", "Rye", "Maize"), ("#000000",) * 3)
    found = group(legend, {"cereals": ("winter wheat", 2), "maize": ("7",)})
    assert found.codes == ((1, 2), (7,))
    with pytest.raises(ConfigError, match=r"unknown label 'Mais'.*did you mean 'Maize'"):
        group(legend, {"maize": ("Mais",)})


@pytest.mark.parametrize(
    ("half", "survey", "said"),
    [
        ((9, 9), {}, "of the 40 features of .* none has a pixel of 10 m .* 10 m or more within"),
        ((9, 40), {}, "only those of Soya have a pixel .*; `erode: 0` takes pixels up to"),
        ((1, 1), {"erode": 0}, "none has a pixel .*; they are too small to be seen"),
        ((9, 9), {"erode": 0}, None),
        ((30, 40), {}, None),
    ],
)
def test_fields_too_narrow_for_samples_are_told_before_a_cube_is_made(tmp_path, half, survey, said):
    around = [(column, row) for column in (5, 20, 35, 50) for row in range(5, 55, 5)]
    shapes = [at(c, r, 2, 2).buffer(half[k % 2], cap_style=3) for k, (c, r) in enumerate(around)]
    names = [("Maize", "Soya")[k % 2] for k in range(len(around))]
    path = save(tmp_path / "fields.gpkg", shapes, crop=names)
    found = problems(parsed(path, kind="polygons", **survey))
    assert len(found) == (said is not None)
    if said is not None:
        assert found[0].startswith("sets.crops.label: ")
        assert re.search(said, found[0]), found[0]


def test_a_column_of_names_that_all_differ_is_told_in_one_line(tmp_path):
    frame = points().iloc[:188]
    frame.assign(crop=[f"field {k}" for k in range(188)]).to_file(tmp_path / "ids.gpkg")
    (found,) = problems(parsed(tmp_path / "ids.gpkg"))
    assert "has 0 classes with 10 features" in found and "... (188 in all)" in found
    assert len(found) < 500


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        (lambda x, y: (y, x), "longitude and latitude seem to be exchanged: then 1"),
        (lambda x, y: (-x, y), "longitudes seem to lack their sign"),
        (lambda x, y: (x, -y), "latitudes seem to lack their sign"),
        (lambda x, y: (x + 3, y), "check the area, and the coordinate system of the file"),
    ],
)
def test_a_survey_elsewhere_is_told_with_the_likely_mistake(tmp_path, moved, said):
    there = points().iloc[:188].to_crs(4326)
    x, y = moved(there.geometry.x.to_numpy(), there.geometry.y.to_numpy())
    if abs(y).max() > 90:  # where the two cannot be told apart by themselves
        x, y = x / 10, y / 10
        area = AREA | {"bounds": [-9.49, 4.310, -9.488, 4.311]}
    else:
        area = AREA
    table = pd.DataFrame({"lon": x, "lat": y, "crop": there.crop})
    table.to_csv(tmp_path / "moved.csv", index=False)
    labels = {"own": {"kind": "points", "path": str(tmp_path / "moved.csv"), "column": "crop"}}
    values = survey_config(labels, {"crops": {"label": "own"}}, areas={"county": area})
    (found,) = problems(parse(values))
    assert said in found
