"""Algorithms on images: bands, masks, types, arithmetic; see functions.py for the others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from earthengine import images
from earthengine.images import Band, EarthEngineError, Image, PixelType
from earthengine.values import Collection, Context, Projection, function, pick, to_image

# --- bands ------------------------------------------------------------------------------------


@function("Image.constant")
def _constant(context: Context, value: Any) -> Image:
    values = value if isinstance(value, list) else [value]
    bands = [images.constant(item) for item in values]
    if len(bands) > 1:
        bands = [replace(band, name=f"constant_{i}") for i, band in enumerate(bands)]
    return Image(tuple(bands))


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
    if not collection.items:
        return Image(())
    names = collection.items[0].names()
    stacks = [[pick(item, name) for item in collection.items] for name in names]
    return Image(tuple(images.median(stack) for stack in stacks))


@function("reduce.mode")
def _mode(context: Context, collection: Collection) -> Image:
    if not collection.items:
        return Image(())
    names = collection.items[0].names()
    stacks = [[pick(item, name) for item in collection.items] for name in names]
    return Image(tuple(images.mode(stack) for stack in stacks))


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
    if bool(left) != bool(right):
        raise EarthEngineError(
            "If one image has no bands, the other must also have no bands. "
            f"Got {len(left)} and {len(right)}."
        )
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
    "pow": (np.power, lambda a, b: PixelType("double")),
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


@function("Image.abs")
def _abs(context: Context, value: Image) -> Image:
    def kind(band: Band) -> PixelType:
        if band.type.precision != "int":
            return band.type
        return PixelType("int", 0, max(abs(band.type.low), abs(band.type.high)))

    return value.with_bands([images.calculate(b, None, kind(b), np.abs) for b in value.bands])


@function("Image.reproject")
def _reproject(
    context: Context, image: Image, crs: Any, crsTransform: list[float] | None = None,
    scale: float | None = None,
) -> Image:  # fmt: skip
    chosen = crs if isinstance(crs, Projection) else Projection(str(crs))
    transform = tuple(crsTransform or chosen.transform)
    if scale is not None:
        transform = (scale, 0, 0, 0, -scale, 0)
    return image.with_bands([images.reproject(b, chosen.crs, transform) for b in image.bands])


@function("Image.clipToBoundsAndScale")
def _clip_to_bounds(
    context: Context, input: Image, geometry: Any = None, width: int | None = None,
    height: int | None = None, maxDimension: int | None = None, scale: float | None = None,
) -> Image:  # fmt: skip
    if geometry is None or maxDimension is not None or scale is not None:
        raise EarthEngineError("Image.clipToBoundsAndScale: only by geometry, width and height.")
    return input.with_bands([images.clip(b, geometry, width, height) for b in input.bands])


@function("Image.slice")
def _slice(context: Context, image: Image, start: int, end: int | None = None) -> Image:
    return image.with_bands(list(image.bands[int(start) : None if end is None else int(end)]))


@function("Image.projection")
def _image_projection(context: Context, image: Image) -> Projection:
    if not image.bands:
        raise EarthEngineError("Image.projection: Image has no bands.")
    first = image.bands[0].native
    return Projection(first.crs, first.transform)


@function("Projection.nominalScale")
def _nominal_scale(context: Context, proj: Projection) -> float:
    metres = 111_319.49 if proj.crs == "EPSG:4326" else 1.0
    return math.hypot(proj.transform[0], proj.transform[3]) * metres
