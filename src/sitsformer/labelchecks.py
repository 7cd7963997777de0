"""Labels that deserve a second look, and how the classes of a set are spread over the ground.

Confident errors: a random forest, cross-validated over whole blocks (or groups), says how probable
each class is for samples that it has not seen; a sample is suspicious where another class reaches
the mean probability that this class has among its own samples (confident learning: Northcutt,
Jiang & Chuang 2021, J. Artificial Intelligence Research 70:1373-1411, eq. 2; ranked by normalised
margin). Water: the median of McFeeters' index (1996, doi:10.1080/01431169608948714) over the clear
dates is above 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer import threads
from sitsformer.errors import SitsError
from sitsformer.indices import normalised_difference
from sitsformer.samples import (
    SPLITS,
    Samples,
    labelled,
    load_samples,
    open_samples,
    read_manifest,
)
from sitsformer.samples.contract import SURVEYED
from sitsformer.stored import MISSING
from sitsformer.surveys import account

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 5
TREES = 200
MOST = 5000
"""Samples that errors are looked for among, at most; of larger sets as many are drawn."""


@dataclass(frozen=True)
class LabelChecks:
    """What the checks of a sample store found.

    Attributes:
        summary: what was looked at and how much was found, a line each.
        classes: a row a class: samples, features, blocks, share of the largest block, samples by
            split.
        blocks: a row a block (group, or what else a split keeps together), the largest first:
            block, split, lon and lat of its middle, samples, and samples of each class.
        samples: suspicious ones and those in water, the most suspicious first: sample, feature,
            class, lon, lat, split, finding, other class, probability of both, margin.
    """

    summary: tuple[str, ...]
    classes: pd.DataFrame
    blocks: pd.DataFrame
    samples: pd.DataFrame


def check(store: Path, seed: int = 0) -> LabelChecks:
    """Check the labels of a set.

    Args:
        store: set store.
        seed: of the forest, and of the draw from a large set.

    Raises:
        SitsError: it is no sample store, or has no labels.
    """
    import pandas as pd

    dataset = open_samples(store)
    manifest = read_manifest(store)
    samples = load_samples(store, choose=labelled)
    if not len(samples):
        raise SitsError(f"{store} has no labelled samples: there are no labels to be checked")
    surveyed = {n: dataset[n].values[samples.index] for n in SURVEYED if n in dataset.variables}
    group = surveyed.get("group", samples.block)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(samples))[:MOST])
    looked, found = _confident_errors(samples.take(chosen), group[chosen], seed)
    suspicious = found.assign(position=chosen[found.position.to_numpy(np.int64)])
    wet = np.flatnonzero(in_water(samples))
    water = pd.DataFrame({"position": wet, "finding": "water"})
    rows = pd.concat([suspicious.assign(finding="suspicious"), water], ignore_index=True)
    lines = []
    if "layer" in manifest.get("features", {}):
        lines += account.lines(manifest["features"], f"features of {manifest['features']['file']}")
        lines.append(f"what became of each one, with its place: {store / account.TABLE}")
    if looked:
        lines.append(
            f"{len(suspicious)} of {looked} samples are suspicious: other blocks or groups speak "
            "for another class"
        )
    else:
        lines.append(
            f"errors were not looked for: fewer than two classes lie in {FOLDS} blocks or groups"
        )
    lines.append(f"{len(wet)} of {len(samples)} samples lie in water by their reflectance")
    return LabelChecks(
        tuple(lines),
        _classes(samples, surveyed),
        _blocks(samples),
        _rows(samples, surveyed, rows),
    )


def in_water(samples: Samples) -> NDArray[np.bool_]:
    """Samples (sample,) whose centre is water on most of its dates."""
    middle = samples.reflectance.shape[-1] // 2
    green, near = (
        samples.reflectance[:, :, samples.bands.index(name), middle, middle]
        for name in samples.sensor.called("green", "nir")
    )
    index = normalised_difference(green.astype(np.float32), near.astype(np.float32))
    index[(samples.doy == 0) | (green == MISSING) | (near == MISSING)] = np.nan
    with np.errstate(all="ignore"):
        known = np.isfinite(index).any(axis=1)
        found: NDArray[np.bool_] = np.zeros(len(samples), bool)
        found[known] = np.nanmedian(index[known], axis=1) > 0
    return found


def _confident_errors(
    samples: Samples, group: NDArray[np.int64], seed: int
) -> tuple[int, pd.DataFrame]:
    """Number of samples looked at, and the suspicious ones with what speaks against them."""
    import pandas as pd

    # A class in fewer groups than folds would not be known in some of them.
    pairs = np.unique(np.column_stack([samples.label, group]), axis=0)
    spread = np.bincount(pairs[:, 0], minlength=len(samples.classes.names))
    rows = np.flatnonzero(spread[samples.label] >= FOLDS)
    names = ("position", "other", "of_label", "of_other", "margin")
    if len(np.unique(samples.label[rows])) < 2:
        return 0, pd.DataFrame(columns=names)
    probability, classes = probabilities(samples.take(rows), group[rows], seed)
    label = np.searchsorted(classes, samples.label[rows])
    other = confident_errors(probability, label)
    wrong = np.flatnonzero(other >= 0)
    own, theirs = probability[wrong, label[wrong]], probability[wrong, other[wrong]]
    values = (rows[wrong], classes[other[wrong]], own, theirs, own - theirs)
    found = pd.DataFrame(dict(zip(names, values, strict=True)))
    return len(rows), found.sort_values(["margin", "position"], ignore_index=True)


def probabilities(
    samples: Samples, group: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probability (sample, class) of each class by forests that saw no sample of the group.

    Returns:
        The probabilities, and the classes (class,) in their order.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    from sitsformer.baselines.series import PixelSeries

    features = PixelSeries.of(samples).features("centre")
    classes = np.unique(samples.label)
    found = np.zeros((len(samples), len(classes)))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for fitted, left in folds.split(features, samples.label, group):
        forest = RandomForestClassifier(TREES, random_state=seed, n_jobs=threads.count())
        forest.fit(features[fitted], samples.label[fitted])
        forest.n_jobs = 1  # threads would add votes up in whichever order they end
        found[np.ix_(left, np.searchsorted(classes, forest.classes_))] = forest.predict_proba(
            features[left]
        )
    return found, classes


def confident_errors(
    probability: NDArray[np.float64], label: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The class (sample,) that confidently speaks against each label; -1 where none does.

    Args:
        probability: (sample, class), of samples that were not learned from.
        label: (sample,) position in the classes; each class has a sample.
    """
    count = np.bincount(label, minlength=probability.shape[1])
    own = probability[np.arange(len(label)), label]
    least = np.bincount(label, own, minlength=probability.shape[1]) / count
    confident = np.where(probability >= least, probability, -1.0)
    best = confident.argmax(axis=1)
    some = confident.max(axis=1) >= 0
    return np.where(some & (best != label), best, -1)


def _classes(samples: Samples, surveyed: dict[str, NDArray[Any]]) -> pd.DataFrame:
    """How each class is spread over features, blocks and splits."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for k, name in enumerate(samples.classes.names):
        here = samples.label == k
        _, blocks = np.unique(samples.block[here], return_counts=True)
        features = surveyed["feature"][here] if surveyed else np.flatnonzero(here)
        row: dict[str, Any] = {
            "class": name,
            "samples": int(here.sum()),
            "features": len(np.unique(features)),
            "blocks": len(blocks),
            "largest_block": f"{blocks.max() / here.sum():.0%}" if here.any() else "",
        }
        row |= {part: int((samples.split[here] == s).sum()) for s, part in enumerate(SPLITS)}
        rows.append(row)
    return pd.DataFrame(rows)


def _blocks(samples: Samples) -> pd.DataFrame:
    """How many samples of each class a block has."""
    import pandas as pd

    numbers, which = np.unique(samples.block, return_inverse=True)
    which = which.ravel()
    total = np.bincount(which)
    counts = np.zeros((len(numbers), len(samples.classes.names)), np.int64)
    np.add.at(counts, (which, samples.label), 1)
    _, first = np.unique(which, return_index=True)
    parts = np.array([*SPLITS, *[""] * 253], object)
    found = pd.DataFrame({"block": numbers, "split": parts[samples.split[first]]})
    for name, values in (("lon", samples.lon), ("lat", samples.lat)):
        found[name] = (np.bincount(which, values) / total).round(5)
    found["samples"] = total
    # Beside the columns before them, whatever classes are called.
    own = pd.DataFrame(counts, columns=list(samples.classes.names))
    order = np.lexsort([numbers, -total])
    return pd.concat([found, own], axis=1).iloc[order].reset_index(drop=True)


def _rows(samples: Samples, surveyed: dict[str, NDArray[Any]], found: pd.DataFrame) -> pd.DataFrame:
    """Findings with the place of their samples."""
    import pandas as pd

    at = found.position.to_numpy(np.int64)
    names = np.array([*samples.classes.names, ""], object)
    parts = np.array([*SPLITS, *[""] * 253], object)
    other = found.other if "other" in found else pd.Series(np.nan, found.index)
    return pd.DataFrame(
        {
            "sample": samples.index[at],
            **({"feature": surveyed["feature"][at]} if surveyed else {}),
            "finding": found.finding.to_numpy(),
            "class": names[samples.label[at]],
            "lon": samples.lon[at].round(7),
            "lat": samples.lat[at].round(7),
            "split": parts[samples.split[at]],
            "other_class": names[other.fillna(-1).to_numpy(np.int64)],
            "p_class": found.get("of_label", other).astype(float).round(3),
            "p_other": found.get("of_other", other).astype(float).round(3),
            "margin": found.get("margin", other).astype(float).round(3),
        }
    )
