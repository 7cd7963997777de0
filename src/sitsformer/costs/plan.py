"""What `sitsformer plan` prints: by stage, by 1,000 km2 of map, and what goes beyond the limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from sitsformer.config import Config, ConfigError
from sitsformer.config.compute import NetworkStage
from sitsformer.costs import rates
from sitsformer.costs.job import LARGER, SLOWER
from sitsformer.costs.jobs import Counted, job_of, jobs
from sitsformer.costs.sizes import OCCUR, REVISIT, SURVEYED, store
from sitsformer.paths import Paths
from sitsformer.sensors import sensor_of

NOT_MEASURED = "not measured"
HEAD = (
    "stage",
    "jobs",
    "minutes a job",
    "GB a job",
    "core-hours",
    "GPU-hours",
    "GB on disk",
    "files",
)


def said(config: Config) -> str:
    """The plan of a config as text.

    Raises:
        ConfigError: a sample store of the user's that is not there: nothing says how large it is.
    """
    paths = Paths(config)
    for name, chosen in config.sets.items():
        if chosen.store is not None and not store(paths, name).there:
            raise ConfigError(
                f"sets.{name}.store: {paths.samples(name)} is no sample store that can be read, "
                "and only it says how many samples there are; name one that is there"
            )
    found = jobs(paths)
    rows = [HEAD, *(_row(stage, several) for stage, several in found.items())]
    everything = [one for several in found.values() for one in several]
    rows.append(("together", f"{_count(everything):,}", "", "", *_sums(everything)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, "", *_maps(paths), *_limits(config, found), "", *_notes(config)])


def beyond(config: Config) -> list[str]:
    """Stages with a job that is predicted to take more than any is given, and by how much."""
    return list(_beyond(config, jobs(Paths(config))))


def _aligned(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    yield row[0].ljust(widths[0])
    yield from (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))


def _row(stage: str, several: Sequence[Counted]) -> tuple[str, ...]:
    known = [job.minutes for _, job in several if job.minutes is not None]
    minutes = _range(known) if len(known) == len(several) else NOT_MEASURED
    memory = _range([job.memory / 1000 for _, job in several])
    return (stage, f"{_count(several):,}", minutes, memory, *_sums(several))


def _count(several: Sequence[Counted]) -> int:
    return sum(count for count, _ in several)


def _sums(several: Sequence[Counted]) -> tuple[str, str, str, str]:
    """Core-hours, GPU-hours, GB on disk, files."""
    disk = sum(count * job.disk for count, job in several) / 1000
    files = sum(count * job.files for count, job in several)
    cores = [one for one in several if not one[1].gpu]
    gpus = [one for one in several if one[1].gpu]
    return (_hours(cores), _hours(gpus), _number(disk), f"{files:,}")


def _hours(several: Sequence[Counted]) -> str:
    if not several:
        return "-"
    if any(job.seconds is None for _, job in several):
        return NOT_MEASURED
    return _number(sum(count * (job.seconds or 0.0) for count, job in several) / 3600)


def _range(values: Sequence[float]) -> str:
    low, high = _number(min(values)), _number(max(values))
    return low if low == high else f"{low} to {high}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.1 else f"{value:.2g}"


def _maps(paths: Paths) -> Iterator[str]:
    """What a map takes for 1,000 km2."""
    config = paths.config
    for area in config.maps.tiles:
        job = job_of(paths, "map", {"area": area})
        side = config.areas[area].tiles.size * sensor_of(config.areas[area]).pixel
        tile = (side / 1000) ** 2
        unit = "GPU-hours" if job.gpu else "core-hours"
        hours = NOT_MEASURED
        if job.seconds is not None:
            hours = f"{_number(job.seconds / 3600 * 1000 / tile)} {unit}"
        mask = "" if config.maps.mask == "none" else ", if every pixel is mapped (maps.mask)"
        yield f"maps of {area}: {hours} for 1,000 km2 (a tile is {tile:.3g} km2){mask}"


def _limits(config: Config, found: dict[str, list[Counted]]) -> Iterator[str]:
    limits = config.compute
    lines = list(_beyond(config, found))
    if lines:
        yield from lines
    else:
        yield (
            f"no measured job goes beyond compute.hours {limits.hours:g} or compute.memory_gb "
            f"{limits.memory_gb:g}"
        )
    for stage, several in found.items():
        open_ones = [job for _, job in several if job.seconds is None]
        if open_ones:
            most = max(job.operations for job in open_ones)
            needed = most / (3600 * limits.hours) / 1e12
            yield (
                f"{stage}: {NOT_MEASURED} on a GPU; a job ends within {limits.hours:g} h from "
                f"{_number(needed)} TFLOP/s on, reached from end to end"
            )


def _beyond(config: Config, found: dict[str, list[Counted]]) -> Iterator[str]:
    limits = config.compute
    for stage, several in found.items():
        late = [(count, job) for count, job in several if job.beyond(limits)]
        if not late:
            continue
        hours = max((job.seconds or 0) / 3600 for _, job in late)
        memory = max(job.memory / 1000 for _, job in late)
        yield (
            f"BEYOND THE LIMITS: {_count(late):,} of {_count(several):,} jobs of {stage}: "
            f"{_number(hours)} h (compute.hours {limits.hours:g}), {_number(memory)} GB "
            f"(compute.memory_gb {limits.memory_gb:g}); {REMEDIES.get(stage, 'use smaller tiles')}"
        )


REMEDIES = {
    "pretrain": "it goes on from its checkpoint when it is submitted again; or ask for a GPU "
    "(compute.device), fewer epochs, stream the samples (pretrain.loader), or add smaller batches "
    "up (pretrain.batch_size, accumulate)",
    "fewshot": "take fewer seeds a job (fewshot.seeds_per_job), passes or learning rates",
    "fit": "take fewer seeds a job (fewshot.seeds_per_job), passes or samples",
    "baseline": "take fewer seeds a job (fewshot.seeds_per_job), passes or samples",
    "crop_model": "take fewer shots (maps.shots), passes or learning rates",
    "merge": "take fewer samples a tile (sets.<name>.per_tile)",
    "evaluate": "take fewer seeds, or a smaller test split",
    "mosaic": "make several areas",
    "report": "take fewer samples",
}


def _notes(config: Config) -> Iterator[str]:
    yield (
        "Predicted, not measured here: by rates of one thread of the machine named in "
        "sitsformer/costs/rates.py;"
    )
    yield (
        f"rules ask for {SLOWER:g} times the time and {LARGER:g} times the memory, and for more at "
        "each attempt (docs/scaling.md)."
    )
    if any(config.compute.device_of(stage) == "cuda" for stage in get_args(NetworkStage)):
        yield f"GPU: the rates of one {rates.GPU.name}, a job at a time."
    yield (
        "Samples are counted as asked for (patches.max_length steps each), which is the most there "
        "can be."
    )
    areas = config.areas.values()
    if any(area.source != "synthetic" for area in areas):
        yield f"Dates: one in {REVISIT:g} days, assumed."
    if any(area.source == "earthengine" for area in areas):
        yield (
            f"Earth Engine's answers: {rates.LINE / 1e6:.0f} MB/s, assumed; this table "
            "asks nobody, `--earthengine` asks which images there are."
        )
    surveyed = [
        name
        for name, chosen in config.sets.items()
        if chosen.per_tile == "all" and str(chosen.label) in config.labels
    ]
    if surveyed:
        yield f"Surveys label {SURVEYED:.0%} of a tile's pixels, assumed ({', '.join(surveyed)})."
    if any(chosen.classes is None and chosen.areas for chosen in config.sets.values()):
        yield f"Legends that are not grouped into classes count for {OCCUR} at most, assumed."
