"""For notebooks: `sitsformer init` with an area that was drawn on a map.

    import geemap
    from sitsformer.notebook import init

    m = geemap.Map()
    m  # draw a rectangle or a polygon, then in the next cell:
    init(m, ("2021-03-01", "2021-10-31"), "points.csv", "county")

The folder is what `sitsformer init county --area ... --season ... --labels ...` writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sitsformer.errors import SitsError

OUTLINE = "config/area.geojson"
"""Where the outline goes, in the folder; the config names it."""

DRAW = "draw a rectangle or a polygon on it, and run this cell again"


def init(
    area: Any,
    season: tuple[str, str],
    labels: str | Path,
    folder: str | Path = ".",
    *,
    column: str | None = None,
    name: str = "county",
    source: str = "earthengine",
    rasters: str | Path | None = None,
) -> Path:
    """Write a folder to work in, with a checked config of an area that was drawn.

    Args:
        area: a geemap map (all that is drawn on it), what it gives of that (`m.user_roi`,
            `m.draw_last_feature`), a GeoJSON geometry, feature or collection as a dictionary, or
            anything with `__geo_interface__`: a shape of shapely, a table of geopandas in degrees.
        season: first and last day, YYYY-MM-DD.
        labels: file of labelled points or polygons.
        folder: it need not exist; no file that exists is written over.
        column: of the class; None: class, crop, label, ...
        name: of the area; the year of the season is put behind it.
        source: of imagery.
        rasters: folder or cube of the imagery, for `rasters`.

    Returns:
        The config.

    Raises:
        SitsError: nothing was drawn, the shape is none, or the config would not work; then nothing
            is written.
    """
    from sitsformer import artefacts, newconfig, newfolder

    folder = Path(folder)
    outline = folder / OUTLINE
    newfolder.refuse_other(folder)
    if outline.exists():
        raise SitsError(f"{outline} exists: name another folder, or move it away")
    start, end = newconfig.season(season)
    shape = drawn(area)
    new = [path for path in (folder, *folder.parents, outline.parent) if not path.exists()]
    try:
        with artefacts.create_file(outline) as partial:
            partial.write_text(json.dumps(shape), encoding="utf-8")
        newfolder.write(
            folder,
            newconfig.Asked(
                name, str(outline), start, end, Path(labels), column, source,
                None if rasters is None else Path(rasters),
            ),
        )  # fmt: skip
    except BaseException:
        outline.unlink(missing_ok=True)
        for path in sorted(new, reverse=True):  # the deepest first
            with suppress(OSError):
                path.rmdir()
        raise
    return folder / newfolder.CONFIG


def drawn(area: Any) -> dict[str, Any]:
    """What was drawn, as a GeoJSON geometry in degrees: one polygon, or several.

    Args:
        area: as `init` takes it.

    Raises:
        SitsError: nothing was drawn, or something that is no polygon.
    """
    from shapely import unary_union
    from shapely.geometry import mapping

    shapes = [_polygon(feature) for feature in _features(_geojson(area))]
    if not shapes:
        raise SitsError(f"nothing is drawn: {DRAW}")
    # Without the tuples of shapely, as a file has it.
    found: dict[str, Any] = json.loads(json.dumps(mapping(unary_union(shapes))))
    return found


def _geojson(area: Any) -> Mapping[str, Any]:
    """What `init` takes, as GeoJSON."""
    if area is None:  # `user_roi` of a map on which nothing was drawn
        raise SitsError(f"nothing is drawn: {DRAW}")
    if isinstance(area, Mapping):
        return area
    if hasattr(area, "user_roi"):
        # What the browser holds; the map's own list is of objects of Earth Engine.
        control = getattr(area, "draw_control", None)
        if control is None:
            raise SitsError(f"this map has no tool to draw with: use geemap.Map(), {DRAW}")
        return {"type": "FeatureCollection", "features": list(control.data)}
    if hasattr(area, "toGeoJSON"):
        return _of_earth_engine(area)
    if hasattr(area, "__geo_interface__"):
        crs = getattr(area, "crs", None)
        moved = area if crs is None else area.to_crs(4326)
        found: Mapping[str, Any] = moved.__geo_interface__
        return found
    raise SitsError(
        f"an area is a geemap map, what was drawn on it, or GeoJSON; this is a "
        f"{type(area).__name__}. Bounds and files: `sitsformer init --area`"
    )


def _of_earth_engine(shape: Any) -> Mapping[str, Any]:
    """A geometry or a feature of Earth Engine; one that is computed is asked for there."""
    import ee

    try:
        found: Mapping[str, Any] = (
            shape.toGeoJSON() if isinstance(shape, ee.Geometry) else shape.getInfo()
        )
    except ee.EEException:
        found = shape.getInfo()  # a circle is a computed one
    return found


def _features(geojson: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if geojson.get("type") == "FeatureCollection":
        yield from geojson["features"]
    elif geojson.get("type") == "Feature":
        yield geojson
    else:
        yield {"type": "Feature", "properties": {}, "geometry": geojson}


def _polygon(feature: Mapping[str, Any]) -> Any:
    """The shape of a feature; a circle is a point with a radius in its style, metres."""
    from geopandas import GeoSeries
    from shapely.affinity import translate
    from shapely.geometry import shape

    try:
        found = shape(feature["geometry"])
    except Exception as error:
        raise SitsError(f"what is drawn is no GeoJSON: {error}") from None
    style = (feature.get("properties") or {}).get("style") or {}
    if found.geom_type == "Point" and "radius" in style:
        place = GeoSeries([found], crs=4326)
        around = place.to_crs(place.estimate_utm_crs()).buffer(float(style["radius"]))
        found = around.to_crs(4326).iloc[0]
    if found.geom_type not in ("Polygon", "MultiPolygon") or found.is_empty:
        raise SitsError(
            f"what is drawn is a {found.geom_type}, which has no pixels: delete it, or {DRAW}"
        )
    # A map that was moved around the world goes on counting degrees.
    around = 360 * ((found.centroid.x + 180) // 360)
    return translate(found, -around) if around else found
