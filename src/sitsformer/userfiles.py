"""Files of the user: which ones a config names, and what changes when one of them does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from sitsformer.config import Area, Config, ConfigError, MaskRaster, expand, is_address
from sitsformer.grid import geometry_file
from sitsformer.legends import legend_path
from sitsformer.sources import source_of


def named(config: Config) -> Iterator[tuple[str, str]]:
    """Files and folders that a config names: key, and path as written."""
    for name, area in config.areas.items():
        if area.geometry is not None:
            yield f"areas.{name}.geometry", area.geometry
        for key, path in source_of(area).files(area):
            yield f"areas.{name}.{key}", path
    for name, survey in config.labels.items():
        yield f"labels.{name}.path", survey.path
    for name, layer in config.embeddings.items():
        for area_name, path in layer.rasters.items():
            yield f"embeddings.{name}.rasters.{area_name}", path
    for name, sample_set in config.sets.items():
        if sample_set.store is not None:
            yield f"sets.{name}.store", sample_set.store
        if sample_set.split.polygons is not None:
            yield f"sets.{name}.split.polygons", sample_set.split.polygons
    yield from _learned_by_others(config)


def _learned_by_others(config: Config) -> Iterator[tuple[str, str]]:
    """Models, a mask and parcels that a config names: key, and path as written."""
    for objective, path in config.pretrain.models.items():
        yield f"pretrain.models.{objective}", path
    if config.maps.model is not None:
        yield "maps.model", config.maps.model
    if isinstance(config.maps.mask, MaskRaster):
        yield "maps.mask.path", config.maps.mask.path
    if config.maps.parcels is not None:
        yield "maps.parcels", config.maps.parcels


def recorded(area: Area) -> dict[str, Path]:
    """Outline, label rasters and legends that cubes are made from, by the key that names them.

    Cubes record the size and the hash of these; acquisitions may be as large as a disk. The outline
    is among them where a source looks at more of it than the tiles that touch it.
    """
    outline = geometry_file(area) if source_of(area).outline else None
    found = {} if outline is None else {"geometry": outline}
    for layer, label in area.label_rasters.items():
        if not is_address(label.path):
            found[f"labels.{layer}"] = expand(label.path)
        if (legend := legend_path(label.legend)) is not None:
            found[f"legends.{layer}"] = legend
    return found


def watched_of_survey(config: Config, name: str) -> list[Path]:
    """Every file that samples with labels of a survey are made anew after a change of."""
    survey = config.labels.get(name)
    if survey is None:
        return []
    paths = [expand(survey.path)]
    if survey.legend is not None and (legend := legend_path(survey.legend)) is not None:
        paths.append(legend)
    return list(dict.fromkeys(file for path in paths for file in watched(path)))


def watched_of(area: Area) -> list[Path]:
    """Every file that the cubes of an area are made anew after a change of."""
    source = source_of(area)
    paths = [
        *recorded(area).values(),
        *(expand(path) for _, path in source.files(area)),
        *source.acquisitions(area),
    ]
    return list(dict.fromkeys(file for path in paths for file in watched(path)))


def watched(path: Path) -> list[Path]:
    """A file or folder of the user, and the files beside it or in it that change when it does.

    A shapefile is several files, and its columns are not in the one that is named. A Zarr store
    is a folder, which does not change when a chunk does; whoever writes it anew writes these.
    """
    if path.suffix.lower() == ".shp":
        parts = (".shp", ".shx", ".dbf", ".prj", ".cpg")
        beside = [path.with_suffix(part) for part in parts if part != path.suffix]
        return [path, *(part for part in beside if part.exists())]
    within = [path / name for name in ("zarr.json", ".zmetadata", "provenance.json")]
    return [path, *(file for file in within if file.exists())]


AHEAD = 60
"""Seconds that a file's date may be ahead of this clock: those of file servers are not the same."""


def dated_ahead(config: Config) -> Iterator[str]:
    """What is said of inputs whose date is yet to come, as unpacking may leave them.

    Snakemake makes anew what is older than its inputs, and until that date nothing is newer.
    """
    files = dict.fromkeys(path for path in _decide_samples(config) if path.exists())
    dates = ((path.stat().st_mtime, path) for path in files)
    late = sorted(entry for entry in dates if entry[0] > time.time() + AHEAD)
    if late:
        date, path = late[-1]
        until = time.strftime("%Y-%m-%d %H:%M", time.localtime(date))
        more = f" ({len(late)} such files)" if len(late) > 1 else ""
        yield (
            f"{path} is dated {until}, which is yet to come{more}: until then every run makes "
            "anew what is made of it; `touch` it"
        )


def _decide_samples(config: Config) -> Iterator[Path]:
    """Files whose date decides whether cubes and samples are made anew."""
    for area in config.areas.values():
        yield from watched_of(area)
    for chosen in config.sets.values():
        yield from watched_of_survey(config, str(chosen.label))
        if chosen.split.polygons is not None:
            yield from watched(expand(chosen.split.polygons))


def is_there(path: str) -> bool:
    """Whether a file that a config names is there; not, where a variable in its path is not set."""
    try:
        return expand(path).exists()
    except ConfigError:
        return False
