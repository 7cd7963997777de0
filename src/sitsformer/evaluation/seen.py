"""Test samples whose ground pretraining has seen, by the places of the samples themselves.

The check of the config knows areas by their tiles (`sitsformer.overlap`); what existing stores hold
only the stores tell. What the config does not allow is refused, and what it allows is said beside
every claim. Light to import: the workflow asks at every start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sitsformer.config import Config, expand
from sitsformer.errors import SitsError
from sitsformer.overlap import label_learners, refusal
from sitsformer.sensors import PIXEL

if TYPE_CHECKING:
    import xarray as xr

    from sitsformer.patches.leakage import SampleGroup


@dataclass(frozen=True)
class Seen:
    """What pretraining has seen of the ground that is tested on.

    Attributes:
        count: test samples on ground that was learned from; None where places are not known.
        label: label layer of both sets, where it is one.
    """

    count: int | None
    label: str | None = None


def seen_in_pretraining(store: Path, pretraining: Path) -> Seen:
    """How many test samples lie on ground that a model was pretrained on.

    A sample does where a patch of pretraining (its training or validation split) shares a pixel
    with its patch, or, in a set split by blocks of the UTM grid, lies in its block.

    Args:
        store: set store of the sweep.
        pretraining: set store of the pretraining; may be the same.
    """
    from sitsformer.patches.leakage import compare, group
    from sitsformer.samples import SPLITS, open_samples

    tested, learned = open_samples(store), open_samples(pretraining)
    test = group(tested, "test", np.flatnonzero(tested.split.values == SPLITS.index("test")))
    parts = [SPLITS.index(part) for part in ("train", "validation")]
    seen = group(learned, "pretraining", np.flatnonzero(np.isin(learned.split.values, parts)))
    found = compare(seen, test)
    # A converted table does not know its product: its layer is just called `label`.
    label = test.label if found.same_label and test.label != "label" else None
    if found.nearest is None:
        return Seen(None, label)
    # Patches that overlap across the border of two UTM zones are not counted by `compare`.
    near = int(found.nearest < (seen.side + test.side) / 2 - PIXEL / 2)
    return Seen(max(found.overlapping, near, _in_blocks(seen, test, tested)), label)


def _in_blocks(seen: SampleGroup, test: SampleGroup, tested: xr.Dataset) -> int:
    """Test samples in whose block of the UTM grid pretraining has samples."""
    from sitsformer.patches.splits import block_ids
    from sitsformer.samples import about

    common = about(tested)
    known = np.isfinite(seen.x) & np.isfinite(seen.y)
    if common.split_by != "block" or common.block <= 0 or not known.any():
        return 0
    blocks = np.concatenate(
        [
            block_ids(int(zone), seen.x[here], seen.y[here], common.block)
            for zone in np.unique(seen.epsg[known])
            for here in (known & (seen.epsg == zone),)
        ]
    )
    return int(np.isin(test.block, blocks).sum())


def check_seen(config: Config, store: Path, pretraining: Path) -> Seen:
    """What pretraining has seen of the test, where the config allows it.

    Raises:
        SitsError: `pretrain.overlap` does not allow it.
    """
    if set(config.fewshot.inits) <= {"none"}:
        return Seen(0)  # nothing pretrained takes part
    found = seen_in_pretraining(store, pretraining)
    where = f"{found.count} of its test samples"
    reason = refusal(config, where, found.label) if found.count else None
    if reason is not None:
        raise SitsError(f"pretrain.overlap: {reason}")
    return found


def sentence(config: Config, found: Seen) -> str:
    """What every claim has to say about the ground that is tested on; nothing if it is unseen."""
    if found.count == 0 or (found.count is None and config.pretrain.overlap == "none"):
        return ""
    what = "reflectances and land cover" if label_learners(config) else "reflectances"
    place = "of the ground that is tested on"
    if found.count is not None:
        place = f"of the ground of {found.count:,} test samples"
    return f"Pretraining has seen the {what} {place} (pretrain.overlap: {config.pretrain.overlap})."


def store_problems(config: Config) -> list[str]:
    """What two existing stores say against a config, before the first job."""
    stores = [config.sets[name].store for name in (config.fewshot.set, config.pretrain.set)]
    if None in stores:
        return []
    try:
        check_seen(config, *(expand(str(store)) for store in stores))
    except SitsError as error:
        return [str(error)]
    return []
