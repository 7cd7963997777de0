"""`sitsformer view`: one page of what is there, without a network."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
import yaml

import made_run
import phenology
from sitsformer.commands.earthengine import view
from sitsformer.config import ConfigError, load
from sitsformer.paths import Paths

POINTS = "lon,lat,crop\n9.0005,50.5499,maize\n9.0010,50.5497,<soy>\n80.0,10.0,maize\n"


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def count(self, tag: str) -> int:
        return sum(one == tag for one, _ in self.found)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An area of one tile; the second one is another source's, and has nothing yet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(POINTS)
    own = {"bounds": [9.0, 50.547, 9.004, 50.55], "tiles": {"size": made_run.SIDE}}
    area = made_run.CONFIG["areas"]["county"] | own
    values = made_run.CONFIG | {
        "areas": {"county": area, "far": area | {"source": "earthengine"}},
        "labels": {"visits": {"kind": "points", "path": "points.csv", "column": "crop"}},
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "c.yaml"


def test_before_anything_is_there_areas_tiles_and_labels_are_shown(config: Path) -> None:
    made_run.run(view, config, config.with_name("view.html"))
    text = config.with_name("view.html").read_text()
    page = Page(text)
    assert text.count("no cube is there yet") == 2 and page.count("image") == 0
    assert len(re.findall(r"; 1 tile in a frame of [\d.]+ x [\d.]+ km, no cube", text)) == 2
    assert '<meta name="viewport" content="width=device-width' in text  # or phones make it tiny
    assert page.count("rect") >= 2 and page.count("path") == 2
    assert page.count("circle") == 4  # two in each area, none of the one far away
    assert "&lt;soy&gt;, feature 2" in text and "<soy>" not in text
    # Whoever opens it asks nobody.
    assert "default-src 'none'" in text and page.count("script") == page.count("link") == 0
    assert not re.search(r"(href|src)=\"(?!data:)", text) and "url(" not in text


def test_polygons_are_shown_as_they_are(config: Path) -> None:
    """Two fields, the second with a hole; one of both is of another year, a third far away."""
    fields = geopandas.GeoDataFrame(
        {"crop": ["maize", "soy", "maize"], "year": ["", "2019", ""]},
        geometry=[
            shapely.box(9.0005, 50.5480, 9.0015, 50.5490),
            shapely.box(9.0020, 50.5480, 9.0035, 50.5495)
            - shapely.box(9.0025, 50.5485, 9.0030, 50.5490),
            shapely.box(80.0, 10.0, 80.1, 10.1),
        ],
        crs=4326,
    )
    fields.to_crs(3035).to_file(config.with_name("fields.gpkg"))
    values = yaml.safe_load(config.read_text())
    values["labels"]["parcels"] = {
        "kind": "polygons", "path": "fields.gpkg", "column": "crop", "date": "year"
    }  # fmt: skip
    config.write_text(yaml.safe_dump(values))
    made_run.run(view, config, config.with_name("view.html"), "--area", "county")
    text = config.with_name("view.html").read_text()
    drawn = re.findall(r'<path class="field" d="(.*?)" style="fill:(#\w+)"><title>(.*?)<', text)
    assert [title for _, _, title in drawn] == ["maize, feature 1", "soy, 2019, feature 2"]
    assert len({colour for _, colour, _ in drawn}) == 2
    assert [way.count("M") for way, _, _ in drawn] == [1, 2]
    # Corners in pixels of the area, compared with the corners projected one by one.
    (tile,) = Paths(load(config)).tiles("county")
    corners = geopandas.points_from_xy([9.0005, 9.0015], [50.5490, 50.5480], crs=4326)
    at = corners.to_crs(tile.epsg)
    numbers = np.array(re.findall(r"[\d.]+", drawn[0][0]), float).reshape(-1, 2)
    expected = [(at.x.min() - tile.west) / 10, (at.x.max() - tile.west) / 10]
    assert [numbers[:, 0].min(), numbers[:, 0].max()] == pytest.approx(expected, abs=0.3)
    expected = [(tile.north - at.y.max()) / 10, (tile.north - at.y.min()) / 10]
    assert [numbers[:, 1].min(), numbers[:, 1].max()] == pytest.approx(expected, abs=0.3)
    assert Page(text).count("circle") == 2  # the points of the other survey


def test_cubes_labels_and_maps_are_shown_when_they_are_there(config: Path) -> None:
    folder = config.parent / "results"
    values = yaml.safe_load(config.read_text())
    values["maps"] = values.get("maps", {}) | {"tiles": {"county": "all"}}
    config.write_text(yaml.safe_dump(values))
    layout = Paths(load(config))
    cube = config.parent / layout.cubes("crops")[0]
    made_run.make_cube(cube)
    made_run.make_model(folder / "models" / "crop", "classification", phenology.NAMES)
    tile = config.parent / layout.tile_maps("county", "classes")[0]
    options = ("--config", config, "--model", folder / "models" / "crop")
    made_run.run(made_run.map_command, *options, "--cube", cube, "--out", tile)
    # While a run is half done its map is that of the tiles that are there.
    made_run.run(view, config, config.with_name("half.html"), "--area", "county")
    made_run.run(
        made_run.mosaic, *options, "--out", folder / "maps" / "county" / "county.tif", tile
    )
    made_run.run(view, config, config.with_name("view.html"), "--area", "county")
    text = config.with_name("view.html").read_text()
    page = Page(text)
    titles = re.findall(r"<label for=\"county-\d\">(.*?)</label>", text)
    assert titles == ["clear sky", "cdl", "crop map", "tiles", "outline", "labels visits"]
    assert page.count("image") == 3
    assert config.with_name("half.html").read_text() == text
    # Beside a map no other legend's colours are shown until somebody asks for them.
    off = re.findall(r'id="county-(\d)"><label', text)
    assert [titles[int(k)] for k in off] == ["cdl"]
    assert all(f"section:has(#county-{k}:not(:checked)) .county-{k}" in text for k in range(6))


def test_an_area_that_is_not_there_is_told(config: Path) -> None:
    with pytest.raises(ConfigError, match="no area 'near' to show; the config has county, far"):
        made_run.run(view, config, config.with_name("view.html"), "--area", "near")
    assert not config.with_name("view.html").exists()
