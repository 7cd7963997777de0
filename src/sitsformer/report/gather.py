"""Everything the report is made from, found among the artefacts it is given."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from sitsformer import mapproducts
from sitsformer.artefacts import read
from sitsformer.config import Config, expand, load
from sitsformer.errors import SitsError
from sitsformer.evaluation import tables

MEASURED = ("s", "cpu_time", "max_rss")
"""Columns of Snakemake's benchmark files that the page shows."""


@dataclass(frozen=True)
class Material:
    """What a report shows.

    Attributes:
        config: of the run.
        config_text: as its file has it.
        tables: by name; none of a run that only maps.
        folder: that they lie in.
        cubes: paths.
        stores: sample stores by the name of their set.
        models: pretrained models by name (`dual-p0`).
        maps: GeoTIFFs of classes of areas.
        benchmarks: of the rules; see `read_benchmarks`.
    """

    config: Config
    config_text: str
    tables: Mapping[str, pd.DataFrame]
    folder: Path | None
    cubes: tuple[Path, ...] = ()
    stores: Mapping[str, Path] = field(default_factory=dict)
    models: Mapping[str, Path] = field(default_factory=dict)
    maps: tuple[Path, ...] = ()
    benchmarks: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def fewshot_store(self) -> Path:
        """Sample store of the sweep."""
        return self.stores[self.config.fewshot.set]

    @property
    def pretrain_store(self) -> Path:
        """Sample store of pretraining."""
        return self.stores[self.config.pretrain.set]


def gather(
    config_path: Path, folder: Path | None, benchmarks: Path | None, artefacts: Iterable[Path]
) -> Material:
    """Sort artefacts by what their provenance says they are.

    Raises:
        SitsError: an artefact is of another kind, or tables or a sample store are missing.
    """
    config = load(config_path)
    if config.learns and folder is None:
        raise SitsError(f"{config_path} has a sweep: give the folder of its tables (--tables)")
    kinds: dict[str, list[Path]] = {"cube": [], "samples": [], "model": [], "map": []}
    # The page finds them beside the map of classes, which stands first.
    beside = tuple([*mapproducts.area_endings(config.maps.products).values()][1:])
    for path in sorted(path for path in artefacts if not path.name.endswith(beside)):
        kind = "map" if path.suffix == ".tif" else str(read(path)["kind"])
        if kind not in kinds:
            raise SitsError(f"{path} is of kind {kind!r}; the report takes {sorted(kinds)}")
        kinds[kind].append(path)
    return Material(
        config=config,
        config_text=config_path.read_text(),
        tables={} if folder is None else {n: tables.read(folder, n) for n in tables.ROWS},
        folder=folder,
        cubes=tuple(kinds["cube"]),
        stores=_stores(config, kinds["samples"]) if config.learns else {},
        models={_model_name(config, path): path for path in kinds["model"]},
        maps=tuple(kinds["map"]),
        benchmarks=read_benchmarks(benchmarks),
    )


def _model_name(config: Config, path: Path) -> str:
    """Name of a pretrained model: that of its folder, but for one that the config names."""
    for objective, given in config.pretrain.models.items():
        if expand(given).resolve() == path.resolve():
            return f"{objective}-p{config.pretrain.seeds[0]}"
    return path.name


def _stores(config: Config, paths: Iterable[Path]) -> dict[str, Path]:
    """Sample stores by set: a set's own store, or the file that has its name."""
    found = {path.stem: path for path in paths}
    for name, chosen in config.sets.items():
        if chosen.store is not None:
            own = expand(chosen.store)
            found = {k: v for k, v in found.items() if v.resolve() != own.resolve()}
            found[name] = own
    for name in (config.pretrain.set, config.fewshot.set):
        if name not in found:
            raise SitsError(f"the sample store of the set {name!r} is not among the artefacts")
    return found


def _measured(path: Path) -> list[dict[str, str]]:
    """Lines of a benchmark file; an empty one has none."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream, delimiter="\t"))
    except (ValueError, csv.Error):
        lines = [{}]
    if not all(set(MEASURED) <= set(line) for line in lines):
        raise SitsError(f"{path} is no benchmark file of Snakemake: delete it and run this again")
    return lines


def read_benchmarks(folder: Path | None) -> pd.DataFrame:
    """Time and memory of the rules from Snakemake's benchmark files.

    Returns:
        One row a rule: jobs, seconds of all jobs together, the longest one, CPU seconds, largest
        resident memory (MB); empty without files.

    Raises:
        SitsError: a file that Snakemake did not write so.
    """
    rows = []
    for path in sorted(folder.rglob("*.tsv")) if folder is not None and folder.is_dir() else []:
        assert folder is not None
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        rows += [{"rule": rule, **line} for line in _measured(path)]
    if not rows:
        return pd.DataFrame(columns=["rule", "jobs", "seconds", "longest", "cpu", "memory"])
    frame = pd.DataFrame(rows)
    for name in MEASURED:
        # Snakemake writes NA where a job was too short to be measured.
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    by_rule = frame.groupby("rule", sort=False)
    found = pd.DataFrame(
        {
            "jobs": by_rule.size(),
            "seconds": by_rule.s.sum(),
            "longest": by_rule.s.max(),
            "cpu": by_rule.cpu_time.sum(),
            "memory": by_rule.max_rss.max(),
        }
    )
    return found.reset_index().sort_values("seconds", ascending=False, ignore_index=True)
