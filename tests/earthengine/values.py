"""What the expression graph is about besides images, and the table of algorithms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shapely.geometry import MultiPolygon, Point, Polygon

from earthengine import images
from earthengine.catalogue import Catalogue
from earthengine.images import Band, EarthEngineError, Image, PixelType

MOST_ELEMENTS = 5_000
"""More of a collection than this is neither described nor made a list of."""
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
        found["features"] = [describe(item) for item in accumulated(self)]
        if features:
            found["columns"] = {}
            del found["bands"]
        if self.id:
            found["id"] = self.id
        return found


def accumulated(collection: Collection) -> list[Any]:
    """The elements of a collection, where a query may hold them all at once."""
    if len(collection.items) > MOST_ELEMENTS:
        raise EarthEngineError(
            f"Collection query aborted after accumulating over {MOST_ELEMENTS} elements."
        )
    return collection.items


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


def pick(image: Image, selector: Any) -> Band:
    """A band by name or position."""
    if not image.bands:
        raise EarthEngineError(
            f"Image.select: Band pattern '{selector}' was applied to an Image with no bands."
        )
    if isinstance(selector, int | float):
        return image.bands[int(selector)]
    for band in image.bands:
        if band.name == selector:
            return band
    raise EarthEngineError(
        f"Image.select: Band pattern '{selector}' did not match any bands. "
        f"Available bands: {image.names()}"
    )
