"""A folder of GeoTIFFs, or one NetCDF or Zarr cube, as a source of cubes; see docs/rasters.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sitsformer.sources import Source

if TYPE_CHECKING:
    from sitsformer.config import Area


def _files(area: Area) -> Iterator[tuple[str, str]]:
    if area.rasters is not None:
        yield "rasters.path", area.rasters.path
        for layer, label in area.rasters.labels.items():
            yield f"rasters.labels.{layer}.path", label.path


def _acquisitions(area: Area) -> list[Path]:
    """The files of a folder; a Zarr store tells of its change itself."""
    from sitsformer.config import expand

    if area.rasters is None or (folder := expand(area.rasters.path)).suffix == ".zarr":
        return []
    return sorted(folder.glob(area.rasters.pattern))


SOURCE = Source(
    name="rasters",
    module="sitsformer.imagery.rasters.source",
    labels=lambda area: () if area.rasters is None else area.rasters.labels,
    sensors=None,
    section="area",
    foresees=True,
    files=_files,
    acquisitions=_acquisitions,
    order=2,
)
