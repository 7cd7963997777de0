"""The report of a made run: whole, self-contained, and true to the tables."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import yaml
from markupsafe import escape

import made_run
import phenology
from sitsformer import mapproducts, plots
from sitsformer.classes import Legend
from sitsformer.commands.report import report
from sitsformer.config import load
from sitsformer.errors import SitsError
from sitsformer.report import figures, gather


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run.make(tmp_path_factory.mktemp("run"))


class Tags(HTMLParser):
    """Collects tags with their attributes, and checks that they close."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(page: Path) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page.read_text())
    assert not parser.open
    return parser.found


def test_every_figure_is_in_the_page_and_beside_it(page: Path) -> None:
    names = plots.names(load(page.parent.parent / "config.yaml"))
    assert len(names) == len(plots.FIGURES)
    text = page.read_text()
    for name in names:
        assert f'id="figure-{name}"' in text
        assert (page.parent / "figures" / f"{name}.svg").stat().st_size > 2000
    drawn = [attrs for tag, attrs in tags(page) if tag == "svg"]
    assert len(drawn) == len(names) + 1  # and the overview of the map
    assert all(attrs.get("aria-label") for attrs in drawn)


def test_nothing_is_fetched_from_elsewhere(page: Path) -> None:
    for tag, attrs in tags(page):
        assert tag not in ("script", "iframe", "object")
        for name in ("src", "href", "xlink:href"):
            value = attrs.get(name) or ""
            beside = tag == "a" and value and (page.parent / value).is_file()
            assert value == "" or value.startswith(("data:", "#")) or beside, (tag, value)
    style = re.search(r"<style>(.*?)</style>", page.read_text(), re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_maps_stand_first_with_their_tiles_and_files(page: Path) -> None:
    text = page.read_text()
    assert text.index('id="maps"') < text.index('id="claims"')
    links = {attrs["href"] for tag, attrs in tags(page) if tag == "a"}
    endings = mapproducts.area_endings(("fields",))
    for name, ending in endings.items():
        there = f"maps/county/county{ending}" in links
        assert there == (name != "fields"), name
    (tile,) = (page.parent / "maps" / "county" / "tiles").glob("*[0-9].tif")
    assert f"maps/county/tiles/{tile.name}" in links
    assert f"<title>{tile.stem}: 89% mapped</title>" in text


def test_identifiers_are_unique(page: Path) -> None:
    found = [attrs["id"] for _, attrs in tags(page) if "id" in attrs]
    assert len(found) == len(set(found))


def test_the_table_shows_what_the_tables_hold(page: Path) -> None:
    text = page.read_text()
    summary = pd.read_parquet(page.parent / "tables" / "summary.parquet")
    part = summary[summary.score == "macro_f1"]
    assert len(part) == 4 * 4
    for mean in part["mean"]:
        assert f"{mean:.3f}" in text
    for claim in pd.read_parquet(page.parent / "tables" / "claims.parquet").sentence:
        assert claim.split(":", 1)[1] in text.replace("&#39;", "'")


def test_provenance_is_there(page: Path) -> None:
    text = page.read_text()
    config = load(page.parent.parent / "config.yaml")
    assert str(config.evaluation.bootstrap) in text
    assert "12.5" in text
    assert "431" in text
    assert "learning_rate 0.001 (15)" in text
    assert "pretraining" in text


def test_the_same_run_gives_the_same_page(page: Path, tmp_path: Path) -> None:
    other = made_run.make(tmp_path)
    # But for where it lies, in the table of artefacts and in commands to type.
    where = r'<td class="text">/[^<]+</td>|sitsformer assess /\S+'
    ours, theirs = (re.sub(where, "", one.read_text()) for one in (page, other))
    assert ours == theirs


def test_a_run_that_only_maps_has_a_page_of_its_maps(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(page.parents[1])
    values = {
        "areas": made_run.CONFIG["areas"],
        "patches": {"size": 3},
        "maps": {"model": "results/models/crop", "tiles": {"county": 1}},
    }
    (tmp_path / "next.yaml").write_text(yaml.safe_dump(values))
    area, out = Path("results/maps/county/county.tif"), Path("results/next.html")
    made_run.run(report, "--config", tmp_path / "next.yaml", "--out", out, area)
    text, headings = out.read_text(), [a.get("id") for tag, a in tags(out) if tag == "h2"]
    assert headings == ["maps", "next", "provenance"]
    links = {attrs["href"] for tag, attrs in tags(out) if tag == "a"}
    anchors = {link.removeprefix("#") for link in links if link.startswith("#")}
    assert anchors == set(headings) and "maps/county/county_visits.gpkg" in links
    assert "county (2021-03-01 to 2021-10-31)" in text and "Nothing was learned here" in text
    assert ", ".join(phenology.NAMES) in text and "few labels" not in text
    with pytest.raises(SitsError, match="has a sweep: give the folder of its tables"):
        made_run.run(report, "--config", "config.yaml", "--out", tmp_path / "page.html", area)
    assert not (tmp_path / "page.html").exists()


def test_an_artefact_of_another_kind_is_named(page: Path) -> None:
    config, folder = page.parent.parent / "config.yaml", page.parent / "tables"
    with pytest.raises(SitsError, match="the sample store of the set 'crops' is not among"):
        gather.gather(config, folder, None, [])
    with pytest.raises(SitsError, match="is not an artefact"):
        gather.gather(config, folder, None, [page.parent / "tables"])


def test_cubes_of_the_sweep_are_asked_for(page: Path) -> None:
    folder = page.parent
    stores = sorted((folder / "patches").glob("*.zarr"))
    found = gather.gather(folder.parent / "config.yaml", folder / "tables", None, stores)
    with pytest.raises(SitsError, match="no cube of the set 'crops' with the labels"):
        figures.draw_figures(found)


def test_benchmarks_are_added_up_by_rule(tmp_path: Path) -> None:
    head = "s\th:m:s\tmax_rss\tcpu_time\n"
    for name, line in (
        ("pretrain/ssl-p0.tsv", "10.0\t0:00:10\t300.0\t9.0\n"),
        ("pretrain/dual-p0.tsv", "20.0\t0:00:20\t500.0\t19.0\n"),
        ("report.tsv", "2.0\t0:00:02\tNA\tNA\n"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(head + line)
    found = gather.read_benchmarks(tmp_path).set_index("rule")
    assert found.loc["pretrain", ["jobs", "seconds", "longest", "cpu", "memory"]].tolist() == [
        *(2, 30.0, 20.0, 28.0, 500.0)
    ]
    assert pd.isna(found.memory["report"])
    assert gather.read_benchmarks(None).empty
    (tmp_path / "map.tsv").write_text("")
    assert "map" not in set(gather.read_benchmarks(tmp_path)["rule"])
    for content in (b"\xff\xfe\x00", b"s\tother\n1\t2\n", b"s\0\n1\n"):
        (tmp_path / "map.tsv").write_bytes(content)
        with pytest.raises(SitsError, match=r"map\.tsv is no benchmark file of Snakemake"):
            gather.read_benchmarks(tmp_path)


ODD = ("a$^{$b", "冬小麦 <script>alert(1)</script>", "NA", '=x, "y" ' + "w" * 120)


def test_names_of_any_letters_reach_tables_maps_and_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours = made_run.LEGEND.colours
    monkeypatch.setattr(made_run.phenology, "NAMES", ODD)
    monkeypatch.setattr(
        made_run, "LEGEND", Legend("cdl", made_run.LEGEND.codes, ("none", *ODD), colours)
    )
    page = made_run.make(tmp_path)
    text = page.read_text()
    assert "<script>" not in text and "<td>nan" not in text
    for name in ODD:
        assert f"<td>{escape(name)}</td>" in text
    folder = page.parent / "maps" / "county"
    areas = pd.read_csv(next(folder.glob("*_areas.csv")), keep_default_na=False)
    assert tuple(areas["class"]) == (*ODD, "(all)")
    per_class = pd.read_csv(page.parent / "tables" / "per_class.csv", keep_default_na=False)
    assert set(per_class["class"]) == set(ODD)
    assert set(pd.read_parquet(page.parent / "tables" / "per_class.parquet")["class"]) == set(ODD)
