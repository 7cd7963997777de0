"""The demo of the tests of what runs again: its keys, and the jobs that a change of each makes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml
from dryruns import ROOT

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
        {"mine": {"rasters": {"county_2021": "axes.tif"}}},
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
        # The cells of `dual` and `sl`, which know land cover, the control's and its baseline's,
        # which are made of the same fits now.
        {"fewshot": 4, "fit": 2, "baseline": 4, **MAPS, **TABLES},
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
    "maps.check_values": (False, {}),  # it refuses, or changes nothing
    "maps.visits": (7, {"mosaic": 1, "report": 1}),
    "maps.parcels": ("nowhere.gpkg", REFUSED),
    "maps.layers": (["probabilities"], {**MAPPED, "report": 1}),
    "maps.within": ("area", {**MAPPED, "report": 1}),
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
