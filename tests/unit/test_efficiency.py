"""How many labels an arm saves, by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from sitsformer.evaluation.efficiency import sentence


def table(**arms: dict[str, float]) -> pd.DataFrame:
    rows = [
        {"score": "macro_f1", "arm": arm, "shots": shots, "mean": mean}
        for arm, means in arms.items()
        for shots, mean in means.items()
    ]
    return pd.DataFrame([*rows, {"score": "macro_f1", "arm": "a", "shots": "few", "mean": 0.99}])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (
            {"5": 0.7, "20": 0.8, "100": 0.85},
            {"5": 0.5, "20": 0.6, "100": 0.69},
            "What B reaches with 100 labels a class (0.69), A reaches with 5 (0.70).",
        ),
        (
            {"5": 0.5, "20": 0.8},
            {"5": 0.4, "20": 0.5, "all": 0.75},
            "What B reaches with all labels (0.75), A reaches with 20 (0.80).",
        ),
        ({"5": 0.5, "20": 0.6}, {"5": 0.55, "20": 0.7}, None),
        ({"5": 0.5, "20": 0.6}, {"5": 0.4, "20": 0.58}, None),
    ],
)
def test_the_largest_saving_is_told(a, b, expected) -> None:
    assert sentence(table(a=a, b=b), "a", "b", ("A", "B")) == expected
