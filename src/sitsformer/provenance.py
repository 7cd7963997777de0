"""Artefacts: written whole or not at all, saying what made them, and checkable.

An artefact is a directory (a Zarr store, a model) with a `provenance.json` that lists the config
values, input digests, package versions and seed it was made with, and the SHA-256 of every file.
It holds no time and no host name, so that the same inputs give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sitsformer.errors import SitsError, TemporaryError, no_room

PROVENANCE = "provenance.json"
_VERSIONED = ("sitsformer", "numpy", "xarray", "zarr", "torch", "scikit-learn", "earthengine-api")
_FOREIGN_BUT_FINE = {PROVENANCE, ".snakemake_timestamp"}


class ArtefactError(SitsError):
    """An artefact that is missing, damaged or not what was asked for."""


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide what an artefact holds."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in _VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@contextmanager
def create(
    path: Path,
    kind: str,
    *,
    config: Mapping[str, Any],
    inputs: Mapping[str, Path] | None = None,
    seed: int | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Iterator[Path]:
    """Give a temporary directory that becomes the artefact `path` when the block ends well.

    Args:
        path: where the artefact goes; an older one there is replaced.
        kind: what it is (`cube`, `samples`, `model`, ...).
        config: the config values it was made with (JSON values).
        inputs: artefacts and files it was made from, by role; their digests are recorded.
        seed: the seed of its random choices, if any.
        extra: further JSON values for the record (counts, versions of products).

    Raises:
        ArtefactError: something that is no artefact is in its place.
        TemporaryError: the disk is full.
    """
    _check_place(path)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with _room_for(path):
            _prepare(path.parent, rf"\.{re.escape(path.name)}\.partial-(\d+)(-old)?")
            partial.mkdir()
            yield partial
            record = {
                "kind": kind,
                "versions": versions(),
                "config": dict(config),
                "inputs": {role: digest(item) for role, item in sorted((inputs or {}).items())},
                "seed": seed,
                **(extra or {}),
                "files": _file_records(partial, _files(partial)),
            }
            (partial / PROVENANCE).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
            _sync_tree(partial)
            _replace_directory(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def create_file(path: Path) -> Iterator[Path]:
    """Give a temporary file name that becomes `path` when the block ends well.

    Raises:
        ArtefactError: there is a folder or a device in its place.
        TemporaryError: the disk is full.
    """
    if path.is_dir():
        raise ArtefactError(f"{path} is a folder: give the name of the file to write")
    if path.exists() and not path.is_file():
        raise ArtefactError(f"{path} is a device or a pipe: give the name of a file to write")
    # The suffix stays last: writers choose the format by it.
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    partial = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        with _room_for(path):
            _prepare(path.parent, rf"\.{stem}\.partial-(\d+){suffix}")
            yield partial
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
            partial.replace(path)
    finally:
        # Where it could not even be made the first error is the one to tell.
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def _room_for(path: Path) -> Iterator[None]:
    """One message where the disk is full, whichever library says so, and however."""
    try:
        yield
    except Exception as error:
        if not no_room(error):
            raise
        raise TemporaryError(
            f"{path} cannot be written: the disk is full; make room and run the same command again"
        ) from None


def _check_place(path: Path) -> None:
    """Refuse to replace what is no artefact: somebody's own folder or file."""
    if path.is_symlink() or not path.exists():
        return
    if not path.is_dir():
        raise ArtefactError(f"{path} is a file, and a folder is to be written: give another place")
    if path.name in ("", "..") or (any(path.iterdir()) and not (path / PROVENANCE).is_file()):
        raise ArtefactError(
            f"{path} is a folder with other things in it, which would be lost: give the name of a "
            "new folder, or remove it first"
        )


def read(path: Path) -> dict[str, Any]:
    """Read the provenance record of an artefact.

    Raises:
        ArtefactError: there is no artefact at `path`, or its record cannot be read.
    """
    try:
        record = json.loads((path / PROVENANCE).read_text())
    except FileNotFoundError:
        raise ArtefactError(
            f"{path} is not an artefact of sitsformer: it has no {PROVENANCE}; make it again"
        ) from None
    except NotADirectoryError:
        raise ArtefactError(f"{path} is a file; an artefact is a folder") from None
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path / PROVENANCE} cannot be read: {error}") from None
    if not isinstance(record, dict):
        raise ArtefactError(f"{path / PROVENANCE} holds no record; make the artefact again")
    return record


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the checksums that an artefact directory records."""
    if path.is_dir():
        files = json.dumps(read(path)["files"], sort_keys=True)
        return hashlib.sha256(files.encode()).hexdigest()
    return _sha256(path)


def check(path: Path) -> list[str]:
    """Compare an artefact with its record.

    Returns:
        One line per missing, altered or foreign file; empty when all is well.
    """
    recorded = read(path)["files"]
    present = set(_files(path))
    problems = [f"missing: {name}" for name in sorted(set(recorded) - present)]
    problems += [
        f"foreign: {name} (not written by sitsformer)" for name in sorted(present - set(recorded))
    ]
    for name, found in _file_records(path, sorted(present & set(recorded))).items():
        if found != recorded[name]:
            problems.append(
                f"altered: {name} ({found['bytes']} bytes, {recorded[name]['bytes']} recorded)"
            )
    return problems


def glance(path: Path) -> list[str]:
    """Recorded files that are missing or of another size: what `check` finds without reading them.

    Zarr reads a chunk that is not there as missing values, so stages look before they read.
    """
    problems = []
    for name, expected in read(path)["files"].items():
        try:
            size = (path / name).stat().st_size
        except FileNotFoundError:
            problems.append(f"missing: {name}")
            continue
        if size != expected["bytes"]:
            problems.append(f"altered: {name} ({size} bytes, {expected['bytes']} recorded)")
    return problems


def _prepare(folder: Path, left_over: str) -> None:
    """Make the folder that something is written to; what killed processes left is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    _remove_left_overs(folder, left_over)


def _remove_left_overs(folder: Path, pattern: str) -> None:
    """Remove what processes that no longer run left; group 1 of the pattern is the process."""
    for stale in folder.iterdir():
        found = re.fullmatch(pattern, stale.name)
        if found is None or (int(found[1]) != os.getpid() and _runs(int(found[1]))):
            continue
        if stale.is_dir():
            shutil.rmtree(stale, ignore_errors=True)
        else:
            stale.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's process
    return True


def _files(directory: Path) -> list[str]:
    found = (item.relative_to(directory) for item in directory.rglob("*") if item.is_file())
    return sorted(item.as_posix() for item in found if item.as_posix() not in _FOREIGN_BUT_FINE)


def _file_records(directory: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Size and checksum of files; hashing leaves Python alone, so threads help."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sums = pool.map(_sha256, [directory / name for name in names])
        return {
            name: {"bytes": (directory / name).stat().st_size, "sha256": found}
            for name, found in zip(names, sums, strict=True)
        }


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync_tree(directory: Path) -> None:
    for item in directory.rglob("*"):
        if item.is_file():
            descriptor = os.open(item, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _replace_directory(new: Path, path: Path) -> None:
    """Put `new` in the place of `path`; a reader sees the old one, nothing, or the new one."""
    if path.is_dir():
        old = path.with_name(f".{path.name}.partial-{os.getpid()}-old")
        path.rename(old)
        new.rename(path)
        if old.is_symlink():
            old.unlink()
        else:
            shutil.rmtree(old)
    else:
        path.unlink(missing_ok=True)
        new.rename(path)
