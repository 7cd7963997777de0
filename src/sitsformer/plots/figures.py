"""The figures of the report: their names, titles and captions.

Light to import: the workflow lists its outputs from here. The drawing functions live in the
modules of this package, one a family, and take plain tables and arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

from sitsformer.config import Config
from sitsformer.training.objectives import objectives


@dataclass(frozen=True)
class Figure:
    """A figure of the report.

    Attributes:
        title: heading.
        category: section of the report that it stands in.
        caption: what is seen, how it was made, and in which unit.
    """

    title: str
    category: str
    caption: str


FIGURES = {
    "label_efficiency": Figure(
        "Accuracy by number of labels",
        "Results",
        "Macro F1 on the test blocks against labelled samples a class (shots). Points are means "
        "over draws, random choices of these samples (and over pretraining runs), bars the "
        "interval over them. Left: the network by what "
        "its weights start from; right: methods without pretraining.",
    ),
    "differences": Figure(
        "Paired differences",
        "Results",
        "Difference in macro F1 between two methods on the same draws and the same test blocks. "
        "Thick bars: interval over draws and pretraining runs; thin bars: interval over a "
        "bootstrap of test blocks. Filled: both exclude zero. `few` is the mean over all numbers "
        "of labels but `all`; the best control is the best baseline that is also given the land "
        "cover which a pretrained network predicts.",
    ),
    "per_class": Figure(
        "F1 by class",
        "Results",
        "F1 of each class, mean over draws and runs, with as many labels a class as the title "
        "says.",
    ),
    "confusion": Figure(
        "Confusion matrices",
        "Results",
        "Share of each true class (rows, percent) that is given each class (columns), over all "
        "draws and runs.",
    ),
    "calibration": Figure(
        "Calibration and prediction sets",
        "Results",
        "Left: how often a prediction of some confidence is right; on the diagonal a probability "
        "means what it says. Middle: expected calibration error, the mean gap. Right: conformal "
        "prediction sets, the classes that cannot be ruled out at a stated rate of error, "
        "calibrated on half of the test blocks and checked on the other half: share of sets that "
        "hold the true class (dotted: what was promised), and the mean number of classes in them.",
    ),
    "phenology": Figure(
        "NDVI of each class over the season",
        "Data",
        "Median NDVI of the pixels of each class on clear dates, by ten days, with the range "
        "between quartiles; other classes in grey. From the cubes, not from samples.",
    ),
    "clear_observations": Figure(
        "Clear observations",
        "Data",
        "Clear dates of an average pixel, by tile and month.",
    ),
    "locations": Figure(
        "Samples and splits",
        "Data",
        "Where samples lie, by split. Splits share no spatial block.",
    ),
    "histories": Figure(
        "Training histories",
        "Pretraining",
        "Losses by epoch: training thin, validation thick. Reconstruction error is in units of "
        "normalised reflectance squared, land cover is cross-entropy in nats.",
    ),
    "reconstruction": Figure(
        "Masked reconstruction",
        "Pretraining",
        "Reflectance of validation samples in the near infrared (B08 of Sentinel-2; the last band "
        "of samples without it): seen dates, hidden dates, and what the network makes of the "
        "hidden ones.",
    ),
    "embedding": Figure(
        "What the encoder tells apart before it sees a crop label",
        "Pretraining",
        "First two principal components of the pooled encoding of test samples, coloured by crop. "
        "The title gives the share of samples whose five nearest neighbours in other blocks vote "
        "for their class.",
    ),
}
"""By file name; in the order of the report."""


def names(config: Config) -> list[str]:
    """Figures that a config can give."""
    left_out = set()
    made = any(chosen.areas for chosen in config.sets.values())
    if not made or config.keep == "none":
        left_out |= {"phenology", "clear_observations"}
    if not config.sets[config.fewshot.set].areas:
        left_out.add("phenology")
    if not any(objectives()[name].reconstructs for name in config.pretrain.objectives):
        left_out.add("reconstruction")
    if not config.fewshot.comparable:
        left_out.add("differences")
    return [name for name in FIGURES if name not in left_out]
