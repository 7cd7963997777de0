"""The example of Iowa, and with one more line Satellite Embedding beside our own models."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from test_workflow_earthengine import everything_is_there, example, run_all, served
from workflow import contents, planned

from sitsformer import artefacts
from sitsformer.config import parse
from sitsformer.embedded import store
from sitsformer.paths import Paths
from sitsformer.samples import open_samples

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("warmed")]

LAYER = "satellite_embedding"
LEARNERS = {LAYER, f"{LAYER}_neighbour", f"{LAYER}_series", f"encoder+{LAYER}"}


def test_iowa_runs_and_one_line_compares_with_satellite_embedding(
    tmp_path: Path,
) -> None:
    values = example("iowa.yaml")
    with served(parse(values)) as server:
        values["earthengine"] = {"url": server.url, "project": "proj-test"}
        run_all(tmp_path, values)
        before = contents(tmp_path)
        everything_is_there(tmp_path, values, {"worldcover", "cdl"}, len(server.sent(":compute")))
        values["embeddings"] = {LAYER: {}}
        for key in ("init", "adaptation"):
            values["maps"].pop(key, None)
        values["maps"]["learner"] = LAYER
        jobs = planned(tmp_path, values)
        run_all(tmp_path, values)
        after = contents(tmp_path)
    # What was there is as it was, and nothing of it was made again.
    assert set(jobs) == {
        "embedded_tile",
        "embedded_samples",
        "embedded_baseline",
        "evaluate",
        "crop_model",
        "map",
        "mosaic",
        "report",
    }
    assert (jobs["embedded_tile"], jobs["embedded_samples"]) == (2, 1)
    assert jobs["embedded_baseline"] == 4
    folders = ("cubes", "patches", "models", "fewshot")
    kept = {path for path in before if path.split("/")[0] in folders}
    kept = {path for path in kept if not path.startswith("models/crop")}
    assert kept
    assert all(after[path] == before[path] for path in kept)

    paths = Paths(parse(values))
    rows = store.read_rows(tmp_path / paths.embedded(LAYER))
    samples = open_samples(tmp_path / paths.samples(values["fewshot"]["set"]))
    assert rows.shape == (samples.sizes["sample"], 64)
    assert artefacts.check(tmp_path / paths.embedded(LAYER)) == []
    # Each sample has the pixel of its tile that it stands on.
    for row in (0, 17, samples.sizes["sample"] - 1):
        area, tile = samples.tile.attrs["names"][int(samples.tile[row])].split("/")
        opened = store.open_store(
            tmp_path / paths.embedded_tile(LAYER, area, tile), store.TILE_KIND
        )
        pixel = opened.sel(x=float(samples.x[row]), y=float(samples.y[row])).embedding.values
        value = np.sign(pixel) * (np.abs(pixel.astype(float)) / 127.5) ** 2
        wanted = np.where(pixel == -128, np.nan, value)
        np.testing.assert_allclose(rows[row], wanted, rtol=1e-6)

    # The map is drawn from the embeddings alone: each pixel that has one has a class.
    (area,) = values["maps"]["tiles"]
    (tile,) = paths.mapped_tiles(area)
    with rasterio.open(tmp_path / paths.map(area, tile.name, "classes")) as source:
        assert source.tags()["LEARNER"] == LAYER
        assert source.tags()["ATTRIBUTION"].startswith("The AlphaEarth Foundations")
        drawn = source.read(1) != source.nodata
    over = store.open_store(tmp_path / paths.embedded_tile(LAYER, area, tile.name), store.TILE_KIND)
    np.testing.assert_array_equal(drawn, ~store.missing(over.embedding.values))

    table = pd.read_csv(tmp_path / "results" / "tables" / "fewshot.csv")
    assert set(table.method) > LEARNERS
    differences = pd.read_csv(tmp_path / "results" / "tables" / "differences.csv")
    objective = values["pretrain"]["objectives"][0]
    assert {f"{objective} - {LAYER}", f"{objective}+{LAYER} - {LAYER}"} <= set(
        differences.comparison
    )
    best = differences[differences.comparison == f"{objective} - best baseline"]
    assert set(best.second) == {"nearest_centroid"}
    page = (tmp_path / "results" / "report.html").read_text()
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))
    assert "Satellite Embedding dataset is produced by Google and Google DeepMind" in text
    assert "CC BY 4.0" in text
    assert f"{objective} pretraining beats Satellite Embedding" in text.replace("Dual", "dual")
    assert "Satellite Embedding and series features" in text
    assert f"{objective} and satellite embedding" in text.lower()
    assert f"{objective} features beside Satellite Embedding beat it alone" in text.lower().replace(
        "satellite embedding", "Satellite Embedding"
    )
    choices = pd.read_csv(tmp_path / "results" / "tables" / "choices.csv")
    chosen = [json.loads(one) for one in choices[choices.method.isin(LEARNERS)].choice]
    without = np.isnan(rows).any(1)[(samples.split.values == 2) & (samples.label.values >= 0)].sum()
    assert {one["without_embedding"] for one in chosen} == {int(without)}
