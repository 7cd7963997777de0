"""Label efficiency in words: with how many labels one arm reaches what another needs more for."""

from __future__ import annotations

import pandas as pd

from sitsformer.evaluation.evaluate import FEW, HEADLINE
from sitsformer.fewshot import shots_order


def sentence(summary: pd.DataFrame, arm: str, other: str, titles: tuple[str, str]) -> str | None:
    """The largest saving of labels of one arm over another, by means.

    Args:
        summary: table `summary`.
        arm: name of the one that may need fewer.
        other: name of the one it is measured by.
        titles: how both are called in the sentence.

    Returns:
        A sentence; None where the other reaches nothing that the arm reaches with fewer labels.
    """
    part = summary[(summary.score == HEADLINE[0]) & (summary.shots != FEW)]
    one, two = (_means(part[part.arm == name]) for name in (arm, other))
    for wanted in sorted(two, key=shots_order, reverse=True):
        enough = [s for s in sorted(one, key=shots_order) if one[s] >= two[wanted]]
        if enough and shots_order(enough[0]) < shots_order(wanted):
            labels = "all labels" if wanted == "all" else f"{wanted} labels a class"
            return (
                f"What {titles[1]} reaches with {labels} ({two[wanted]:.2f}), {titles[0]} reaches "
                f"with {enough[0]} ({one[enough[0]]:.2f})."
            )
    return None


def _means(part: pd.DataFrame) -> dict[str, float]:
    """Shots -> mean score."""
    return dict(zip(part.shots.astype(str), part["mean"].astype(float), strict=True))
