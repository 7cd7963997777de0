"""Legends as tables, and codes grouped into classes."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitsformer.classes import Classes, Legend
from sitsformer.config import ConfigError
from sitsformer.errors import SitsError
from sitsformer.labels import products
from sitsformer.legends import MOST_CLASSES, group, load_legend
from sitsformer.legendtable import clean


@pytest.mark.parametrize("name", products())
def test_shipped_legends_go_through_cf_attributes(name) -> None:
    legend = load_legend(name)
    assert Legend.from_flags(legend.flags()) == legend
    meanings = legend.flags()["flag_meanings"].split()
    assert len(meanings) == len(legend.codes) == len(legend.flags()["flag_colours"].split())


def test_codes_that_everyone_knows() -> None:
    cdl, worldcover = load_legend("cdl"), load_legend("worldcover")
    assert dict(zip(cdl.codes, cdl.names, strict=True))[24] == "Winter Wheat"
    assert dict(zip(cdl.codes, cdl.colours, strict=True))[1] == "#ffd300"
    assert dict(zip(worldcover.codes, worldcover.names, strict=True))[40] == "Cropland"
    assert len(worldcover.codes) == 11


@given(st.lists(st.integers(0, 300), min_size=1, max_size=50))
def test_index_is_a_lookup(codes) -> None:
    classes = group(load_legend("cdl"), {"corn": (1, 12), "soy": (5,)})
    layer = np.array(codes, np.uint16)
    expected = [{1: 0, 12: 0, 5: 1}.get(code, -1) for code in codes]
    assert classes.index(layer).tolist() == expected


def test_by_default_each_code_is_a_class_and_zero_is_none() -> None:
    legend = Legend("own", (0, 7, 3), ("none", "a", "b"), ("#000000", "#111111", "#222222"))
    assert group(legend, None).names == ("a", "b")
    assert group(legend, None).index(np.array([0, 3, 7, 9], np.uint8)).tolist() == [-1, 1, 0, -1]


def test_zero_is_a_class_where_another_code_means_no_label() -> None:
    mask = Legend("mask", (0, 1), ("other", "crop"), ("#bbbbbb", "#dd8800")).with_zero()
    assert (mask.no_label, mask.dtype) == (255, np.uint8)
    assert Legend.from_flags(mask.flags()) == mask
    layer = np.array([0, 1, 255], np.uint8)
    for classes in (None, {"other": (0,), "crop": (1,)}):
        found = group(mask, classes)
        assert (found.names, found.no_label) == (("other", "crop"), 255)
        assert found.index(layer).tolist() == [0, 1, -1]
    with pytest.raises(ConfigError, match="255 means no label"):
        group(mask, {"crop": (255,)})


def test_a_code_that_the_legend_has_never_means_no_label() -> None:
    def own(*codes: int) -> Legend:
        return Legend("own", codes, ("a",) * len(codes), ("#000000",) * len(codes)).with_zero()

    assert own(1, 2).no_label == 0
    assert own(0, 255).no_label == 1
    assert own(*range(256)).no_label == 256
    assert own(*range(256)).dtype == np.uint16
    with pytest.raises(SitsError, match="no code is left"):
        own(*range(65536))


def test_layers_written_before_there_was_another_code_read_as_zero() -> None:
    flags = load_legend("worldcover").flags()
    del flags["no_label"]
    assert Legend.from_flags(flags).no_label == 0


NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).map(clean).filter(bool)


@given(st.dictionaries(st.integers(0, 65535), NAMES, min_size=1, max_size=20))
def test_flag_meanings_are_one_word_of_cf_a_code(named) -> None:
    colours = tuple("#112233" for _ in named)
    legend = Legend("own", tuple(named), tuple(named.values()), colours)
    flags = json.loads(json.dumps(legend.flags()))
    words = flags["flag_meanings"].split(" ")
    assert len(set(words)) == len(words) == len(flags["flag_values"])
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", word) for word in words)
    assert Legend.from_flags(flags) == legend


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("Winter Wheat", "maize"), "winter_wheat maize"),
        (("blé tendre d'hiver", "Maïs"), "ble_tendre_d_hiver mais"),
        (("冬小麦", "玉米"), "code_3 code_4"),
        (("σιτάρι 1", "maize"), "1_code_3 maize"),
        (("wheat (winter)", "wheat, winter"), "wheat_winter_code_3 wheat_winter_code_4"),
        (("a", "a", "a code 3"), "a_code_3 a_code_4 a_code_3_code_5"),
        (("🌾", "C++ & <b>$x$</b>"), "code_3 c_b_x_b"),
    ],
)
def test_words_are_readable_where_a_name_allows(names, words) -> None:
    codes = tuple(range(3, 3 + len(names)))
    assert Legend("own", codes, names, ("#000000",) * len(codes)).flags()["flag_meanings"] == words


def test_names_of_several_codes_become_classes_that_can_be_told_apart() -> None:
    classes = group(load_legend("cdl"), None)
    assert len(set(classes.names)) == len(classes.names)
    assert {"Barren (65)", "Barren (131)", "Corn"} <= set(classes.names)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"corn": (1,), " corn": (5,)}, "two classes are called 'corn'"),
        ({"é": (1,), "e\u0301": (5,)}, "two classes are called 'é'"),
        ({" \n": (1,)}, "'' cannot be the name"),
        ({"(none)": (1,)}, "'\\(none\\)' cannot be the name"),
        ({"corn": ()}, "has no codes"),
        ({"corn": (77777,)}, "unknown label 77777"),
        ({"corn": (1,), "maize": (1,)}, "stands in two classes"),
        ({}, "no class is left"),
    ],
)
def test_classes_that_no_table_could_tell_apart_are_refused(classes, message) -> None:
    with pytest.raises(ConfigError, match=message):
        group(load_legend("cdl"), classes)


def test_more_classes_than_indices_are_refused() -> None:
    codes = tuple(range(1, MOST_CLASSES + 2))
    names, colours = tuple(map(str, codes)), ("#000000",) * len(codes)
    with pytest.raises(ConfigError, match="at most 32768 can be told apart"):
        group(Legend("own", codes, names, colours), None)
    most = group(Legend("own", codes[1:], names[1:], colours[1:]), None)
    assert most.index(np.array([codes[-1]], np.uint16)).tolist() == [MOST_CLASSES - 1]


TABLE = "code,name,colour\n1,Blé tendre,#dd8800\n2,Maïs,#ffd300\n"
READ = ((1, 2), ("Blé tendre", "Maïs"), ("#dd8800", "#ffd300"))


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.replace("\n", "\r\n").encode("utf-8-sig"),
        TABLE.replace("\n", "\r").encode(),
        TABLE.encode("utf-16"),
        b"\xfe\xff" + TABLE.encode("utf-16-be"),
        TABLE.encode("cp1252"),
        TABLE.replace(",", ";").encode(),
        TABLE.replace(",", "\t").encode("utf-16"),
        b"sep=;\r\n" + TABLE.replace(",", ";").encode(),
        TABLE.replace(",", ", ").encode(),
        (TABLE + "\n,,\n\n").encode(),
        ("\n" + TABLE).encode(),
        TABLE.replace("colour", "Color ").replace("code", "CODE").encode(),
        TABLE.replace("1,", "1.0,").replace("2,", "2.00,").encode(),
        TABLE.replace(",", ";").replace("1;", "1,0;").encode(),
        TABLE.replace("#dd8800", "DD8800").replace("#ffd300", "#FFD300").encode(),
        TABLE.replace("#dd8800", "#d80").replace("#ffd300", "Gold").encode(),
        TABLE.replace("Maïs", '"Maïs"').replace("Blé", " Ble\u0301 ").encode(),
        "area,colour,name,code\n3,#dd8800,Blé tendre,1\n4,#ffd300,Maïs,2\n".encode(),
    ],
)
def test_tables_as_spreadsheets_save_them(tmp_path, data) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(data)
    legend = load_legend(str(path))
    expected = list(READ[2])
    if b"Gold" in data:
        expected[1] = "#ffd700"
    assert (legend.codes, legend.names, legend.colours) == (*READ[:2], tuple(expected))
    assert (legend.name, legend.no_label) == ("own", 0)


def test_quotes_colours_and_lines_of_a_cell(tmp_path) -> None:
    path = tmp_path / "own.csv"
    path.write_text('code,name\n1,"wheat, ""winter"""\n2,"on two\nlines"\n')
    legend = load_legend(str(path))
    assert legend.names == ('wheat, "winter"', "on two lines")
    assert len(set(legend.colours)) == 2


def test_the_code_page_of_windows_is_told(tmp_path, caplog) -> None:
    path = tmp_path / "western.csv"
    path.write_bytes(TABLE.encode("cp1252"))
    load_legend(str(path))
    assert "read as Windows-1252, where a line is '1,Blé tendre" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("code,label\n1,a\n", "needs a first line with the columns code,name,colour; it has"),
        ("1,a,#112233\n", "needs a first line .* it has 1, a, #112233"),
        ("code,name,colour\none,a,#112233\n", "line 2: 'one' is not a code"),
        ("code,name,colour\n,a,#112233\n", "line 2: '' is not a code"),
        ("code,name,colour\n-1,a,#112233\n", "from 0 to 65535"),
        ("code,name,colour\n1.5,a,#112233\n", "'1.5' is not a code"),
        ("code,name,colour\n1,a,#112233\n1.0,b,#112233\n", "code 1 stands in several rows"),
        ("code,name,colour\n", "no rows below its header"),
        ("", "is empty"),
        ("code,name,colour\n70000,a,#112233\n", "between 0 and 65535"),
        ("code,name,colour\n1,a,rosso\n", "is not a colour"),
        ("code,name,colour\n1,a,6400\n", "a spreadsheet drops the zeros"),
        ("code,name,colour\n1, ,#112233\n", "line 2: code 1 has no name"),
        ("code,name,colour\n1,wheat, winter,#112233\n", "line 2: 4 cells below 3 columns"),
        ('code,name,colour\n1,"wheat,#112233\n', "see to the quotes"),
        ("code,name,color,colour\n1,a,#112233,\n", "two columns are called colour"),
        ("PK\x03\x04", "workbook"),
        ("code\x00,name\n", "not text"),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, message) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_legend(str(path))


@pytest.mark.parametrize("data", [b"\xff\xfea", b"code,name\n1,\x81\x8d\n"])
def test_bytes_of_no_known_letters_are_refused(tmp_path, data) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"save the table as CSV"):
        load_legend(str(path))


def test_a_table_that_is_not_there_or_a_folder_is_refused(tmp_path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_legend(str(path))


def test_classes_without_codes_index_no_layer():
    """Tables of predictions keep names and colours alone."""
    with pytest.raises(ValueError, match="shorter"):
        Classes(("a",), ("#000000",)).index(np.zeros((2, 2), np.uint8))
