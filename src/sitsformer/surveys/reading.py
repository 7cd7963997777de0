"""A file of labelled points or polygons -> features with class, season, weight and group.

What cannot be used at all (no class, no shape, a weight of 0) is not lost in silence: it is in the
table of every feature with its reason.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.classes import Legend
from sitsformer.config import Area, ConfigError, Survey, expand
from sitsformer.labels import SurveyKind, kinds
from sitsformer.polygons import check_place, only_polygons
from sitsformer.surveys import entries, files

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from shapely import STRtree

logger = logging.getLogger("sitsformer")


@dataclass(frozen=True, eq=False)
class Surveyed:
    """The features of a file.

    Attributes:
        name: of the layer under `labels`.
        where: the layer and its file, for messages.
        survey: section of the config.
        frame: all features with their shapes, in the CRS of the file; numbered from 1.
        legend: of the codes.
        code: (feature,) int64 of the legend; -1 without a class.
        group: (feature,) int64.
        weight: (feature,) float64.
        season: (feature,) when each label holds.
        lost: (feature,) reason why a feature cannot be used; nothing where it can.
    """

    name: str
    where: str
    survey: Survey
    frame: GeoDataFrame
    legend: Legend
    code: NDArray[np.int64]
    group: NDArray[np.int64]
    weight: NDArray[np.float64]
    season: list[entries.Season]
    lost: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.code)

    @cached_property
    def degrees(self) -> NDArray[np.float64]:
        """West, south, east, north (feature, 4) of each feature in degrees; NaN without a shape."""
        return np.asarray(self.frame.geometry.to_crs(4326).bounds.to_numpy(np.float64))

    @cached_property
    def tree(self) -> STRtree:
        """The boxes of `degrees`, to be looked up by place."""
        from shapely import STRtree, box

        boxes = [None if np.isnan(one).any() else box(*one) for one in self.degrees]
        return STRtree(np.array(boxes, object))

    @cached_property
    def middle(self) -> NDArray[np.float64]:
        """Longitude and latitude (feature, 2) of a point within each feature."""
        points = self.frame.geometry.representative_point().to_crs(4326)
        return np.column_stack([points.x.to_numpy(np.float64), points.y.to_numpy(np.float64)])

    def some(self, positions: NDArray[np.int64]) -> GeoDataFrame:
        """Shapes of some features, with their positions as the index."""
        part = self.frame.iloc[positions]
        return part.set_axis(positions, axis=0)

    def of_season(self, area: Area) -> NDArray[np.bool_]:
        """Features (feature,) that hold in the season of an area."""
        return np.array([season.fits(area) for season in self.season], bool)


def read(name: str, survey: Survey) -> Surveyed:
    """Read the features of a survey.

    Args:
        name: of the layer under `labels`.
        survey: its section of the config.

    Raises:
        ConfigError: the file or its legend cannot be read, a column is missing, a cell cannot be
            understood, or the shapes are of another type.
    """
    path = expand(survey.path)
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise ConfigError(f"labels.{name}.path: {path} cannot be read: {error.strerror}") from None
    return _read(name, survey.model_dump_json(), path, changed)


@lru_cache(8)
def _read(name: str, settings: str, path: Path, changed: int) -> Surveyed:
    survey = Survey.model_validate_json(settings)
    where = f"labels.{name}: {path}"
    frame = files.features(path, survey, where)
    column = {
        key: _cells(frame, getattr(survey, key), key, where)
        for key in ("column", "date", "weight", "group")
    }
    code, legend = entries.classes(
        column["column"] or [], survey.legend, f"{where}, column {survey.column!r}"
    )
    frame = _shaped(frame, survey, where)
    none = [""] * len(frame)
    weight = entries.weights(column["weight"] or none, f"{where}, column {survey.weight!r}")
    lost = np.full(len(frame), "", object)
    lost[weight == 0] = "no_weight"
    lost[frame.geometry.isna().to_numpy()] = "no_shape"
    lost[code < 0] = "no_class"
    return Surveyed(
        name=name,
        where=where,
        survey=survey,
        frame=frame,
        legend=legend,
        code=code,
        group=entries.groups(column["group"] or none),
        weight=weight,
        season=entries.seasons(column["date"] or none, f"{where}, column {survey.date!r}"),
        lost=lost,
    )


def _cells(frame: GeoDataFrame, column: str | None, key: str, where: str) -> list[str] | None:
    if column is None:
        return None
    there = [str(name) for name in frame.columns if name != frame.geometry.name]
    if column not in there:
        near = get_close_matches(column.casefold(), [name.casefold() for name in there], 1)
        meant = next((name for name in there if near and name.casefold() == near[0]), None)
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise ConfigError(
            f"{where} has no column {column!r} (`{key}`); it has {', '.join(there) or 'none'}{hint}"
        )
    return entries.text_of(frame[column])


def _shaped(frame: GeoDataFrame, survey: Survey, where: str) -> GeoDataFrame:
    """The features with flat shapes of the kind's types, None where there is nothing of them."""
    from shapely import force_2d, get_coordinates, is_empty

    kind = kinds()[survey.kind]
    shapes = force_2d(frame.geometry.to_numpy())
    shapes[is_empty(shapes)] = None
    for number, shape in enumerate(shapes):
        if shape is None:
            continue
        if not np.isfinite(get_coordinates(shape)).all():
            shapes[number] = None
        elif shape.geom_type not in (*kind.shapes, "GeometryCollection"):
            raise ConfigError(
                f"{where}: feature {number + 1} is a {shape.geom_type}, and `kind: {kind.name}` "
                f"takes {kind.title}{_other(shapes, kind)}"
            )
        elif "Polygon" in kind.shapes:
            shapes[number] = _mended(shape, f"{where}: feature {number + 1}")
        elif shape.geom_type not in kind.shapes:
            shapes[number] = None
    frame = frame.set_geometry(shapes, crs=frame.crs)
    if frame.geometry.notna().any():
        check_place(frame, where)
    return frame


def _other(shapes: NDArray[np.object_], kind: SurveyKind) -> str:
    """The remedy for shapes that another kind takes, or that no kind takes all of."""
    count = Counter(shape.geom_type for shape in shapes if shape is not None)
    for other in kinds().values():
        if {*count} <= {*other.shapes}:
            return f"; say `kind: {other.name}`"
    if not {*count} & {*kind.shapes}:
        return ""
    found = ", ".join(f"{n} {name}" for name, n in count.most_common())
    return f"; the file mixes {found}: put each kind of shape into a file of its own"


def _mended(shape: Any, here: str) -> Any:
    """A polygon that is valid; None if nothing is left of it."""
    from shapely import is_valid_reason

    found = only_polygons(shape)
    if found.area == 0:
        return None
    if not shape.is_valid:
        logger.warning("%s was mended: %s", here, is_valid_reason(shape))
    return found
