"""Tables of points as spreadsheets and field apps write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sitsformer.config import ConfigError, Survey
from sitsformer.surveys.reading import Surveyed, read

PLAIN = "lon,lat,crop\n4.1,50.1,Maize\n4.2,50.2,Soya beans\n"


def survey(path: Path, content: str | bytes, **more: Any) -> Surveyed:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    values = {"kind": "points", "path": str(path), "column": "crop", **more}
    return read("own", Survey.model_validate(values))


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", ";").replace(".", ",").encode("utf-8-sig"),
        "sep=;\r\n" + PLAIN.replace(",", ";"),
        '"sep=;"\n' + PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace(",", ", "),
        PLAIN.replace("lat,crop", "lat,crop,").replace("\n", ",\n"),
        "lon;lat;crop;what, if anything, was said\n4.1;50.1;Maize;a, b\n4.2;50.2;Soya beans;\n",
        "lon,lat,crop,remark,remark\n4.1,50.1,Maize,a,b\n4.2,50.2,Soya beans\n",
    ],
)  # fmt: skip
def test_every_spelling_of_a_table_is_the_same_survey(tmp_path: Path, content: str | bytes) -> None:
    found = survey(tmp_path / "t.csv", content)
    assert found.frame.geometry.x.tolist() == [4.1, 4.2]
    assert found.frame.geometry.y.tolist() == [50.1, 50.2]
    assert found.legend.names == ("Maize", "Soya beans") and found.code.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty; its first row names the columns"),
        ("crop\nMaize\n", "has no column lon or longitude; it has crop"),
        (PLAIN.encode("utf-16-le"), "has no column lon"),
        ("lon,lat,crop\n4.1,50.1,Maïs\n".encode("cp1252"), r"is not in UTF-8 \(byte 24\); save it"),
        (
            "lon,lat,crop\n4,1,50,1,Maize\n",
            "feature 1 has 5 cells, and the first row names 3 columns; part columns by semicolons "
            "where commas are decimal",
        ),
        (PLAIN + f"4.3,50.3,{'Flax ' * 50}\n", "a cell of 249 characters, .* of remarks?"),
        (PLAIN.replace("Maize", "3301010400").replace("Soya beans", "7"), "name a column of names"),
        (PLAIN + "4.3,50.3,Flax,5\n", "feature 3 has 4 cells"),
        ("lon;lat;crop\n4.1;50.1;a;b\n", "feature 1 has 4 cells, .* quote words that hold ';'"),
        (PLAIN.replace("crop", "crop,crop"), "has 2 columns 'crop'; give the one that is meant"),
        ("x,y,crop\n152345.5,173456.2,Maize\n", "152345.5 and 173456.2 are no degrees; name"),
        ("lon,lat,crop\n43.1,-94.9,Maize\n", "the two seem to be exchanged"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused_with_what_helps(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        survey(tmp_path / "t.csv", content)


def test_coordinates_are_those_of_the_system(tmp_path: Path) -> None:
    """Field apps write both; a system in metres is that of easting and northing."""
    text = "lon,lat,x,y,crop\n4.1,50.1,152345,173456,Maize\n4.2,50.2,152400,173400,Flax\n"
    metres = survey(tmp_path / "t.csv", text, crs="EPSG:31370")
    assert metres.frame.geometry.x.tolist() == [152345, 152400]
    degrees = survey(tmp_path / "t.csv", text)
    assert degrees.frame.geometry.x.tolist() == [4.1, 4.2]
    other = survey(tmp_path / "t.csv", text, crs="EPSG:4258")
    assert other.frame.geometry.x.tolist() == [4.1, 4.2]
