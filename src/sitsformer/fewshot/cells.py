"""The table of predictions of one job: written, read, put together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sitsformer import artefacts
from sitsformer.classes import Classes
from sitsformer.errors import SitsError
from sitsformer.fewshot.learners import Learner, parse_shots, shots_order

if TYPE_CHECKING:
    from sitsformer.config import Shots

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_COLUMNS = ("learner", "method", "init", "adaptation", "pretrain_seed", "shots", "seed")
OLD_COLUMNS = {"way": "adaptation"}
"""Columns of tables that earlier versions wrote -> what they are called now."""
BESIDE_SETTINGS = (
    "validation_balanced_accuracy",
    "validation_log_likelihood",
    "train_samples",
    "validation_samples",
    "refinements",
    "refined_shares",
)
"""What stands beside the chosen settings in the choice of a network's cell."""


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
        classes: names and colours, in the order of probabilities.
        provenance: what made the table (see `sitsformer.artefacts`).
    """

    cells: tuple[Cell, ...]
    classes: Classes
    provenance: Mapping[str, Any] = field(default_factory=dict)


def write_cells(
    path: Path,
    cells: Sequence[Cell],
    classes: Classes,
    made_by: Mapping[str, Any] | None = None,
) -> None:
    """Write the cells of one job, whole or not at all.

    Columns: learner, method, init, adaptation, pretrain_seed, shots (text, since `all` is one),
    seed, sample, truth, p_0, p_1 ... (float32). Class names, colours, choices and provenance are
    JSON in the schema's metadata under `sitsformer`. Pages carry checksums, which `read_cells`
    verifies.

    Args:
        path: the Parquet file.
        cells: of one learner and shot count, or of several.
        classes: in the order of probabilities; the file keeps their names and colours.
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
        "versions": artefacts.versions(),
        "class_names": list(classes.names),
        "class_colours": list(classes.colours),
        "choices": choices,
        "provenance": dict(made_by or {}),
    }
    table = pa.concat_tables(tables).replace_schema_metadata(
        {"sitsformer": json.dumps(metadata, sort_keys=True)}
    )
    with artefacts.create_file(path, "cells") as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def _table(cell: Cell) -> Any:
    import pyarrow as pa

    count = len(cell.sample)
    values = (
        cell.learner.name,
        cell.learner.method,
        cell.learner.init,
        cell.learner.adaptation,
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

    again = "delete it and run the cell again"
    artefacts.refuse_altered(path, again)
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        raw = (table.schema.metadata or {}).get(b"sitsformer")
        metadata = json.loads(raw) if raw else {}
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SitsError(f"{path} cannot be read as a table of cells: {error}; {again}") from None
    if metadata.get("kind") != "cells":
        raise SitsError(f"{path} is a Parquet file, but no table of few-shot cells")
    try:
        return _cells(table, metadata)
    except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise SitsError(f"{path} is a damaged table of cells ({error!r}); {again}") from None


def _cells(table: Any, metadata: Mapping[str, Any]) -> CellTable:
    """Cells of a table and its metadata."""
    classes = Classes(tuple(metadata["class_names"]), tuple(metadata["class_colours"]))
    choices = {(c["learner"], c["shots"], c["seed"]): c for c in metadata["choices"]}
    frame = table.to_pandas().rename(columns=OLD_COLUMNS)
    columns = [f"p_{k}" for k in range(len(classes))]
    cells = []
    for key, rows in frame.groupby(list(_COLUMNS), sort=True):
        learner, method, init, adaptation, pretrain_seed, shots, seed = key
        choice = choices[learner, shots, seed]
        cells.append(
            Cell(
                Learner(method, init, adaptation, int(pretrain_seed)),
                parse_shots(shots),
                int(seed),
                rows["sample"].to_numpy(np.int64),
                rows["truth"].to_numpy(np.int64),
                rows[columns].to_numpy(np.float32),
                {k: v for k, v in choice.items() if k not in ("learner", "shots", "seed")},
            )
        )
    return CellTable(tuple(sorted(cells, key=_order)), classes, metadata["provenance"])


def _order(cell: Cell) -> tuple[str, float, int]:
    return cell.learner.name, shots_order(cell.shots), cell.seed


def read_all(paths: Iterable[Path]) -> CellTable:
    """Read the tables of a whole sweep as one.

    Raises:
        SitsError: no file, different classes or test samples, or the same cell twice.
    """
    ordered = sorted(set(paths))
    if not ordered:
        raise SitsError("no table of cells was given: run the few-shot sweep first")
    first_path, first = ordered[0], read_cells(ordered[0])
    cells: list[Cell] = []
    seen: dict[tuple[str, str, int], Path] = {}
    for path in ordered:
        table = first if path == first_path else read_cells(path)
        if table.classes.names != first.classes.names:
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
            cells.append(_sharing(cell, first.cells[0]))
    return CellTable(tuple(sorted(cells, key=_order)), first.classes, first.provenance)


def _sharing(cell: Cell, other: Cell) -> Cell:
    """A cell whose test samples and their truth are the arrays of another one, which are equal.

    Of a thousand cells these would be as large as their probabilities.
    """
    same = np.array_equal(cell.truth, other.truth)
    return replace(cell, sample=other.sample, truth=other.truth if same else cell.truth)


def refuse_other_samples(table: CellTable, label: npt.NDArray[np.integer], store: Path) -> None:
    """Refuse predictions that are not of a store's samples.

    Args:
        table: of the sweep.
        label: (sample,) class index of every sample of the store.
        store: it, for the message.

    Raises:
        SitsError: the store has no such samples, or other labels of them.
    """
    for cell in table.cells:
        there = bool(np.all((cell.sample >= 0) & (cell.sample < len(label))))
        if not there or not np.array_equal(label[cell.sample], cell.truth):
            raise SitsError(
                f"the predictions of {cell.learner.name}, shots {cell.shots}, are of other samples "
                f"than {store} holds: give the store they were made from, or run the sweep again"
            )


def predicted(cell: Cell) -> Ints:
    """(sample,) class index with the largest probability."""
    return np.asarray(cell.probabilities.argmax(1), dtype=np.int64)
