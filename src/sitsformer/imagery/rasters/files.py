"""Which files of a folder are acquisitions, and which belong together."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sitsformer.config import Rasters, expand
from sitsformer.errors import SitsError, some
from sitsformer.imagery.rasters.bands import OTHERS
from sitsformer.imagery.rasters.dates import stamp
from sitsformer.imagery.rasters.series import Season
from sitsformer.sensors import Sensor

logger = logging.getLogger("sitsformer")

SIDECARS = (".aux.xml", ".ovr", ".msk")
"""Endings of files that GDAL keeps beside a raster."""

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".zip")
"""Endings of what scenes are delivered in."""

SAME_DATATAKE = np.timedelta64(5, "m")
"""Files this close in time are granules of one datatake and become one date. Granules of a
datatake over one tile are seconds apart; two satellites over one place are at least 20 minutes."""


@dataclass(frozen=True)
class Acquisition:
    """A file and when it was taken.

    Attributes:
        path: of the file.
        time: datetime64[s], UTC.
        exact: whether the time of day is known.
        band: of a file with one band: which one, by its name; None where the name does not say.
        scene: name without the band; files of one scene are the bands of one image.
    """

    path: Path
    time: np.datetime64
    exact: bool
    band: str | None
    scene: str


def scan(
    folder: Path, settings: Rasters, sensor: Sensor, season: Season, where: str
) -> list[Acquisition]:
    """Acquisitions of a season in a folder, by time and then name.

    Label rasters of the config are left out should they match the pattern.

    Raises:
        SitsError: no folder, no file, a name without a date, or no file of the season.
    """
    paths = matching(folder, settings, where)
    pattern = re.compile(settings.date_pattern)
    found = [_acquisition(path, folder, pattern, settings, sensor, where) for path in paths]
    first, last = (np.datetime64(day, "D") for day in season)
    inside = [a for a in found if first <= a.time.astype("datetime64[D]") <= last]
    if not inside:
        days = sorted(str(a.time)[:10] for a in found)
        raise SitsError(
            f"{where}: none of the {len(found)} files is of the season {first} to {last}; "
            f"they are from {days[0]} to {days[-1]}"
        )
    return sorted(inside, key=lambda a: (a.time, a.path.name))


def matching(folder: Path, settings: Rasters, where: str) -> list[Path]:
    """Files of the folder that match the pattern and are no label rasters.

    Raises:
        SitsError: there is no folder or no such file, or the pattern is not one.
    """
    if folder.is_file() and folder.name.lower().endswith(ARCHIVES):
        raise SitsError(
            f"{where}.path: {folder} is an archive, which is not read: unpack it into a folder "
            "(`tar -xf`, `unzip`) and set `path` to that"
        )
    if folder.is_file():
        raise SitsError(
            f"{where}.path: {folder} is a file; set `path` to its folder and `pattern` to its "
            "name (one cube ends in .nc or .zarr)"
        )
    if not folder.is_dir():
        raise SitsError(f"{where}.path: there is no folder {folder}; check the path")
    labels = {expand(label.path).resolve() for label in settings.labels.values()}
    try:
        paths = [p for p in sorted(folder.glob(settings.pattern)) if p.is_file()]
    except (ValueError, NotImplementedError) as error:
        raise SitsError(f"{where}.pattern: {settings.pattern!r} cannot be used: {error}") from None
    paths = [path for path in paths if path.resolve() not in labels and not _beside(path)]
    _tell_of_others(folder, settings, {*(path.resolve() for path in paths), *labels}, where)
    if not paths:
        packed = sorted(p.name for p in folder.rglob("*") if p.name.lower().endswith(ARCHIVES))
        if packed:
            raise SitsError(
                f"{where}.pattern: no file in {folder} matches {settings.pattern!r}; it holds "
                f"archives ({some(packed, 3)}), which are not read: unpack each into the folder "
                "(`tar -xf`, `unzip`)"
            )
        present = sorted(p.name for p in folder.iterdir())[:3]
        raise SitsError(
            f"{where}.pattern: no file in {folder} matches {settings.pattern!r}; "
            f"the folder holds {', '.join(present) or 'nothing'}"
        )
    return paths


def _beside(path: Path) -> bool:
    """Whether a file is hidden (as what macOS leaves on foreign discs is) or a raster's sidecar."""
    return path.name.startswith(".") or path.name.lower().endswith(SIDECARS)


def _tell_of_others(folder: Path, settings: Rasters, taken: set[Path], where: str) -> None:
    """Warn of files that are left out because their ending is spelled otherwise."""
    if not settings.pattern.endswith(".tif"):
        return
    stem = settings.pattern.removesuffix(".tif")
    spelled = [f"{stem}.{ending}" for ending in ("TIF", "tiff", "TIFF", "Tif")]
    left = [path for other in spelled for path in sorted(folder.glob(other)) if path.is_file()]
    left = [path for path in left if path.resolve() not in taken and not _beside(path)]
    if left and taken:
        logger.warning(
            "%s.pattern: %d files are left out, since they do not match %r: %s, ...; rename them, "
            "or set `pattern` to what all have in common (%s.[tT][iI][fF]*)",
            where,
            len(left),
            settings.pattern,
            left[0].name,
            stem,
        )


def gathered(times: Sequence[tuple[np.datetime64, bool]]) -> list[list[int]]:
    """Gather acquisitions into datatakes: positions in their sorted times.

    Those within `SAME_DATATAKE` of the first belong together, and so do those of one date whose
    time of day is not known.

    Args:
        times: UTC and whether the time of day is known; without, midnight.
    """
    groups: list[list[int]] = []
    for i, (time, exact) in enumerate(times):
        first, alike = times[groups[-1][0]] if groups else (time, None)
        if alike == exact and time - first <= (SAME_DATATAKE if exact else 0):
            groups[-1].append(i)
        else:
            groups.append([i])
    # A date without a time of day stands at midnight; so might an exact one.
    merged: dict[np.datetime64, list[int]] = {}
    for members in groups:
        merged.setdefault(times[members[0]][0], []).extend(members)
    return list(merged.values())


_RESOLUTION = re.compile(r"[Rr]?[126]0m?")


def _acquisition(
    path: Path,
    folder: Path,
    pattern: re.Pattern[str],
    settings: Rasters,
    sensor: Sensor,
    where: str,
) -> Acquisition:
    below = path.relative_to(folder).as_posix()
    # A date in the name goes before one in a folder's.
    name = path.name if pattern.search(path.name) else below
    told = stamp(name, pattern, settings.date_format, where)
    if told.band is not None:
        band: str | None = sensor.spelled(told.band, path.name)
        scene = told.rest
    elif (part := sensor.part(path.stem)) is not None:
        band, scene = part
    else:
        band, scene = _band_in(path.stem, settings.clouds.band, sensor)
        # The folders R10m, R20m and R60m of a product hold bands of one image.
        above = [p for p in path.relative_to(folder).parts[:-1] if not _RESOLUTION.fullmatch(p)]
        scene = "/".join([*above, scene])
    return Acquisition(path, np.datetime64(told.moment, "s"), told.exact, band, scene)


def _band_in(stem: str, cloud_band: str | None, sensor: Sensor) -> tuple[str | None, str]:
    """The band that a word of a name is, and the name without it and the resolution after it."""
    words = re.split(r"([^A-Za-z0-9]+)", stem)
    wanted = (cloud_band or "").strip().upper()
    # Names end in the band more often than not; `B03` says more than `green`.
    places = list(reversed(range(0, len(words), 2)))
    for known in (
        lambda word: word.upper() == wanted or re.fullmatch(r"[Bb](\d{1,2}|8[Aa])", word),
        lambda word: sensor.spelled(word, stem) in sensor.names,
        lambda word: word.upper() in OTHERS,
    ):
        for i in places:
            if words[i] and known(words[i]):
                resolution = len(words) > i + 2 and re.fullmatch(r"[1-6]0m?", words[i + 2])
                rest = "".join(words[:i] + words[i + (3 if resolution else 1) :])
                return sensor.spelled(words[i], stem), rest
    return None, stem
