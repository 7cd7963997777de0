"""What a survey says against a config before the first job, as `path.of.key: message`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sitsformer.classes import Classes
from sitsformer.config import Area, Config, ConfigError
from sitsformer.errors import some
from sitsformer.grid import Tile, area_geometry
from sitsformer.labels import kinds
from sitsformer.legends import group
from sitsformer.surveys.placing import cut, touching
from sitsformer.surveys.reading import Surveyed, read

SOME = 50
"""Polygons that are looked at at once."""

Tiles = Callable[[str], Sequence[Tile]]
"""Name of an area -> its tiles."""
Places = list[tuple[NDArray[np.int64], Sequence[Tile]]]
"""Of each area of a set, the features that it can have samples of, and its tiles."""


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
        places: Places = []
        for area_name in chosen.areas:
            of_area = tiles(area_name)
            here, lacking = _of_area(surveyed, config.areas[area_name], of_area)
            there |= here
            places.append((np.flatnonzero(here), of_area))
            yield from (f"areas.{area_name}: {line}" for line in lacking)
        if not there.any():
            continue
        found = []
        if name == config.fewshot.set:
            found = list(_classes(surveyed, classes, there))
        found = found or list(_narrow(surveyed, classes, places, name == config.fewshot.set))
        yield from (f"sets.{name}.label: {line}" for line in found)


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
        f"{right:.4f} and {low:.4f} to {top:.4f}: {_mistake(boxes, (left, low, right, top))}"
    )


def _mistake(boxes: NDArray[np.float64], area: tuple[float, float, float, float]) -> str:
    """What may be wrong with features (feature, 4) in degrees that lie outside of an area."""
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    left, low, right, top = area
    for lon, lat, wrong in (
        (y, x, "longitude and latitude seem to be exchanged"),
        (-x, y, "longitudes seem to lack their sign, which is negative west of Greenwich"),
        (x, -y, "latitudes seem to lack their sign, which is negative south of the equator"),
    ):
        inside = int(((left <= lon) & (lon <= right) & (low <= lat) & (lat <= top)).sum())
        if inside:
            return f"{wrong}: then {inside} of {len(boxes)} would lie in it"
    return "check the area, and the coordinate system of the file"


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
        yield (
            f"{surveyed.where} has {enough} class{'es' if enough != 1 else ''} {said}in its areas "
            f"({_counted(classes.names, counts)}); there is nothing to tell apart"
        )


def _counted(names: Sequence[str], counts: NDArray[np.int64]) -> str:
    """Classes with their features, the most frequent first and not all of thousands."""
    order = np.argsort(-counts, kind="stable")
    text = [f"{names[k]} {counts[k]}" for k in order if counts[k]]
    return some(text)


def _narrow(
    surveyed: Surveyed, classes: Classes, places: Places, told_apart: bool
) -> Iterator[str]:
    """Polygons too narrow to have a pixel so far from their border as `erode` says.

    Args:
        surveyed: the features.
        classes: of the set.
        places: features of each area of the set.
        told_apart: whether two classes are needed, or one.
    """
    kind = kinds()[surveyed.survey.kind]
    if "erode" not in kind.keys:
        return
    positions = np.unique(np.concatenate([here for here, _ in places]))
    label = classes.index(surveyed.code[positions].astype(np.uint16))
    wide = set()
    for number in np.unique(label[label >= 0]).tolist():
        own = positions[label == number]
        # Few features are looked at where all is well: one is enough.
        for start in range(0, len(own), SOME):
            if _has_pixel(surveyed, own[start : start + SOME], places):
                wide.add(number)
                break
        if len(wide) > told_apart:
            return
    pixel = places[0][1][0].pixel
    erode = pixel if surveyed.survey.erode is None else surveyed.survey.erode
    names = " and ".join(classes.names[k] for k in sorted(wide))
    said = f"only those of {names} have" if names else "none has"
    yield (
        f"of the {len(positions)} features of {surveyed.where} in its areas {said} "
        f"a pixel of {pixel} m whose centre lies {erode:g} m or more within (`erode`); "
        + ("`erode: 0` takes pixels up to the border" if erode else "they are too small to be seen")
    )


def _has_pixel(surveyed: Surveyed, some: NDArray[np.int64], places: Places) -> bool:
    """Whether one of some features at least can have a sample."""
    claims = kinds()[surveyed.survey.kind].claims
    for here, tiles in places:
        own = np.intersect1d(some, here)
        found = claims(cut(surveyed.some(own), tiles), tiles[0], surveyed.survey)
        if (~found.eroded).any():
            return True
    return False
