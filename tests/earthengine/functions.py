"""Algorithms on collections, lists, dates, places and filters, by their real names and arguments.

Only what the exporter and its peers (xee, geemap) call; everything else is unknown. Those on bands
are in image_functions.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from shapely.geometry import MultiPolygon, Point, Polygon, box

from earthengine.images import EarthEngineError, Image, known_crs, transformer
from earthengine.values import (
    Collection,
    Context,
    Feature,
    Instant,
    Projection,
    Reducer,
    accumulated,
    function,
    to_image,
    to_items,
)

# --- loading --------------------------------------------------------------------------------


@function("Image.load")
def _image_load(context: Context, id: str, version: float = -1) -> Image:
    if id not in context.catalogue.images:
        raise EarthEngineError(
            f"Image.load: Image asset '{id}' not found "
            "(does not exist or caller does not have access)."
        )
    return context.catalogue.images[id]


@function("ImageCollection.load")
def _collection_load(context: Context, id: str, version: float = -1) -> Collection:
    if id not in context.catalogue.collections:
        raise EarthEngineError(
            f"ImageCollection.load: ImageCollection asset '{id}' not found "
            "(does not exist or caller does not have access)."
        )
    return Collection(context.catalogue.collections[id], id)


@function("ImageCollection.fromImages")
def _from_images(context: Context, images: list[Any]) -> Collection:
    return Collection([to_image(item) for item in images])


@function("Collection")
def _collection(context: Context, features: Any) -> Collection:
    return Collection(to_items(features))


@function("Feature")
def _feature(
    context: Context, geometry: Any = None, metadata: dict[str, Any] | None = None,
    geometryKey: str | None = None,
) -> Feature:  # fmt: skip
    return Feature(geometry, dict(metadata or {}))


# --- collections ----------------------------------------------------------------------------


@function("Collection.filter")
def _filter(context: Context, collection: Collection, filter: Callable[..., bool]) -> Collection:
    return Collection([item for item in collection.items if filter(item)])


@function("Collection.map")
def _map(
    context: Context, collection: Collection, baseAlgorithm: Callable[..., Any],
    dropNulls: bool = False,
) -> Collection:  # fmt: skip
    found = [baseAlgorithm(item) for item in collection.items]
    return Collection([item for item in found if not (dropNulls and item is None)])


@function("ImageCollection.merge")
def _merge(context: Context, collection1: Collection, collection2: Collection) -> Collection:
    """Both, told apart by a number before each index."""
    found = []
    for number, collection in enumerate((collection1, collection2), start=1):
        for item in collection.items:
            index = f"{number}_{item.properties.get('system:index')}"
            found.append(replace(item, properties={**item.properties, "system:index": index}))
    return Collection(found)


@function("List.map")
def _list_map(
    context: Context, list: list[Any], baseAlgorithm: Callable[..., Any], dropNulls: bool = False
) -> list[Any]:
    found = [baseAlgorithm(item) for item in list]
    return [item for item in found if not (dropNulls and item is None)]


@function("Collection.iterate")
def _iterate(
    context: Context, collection: Any, function: Callable[..., Any], first: Any = None
) -> Any:
    for item in to_items(collection):
        first = function(item, first)
    return first


@function("Collection.size")
def _size(context: Context, collection: Collection) -> int:
    return len(collection.items)


@function("Collection.first")
def _first(context: Context, collection: Collection) -> Any:
    return collection.items[0] if collection.items else None


@function("Collection.limit")
def _limit(
    context: Context, collection: Collection, limit: int, key: str | None = None,
    ascending: bool = True,
) -> Collection:  # fmt: skip
    items = collection.items
    if key is not None:
        items = sorted(items, key=lambda item: item.properties[key], reverse=not ascending)
    return Collection(items[: int(limit)], collection.id)


@function("Collection.toList")
def _to_list(context: Context, collection: Collection, count: int, offset: int = 0) -> list[Any]:
    chosen = collection.items[int(offset) : int(offset) + int(count)]
    return accumulated(Collection(chosen))


@function("AggregateFeatureCollection.array")
def _aggregate_array(context: Context, collection: Collection, property: str) -> list[Any]:
    found = (_property(item, property) for item in accumulated(collection))
    return [value for value in found if value is not None]


@function("Reducer.toList")
def _reducer_list(context: Context, tupleSize: int | None = None, numOptional: int = 0) -> Reducer:
    return Reducer("list", int(tupleSize or 1))


@function("Reducer.repeat")
def _reducer_repeat(context: Context, reducer: Reducer, count: int) -> Reducer:
    return replace(reducer, name="repeated list", count=int(count))


@function("Collection.reduceColumns")
def _reduce_columns(
    context: Context, collection: Collection, reducer: Reducer, selectors: list[str],
    weightSelectors: list[str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    items = accumulated(collection)
    rows = [[_property(item, name) for name in selectors] for item in items]
    # Rows with a null are skipped, as reducers do.
    rows = [row for row in rows if None not in row]
    if reducer.name == "repeated list":
        return {
            "list": [list(column) for column in zip(*rows, strict=True)] or [[]] * len(selectors)
        }
    return {"list": rows if reducer.count > 1 else [row[0] for row in rows]}


# --- lists, dictionaries, properties ---------------------------------------------------------


@function("List.slice")
def _slice(
    context: Context, list: list[Any], start: int, end: int | None = None, step: int | None = None
) -> list[Any]:
    return list[int(start) : None if end is None else int(end) : int(step or 1)]


@function("List.get")
def _list_get(context: Context, list: list[Any], index: int) -> Any:
    return list[int(index)]


@function("Dictionary.get")
def _dictionary_get(
    context: Context, dictionary: dict[str, Any], key: str, defaultValue: Any = None
) -> Any:
    if key not in dictionary and defaultValue is None:
        raise EarthEngineError(f"Dictionary.get: Dictionary does not contain key: '{key}'.")
    return dictionary.get(key, defaultValue)


def _property(item: Any, name: str) -> Any:
    if name == "system:id" and isinstance(item, Image):
        return item.id
    return item.properties.get(name)


@function("String")
def _string(context: Context, input: Any) -> str:
    return str(input)


@function("Element.get")
def _get(context: Context, object: Any, property: str) -> Any:
    return _property(object, property)


@function("Element.set")
def _set(context: Context, object: Any, key: str, value: Any = None) -> Any:
    return replace(object, properties={**object.properties, key: value})


@function("Element.toDictionary")
def _element_dictionary(
    context: Context, element: Any, properties: list[str] | None = None
) -> dict[str, Any]:
    if isinstance(element, Collection):
        return {}
    names = properties or [name for name in element.properties if not name.startswith("system:")]
    return {name: _property(element, name) for name in names}


@function("Element.propertyNames")
def _property_names(context: Context, element: Any) -> list[str]:
    return list(element.properties)


# --- dates, geometries, filters --------------------------------------------------------------


def milliseconds(value: Any) -> int:
    """A date in any of its forms -> milliseconds."""
    if isinstance(value, Instant):
        return value.value
    if isinstance(value, int | float):
        return int(value)
    if isinstance(value, str):
        parsed = datetime.fromisoformat(value)
        return round(parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp() * 1000)
    raise EarthEngineError(f"Date: cannot parse {value!r}.")


@function("Date")
def _date(context: Context, value: Any, timeZone: str | None = None) -> Instant:
    return Instant(milliseconds(value))


@function("DateRange")
def _date_range(
    context: Context, start: Any, end: Any = None, timeZone: str | None = None
) -> tuple[int, int]:
    first = milliseconds(start)
    return first, first + 1 if end is None else milliseconds(end)


@function("Filter.dateRangeContains")
def _filter_dates(
    context: Context, leftField: str | None = None, rightValue: Any = None,
    rightField: str | None = None, leftValue: tuple[int, int] | None = None,
) -> Callable[[Any], bool]:  # fmt: skip
    if leftValue is None or rightField is None:
        raise EarthEngineError("Filter.dateRangeContains: only ranges around a field.")
    low, high = leftValue
    return lambda item: low <= item.properties[rightField] < high


@function("Filter.intersects")
def _filter_bounds(
    context: Context, leftField: str | None = None, rightValue: Any = None,
    rightField: str | None = None, leftValue: Any = None, maxError: Any = None,
) -> Callable[[Any], bool]:  # fmt: skip
    if isinstance(rightValue, Feature):
        rightValue = rightValue.geometry

    def test(item: Image) -> bool:
        ring = context.catalogue.footprint(item)
        if ring is None:
            return True
        # Either may go on beyond 180 degrees: the same place by other numbers.
        lon, lat = np.array(ring).T
        lon = lon[0] + (lon - lon[0] + 180) % 360 - 180
        return any(
            bool(Polygon(np.column_stack([lon + turn, lat])).intersects(rightValue))
            for turn in (-360, 0, 360)
        )

    return test


@function("Filter.equals")
def _filter_equals(
    context: Context, leftField: str, rightValue: Any, rightField: Any = None, leftValue: Any = None
) -> Callable[[Any], bool]:
    return lambda item: bool(item.properties.get(leftField) == rightValue)


@function("Filter.listContains")
@function("Filter.inList")
def _filter_list(
    context: Context, leftField: Any = None, rightValue: Any = None, rightField: Any = None,
    leftValue: Any = None,
) -> Callable[[Any], bool]:  # fmt: skip
    field_name, values = (leftField, rightValue) if leftField else (rightField, leftValue)
    return lambda item: item.properties.get(field_name) in values


@function("Filter.and")
def _filter_and(context: Context, filters: list[Callable[..., bool]]) -> Callable[[Any], bool]:
    return lambda item: all(test(item) for test in filters)


@function("Filter.not")
def _filter_not(context: Context, filter: Callable[..., bool]) -> Callable[[Any], bool]:
    return lambda item: not filter(item)


@function("ErrorMargin")
def _error_margin(context: Context, value: float | None = None, unit: str = "meters") -> None:
    return None


@function("Projection")
def _projection(
    context: Context, crs: str, transform: list[float] | None = None, transformWkt: Any = None
) -> Projection:
    return Projection(known_crs(crs), tuple(transform or (1, 0, 0, 0, 1, 0)))


@function("GeometryConstructors.Polygon")
def _polygon(
    context: Context, coordinates: list[Any], crs: Projection | None = None,
    geodesic: bool | None = None, maxError: Any = None, evenOdd: bool = True,
) -> Polygon:  # fmt: skip
    """A ring in degrees; it goes on beyond 180 degrees where an edge is shorter that way.

    Only edges that are straight lines on a map of degrees go around the Earth from 179 to -179.
    """
    rings = coordinates if isinstance(coordinates[0][0], list | tuple) else [coordinates]
    shell = [(float(x), float(y)) for x, y in rings[0]]
    if crs is not None and crs != Projection("EPSG:4326"):
        # Coordinates of a projection with a transform count its pixels.
        a, b, c, d, e, f = crs.transform
        points = np.array([(a * x + b * y + c, d * x + e * y + f) for x, y in shell])
        lon, lat = transformer(crs.crs, "EPSG:4326").transform(points[:, 0], points[:, 1])
        shell = list(zip(lon.tolist(), lat.tolist(), strict=True))
    elif geodesic is False:
        return Polygon(shell)
    lon, lat = np.array(shell).T
    return Polygon(np.column_stack([np.unwrap(lon, period=360), lat]))


@function("GeometryConstructors.MultiPolygon")
def _multi_polygon(
    context: Context, coordinates: list[Any], crs: Projection | None = None,
    geodesic: bool | None = None, maxError: Any = None, evenOdd: bool = True,
) -> MultiPolygon:  # fmt: skip
    return MultiPolygon([_polygon(context, rings, crs) for rings in coordinates])


@function("GeometryConstructors.BBox")
def _bbox(context: Context, west: float, south: float, east: float, north: float) -> Polygon:
    # Eastwards from west to east, across 180 degrees where east is less.
    return box(west, south, east if west <= east else east + 360, north)


@function("GeometryConstructors.Rectangle")
def _rectangle(
    context: Context, coordinates: list[Any], crs: Projection | None = None,
    geodesic: bool | None = None, evenOdd: bool = True,
) -> Polygon:  # fmt: skip
    if not isinstance(coordinates[0], list):
        coordinates = [coordinates[:2], coordinates[2:]]
    (west, south), (east, north) = coordinates
    if crs is None and east < west:
        east += 360
    ring = [[west, south], [east, south], [east, north], [west, north]]
    return _polygon(context, ring, crs, geodesic=False)


@function("GeometryConstructors.Point")
def _point(context: Context, coordinates: list[float], crs: Any = None) -> Point:
    return Point(*coordinates)
