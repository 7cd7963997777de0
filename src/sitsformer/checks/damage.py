"""Everything under some paths that `sitsformer check` knows, and whether it is as it was written.

Artefacts are found by their records: directories by their `provenance.json`, files by the folder
`.provenance` beside them, checkpoints by their name. Logs, benchmarks and other people's files are
passed by; what looks like an artefact and has no record is named, since nothing is known of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sitsformer import artefacts, mapproducts
from sitsformer.errors import SitsError
from sitsformer.samples import contract as samplelayout
from sitsformer.samples import shards

CHECKPOINT = "checkpoint.safetensors"
_HEARTS = ("zarr.json", "model.safetensors")
_ALONE = {
    *(".csv", ".html", ".parquet", ".png", ".svg"),
    *(Path(item.ending).suffix for item in mapproducts.products().values()),
    *(Path(item.ending).suffix for item in mapproducts.area_products().values()),
}
"""Endings of files that are artefacts by themselves."""


@dataclass(frozen=True)
class Finding:
    """One artefact.

    Attributes:
        path: of the artefact.
        kind: `cube`, `samples`, `cells`, ...; empty where it has no record.
        problems: one line each; empty when it is whole or has no record.
        whole: the artefact, where `path` is a part of it.
    """

    path: Path
    kind: str
    problems: tuple[str, ...] = ()
    whole: Path | None = None

    @property
    def sound(self) -> bool:
        """Whether all of it is there as written, whatever else lies among it."""
        return all(line.startswith("foreign: ") for line in self.problems)

    @property
    def remains(self) -> list[Path]:
        """What there is of it to delete: a part is not made again alone, nor without its record."""
        path = self.whole or self.path
        record = _recorded(path)
        return [path] if record is None else [path, record]


def look(path: Path) -> list[Finding]:
    """Every artefact at or under a path.

    Raises:
        SitsError: there is none.
    """
    if not path.exists() and _recorded(path) is None:
        raise SitsError(f"{path} does not exist: give an artefact or a folder of artefacts")
    if path.is_dir():
        whole = None if artefacts.has_record(path) else _whole(path)
        if whole is not None:
            return [_part(whole, path)]
        found = [_directory(path)] if _is_one(path) else list(_walk(path, set()))
        if not found:
            raise SitsError(f"there is no artefact in {path}: give an artefact or a results folder")
        return found
    return [_named_file(path)]


def _is_one(path: Path) -> bool:
    """Whether a directory is an artefact, or a Zarr store or model that has lost its record."""
    return artefacts.has_record(path) or any((path / name).exists() for name in _HEARTS)


def _walk(folder: Path, seen: set[Path]) -> Iterator[Finding]:
    """Artefacts below a folder, in order of their names; hidden folders are passed by.

    Links are followed, but no folder is looked at twice.
    """
    place = folder.resolve()
    if place in seen:
        return
    seen.add(place)
    try:
        inside = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield Finding(folder, "folder", (f"unreadable: {error.strerror}",))
        return
    recorded = {
        one.name.removesuffix(".json") for one in (folder / artefacts.LEDGER).glob("*.json")
    }
    there = {entry.name for entry in inside}
    for entry in inside:
        path = Path(entry.path)
        if entry.is_dir():
            if _is_one(path):
                yield _directory(path)
            elif not entry.name.startswith("."):
                yield from _walk(path, seen)
        elif entry.name in recorded or entry.name == CHECKPOINT:
            yield _file(path)
        elif path.suffix in _ALONE and not entry.name.startswith("."):
            yield Finding(path, "")
    for name in sorted(recorded - there):
        yield _file(folder / name)


def _directory(path: Path) -> Finding:
    if not artefacts.has_record(path):
        return Finding(path, "")
    try:
        kind, problems = str(artefacts.read(path)["kind"]), artefacts.check(path)
    except SitsError as error:
        return Finding(path, "artefact", (str(error),))
    if any("reflectance/c/" in line for line in problems) and kind in (
        samplelayout.KIND,
        samplelayout.TILE_KIND,
    ):
        problems += [f"in reflectance: {line}" for line in _damaged_chunks(path)]
    return Finding(path, kind, tuple(problems))


def _damaged_chunks(store: Path) -> list[str]:
    """Which samples are lost with the damaged chunks of a store."""
    try:
        with shards.Reader(store / "reflectance") as reader:
            return reader.damaged()
    except SitsError as error:
        return [str(error)]


def _named_file(path: Path) -> Finding:
    """A file that was asked for: an artefact, or a part of one."""
    whole = _whole(path)
    if whole is not None and _recorded(path) is None:
        return _part(whole, path)
    return _file(path)


def _whole(path: Path) -> Path | None:
    """The artefact that a path lies in."""
    inside = (parent for parent in path.absolute().parents if artefacts.has_record(parent))
    return next(inside, None)


def _part(whole: Path, path: Path) -> Finding:
    """A file or folder of an artefact, compared with its record."""
    name = path.absolute().relative_to(whole).as_posix()
    try:
        if name == artefacts.PROVENANCE:
            return Finding(path, f"record of a {artefacts.read(whole)['kind']}")
        problems = [
            line
            for line in artefacts.check(whole)
            if f"{line} ".partition(": ")[2].startswith((f"{name} ", f"{name}/"))
        ]
        kind = str(artefacts.read(whole)["kind"])
    except SitsError as error:
        return Finding(path, "part", (str(error),), whole)
    return Finding(path, f"part of a {kind}", tuple(problems), whole)


def _file(path: Path) -> Finding:
    if path.name == CHECKPOINT and _recorded(path) is None:
        from sitsformer.training import checkpoint

        try:
            checkpoint.load(path.parent)
        except SitsError as error:
            return Finding(path, "checkpoint", (str(error),))
        return Finding(path, "checkpoint")
    try:
        record = artefacts.read_file(path)
        problems = artefacts.check_file(path)
    except SitsError as error:
        return Finding(path, "file", (str(error),))
    return Finding(path, "" if record is None else str(record["kind"]), tuple(problems))


def _recorded(path: Path) -> Path | None:
    """The record of a file, if it has one."""
    record = artefacts.ledger_path(path)
    return record if record.exists() else None
