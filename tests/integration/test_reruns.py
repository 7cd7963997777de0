"""What runs again after a change, over the demo's DAG: every key, every output; and what does not.

Nothing is computed: outputs are files without content that Snakemake takes for finished ones.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import geopandas
import pytest
import yaml
from dryruns import ROOT, DryRuns
from shapely import box

from sitsformer.config import parse

pytestmark = pytest.mark.long

Jobs = dict[str, int]
Change = dict[str, Any]
REFUSED = "refused"
"""The key cannot be changed alone: the config says so, and nothing runs."""

TABLES = {"evaluate": 1, "report": 1}
MAPPED = {"map": 1, "mosaic": 1}
MAPS = {"crop_model": 1, **MAPPED}
SWEEP = {"fewshot": 8, **MAPS, **TABLES}
ALL_CELLS = {"baseline": 4, **SWEEP}


def pretrained(models: int) -> Jobs:
    """So many models are trained again, one of them that of the maps, and what starts from them."""
    return {"pretrain": models, "fewshot": 2 * models, **MAPS, **TABLES}


LANDCOVER = {"merge": 1, **pretrained(3)}
CROPS = {"merge": 1, **ALL_CELLS}
BOTH = {**LANDCOVER, **CROPS, "merge": 2}
RIVER = {"cube": 2, "patches": 2, **LANDCOVER}
PLAINS = RIVER
COUNTY = {"cube": 3, "patches": 3, **CROPS}
CUT = {"patches": 7, **BOTH}
EVERYTHING = {"cube": 7, **CUT}


@pytest.fixture(scope="module")
def dry() -> Iterator[DryRuns]:
    with DryRuns() as runs:
        yield runs


def demo() -> dict[str, Any]:
    """The demo with fewer tiles, shots and learners, of which all weights learn."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    for name, count in (("river_2020", 2), ("plains_2021", 2), ("county_2021", 3)):
        values["areas"][name]["tiles"]["count"] = count
    values["fewshot"] |= {
        "shots": [1, 100],
        "adaptations": ["full"],
        "baselines": ["random_forest", "logistic_regression"],
        "refine": [],
        "controls": [],
    }
    values["maps"] |= {"init": "dual", "adaptation": "full"}
    return values


def changed(values: dict[str, Any], change: Change) -> dict[str, Any]:
    """A copy with the values of `path.of.key`."""
    copied = deepcopy(values)
    for path, value in change.items():
        *parents, last = path.split(".")
        section = copied
        for key in parents:
            section = section.setdefault(key, {})
        section[last] = value
    return copied


@pytest.fixture(scope="module")
def finished(dry: DryRuns, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    dry.pretend(folder, demo())
    thirds = [box(-98 + k * 0.005, 40, -98 + (k + 1) * 0.005, 44) for k in range(1000)]
    words = [("train", "validation", "test")[k % 3] for k in range(1000)]
    frame = geopandas.GeoDataFrame({"split": words}, geometry=thirds, crs=4326)
    frame.to_file(folder / "split.geojson")
    return folder


def area(name: str, made: Jobs) -> dict[str, tuple[Change | Any, Jobs | str]]:
    """Keys of an area of the demo."""
    west, south, east, north = demo()["areas"][name]["bounds"]
    year = name[-4:]
    labels = demo()["areas"][name]["labels"]
    without_cubes = {key: jobs for key, jobs in made.items() if key not in ("cube", "patches")}
    return {
        "source": ("earthengine", made),
        "sensor": ("landsat", REFUSED),
        "bounds": ([west, south, east, north + 0.0001], made),  # another sky
        "geometry": ("split.geojson", REFUSED),
        "start": (f"{year}-03-02", made),
        "end": (f"{year}-10-30", made),
        "labels": (["worldcover"] if "cdl" in labels else ["worldcover", "cdl"], REFUSED)
        if "cdl" in labels
        else (["cdl", "worldcover"], made),
        "tiles.size": (120, made),
        "tiles.count": (1, without_cubes),
        "tiles.seed": (3, made),
        "rasters": ({"path": "x"}, REFUSED),
        "stac": ({"url": "x"}, REFUSED),
    }


def sample_set(name: str, count: int, made: Jobs) -> dict[str, tuple[Change | Any, Jobs | str]]:
    """Keys of a set of the demo."""
    cut = {"patches": count, **made}
    by_polygons = {
        f"sets.{name}.split": {"by": "polygons", "polygons": "split.geojson"},
    }
    return {
        "store": ("here.zarr", REFUSED),
        "classes": (
            {"one": [10], "two": [30]} if name == "landcover" else {"one": [1], "two": [5]},
            cut,
        ),
        "per_tile": (900, cut),
        "quota": ("proportional", cut),
        "purity": (3, cut),
        "unlabelled": ("keep", cut),
        "confidence": (10, REFUSED),
        "split.by": (by_polygons, cut),
        "split.block": (440, cut),
        "split.fractions": ([0.6, 0.2, 0.2], made),
        "split.train": (["river_2020"], REFUSED),
        "split.validation": (["river_2020"], REFUSED),
        "split.test": (["river_2020"], REFUSED),
        "split.polygons": ("split.geojson", REFUSED),
        "split.seed": (1, made),
        "seed": (1, cut),
    }


def under(prefix: str, table: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{key}": entry for key, entry in table.items()}


RECIPE = {
    "optimiser": "adam",
    "weight_decay": 0.02,
    "warmup": 0.2,
    "clip": 4.0,
    "precision": "bf16",
}

KEYS: dict[str, tuple[Any, Jobs | str]] = {
    "results": ("elsewhere", EVERYTHING),
    "keep": ("cubes", {}),
    # No set takes its labels from there.
    "labels": (
        {"fields": {"kind": "polygons", "path": "split.geojson", "column": "split"}},
        {},
    ),
    "embeddings": (
        {"mine": {"rasters": {"county_2021": "split.geojson"}}},
        {"embedded_tile": 3, "embedded_samples": 1, "embedded_baseline": 12, **TABLES},
    ),
    **under("areas.river_2020", area("river_2020", RIVER)),
    **under("areas.plains_2021", area("plains_2021", PLAINS)),
    **under("areas.county_2021", area("county_2021", COUNTY)),
    "sets.landcover.areas": (["river_2020"], LANDCOVER),
    "sets.landcover.label": ("cdl", REFUSED),
    **under("sets.landcover", sample_set("landcover", 4, LANDCOVER)),
    "sets.crops.areas": (["county_2021", "river_2020"], REFUSED),
    "sets.crops.label": ("worldcover", {"patches": 3, **CROPS}),
    **under("sets.crops", sample_set("crops", 3, CROPS)),
    "patches.size": (5, CUT),
    "patches.max_length": (29, CUT),
    "patches.clear_score": (50, CUT),
    "patches.clear_share": (0.9, CUT),
    "patches.min_dates": (5, CUT),
    "patches.memory_gb": (0.5, {}),
    "patches.scheduler": ("tcp://host:8786", {}),
    **under(
        "model",
        {
            key: (value, {**SWEEP, "pretrain": 3})
            for key, value in {
                "embedding": "conv3d",
                "hidden": 32,
                "layers": 1,
                "heads": 2,
                "feedforward": 64,
                "dropout": 0.2,
                "attention_dropout": 0.0,
                "norm": "post",
                "pooling": "mean",
            }.items()
        },
    ),
    "pretrain.set": ("crops", pretrained(3)),
    "pretrain.overlap": ("labels", TABLES),
    "pretrain.models": ({"dual": "nowhere"}, REFUSED),
    "pretrain.objectives": (
        {"pretrain.objectives": ["ssl", "dual"], "fewshot.inits": ["none", "ssl", "dual"]},
        TABLES,
    ),
    "pretrain.seeds": ([0, 1], {"pretrain": 3, "fewshot": 6, **TABLES}),
    "pretrain.epochs": (11, pretrained(3)),
    "pretrain.batch_size": (64, pretrained(3)),
    **under("pretrain.recipe", {key: (value, pretrained(3)) for key, value in RECIPE.items()}),
    "pretrain.recipe.learning_rate": (3e-3, pretrained(3)),
    "pretrain.recipe.schedule": ("constant", pretrained(3)),
    "pretrain.recipe.decay": (0.9, {}),  # of another schedule
    "pretrain.recipe.hold": (3, {}),
    "pretrain.recipe.l2": (1e-4, REFUSED),  # of another optimiser
    "pretrain.published": (False, {}),  # of objectives that the demo does not have
    # Of masked reconstruction, which no objective of the demo has; the page draws by them.
    "pretrain.mask": ("spans", {"report": 1}),
    "pretrain.mask_rate": (0.4, {"report": 1}),
    "pretrain.decoder": ("light", {}),
    "pretrain.weights": ({"dual": {"contrast": 0.5}}, pretrained(1)),
    "pretrain.class_balanced": (True, pretrained(2)),
    **under(
        "pretrain.augment",
        {
            "day_shift": (2, pretrained(3)),
            "drop": (0.1, pretrained(3)),
            "gain": (0.1, pretrained(3)),
            "noise": (0.1, pretrained(3)),
            "turn": (True, pretrained(3)),
        },
    ),
    "pretrain.patience": (3, pretrained(3)),
    "pretrain.checkpoint_every": (100, {}),
    "pretrain.accumulate": (2, pretrained(3)),
    "pretrain.loader": ("stream", {}),
    "pretrain.compile": (True, pretrained(3)),
    "pretrain.graphs": (False, {}),
    "pretrain.deterministic": (False, pretrained(3)),
    "fewshot.set": ("landcover", REFUSED),
    "fewshot.shots": ([1, 5, 100], {"fewshot": 4, "baseline": 2, **TABLES}),
    "fewshot.seeds": (6, {"fewshot": 8, "baseline": 4, **TABLES}),
    "fewshot.seeds_per_job": (3, {"fewshot": 16, "baseline": 8, **TABLES}),
    "fewshot.inits": (["none", "sl", "dual"], TABLES),
    "fewshot.adaptations": (["full", "linear"], {"fewshot": 8, **TABLES}),
    "fewshot.validation": (10, ALL_CELLS),
    "fewshot.steps": (301, SWEEP),
    "fewshot.passes": (11, SWEEP),
    "fewshot.batch_size": (16, SWEEP),
    **under("fewshot.recipe", {key: (value, SWEEP) for key, value in RECIPE.items()}),
    "fewshot.recipe.l2": (1e-4, REFUSED),  # of another optimiser
    "fewshot.recipe.schedule": ("constant", SWEEP),
    "fewshot.learning_rates": ([1e-3, 3e-3], SWEEP),
    "fewshot.label_smoothing": (0.0, SWEEP),
    **under(
        "fewshot.augment",
        {
            "day_shift": (2, SWEEP),
            "drop": (0.1, SWEEP),
            "gain": (0.1, SWEEP),
            "noise": (0, SWEEP),
            "turn": (True, SWEEP),
        },
    ),
    "fewshot.baselines": (
        ["random_forest", "logistic_regression", "nearest_centroid"],
        {"baseline": 2, **TABLES},
    ),
    "fewshot.refine": (["smoothing"], ALL_CELLS),
    "fewshot.controls": (
        {"fewshot.controls": ["random_forest"], "fewshot.refine": ["land_cover"]},
        # The cells of `dual` and `sl`, which know land cover, and the control's.
        {"fewshot": 4, "baseline": 2, **MAPS, **TABLES},
    ),
    "fewshot.options": ({"random_forest": {"trees": 7}}, {"baseline": 2, **TABLES}),
    "evaluation.level": (0.9, {"mosaic": 1, **TABLES}),
    "evaluation.bootstrap": (500, TABLES),
    "evaluation.bins": (5, TABLES),
    "evaluation.miscoverage": (0.2, TABLES),
    "maps.tiles.county_2021": (2, {**MAPPED, "report": 1}),
    "maps.model": ("nowhere", REFUSED),
    "maps.init": ("ssl", {**MAPS, "report": 1}),
    "maps.adaptation": (
        {"fewshot.adaptations": ["full", "bias"], "maps.adaptation": "bias"},
        {"fewshot": 8, **MAPS, **TABLES},
    ),
    "maps.learner": ("random_forest", {**MAPS, "report": 1}),
    "maps.shots": (1, {**MAPS, "report": 1}),
    "maps.batch_size": (512, {**MAPPED, "report": 1}),
    "maps.precision": ("bf16", {**MAPPED, "report": 1}),
    "maps.mask": ("none", {**MAPPED, "report": 1}),
    "maps.visits": (7, {"mosaic": 1, "report": 1}),
    "maps.parcels": ("nowhere.gpkg", REFUSED),
    "maps.layers": (["probabilities"], {**MAPPED, "report": 1}),
    "maps.check_values": (False, {}),
    **under(
        "synthetic",
        {
            "seed": (1, EVERYTHING),
            "revisit": (6, EVERYTHING),
            "cloudiness": (0.5, EVERYTHING),
            "label_error": (0.0, EVERYTHING),
            "parcel": (150.0, EVERYTHING),
        },
    ),
    # No area of the demo comes from there.
    **under(
        "earthengine",
        {
            "project": ("p", {}),
            "service_account_key": ("key.json", {}),
            "url": ("http://127.0.0.1:9", {}),
            "export": ({"earthengine.export": "batch", "earthengine.bucket": "b"}, {}),
            "bucket": ("b", {}),
            "drive_folder": (
                {"earthengine.drive_folder": "f", "earthengine.drive_path": "g"},
                {},
            ),
            "drive_path": ("p", {}),
            "batch_timeout": (1.0, {}),
            "concurrent": (3, {}),
            "rate": (3.0, {}),
            "deadline": (300.0, {}),
            "attempts": (2, {}),
            "patience": (1.0, {}),
            "min_clear": (0.1, {}),
            "clear_score": (50, {}),
            "cloud_score": ("cs", {}),
            "cache": ("elsewhere", {}),
            "cache_gb": (1.0, {}),
        },
    ),
    **under("compute", {"device": ("cuda", {}), "hours": (1.0, {}), "memory_gb": (8.0, {})}),
}
"""Key -> another value, or a mapping of keys where it takes several; and the jobs that run."""


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


def after(rule: str, path: str) -> Jobs:
    """What is made again when an output of a rule is missing."""
    crops = "/crops" in path or "county" in path
    one = {"patches": 1, **(CROPS if crops else LANDCOVER)}
    return {
        "cube": {"cube": 1, **one},
        "patches": one,
        "merge": CROPS if crops else LANDCOVER,
        "pretrain": pretrained(1) if "dual" in path else {"pretrain": 1, "fewshot": 2, **TABLES},
        "fewshot": {"fewshot": 1, **TABLES},
        "baseline": {"baseline": 1, **TABLES},
        "crop_model": {**MAPS, "report": 1},
        "map": {**MAPPED, "report": 1},
        "mosaic": {"mosaic": 1, "report": 1},
        "evaluate": TABLES,
        "report": {"report": 1},
    }[rule]


def test_whatever_is_deleted_is_made_again_with_what_depends_on_it(
    dry: DryRuns, finished: Path
) -> None:
    outputs = dry.outputs(finished, demo())
    assert set(outputs.values()) == {*EVERYTHING}
    for path, rule in outputs.items():
        kept = (finished / path).rename(finished / "kept")
        try:
            assert dry.jobs(finished, demo()) == after(rule, path), path
        finally:
            kept.rename(finished / path)
    assert dry.jobs(finished, demo()) == {}


def test_what_need_not_be_kept_may_go(dry: DryRuns, tmp_path: Path) -> None:
    """With `keep` a deleted cube or tile store is missed by nobody until somebody reads it."""
    values = changed(demo(), {"keep": "cubes"})
    dry.pretend(tmp_path, values)
    shutil.rmtree(tmp_path / "results" / "patches" / "crops")
    assert dry.jobs(tmp_path, values) == {}
    values["keep"] = "none"
    assert dry.jobs(tmp_path, values) == {"report": 1}  # a page without figures of cubes
    status, said = dry.run(tmp_path, tmp_path / "config.yaml", "--touch")
    assert status == 0, said
    shutil.rmtree(tmp_path / "results" / "cubes")
    assert dry.jobs(tmp_path, values) == {}
    assert dry.jobs(tmp_path, changed(values, {"evaluation.bootstrap": 500})) == TABLES
    found = dry.jobs(tmp_path, changed(values, {"sets.crops.per_tile": 500}))
    assert found == {"cube": 3, "patches": 3, **CROPS}


OWN = 'BASELINES = {"mine": None}\n'


@pytest.fixture(scope="module")
def fields(dry: DryRuns, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder in which the demo was made out of files of the user, wherever it can be."""
    folder = tmp_path_factory.mktemp("fields")
    (folder / "images").mkdir()
    for name in ("images/S2_20210801.tif", "images/S2_20210811.tif", "labels.tif", "peer.parquet"):
        (folder / name).write_text("pixels")
    (folder / "legend.csv").write_text("code,name,colour\n1,maize,#ffcc00\n2,wheat,#aa8800\n")
    (folder / "mine.py").write_text(OWN)
    west, south, east, north = demo()["areas"]["county_2021"]["bounds"]
    frame = geopandas.GeoDataFrame(geometry=[box(west, south, east, north)], crs=4326)
    frame.to_file(folder / "outline.geojson")
    parts = [box(west + k * 0.02, south, west + (k + 1) * 0.02, north) for k in range(3)]
    words = ["train", "validation", "test"]
    frame = geopandas.GeoDataFrame({"split": words}, geometry=parts, crs=4326)
    frame.to_file(folder / "split.geojson")
    values = changed(
        demo(),
        {
            "sets.crops.label": "crops",
            "sets.crops.split": {"by": "polygons", "polygons": "split.geojson"},
            "fewshot.baselines": ["mine", "peer"],
            "fewshot.options": {"mine": {"file": "mine.py"}, "peer": {"features": "peer.parquet"}},
            "maps.mask": "none",
        },
    )
    county = values["areas"]["county_2021"]
    del county["bounds"]
    county |= {
        "geometry": "outline.geojson",
        "source": "rasters",
        "labels": ["crops"],
        "tiles": {"size": 126},
        "rasters": {
            "path": "images",
            "clouds": {"by": "none"},
            "labels": {"crops": {"path": "labels.tif", "legend": "legend.csv"}},
        },
    }
    dry.pretend(folder, values)
    return folder, values


FILES = {
    "images/S2_20210801.tif": ("cube", "other pixels"),
    "labels.tif": ("cube", "other pixels"),
    "legend.csv": ("cube", "code,name,colour\n1,maize,#ffcc00\n2,barley,#aa8800\n"),
    "split.geojson": ("patches", None),
    "mine.py": ("baseline", OWN + "# other\n"),
    "peer.parquet": ("baseline", "other features"),
}
"""File of the user -> the first stage that it decides, and other content."""


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_of_the_user_runs_again_what_is_made_of_it(
    dry: DryRuns, fields: tuple[Path, dict[str, Any]], name: str
) -> None:
    folder, values = fields
    path = folder / name
    before, times = path.read_bytes(), path.stat()
    first, content = FILES[name]
    tiles = len(list((folder / "results" / "cubes" / "county_2021").iterdir()))
    expected = {
        "cube": {"cube": tiles, "patches": tiles, **CROPS},
        "patches": {"patches": tiles, **CROPS},
        "baseline": {"baseline": 2, **TABLES},
    }[first]
    try:
        path.write_bytes(before)  # touched: newer, and the same
        assert dry.jobs(folder, values) == {}
        other = before.replace(b"-94.9", b"-94.8") if content is None else content.encode()
        path.write_bytes(other)
        assert dry.jobs(folder, values) == expected
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert dry.jobs(folder, values) == {}


def test_another_acquisition_makes_the_cubes_again(
    dry: DryRuns, fields: tuple[Path, dict[str, Any]]
) -> None:
    folder, values = fields
    tiles = len(list((folder / "results" / "cubes" / "county_2021").iterdir()))
    times = (folder / "images").stat()
    new = folder / "images" / "S2_20210821.tif"
    new.write_text("pixels")
    assert dry.jobs(folder, values) == {"cube": tiles, "patches": tiles, **CROPS}
    new.unlink()
    os.utime(folder / "images", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert dry.jobs(folder, values) == {}


def test_an_outline_that_moves_no_tile_makes_no_cube_again(
    dry: DryRuns, fields: tuple[Path, dict[str, Any]]
) -> None:
    """The source of this area looks at its tiles alone; that of the demo has one sky an area."""
    folder, values = fields
    path = folder / "outline.geojson"
    before, times = path.read_bytes(), path.stat()
    path.write_bytes(before.replace(b"43.145", b"43.14501"))
    assert path.read_bytes() != before
    assert dry.jobs(folder, values) == {}
    path.write_bytes(before)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    bounds = demo()["areas"]["county_2021"]["bounds"]
    other = deepcopy(values)
    del other["areas"]["county_2021"]["geometry"]
    other["areas"]["county_2021"]["bounds"] = bounds
    assert dry.jobs(folder, other) == {}


def test_keys_of_clouds_concern_who_looks_at_them(
    dry: DryRuns, fields: tuple[Path, dict[str, Any]]
) -> None:
    folder, values = fields
    clouds = "areas.county_2021.rasters.clouds"
    assert dry.jobs(folder, changed(values, {f"{clouds}.blue_max": 0.5})) == {}
    found = dry.jobs(folder, changed(values, {f"{clouds}.by": "simple"}))
    assert isinstance(found, dict) and found["cube"] > 0
