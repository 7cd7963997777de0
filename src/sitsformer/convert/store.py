"""Writing what was converted: a sample store, whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer import artefacts
from sitsformer.classes import NO_CLASS_NAME, Classes
from sitsformer.convert.labels import Labels
from sitsformer.convert.npz import Array
from sitsformer.errors import SitsError, some
from sitsformer.legendtable import made_colour
from sitsformer.samples import SPLITS, About
from sitsformer.samples.contract import (
    KIND,
    encoded,
    write_arrays,
    write_manifest,
    write_reflectance,
)
from sitsformer.samples.shards import chunk_rows
from sitsformer.sensors import Sensor

_NAMED = 12
"""Classes that a warning names."""

logger = logging.getLogger("sitsformer")


def check_place(out: Path, kind: str) -> None:
    """Refuse to replace anything but an older artefact of the same kind.

    Raises:
        SitsError: something else is at `out`: a conversion would remove it.
    """
    if not out.exists():
        return
    if not (out / artefacts.PROVENANCE).is_file() or artefacts.read(out)["kind"] != kind:
        raise SitsError(f"{out} is there and is no {kind} artefact: give another place to write to")


def about(
    name: str, labels: Labels, bands: tuple[str, ...], sensor: Sensor, layer: str, split_by: str
) -> About:
    """What the samples of a converted store have in common."""
    return About(
        name=name,
        classes=Classes(
            labels.names,
            tuple(map(made_colour, range(len(labels.names)))),
            tuple((code,) for code in labels.codes),
        ),
        label=layer,
        tiles=(),
        areas=(),
        years=(),
        split_by=split_by,
        block=0.0,
        bands=bands,
        sensor=sensor,
    )


def manifest(
    labels: Labels, kept: npt.NDArray[np.bool_], split: npt.NDArray[np.uint8], scale: float
) -> dict[str, Any]:
    """Counts by class, as the merge of a workflow writes them.

    `kept` (sample,) says which of all samples have a whole step; `split` is of these.
    """

    def by_class(index: npt.NDArray[np.int16]) -> dict[str, int]:
        counts = {name: int((index == k).sum()) for k, name in enumerate(labels.names)}
        return {**counts, NO_CLASS_NAME: int((index == -1).sum())}

    inside = labels.index[kept]
    lost = {} if kept.all() else {"missing": by_class(labels.index[~kept])}
    return {
        "samples": int(kept.sum()),
        "kept": by_class(inside),
        "dropped": lost,
        "splits": {name: by_class(inside[split == k]) for k, name in enumerate(SPLITS)},
        "scale": scale,
        "warnings": _absent(labels.names, inside, split),
    }


def _absent(
    names: tuple[str, ...], label: npt.NDArray[np.int16], split: npt.NDArray[np.uint8]
) -> list[str]:
    """Classes that nothing, or a split with labels, has a sample of."""
    there = [i for i in range(len(names)) if (label == i).any()]
    nowhere = [name for i, name in enumerate(names) if i not in there]
    lines = [f"no sample of {some(nowhere, _NAMED)}"] if nowhere else []
    for k, part in enumerate(SPLITS):
        inside = label[(split == k) & (label >= 0)]
        gone = [names[i] for i in there if not (inside == i).any()]
        if gone and len(inside):
            lines.append(f"the split {part} has no sample of {some(gone, _NAMED)}")
    return lines


def write(
    out: Path,
    pieces: Iterable[npt.NDArray[np.uint16]],
    steps: tuple[int, ...],
    columns: Mapping[str, Array],
    common: About,
    counts: Mapping[str, Any],
    settings: Mapping[str, Any],
    inputs: Mapping[str, Path] | None = None,
    seed: int | None = None,
) -> None:
    """Write a store from pieces of `piece_rows(steps)` samples, the last one shorter."""
    with artefacts.create(out, KIND, config=settings, inputs=inputs, seed=seed) as partial:
        write_reflectance(partial, encoded(pieces, piece_rows(steps)))
        write_arrays(partial, len(columns["doy"]), steps, columns, common)
        write_manifest(partial, counts)
    for line in counts["warnings"]:
        logger.warning("warning: %s", line)


def piece_rows(steps: tuple[int, ...]) -> int:
    """Samples of a piece, by the (time, band, py, px) of one."""
    return chunk_rows(int(np.prod(steps)) * 2)
