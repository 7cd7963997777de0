"""Files as people have them: encodings, tables, dates and codes as other programs write them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
from shapely import LineString, MultiPoint, Point, box

from sitsformer.config import ConfigError, Survey
from sitsformer.legends import group
from sitsformer.surveys.reading import Surveyed, read

NAMES = ["maïs", "blé", "orge"]


def points(**columns: Any) -> geopandas.GeoDataFrame:
    place = geopandas.points_from_xy([4.1, 4.2, 4.3], [50.1, 50.2, 50.3])
    return geopandas.GeoDataFrame({"crop": NAMES, **columns}, geometry=place, crs=4326)


def table(path: Path, text: str = "", **columns: Any) -> Path:
    frame = pd.DataFrame({"lon": [4.1, 4.2, 4.3], "lat": [50.1, 50.2, 50.3], "crop": NAMES})
    path.write_text(text or frame.assign(**columns).to_csv(index=False))
    return path


def survey(path: Path, **more: Any) -> Surveyed:
    values = {"kind": "points", "path": str(path), "column": "crop", **more}
    return read("own", Survey.model_validate(values))


@pytest.mark.parametrize(
    ("encoding", "says"), [("cp1252", True), ("cp1252", False), ("utf-8", True), ("utf-8", False)]
)
def test_names_of_a_shapefile_are_read_whether_it_says_their_encoding_or_not(
    tmp_path: Path, encoding: str, says: bool, caplog: pytest.LogCaptureFixture
) -> None:
    points().to_crs(31370).to_file(tmp_path / "p.shp", encoding=encoding)
    if not says:
        (tmp_path / "p.cpg").unlink()
    found = survey(tmp_path / "p.shp")
    assert found.legend.names == ("blé", "maïs", "orge")
    assert ("its names are UTF-8" in caplog.text) == (encoding == "utf-8" and not says)


@pytest.mark.parametrize(("gone", "message"), [(".shx", "lacks p.shx"), (".dbf", "lacks p.dbf")])
def test_a_shapefile_that_was_copied_in_part_is_refused(
    tmp_path: Path, gone: str, message: str
) -> None:
    points().to_file(tmp_path / "p.shp")
    (tmp_path / f"p{gone}").unlink()
    with pytest.raises(ConfigError, match=f"{message} beside it: a Shapefile is four files"):
        survey(tmp_path / "p.shp")


def test_a_table_in_parquet_is_no_survey(tmp_path: Path) -> None:
    pd.DataFrame({"crop": NAMES, "lon": 4.0, "lat": 50.0}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ConfigError, match="without shapes, not a GeoParquet; save it as CSV"):
        survey(tmp_path / "t.parquet")


def test_a_table_with_semicolons_and_decimal_commas_is_read_in_every_column(tmp_path: Path) -> None:
    lines = ["lon;lat;crop;sure", "4,1;50,1;1,0;0,5", "4,2;50,2;2,0;1", "4,3;50,3;;2,25"]
    found = survey(table(tmp_path / "t.csv", "\n".join(lines)), weight="sure")
    assert found.frame.geometry.x.tolist() == [4.1, 4.2, 4.3]
    assert found.code.tolist() == [1, 2, -1] and found.lost.tolist() == ["", "", "no_class"]
    assert found.weight.tolist() == [0.5, 1.0, 2.25]


@pytest.mark.parametrize("code", [-1, 65536])
def test_a_code_that_no_layer_holds_is_refused(tmp_path: Path, code: int) -> None:
    path = table(tmp_path / "t.csv", crop=[code, 1, 2])
    with pytest.raises(ConfigError, match=rf"{code} is no code .* or empty these cells"):
        survey(path)


@pytest.mark.parametrize("form", ["csv", "gpkg"])
def test_codes_of_ten_digits_are_classes_which_a_set_may_gather(tmp_path: Path, form: str) -> None:
    """EuroCrops writes HCAT as whole numbers, as floats where a cell is empty."""
    codes = [3301060401, 3301010101, 3301060402]
    if form == "csv":
        path = table(tmp_path / "t.csv", crop=codes)
    else:
        path = tmp_path / "p.gpkg"
        points(crop=np.array(codes, np.float64)).to_file(path)
    found = survey(path)
    assert found.legend.names == ("3301010101", "3301060401", "3301060402")
    assert found.code.tolist() == [2, 1, 3] and found.legend.dtype == np.uint8
    classes = group(found.legend, {"maize": (3301060401, "3301060402"), "wheat": (3301010101,)})
    assert classes.codes == ((2, 3), (1,))
    with pytest.raises(ConfigError, match="unknown label 3301060403"):
        group(found.legend, {"maize": (3301060403,)})
    legend = tmp_path / "legend.csv"
    legend.write_text("code,name\n1,maize\n")
    with pytest.raises(ConfigError, match=r"3301010101 is no code .*leave out the legend legend"):
        survey(path, legend=str(legend))
    legend.write_text("code,name\n3301060401,maize\n")
    with pytest.raises(ConfigError, match=r"between 0 and 65535.*classes without a legend"):
        survey(path, legend=str(legend))


@pytest.mark.parametrize(
    "cell",
    ["2021-06-30", "2021-6-30", "2021-06-30T10:00:00Z", "20210630", "2021/06/30", "30.06.2021"],
)
def test_days_that_read_alike_everywhere_are_understood(tmp_path: Path, cell: str) -> None:
    found = survey(table(tmp_path / "t.csv", when=cell), date="when")
    assert {season.first for season in found.season} == {date(2021, 6, 30)}


@pytest.mark.parametrize(
    "cell",
    ["30/06/2021", "03/04/2021", "June 2021", "2021-06", "44377", "2021-02-30", "31.06.2021"],
)
def test_days_that_may_be_others_are_refused(tmp_path: Path, cell: str) -> None:
    with pytest.raises(ConfigError, match="is no date; write 2018-06-30"):
        survey(table(tmp_path / "t.csv", when=cell), date="when")


def test_days_and_codes_with_gaps_are_read_from_every_form_of_a_column(tmp_path: Path) -> None:
    when = pd.to_datetime(["2021-06-30", None, "2021-07-01"])
    made = points(when=when).assign(crop=pd.array([3, None, 1], dtype="Int64"))
    made.to_parquet(tmp_path / "p.parquet")
    made.assign(crop=[3.0, np.nan, 1.0]).to_file(tmp_path / "p.gpkg")
    for name in ("p.parquet", "p.gpkg"):
        found = survey(tmp_path / name, date="when")
        assert found.code.tolist() == [3, -1, 1]
        assert [season.first for season in found.season] == [
            date(2021, 6, 30), None, date(2021, 7, 1),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("shapes", "kind", "message"),
    [
        ([box(4, 50, 5, 51)] * 3, "points", "takes points; say `kind: polygons`"),
        ([Point(4, 50), box(4, 50, 5, 51), None], "points", "mixes 1 Point, 1 Polygon: put each"),
        ([Point(4, 50), MultiPoint([(4, 50), (5, 51)]), None], "polygons", "say `kind: points`"),
        ([LineString([(4, 50), (5, 51)])] * 3, "polygons", "takes polygons$"),
    ],
)
def test_shapes_of_another_kind_are_refused_with_what_helps(
    tmp_path: Path, shapes: list[Any], kind: str, message: str
) -> None:
    points().set_geometry(shapes, crs=4326).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(ConfigError, match=message):
        survey(tmp_path / "p.parquet", kind=kind)
