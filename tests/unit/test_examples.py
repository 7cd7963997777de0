"""The configs that ship are right, and their files are there."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from sitsformer.checks.overlap import shared_areas
from sitsformer.checks.problems import problems
from sitsformer.config import load, parse
from sitsformer.grid import tiles
from sitsformer.legends import load_legend
from sitsformer.patches.splits import polygon_map
from sitsformer.paths import Paths

ROOT = Path(__file__).parents[2]
CONFIGS = sorted([*(ROOT / "config").glob("*.yaml"), *(ROOT / "config/examples").glob("*.yaml")])


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_example_can_be_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # paths of the examples are relative to the checkout
    config = load(path)
    for area in config.areas.values():
        for label in area.rasters.labels.values() if area.rasters else ():
            load_legend(label.legend)


def test_the_config_of_the_readme_can_be_used() -> None:
    (text,) = re.findall(
        r"```yaml\n(areas:.*?)```", (ROOT / "docs" / "areas.md").read_text(), re.DOTALL
    )
    assert problems(parse(yaml.safe_load(text))) == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_no_example_learns_on_the_ground_of_its_test_in_silence(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SITSFORMER_PARCELS", "made")  # by scripts/belgium_parcels.py
    config = load(path)
    paths = Paths(config)
    # Series of others' files, without areas, are of one place: there it is said aloud.
    assert config.pretrain.overlap == ("none" if config.areas else "labels")
    assert not list(shared_areas(config, paths.tiles))


def test_the_belgian_tile_and_its_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = load(ROOT / "config/examples/rasters.yaml")
    (tile,) = tiles("belgium_2018", config.areas["belgium_2018"])
    # The files' own upper left corner, so that nothing is resampled.
    assert (tile.epsg, tile.west, tile.north, tile.size) == (32631, 501_360, 5_629_680, 66)
    polygons = {sample_set.split.polygons for sample_set in config.sets.values()}
    assert len(polygons) == 1  # pretraining and crops keep the same test pixels apart
    splits = polygon_map(tile, str(polygons.pop()))[:64, :64]
    squares = splits.reshape(8, 8, 8, 8)
    assert (squares == squares[:, :1, :, :1]).all()
    assert np.bincount(splits.ravel()).tolist() == [39 * 64, 10 * 64, 15 * 64]
