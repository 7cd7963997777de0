"""Accuracy of a map and areas of its classes, with intervals, from a probability sample.

Counting the pixels of a map gives biased areas, since a map errs more one way than the other. The
estimators of Olofsson et al. (2014, Remote Sensing of Environment 148:42-57) correct the counts by
what a sample with reference classes says of each mapped class: areas (their equations 9 to 11),
overall, user's and producer's accuracy (1 to 3) with their variances (5 to 7).

All of them are ratios of weighted sums, so one rule gives every variance: each unit's share in the
error of the linearised estimate (Saerndal et al. 1992, section 5.5), summed within what was drawn
as one. For a sample stratified by map class these are the equations above, times the share of the
mapped class that was not drawn (Cochran 1977, theorem 5.3), which they leave out as near one: a
class of which half the pixels were looked at is known better, and one that was looked at whole
has no sampling error.

Shapes: K classes, N sampled units; mapped class i (rows), reference class j (columns).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LARGEST_VARIANCE = 0.25
"""Variance of a share about which nothing is known: that of a fair coin."""

ALL = "(all)"
"""Class of the row that is about the whole map."""

COLUMNS = (
    *("class", "code", "pixels", "mapped_ha", "estimated_ha", "standard_error_ha", "low_ha"),
    *("high_ha", "users_accuracy", "users_variance", "producers_accuracy", "producers_variance"),
    *("samples", "basis"),
)
"""Columns of a table of areas."""


@dataclass(frozen=True)
class Reference:
    """A sample of the mapped ground with its true classes.

    Attributes:
        mapped: (N,) class in the map.
        truth: (N,) true class.
        weight: (N,) pixels that a unit stands for, up to a factor within each mapped class.
        cluster: (N,) what was drawn together (blocks); None: each unit was drawn by itself.
        left: (K,) share of the pixels of each mapped class that was not drawn; None: nearly all.
        times: (N,) how many units there are of each kind; None: each is one. Not with `cluster`.
    """

    mapped: Ints
    truth: Ints
    weight: Floats
    cluster: Ints | None = None
    left: Floats | None = None
    times: Ints | None = None

    @classmethod
    def plain(
        cls, mapped: Ints, truth: Ints, pixels: Ints | None = None, times: Ints | None = None
    ) -> Reference:
        """Units that were drawn by themselves, with equal chances within each mapped class.

        Args:
            mapped: (N,) class in the map, of different pixels.
            truth: (N,) true class.
            pixels: (K,) of the map by class; None: so many that those drawn are none of them.
            times: (N,) how many units there are of each kind.
        """
        left = None
        if pixels is not None:
            drawn = np.bincount(mapped, times, minlength=len(pixels))
            left = np.clip(1 - drawn / np.maximum(pixels, 1), 0, 1)
        return cls(mapped, truth, np.ones(len(mapped)), left=left, times=times)

    def counts(self, classes: int) -> Ints:
        """Units (K,) of each mapped class."""
        return np.bincount(self.mapped, self.times, minlength=classes).astype(np.int64)


@dataclass(frozen=True)
class Estimate:
    """Numbers with their variances.

    Attributes:
        share, share_variance: (K,) of the classes in the area.
        users, users_variance: (K,); NaN for a class without a unit.
        producers, producers_variance: (K,); NaN for a class that no unit has.
        overall, overall_variance: of the map.
        freedom: degrees of freedom of the intervals; infinite where units were drawn alone.
    """

    share: Floats
    share_variance: Floats
    users: Floats
    users_variance: Floats
    producers: Floats
    producers_variance: Floats
    overall: float
    overall_variance: float
    freedom: float


def estimate(pixels: Ints, sample: Reference) -> Estimate:
    """Accuracy of a map and shares of its classes.

    A mapped class without a unit is taken to be right, with the variance of not knowing; so is
    one with a single unit, whose own variance cannot be told.

    Args:
        pixels: (K,) pixels of the map by class.
        sample: stratified by map class, or simple random and stratified afterwards.
    """
    classes = len(pixels)
    each = np.arange(classes)
    stratum = pixels / max(int(pixels.sum()), 1)
    count = sample.counts(classes)
    weight = sample.weight if sample.times is None else sample.weight * sample.times
    total = np.bincount(sample.mapped, weight, classes)
    known = total > 0
    is_class = sample.truth[:, None] == each
    shares = np.eye(classes)
    for i in np.flatnonzero(known):
        shares[i] = weight[sample.mapped == i] @ is_class[sample.mapped == i] / total[i]
    joint = stratum[:, None] * shares
    share, right = joint.sum(0), np.diagonal(joint)
    # What a unit adds to the error of the share of each reference class in its mapped class, (N, K)
    part = (sample.weight / np.where(known, total, 1)[sample.mapped])[:, None]
    error = part * (is_class - shares[sample.mapped])
    inside = sample.mapped[:, None] == each
    of_map = stratum[sample.mapped][:, None] * error
    hit = of_map * inside
    left = np.ones(classes) if sample.left is None else sample.left
    own = np.where(count < 2, stratum**2 * LARGEST_VARIANCE * left, 0)
    vague = own.sum()
    found = np.where(share > 0, share, 1.0)
    producers = right / found
    with np.errstate(invalid="ignore"):
        users = np.where(known, np.diagonal(shares), np.nan)
        producers = np.where(share > 0, producers, np.nan)
    within = error * inside
    about = (hit - np.nan_to_num(producers) * of_map) / found
    doubt = (
        own * (1 - np.nan_to_num(producers)) ** 2 + (vague - own) * np.nan_to_num(producers) ** 2
    )
    return Estimate(
        share=share,
        share_variance=_variance(of_map, sample) + vague,
        users=users,
        users_variance=np.where(
            count > 1, _variance(within, sample), np.where(known, LARGEST_VARIANCE * left, np.nan)
        ),
        producers=producers,
        producers_variance=np.where(share > 0, _variance(about, sample) + doubt / found**2, np.nan),
        overall=float(right.sum()),
        overall_variance=float(_variance(hit.sum(1, keepdims=True), sample)[0] + vague),
        freedom=np.inf if sample.cluster is None else len(np.unique(sample.cluster)) - 1.0,
    )


def _variance(error: Floats, sample: Reference) -> Floats:
    """Variance (M,) of estimates of which each unit has a part (N, M) in the error."""
    if sample.cluster is not None:
        _, member = np.unique(sample.cluster, return_inverse=True)
        clusters = int(member.max(initial=-1)) + 1
        sums = np.zeros((clusters, error.shape[1]))
        np.add.at(sums, member, error)
        spread = ((sums - sums.mean(0)) ** 2).sum(0)
        return np.asarray(spread * clusters / max(clusters - 1, 1))
    variance = np.zeros(error.shape[1])
    times = np.ones(len(error)) if sample.times is None else sample.times
    for i in np.unique(sample.mapped):
        own, each = error[sample.mapped == i], times[sample.mapped == i][:, None]
        count = each.sum()
        if count > 1:
            left = 1.0 if sample.left is None else sample.left[i]
            spread = (each * (own - (each * own).sum(0) / count) ** 2).sum(0)
            variance += left * spread * count / (count - 1)
    return variance


def table(
    pixels: Ints,
    names: Sequence[str],
    codes: Sequence[int],
    sample: Reference | None,
    level: float,
    basis: str,
    hectares: float,
) -> pd.DataFrame:
    """Areas by counting and by the estimators, accuracy, and what they rest on.

    Args:
        pixels: (K,) pixels of the map by class.
        names: (K,).
        codes: (K,) values in the map; -1 for a class that it has not.
        sample: None: there is none, and only pixels are counted.
        level: of the intervals.
        basis: one sentence: which sample, of which design.
        hectares: area of a pixel.

    Returns:
        One row a class and one for all of them, whose user's and producer's accuracy is the
        overall one; columns as in `COLUMNS`.
    """
    total = int(pixels.sum())
    frame = pd.DataFrame(
        {
            "class": [*names, ALL],
            "code": [*codes, -1],
            "pixels": [*pixels.tolist(), total],
            "mapped_ha": np.append(pixels, total) * hectares,
        }
    )
    for name in COLUMNS[4:-2]:
        frame[name] = np.nan
    frame["samples"], frame["basis"] = 0, basis
    if sample is not None:
        found = estimate(pixels, sample)
        _fill(frame, found, level, total * hectares)
        units = sample.counts(len(pixels))
        frame["samples"] = [*units.tolist(), int(units.sum())]
    return frame[list(COLUMNS)]


def _fill(frame: pd.DataFrame, found: Estimate, level: float, area: float) -> None:
    error = np.sqrt(found.share_variance)
    half = float(stats.t.ppf((1 + level) / 2, found.freedom)) * error
    for name, values in {
        "estimated_ha": found.share * area,
        "standard_error_ha": error * area,
        "low_ha": np.maximum(found.share - half, 0) * area,
        "high_ha": np.minimum(found.share + half, 1) * area,
    }.items():
        frame[name] = np.append(values, area if name == "estimated_ha" else np.nan)
    for name in ("users", "producers"):
        own, spread = getattr(found, name), getattr(found, f"{name}_variance")
        frame[f"{name}_accuracy"] = np.append(own, found.overall)
        frame[f"{name}_variance"] = np.append(spread, found.overall_variance)


def carried_over(
    frame: pd.DataFrame, mapped: Ints, truth: Ints, weight: Floats, basis: str
) -> pd.DataFrame:
    """A table of counted pixels with the accuracy that was measured elsewhere, without intervals.

    Args:
        frame: of `table`, without a sample.
        mapped: (N,) class that the model gives a unit of the other sample.
        truth: (N,) its true class.
        weight: (N,) pixels that it stands for there.
        basis: where it was measured, and why it is not valid here.
    """
    classes = len(frame) - 1
    right = mapped == truth
    hit = np.bincount(mapped, weight * right, classes)
    called, there = np.bincount(mapped, weight, classes), np.bincount(truth, weight, classes)
    overall = hit.sum() / max(float(weight.sum()), 1e-300)
    with np.errstate(invalid="ignore", divide="ignore"):
        users, producers = hit / called, hit / there
    return frame.assign(
        users_accuracy=np.append(users, overall),
        producers_accuracy=np.append(producers, overall),
        samples=[*np.bincount(mapped, minlength=classes), len(mapped)],
        basis=basis,
    )
