"""Artefacts compared with their records: before they are read, and by `sitsformer check`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sitsformer.artefacts import record as records
from sitsformer.artefacts.record import ArtefactError, files, read, read_file

_LOOKS = 8
"""Threads that look at files: what takes the time is the file system's answer."""


def check(path: Path) -> list[str]:
    """Compare an artefact with its record.

    Returns:
        One line per missing, altered or foreign file; empty when all is well.
    """
    recorded = read(path)["files"]
    present = set(files(path))
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
            if size > records.SMALL and checked and name.startswith(checked):
                same = expected.get("ends", found := records.ends(path)) == found
            else:
                same = records.sha256(path) == expected["sha256"]
        except (FileNotFoundError, NotADirectoryError):
            return f"missing: {name}"
        except OSError as error:
            return f"unreadable: {name} ({error.strerror})"
        return None if same else f"altered: {name} (same size, other contents)"

    with ThreadPoolExecutor(_LOOKS) as pool:
        return [line for line in pool.map(look, sorted(recorded)) if line is not None]
