"""Layers of yearly embeddings, apart from the imagery."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from sitsformer.baselines import NETWORK, by_default, shipped
from sitsformer.config.base import Name, OneOf, Section
from sitsformer.config.learners import map_layers
from sitsformer.embeddings import LEARNERS, learner_name, members, products
from sitsformer.registry import unknown
from sitsformer.training.objectives import SCRATCH

if TYPE_CHECKING:
    from sitsformer.config import Config

LearnerKind = Annotated[str, OneOf("learner of embeddings", lambda: LEARNERS)]


class EmbeddingLayer(Section):
    """Yearly embeddings that join the sweep; see docs/embeddings.md."""

    rasters: dict[Name, str] = {}
    """Embeddings of your own: area -> a GeoTIFF (or any raster GDAL reads) with a band for each
    axis, on any grid. `$VAR` is expanded. Without it the layer is the product of its name
    (`satellite_embedding`), taken from Earth Engine for the year of the season."""
    learners: tuple[LearnerKind, ...] = Field(tuple(LEARNERS), min_length=1)
    """What the layer joins the sweep as: `logistic_regression` under the name of the layer,
    `nearest_neighbour` as `<layer>_neighbour`, `with_series`, a logistic regression on the
    embedding and the features of the series that baselines see, as `<layer>_series`, and
    `with_encoder`, one on the embedding and on the features of each pretrained init of the sweep,
    as `<init>+<layer>`."""


def joined(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values of a config with the learners of its layers among `fewshot.baselines`.

    What is not as it should be is left alone: the check of each section says so.
    """
    layers, sweep = values.get("embeddings"), values.get("fewshot")
    if not isinstance(layers, Mapping) or not isinstance(sweep, Mapping):
        return values
    names = []
    for layer, chosen in layers.items():
        kinds = (chosen if isinstance(chosen, Mapping) else {}).get("learners", tuple(LEARNERS))
        if isinstance(kinds, list | tuple):
            known = [kind for kind in kinds if isinstance(kind, str) and kind in LEARNERS]
            # One that joins an encoder takes part by its inits, not as a baseline.
            alone = (kind for kind in known if not LEARNERS[kind].encoder)
            names += [learner_name(str(layer), kind) for kind in alone]
    listed = sweep.get("baselines", by_default())
    if not isinstance(listed, list | tuple):
        return values
    more = [name for name in dict.fromkeys(names) if name not in listed]
    return {**values, "fewshot": {**sweep, "baselines": [*listed, *more]}} if more else values


def embedding_checks(config: Config) -> Iterator[str]:
    """What the layers ask for and cannot have."""
    if not config.embeddings:
        return
    if not config.learns:
        for name, layer in config.embeddings.items():
            yield from _origin(f"embeddings.{name}", name, layer, config, ())
        return
    sweep = config.sets.get(config.fewshot.set)
    if sweep is not None and sweep.store is not None:
        yield (
            f"embeddings: the samples of sets.{config.fewshot.set} come from a store of yours, "
            "whose tiles are not known; bring the embeddings of its samples along as an array "
            "(fewshot.options.NAME.features, docs/evaluation.md)"
        )
        return
    for name, layer in config.embeddings.items():
        areas = () if sweep is None else sweep.areas
        yield from _origin(f"embeddings.{name}", name, layer, config, areas)
        pretrained = any(init != SCRATCH.name for init in config.fewshot.inits)
        if not pretrained and all(LEARNERS[kind].encoder for kind in layer.learners):
            yield (
                f"embeddings.{name}.learners: {', '.join(layer.learners)} joins the features of "
                f"pretrained inits, and fewshot.inits has {list(config.fewshot.inits)}; add one "
                "there, or another learner"
            )
    yield from _names(config)


def _origin(
    path: str, name: str, layer: EmbeddingLayer, config: Config, areas: tuple[str, ...]
) -> Iterator[str]:
    """Where the embeddings of each area of the sweep, and of the maps, come from."""
    mapped = [area for area in config.maps.tiles if name in map_layers(config)]
    if layer.rasters:
        if name in products():
            yield f"{path}.rasters: {name!r} is a product of Earth Engine; give yours another name"
        for area in layer.rasters:
            if area not in config.areas:
                yield f"{path}.rasters: {unknown('area', area, config.areas)}"
        for area in areas:
            if area not in layer.rasters:
                yield (
                    f"{path}.rasters: no raster for {area!r}, an area of sets.{config.fewshot.set}"
                )
        for area in mapped:
            if area not in layer.rasters and area not in areas:
                yield (
                    f"{path}.rasters: no raster for {area!r}, an area of maps.tiles whose map may "
                    "be drawn from these embeddings; give one, or name another maps.learner"
                )
        return
    if name not in products():
        yield (
            f"{path}: {unknown('product of embeddings', name, products())} (for embeddings of your "
            f"own, name their files, {path}.rasters)"
        )
        return
    for area in dict.fromkeys((*areas, *mapped)):
        if area in config.areas and config.areas[area].source == "synthetic":
            yield (
                f"{path}: areas.{area} is the embedded landscape, which no satellite has seen; "
                "take an area of earthengine, rasters or stac, or give rasters of embeddings"
            )


def _names(config: Config) -> Iterator[str]:
    """Learners whose names mean something else already."""
    taken: dict[str, str] = {}
    for layer, chosen in config.embeddings.items():
        for name in members({layer: chosen}):
            if name in taken:
                yield f"embeddings: {name!r} is a learner of {taken[name]} and of {layer}; rename"
            taken[name] = layer
            if name in shipped() or name == NETWORK:
                yield f"embeddings.{layer}: {name!r} is another learner's name; rename the layer"
            if name in config.fewshot.options:
                yield f"fewshot.options.{name}: a learner of embeddings.{layer} has no options"
