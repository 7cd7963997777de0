"""Artefacts: written whole or not at all, saying what made them, and checkable.

An artefact is a directory (a Zarr store, a model) with a `provenance.json` that lists the config
values, input digests, package versions and seed it was made with, and the SHA-256 of every file.
A file that is an artefact by itself (a table, a map, a figure) has its record beside it, in
`.provenance/NAME.json`.
"""

from sitsformer.artefacts.looking import check, check_file, damage, glance, refuse_altered
from sitsformer.artefacts.record import (
    LEDGER,
    PROVENANCE,
    ArtefactError,
    digest,
    has_record,
    ledger_path,
    read,
    read_file,
    versions,
)
from sitsformer.artefacts.writing import create, create_file

__all__ = [
    "LEDGER",
    "PROVENANCE",
    "ArtefactError",
    "check",
    "check_file",
    "create",
    "create_file",
    "damage",
    "digest",
    "glance",
    "has_record",
    "ledger_path",
    "read",
    "read_file",
    "refuse_altered",
    "versions",
]
