"""Artefacts: written whole or not at all, saying what made them, and checkable.

An artefact is a directory (a Zarr store, a model) with a `provenance.json` that lists the config
values, input digests, package versions and seed it was made with, and the SHA-256 of every file.
A file that is an artefact by itself (a table, a map, a figure) has its record beside it, in
`.provenance/NAME.json`. Records hold no time and no host name, so that the same inputs give the
same bytes, and are sealed by a checksum of their own.
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
LEDGER = ".provenance"
"""Folder, beside files that are artefacts, of their records."""
_VERSIONED = ("sitsformer", "numpy", "xarray", "zarr", "torch", "scikit-learn", "earthengine-api")
_SEAL = "record_sha256"
_FORMAT = 2
"""Of records; older ones have none, and no seal."""
_SMALL = 2**16
"""Bytes up to which a file is hashed whole when it is looked at."""
_END = 4096
"""Bytes at each end of a larger file that are hashed by themselves, to tell it from another."""
_LOOKS = 8
"""Threads that look at files: what takes the time is the file system's answer."""


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
                "format": _FORMAT,
                "kind": kind,
                "versions": versions(),
                "config": dict(config),
                "inputs": digests,
                "seed": seed,
                **(extra or {}),
                "files": _file_records(partial, _files(partial)),
            }
            (partial / PROVENANCE).write_text(_sealed(record))
            _sync_tree(partial)
            _replace_directory(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


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
            _prepare(path.parent, rf"\.{stem}\.partial-(\d+){suffix}")
            yield partial
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
            if kind is None:
                partial.replace(path)
                return
            record = {
                "format": _FORMAT,
                "kind": kind,
                "versions": versions(),
                **_file_record(partial),
            }
            # Without a record in between: a file must never stand beside the record of another.
            ledger_path(path).unlink(missing_ok=True)
            partial.replace(path)
            with create_file(ledger_path(path)) as beside:
                beside.write_text(_sealed(record))
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
    if not path.exists():
        raise ArtefactError(f"{path} does not exist")
    record = _read_record(path / PROVENANCE, ("kind", "files"))
    if record is None:
        raise ArtefactError(
            f"{path} is not an artefact of sitsformer: it has no {PROVENANCE}; make it again"
        )
    files = record["files"]
    if not isinstance(files, dict) or not all(
        isinstance(one, dict) and {"bytes", "sha256"} <= set(one) for one in files.values()
    ):
        raise ArtefactError(
            f"{path / PROVENANCE} holds no record of sitsformer; make the artefact again"
        )
    return record


def read_file(path: Path) -> dict[str, Any] | None:
    """The record of a file that is an artefact by itself; None where it has none.

    Raises:
        ArtefactError: the record cannot be read.
    """
    return _read_record(ledger_path(path), ("kind", "bytes", "sha256"))


def ledger_path(path: Path) -> Path:
    """Where the record of a file lies."""
    return path.parent / LEDGER / f"{path.name}.json"


def has_record(path: Path) -> bool:
    """Whether a directory says of itself that it is an artefact."""
    return (path / PROVENANCE).exists()


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the checksums that an artefact directory records.

    Raises:
        ArtefactError: it does not exist, or a directory without a record.
    """
    if path.is_file():
        return _sha256(path)
    files = json.dumps(read(path)["files"], sort_keys=True)
    return hashlib.sha256(files.encode()).hexdigest()


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
    there = sorted(present & set(recorded))
    return problems + _compare(path, {name: recorded[name] for name in there}, ())


def glance(path: Path, *, checked: tuple[str, ...] = ()) -> list[str]:
    """Damage that can be found before an artefact is read: what stages look for first.

    Zarr reads a chunk that does not exist as missing values, and one of another array as its own.
    All files must be there with their sizes, and no chunks beside them. Contents are compared with
    the record, but of large files that hold a checksum of their own, which is looked at when they
    are read, only the ends: what a glance costs does not grow with the pixels.

    Args:
        path: of the artefact.
        checked: beginnings of the names of files that hold a checksum of their own.

    Returns:
        One line per file; empty when all is well.

    Raises:
        ArtefactError: there is no record, or it is damaged.
    """
    recorded = read(path)["files"]
    return _compare(path, recorded, checked) + [
        f"foreign: {name} (a chunk that was not written with the others)"
        for name in _unknown_chunks(path, recorded)
    ]


def check_file(path: Path) -> list[str]:
    """Compare a file with its record; no record is no problem, see `read_file`.

    Raises:
        ArtefactError: the record is damaged.
    """
    record = read_file(path)
    return [] if record is None else _compare(path.parent, {path.name: record}, ())


def refuse_altered(path: Path, again: str) -> None:
    """Refuse a file that is not what its record says.

    Args:
        path: of the file; one without a record passes.
        again: what makes it again, for the message.

    Raises:
        ArtefactError: it is missing or altered.
    """
    problems = check_file(path)
    if problems:
        raise ArtefactError(f"{path} is damaged: {problems[0]}; {again}")


def damage(problems: list[str]) -> str:
    """Problems of one artefact in a few words."""
    more = f" and {len(problems) - 1} more" if problems[1:] else ""
    return f"is damaged: {problems[0]}{more}; `sitsformer check` lists every damaged file"


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


def _sealed(record: Mapping[str, Any]) -> str:
    """The text of a record, with a checksum of what it says."""
    as_read = json.loads(json.dumps(record))
    return json.dumps({**as_read, _SEAL: _seal(as_read)}, indent=1, sort_keys=True) + "\n"


def _seal(record: Mapping[str, Any]) -> str:
    content = {name: value for name, value in record.items() if name != _SEAL}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read_record(path: Path, wanted: tuple[str, ...]) -> dict[str, Any] | None:
    """A record that is whole and says what is wanted of it; None where there is none."""
    try:
        record = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path} cannot be read: {error}; make the artefact again") from None
    if not isinstance(record, dict) or not all(name in record for name in wanted):
        raise ArtefactError(f"{path} holds no record of sitsformer; make the artefact again")
    if ("format" in record or _SEAL in record) and record.get(_SEAL) != _seal(record):
        raise ArtefactError(f"{path} is damaged (its checksum differs); make the artefact again")
    return record


def _files(directory: Path) -> list[str]:
    """Files of an artefact; hidden ones (of a file system, of Snakemake) are not counted."""
    found = (item.relative_to(directory) for item in directory.rglob("*") if item.is_file())
    return sorted(
        item.as_posix()
        for item in found
        if item.as_posix() != PROVENANCE and not any(part.startswith(".") for part in item.parts)
    )


def _unknown_chunks(directory: Path, recorded: Mapping[str, Any]) -> list[str]:
    """Files that Zarr would read as chunks or metadata though nobody recorded them."""

    def is_read(name: str) -> bool:
        *folders, last = name.split("/")
        return last in ("zarr.json", "c") or ("c" in folders and last.isdigit())

    found = (
        Path(folder, name).relative_to(directory).as_posix()
        for folder, _, names in os.walk(directory)
        for name in names
    )
    return sorted(name for name in found if name not in recorded and is_read(name))


def _compare(
    directory: Path, recorded: Mapping[str, Mapping[str, Any]], checked: tuple[str, ...]
) -> list[str]:
    """One line for each file that is not as recorded; see `glance`."""

    def look(name: str) -> str | None:
        path, expected = directory / name, recorded[name]
        try:
            size = path.stat().st_size
            if size != expected["bytes"]:
                return f"altered: {name} ({size} bytes, {expected['bytes']} recorded)"
            if size > _SMALL and checked and name.startswith(checked):
                same = expected.get("ends", found := _ends(path)) == found
            else:
                same = _sha256(path) == expected["sha256"]
        except (FileNotFoundError, NotADirectoryError):
            return f"missing: {name}"
        except OSError as error:
            return f"unreadable: {name} ({error.strerror})"
        return None if same else f"altered: {name} (same size, other contents)"

    with ThreadPoolExecutor(_LOOKS) as pool:
        return [line for line in pool.map(look, sorted(recorded)) if line is not None]


def _file_records(directory: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Size and checksum of files; hashing leaves Python alone, so threads help."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(_file_record, [directory / name for name in names])
        return dict(zip(names, found, strict=True))


def _file_record(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    record = {"bytes": size, "sha256": _sha256(path)}
    return record | {"ends": _ends(path)} if size > _SMALL else record


def _ends(path: Path) -> str:
    """SHA-256 of the first and last bytes of a large file."""
    with path.open("rb", buffering=0) as stream:
        first = stream.read(_END)
        stream.seek(-_END, os.SEEK_END)
        return hashlib.sha256(first + stream.read(_END)).hexdigest()


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
