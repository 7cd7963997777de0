"""Figures: each one is drawn from made tables and arrays, and holds what it should."""

from __future__ import annotations

import re
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import phenology
from sitsformer import fewshot, plots
from sitsformer.classes import Classes
from sitsformer.config import Evaluation, parse
from sitsformer.evaluation import claims, evaluate
from sitsformer.evaluation.differences import compare
from sitsformer.plots import data, lettering, results, style, training

CLASSES = Classes(phenology.NAMES, phenology.COLOURS, ((1,), (2,), (3,), (4,)))


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    samples = phenology.make(600, blocks=40)
    made = phenology.cells(samples, shots=(1, 10, "all"), runs=2)
    table = fewshot.CellTable(tuple(made), samples.classes)
    settings = Evaluation(bootstrap=50)
    scores = evaluate.score_cells(table, settings)
    found = evaluate.gather(table, scores, samples.block, settings)
    differences = compare(found, 0.95)
    return {
        "summary": evaluate.summarise(found, 0.95),
        "differences": differences,
        "claims": claims.decide(differences, "full", 0.95),
        "per_class": evaluate.per_class(table),
        "confusion": evaluate.confusions(table),
        "reliability": evaluate.reliabilities(table, 10),
        "conformal": evaluate.conformal(table, samples.block, 0.1),
    }


def drawings(tables: dict[str, pd.DataFrame]) -> dict[str, str]:
    names = CLASSES.names
    return {
        "label_efficiency": style.render("a", results.label_efficiency, tables["summary"]),
        "differences": style.render("b", results.differences, tables["differences"]),
        "per_class": style.render(
            "c", results.per_class, tables["per_class"], tables["summary"], CLASSES
        ),
        "confusion": style.render(
            "d", results.confusion, tables["confusion"], tables["summary"], names
        ),
        "calibration": style.render(
            "e",
            results.calibration,
            tables["reliability"],
            tables["summary"],
            tables["conformal"],
        ),
    }


def colours_in(svg: str) -> set[str]:
    return set(re.findall(r"#[0-9a-f]{6}", svg))


def test_figures_of_results_are_whole_and_repeat(tables: dict[str, pd.DataFrame]) -> None:
    first, again = drawings(tables), drawings(tables)
    assert first == again
    for name, svg in first.items():
        ET.fromstring(svg)
        assert len(svg) > 5000, name
        for init in ("dual", "none"):
            if name not in ("confusion", "differences"):
                assert style.look(f"{init}-full").colour in colours_in(svg), (name, init)


def test_a_page_gets_inks_that_follow_light_and_dark(tables: dict[str, pd.DataFrame]) -> None:
    svg = drawings(tables)["label_efficiency"]
    body = style.inline(svg, "curve", 'Accuracy & "more"')
    assert not {style.INK, style.MUTED, style.GRID} & colours_in(body)
    assert "var(--ink)" in body
    root = ET.fromstring(body)
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'Accuracy & "more"'
    assert root.get("width") is None
    assert root.get("viewBox")
    identifiers = [item.get("id") for item in root.iter() if item.get("id")]
    assert all(str(one).startswith("curve-") for one in identifiers)
    used = set(re.findall(r'href="#([^"]+)"', body)) | set(re.findall(r"url\(#([^)]+)\)", body))
    assert used <= set(identifiers)


def test_a_file_of_its_own_is_on_white(tmp_path: Path) -> None:
    summary = pd.DataFrame({"x": [1]})
    svg = style.render("one", lambda _: style.figure(2.0), summary)
    style.write(svg, tmp_path / "one.svg")
    ET.parse(tmp_path / "one.svg")
    assert "background:#ffffff" in (tmp_path / "one.svg").read_text()


def test_ndvi_of_a_made_season(tmp_path: Path) -> None:
    from test_maps import made_cube

    from sitsformer.cube import open_cube

    made_cube(tmp_path / "c.zarr")
    cube = open_cube(tmp_path / "c.zarr")
    classes = Classes(("corn", "soybeans"), ("#ffd300", "#267000"), ((1,), (5,)))
    samples = data.ndvi_samples(cube, classes.index(cube.cdl.values), 60)
    by_class = samples.groupby("class").ndvi.median()
    # B04 about 0.1; B08 0.4 over corn and 0.1 over soy.
    assert by_class[0] == pytest.approx(0.6, abs=0.02)
    assert by_class[1] == pytest.approx(0.0, abs=0.02)
    clear = (cube.clear.values >= 60) & (cube.reflectance.values[:, 0] != 65535)
    assert len(samples) == int(clear.sum())
    svg = style.render("ndvi", data.phenology, samples, classes)
    ET.fromstring(svg)
    assert {"#ffd300", "#267000"} <= colours_in(svg)


def test_clear_dates_are_counted_by_month(tmp_path: Path) -> None:
    from test_maps import made_cube

    from sitsformer.cube import open_cube

    made_cube(tmp_path / "c.zarr")
    cube = open_cube(tmp_path / "c.zarr")
    counts = data.clear_counts(cube, 60)
    assert list(counts.index) == ["2021-04", "2021-05", "2021-06", "2021-07"]
    assert counts.sum() == pytest.approx((cube.clear.values >= 60).sum(0).mean())
    svg = style.render("clear", data.clear_observations, pd.DataFrame({"one": counts}).T)
    ET.fromstring(svg)
    assert "<!-- one -->" in svg


def test_samples_without_coordinates_are_named() -> None:
    nothing = np.full(5, np.nan)
    places = [
        data.Places("made", np.arange(5.0), np.arange(5.0), np.array([0, 0, 1, 2, 2], np.uint8)),
        data.Places("elsewhere", nothing, nothing, np.zeros(5, np.uint8)),
    ]
    svg = style.render("where", data.locations, places)
    ET.fromstring(svg)
    # Matplotlib says in comments which text its letters spell.
    said = re.findall("<!-- (.*?) -->", svg)
    assert any("elsewhere" in text for text in said), said


def test_histories_of_objectives() -> None:
    epochs = np.arange(5.0)
    runs = {
        "ssl-p0": pd.DataFrame({"epoch": epochs, "train_cross_view": 1 / (1 + epochs)}),
        "dual-p0": pd.DataFrame(
            {
                "epoch": epochs,
                "train_cross_view": 1 / (1 + epochs),
                "train_landcover": 2 - epochs / 5,
                "validation_cross_view": 1 / (1 + epochs),
                "validation_landcover": 2 - epochs / 6,
            }
        ),
    }  # fmt: skip
    svg = style.render("history", training.histories, runs)
    ET.fromstring(svg)
    said = " ".join(re.findall("<!-- (.*?) -->", svg))
    for word in ("reconstruction", "land cover", "epoch"):
        assert word in said.lower(), (word, said)


def test_principal_components_equal_scikit_learn() -> None:
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    vectors = np.random.default_rng(0).normal(size=(60, 7)) * np.arange(1, 8)
    expected = PCA(2).fit_transform(StandardScaler().fit_transform(vectors))
    np.testing.assert_allclose(np.abs(training.principal(vectors)), np.abs(expected), atol=1e-8)


def test_neighbour_vote_equals_scikit_learn_across_blocks() -> None:
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(0)
    label, block = rng.integers(0, 3, 80), rng.integers(0, 8, 80)
    vectors = rng.normal(size=(80, 4)) + label[:, None]
    scaled = (vectors - vectors.mean(0)) / vectors.std(0)
    guess = cross_val_predict(
        KNeighborsClassifier(5), scaled, label, groups=block, cv=LeaveOneGroupOut()
    )
    found = training.neighbour_vote(vectors, label, block)
    assert found == pytest.approx((guess == label).mean())


def test_figures_follow_the_config() -> None:
    values = {
        "sets": {"crops": {"store": "crops.zarr"}},
        "pretrain": {"set": "crops", "objectives": ["sl"]},
        "fewshot": {"set": "crops", "inits": ["none", "sl"]},
    }
    names = plots.names(parse(values))
    assert "label_efficiency" in names
    assert not {"phenology", "clear_observations", "reconstruction"} & set(names)
    assert all(
        figure.title and figure.category and figure.caption for figure in plots.FIGURES.values()
    )


ODD = ("a$^{$b", "冬小麦 --> 🌾", "_hidden <b>&amp;", "$\\frac{$ " + "w" * 300)


def test_figures_take_names_of_any_letters(tables: dict[str, pd.DataFrame], caplog) -> None:
    other = dict(zip(CLASSES.names, ODD, strict=True))
    renamed = {
        name: table.replace({key: other for key in ("class", "truth", "predicted") if key in table})
        for name, table in tables.items()
    }
    vectors = {"dual-p0": np.random.default_rng(0).normal(size=(40, 5))}
    label, block = np.arange(40) % 4, np.arange(40) // 8
    samples = pd.DataFrame(
        {
            "area": "county",
            "date": np.datetime64("2021-05-01", "s"),
            "class": np.arange(400) % 4,
            "ndvi": np.linspace(0, 1, 400),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = [
            style.render(
                "classes", results.per_class, renamed["per_class"], tables["summary"],
                Classes(ODD, CLASSES.colours),
            ),
            style.render("pairs", results.confusion, renamed["confusion"], tables["summary"], ODD),
            style.render(
                "points", training.embedding, vectors, label, block, Classes(ODD, CLASSES.colours)
            ),
            style.render(
                "curves", data.phenology, samples, Classes(ODD, CLASSES.colours, CLASSES.codes)
            ),
        ]  # fmt: skip
    for svg in drawn:
        ET.fromstring(svg)
        ET.fromstring(style.inline(svg, "one", "text"))
        # Matplotlib says in comments which text its letters spell.
        assert "<!-- a$^{$b -->" in svg
        assert "_hidden" in svg
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == len(drawn) and all("no installed font" in line for line in lines)


def test_hundreds_of_classes_are_shown_by_the_largest() -> None:
    names = [f"class {k}" for k in range(300)]
    colours = tuple(f"#{k % 256:02x}007f" for k in range(300))
    rows = {"arm": "dual-full", "shots": "5", "f1": 0.5}
    each = pd.DataFrame({**rows, "class": names, "support": np.arange(300)})
    pairs = pd.DataFrame(
        {**rows, "truth": np.repeat(names, 300), "predicted": names * 300, "share_of_truth": 0.1,
         "count": np.repeat(np.arange(300), 300)}
    )  # fmt: skip
    summary = pd.DataFrame(
        [
            {
                "arm": "dual-full",
                "method": "sitsformer",
                "shots": "5",
                "score": "macro_f1",
                "mean": 0.5,
            }
        ]
    )
    drawn = [
        style.render("c", results.per_class, each, summary, Classes(tuple(names), colours)),
        style.render("d", results.confusion, pairs, summary, names),
    ]
    for svg in drawn:
        assert "<!-- class 299 -->" in svg and "<!-- class 260 -->" in svg
        assert "<!-- class 259 -->" not in svg


def test_no_class_with_enough_pixels_is_said() -> None:
    samples = pd.DataFrame({"area": "a", "date": np.datetime64("2021-05-01", "s"), "class": [0]})
    svg = style.render("few", data.phenology, samples.assign(ndvi=0.5), CLASSES)
    assert "no class has twenty clear labelled pixels" in svg


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("maize", "maize"),
        ("a$b\\$c", "a\\$b\\\\$c"),
        ("_x", "\u200b_x"),
        ("a" * 50 + " end", "a" * 23 + "…" + "a" * 8 + " end"),
    ],
)
def test_names_as_matplotlib_takes_them(name, expected) -> None:
    assert lettering.shown(name) == expected


@pytest.mark.parametrize(
    ("shots", "expected"), [(["1", "5", "20", "all", "few"], "5"), (["10"], "10"), (["all"], "all")]
)
def test_one_number_of_shots_stands_for_few(shots: list[str], expected: str) -> None:
    assert style.representative(shots) == expected
