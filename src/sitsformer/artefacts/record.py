"""Records of artefacts: what made them, and a checksum of every file.

Records hold no time and no host name, so that the same inputs give the same bytes, and are sealed
by a checksum of their own.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sitsformer import threads
from sitsformer.errors import SitsError

PROVENANCE = "provenance.json"
LEDGER = ".provenance"
"""Folder, beside files that are artefacts, of their records."""
FORMAT = 2
"""Of records; older ones have none, and no seal."""
SMALL = 2**16
"""Bytes up to which a file is hashed whole when it is looked at."""
END = 4096
"""Bytes at each end of a larger file that are hashed by themselves, to tell it from another."""
_VERSIONED = ("sitsformer", "numpy", "xarray", "zarr", "torch", "scikit-learn", "earthengine-api")
_SEAL = "record_sha256"


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
        return sha256(path)
    files = json.dumps(read(path)["files"], sort_keys=True)
    return hashlib.sha256(files.encode()).hexdigest()


def sealed(record: Mapping[str, Any]) -> str:
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


def files(directory: Path) -> list[str]:
    """Files of an artefact; hidden ones (of a file system, of Snakemake) are not counted."""
    found = (item.relative_to(directory) for item in directory.rglob("*") if item.is_file())
    return sorted(
        item.as_posix()
        for item in found
        if item.as_posix() != PROVENANCE and not any(part.startswith(".") for part in item.parts)
    )


def file_records(directory: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Size and checksum of files; hashing leaves Python alone, so threads help."""
    with ThreadPoolExecutor(threads.count()) as pool:
        found = pool.map(file_record, [directory / name for name in names])
        return dict(zip(names, found, strict=True))


def file_record(path: Path) -> dict[str, Any]:
    """Size and checksum of a file; of a large one also that of its ends."""
    size = path.stat().st_size
    record = {"bytes": size, "sha256": sha256(path)}
    return record | {"ends": ends(path)} if size > SMALL else record


def ends(path: Path) -> str:
    """SHA-256 of the first and last bytes of a large file."""
    with path.open("rb", buffering=0) as stream:
        first = stream.read(END)
        stream.seek(-END, os.SEEK_END)
        return hashlib.sha256(first + stream.read(END)).hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
