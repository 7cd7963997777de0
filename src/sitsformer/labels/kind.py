"""What the workflow knows of a kind of survey: one record, which everything else reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sitsformer.registry import records

if TYPE_CHECKING:
    from sitsformer.grid import Tile
    from sitsformer.surveys.claims import Claims


@dataclass(frozen=True, eq=False, kw_only=True)
class SurveyKind:
    """Labelled shapes of one type in a user's file: a survey, whatever the imagery.

    Attributes:
        name: in `kind` of a layer of `labels`.
        title: what a sentence calls the shapes, in the plural.
        shapes: types of geometry that it takes, by their names in OGC Simple Features.
        module: that has `claims(features, tile, layer) -> Claims`, the pixels of each feature;
            imported when a file is read.
        keys: of the section of a layer that other kinds do not have.
        order: in lists and messages.
    """

    name: str
    title: str
    shapes: tuple[str, ...]
    module: str
    keys: tuple[str, ...] = ()
    order: int = 100

    def claims(self, features: Any, tile: Tile, layer: Any) -> Claims:
        """The pixels of the grid of a tile, and around it, that features ask for.

        Args:
            features: of `surveys.reading`, in any CRS.
            tile: on whose grid they are.
            layer: section of the config.
        """
        found: Claims = import_module(self.module).claims(features, tile, layer)
        return found


def kinds() -> Mapping[str, SurveyKind]:
    """Every kind of survey by name."""
    return records("sitsformer.labels", SurveyKind)
