"""Legends as tables, and codes grouped into classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitsformer.classes import Legend, group, load_legend
from sitsformer.config import ConfigError
from sitsformer.labels import products


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("code,label\n1,a\n", "needs the columns"),
        ("code,name,colour\none,a,#112233\n", "needs the columns"),
        ("code,name,colour\n1,a,#112233\n1,b,#112233\n", "differ from each other"),
        ("code,name,colour\n", "must be there"),
        ("code,name,colour\n70000,a,#112233\n", "between 0 and 65535"),
        ("code,name,colour\n1,a,red\n", "is not a colour"),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, message) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_legend(str(path))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_legend(str(tmp_path / "none.csv"))
