"""The accuracy of a map and the areas of its classes, by an independent sample of its ground.

The sample is the user's: points with a class, or a raster that has one where somebody looked. How
it was drawn only its maker knows: at random within each class of the map (`stratified`), or at
random (`simple`). A simple random sample is stratified by map class afterwards, which is at least
as exact, since the size of each mapped class is known (Olofsson et al. 2014, section 3.2).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from sitsformer.errors import SitsError
from sitsformer.evaluation import areas
from sitsformer.maps import units
from sitsformer.maps.codes import MapCodes, read_codes
from sitsformer.maps.mosaic import count
from sitsformer.maps.reference import values_at

logger = logging.getLogger("sitsformer")

Design = Literal["stratified", "simple"]

DRAWN: Mapping[Design, str] = {
    "stratified": "drawn at random within each mapped class",
    "simple": "drawn at random, stratified by mapped class afterwards",
}

WHOLE = "every pixel of the map that has a class: there is no sampling error"
"""What stands for the design where the reference covers the whole map."""

COLUMNS = ("class", "label", "code", "reference")
"""Columns that are looked for where nobody says which one holds the class."""

SUGGESTED = ("visit", "predicted", "margin", "visited")
"""Columns of places to visit (`maps/visits.py`), which are no sample."""

MANY = 10
"""Classes unknown to the map from which on they may be no classes."""

RASTERS = (".tif", ".tiff", ".vrt", ".img")
"""Endings of references that are rasters."""


@dataclass(frozen=True)
class Sample:
    """A reference sample on a map.

    Attributes:
        mapped: (N,) class of the map.
        truth: (N,) true class.
        times: (N,) how many units are so.
        names, codes: of the classes of the map, and behind them those that only the sample has.
        left_out: why some of its units do not count, a sentence each.
    """

    mapped: areas.Ints
    truth: areas.Ints
    times: areas.Ints
    names: tuple[str, ...]
    codes: tuple[int, ...]
    left_out: tuple[str, ...]


def assess(
    raster: Path,
    reference: Path,
    *,
    design: Design,
    column: str | None = None,
    band: int | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Areas of the classes of a map and its accuracy, with intervals.

    Args:
        raster: map of classes.
        reference: points (any vector file, or CSV with `lon` and `lat`), or a raster of codes.
        design: how it was drawn.
        column: of points, which holds the class: its name, or its code.
        band: of a raster, from 1; None: its only one.
        level: of the intervals.

    Returns:
        See `evaluation.areas.table`.

    Raises:
        SitsError: a file cannot be used, no unit lies on the map or has one of its classes, or
            units of one pixel contradict each other.
    """
    import rasterio

    if (column, band) != (None, None) and (column is None) != _is_raster(reference):
        kind, option = ("a raster", "--column") if band is None else ("no raster", "--band")
        raise SitsError(f"{reference} is {kind}: leave {option} out")
    codes = read_codes(raster)
    if _is_raster(reference):
        found = units.of_raster(raster, reference, band, codes.nodata)
    else:
        found = _of_points(raster, reference, column)
    sample = _on_map(raster, reference, codes, found)
    pixels = np.zeros(len(sample.names), np.int64)
    known = len(codes.values)
    pixels[:known] = count(raster, max(*codes.values, codes.nodata))[list(codes.values)]
    drawn_units = areas.Reference.plain(sample.mapped, sample.truth, pixels, sample.times)
    drawn = drawn_units.counts(len(pixels))
    missed = [name for name, n, p in zip(sample.names, drawn, pixels, strict=True) if p and n < 2]
    if missed:
        logger.warning(
            "fewer than two units lie in the mapped classes %s: of these nothing is known, and the "
            "intervals are as wide as that makes them", ", ".join(missed),
        )  # fmt: skip
    with rasterio.open(raster) as source:
        hectares = abs(source.transform.a * source.transform.e) / 10_000
    how = WHOLE if (drawn == pixels).all() else DRAWN[design]
    basis = "; ".join([f"{drawn.sum()} units of {reference.name}, {how}", *sample.left_out])
    return areas.table(pixels, sample.names, sample.codes, drawn_units, level, basis, hectares)


def _is_raster(reference: Path) -> bool:
    return reference.suffix.lower() in RASTERS


def _on_map(
    raster: Path, reference: Path, codes: MapCodes, found: units.Units | units.Cover
) -> Sample:
    """The units that lie on a pixel with a class; classes that only they have come last."""
    if isinstance(found, units.Cover):
        values, times = found.value, found.pixels
    else:
        values = values_at(raster, found.x, found.y, codes.nodata).astype(np.int64)
        times = np.ones(len(values), np.int64)
    mapped = codes.decode(values).astype(np.int64) - 1
    known, on = found.text >= 0, mapped >= 0
    there = np.flatnonzero(on & known)
    if not len(there):
        raise SitsError(
            f"no unit of {reference} that has a class lies on a pixel of {raster} with one: check "
            "the coordinate systems of both"
        )
    texts, said = np.unique(found.text[there], return_inverse=True)
    table, names, numbers = _positions(codes, [found.texts[k] for k in texts.tolist()])
    truth = np.array(table, np.int64)[said]
    _refuse_classes(reference, codes, names, truth, int(times[there].sum()))
    left_out = {"more have no class": times[on & ~known].sum()}
    if isinstance(found, units.Cover):
        left_out["more lie where the map has no class"] = times[~on & known].sum()
    else:
        left_out["more lie where the map has no class"] = times[~on].sum()
        once = _once(raster, reference, found.x[there], found.y[there], truth)
        again = len(there) - len(once)
        left_out["more lie on the pixel of another, and count once"] = again
        there, truth = there[once], truth[once]
    sentences = [f"{number} {why}" for why, number in left_out.items() if number]
    if isinstance(found, units.Cover) and (on & ~known).any():
        share = f"{times[there].sum() / times[on].sum():.0%}"
        logger.warning(
            "%s covers %s of the map, which is no sample of single places: the intervals hold "
            "only if what it covers was drawn at random", reference, share
        )  # fmt: skip
        sentences.append(f"they cover {share} of the map, and the rest is taken to be like that")
    if isinstance(found, units.Units) and found.patches:
        logger.warning(
            "%s: most units lie side by side, and intervals take each for a draw of its own: if "
            "patches were drawn as one, they are too narrow; keep one pixel of each", reference
        )  # fmt: skip
        sentences.append("most lie side by side, and count as draws of their own")
    return Sample(mapped[there], truth, times[there], names, numbers, tuple(sentences))


def _refuse_classes(
    reference: Path, codes: MapCodes, names: Sequence[str], truth: areas.Ints, count: int
) -> None:
    """Refuse a reference whose classes are none of the map, or no classes.

    Raises:
        SitsError: with those it has.
    """
    foreign = names[len(codes.values) :]
    if truth.min() >= len(codes.values):
        raise SitsError(
            f"{reference} has no class of the map: it has {_few(foreign)}, and the map "
            f"{_few(codes.classes.names)}; write the names or codes of the map"
        )
    if len(foreign) >= MANY and 2 * len(foreign) > count:
        raise SitsError(
            f"{reference} has {len(foreign)} classes that the map has not, and {count} units: its "
            "column is of numbers of places, not of classes; say with --column which one it is"
        )


def _positions(
    codes: MapCodes, texts: Sequence[str]
) -> tuple[list[int], tuple[str, ...], tuple[int, ...]]:
    """The class of each text, and names and codes of all classes, those of the map first.

    Capitals make no other class, unless the map itself tells them apart.
    """
    exact = {name: k for k, name in enumerate(codes.classes.names)}
    exact |= {str(code): k for k, gathered in enumerate(codes.classes.codes) for code in gathered}
    folded: dict[str, int] = {}
    for name, k in exact.items():
        folded.setdefault(name.casefold(), k)
    names, numbers = list(codes.classes.names), list(codes.values)
    for text in sorted(set(texts)):
        if text not in exact and text.casefold() not in folded:
            folded[text.casefold()] = len(names)
            names.append(text)
            numbers.append(int(text) if text.isdecimal() else -1)
    if len(names) > len(codes.values):
        logger.warning(
            "the reference has classes that the map has not: %s; each pixel of them is an error of "
            "the map (classes of the map: %s)",
            _few(names[len(codes.values) :]), _few(codes.classes.names),
        )  # fmt: skip
    found = [exact.get(text, folded.get(text.casefold(), -1)) for text in texts]
    return found, tuple(names), tuple(numbers)


def _few(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" * (len(names) > most))


def _once(
    raster: Path, reference: Path, x: areas.Floats, y: areas.Floats, truth: areas.Ints
) -> areas.Ints:
    """Positions of the units, one a pixel: a pixel that is listed twice is one draw.

    Raises:
        SitsError: units of one pixel have several classes.
    """
    import rasterio

    with rasterio.open(raster) as source:
        shift, width = source.transform, source.width
    column = np.floor((x - shift.c) / shift.a).astype(np.int64)
    pixel = np.floor((y - shift.f) / shift.e).astype(np.int64) * width + column
    _, first, place = np.unique(pixel, return_index=True, return_inverse=True)
    differ = np.flatnonzero(truth != truth[first[place]])
    if len(differ):
        k = int(differ[0])
        raise SitsError(
            f"{len(differ)} units of {reference} have another class than one on the same pixel of "
            f"the map, the first at {x[k]:.1f}, {y[k]:.1f} (the map's system): keep one a pixel"
        )
    return np.sort(first)


def _of_points(raster: Path, path: Path, column: str | None) -> units.Units:
    """Places in the system of the map, and classes of points."""
    import rasterio

    from sitsformer.config import Survey
    from sitsformer.surveys.files import features

    if not path.exists():
        raise SitsError(f"{path} does not exist")
    # The forms of files, and what is wrong with them, are those of surveys.
    asked = Survey.model_validate(
        {"kind": "points", "path": str(path), "column": column or "class"}
    )
    frame = features(path, asked, str(path))
    if {*SUGGESTED} <= {*frame.columns}:
        raise SitsError(
            f"{path} holds places to visit, which were chosen where the map is least certain: they "
            "train (docs/evaluation.md), and cannot assess; draw places at random"
        )
    shapes = frame.geometry
    placeless = int((shapes.isna() | shapes.is_empty).sum())
    if placeless:
        raise SitsError(
            f"{placeless} of the {len(frame)} rows of {path} have no place: fill in their "
            "coordinates, or leave them out"
        )
    if set(frame.geom_type) == {"MultiPoint"} and (frame.count_geometries() == 1).all():
        frame = frame.explode()  # QGIS likes to write points so
    if set(frame.geom_type) != {"Point"}:
        found = ", ".join(sorted(set(frame.geom_type)))
        raise SitsError(f"{path} holds {found}: give points, one a sampled pixel")
    chosen = _column(path, frame, column)
    with rasterio.open(raster) as source:
        placed = frame.to_crs(source.crs)
    x, y = placed.geometry.x.to_numpy(float), placed.geometry.y.to_numpy(float)
    return units.of_values(x, y, placed[chosen].tolist())


def _column(path: Path, frame: Any, column: str | None) -> str:
    there = [name for name in frame.columns if name != frame.geometry.name]
    if column is not None:
        if column not in there:
            raise SitsError(f"{path} has no column {column!r}; it has {there}")
        return column
    found = [name for name in COLUMNS if name in there]
    if not found:
        raise SitsError(
            f"{path} has none of the columns {', '.join(COLUMNS)}; say with --column which of "
            f"{there} holds the class"
        )
    return found[0]
