"""What the workflow knows of a source of pixels: one record, which everything else reads.

The records stand in the packages of `sitsformer.imagery`, in their `__init__.py`, which import
nothing but this: config and Snakemake look through them at every start.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sitsformer.registry import find, records
from sitsformer.sensors import DEFAULT

if TYPE_CHECKING:
    import xarray as xr

    from sitsformer.config import Area, Config
    from sitsformer.grid import Tile


class Opened(Protocol):
    """What the export stage asks of a source."""

    def cube(self, area_name: str, area: Area, tile: Tile) -> xr.Dataset:
        """Build the cube of a tile and season; its arrays may be lazy.

        Raises:
            SitsError: it cannot be had; the message says why and what to do.
        """
        ...


def _nothing(_: Area) -> tuple[()]:
    return ()


def _no_problem(_name: str, _area: Area) -> tuple[()]:
    return ()


def _daily(_: Config) -> int:
    return 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Source:
    """A source of pixels: it turns a tile of an area into a cube.

    Attributes:
        name: in `source` of an area, and of its section of the config.
        module: that has `open_source(config) -> Opened`; imported when a cube is made.
        labels: names of the label layers that it can bring to an area.
        sensors: names of those whose images it can bring; None: of any. The one that is wanted
            stands in the area: `sensors.sensor_of(area)`.
        confidences: it brings the confidence of a label product beside it.
        section: where its settings stand: in the `area`, in the `config` beside the areas, or
            nowhere. An area has the section of its own source and of no other.
        decisive: keys of its section that change what cubes hold; None: all.
        outline: cubes depend on the outline of their area, beside the tiles that touch it.
        early: what is known against an area without a look at a file, asked at every start.
        foresees: its module has `problems(area_name, area)`, what can be known against an area
            before a pixel is read, as `path.of.key: message`.
        files: files and folders of the user that an area names: (key within the area, path as
            written).
        acquisitions: the files within a folder of `files`, which does not change when they do.
        revisit: days between two dates at least.
        order: in lists and messages; records with one order are sorted by name.
    """

    name: str
    module: str
    labels: Callable[[Area], Collection[str]]
    sensors: tuple[str, ...] | None = (DEFAULT,)
    confidences: bool = False
    section: Literal["area", "config"] | None = None
    decisive: tuple[str, ...] | None = None
    outline: bool = False
    early: Callable[[str, Area], Iterable[str]] = _no_problem
    foresees: bool = False
    files: Callable[[Area], Iterable[tuple[str, str]]] = _nothing
    acquisitions: Callable[[Area], Iterable[Path]] = _nothing
    revisit: Callable[[Config], int] = _daily
    order: int = 100

    def open(self, config: Config) -> Opened:
        """The source with the settings of a config."""
        opened: Opened = import_module(self.module).open_source(config)
        return opened

    def problems(self, area_name: str, area: Area) -> list[str]:
        """What can be known against an area before a pixel is read."""
        if not self.foresees:
            return []
        found: list[str] = import_module(self.module).problems(area_name, area)
        return found

    def settings(self, config: Config) -> dict[str, Any]:
        """Values of its section of the config that decide what cubes hold, by section."""
        if self.section != "config":
            return {}
        keys = None if self.decisive is None else set(self.decisive)
        return {self.name: getattr(config, self.name).model_dump(mode="json", include=keys)}


def sources() -> Mapping[str, Source]:
    """Every source by name."""
    return records("sitsformer.imagery", Source)


def source_of(area: Area) -> Source:
    """The source of an area."""
    return find(sources(), area.source, "source")
