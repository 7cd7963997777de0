"""Paired differences between arms of the sweep: who is compared with whom, and what is better."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pandas as pd

from sitsformer.embeddings import Member, joined_learners, main_learners
from sitsformer.evaluation import intervals
from sitsformer.evaluation.evaluate import HEADLINE, Arm, Floats, Results, both
from sitsformer.fewshot import NETWORK
from sitsformer.training.objectives import (
    BEST_BASELINE,
    BEST_CONTROL,
    comparisons,
    starts,
)

DIFFERENCES = ("comparison", "adaptation", "first", "second", "shots", "score", "verdict")
"""Columns of the table of differences where there are none: a single learner is compared with
nobody."""


def best(
    results: Results, shots: str, controls: bool, embedded: Collection[str] = ()
) -> Arm | None:
    """The baseline, or the control, with the greatest mean headline score on the test split.

    It is chosen by what it is compared on, which favours the baseline, not the network. What learns
    from embeddings of others is no baseline: somebody has pretrained for it.
    """
    known = [
        arm
        for arm, found in results.items()
        if arm.method not in (NETWORK, *embedded) and arm.control == controls and shots in found
    ]
    return max(
        known, key=lambda arm: float(results[arm][shots].scores[HEADLINE[0]].mean()), default=None
    )


def pairs(
    results: Results, shots: str, embedded: Mapping[str, Member] | None = None
) -> Iterator[tuple[Arm, Arm, str]]:
    """(first, second, name of the comparison) of every comparison that can be made."""
    embedded = embedded or {}
    network = [arm for arm, found in results.items() if arm.method == NETWORK and shots in found]
    rivals = ((BEST_BASELINE, False), (BEST_CONTROL, True))
    for adaptation in dict.fromkeys(arm.adaptation for arm in network):
        for first, comparison in comparisons():
            one = Arm(NETWORK, first, adaptation)
            two = Arm(NETWORK, comparison.other, adaptation)
            if one in network and two in network:
                yield one, two, f"{first} - {comparison.other}"
        for name, controls in rivals:
            rival = best(results, shots, controls, embedded)
            for init in starts():
                if rival is not None and Arm(NETWORK, init, adaptation) in network:
                    yield Arm(NETWORK, init, adaptation), rival, f"{init} - {name}"
        for peer in main_learners(embedded):
            for init in starts():
                one, two = Arm(NETWORK, init, adaptation), Arm(peer)
                if one in network and shots in results.get(two, {}):
                    yield one, two, f"{init} - {peer}"
    yield from _joined(results, shots, embedded)


def _joined(
    results: Results, shots: str, embedded: Mapping[str, Member]
) -> Iterator[tuple[Arm, Arm, str]]:
    """What an encoder adds to embeddings of others, and these to the network."""
    alone = {embedded[name].layer: name for name in main_learners(embedded)}
    for method in joined_learners(embedded):
        layer = embedded[method].layer
        for joint in results:
            if joint.method != method or shots not in results[joint]:
                continue
            for rival in results:
                network = (rival.method, rival.init) == (NETWORK, joint.init)
                if shots in results[rival] and (network or rival.method == alone.get(layer)):
                    yield joint, rival, f"{joint.name} - {joint.init if network else rival.method}"


def compare(
    results: Results, level: float, embedded: Mapping[str, Member] | None = None
) -> pd.DataFrame:
    """Paired differences with both intervals (`differences.csv`).

    Differences are taken within a draw (and, between two pretrained arms, within a pretraining
    seed), and on the same resamples of blocks. Learners of embeddings (`embedded`, by name) are
    compared with as themselves.
    """
    every = dict.fromkeys(shots for by_shots in results.values() for shots in by_shots)
    rows = []
    for shots in every:
        for one, two, name in pairs(results, shots, embedded):
            first, second = results[one][shots], results[two][shots]
            for score in HEADLINE:
                values = _difference(first.scores[score], second.scores[score])
                found = both(values, first.blocks[score] - second.blocks[score], level)
                rows.append(
                    {
                        "comparison": name,
                        "adaptation": two.adaptation if one.joins else one.adaptation,
                        "first": one.name,
                        "second": two.name,
                        "shots": shots,
                        "score": score,
                        **found,
                        "verdict": verdict(found),
                    }
                )
    return pd.DataFrame(rows, columns=None if rows else list(DIFFERENCES))


def _difference(first: Floats, second: Floats) -> Floats:
    """(run, draw) differences; an arm without runs is the same beside every run of the other."""
    runs, draws = max(len(first), len(second)), min(first.shape[1], second.shape[1])
    return np.broadcast_to(first[:, :draws], (runs, draws)) - np.broadcast_to(
        second[:, :draws], (runs, draws)
    )


def verdict(row: Mapping[str, float]) -> str:
    """`better` or `worse` where both intervals exclude zero on the same side, else `undecided`."""
    over_seeds = intervals.Interval(row["mean"], row["low_seeds"], row["high_seeds"]).sign
    over_blocks = intervals.Interval(row["mean"], row["low_blocks"], row["high_blocks"]).sign
    if over_seeds == over_blocks:
        return {1: "better", -1: "worse", 0: "undecided"}[over_seeds]
    return "undecided"
