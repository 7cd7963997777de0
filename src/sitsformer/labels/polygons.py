"""Labelled polygons: each one asks for some of the pixels whose centres lie well inside."""

from sitsformer.labels.kind import SurveyKind

KIND = SurveyKind(
    name="polygons",
    title="polygons",
    shapes=("Polygon", "MultiPolygon"),
    module="sitsformer.surveys.polygons",
    keys=("erode", "per_polygon"),
    order=20,
)
