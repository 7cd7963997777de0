"""Everything a user may set, with its type, unit, default and meaning.

This package is the one source: the JSON schema (`config/schema.json`) and the table of keys
(`config/README.md`) are written from it by `sitsformer config docs`, and a test fails when either
is stale. `load` reads a YAML file and answers with one message per mistake, each with the path of
its key. Nothing here imports more than pydantic and PyYAML: Snakemake loads it at every start.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from sitsformer.config.areas import (
    Area,
    Clouds,
    EarthEngine,
    LabelRaster,
    Rasters,
    Synthetic,
    Tiles,
)
from sitsformer.config.base import (
    BANDS,
    BASELINES,
    PIXEL,
    TILE_STEP,
    ConfigError,
    Init,
    Name,
    Objective,
    Section,
    Shots,
    Split,
    Way,
    expand,
)
from sitsformer.config.learning import Augment, FewShot, Model, Optimiser, Pretrain
from sitsformer.config.outcome import Evaluation, Maps
from sitsformer.config.sets import Patches, SampleSet, SplitBy

__all__ = [
    "BANDS",
    "BASELINES",
    "PIXEL",
    "TILE_STEP",
    "Area",
    "Augment",
    "Clouds",
    "Config",
    "ConfigError",
    "EarthEngine",
    "Evaluation",
    "FewShot",
    "Init",
    "LabelRaster",
    "Maps",
    "Model",
    "Objective",
    "Optimiser",
    "Patches",
    "Pretrain",
    "Rasters",
    "SampleSet",
    "Shots",
    "Split",
    "SplitBy",
    "Synthetic",
    "Tiles",
    "Way",
    "expand",
    "load",
    "parse",
]


class Config(Section):
    """The whole config."""

    results: str = "results"
    """Folder of every output, relative to the working directory."""
    areas: dict[Name, Area] = {}
    """Regions and seasons by name; may be left out when every set is an existing `store`."""
    sets: dict[Name, SampleSet] = Field(min_length=1)
    patches: Patches = Patches()
    model: Model = Model()
    pretrain: Pretrain
    fewshot: FewShot
    evaluation: Evaluation = Evaluation()
    maps: Maps = Maps()
    synthetic: Synthetic = Synthetic()
    earthengine: EarthEngine = EarthEngine()

    @model_validator(mode="after")
    def _check(self) -> Config:
        problems = list(_cross_checks(self))
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _cross_checks(config: Config) -> Iterator[str]:
    """Mistakes that no section can see alone, each as `path: message`."""
    for name, sample_set in config.sets.items():
        yield from _set_checks(f"sets.{name}", sample_set, config.areas)
    yield from _unknown("pretrain.set", (config.pretrain.set,), config.sets)
    yield from _unknown("fewshot.set", (config.fewshot.set,), config.sets)
    for name in config.fewshot.baselines:
        own = {"file", "features"} & set(config.fewshot.options.get(name, {}))
        if name not in BASELINES and not own:
            yield (
                f"fewshot.baselines: unknown baseline {name!r}; known are {sorted(BASELINES)}. "
                f"For one of your own, name its file (fewshot.options.{name}.file) or its features "
                f"(fewshot.options.{name}.features)"
            )
    for init in config.fewshot.inits:
        if init != "none" and init not in config.pretrain.objectives:
            yield (
                f"fewshot.inits: {init!r} is not pretrained; "
                f"pretrain.objectives has {list(config.pretrain.objectives)}"
            )
    yield from _unknown("maps.tiles", config.maps.tiles, config.areas)
    if config.maps.tiles:
        for key, among in (("init", "inits"), ("way", "ways"), ("shots", "shots")):
            value, known = getattr(config.maps, key), getattr(config.fewshot, among)
            if value not in known:
                yield f"maps.{key}: {value!r} is not among fewshot.{among} {list(known)}"


def _set_checks(path: str, sample_set: SampleSet, areas: Mapping[str, Area]) -> Iterator[str]:
    yield from _unknown(f"{path}.areas", sample_set.areas, areas)
    for area in sample_set.areas:
        if area in areas and sample_set.label not in areas[area].labels:
            yield (
                f"{path}.label: unknown label {sample_set.label!r}: area {area!r} "
                f"has {sorted(areas[area].labels)}"
            )
    if sample_set.split.by == "area":
        for part in ("train", "validation", "test"):
            yield from _unknown(
                f"{path}.split.{part}", getattr(sample_set.split, part), sample_set.areas
            )


def _unknown(path: str, names: Iterable[str], known: Collection[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f"{path}: unknown name {name!r}; known are {sorted(known)}"


def parse(values: Mapping[str, Any], origin: str = "config") -> Config:
    """Check a mapping (as read from YAML) and make a `Config` of it.

    Raises:
        ConfigError: with one line per mistake, `path.of.key: what is wrong`.
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        lines = []
        for item in error.errors():
            path = ".".join(str(part) for part in item["loc"])
            message = item["msg"].removeprefix("Value error, ")
            if item["type"] == "extra_forbidden":
                message = "unknown key; see config/README.md for every key"
            lines += [f"{path}: {message}" if path else line for line in message.split("\n")]
        found = "\n  ".join(dict.fromkeys(lines))
        raise ConfigError(f"{origin} cannot be used:\n  {found}") from None


def load(path: Path) -> Config:
    """Read and check a YAML config.

    Raises:
        ConfigError: the file is missing, is not YAML, or has a mistake.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no mapping of keys")
    return parse(values, str(path))
