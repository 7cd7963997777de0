"""The sample-store contract; `store.py` says what a store holds."""

from sitsformer.samples.contract import SPLITS, UNASSIGNED, About, SampleError, read_manifest
from sitsformer.samples.pieces import read_patches, valid_steps
from sitsformer.samples.store import (
    BandStatistics,
    Samples,
    about,
    labelled,
    load_samples,
    open_samples,
    split_rows,
    statistics,
    statistics_of,
    write_samples,
)

__all__ = [
    "SPLITS",
    "UNASSIGNED",
    "About",
    "BandStatistics",
    "SampleError",
    "Samples",
    "about",
    "labelled",
    "load_samples",
    "open_samples",
    "read_manifest",
    "read_patches",
    "split_rows",
    "statistics",
    "statistics_of",
    "valid_steps",
    "write_samples",
]
