"""Finished requests on disk, so that a killed export goes on where it stopped.

    <cache>/<area>-<tile>-<hash>/    a group: everything of one tile and season
        lock                         held by the exports that use it; its time is the last use
        listing.json                 what there is for the tile
        <key>.npy                    a finished request, (y, x, field) integers
        <key>.split                  a request that was too big: its halves are here instead

Files appear whole (temporary name, then rename). The cache lives outside the workflow's outputs,
which are wiped before a retry, and is kept under a size by removing groups that no export uses,
the longest unused first.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer import artefacts
from sitsformer.config import Area
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.imagery.earthengine.collections import RECIPE

GIGABYTE = 1_000_000_000
"""Bytes, of `earthengine.cache_gb`."""
LISTING_DAYS = 7.0
"""A listing older than this is asked for again: images of the season may have been added."""

STALE_SECONDS = 86_400.0
"""Half-written files of killed exports are removed when they are older than this."""


class TileCache:
    """The finished requests of one tile and season, held open by this process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _hold(path, fcntl.LOCK_SH)
        os.utime(path / "lock")
        for partial in path.glob(".*"):
            with suppress(FileNotFoundError):
                if partial.is_file() and time.time() - partial.stat().st_mtime > STALE_SECONDS:
                    partial.unlink()

    def has(self, key: str) -> bool:
        """Whether a request is finished."""
        return self._file(key, "npy").exists()

    def load(self, key: str) -> NDArray[Any]:
        """A finished request, (y, x, field), read from disk where it is used."""
        try:
            found: NDArray[Any] = np.load(self._file(key, "npy"), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise SitsError(
                f"the cached answer {self._file(key, 'npy')} cannot be read: {error}; remove it "
                "and export again"
            ) from None
        return found

    def save(self, key: str, array: NDArray[Any]) -> None:
        """Keep a finished request."""
        with artefacts.create_file(self._file(key, "npy")) as partial:
            np.save(partial, array, allow_pickle=False)

    def adopt(self, key: str, path: Path) -> None:
        """Keep a finished request that was written as a file of this group's folder."""
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
        path.rename(self._file(key, "npy"))

    def mark_split(self, key: str) -> None:
        """Note that a request was too big and that its halves are asked for instead."""
        self._file(key, "split").touch()

    def is_split(self, key: str) -> bool:
        """Whether `mark_split` was called, by this or an earlier process."""
        return self._file(key, "split").exists()

    def save_listing(self, listing: dict[str, Any]) -> None:
        """Keep the listing."""
        with artefacts.create_file(self.path / "listing.json") as partial:
            partial.write_text(json.dumps(listing))

    def drop_listing(self) -> None:
        """Forget the listing: what it lists is not all there any more."""
        (self.path / "listing.json").unlink(missing_ok=True)

    def load_listing(self) -> dict[str, Any] | None:
        """The listing, unless it is missing or old."""
        path = self.path / "listing.json"
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime < LISTING_DAYS * 86_400:
                found: dict[str, Any] = json.loads(path.read_text())
                return found
        return None

    def _file(self, key: str, kind: str) -> Path:
        return self.path / f"{key}.{kind}"


@dataclass(frozen=True)
class Entry:
    """One group as `sitsformer cache show` lists it."""

    name: str
    requests: int
    size: int
    used: float
    """Time of the last use, seconds since 1970."""


def open_group(cache: Path, area_name: str, area: Area, tile: Tile) -> TileCache:
    """The group of a tile and season; made if it is new."""
    described = [RECIPE, tile.epsg, tile.west, tile.north, tile.size, str(area.start)]
    described += [str(area.end), sorted(area.labels)]
    code = hashlib.sha256(json.dumps(described).encode()).hexdigest()[:10]
    return TileCache(cache / f"{area_name}-{tile.name}-{code}")


def entries(cache: Path) -> list[Entry]:
    """All groups, the longest unused first."""
    return sorted((_entry(path) for path in _groups(cache)), key=lambda entry: entry.used)


def trim(cache: Path, most: float) -> int:
    """Remove unused groups, the longest unused first, until the rest is smaller than `most` bytes.

    Returns:
        Number of bytes removed.
    """
    found = entries(cache)
    size = sum(entry.size for entry in found)
    removed = 0
    for entry in found:
        if size - removed <= most:
            break
        if _remove(cache / entry.name):
            removed += entry.size
    return removed


def _groups(cache: Path) -> Iterator[Path]:
    if cache.is_dir():
        yield from (path.parent for path in cache.glob("*/lock"))


def _entry(path: Path) -> Entry:
    size = requests = 0
    for item in path.iterdir():
        with suppress(FileNotFoundError):
            size += item.stat().st_size
            requests += item.suffix == ".npy"
    return Entry(path.name, requests, size, (path / "lock").stat().st_mtime)


def _remove(path: Path) -> bool:
    """Remove a group unless an export holds it."""
    try:
        lock = _hold(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    try:
        # The lock file last: until it is gone nobody else makes a group of this name.
        for item in path.iterdir():
            if item.is_dir():
                shutil.rmtree(item, ignore_errors=True)
            elif item.name != "lock":
                item.unlink(missing_ok=True)
        shutil.rmtree(path)
    finally:
        os.close(lock)
    return True


def _hold(path: Path, mode: int) -> int:
    """Lock a group; the lock goes with the process."""
    while True:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, mode)
            # Another process may have removed the group between the two calls.
            if os.fstat(descriptor).st_ino == (path / "lock").stat().st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
