"""Few-shot draws shared by all learners, and the table of predictions of one job.

A *cell* of the sweep is one learner, one number of shots and one seed: the model's probabilities
for every test sample, with the truth and the hyper-parameters that validation chose. A *job* writes
the cells of a few seeds into one Parquet file, `results/fewshot/{learner}/{shots}/{seeds}.parquet`;
every table and figure is computed from those files, so any of them can be computed again.

    learner              method         init  way     pretrain_seed
    none-full            sitsformer     none  full    -1
    dual-p0-full         sitsformer     dual  full    0
    random_forest        random_forest  none  -       -1
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer import provenance
from sitsformer.config import Shots
from sitsformer.errors import SitsError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Codes of the variable `split` of a sample store."""

NETWORK = "sitsformer"
"""Method of every cell made by fine-tuning; other methods are baselines."""

NO_WAY = "-"
"""Way of a baseline: there is nothing pretrained to fine-tune."""

_LEARNER = re.compile(r"(?P<init>[a-z]+)(-p(?P<seed>\d+))?-(?P<way>[a-z]+)")
_COLUMNS = ("learner", "method", "init", "way", "pretrain_seed", "shots", "seed")


# --- names of learners and jobs ----------------------------------------------------------------


@dataclass(frozen=True)
class Learner:
    """Who made a cell.

    Attributes:
        method: `sitsformer`, or the name of a baseline.
        init: what the weights start from: `none`, `ssl`, `sl` or `dual`.
        way: how they are fine-tuned: `full`, `linear`, `bias`; `-` for baselines.
        pretrain_seed: which pretraining run; -1 where there is none.
    """

    method: str
    init: str = "none"
    way: str = NO_WAY
    pretrain_seed: int = -1

    @property
    def name(self) -> str:
        """Folder of the learner's cells: `dual-p0-full`, `none-full`, `random_forest`."""
        if self.method != NETWORK:
            return self.method
        run = "" if self.pretrain_seed < 0 else f"-p{self.pretrain_seed}"
        return f"{self.init}{run}-{self.way}"


def parse_learner(name: str) -> Learner:
    """The inverse of `Learner.name`."""
    found = _LEARNER.fullmatch(name)
    if found is None:
        return Learner(method=name)
    seed = -1 if found["seed"] is None else int(found["seed"])
    return Learner(NETWORK, found["init"], found["way"], seed)


def seed_jobs(seeds: int, per_job: int) -> list[str]:
    """Names of the jobs that share `seeds` seeds, `per_job` a job: `["0-4", "5-9"]`.

    Only the last name changes when seeds are added to a full job, so finished jobs stay finished.
    """
    starts = range(0, seeds, per_job)
    return [f"{start}-{min(start + per_job, seeds) - 1}" for start in starts]


def parse_seeds(name: str) -> range:
    """Seeds of a job: `"0-4"` is 0, 1, 2, 3, 4; `"3"` is 3.

    Raises:
        SitsError: the name is not of this form.
    """
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", name)
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise SitsError(f"seeds {name!r}: give one number or a range such as 0-4")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def parse_shots(name: str) -> Shots:
    """Shots from their name: a number of at least 1, or `all`.

    Raises:
        SitsError: anything else.
    """
    if name == "all":
        return "all"
    if not name.isdecimal() or int(name) < 1:
        raise SitsError(f"shots {name!r}: give a number of samples a class, or `all`")
    return int(name)


# --- draws -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Draw:
    """Labelled samples of one shot count and seed, as positions in the arrays drawn from.

    Attributes:
        train: (sample,) int64, sorted.
        validation: (sample,) int64, sorted; no sample of `train` or of the test split.
    """

    train: Ints
    validation: Ints


def draw(
    label: npt.NDArray[np.integer],
    split: npt.NDArray[np.integer],
    shots: Shots,
    seed: int,
    validation_cap: int,
) -> Draw:
    """Draw `shots` samples of every class for training, and at most as many for validation.

    Training samples come from split 0 and validation samples from split 1, so that they are as far
    apart as the test samples are from either. For each class and seed one shuffled order is made
    and the first samples of it are taken: a draw of 5 is part of the draw of 10. The draw depends
    on nothing but its arguments, so every learner of a seed sees the same samples.

    Args:
        label: (sample,) class index, -1 = none.
        split: (sample,) 0 train, 1 validation, 2 test.
        shots: samples a class; a class with fewer gives all it has. `all`: every sample.
        seed: seed of the draw.
        validation_cap: validation samples a class at most.

    Returns:
        Positions of the drawn samples.

    Raises:
        SitsError: a class of the test split has no training sample, or nothing is left to validate.
    """
    classes = np.unique(label[label >= 0])
    untrained = [int(k) for k in classes if not np.any((label == k) & (split == TRAIN))]
    if untrained:
        raise SitsError(
            f"class {untrained[0]} has no sample in the training split "
            f"({len(untrained)} such classes of {len(classes)}): draw more samples, use smaller "
            "blocks or another split seed, or leave the class out of `classes`"
        )
    many = len(label) if shots == "all" else shots
    train = [_first(label, split, TRAIN, int(k), seed, many) for k in classes]
    few = min(many, validation_cap)
    validation = [_first(label, split, VALIDATION, int(k), seed, few) for k in classes]
    found = Draw(np.sort(np.concatenate(train)), np.sort(np.concatenate(validation)))
    if not len(found.validation):
        raise SitsError(
            "no labelled sample in the validation split, which chooses the hyper-parameters: "
            "give it a share in `split.fractions` or more blocks"
        )
    return found


def _first(
    label: npt.NDArray[np.integer],
    split: npt.NDArray[np.integer],
    part: int,
    k: int,
    seed: int,
    count: int,
) -> Ints:
    """The first `count` samples of class `k` and split `part` in the order of this seed."""
    positions = np.flatnonzero((label == k) & (split == part))
    order = np.random.default_rng([seed, part, k]).permutation(len(positions))
    return positions[order[:count]].astype(np.int64)


def validation_score(truth: Ints, probabilities: npt.NDArray[np.floating]) -> tuple[float, float]:
    """What hyper-parameters are chosen by: balanced accuracy, then mean log likelihood.

    With a handful of validation samples many candidates tie on accuracy; the likelihood decides
    among those. Compare the pairs as tuples: larger is better.

    Args:
        truth: (sample,) class index.
        probabilities: (sample, class).

    Returns:
        Balanced accuracy over the classes present, and the mean natural log of the probability of
        the truth (probabilities are cut at 1e-6, so that one confident error does not decide).
    """
    right = probabilities.argmax(1) == truth
    balanced = float(np.mean([right[truth == k].mean() for k in np.unique(truth)]))
    likelihood = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return balanced, float(np.log(np.clip(likelihood, 1e-6, 1.0)).mean())


# --- the cell table ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """Predictions of one learner, shot count and seed.

    Attributes:
        learner: who.
        shots: labelled samples a class it was trained on.
        seed: seed of the draw (and of the learner).
        sample: (sample,) int64, rows of the sample store: its test split.
        truth: (sample,) int64, class index.
        probabilities: (sample, class) float32, rows sum to 1.
        choice: hyper-parameters that validation chose, and its score; JSON values.
    """

    learner: Learner
    shots: Shots
    seed: int
    sample: Ints
    truth: Ints
    probabilities: Floats
    choice: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CellTable:
    """The cells of a Parquet file and what they share.

    Attributes:
        cells: sorted by seed.
        class_names: (class,) names.
        class_colours: (class,) '#rrggbb'.
        provenance: what made the table (see `sitsformer.provenance`).
    """

    cells: tuple[Cell, ...]
    class_names: tuple[str, ...]
    class_colours: tuple[str, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)


def write_cells(
    path: Path,
    cells: Sequence[Cell],
    class_names: Sequence[str],
    class_colours: Sequence[str],
    made_by: Mapping[str, Any] | None = None,
) -> None:
    """Write the cells of one job, whole or not at all.

    Columns: learner, method, init, way, pretrain_seed, shots (text, since `all` is one), seed,
    sample, truth, p_0, p_1 ... (float32). Class names, colours, choices and provenance are JSON in
    the schema's metadata under `sitsformer`. Pages carry checksums, which `read_cells` verifies.

    Args:
        path: the Parquet file.
        cells: of one learner and shot count, or of several.
        class_names: (class,).
        class_colours: (class,) '#rrggbb'.
        made_by: provenance: config values, digests of inputs.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [_table(cell) for cell in sorted(cells, key=lambda cell: cell.seed)]
    choices = [
        {"learner": c.learner.name, "shots": str(c.shots), "seed": c.seed, **c.choice}
        for c in sorted(cells, key=lambda cell: cell.seed)
    ]
    metadata = {
        "kind": "cells",
        "versions": provenance.versions(),
        "class_names": list(class_names),
        "class_colours": list(class_colours),
        "choices": choices,
        "provenance": dict(made_by or {}),
    }
    table = pa.concat_tables(tables).replace_schema_metadata(
        {"sitsformer": json.dumps(metadata, sort_keys=True)}
    )
    with provenance.create_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def _table(cell: Cell) -> Any:
    import pyarrow as pa

    count = len(cell.sample)
    values = (
        cell.learner.name,
        cell.learner.method,
        cell.learner.init,
        cell.learner.way,
        cell.learner.pretrain_seed,
        str(cell.shots),
        cell.seed,
    )
    columns: dict[str, Any] = {
        name: pa.repeat(pa.scalar(value), count)
        for name, value in zip(_COLUMNS, values, strict=True)
    }
    columns["sample"] = cell.sample.astype(np.int64)
    columns["truth"] = cell.truth.astype(np.int64)
    for k in range(cell.probabilities.shape[1]):
        columns[f"p_{k}"] = np.ascontiguousarray(cell.probabilities[:, k], dtype=np.float32)
    return pa.table(columns)


def read_cells(path: Path) -> CellTable:
    """Read and check a file written by `write_cells`.

    Raises:
        SitsError: the file is missing, damaged, or no table of cells.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise SitsError(f"{path} cannot be read as a table of cells: {error}") from None
    raw = (table.schema.metadata or {}).get(b"sitsformer")
    metadata = json.loads(raw) if raw else {}
    if metadata.get("kind") != "cells":
        raise SitsError(f"{path} is a Parquet file, but no table of few-shot cells")
    names = tuple(metadata["class_names"])
    choices = {(c["learner"], c["shots"], c["seed"]): c for c in metadata["choices"]}
    frame = table.to_pandas()
    columns = [f"p_{k}" for k in range(len(names))]
    cells = []
    for key, rows in frame.groupby(list(_COLUMNS), sort=True):
        learner, method, init, way, pretrain_seed, shots, seed = key
        choice = choices[learner, shots, seed]
        cells.append(
            Cell(
                Learner(method, init, way, int(pretrain_seed)),
                parse_shots(shots),
                int(seed),
                rows["sample"].to_numpy(np.int64),
                rows["truth"].to_numpy(np.int64),
                rows[columns].to_numpy(np.float32),
                {k: v for k, v in choice.items() if k not in ("learner", "shots", "seed")},
            )
        )
    return CellTable(
        tuple(sorted(cells, key=_order)),
        names,
        tuple(metadata["class_colours"]),
        metadata["provenance"],
    )


def _order(cell: Cell) -> tuple[str, float, int]:
    return cell.learner.name, shots_order(cell.shots), cell.seed


def shots_order(shots: Shots | str) -> float:
    """Sort key of shots: numbers ascend, `all` is last."""
    return float("inf") if shots == "all" else float(shots)


def read_all(paths: Iterable[Path]) -> CellTable:
    """Read the tables of a whole sweep as one.

    Raises:
        SitsError: no file, different classes or test samples, or the same cell twice.
    """
    tables = {path: read_cells(path) for path in sorted(paths)}
    if not tables:
        raise SitsError("no table of cells was given: run the few-shot sweep first")
    first_path, first = next(iter(tables.items()))
    seen: dict[tuple[str, str, int], Path] = {}
    for path, table in tables.items():
        if table.class_names != first.class_names:
            raise SitsError(f"{path} has other classes than {first_path}: they cannot be compared")
        for cell in table.cells:
            if not np.array_equal(cell.sample, first.cells[0].sample):
                raise SitsError(
                    f"{path} was tested on other samples than {first_path}: make both again "
                    "from the same sample store"
                )
            key = (cell.learner.name, str(cell.shots), cell.seed)
            if key in seen:
                raise SitsError(f"{path} and {seen[key]} hold the same cell {key}")
            seen[key] = path
    cells = [cell for table in tables.values() for cell in table.cells]
    return CellTable(
        tuple(sorted(cells, key=_order)), first.class_names, first.class_colours, first.provenance
    )


def predicted(cell: Cell) -> Ints:
    """(sample,) class index with the largest probability."""
    return np.asarray(cell.probabilities.argmax(1), dtype=np.int64)
