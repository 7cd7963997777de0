"""What the files that a config names, and its tiles, say against it before a job runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sitsformer import userfiles
from sitsformer.checks import embeddingfiles, foresight, mapfiles
from sitsformer.checks.overlap import overlap_problems
from sitsformer.config import Config, ConfigError, expand
from sitsformer.config.checks import outlook
from sitsformer.legends import group, legend_of
from sitsformer.paths import Paths


def problems(config: Config, *, learned: bool = True) -> list[str]:
    """What the files that a config names say against it, as `path.of.key: message`.

    Config values are checked where they are parsed; here are files that do not exist, codes that
    a legend lacks, areas without tiles, splits that tiles cannot give, ground learned and tested.

    Args:
        config: the config.
        learned: also look in files of split polygons for what pretraining and the sweep need; a
            run that makes cubes and samples alone does without.
    """
    found = [*outlook(config), *_missing(config), *_class_problems(config)]
    found += foresight.baseline_problems(config)
    found += foresight.model_problems(config)
    return list(dict.fromkeys([*found, *_tile_problems(config, learned)]))


def _class_problems(config: Config) -> Iterator[str]:
    """Legends that cannot be read, and classes that a legend does not give."""
    legends = {}
    for name, area in config.areas.items():
        for layer in area.labels:
            try:
                legends[name, layer] = legend_of(area, layer)
            except ConfigError as error:
                yield f"areas.{name}.{area.source}.labels.{layer}.legend: {error}"
    for name, sample_set in config.sets.items():
        for area_name in sample_set.areas:
            legend = legends.get((area_name, str(sample_set.label)))
            if legend is None:
                continue
            try:
                classes = group(legend, sample_set.classes)
            except ConfigError as error:
                yield f"sets.{name}.classes: {error}"
                continue
            if len(classes.names) < 2 and name == config.fewshot.set:
                yield (
                    f"sets.{name}.label: {sample_set.label} has one class, {classes.names[0]}; "
                    "there is nothing to tell apart"
                )


def _tile_problems(config: Config, learned: bool) -> list[str]:
    """What the tiles of the areas say against a config; of areas without tiles only that."""
    layout = Paths(config)
    found = []
    for area in config.areas:
        try:
            layout.tiles(area)
        except ConfigError as error:
            message = str(error)
            own = message.startswith(f"areas.{area}")
            found.append(message if own else f"areas.{area}: {message}")
    if found:
        return found
    found += foresight.results_problems(Path(layout.results))
    found += foresight.split_problems(config, layout.tiles)
    found += foresight.map_problems(config, layout.tiles)
    found += mapfiles.problems(config, layout.mapped_tiles)
    found += embeddingfiles.problems(config, layout.embedding_tiles())
    found += overlap_problems(config, layout.tiles)
    found += foresight.polygon_problems(config, layout.tiles, learned=learned)
    found += foresight.survey_problems(config, layout.tiles)
    return found


def _missing(config: Config) -> Iterator[str]:
    """Files and folders that do not exist, and paths with variables that are not set."""
    for key, text in userfiles.named(config):
        try:
            path = expand(text)
        except ConfigError as error:
            yield f"{key}: {error}"
            continue
        if not path.exists():
            yield f"{key}: {path} does not exist"
        elif {"{", "}"} & set(str(path)):
            yield f"{key}: {path} has a brace, which Snakemake takes for a wildcard; rename it"
