"""Labelled points: each one asks for the pixel that it lies in."""

from sitsformer.labels.kind import SurveyKind

KIND = SurveyKind(
    name="points",
    title="points",
    shapes=("Point", "MultiPoint"),
    module="sitsformer.surveys.points",
    order=10,
)
