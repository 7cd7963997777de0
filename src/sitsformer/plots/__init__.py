"""The figures of the report; `figures.py` lists them."""

from sitsformer.plots.figures import (
    FIGURES,
    Figure,
    names,
)

__all__ = [
    "FIGURES",
    "Figure",
    "names",
]
