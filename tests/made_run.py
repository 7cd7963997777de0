"""A made run with every artefact that the report takes, in seconds and without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import yaml
from click.testing import CliRunner

import phenology
from sitsformer import cube
from sitsformer.classes import Classes, Legend
from sitsformer.commands.evaluate import evaluate
from sitsformer.commands.map import map_command, mosaic
from sitsformer.commands.report import report
from sitsformer.grid import Tile
from sitsformer.model import Architecture, SITSFormer
from sitsformer.modelstore import Origin, save_model
from sitsformer.sensors import BANDS

SIDE = 36
CONFIG = {
    "areas": {
        "county": {
            "source": "synthetic",
            "bounds": [9.0, 50.0, 9.1, 50.1],
            "start": "2021-03-01",
            "end": "2021-10-31",
            "labels": ["worldcover", "cdl"],
        }
    },
    "sets": {"crops": {"areas": ["county"], "label": "cdl"}},
    "patches": {"size": 3, "max_length": 40, "min_dates": 2},
    "pretrain": {"set": "crops", "objectives": ["ssl", "dual"]},
    "fewshot": {
        "set": "crops",
        "shots": [1, 5, "all"],
        "inits": ["none", "ssl", "dual"],
        "baselines": ["random_forest"],
    },
    "evaluation": {"bootstrap": 100},
}
LEGEND = Legend("cdl", (0, 1, 2, 3, 4), ("none", *phenology.NAMES), ("#000000", *phenology.COLOURS))


def make_cube(path: Path, seed: int = 0) -> None:
    """A cube of square fields whose pixels are like the made samples."""
    rng = np.random.default_rng(seed)
    tile = Tile("county", "32632_499980_5599980", 32632, 499980, 5599980, SIDE)
    fields = rng.integers(1, 5, (6, 6)).repeat(6, 0).repeat(6, 1).astype(np.uint8)
    days = np.arange(65, 300, 8)
    peak, width = (np.array(values)[fields - 1] for values in (phenology.PEAKS, phenology.WIDTHS))
    green = np.exp(-(((days[:, None, None] - peak) / width) ** 2))[:, None]
    soil = np.linspace(0.08, 0.28, len(BANDS))[:, None, None]
    leaf = np.array([0.03, 0.06, 0.03, 0.09, 0.28, 0.38, 0.42, 0.44, 0.2, 0.1])[:, None, None]
    values = soil + green * (leaf - soil) + rng.normal(0, 0.01, (len(days), 10, SIDE, SIDE))
    clear = rng.choice([10, 90], (len(days), 1, 1), p=[0.4, 0.6])
    dataset = cube.build(
        tile,
        np.datetime64("2021-01-01") + days - 1,
        (np.clip(values, 0, 1) * 10_000).astype(np.uint16),
        np.broadcast_to(clear, (len(days), SIDE, SIDE)).astype(np.uint8),
        {"cdl": (fields, LEGEND)},
        {},
    )
    cube.write(dataset, path, config={})


def make_model(path: Path, task: str, classes: tuple[str, ...] = ()) -> None:
    """A small network with random weights and a made history."""
    torch.manual_seed(len(task))
    shape = Architecture(
        patch=3, embedding="linear", hidden=16, layers=1, heads=2, pooling="mean_max",
        classes=len(classes),
    )  # fmt: skip
    model = SITSFormer(shape, np.full(10, 0.2), np.full(10, 0.1), BANDS, classes)
    history = [
        {"epoch": i, "train_cross_view": 1 / (1 + i), "validation_cross_view": 1.1 / (1 + i)}
        | (
            {"train_landcover": 1.5 - i / 10, "validation_landcover": 1.6 - i / 10}
            if task == "dual"
            else {}
        )
        for i in range(6)
    ]
    codes = tuple((k + 1,) for k in range(len(classes)))
    origin = Origin(task, classes=Classes(classes, phenology.COLOURS, codes), layer="cdl")
    save_model(path, model, origin, history)


def run(command: object, *options: object) -> None:
    """Run a command as the shell would; its failure is the test's."""
    done = CliRunner().invoke(command, [str(one) for one in options], catch_exceptions=False)  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output


def write_config(folder: Path) -> Path:
    """The config of the made run, in its folder."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


def make_tables(folder: Path, store: Path, cells: list[Path]) -> Path:
    """The tables of predictions, and their folder."""
    options = ("--config", write_config(folder), "--samples", store, "--pretrain-samples", store)
    tables = folder / "results" / "tables"
    run(evaluate, *options, "--out", tables, *cells)
    return tables


def make_map(folder: Path, area: str, tile: str) -> Path:
    """The map of a tile and that of its area, which is given back."""
    config, results = write_config(folder), folder / "results"
    maps, model = results / "maps" / area, results / "models" / "crop"
    cube_of = ("--cube", results / "cubes" / area / f"{tile}.zarr")
    drawn, out = maps / "tiles" / f"{tile}.tif", maps / f"{area}.tif"
    run(map_command, "--config", config, "--model", model, *cube_of, "--out", drawn)
    options = ("--config", config, "--samples", results / "patches" / "crops.zarr")
    run(mosaic, *options, "--model", model, *cube_of, "--out", out, drawn)
    return out


def make(folder: Path) -> Path:
    """Make a run in a folder and return the path of its report."""
    config = write_config(folder)
    results = folder / "results"
    tile = results / "cubes" / "county" / "32632_499980_5599980.zarr"
    make_cube(tile)
    samples = phenology.make(600, side=3, blocks=40)
    store = phenology.write(results / "patches" / "crops.zarr", samples)
    skill = {name: phenology.SKILL[name] for name in ("none", "ssl", "dual", "random_forest")}
    cells = phenology.write_cells(results / "fewshot", samples, phenology.cells(samples, skill))
    models = [results / "models" / f"{task}-p0" for task in ("ssl", "dual")]
    for path, task in zip(models, ("ssl", "dual"), strict=True):
        make_model(path, task)
    make_model(results / "models" / "crop", "classification", phenology.NAMES)
    benchmark = results / "benchmarks" / "fewshot" / "none-full" / "5.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\th:m:s\tmax_rss\tcpu_time\n12.5\t0:00:12\t431.2\t11.9\n")
    tables = make_tables(folder, store, cells)
    area = make_map(folder, "county", tile.stem)
    page = results / "report.html"
    run(
        report, "--config", config, "--tables", tables, "--benchmarks", results / "benchmarks",
        "--figures", results / "figures", "--out", page, area, tile, store, *models,
    )  # fmt: skip
    return page
