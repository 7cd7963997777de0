"""A survey in one tile: its labels, the columns of its samples, what became of its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Area, SplitBy, Survey
from sitsformer.grid import Tile, tiles
from sitsformer.patches.sampling import KEPT, REASONS, Draw
from sitsformer.samples.contract import SampleError
from sitsformer.surveys import account
from sitsformer.surveys.entries import Season
from sitsformer.surveys.placing import Placed, place
from sitsformer.surveys.reading import Surveyed, read


@dataclass(frozen=True)
class SurveyedTile:
    """What a survey says of a tile.

    Attributes:
        surveyed: all features.
        placed: labels of the tile's pixels.
    """

    surveyed: Surveyed
    placed: Placed

    def columns(self, drawn: Draw) -> dict[str, NDArray[Any]]:
        """Feature, group and weight of the samples; 0, -1 and 1 of those without a label."""
        feature = self.placed.feature[drawn.row, drawn.column]
        known = feature > 0
        position = np.where(known, feature - 1, 0)
        return {
            "feature": feature,
            "group": np.where(known, self.surveyed.group[position], -1),
            "weight": np.where(known, self.surveyed.weight[position], 1.0),
        }

    def account(self, drawn: Draw, kept: NDArray[np.bool_]) -> dict[str, dict[str, int]]:
        """Pixels by feature, numbered from 1, and reason, or `kept`.

        Args:
            drawn: samples of the tile.
            kept: (sample,) those that had enough dates without missing values.
        """
        names = np.array([*REASONS, account.KEPT], object)
        reason = drawn.reason.astype(np.int64)
        reason[reason == KEPT] = len(REASONS)
        reason[drawn.row[~kept], drawn.column[~kept]] = REASONS.index("missing")
        there = self.placed.feature > 0
        pairs = np.column_stack([self.placed.feature[there], reason[there]])
        found = {number: dict(reasons) for number, reasons in self.placed.lost.items()}
        there, counts = np.unique(pairs, axis=0, return_counts=True)
        for (number, why), pixels in zip(there.tolist(), counts.tolist(), strict=True):
            found.setdefault(number, {})[str(names[why])] = pixels
        return {str(number): found[number] for number in sorted(found)}


def survey_of_tile(
    name: str,
    survey: Survey,
    area_name: str,
    area: Area,
    tile: Tile,
    *,
    size: int,
    block: float | None,
) -> SurveyedTile:
    """Read a survey and give the pixels of a tile its labels.

    Args:
        name: of the survey under `labels`.
        survey: its section.
        area_name: of the area of the tile.
        area: the area.
        tile: one of its tiles.
        size: side of a patch, pixels.
        block: side of the blocks that no patch may reach out of, metres; None without.

    Raises:
        ConfigError: the file cannot be used.
    """
    surveyed = read(name, survey)
    of_area = tiles(area_name, area)
    return SurveyedTile(surveyed, place(surveyed, area, of_area, tile, size=size, block=block))


@dataclass(frozen=True)
class Gathered:
    """A survey over all tiles of a set.

    Attributes:
        surveyed: all features.
        counts: feature, numbered from 1 -> reason or `kept` -> pixels, of all tiles.
        warnings: what was said on the way.
    """

    surveyed: Surveyed
    counts: dict[int, dict[str, int]]
    warnings: list[str]

    def take(self, feature: NDArray[np.int64], reason: str) -> None:
        """Count samples (sample,) of some features as lost for a reason."""
        numbers, counts = np.unique(feature[feature > 0], return_counts=True)
        for number, samples in zip(numbers.tolist(), counts.tolist(), strict=True):
            found = self.counts[number]
            found[account.KEPT] -= samples
            found[reason] = found.get(reason, 0) + samples

    def rare(self, label: NDArray[np.int16], names: Sequence[str]) -> NDArray[np.bool_]:
        """Samples (sample,) of classes that have fewer than `min_samples`; says which."""
        least = self.surveyed.survey.min_samples
        counts = np.bincount(label[label >= 0], minlength=len(names))
        few = (counts > 0) & (counts < least)
        self.warnings.extend(
            f"class {names[k]!r} has {counts[k]} of the {least} samples that labels."
            f"{self.surveyed.name}.min_samples asks for: dropped"
            for k in np.flatnonzero(few).tolist()
        )
        found: NDArray[np.bool_] = (label >= 0) & np.append(few, False)[label]
        if counts.any() and not (counts >= least).any():
            raise SampleError(
                f"no class of labels.{self.surveyed.name} has {least} samples: "
                f"{', '.join(f'{n} {c}' for n, c in zip(names, counts, strict=True) if c)}; lower "
                "its min_samples"
            )
        return found

    def write(self, partial: Path, chosen: SplitBy, size: int) -> dict[str, Any]:
        """Write the table of features beside the samples.

        Returns:
            Its summary, for the manifest.
        """
        table = account.table(self.surveyed, self.counts)
        table.to_csv(partial / account.TABLE, index=False)
        found = account.summary(table)
        self.warnings.extend(account.gone(found))
        self.warnings.extend(account.advice(found, chosen.by, size, chosen.block))
        undated = sum(season == Season() for season in self.surveyed.season)
        if self.surveyed.survey.date is not None and undated:
            self.warnings.append(f"{undated} features have no date, and are taken for every season")
        return {"layer": self.surveyed.name, "file": str(self.surveyed.survey.path), **found}


def gathered(name: str, survey: Survey, manifests: Sequence[Mapping[str, Any]]) -> Gathered:
    """What became of the features of a survey in the tiles of a set.

    Raises:
        ConfigError: the file cannot be used.
    """
    counts = account.added(manifest["features"] for manifest in manifests)
    return Gathered(read(name, survey), counts, [])


def lost_pixels(manifests: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Pixels of features by the reason that they are no samples, over some tiles."""
    total: dict[str, int] = {}
    for reasons in account.added(manifest["features"] for manifest in manifests).values():
        for reason, pixels in reasons.items():
            total[reason] = total.get(reason, 0) + pixels
    return total
