"""The records of label products: each one is whole, and bad ones are refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sitsformer.errors import SitsError
from sitsformer.imagery.synthetic.labelling import DRAWN
from sitsformer.labels import LabelProduct, confidence_layers, products
from sitsformer.labels.product import LARGEST
from sitsformer.legends import load_legend


@pytest.mark.parametrize("name", products())
def test_a_legend_fits_its_layer_and_has_the_codes_that_the_record_names(name: str) -> None:
    product, legend = products()[name], load_legend(name)
    assert max(legend.codes) <= LARGEST[product.dtype] == np.iinfo(product.dtype).max
    assert set(product.cropland) <= set(legend.codes)
    assert product.licence
    assert product.title


def test_what_the_landscape_draws_are_the_products_that_say_so() -> None:
    assert set(DRAWN) == {name for name, item in products().items() if item.landscape}


def test_layers_have_an_order_that_requests_rest_on() -> None:
    assert list(products())[:2] == ["worldcover", "cdl"]
    assert "cdl_confidence" in confidence_layers()


def test_looking_through_the_products_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from sitsformer.labels import products\n"
        "assert products()\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "['sitsformer']"


@pytest.mark.parametrize(
    ("season", "years", "year"),
    [
        (2015, (2018, 2022), 2018),
        (2019, (2018, 2022), 2018),
        (2020, (2018, 2022), 2022),
        (2030, (2018, 2022), 2022),
        (2021, (2021,), 2021),
    ],
)
def test_the_nearest_year_is_taken_and_of_two_the_later(
    season: int, years: tuple[int, ...], year: int
) -> None:
    assert made(rule="nearest", years=years).year(season) == year
    assert made(rule="own", years=years).year(season) == season


@pytest.mark.parametrize(
    ("coverage", "box", "inside"),
    [
        (None, (10, 10, 11, 11), True),
        ((-125, 24, -66.5, 49.6), (-93.0, 42.0, -92.9, 42.1), True),
        ((-125, 24, -66.5, 49.6), (2.9, 48.1, 3.1, 48.3), False),
        ((-125, 24, -66.5, 49.6), (-93.0, 50.0, -92.9, 50.1), False),
        # New Zealand with the Chatham Islands; tiles on either side of 180 degrees, and on it.
        ((166, -48, -176, -34), (-176.5, -44, -176.4, -43.9), True),
        ((166, -48, -176, -34), (175.0, -40, 175.1, -39.9), True),
        ((166, -48, -176, -34), (179.99, -40, -179.99, -39.9), True),
        ((166, -48, -176, -34), (-170.0, -40, -169.9, -39.9), False),
        ((170, -48, 180, -34), (179.99, -40, -179.99, -39.9), True),
    ],
)
def test_coverage_is_a_box_that_may_cross_180_degrees(
    coverage: tuple[float, ...] | None, box: tuple[float, ...], inside: bool
) -> None:
    product = made(coverage=coverage, extent="there")
    assert product.covers(*box) is inside


def test_a_map_is_a_year_of_one_collection_or_a_collection_of_its_own() -> None:
    assert made(collection="A/B", rule="own").source(2021) == ("A/B", 2021)
    own = made(collection={2020: "A/v1", 2021: "A/v2"}, rule="nearest")
    assert own.source(own.year(2019)) == ("A/v1", None)
    assert own.ids == ("A/v1", "A/v2")
    assert not own.looked_up
    assert made(rule="own").looked_up


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "clear"}, "its name is one of"),
        ({"name": "scores"}, "its name is one of"),
        ({"name": "land-cover"}, "a letter, then letters, digits or '_'"),
        ({"legend": Path("none.csv")}, "its legend .*none.csv.* is no Path of a file"),
        ({"dtype": "int32"}, "its dtype 'int32' is none of"),
        ({"rule": "nearest"}, "the rule 'nearest' needs `years`"),
        ({"rule": "last"}, "neither 'own' nor 'nearest'"),
        ({"collection": {2020: "A"}, "years": (2020,)}, "`years` are the keys of `collection`"),
        ({"images": True}, "`images` needs a `collection` by year"),
        ({"coverage": (0, 0, 1, 1)}, "`coverage` needs an `extent`"),
        ({"coverage": (24, -125, 49, -66.5), "extent": "x"}, "is not west, south, east, north"),
        ({"coverage": (-125, 24), "extent": "x"}, "is not west, south, east, north"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(SitsError, match=f"label product '.*': .*{message}"):
        made(**changes)


def made(**changes: object) -> LabelProduct:
    """A record with some fields changed."""
    plain = LabelProduct(
        name="plain",
        title="a plain product",
        legend=products()["cdl"].legend,
        collection="A/B",
        band="b1",
        rule="own",
        licence="none",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]
