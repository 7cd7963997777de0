"""Ground that pretraining learns from and the sweep tests on, as far as tiles tell.

Pretraining on the place to be mapped is good practice, and no secret: `pretrain.overlap` must say
so, and the report then says it beside every claim. Two sets are known to be apart where they are
split by the same polygons, or are one set not split by year. Existing stores have no tiles; for
these `evaluation.seen` looks at the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sitsformer.config import Config, SampleSet, expand
from sitsformer.config.checks import label_learners
from sitsformer.grid import Tile, to_lonlat
from sitsformer.training.objectives import SCRATCH, without_labels

if TYPE_CHECKING:
    from shapely import Polygon

Tiles = Callable[[str], Sequence[Tile]]
"""Name of an area -> its tiles."""

_CORNERS = np.array([[0, 1], [2, 1], [2, 3], [0, 3]])
"""Positions in (west, south, east, north) of the corners of a tile."""


def overlap_problems(config: Config, tiles: Tiles) -> Iterator[str]:
    """What `pretrain.overlap` does not allow, as `path.of.key: message`."""
    if not config.learns or set(config.fewshot.inits) <= {SCRATCH.name}:
        return  # nothing pretrained takes part
    shared = next(shared_areas(config, tiles), None)
    if shared is None:
        return
    learned, tested = shared
    ground = f"area {learned}" if learned == tested else f"areas {learned} and {tested}"
    label = config.sets[config.pretrain.set].label
    same = label if label == config.sets[config.fewshot.set].label else None
    reason = refusal(config, ground, same)
    if reason is not None:
        yield f"pretrain.overlap: {reason}"


def refusal(config: Config, where: str, same_label: str | None) -> str | None:
    """Why shared ground is not allowed by the config; None where it is.

    Args:
        config: says what may be shared.
        where: the ground, for the message.
        same_label: label layer, where both sets take their labels from one.
    """
    pretrain, tested = config.pretrain, config.fewshot.set
    harmless = ", ".join(without_labels())
    if pretrain.overlap == "none":
        return (
            f"the set {pretrain.set!r} would be learned from on ground that {tested!r} is tested "
            f"on ({where}); pretrain elsewhere, split both sets by the same polygons, or say what "
            f"may be shared: `series` (reflectances, objectives {harmless} alone) or `labels` "
            "(land cover too), and the report says so beside every claim"
        )
    if pretrain.overlap == "series" and label_learners(config):
        return (
            f"series allows the reflectances alone of ground that is tested on ({where}), and "
            f"pretrain.objectives {list(pretrain.objectives)} learn its land cover; leave "
            f"{', '.join(label_learners(config))} out, or say `labels`"
        )
    if same_label is not None and label_learners(config):
        return (
            f"pretraining ({', '.join(label_learners(config))}) would learn the labels "
            f"{same_label!r} of ground that is tested on ({where}), which are those that the test "
            f"asks for; use other labels, other areas, or objectives: [{harmless}]"
        )
    return None


def shared_areas(config: Config, tiles: Tiles) -> Iterator[tuple[str, str]]:
    """Pairs of areas, of pretraining and of the test, whose tiles share ground."""
    first, second = config.sets[config.pretrain.set], config.sets[config.fewshot.set]
    if _apart(config, first, second):
        return
    for learned in _areas(config, first, ("train", "validation")):
        for tested in _areas(config, second, ("test",)):
            if _touch(tiles(learned), tiles(tested)):
                yield learned, tested


def _apart(config: Config, first: SampleSet, second: SampleSet) -> bool:
    """Whether the way of splitting keeps what is learned from off the test."""
    if config.pretrain.set == config.fewshot.set:
        return first.split.by != "year"
    files = [chosen.split.polygons for chosen in (first, second)]
    return None not in files and len({expand(str(file)).resolve() for file in files}) == 1


def _areas(config: Config, chosen: SampleSet, parts: Sequence[str]) -> list[str]:
    """Areas of a set that may have samples in some parts of its split."""
    by = chosen.split.by
    if by not in ("area", "year"):
        return list(chosen.areas)
    listed = {entry for part in parts for entry in getattr(chosen.split, part)}
    key = {
        name: name if by == "area" else str(config.areas[name].start.year) for name in chosen.areas
    }
    return [name for name in chosen.areas if key[name] in listed]


def _touch(first: Sequence[Tile], second: Sequence[Tile]) -> bool:
    """Whether tiles of two areas share ground, more than an edge; also across UTM zones."""
    from shapely import STRtree, box

    zones = {tile.epsg for tile in (*first, *second)}
    if len(zones) == 1:
        shapes = [[box(*tile.bounds) for tile in group] for group in (first, second)]
    else:
        shapes = [_degrees(group) for group in (first, second)]
    tree = STRtree(shapes[0])
    # An edge in common is no ground in common; in degrees it is kept up to rounding.
    pairs = tree.query(shapes[1], predicate="intersects").T
    return any(
        shapes[0][j].intersection(shapes[1][i]).area > 1e-9 * shapes[1][i].area for i, j in pairs
    )


def _degrees(tiles: Sequence[Tile]) -> list[Polygon]:
    """Outlines of tiles in degrees."""
    from shapely import Polygon

    corners = np.array([tile.bounds for tile in tiles], float)[:, _CORNERS]
    epsg = tiles[0].epsg
    lon, lat = to_lonlat(epsg, corners[..., 0], corners[..., 1])
    return [Polygon(ring) for ring in np.stack([lon, lat], axis=-1)]
