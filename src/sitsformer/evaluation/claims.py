"""What the data say about the claims of the method: one sentence each, whichever way it goes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from sitsformer.baselines import shipped
from sitsformer.embeddings import JOINED, Member, joined_learners, main_learners
from sitsformer.evaluation import digits
from sitsformer.evaluation.evaluate import FEW, HEADLINE
from sitsformer.fewshot import NO_ADAPTATION
from sitsformer.training.objectives import BEST_BASELINE, BEST_CONTROL, comparisons

ENOUGH_RUNS = 3
"""Pretraining runs from which on a claim is about pretraining, and not about one run of it."""

RIVALS = (BEST_BASELINE, BEST_CONTROL)

_WORD = {"better": "Supported", "worse": "Refuted", "undecided": "Undecided"}


def claims() -> list[tuple[str, str, str]]:
    """(comparison, shots, the claim) of every objective: few labels first, baselines last there."""
    found = [
        (f"{objective} - {comparison.other}", shots, claim)
        for objective, comparison in comparisons()
        for shots, claim in ((FEW, comparison.few), ("all", comparison.every))
        if claim is not None
    ]
    return sorted(found, key=lambda claim: (claim[1] == "all", claim[0].endswith(RIVALS)))


def claims_about(embedded: Mapping[str, Member]) -> list[tuple[str, str, str]]:
    """The same about embeddings of others, of every objective that claims to beat baselines."""
    beating = [
        objective
        for objective, comparison in comparisons()
        if comparison.other == BEST_BASELINE and comparison.few is not None
    ]
    alone = {name: embedded[name].title for name in main_learners(embedded)}
    found = [
        (f"{objective} - {name}", FEW, f"With few labels, {objective} pretraining beats {title}")
        for objective in beating
        for name, title in alone.items()
    ]
    layers = {embedded[name].layer: name for name in alone}
    for method in joined_learners(embedded):
        layer = method.removeprefix(JOINED)
        if layer in layers:
            name = layers[layer]
            found += [
                (
                    f"{objective}+{layer} - {name}",
                    FEW,
                    f"With few labels, {objective} features beside {alone[name]} beat it alone",
                )
                for objective in beating
            ]
    return found


def decide(
    differences: pd.DataFrame,
    adaptation: str,
    level: float,
    seen: str = "",
    embedded: Mapping[str, Member] | None = None,
) -> pd.DataFrame:
    """Read the claims off the paired differences (`claims.csv`).

    A claim is supported (refuted) where the interval over seeds and the one over test blocks both
    lie above (below) zero. Those whose arms did not run are left out.

    Args:
        differences: of `differences.compare`.
        adaptation: that the claims are about.
        level: of the intervals.
        seen: what pretraining has seen of the test, said beside every claim (`seen.sentence`).
        embedded: learners of embeddings of others, by name.

    Returns:
        Columns claim, verdict, sentence, and the row of `differences` each is read off.
    """
    rows = []
    relevant = differences[
        (differences.score == HEADLINE[0])
        & differences.adaptation.isin((adaptation, NO_ADAPTATION))
    ]
    for comparison, shots, claim in [*claims(), *claims_about(embedded or {})]:
        found = relevant[(relevant.comparison == comparison) & (relevant.shots == shots)]
        for row in found.to_dict("records"):
            word = _WORD[row["verdict"]]
            rows.append(
                {
                    "claim": claim,
                    "verdict": word.lower(),
                    "sentence": f"{_sentence(word, claim, row, level)} {seen}".strip(),
                    **{key: row[key] for key in ("comparison", "second", "shots", "mean")},
                    **{key: row[key] for key in ("low_seeds", "high_seeds")},
                    **{key: row[key] for key in ("low_blocks", "high_blocks", "runs", "draws")},
                }
            )
    return pd.DataFrame(rows, columns=None if rows else ["claim", "verdict", "sentence"])


def _sentence(word: str, claim: str, row: Mapping[Hashable, Any], level: float) -> str:
    rival = str(row["comparison"]).endswith(RIVALS)
    beside = f" ({_called(str(row['second']))})" if rival else ""
    seeds, blocks = (_interval(row, kind) for kind in ("seeds", "blocks"))
    (mean,) = digits.signed(row["mean"], least=3)
    text = (
        f"{word}: {claim[0].lower()}{claim[1:]}{beside}; "
        f"difference in macro F1 {mean}, {level:.0%} interval {seeds} over seeds and "
        f"{blocks} over test blocks."
    )
    runs = int(row["runs"])
    if runs < ENOUGH_RUNS:
        times = "one pretraining run" if runs == 1 else f"{runs} pretraining runs"
        text += f" This rests on {times}; another run may differ."
    return text


def _called(rival: str) -> str:
    """A baseline or control (`random_forest+dual`) as tables and figures call it."""
    method, _, given = rival.partition("+")
    ships = shipped().get(method)
    title = method.replace("_", " ") if ships is None else ships.title
    return f"{title} with {given}'s land cover" if given else title


def _interval(row: Mapping[Hashable, Any], kind: str) -> str:
    low, high = row[f"low_{kind}"], row[f"high_{kind}"]
    if low != low:
        return "unknown (too few)"
    return " to ".join(digits.signed(low, high, least=3))
