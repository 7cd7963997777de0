"""What became of each feature of a survey: samples, or the reason why there are none.

Every feature is in the table once, and every pixel that a feature asks for in one column of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sitsformer.surveys.reading import Surveyed

if TYPE_CHECKING:
    import pandas as pd

KEPT = "kept"

REASONS: dict[str, str] = {
    "no_class": "the cell of the class is empty",
    "no_shape": "without coordinates, or without an area",
    "no_weight": "its weight is 0",
    "outside": "outside of every tile of the set",
    "season": "of another season",
    "no_pixel": "too small to hold the centre of a pixel",
    "erosion": "nearer to the border of its polygon than `erode`",
    "conflict": "features of other classes, as heavy or heavier, are in the same pixel",
    "duplicate": "a feature of the same class is in the same pixel",
    "per_polygon": "not drawn: the polygon has more than `per_polygon` pixels",
    "unlabelled": "its code means no label",
    "other_class": "its class is in none of `classes`",
    "edge": "the patch reaches out of the tiles of the area",
    "split": "the patch reaches into another block, or out of the polygons of one split",
    "purity": "the label is not the same around it",
    "confidence": "the label is not sure enough",
    "cloud": "fewer clear dates than `patches.min_dates`",
    "quota": "not drawn: the tile has more than `per_tile`",
    "missing": "values are missing on too many of its dates",
    "rare": "its class has fewer than `min_samples` samples",
    "group": "most of its group is in another split",
}
"""Reason -> what it means, in the order in which they are tried."""

TABLE = "features.csv"
"""File in the store of a set: a row a feature."""

COSTLY = 0.1
"""Share of what was left that a split may take before the remedies are named."""


def added(counts: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[int, dict[str, int]]:
    """Counts of several tiles as one: feature -> reason or KEPT -> pixels."""
    total: dict[int, dict[str, int]] = {}
    for tile in counts:
        for number, reasons in tile.items():
            into = total.setdefault(int(number), {})
            for reason, pixels in reasons.items():
                into[reason] = into.get(reason, 0) + pixels
    return total


def table(surveyed: Surveyed, counts: Mapping[int, Mapping[str, int]]) -> pd.DataFrame:
    """Every feature and what became of it.

    Args:
        surveyed: the features.
        counts: of all tiles of the set, by number of the feature.

    Returns:
        A row a feature, in the order of the file: feature, class, lon, lat, outcome (KEPT, or the
        last reason that took a pixel of it), samples, and pixels by reason; columns of reasons
        that took nothing are left out.
    """
    import pandas as pd

    names = dict(zip(surveyed.legend.codes, surveyed.legend.names, strict=True))
    rows: list[dict[str, Any]] = []
    order = list(REASONS)
    for position in range(len(surveyed)):
        found = dict(counts.get(position + 1, {}))
        if surveyed.lost[position]:
            found = {str(surveyed.lost[position]): 1}
        elif not found:
            found = {"outside": 1}
        samples = found.pop(KEPT, 0)
        last = max(found, key=order.index) if found else ""
        lon, lat = surveyed.middle[position]
        rows.append(
            {
                "feature": position + 1,
                "class": names.get(int(surveyed.code[position]), ""),
                "lon": round(float(lon), 7),
                "lat": round(float(lat), 7),
                "outcome": KEPT if samples else last,
                "samples": samples,
                **found,
            }
        )
    frame = pd.DataFrame(rows)
    for reason in order:
        if reason in frame:
            frame[reason] = frame.pop(reason).fillna(0).astype(np.int64)
    return frame


def summary(frame: pd.DataFrame) -> dict[str, Any]:
    """The counts of a table that go beside the samples.

    Returns:
        features, kept (features), samples, and `dropped`: reason -> class -> features.
    """
    lost = frame[frame.outcome != KEPT]
    dropped: dict[str, dict[str, int]] = {}
    for reason in REASONS:
        of_class = lost[lost.outcome == reason]["class"].value_counts(sort=False)
        if len(of_class):
            dropped[reason] = {str(name) or "(none)": int(n) for name, n in of_class.items()}
    kept = frame[frame.outcome == KEPT]["class"].value_counts(sort=False)
    return {
        "features": len(frame),
        "kept": {str(name): int(n) for name, n in kept.items()},
        "dropped": dropped,
        "samples": int(frame.samples.sum()),
        "pixels": {r: int(frame[r].sum()) for r in REASONS if r in frame and frame[r].any()},
    }


def lines(found: Mapping[str, Any], what: str) -> list[str]:
    """A summary in words, a line a reason."""
    kept = sum(found["kept"].values())
    text = [f"{found['features']} {what}: {kept} kept, {found['samples']} samples"]
    for reason, of_class in found["dropped"].items():
        classes = ", ".join(f"{name} {n}" for name, n in of_class.items())
        text.append(f"{sum(of_class.values())} dropped, {reason}: {REASONS[reason]} ({classes})")
    return text


def advice(found: Mapping[str, Any], by: str, size: int, block: float) -> list[str]:
    """What would help where a split, or the edges of tiles, cost more than a tenth.

    Args:
        found: a summary.
        by: way of the split.
        size: side of a patch, pixels.
        block: side of a block, metres.
    """
    pixels = found["pixels"]
    text = []
    for reason, remedies in (
        ("split", _of_split(by, size, block)),
        ("edge", ["`patches.size: 1`"] * (size > 1) + ["a larger area, or all of its tiles"]),
        ("group", ["split by group (`split.by: group`)"]),
    ):
        later = list(REASONS)[list(REASONS).index(reason) :]
        left = found["samples"] + sum(pixels.get(name, 0) for name in later)
        lost = pixels.get(reason, 0)
        if lost > COSTLY * left:
            text.append(
                f"{reason} cost {lost} of {left} labelled pixels ({REASONS[reason]}); what would "
                f"help: {', or '.join(remedies)}"
            )
    return text


def gone(found: Mapping[str, Any]) -> list[str]:
    """Classes that were surveyed here and then, and of which no feature gave a sample.

    Rare ones, and those that a set does not want, are told of elsewhere.

    Args:
        found: a summary.
    """
    why: dict[str, dict[str, int]] = {}
    for reason, of_class in found["dropped"].items():
        for name, features in of_class.items():
            why.setdefault(name, {})[reason] = features
    text = []
    for name, reasons in sorted(why.items()):
        here = {*reasons} - {"outside", "season"}
        told = here & {"no_class", "no_shape", "no_weight", "unlabelled", "other_class", "rare"}
        if found["kept"].get(name) or told or not here:
            continue
        counts = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
        remedy = "; `erode: 0` would take pixels up to the border" if "erosion" in here else ""
        text.append(
            f"class {name!r} has no sample: none of its features gave one ({counts}){remedy}"
        )
    return text


def _of_split(by: str, size: int, block: float) -> list[str]:
    whole = ["`patches.size: 1`"] if size > 1 else []
    if by == "block":
        whole.append(f"larger blocks (`split.block` above {block:g})")
    return [*whole, "a split by group (`split.by: group`), which costs nothing"]
