"""The notebook runs from top to bottom, against the local server."""

from __future__ import annotations

from pathlib import Path

import pytest

from earthengine import fixtures
from earthengine.fixtures import in_place
from earthengine.server import LocalEarthEngine
from sitsformer.config import load
from sitsformer.export import export
from sitsformer.grid import area_geometry
from sitsformer.imagery.earthengine.session import connect
from sitsformer.notebook import drawn, init
from sitsformer.paths import Paths

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "workflow" / "notebooks" / "explore.ipynb"

pytestmark = pytest.mark.long


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbclient
    import nbformat

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("USE_FOLIUM", raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    with LocalEarthEngine([fixtures.OVERLAP]) as server:
        chosen = in_place(fixtures.OVERLAP)
        config = fixtures.config(
            {"here": chosen}, fixtures.settings(server.url, tmp_path / "cache")
        )
        path = Path("config/examples/iowa.yaml")
        path.parent.mkdir(parents=True)
        fixtures.write_config(path, config)
        tile = fixtures.only_tile(chosen)
        export(config, "here", tile.name, Path(Paths(config).cubes()[0]))
        client = nbclient.NotebookClient(
            notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
        )
        client.execute()
        assert len(server.sent("/maps")) == 3
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_what_a_map_gives_of_a_drawn_shape_becomes_a_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ee
    import geemap
    from shapely.geometry import box, shape

    monkeypatch.delenv("USE_FOLIUM", raising=False)
    west, south, east, north = bounds = (-94.90, 43.10, -94.87, 43.12)
    ring = [[west, south], [west, north], [east, north], [east, south], [west, south]]
    feature = {
        "type": "Feature", "properties": {"style": {"color": "#3388ff"}},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }  # fmt: skip
    with LocalEarthEngine([fixtures.OVERLAP]) as server:
        connect(fixtures.settings(server.url, tmp_path / "cache"))
        ee.data.setWorkloadTag("")  # which is of exports, and no map takes
        shown = geemap.Map(ee_initialize=False)
        # The shape as a layer of its own is styled by the service, which this one cannot do.
        monkeypatch.setattr(shown, "add_layer", lambda *_: None)
        # What a browser sends of a finished shape: what is drawn now, and that it was.
        for data in (
            {"method": "update", "state": {"data": [feature]}, "buffer_paths": []},
            {"method": "custom", "content": {"event": "draw:created", "geo_json": feature}},
        ):
            shown.draw_control.comm.handle_msg({"content": {"data": data}, "buffers": []})
        assert shape(drawn(shown)).equals(box(*bounds))
        assert shape(drawn(shown.user_roi)).equals(box(*bounds))
        visits = ROOT / "config" / "examples" / "fields" / "visits.csv"
        path = init(shown.user_roi, ("2021-03-01", "2021-10-31"), visits, tmp_path / "mine")
    area = load(path).areas["county_2021"]
    assert area.source == "earthengine" and area_geometry(area).equals(box(*bounds))
