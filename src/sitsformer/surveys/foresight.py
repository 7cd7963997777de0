"""What a survey says against a config before the first job, as `path.of.key: message`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sitsformer.classes import Classes
from sitsformer.config import Area, Config, ConfigError
from sitsformer.grid import Tile, area_geometry
from sitsformer.legends import group
from sitsformer.surveys.placing import touching
from sitsformer.surveys.reading import Surveyed, read

Tiles = Callable[[str], Sequence[Tile]]
"""Name of an area -> its tiles."""


def problems(config: Config, tiles: Tiles) -> Iterator[str]:
    """Surveys that cannot be read, or have nothing for the sets that name them.

    Args:
        config: the config.
        tiles: of the areas.
    """
    known = {}
    for name, survey in config.labels.items():
        try:
            known[name] = read(name, survey)
        except ConfigError as error:
            text = str(error)
            yield text if text.startswith(f"labels.{name}") else f"labels.{name}: {text}"
    for name, chosen in config.sets.items():
        if str(chosen.label) not in known:
            continue
        surveyed = known[str(chosen.label)]
        try:
            classes = group(surveyed.legend, chosen.classes)
        except ConfigError as error:
            yield f"sets.{name}.classes: {error}"
            continue
        there = np.zeros(len(surveyed), bool)
        for area_name in chosen.areas:
            here, lacking = _of_area(surveyed, config.areas[area_name], tiles(area_name))
            there |= here
            yield from (f"areas.{area_name}: {line}" for line in lacking)
        if there.any() and name == config.fewshot.set:
            yield from (f"sets.{name}.label: {line}" for line in _classes(surveyed, classes, there))


def _of_area(
    surveyed: Surveyed, area: Area, tiles: Sequence[Tile]
) -> tuple[NDArray[np.bool_], list[str]]:
    """Features (feature,) that an area can have samples of, and what it lacks."""
    here = np.zeros(len(surveyed), bool)
    for tile in tiles:
        here[touching(surveyed, tile)] = True
    if not here.any():
        return here, [_nowhere(surveyed, area)]
    fitting = here & surveyed.of_season(area)
    if not fitting.any():
        seasons = Counter(str(surveyed.season[k]) for k in np.flatnonzero(here).tolist())
        said = ", ".join(f"{season} ({n})" for season, n in seasons.most_common(5))
        return fitting, [
            f"none of the {int(here.sum())} features of {surveyed.where} in its tiles is of its "
            f"season, {area.start} to {area.end}; the column {surveyed.survey.date!r} says {said}: "
            "change the season, or leave `date` out"
        ]
    return fitting, []


def _nowhere(surveyed: Surveyed, area: Area) -> str:
    """Where the features are, and where the area is."""
    boxes = surveyed.degrees[surveyed.lost == ""]
    if not len(boxes):
        return f"no feature of {surveyed.where} can be used; each lacks a class or a shape"
    (west, south), (east, north) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    left, low, right, top = area_geometry(area).bounds
    return (
        f"no feature of {surveyed.where} lies in its tiles; they lie at {west:.4f} to {east:.4f} "
        f"degrees east and {south:.4f} to {north:.4f} north, the area at {left:.4f} to "
        f"{right:.4f} and {low:.4f} to {top:.4f}: check the area, and the coordinate system of the "
        "file"
    )


def _classes(surveyed: Surveyed, classes: Classes, there: NDArray[np.bool_]) -> Iterator[str]:
    """Fewer than two classes that could have samples enough."""
    label = classes.index(surveyed.code[there].astype(np.uint16))
    counts = np.bincount(label[label >= 0], minlength=len(classes.names))
    survey = surveyed.survey
    if survey.kind == "points":
        enough = int((counts >= survey.min_samples).sum())
        said = f"with {survey.min_samples} features (`min_samples`) "
    else:
        enough, said = int((counts > 0).sum()), ""
    if enough < 2:
        found = ", ".join(
            f"{n} {c}" for n, c in zip(classes.names, counts.tolist(), strict=True) if c
        )
        yield (
            f"{surveyed.where} has {enough} class{'es' if enough != 1 else ''} {said}in its areas "
            f"({found or 'none'}); there is nothing to tell apart"
        )
