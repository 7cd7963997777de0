"""Everything a user may set, with its type, unit, default and meaning.

This package is the one source: the JSON schema (`config/schema.json`) and the table of keys
(`config/README.md`) are written from it by `sitsformer config docs`, and a test fails when either
is stale. `load` reads a YAML file and answers with one message per mistake, each with the path of
its key. Nothing here imports more than pydantic and PyYAML: Snakemake loads it at every start.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from sitsformer.config.areas import Area, Synthetic
from sitsformer.config.base import BaselineName, ConfigError, Name, Section
from sitsformer.config.checks import cross_checks
from sitsformer.config.compute import Compute
from sitsformer.config.earthengine import EarthEngine
from sitsformer.config.embeddings import EmbeddingLayer, joined
from sitsformer.config.labels import Survey
from sitsformer.config.learning import FewShot, Model, Pretrain
from sitsformer.config.mistakes import mistakes
from sitsformer.config.outcome import Evaluation, Maps
from sitsformer.config.reading import read_yaml
from sitsformer.config.renamed import renamed, renamed_lines
from sitsformer.config.sets import Patches, SampleSet


def _folder(text: str) -> str:
    """The folder of results without needless dots and slashes."""
    if set(text) & set("{}") or text != text.strip():
        raise ValueError(
            f"{text!r} cannot be the folder of results: it may not hold braces, or begin or end "
            "with a space"
        )
    path = posixpath.normpath(text)
    if path in (".", "/", "//") or path.endswith(".."):
        raise ValueError(f"{text!r} cannot be the folder of results: name a folder of its own")
    return path


class Config(Section):
    """The whole config."""

    results: Annotated[str, AfterValidator(_folder)] = "results"
    """Folder of every output, relative to the working directory; `~` and `$VAR` are expanded."""
    keep: Literal["all", "cubes", "none"] = "all"
    """Intermediate stores that are made again when they are missing. `cubes`: those of samples a
    tile may be deleted once their set is made; `none`: cubes too, once they are mapped, and the
    report shows no figure of them. What reads a deleted one later makes it again, with all that
    was made of it."""
    areas: dict[Name, Area] = {}
    """Regions and seasons by name; may be left out when every set is an existing `store`."""
    labels: dict[Name, Survey] = {}
    """Labels of your own by name, points and polygons, usable with every source of imagery: name
    one as the `label` of a set (docs/labels.md)."""
    embeddings: dict[BaselineName, EmbeddingLayer] = {}
    """Yearly embeddings by name, which join the sweep beside its baselines: one line,
    `embeddings: {satellite_embedding: {}}`, compares with Google's (docs/embeddings.md)."""
    sets: dict[Name, SampleSet] = {}
    """Sets of samples by name; a config that only maps, with `maps.model`, has none."""
    patches: Patches = Patches()
    model: Model = Model()
    pretrain: Pretrain = Pretrain()
    # Made when wanted: its defaults are looked up among modules that read configs.
    fewshot: FewShot = Field(default_factory=FewShot)
    evaluation: Evaluation = Evaluation()
    maps: Maps = Maps()
    synthetic: Synthetic = Synthetic()
    earthengine: EarthEngine = EarthEngine()
    compute: Compute = Compute()

    @property
    def learns(self) -> bool:
        """Whether anything is learned; else areas are mapped with a model that is there."""
        return self.maps.model is None or bool(self.sets or self.pretrain.set or self.fewshot.set)

    @model_validator(mode="before")
    @classmethod
    def _whole_surveys(cls, values: Any) -> Any:
        """Every pixel of a survey is a sample, unless the set says how many."""
        surveys, sets = values.get("labels"), values.get("sets")
        if not isinstance(surveys, Mapping) or not isinstance(sets, Mapping):
            return values
        filled = {
            name: {"per_tile": "all", **chosen}
            if isinstance(chosen, Mapping) and str(chosen.get("label")) in surveys
            else chosen
            for name, chosen in sets.items()
        }
        return {**values, "sets": filled}

    @model_validator(mode="before")
    @classmethod
    def _join_embeddings(cls, values: Any) -> Any:
        """Whoever learns from a layer of embeddings takes part in the sweep."""
        return joined(values)

    @model_validator(mode="after")
    def _check(self) -> Config:
        problems = list(cross_checks(self))
        if problems:
            raise ValueError("\n".join(problems))
        return self


def parse(
    values: Mapping[str, Any], origin: str = "config", lines: Mapping[str, int] | None = None
) -> Config:
    """Check a mapping (as read from YAML) and make a `Config` of it.

    Raises:
        ConfigError: with one line per mistake, `path.of.key: what is wrong (line 7)`.
    """
    values = renamed(values, origin)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        found = "\n  ".join(mistakes(error, values, Config, lines or {}))
    except RecursionError:
        found = "its values are nested too deeply"
    raise ConfigError(f"{origin} cannot be used:\n  {found}")


def load(path: Path) -> Config:
    """Read and check a YAML config.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or has a mistake.
    """
    return load_all([path])


def load_all(paths: Sequence[Path], overrides: Mapping[str, Any] | None = None) -> Config:
    """Read YAML files, each one's keys replacing those before it; `overrides` come last.

    Raises:
        ConfigError: a file cannot be read or is not YAML, or the outcome has a mistake.
    """
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for path in paths:
        found, lines = read_yaml(path)
        # File by file: what comes later goes before, whichever name it has.
        values = merged(values, renamed(found, str(path)))
    values = merged(values, renamed(overrides or {}, "--config"))
    origin = ", ".join(map(str, paths))
    # A line without the name of its file would mislead where there are several.
    alone = len(paths) == 1 and not overrides
    return parse(values, origin, renamed_lines(lines) if alone else {})


def merged(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Values with those of others put in: sections key by key, all else replaced."""
    result = dict(values)
    for key, value in others.items():
        before = result.get(key)
        both = isinstance(value, Mapping) and isinstance(before, Mapping)
        result[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result
