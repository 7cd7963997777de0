"""The algorithms of the local Earth Engine, by their real names and argument names.

Only what the exporter and its peers (xee, geedim, geemap) call; everything else is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from shapely.geometry import MultiPolygon, Point, Polygon, box

from earthengine import images
from earthengine.catalogue import Catalogue
from earthengine.images import Band, EarthEngineError, Image, PixelType, transformer

FUNCTIONS: dict[str, Callable[..., Any]] = {}


@dataclass
class Context:
    """What functions may know: the assets, and the signatures of the algorithms."""

    catalogue: Catalogue
    algorithms: Mapping[str, Mapping[str, bool]]
    """Algorithm -> argument -> optional?"""


@dataclass
class Collection:
    """Images or features, with an id where it is an asset."""

    items: list[Any]
    id: str | None = None

    def info(self) -> dict[str, Any]:
        features = any(isinstance(item, Feature) for item in self.items)
        kind = "FeatureCollection" if features else "ImageCollection"
        found: dict[str, Any] = {"type": kind, "bands": [], "properties": {}}
        found["features"] = [describe(item) for item in self.items]
        if features:
            found["columns"] = {}
            del found["bands"]
        if self.id:
            found["id"] = self.id
        return found


@dataclass
class Feature:
    geometry: Any
    properties: dict[str, Any] = field(default_factory=dict)

    def info(self) -> dict[str, Any]:
        return {"type": "Feature", "geometry": None, "properties": describe(self.properties)}


@dataclass(frozen=True)
class Instant:
    """ee.Date, milliseconds."""

    value: int


@dataclass(frozen=True)
class Reducer:
    name: str
    count: int = 1


@dataclass(frozen=True)
class Projection:
    crs: str
    transform: tuple[float, ...] = (1, 0, 0, 0, 1, 0)


def describe(value: Any) -> Any:
    """A value as JSON, as value:compute answers."""
    if isinstance(value, Image | Collection | Feature):
        return value.info()
    if isinstance(value, Instant):
        return {"type": "Date", "value": value.value}
    if isinstance(value, list):
        return [describe(item) for item in value]
    if isinstance(value, dict):
        return {key: describe(item) for key, item in value.items()}
    if isinstance(value, Polygon | MultiPolygon | Point):
        return value.__geo_interface__
    if isinstance(value, PixelType):
        return value.info()
    if isinstance(value, Projection):
        return {"type": "Projection", "crs": value.crs, "transform": list(value.transform)}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise EarthEngineError(f"Object of type {type(value).__name__} cannot be returned.")


def function(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register an algorithm."""

    def register(body: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS[name] = body
        return body

    return register


def to_image(value: Any) -> Image:
    """Promote numbers to constant images."""
    if isinstance(value, Image):
        return value
    if isinstance(value, int | float):
        return Image((images.constant(value),))
    raise EarthEngineError(f"Image: cannot make an image of a {type(value).__name__}.")


def to_items(value: Any) -> list[Any]:
    return value.items if isinstance(value, Collection) else list(value)


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
    return collection.items[int(offset) : int(offset) + int(count)]


@function("AggregateFeatureCollection.array")
def _aggregate_array(context: Context, collection: Collection, property: str) -> list[Any]:
    found = (_property(item, property) for item in collection.items)
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
    rows = [[_property(item, name) for name in selectors] for item in collection.items]
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
        return ring is None or bool(Polygon(ring).intersects(rightValue))

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


@function("ErrorMargin")
def _error_margin(context: Context, value: float | None = None, unit: str = "meters") -> None:
    return None


@function("Projection")
def _projection(
    context: Context, crs: str, transform: list[float] | None = None, transformWkt: Any = None
) -> Projection:
    return Projection(crs, tuple(transform or (1, 0, 0, 0, 1, 0)))


@function("GeometryConstructors.Polygon")
def _polygon(
    context: Context, coordinates: list[Any], crs: Projection | None = None,
    geodesic: bool | None = None, maxError: Any = None, evenOdd: bool = True,
) -> Polygon:  # fmt: skip
    rings = coordinates if isinstance(coordinates[0][0], list | tuple) else [coordinates]
    shell = [(float(x), float(y)) for x, y in rings[0]]
    if crs is not None and crs.crs != "EPSG:4326":
        points = np.array(shell)
        lon, lat = transformer(crs.crs, "EPSG:4326").transform(points[:, 0], points[:, 1])
        shell = list(zip(lon.tolist(), lat.tolist(), strict=True))
    return Polygon(shell)


@function("GeometryConstructors.BBox")
def _bbox(context: Context, west: float, south: float, east: float, north: float) -> Polygon:
    return box(west, south, east, north)


@function("GeometryConstructors.Rectangle")
def _rectangle(
    context: Context, coordinates: list[Any], crs: Projection | None = None,
    geodesic: bool | None = None, evenOdd: bool = True,
) -> Polygon:  # fmt: skip
    if not isinstance(coordinates[0], list):
        coordinates = [coordinates[:2], coordinates[2:]]
    (west, south), (east, north) = coordinates
    ring = [[west, south], [east, south], [east, north], [west, north]]
    return _polygon(context, ring, crs)


@function("GeometryConstructors.Point")
def _point(context: Context, coordinates: list[float], crs: Any = None) -> Point:
    return Point(*coordinates)


# --- bands ------------------------------------------------------------------------------------


@function("Image.constant")
def _constant(context: Context, value: Any) -> Image:
    values = value if isinstance(value, list) else [value]
    bands = [images.constant(item) for item in values]
    if len(bands) > 1:
        bands = [replace(band, name=f"constant_{i}") for i, band in enumerate(bands)]
    return Image(tuple(bands))


def pick(image: Image, selector: Any) -> Band:
    """A band by name or position."""
    if isinstance(selector, int | float):
        return image.bands[int(selector)]
    for band in image.bands:
        if band.name == selector:
            return band
    raise EarthEngineError(
        f"Image.select: Band pattern '{selector}' did not match any bands. "
        f"Available bands: {image.names()}"
    )


@function("Image.select")
def _select(
    context: Context, input: Image, bandSelectors: list[Any], newNames: list[str] | None = None
) -> Image:
    bands = [pick(input, item) for item in bandSelectors]
    if newNames is not None:
        if len(newNames) != len(bands):
            raise EarthEngineError(
                f"Image.select: {len(bands)} bands selected, {len(newNames)} names given."
            )
        bands = [replace(b, name=name) for b, name in zip(bands, newNames, strict=True)]
    return input.with_bands(bands)


@function("Image.rename")
def _rename(context: Context, input: Image, names: list[str]) -> Image:
    return _select(context, input, list(range(len(input.bands))), names)


@function("Image.bandNames")
def _band_names(context: Context, image: Image) -> list[str]:
    return image.names()


@function("Image.addBands")
def _add_bands(
    context: Context, dstImg: Any, srcImg: Any, names: list[str] | None = None,
    overwrite: bool = False,
) -> Image:  # fmt: skip
    target, source = to_image(dstImg), to_image(srcImg)
    bands = list(target.bands)
    for band in [pick(source, name) for name in names] if names else source.bands:
        taken = [b.name for b in bands]
        if band.name in taken and overwrite:
            bands[taken.index(band.name)] = band
            continue
        name, number = band.name, 0
        while name in taken:
            number += 1
            name = f"{band.name}_{number}"
        bands.append(replace(band, name=name))
    return target.with_bands(bands)


@function("ImageCollection.mosaic")
def _mosaic(context: Context, collection: Collection) -> Image:
    if not collection.items:
        return Image(())
    names = collection.items[0].names()
    return Image(
        tuple(images.mosaic([pick(item, name) for item in collection.items]) for name in names)
    )


@function("reduce.median")
def _median(context: Context, collection: Collection) -> Image:
    names = collection.items[0].names()
    stacks = [[pick(item, name) for item in collection.items] for name in names]
    return Image(tuple(images.median(stack) for stack in stacks))


@function("Image.remap")
def _remap(
    context: Context, image: Image, from_: Any = None, to: Any = None, defaultValue: Any = None,
    bandName: str | None = None, **reserved: Any,
) -> Image:  # fmt: skip
    source = pick(image, bandName or 0)
    return Image((images.remap(source, reserved["from"], to),), image.properties)


@function("Image.visualize")
def _visualize(
    context: Context, image: Image, bands: Any = None, gain: Any = None, bias: Any = None,
    min: Any = None, max: Any = None, gamma: Any = None, opacity: Any = None,
    palette: Any = None, forceRgbOutput: bool = False,
) -> Image:  # fmt: skip
    """The bands that would be painted; nothing looks at the colours here."""
    chosen = [pick(image, name) for name in bands] if bands else list(image.bands)
    return Image(tuple(images.cast(band, images.UINT8) for band in chosen))


@function("ImageCollection.toBands")
def _to_bands(context: Context, collection: Collection) -> Image:
    bands = []
    for number, item in enumerate(collection.items):
        prefix = item.properties.get("system:index", number)
        bands += [replace(band, name=f"{prefix}_{band.name}") for band in item.bands]
    return Image(tuple(bands))


@function("Image.linkCollection")
def _link(
    context: Context, input: Image, imageCollection: Collection, linkedBands: Any = None,
    linkedProperties: Any = None, matchPropertyName: str = "system:index",
) -> Image:  # fmt: skip
    names = [linkedBands] if isinstance(linkedBands, str) else list(linkedBands or [])
    wanted = input.properties.get(matchPropertyName)
    for candidate in imageCollection.items:
        if candidate.properties.get(matchPropertyName) == wanted:
            return input.with_bands([*input.bands, *(pick(candidate, name) for name in names)])
    # Without a partner Earth Engine adds the bands masked everywhere.
    model = imageCollection.items[0]
    nothing = [images.masked_by(pick(model, name), images.constant(0)) for name in names]
    return input.with_bands([*input.bands, *nothing])


# --- masks and types --------------------------------------------------------------------------


def broadcast(first: Image, second: Image) -> list[tuple[Band, Band]]:
    """Pairs of bands; a single band meets all."""
    left, right = first.bands, second.bands
    if len(right) == 1:
        right = right * len(left)
    elif len(left) == 1:
        left = left * len(right)
    if len(left) != len(right):
        raise EarthEngineError(
            f"Images have {len(left)} and {len(right)} bands; the number must match."
        )
    return list(zip(left, right, strict=True))


@function("Image.unmask")
def _unmask(context: Context, input: Image, value: Any = 0, sameFootprint: bool = True) -> Image:
    pairs = broadcast(input, to_image(value))
    return input.with_bands([images.unmask(a, b, sameFootprint) for a, b in pairs])


@function("Image.mask")
def _mask(context: Context, image: Any, mask: Any = None) -> Image:
    if mask is None:
        return image.with_bands([images.mask_of(band) for band in image.bands])
    pairs = broadcast(to_image(image), to_image(mask))
    return to_image(image).with_bands([images.remasked(a, b) for a, b in pairs])


@function("Image.updateMask")
def _update_mask(context: Context, image: Any, mask: Any) -> Image:
    pairs = broadcast(to_image(image), to_image(mask))
    return to_image(image).with_bands([images.masked_by(a, b) for a, b in pairs])


for _name, _type in {
    "Uint8": images.UINT8,
    "Byte": images.UINT8,
    "Uint16": images.UINT16,
    "Int16": PixelType("int", -32768, 32767),
    "Int32": PixelType("int", -(2**31), 2**31 - 1),
    "Float": PixelType("float"),
    "Double": images.DOUBLE,
}.items():

    @function(f"Image.to{_name}")
    def _cast(context: Context, value: Any, kind: PixelType = _type) -> Image:
        image = to_image(value)
        return image.with_bands([images.cast(band, kind) for band in image.bands])


# --- arithmetic -------------------------------------------------------------------------------


def _ranges(first: PixelType, second: PixelType, operation: Callable[..., float]) -> PixelType:
    union = first.union(second)
    if union.precision != "int":
        return union
    corners = [operation(a, b) for a in (first.low, first.high) for b in (second.low, second.high)]
    return PixelType("int", min(corners), max(corners))


def _comparison(first: PixelType, second: PixelType) -> PixelType:
    return PixelType("int", 0, 1)


_BINARY: dict[str, tuple[Callable[..., Any], Callable[..., PixelType]]] = {
    "add": (np.add, lambda a, b: _ranges(a, b, lambda x, y: x + y)),
    "subtract": (np.subtract, lambda a, b: _ranges(a, b, lambda x, y: x - y)),
    "multiply": (np.multiply, lambda a, b: _ranges(a, b, lambda x, y: x * y)),
    "divide": (np.divide, lambda a, b: PixelType("double")),
    "gte": (np.greater_equal, _comparison),
    "gt": (np.greater, _comparison),
    "lte": (np.less_equal, _comparison),
    "lt": (np.less, _comparison),
    "eq": (np.equal, _comparison),
    "neq": (np.not_equal, _comparison),
    "and": (np.logical_and, _comparison),
    "or": (np.logical_or, _comparison),
}

for _name, (_formula, _kind) in _BINARY.items():

    @function(f"Image.{_name}")
    def _binary(
        context: Context, image1: Any, image2: Any, formula: Any = _formula, kind: Any = _kind
    ) -> Image:
        pairs = broadcast(to_image(image1), to_image(image2))
        bands = [
            images.calculate(
                a,
                b,
                kind(a.type, b.type),
                # Wide enough for any intermediate result.
                lambda x, y: formula(x.astype(np.float64), y.astype(np.float64)),
            )
            for a, b in pairs
        ]
        return to_image(image1).with_bands(bands)


@function("Image.round")
def _round(context: Context, value: Image) -> Image:
    def kind(band: Band) -> PixelType:
        if band.type.precision == "int":
            return band.type
        return PixelType("int", -(2.0**63), 2.0**63 - 1)

    return value.with_bands(
        [
            # Half up, as Java's Math.round.
            images.calculate(band, None, kind(band), lambda x: np.floor(x.astype(float) + 0.5))
            for band in value.bands
        ]
    )


@function("Image.projection")
def _image_projection(context: Context, image: Image) -> Projection:
    first = image.bands[0].native
    return Projection(first.crs, first.transform)


@function("Projection.nominalScale")
def _nominal_scale(context: Context, proj: Projection) -> float:
    metres = 111_319.49 if proj.crs == "EPSG:4326" else 1.0
    return math.hypot(proj.transform[0], proj.transform[3]) * metres
