"""The notebook runs from top to bottom, against the local server."""

from __future__ import annotations

from pathlib import Path

import pytest

from earthengine import fixtures
from earthengine.fixtures import in_place
from earthengine.server import LocalEarthEngine
from sitsformer.export import export
from sitsformer.paths import Paths

NOTEBOOK = Path(__file__).parents[2] / "workflow" / "notebooks" / "explore.ipynb"

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
            notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}
        )
        client.execute()
        assert len(server.sent("/maps")) == 3
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
