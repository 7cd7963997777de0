"""Test samples whose ground pretraining has seen, by the places of the samples themselves.

The check of the config knows areas by their tiles (`sitsformer.checks.overlap`); what existing
stores hold only the stores tell. What the config does not allow is refused, and what it allows is
said beside every claim. Light to import: the workflow asks at every start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sitsformer.checks.overlap import refusal
from sitsformer.config import PARTS, Config, Split, expand
from sitsformer.config.checks import label_learners
from sitsformer.errors import SitsError
from sitsformer.training.objectives import SCRATCH

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
    from sitsformer.patches.leakage import compare, distances, group
    from sitsformer.samples import SPLITS, open_samples

    tested, learned = open_samples(store), open_samples(pretraining)
    test = group(tested, "test", np.flatnonzero(tested.split.values == SPLITS.index("test")))
    parts = [SPLITS.index(part) for part in ("train", "validation")]
    seen = group(learned, "pretraining", np.flatnonzero(np.isin(learned.split.values, parts)))
    found = compare(seen, test)
    # A converted table does not know its product: its layer is just called `label`.
    label = test.label if found.same_label and test.label != "label" else None
    apart = distances(seen, test)
    if apart is None:
        return Seen(None, label)
    # Those that `compare` does not count: across the border of two UTM zones, and of converted
    # tables, which have no grid.
    reach = (seen.side + test.side - min(seen.pixel, test.pixel)) / 2
    near = int((apart < reach).sum())
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
    if set(config.fewshot.inits) <= {SCRATCH.name}:
        return Seen(0)  # nothing pretrained takes part
    found = seen_in_pretraining(store, pretraining)
    where = f"{found.count} of its test samples"
    reason = refusal(config, where, found.label) if found.count else None
    if reason is not None:
        raise SitsError(f"pretrain.overlap: {reason}")
    return found


def sentence(config: Config, found: Seen) -> str:
    """What every claim has to say about the ground that is tested on; nothing if it is unseen."""
    said = [_of_this_run(config, found)]
    if given := sorted(config.pretrain.models):
        said.append(
            f"What the given models ({', '.join(given)}) have seen of it is not known here."
        )
    return " ".join(text for text in said if text)


def _of_this_run(config: Config, found: Seen) -> str:
    if found.count == 0 or (found.count is None and config.pretrain.overlap == "none"):
        return ""
    what = "reflectances and land cover" if label_learners(config) else "reflectances"
    place = "of the ground that is tested on"
    if found.count is not None:
        place = f"of the ground of {found.count:,} test samples"
    return f"Pretraining has seen the {what} {place} (pretrain.overlap: {config.pretrain.overlap})."


def store_problems(config: Config) -> list[str]:
    """What existing stores say against a config, before the first job.

    They must be sample stores, with samples where pretraining and the sweep look for them and
    patches of one size; two of them must not share ground that the config keeps apart.
    """
    if not config.learns:
        return []
    stores = {n: expand(one.store) for n, one in config.sets.items() if one.store is not None}
    sides: dict[str, int] = dict.fromkeys(config.sets, config.patches.size)
    found = []
    for name, path in stores.items():
        try:
            sides[name], lacking = _look(config, name, path)
        except SitsError as error:
            lacking = [str(error)]
        found += [f"sets.{name}.store: {line}" for line in lacking]
    learned, tested = config.pretrain.set, config.fewshot.set
    if found or set(config.fewshot.inits) <= {"none"}:
        return found
    if sides[learned] != sides[tested]:
        return [
            f"pretrain.set: {learned!r} has patches of {sides[learned]} pixels and {tested!r} of "
            f"{sides[tested]}, and a model reads one size; make both alike (patches.size)"
        ]
    if {learned, tested} <= set(stores):
        try:
            check_seen(config, stores[tested], stores[learned])
        except SitsError as error:
            return [str(error)]
    return []


def _look(config: Config, name: str, path: Path) -> tuple[int, list[str]]:
    """Side of the patches of a store, pixels, and the samples that it lacks.

    Raises:
        SitsError: it is no sample store.
    """
    from sitsformer.samples import SPLITS, open_samples

    store = open_samples(path)
    split = store.split.values
    wanted: dict[Split, str] = {}
    if name == config.fewshot.set:
        split = np.where(store.label.values >= 0, split, -1)
        wanted |= dict.fromkeys(PARTS, "the sweep")
    elif name == config.pretrain.set:
        wanted |= dict.fromkeys(PARTS[:2], "pretraining")
    there = set(np.unique(split).tolist())
    lacking = [
        f"{path} has no sample for {part}, and {who} needs some there"
        for part, who in wanted.items()
        if SPLITS.index(part) not in there
    ]
    return int(store.sizes["py"]), lacking
