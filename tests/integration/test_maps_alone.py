"""A config that only maps, with a model that reads embeddings: whole, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from dryruns import DryRuns
from workflow import run

import embedded_world
import made_run
from embedded_world import AXES
from sitsformer.commands.crop_model import crop_model
from sitsformer.config import parse
from sitsformer.grid import Tile, tiles
from sitsformer.paths import Paths

pytestmark = pytest.mark.usefixtures("warmed")

AREA = {
    **made_run.CONFIG["areas"]["county"],
    "bounds": [9.0, 50.0, 9.004, 50.003],
    "tiles": {"size": made_run.SIDE, "count": 1},
}


def write(path: Path, tile: Tile) -> None:
    """Embeddings over the western half of a tile."""
    values = np.random.default_rng(0).normal(size=(len(AXES), tile.size, tile.size))
    values[:, :, tile.size // 2 :] = np.nan
    shape = {"count": len(AXES), "width": tile.size, "height": tile.size}
    place = {"crs": f"EPSG:{tile.epsg}", "transform": tile.transform}
    with rasterio.open(path, "w", dtype="float32", nodata=np.nan, **shape, **place) as out:
        out.write(values.astype(np.float32))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that joins embeddings with an encoder."""
    world = embedded_world.make(tmp_path_factory.mktemp("world"))
    values = {
        **made_run.CONFIG,
        "embeddings": {"mine": {"rasters": {"county": "mine.tif"}}},
        "pretrain": {"set": "crops", "objectives": ["dual"], "seeds": [3]},
        "fewshot": {"set": "crops", "shots": [5], "inits": ["dual"], "refine": []},
        "model": {"embedding": "linear", "hidden": 16, "layers": 1, "heads": 2},
        "maps": {"tiles": {"county": 1}, "shots": 5, "learner": "dual+mine"},
    }
    (world / "c.yaml").write_text(yaml.safe_dump(values))
    made_run.run(
        crop_model, "--config", world / "c.yaml", "--samples", world / "crops.zarr",
        "--pretrained", "dual-p3", world / "dual-p3", "--embeddings", world / "rows.zarr",
        "--out", world / "crop",
    )  # fmt: skip
    return world / "crop"


def config(model: Path, **embeddings: Any) -> dict[str, Any]:
    return {
        "areas": {"county": AREA},
        "patches": made_run.CONFIG["patches"],
        "maps": {"tiles": {"county": 1}, "model": str(model)},
        "embeddings": {
            name: {"rasters": {"county": str(path)}} for name, path in embeddings.items()
        },
    }


@pytest.mark.long
def test_a_joined_model_maps_with_the_embeddings_of_its_area(model: Path, tmp_path: Path) -> None:
    values = config(model, mine=tmp_path / "mine.tif")
    (tile,) = tiles("county", parse(values).areas["county"])
    write(tmp_path / "mine.tif", tile)
    done = run(tmp_path, values)
    assert done.returncode == 0, done.stderr[-3000:]
    path = tmp_path / Paths(parse(values)).map("county", tile.name, "classes")
    with rasterio.open(path) as source:
        drawn = source.read(1)[1:-1, 1:-1] > 0
        assert source.tags()["LEARNER"] == "dual+mine"
    # A pixel without an embedding is drawn from what the encoder says.
    half = tile.size // 2 - 1
    assert drawn[:, :half].mean() > 0.9 and drawn[:, half:].mean() > 0.9


@pytest.fixture(scope="module")
def dry() -> Iterator[DryRuns]:
    with DryRuns() as running:
        yield running


def test_only_what_a_map_needs_is_planned(model: Path, tmp_path: Path, dry: DryRuns) -> None:
    values = config(model, mine=tmp_path / "mine.tif")
    write(tmp_path / "mine.tif", tiles("county", parse(values).areas["county"])[0])
    assert dry.jobs(tmp_path, values) == {
        "cube": 1,
        "embedded_tile": 1,
        "map": 1,
        "mosaic": 1,
        "report": 1,
    }


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({}, "reads the embeddings mine of every pixel, which the config does not name"),
        ({"mine": "gone.tif"}, "embeddings.mine.rasters.county: gone.tif does not exist"),
        ({"other": "here.tif"}, "reads the embeddings mine of every pixel, which the config"),
        ({"mine": "here.tif", "other": "here.tif"}, "reads no embeddings other"),
        ({"mine": "here.tif"}, "embeddings.mine.rasters.county: here.tif cannot be read"),
    ],
    ids=["no layer", "no file", "another layer", "one too many", "no raster"],
)
def test_a_layer_that_is_missing_or_idle_is_refused_at_the_start(
    model: Path, tmp_path: Path, dry: DryRuns, layers: dict[str, str], message: str
) -> None:
    (tmp_path / "here.tif").touch()
    said = dry.jobs(tmp_path, config(model, **layers))
    assert isinstance(said, str) and message in said
    assert not (tmp_path / "results").exists()
