"""`sitsformer inspect`: every kind of artefact in a screenful."""

import json

import numpy as np
import pytest

import phenology
from cubes import make_config, make_cube, tiles
from sitsformer import artefacts
from sitsformer.artefacts import ArtefactError
from sitsformer.errors import SitsError
from sitsformer.samples.describe import describe


def test_a_cube(tmp_path):
    tile = tiles(make_config(12))[0]
    lines = describe(make_cube(tmp_path / "c.zarr", tile, dates=5))
    assert "cube" in lines[0]
    assert f"area farm, tile {tile.name}: 12 x 12 px, EPSG:32631" in lines
    assert any(line.startswith("5 dates from 20") for line in lines)
    assert "labels worldcover: 11 codes of worldcover" in lines


def test_a_store_of_arrays(tmp_path):
    lines = describe(phenology.write(tmp_path / "s.zarr", phenology.make(50).take(np.arange(40))))
    assert "samples" in lines[0]
    assert "set crops: sample 40, time 40, band 10, py 1, px 1" in lines


def test_a_model(tmp_path):
    with artefacts.create(tmp_path / "m", "model", config={}, seed=3) as partial:
        config = {"task": "dual", "mean": list(range(100))}
        (partial / "config.json").write_text(json.dumps(config))
    lines = describe(tmp_path / "m")
    assert "seed 3" in lines[1]
    assert 'task: "dual"' in lines
    assert lines[-1].startswith("mean: [0, 1, 2") and lines[-1].endswith("...")


def test_anything_else_is_refused(tmp_path):
    with pytest.raises(ArtefactError, match="is not an artefact of sitsformer"):
        describe(tmp_path)


def test_a_table_is_no_folder_and_it_is_said_what_opens_it(tmp_path):
    table = tmp_path / "claims.csv"
    table.write_text("claim\n")
    with pytest.raises(SitsError, match=r"is a file; .* are folders\. Tables .* open with pandas"):
        describe(table)
