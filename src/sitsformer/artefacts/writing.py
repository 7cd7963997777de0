"""Artefacts written whole or not at all: under a temporary name that becomes theirs."""

from __future__ import annotations

import atexit
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sitsformer.artefacts.record import (
    FORMAT,
    PROVENANCE,
    ArtefactError,
    digest,
    file_record,
    file_records,
    files,
    ledger_path,
    sealed,
    versions,
)
from sitsformer.errors import TemporaryError, no_room


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
    # First of all: an input without a record is refused before anything is made of it.
    digests = {role: digest(item) for role, item in sorted((inputs or {}).items())}
    _check_place(path)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with _room_for(path):
            _prepare(path.parent, rf"\.{re.escape(path.name)}\.partial-(\d+)(-old)?")
            partial.mkdir()
            yield partial
            record = {
                "format": FORMAT,
                "kind": kind,
                "versions": versions(),
                "config": dict(config),
                "inputs": digests,
                "seed": seed,
                **(extra or {}),
                "files": file_records(partial, files(partial)),
            }
            (partial / PROVENANCE).write_text(sealed(record))
            _sync_tree(partial)
            _replace_directory(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        # Where a chunk could not be written, other threads of the library are still writing theirs:
        # at the exit they have ended.
        atexit.register(shutil.rmtree, partial, ignore_errors=True)
        raise


@contextmanager
def create_file(path: Path, kind: str | None = None) -> Iterator[Path]:
    """Give a temporary file name that becomes `path` when the block ends well.

    Args:
        path: where the file goes; an older one there is replaced.
        kind: what it is, when it is an artefact (`cells`, `map`, ...): it gets a record.

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
            # GDAL makes overviews in `NAME.ovr.tmp` beside what it writes.
            _prepare(path.parent, rf"\.{stem}\.partial-(\d+){suffix}(\.[a-z]+)*")
            yield partial
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
            if kind is None:
                partial.replace(path)
                return
            record = {
                "format": FORMAT,
                "kind": kind,
                "versions": versions(),
                **file_record(partial),
            }
            # Without a record in between: a file must never stand beside the record of another.
            ledger_path(path).unlink(missing_ok=True)
            partial.replace(path)
            with create_file(ledger_path(path)) as beside:
                beside.write_text(sealed(record))
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
