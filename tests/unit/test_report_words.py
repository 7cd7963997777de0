"""Parts of the report: digits, what next, the words it explains."""

from __future__ import annotations

import copy
import html
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import made_run
from sitsformer.artefacts import read
from sitsformer.config import load, parse
from sitsformer.evaluation import digits, tables
from sitsformer.paths import Paths
from sitsformer.report import gather, nextconfig, page, whatnext
from sitsformer.report.gather import Material
from sitsformer.report.words import WORDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = made_run.make(tmp_path_factory.mktemp("run")).parent
    artefacts = [
        *(folder / "cubes" / "county").glob("*.zarr"),
        *(folder / "models").glob("*-p0"),
        folder / "patches" / "crops.zarr",
        folder / "maps" / "county" / "county.tif",
    ]
    assert {str(read(path)["kind"]) for path in artefacts[:-1]} == {"cube", "model", "samples"}
    return gather.gather(folder.parent / "config.yaml", folder / "tables", None, artefacts)


@pytest.mark.parametrize(
    ("low", "high", "written"),
    [
        (0.014, 0.04, "0.01 – 0.04"),
        (0.001, 0.04, "0.001 – 0.040"),
        (-0.0004, 0.2, "-0.0004 – 0.2000"),
        (0.80012, 0.80049, "0.8001 – 0.8005"),
        (0.0, 0.5, "0.00 – 0.50"),
        (float("nan"), 0.5, ""),
    ],
)
def test_intervals_keep_the_digits_that_tell(low: float, high: float, written: str) -> None:
    assert digits.interval(low, high, 2) == written


@given(st.integers(-9999, 9999), st.integers(-9999, 9999))
def test_an_interval_that_excludes_zero_reads_so(a: int, b: int) -> None:
    low, high = sorted((a / 10_000, b / 10_000))
    left, right = (float(text) for text in digits.interval(low, high, 2).split(" – "))
    assert (left > 0, right < 0) == (low > 0, high < 0)
    assert (left == right) == (low == high)


def test_what_next_follows_from_the_run(material: Material, tmp_path: Path) -> None:
    folder = material.folder.parent
    maps = [page.mapped.section(material, path, folder) for path in material.maps]
    heads = {step["head"]: step for step in whatnext.steps(material, maps, folder)}
    assert "Open the map of county" in heads and "A map" not in heads
    for step in heads.values():
        assert all((folder / link).is_file() for _, link in step.get("files", ()))
    counted = whatnext.steps(material, [{**maps[0], "measured": False}], folder)
    (measure,) = (step for step in counted if step["head"].startswith("Measure"))
    assert measure["code"].startswith(f"sitsformer assess {material.maps[0]} ")
    bare = {step["head"] for step in whatnext.steps(material, [], folder)}
    assert "A map" in bare and not any("map of" in head for head in bare)


def test_another_year_is_a_whole_config(material: Material, tmp_path: Path) -> None:
    folder = material.folder.parent
    maps = [page.mapped.section(material, path, folder) for path in material.maps]
    (step,) = (
        s for s in whatnext.steps(material, maps, folder) if s["head"] == "Another area or year"
    )
    assert step["text_of_file"] in html.unescape(page.render(material, {}, folder))
    assert "next.yaml" in step["code"]


@pytest.mark.parametrize(
    ("name", "area"),
    [("config.yaml", "county_2021"), ("examples/iowa.yaml", None), ("examples/rasters.yaml", None),
     ("examples/stac.yaml", None), ("examples/full.yaml", None)],
)  # fmt: skip
def test_the_config_of_another_year_can_be_used(name: str, area: str | None) -> None:
    config = load(ROOT / "config" / name)
    area = area or next(iter(config.maps.tiles), next(iter(config.areas)))
    found = parse(yaml.safe_load(nextconfig.text(config, area)))
    (new,) = found.areas.values()
    assert new.start.year == config.areas[area].start.year + 1
    assert all(
        getattr(found.patches, k) == getattr(config.patches, k) for k in nextconfig.OF_A_SAMPLE
    )
    assert found.maps.mask == config.maps.mask and found.maps.within == config.maps.within
    assert not found.learns and found.maps.model == Paths(config).map_model()
    assert found.results != config.results


def test_a_season_from_the_29th_of_february_has_a_next_year() -> None:
    values = copy.deepcopy(made_run.CONFIG)
    values["areas"]["county"] |= {"start": "2020-02-29", "end": "2020-10-31"}
    next_year = yaml.safe_load(nextconfig.text(parse(values), "county"))["areas"]["county_next"]
    assert (next_year["start"], next_year["end"]) == ("2021-02-28", "2021-10-31")


def test_the_page_sends_nobody_to_a_file_that_a_copy_lacks(material: Material) -> None:
    """What it explains it explains itself; files are links, and it says where these work."""
    folder = material.folder.parent
    text = page.render(material, {}, folder)
    assert set(re.findall(r"docs/\S*", text)) == {"docs/"}
    assert "Links to files work where this page lies in its folder" in text
    for name, row in tables.ROWS.items():
        assert f"<code>{name}.csv</code>" in text
        assert str(page._coded(row)) in text


def test_the_documentation_says_the_same_of_tables() -> None:
    text = (ROOT / "docs" / "evaluation.md").read_text()
    for name, row in tables.ROWS.items():
        assert f"| `{name}` | {row} |" in text


def test_undecided_claims_say_what_would_decide_them(material: Material) -> None:
    claims = pd.DataFrame({"verdict": ["undecided", "supported"]})
    other = replace(material, tables={**material.tables, "claims": claims})
    steps = {step["head"]: step for step in whatnext.steps(other, [], material.folder)}
    more = yaml.safe_load(f"{{{steps['1 of 2 claims are undecided']['code']}}}")
    draws, seeds = material.config.fewshot.seeds, material.config.pretrain.seeds
    assert more["fewshot"]["seeds"] == 2 * draws
    assert len(more["pretrain"]["seeds"]) == 3 and set(seeds) <= {*more["pretrain"]["seeds"]}


def test_the_page_says_of_accuracy_whether_it_was_measured_here(material: Material) -> None:
    folder = material.folder.parent
    text = page.render(material, {}, folder)
    table = pd.read_csv(folder / "maps" / "county" / "county_areas.csv")
    carried = table.basis.iloc[0].startswith("carried over")
    assert ("accuracy, carried over" in text) == carried
    assert ("not valid for this area" in text) == carried


def test_the_words_that_the_page_uses_are_explained(material: Material) -> None:
    text = page.render(material, {}, material.folder.parent)
    for word, meaning in WORDS.items():
        assert f"<dt>{word}</dt>" in text
        assert meaning.endswith(".")
    shown = re.sub(r"<[^>]+>", " ", text[text.index("What next") :])
    explained = " ".join(WORDS)
    for word in (
        "draw",
        "shots",
        "cell",
        "pretraining run",
        "test blocks",
        "control",
        "balanced accuracy",
    ):
        assert word in shown and word in explained


def test_the_headline_calls_no_ground_unseen(material: Material) -> None:
    """What pretraining has seen stands beside it, and in the table of leakage."""
    text = page.render(material, {}, material.folder.parent)
    head = text[text.index('class="headline"') : text.index("What next")]
    assert "unseen" not in head and "apart from every labelled sample" in head
