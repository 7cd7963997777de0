"""`sitsformer view`: areas of any source with their tiles, imagery, labels and maps, as one page.

The page stands by itself: pictures are in it, layers are switched by the browser alone, nothing is
fetched and no script runs, so that it opens without a network and beside confidential labels.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer.classes import Legend
from sitsformer.config import Area, Config, ConfigError, expand
from sitsformer.cube import label_layers, layer_values, open_cube
from sitsformer.grid import Tile, area_geometry
from sitsformer.paths import Paths
from sitsformer.sensors import recorded
from sitsformer.stored import MISSING, SCALE

SIDE = 1000
"""Pixels along the longer side of a picture at most, about."""

CLEAR_SKY = "clear sky"
"""Title of the layer of imagery."""

CLEAR = 60
"""Cloud score from which on a pixel is shown."""

BRIGHT = 0.25
"""Reflectance that is shown white."""

Picture = npt.NDArray[np.uint8]

STYLE = """
body { font-family: system-ui, sans-serif; margin: 24px auto; max-width: 1100px; padding: 0 16px; }
svg { width: 100%; max-height: 85vh; background: #eceff1; }
image { image-rendering: pixelated; }
.switch, .legend > span { margin-right: 14px; white-space: nowrap; display: inline-block; }
.dot { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 50%; margin-right: 4px; }
rect, path { fill: none; stroke: #16191d; vector-effect: non-scaling-stroke; }
path { stroke: #d81b60; stroke-width: 2; }
circle, .field { stroke: #16191d; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
"""


def write(config: Config, out: Path, area: str | None = None) -> None:
    """Write the page of one area, or of all.

    Args:
        config: whose cubes, labels and maps are shown as far as they are there.
        out: HTML.
        area: name; None: all.

    Raises:
        ConfigError: the config has no such area, or none.
    """
    from sitsformer import artefacts

    chosen = [area] if area is not None else list(config.areas)
    unknown = [name for name in chosen if name not in config.areas]
    if unknown or not chosen:
        raise ConfigError(
            f"no area {unknown[0] if unknown else ''!r} to show; the config has "
            f"{', '.join(config.areas) or 'none'}"
        )
    layout = Paths(config)
    parts = [_area(config, layout, name, config.areas[name]) for name in chosen]
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\"><title>Areas, labels and maps</title>"
        f"<style>{STYLE}{''.join(css for _, css in parts)}</style></head><body>\n"
        f"<h1>Areas, labels and maps</h1>\n{''.join(html for html, _ in parts)}</body></html>\n"
    )
    with artefacts.create_file(out) as partial:
        partial.write_text(page, encoding="utf-8")


def _area(config: Config, layout: Paths, name: str, area: Area) -> tuple[str, str]:
    """The section of an area, and the styles that switch its layers."""
    tiles = layout.tiles(name)
    frame = _Frame(tiles)
    layers: list[tuple[str, str]] = []
    legends: list[str] = []
    paths = [Path(layout.cube(name, tile.name)) for tile in tiles]
    there = [path for path in paths if path.exists()]
    if there:
        layers += _of_cubes(there, frame, legends)
    hidden: set[str] = set()
    if maps := _maps(config, layout, name):
        # Where the map has no class, colours of another legend would look like its own.
        hidden = {title for title, _ in layers if title != CLEAR_SKY}
        layers.append(("crop map", _of_maps(maps, frame, legends)))
    layers.append(("tiles", "".join(frame.tile(tile) for tile in tiles)))
    layers.append(("outline", _outline(area, frame)))
    for survey in config.labels:
        if features := list(_features(config, survey, frame, legends)):
            layers.append((f"labels {survey}", "".join(features)))
    keys = [f"{name}-{k}" for k in range(len(layers))]
    boxes = "".join(
        f'<span class="switch"><input type="checkbox" id="{key}"{state}>'
        f'<label for="{key}">{escape(title)}</label></span> '
        for key, (title, _) in zip(keys, layers, strict=True)
        for state in ["" if title in hidden else " checked"]
    )
    groups = "".join(
        f'<g class="{key}">{body}</g>' for key, (_, body) in zip(keys, layers, strict=True)
    )
    seen = f"cubes of {len(there)} are there" if there else "no cube is there yet"
    size = " x ".join(f"{side * frame.pixel / 1000:.3g}" for side in (frame.width, frame.height))
    html = (
        f"<section><h2>{escape(name)}</h2><p>{escape(area.source)}, {area.start} to {area.end}; "
        f"{len(tiles)} tile{'s' if len(tiles) > 1 else ''} in a frame of {size} km, {seen}. "
        f"Later layers lie over earlier ones: switch them off to look below.</p>\n{boxes}\n"
        f'<svg viewBox="0 0 {frame.width} {frame.height}" role="img" '
        f'aria-label="{escape(name)}">{groups}</svg>\n{"".join(legends)}</section>\n'
    )
    css = "".join(f"section:has(#{key}:not(:checked)) .{key} {{ display: none; }}" for key in keys)
    return html, css


class _Frame:
    """The pixels of an area: places in its pictures.

    Args:
        tiles: of the area.
    """

    def __init__(self, tiles: list[Tile]) -> None:
        self.epsg, self.pixel = tiles[0].epsg, tiles[0].pixel
        self.west = min(tile.west for tile in tiles)
        self.north = max(tile.north for tile in tiles)
        east = max(tile.west + tile.size * tile.pixel for tile in tiles)
        south = min(tile.north - tile.size * tile.pixel for tile in tiles)
        self.width, self.height = (
            (east - self.west) // self.pixel,
            (self.north - south) // self.pixel,
        )
        self.bounds = (self.west, south, east, self.north)
        self.step = max(1, -(-max(self.width, self.height) // SIDE))

    def place(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Column and row, pixels, of metres."""
        return (x - self.west) / self.pixel, (self.north - y) / self.pixel

    def tile(self, tile: Tile) -> str:
        """The outline of a tile, with its name."""
        column, row = self.place(tile.west, tile.north)
        return (
            f'<rect x="{column:g}" y="{row:g}" width="{tile.size}" height="{tile.size}">'
            f"<title>{escape(tile.name)}</title></rect>"
        )

    def image(self, picture: Picture, column: float, row: float, side: tuple[int, int]) -> str:
        """A picture (y, x, 4) at a place."""
        from matplotlib.image import imsave

        drawn = io.BytesIO()
        imsave(drawn, picture, format="png", metadata={"Software": ""})
        data = base64.b64encode(drawn.getvalue()).decode()
        return (
            f'<image href="data:image/png;base64,{data}" x="{column:g}" y="{row:g}" '
            f'width="{side[1]}" height="{side[0]}" preserveAspectRatio="none"/>'
        )


def _of_cubes(paths: list[Path], frame: _Frame, legends: list[str]) -> list[tuple[str, str]]:
    """Imagery and label layers of the cubes that are there."""
    bodies: dict[str, str] = {}
    known: dict[str, Legend] = {}
    for path in paths:
        cube = open_cube(path)
        half = frame.pixel / 2
        column, row = frame.place(float(cube.x[0]) - half, float(cube.y[0]) + half)
        thin = {"y": slice(None, None, frame.step), "x": slice(None, None, frame.step)}
        side = (cube.sizes["y"], cube.sizes["x"])
        pictures = {CLEAR_SKY: _clear_sky(cube.isel(thin))}
        for layer, legend in label_layers(cube).items():
            known.setdefault(layer, legend)
            colours = dict(zip(legend.codes, legend.colours, strict=True))
            pictures[layer] = _coloured(layer_values(cube[layer].isel(thin)), colours)
        for title, picture in pictures.items():
            bodies[title] = bodies.get(title, "") + frame.image(picture, column, row, side)
    for layer, legend in known.items():
        legends.append(_legend(layer, legend.names, legend.colours))
    return list(bodies.items())


def _clear_sky(cube: Any) -> Picture:
    """Median of the clear dates in true colour."""
    red_green_blue = list(recorded(cube.attrs).called("red", "green", "blue"))
    chosen = cube.sel(band=red_green_blue)
    score, raw = layer_values(chosen.clear), layer_values(chosen.reflectance)
    clear = (score >= CLEAR) & (score <= 100)
    values = np.where(clear[:, None] & (raw != MISSING), raw * SCALE, np.nan)
    seen = np.isfinite(values).any((0, 1))
    values[:, :, ~seen] = 0  # a median of nothing is none
    middle = np.nanmedian(values, axis=0)
    shown = (255 * np.clip(middle / BRIGHT, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
    return np.concatenate([shown, np.where(seen, 255, 0).astype(np.uint8)[..., None]], -1)


def _maps(config: Config, layout: Paths, name: str) -> list[Path]:
    """The map of an area, or as long as it is not there the maps of its tiles that are."""
    if (raster := Path(layout.area_map(name, "classes"))).is_file():
        return [raster]
    tiles = layout.tile_maps(name, "classes") if name in config.maps.tiles else []
    return [path for path in map(Path, tiles) if path.is_file()]


def _of_maps(rasters: list[Path], frame: _Frame, legends: list[str]) -> str:
    import rasterio

    from sitsformer.maps.codes import read_codes
    from sitsformer.maps.mosaic import thinned

    codes = read_codes(rasters[0])
    legends.append(_legend("crop map", codes.classes.names, codes.classes.colours))
    images = []
    for raster in rasters:
        with rasterio.open(raster) as source:
            column, row = frame.place(source.transform.c, source.transform.f)
            side = (source.height, source.width)
        own = SIDE if len(rasters) == 1 else max(1, max(side) // frame.step)
        images.append(
            frame.image(_coloured(thinned(raster, own), codes.colours), column, row, side)
        )
    return "".join(images)


def _coloured(values: npt.NDArray[Any], colours: dict[int, str]) -> Picture:
    found = np.zeros((*values.shape, 4), np.uint8)
    for value, colour in colours.items():
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        found[values == value] = [*rgb, 255]
    return found


def _outline(area: Area, frame: _Frame) -> str:
    from sitsformer.polygons import project

    return f'<path d="{_rings(project(area_geometry(area), _degrees(), frame.epsg), frame)}"/>'


def _rings(shape: Any, frame: _Frame) -> str:
    """The way (SVG) along the rings of a polygon in metres."""
    from shapely import get_parts

    found = []
    for part in get_parts(shape):
        for ring in (part.exterior, *part.interiors):
            x, y = np.array(ring.coords)[:, :2].T
            column, row = frame.place(x, y)
            points = " L".join(f"{a:.1f},{b:.1f}" for a, b in zip(column, row, strict=True))
            found.append(f"M{points}Z")
    return "".join(found)


def _degrees() -> Any:
    from pyproj import CRS

    return CRS.from_epsg(4326)


def _features(config: Config, name: str, frame: _Frame, legends: list[str]) -> Iterator[str]:
    """The features of a survey that lie in the frame: points as circles, polygons as they are."""
    from shapely import box, intersects, simplify

    from sitsformer.polygons import project
    from sitsformer.surveys.reading import read

    if not expand(config.labels[name].path).exists():
        return
    found = read(name, config.labels[name])
    names = dict(zip(found.legend.codes, found.legend.names, strict=True))
    colours = dict(zip(found.legend.codes, found.legend.colours, strict=True))
    known = np.flatnonzero((found.code >= 0) & found.frame.geometry.notna().to_numpy())
    shapes = project(found.frame.geometry.to_numpy()[known], found.frame.crs, frame.epsg)
    inside = intersects(shapes, box(*frame.bounds))
    # What a picture of `SIDE` pixels cannot show is left out of the rings.
    shapes = simplify(shapes, max(frame.width, frame.height) * frame.pixel / SIDE / 2)
    for k, shape in zip(known[inside].tolist(), shapes[inside], strict=True):
        code = int(found.code[k])
        season = f", {found.season[k]}" if found.season[k].stated else ""
        title = f"<title>{escape(names[code])}{season}, feature {k + 1}</title>"
        yield _feature(shape, colours[code], title, frame)
    legends.append(_legend(name, found.legend.names, found.legend.colours))


def _feature(shape: Any, colour: str, title: str, frame: _Frame) -> str:
    from shapely import get_coordinates

    if "Polygon" in shape.geom_type:
        way = _rings(shape, frame)
        return f'<path class="field" d="{way}" style="fill:{colour}">{title}</path>'
    size = max(frame.width, frame.height) / 130
    places = (frame.place(x, y) for x, y in get_coordinates(shape))
    return "".join(
        f'<circle cx="{column:.1f}" cy="{row:.1f}" r="{size:g}" fill="{colour}">{title}</circle>'
        for column, row in places
    )


def _legend(title: str, names: Any, colours: Any) -> str:
    entries = "".join(
        f'<span><span class="dot" style="background:{colour}"></span>{escape(name)}</span>'
        for name, colour in zip(names, colours, strict=True)
    )
    return f'<p class="legend"><b>{escape(title)}</b> {entries}</p>\n'
