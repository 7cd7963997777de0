"""A config from an area, a season and a file of labels: what `sitsformer init` writes of one's own.

It is the workflow as recommended where there are few labels: pretraining on every series of the
area with WorldCover beside, a sweep over numbers of labels that the file has, and the map of the
whole area by whoever validation prefers. It is checked as a run would check it, before it is
written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from sitsformer.config import Config, ConfigError, Survey, parse
from sitsformer.errors import SitsError

COLUMNS = ("class", "crop", "label", "crop_type", "croptype", "cropname", "code", "name")
"""Columns that are taken for the class where none is named."""

LEAST = 10
"""Features that a class needs to be told apart at all; rarer ones are dropped, with a warning."""

SHOTS = (1, 5, 20, 50, 100)

BLOCKS = 60
"""Squares of ground that an area is cut into, about, to keep training and test apart."""

TILE, SMALL_TILE = 510, 126
"""Pixels along a side of a tile: of images, and of the landscape that is made up."""

LAND_COVER = ("synthetic", "earthengine")
"""Sources that have WorldCover beside every area."""

CATALOGUE = {
    "url": "https://earth-search.aws.element84.com/v1",
    "collection": "sentinel-2-c1-l2a",
    "max_cloud": 80,
}
"""Where images come from without an account: config/examples/stac.yaml says more."""


@dataclass(frozen=True)
class Asked:
    """What a config is made of.

    Attributes:
        name: of the area; the year of the season is put behind it.
        area: west, south, east, north in degrees, or a vector file.
        start, end: of the season.
        labels: file of labelled points or polygons.
        column: of the class; None: found by its name.
        source: of imagery.
        rasters: folder or cube of the imagery, for `rasters`.
    """

    name: str
    area: str
    start: date
    end: date
    labels: Path
    column: str | None = None
    source: str = "earthengine"
    rasters: Path | None = None


def write(asked: Asked) -> str:
    """The text of the config.

    Raises:
        SitsError: a file cannot be read, or the config would not work: with all that is wrong.
    """
    from sitsformer.checks.foresight import season_problems
    from sitsformer.checks.problems import problems

    area = f"{asked.name}_{asked.start.year}"
    survey, counts = _survey(asked)
    values = _values(asked, area, survey, counts)
    config = parse(values, "this config")
    found = season_problems(config) or problems(config)
    if found:
        raise SitsError("this config would not work:\n  " + "\n  ".join(found))
    return _text(values, asked, area, counts, _size(config, area))


def _outline(asked: Asked) -> dict[str, Any]:
    if Path(asked.area).is_file():
        return {"geometry": str(Path(asked.area).absolute())}
    try:
        bounds = [float(part) for part in asked.area.replace(" ", ",").split(",") if part]
    except ValueError:
        bounds = []
    if len(bounds) != 4:
        raise SitsError(
            f"area {asked.area!r} is neither a file nor west,south,east,north in degrees, such as "
            "-93.6,42.0,-93.4,42.1"
        )
    return {"bounds": bounds}


def _survey(asked: Asked) -> tuple[dict[str, Any], dict[str, int]]:
    """The section of the labels, and how many features each class has."""
    from sitsformer.surveys.reading import read

    kind, columns = _features(asked.labels)
    column = asked.column or next((name for name in COLUMNS if name in columns), None)
    if column is None:
        raise SitsError(
            f"{asked.labels} has none of the columns {', '.join(COLUMNS)}; say with --column "
            f"which of {', '.join(columns)} holds the class"
        )
    section = {"kind": kind, "path": str(asked.labels.absolute()), "column": column}
    found = read("crops", Survey.model_validate(section))
    names = dict(zip(found.legend.codes, found.legend.names, strict=True))
    codes, count = np.unique(found.code[found.code >= 0], return_counts=True)
    return section, {names[code]: n for code, n in zip(codes.tolist(), count.tolist(), strict=True)}


def _features(path: Path) -> tuple[str, list[str]]:
    """Kind and columns of a file of labels."""
    import geopandas
    import pandas as pd

    try:
        if path.suffix.lower() in (".csv", ".tsv", ".txt"):
            return "points", [
                str(name) for name in pd.read_csv(path, nrows=1, sep=None, engine="python").columns
            ]
        if path.suffix.lower() in (".parquet", ".geoparquet", ".pq"):
            frame = geopandas.read_parquet(path)
        else:
            frame = geopandas.read_file(path)
    except Exception as error:
        raise SitsError(f"{path} cannot be read as labels: {error}") from None
    shapes = set(frame.geom_type.dropna())
    columns = [str(name) for name in frame.columns if name != frame.geometry.name]
    return ("polygons" if shapes & {"Polygon", "MultiPolygon"} else "points"), columns


def _values(
    asked: Asked, area: str, survey: dict[str, Any], counts: dict[str, int]
) -> dict[str, Any]:
    outline = _outline(asked)
    labels = ["worldcover"] if asked.source in LAND_COVER else []
    enough = [count for count in counts.values() if count >= LEAST]
    if len(enough) < 2:
        shown = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise SitsError(
            f"{asked.labels}, column {survey['column']!r}: two classes of {LEAST} features or more "
            f"are needed; it has {shown}"
        )
    # Half of the features of the rarest class train.
    least = min(enough) // 2
    shots: list[int | str] = [k for k in SHOTS if k <= max(1, least)]
    return {
        "areas": {
            area: {
                **_source(asked), **outline, "start": asked.start, "end": asked.end,
                "labels": labels,
                "tiles": {"size": SMALL_TILE if asked.source == "synthetic" else TILE},
            }
        },
        "labels": {"crops": survey | {"min_samples": LEAST}},
        "sets": {
            "series": {
                "areas": [area],
                **({"label": "worldcover"} if labels else {"label": "crops"}),
                "unlabelled": "keep", "per_tile": 1000,
                "split": {"by": "block", "block": _block(outline), "fractions": [0.8, 0.2, 0.0]},
            },
            "crops": {
                "areas": [area], "label": "crops",
                "split": {"by": "block", "block": _block(outline), "fractions": [0.5, 0.2, 0.3]},
            },
        },
        "patches": {"size": 3, "max_length": 50, "min_dates": 6},
        "model": {
            "embedding": "linear", "hidden": 64, "layers": 2, "heads": 4, "norm": "pre",
            "pooling": "mean_max",
        },
        "pretrain": {
            "set": "series", "overlap": "labels" if labels else "series",
            "objectives": ["dual" if labels else "ssl"], "epochs": 10, "batch_size": 128,
            "recipe": {"learning_rate": 2e-3},
        },
        "fewshot": {
            "set": "crops", "shots": [*shots, "all"], "seeds": 3,
            "inits": ["none", "dual" if labels else "ssl"], "adaptations": ["probe"],
            "learning_rates": [3e-3], "refine": ["land_cover", "smoothing"],
            "baselines": ["random_forest", "logistic_regression"],
        },
        "maps": {"tiles": {area: "all"}, "learner": "auto", "shots": "all",
                 "within": "area", "mask": "cropland" if labels else "none"},
    }  # fmt: skip


def _source(asked: Asked) -> dict[str, Any]:
    """The keys of the area that say where its images come from."""
    if (asked.source == "rasters") != (asked.rasters is not None):
        raise SitsError(
            "give --rasters, the folder or cube of the imagery, with rasters"
            if asked.rasters is None
            else f"--rasters {asked.rasters} is read by --source rasters, not by {asked.source}"
        )
    if asked.rasters is not None:
        return {"source": asked.source, "rasters": {"path": str(asked.rasters.absolute())}}
    section = {"stac": dict(CATALOGUE)} if asked.source == "stac" else {}
    return {"source": asked.source, **section}


def _block(outline: dict[str, Any]) -> int:
    """Side of the blocks of a split, metres: about `BLOCKS` of them, in steps of 60 m."""
    from sitsformer.polygons import mended, read

    if "bounds" in outline:
        west, south, east, north = outline["bounds"]
    else:
        path = Path(outline["geometry"])
        frame = mended(read(path, "area"), f"area {path}").to_crs(4326)
        west, south, east, north = frame.total_bounds
    metres = 111_320.0
    wide = (east - west) * metres * math.cos(math.radians((south + north) / 2))
    side = math.sqrt(max(wide * (north - south) * metres, 1.0) / BLOCKS)
    return max(120, int(side // 60 * 60))


def _size(config: Config, area: str) -> int:
    from sitsformer.grid import tiles

    try:
        return len(tiles(area, config.areas[area]))
    except ConfigError as error:
        raise SitsError(str(error)) from None


def _text(
    values: dict[str, Any], asked: Asked, area: str, counts: dict[str, int], tiles: int
) -> str:
    """The config as a file that people go on with."""
    import yaml

    said = {
        "areas": f"The area in its season, {tiles} tiles; `sitsformer config tiles` lists them.",
        "labels": "\n# ".join(
            [
                "Features by class; docs/labels.md: dates, groups, weights.",
                *(
                    f"  {name} {count}" + ("" if count >= LEAST else " (dropped: too few)")
                    for name, count in counts.items()
                ),
            ]
        ),
        "sets": "What is learned from; training, validation and test lie in blocks of their own.",
        "patches": "What a sample is; more `min_dates` where skies are clear.",
        "model": "Small enough for a laptop; config/examples/full.yaml has the published size.",
        "pretrain": "On every series of the area. Claims say that its ground was seen.",
        "fewshot": "How many labels are enough, and for whom.",
        "maps": "The whole area, by whoever validation prefers.",
    }  # fmt: skip
    head = [
        f"# Written by `sitsformer init` for {area}.",
        "#",
        "#   sitsformer config check config/config.yaml",
        "#   sitsformer config docs                      # every key, in config/README.md",
        "#   sitsformer plan config/config.yaml",
        "#   snakemake --cores 2",
        "",
    ]
    for key, section in values.items():
        text = yaml.safe_dump({key: section}, sort_keys=False, default_flow_style=None, width=96)
        head += [f"# {said[key]}", text]
    del asked
    return "\n".join(head)


def season(texts: Sequence[str]) -> tuple[date, date]:
    """First and last day of a season.

    Raises:
        SitsError: they are no dates in their order.
    """
    try:
        start, end = (date.fromisoformat(text) for text in texts)
    except ValueError:
        raise SitsError(
            f"season {' '.join(texts)}: give its first and last day, such as 2021-03-01 2021-10-31"
        ) from None
    if end <= start:
        raise SitsError(f"season {' '.join(texts)}: its last day is not after its first")
    return start, end
