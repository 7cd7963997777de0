"""Tables of the few-shot sweep: scores, intervals, classes, calibration, choices.

Differences between arms are in `differences.py`, what they support in `claims.py`.

An *arm* is one method, init and adaptation. Its cells form a table over pretraining runs and draws
of labels for each number of shots; every score has an interval over these and one over spatial
blocks (see `intervals`). The shots `few` stand for the mean over all numbers of shots but `all`:
one figure for "with few labels", so that a claim is tested once and not once per number of shots.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from sitsformer import fewshot
from sitsformer.config import Evaluation
from sitsformer.embeddings import JOINED
from sitsformer.errors import SitsError
from sitsformer.evaluation import intervals, metrics
from sitsformer.fewshot import NETWORK, NO_ADAPTATION, Cell, CellTable
from sitsformer.patches.leakage import leakage_table
from sitsformer.training.objectives import SCRATCH

Floats = npt.NDArray[np.float64]

FEW = "few"
"""Shots of a row that averages over all numbers of shots but `all`."""

HEADLINE = ("macro_f1", "overall_accuracy")
"""Scores that are compared between arms and resampled over blocks; claims use the first."""

CALIBRATION = ("ece", "log_loss")


@dataclass(frozen=True, order=True)
class Arm:
    """A method that is compared with others: all its pretraining runs together."""

    method: str
    init: str = SCRATCH.name
    adaptation: str = NO_ADAPTATION

    @property
    def name(self) -> str:
        """Short name: `dual-full`, `none-full`, `random_forest`, `random_forest+dual`.

        Embeddings of others joined with an encoder's features: `dual+satellite_embedding`.
        """
        if self.method == NETWORK:
            return f"{self.init}-{self.adaptation}"
        if self.joins:
            return f"{self.init}+{self.method.removeprefix(JOINED)}"
        return f"{self.method}+{self.init}" if self.control else self.method

    @property
    def control(self) -> bool:
        """Whether it is a baseline that is given the land cover of pretrained models."""
        return self.method != NETWORK and self.init != SCRATCH.name and not self.joins

    @property
    def joins(self) -> bool:
        """Whether it joins embeddings of others with the features of pretrained encoders."""
        return self.method.startswith(JOINED)


@dataclass(frozen=True)
class Result:
    """An arm with one number of shots.

    Attributes:
        scores: score -> (run, draw).
        blocks: score -> (resample,), mean over runs and draws.
    """

    scores: Mapping[str, Floats]
    blocks: Mapping[str, Floats]


Results = dict[Arm, dict[str, Result]]
"""Arm -> shots (as text, ascending, `few` last) -> result."""


def arm_of(cell: Cell) -> Arm:
    """The arm that a cell belongs to."""
    return Arm(cell.learner.method, cell.learner.init, cell.learner.adaptation)


def score_cells(table: CellTable, settings: Evaluation) -> pd.DataFrame:
    """One row a cell: its scores (`fewshot.csv`)."""
    rows = []
    for cell in table.cells:
        matrix = _matrix(cell)
        curve = metrics.reliability(cell.truth, cell.probabilities, settings.bins)
        found = metrics.scores(matrix)
        rows.append(
            {
                "method": cell.learner.method,
                "init": cell.learner.init,
                "shots": str(cell.shots),
                "seed": cell.seed,
                "overall_accuracy": found["overall_accuracy"],
                "kappa": found["kappa"],
                "macro_f1": found["macro_f1"],
                "balanced_accuracy": found["balanced_accuracy"],
                "ece": curve.error,
                "log_loss": metrics.log_loss(cell.truth, cell.probabilities),
                "adaptation": cell.learner.adaptation,
                "pretrain_seed": cell.learner.pretrain_seed,
                "learner": cell.learner.name,
                "test_samples": len(cell.truth),
            }
        )
    return pd.DataFrame(rows)


def _matrix(cell: Cell) -> npt.NDArray[np.int64]:
    classes = cell.probabilities.shape[1]
    return metrics.confusion(cell.truth, fewshot.predicted(cell), classes)


def gather(
    table: CellTable, scores: pd.DataFrame, block: npt.NDArray[np.int64], settings: Evaluation
) -> Results:
    """Bring cells together by arm and shots.

    Args:
        table: the cells.
        scores: of `score_cells`, one row a cell in the same order.
        block: (sample,) block of every row of the sample store.
        settings: intervals.

    Raises:
        SitsError: an arm lacks some of its cells.
    """
    test = table.cells[0].sample
    _, which = np.unique(block[test], return_inverse=True)
    weights = intervals.block_weights(int(which.max()) + 1, settings.bootstrap)
    found: Results = {}
    groups: dict[tuple[Arm, str], list[int]] = {}
    for position, cell in enumerate(table.cells):
        groups.setdefault((arm_of(cell), str(cell.shots)), []).append(position)
    names = [*metrics.SCORES, *CALIBRATION]
    for (arm, shots), positions in groups.items():
        part = scores.iloc[positions]
        tables = {
            name: part.pivot(index="pretrain_seed", columns="seed", values=name).to_numpy(float)
            for name in names
        }
        if any(np.isnan(values).any() for values in tables.values()):
            raise SitsError(f"{arm.name} with {shots} shots lacks some seeds of some runs")
        resampled = {name: np.zeros(settings.bootstrap) for name in HEADLINE}
        for position in positions:
            cell = table.cells[position]
            matrices = metrics.block_confusion(
                cell.truth, fewshot.predicted(cell), which, cell.probabilities.shape[1]
            )
            for name in HEADLINE:
                values = intervals.resampled(matrices, weights, metrics.SCORES[name])
                resampled[name] += values / len(positions)
        found.setdefault(arm, {})[shots] = Result(tables, resampled)
    # Over the same numbers of shots for every arm, also where some arms have run with more.
    common = set.intersection(*(set(by_shots) for by_shots in found.values())) - {"all"}
    for by_shots in found.values():
        few = [result for shots, result in by_shots.items() if shots in common]
        if few:
            by_shots[FEW] = _average(few)
    return found


def _average(results: Sequence[Result]) -> Result:
    shapes = {result.scores[HEADLINE[0]].shape for result in results}
    if len(shapes) > 1:
        raise SitsError(f"numbers of shots differ in their seeds: {sorted(shapes)}")
    return Result(
        {k: np.mean([r.scores[k] for r in results], axis=0) for k in results[0].scores},
        {k: np.mean([r.blocks[k] for r in results], axis=0) for k in results[0].blocks},
    )


def summarise(results: Results, level: float) -> pd.DataFrame:
    """Mean and both intervals of every score of every arm and shots (`summary.csv`)."""
    rows = []
    for arm, by_shots in results.items():
        for shots, result in by_shots.items():
            for name, values in result.scores.items():
                rows.append(
                    {
                        "method": arm.method,
                        "init": arm.init,
                        "adaptation": arm.adaptation,
                        "arm": arm.name,
                        "shots": shots,
                        "score": name,
                        **both(values, result.blocks.get(name), level),
                    }
                )
    return pd.DataFrame(rows)


def both(values: Floats, resampled: Floats | None, level: float) -> dict[str, float | int]:
    """Mean of (run, draw) values with its interval over them, and over resampled blocks."""
    seeds = intervals.over_seeds(values, level)
    blocks = intervals.Interval(seeds.mean, float("nan"), float("nan"))
    if resampled is not None:
        blocks = intervals.percentile(seeds.mean, resampled, level)
    return {
        "mean": seeds.mean,
        "low_seeds": seeds.low,
        "high_seeds": seeds.high,
        "low_blocks": blocks.low,
        "high_blocks": blocks.high,
        "runs": values.shape[0],
        "draws": values.shape[1],
    }


# --- classes, calibration, choices -------------------------------------------------------------


def _keys(cell: Cell) -> dict[str, object]:
    return {
        "method": cell.learner.method,
        "init": cell.learner.init,
        "adaptation": cell.learner.adaptation,
        "arm": arm_of(cell).name,
        "pretrain_seed": cell.learner.pretrain_seed,
        "shots": str(cell.shots),
        "seed": cell.seed,
    }


def per_class(table: CellTable) -> pd.DataFrame:
    """Precision (user's accuracy), recall (producer's) and F1 of every class of every cell."""
    rows = []
    for cell in table.cells:
        matrix = _matrix(cell)
        scores = (metrics.precision(matrix), metrics.recall(matrix), metrics.f1(matrix))
        for k, name in enumerate(table.classes.names):
            precision, recall, f1 = (float(values[k]) for values in scores)
            rows.append(
                {
                    **_keys(cell),
                    "class": name,
                    "support": int(matrix[k].sum()),
                    "precision": precision,
                    "recall": recall,
                    "f1": f1,
                }
            )
    return pd.DataFrame(rows)


def _by_arm(table: CellTable) -> dict[tuple[Arm, str], list[Cell]]:
    groups: dict[tuple[Arm, str], list[Cell]] = {}
    for cell in table.cells:
        groups.setdefault((arm_of(cell), str(cell.shots)), []).append(cell)
    return groups


def confusions(table: CellTable) -> pd.DataFrame:
    """Confusion matrices in long form, summed over the seeds and runs of an arm."""
    rows = []
    for (arm, shots), cells in _by_arm(table).items():
        matrix = np.sum([_matrix(cell) for cell in cells], axis=0)
        share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
        for i, truth in enumerate(table.classes.names):
            for j, guess in enumerate(table.classes.names):
                rows.append(
                    {
                        "arm": arm.name,
                        "shots": shots,
                        "truth": truth,
                        "predicted": guess,
                        "count": int(matrix[i, j]),
                        "share_of_truth": float(share[i, j]),
                    }
                )
    return pd.DataFrame(rows)


def reliabilities(table: CellTable, bins: int) -> pd.DataFrame:
    """Reliability curves, the seeds and runs of an arm taken together."""
    frames = []
    for (arm, shots), cells in _by_arm(table).items():
        truth = np.concatenate([cell.truth for cell in cells])
        curve = metrics.reliability(truth, np.concatenate([c.probabilities for c in cells]), bins)
        frames.append(
            pd.DataFrame(
                {
                    "arm": arm.name,
                    "shots": shots,
                    "lower": curve.lower,
                    "upper": curve.lower + 1 / bins,
                    "count": curve.count,
                    "confidence": curve.confidence,
                    "accuracy": curve.accuracy,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def conformal(table: CellTable, block: npt.NDArray[np.int64], miscoverage: float) -> pd.DataFrame:
    """Coverage and size of prediction sets, calibrated on half of the test blocks."""
    rows = []
    for cell in table.cells:
        found = metrics.conformal_by_block(
            cell.truth, cell.probabilities, block[cell.sample], miscoverage
        )
        rows.append({**_keys(cell), "promised": 1 - miscoverage, **vars(found)})
    return pd.DataFrame(rows)


def leakage(store: Path, pretrain: Path | None) -> pd.DataFrame:
    """How near test samples lie to what was learned from, and what they share with it."""
    rows = [row.row() for row in leakage_table(store, pretrain)]
    frame = pd.DataFrame(rows)
    for name in ("shared_areas", "shared_years"):
        frame[name] = [", ".join(map(str, values)) for values in frame[name]]
    return frame.rename(columns={"nearest": "nearest_metres"})


def choices(table: CellTable) -> pd.DataFrame:
    """Hyper-parameters that validation chose, as JSON, one row a cell."""
    rows = [
        {**_keys(cell), "choice": json.dumps(dict(cell.choice), sort_keys=True)}
        for cell in table.cells
    ]
    return pd.DataFrame(rows)
