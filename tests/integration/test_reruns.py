"""What runs again after a change, over the demo's DAG: every key; and what does not.

Nothing is computed: outputs are files without content that Snakemake takes for finished ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas
import pytest
import rasterio
import yaml
from dryruns import DryRuns
from reruns import (
    KEYS,
    REFUSED,
    SWEEP,
    TABLES,
    changed,
    demo,
    pretrained,
)
from shapely import box

from sitsformer.config import parse

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def finished(dry: DryRuns, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    dry.pretend(folder, demo())
    thirds = [box(-98 + k * 0.005, 40, -98 + (k + 1) * 0.005, 44) for k in range(1000)]
    words = [("train", "validation", "test")[k % 3] for k in range(1000)]
    frame = geopandas.GeoDataFrame({"split": words}, geometry=thirds, crs=4326)
    frame.to_file(folder / "split.geojson")
    world = {"crs": 4326, "transform": rasterio.transform.from_bounds(-180, -90, 180, 90, 2, 2)}
    shape = {"count": 3, "width": 2, "height": 2, "dtype": "float32"}
    with rasterio.open(folder / "axes.tif", "w", **shape, **world):
        pass
    return folder


def leaves(values: Any, path: str = "") -> Iterator[str]:
    if isinstance(values, dict) and values:
        for key, item in values.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path


def test_the_table_has_every_key() -> None:
    known = set(leaves(parse(demo()).model_dump(mode="json")))
    assert known - set(KEYS) == set()
    assert set(KEYS) - known == set()


@pytest.mark.parametrize("key", KEYS)
def test_a_changed_key_runs_again_what_depends_on_it_and_nothing_else(
    dry: DryRuns, finished: Path, key: str
) -> None:
    value, expected = KEYS[key]
    several = isinstance(value, dict) and all("." in name for name in value)
    found = dry.jobs(finished, changed(demo(), value if several else {key: value}))
    if expected == REFUSED:
        assert isinstance(found, str), found
        assert "cannot be used" in found
    else:
        assert found == expected


def test_comments_order_and_defaults_change_nothing(dry: DryRuns, finished: Path) -> None:
    values = demo()
    assert dry.jobs(finished, values) == {}
    turned = dict(reversed(values.items()))
    turned["areas"] = dict(reversed(values["areas"].items()))
    turned["sets"] = dict(reversed(values["sets"].items()))
    path = finished / "other.yaml"
    path.write_text("# a comment\n" + yaml.safe_dump(turned, sort_keys=False) + "# another\n")
    assert dry.jobs_of(finished, path) == {}
    written = parse(values).model_dump(mode="json")
    assert dry.jobs(finished, written) == {}
    lists = {
        "sets.landcover.areas": ["plains_2021", "river_2020"],
        "areas.county_2021.labels": ["cdl", "worldcover"],
        "fewshot.shots": [100, 1],
        "fewshot.inits": ["dual", "sl", "ssl", "none"],
        "fewshot.baselines": ["logistic_regression", "random_forest"],
        "fewshot.options": {"random_forest": {"trees": 200}},
    }
    assert dry.jobs(finished, changed(values, lists)) == {}


def test_the_first_adaptation_is_the_one_of_the_claims(dry: DryRuns, tmp_path: Path) -> None:
    values = changed(demo(), {"fewshot.adaptations": ["full", "linear"]})
    dry.pretend(tmp_path, values)
    values["fewshot"]["adaptations"] = ["linear", "full"]
    assert dry.jobs(tmp_path, values) == TABLES


def test_recipes_concern_whom_they_train(dry: DryRuns, tmp_path: Path) -> None:
    changes = {
        "fewshot.recipe.optimiser": "adam",
        "fewshot.baselines": ["random_forest", "temporal_cnn"],
        "pretrain.recipe.optimiser": "adam",
        "pretrain.recipe.schedule": "exponential",
    }
    values = changed(demo(), changes)
    dry.pretend(tmp_path, values)
    idle = {"fewshot.recipe.weight_decay": 0.5, "pretrain.recipe.weight_decay": 0.5}
    assert dry.jobs(tmp_path, changed(values, idle)) == {}
    assert dry.jobs(tmp_path, changed(values, {"pretrain.recipe.decay": 0.5})) == pretrained(3)
    found = dry.jobs(tmp_path, changed(values, {"fewshot.steps": 5}))
    assert found == {"baseline": 2, **SWEEP}
