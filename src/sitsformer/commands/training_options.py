"""What the training commands share: sections with overrides, threads, samples, models."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from sitsformer.commands import originals
from sitsformer.config import Augment, FewShot, Model, Optimiser, Pretrain, load
from sitsformer.config.base import Section
from sitsformer.errors import SitsError
from sitsformer.training.objectives import default_objective
from sitsformer.training.objectives.published import AUGMENT, FINETUNING, PRETRAINING

logger = logging.getLogger("sitsformer")

PRETRAIN = ("epochs", "batch_size", "mask_rate")
"""Options that are keys of the section `pretrain`."""
RECIPE = {"learning_rate": "learning_rate", "decay_gamma": "decay", "gradient_clipping": "clip"}
"""Options of the recipe, and its keys."""
PRETRAINED = "pretrained"
"""Where a checkpoint of SITS-Former goes, beside the output."""

S = TypeVar("S", bound=Section)


def sample_store(path: Path, beside: Path | None = None, valid_rate: float | None = None) -> Path:
    """The sample store to train on; a folder of .npz samples is converted into `beside`.

    Raises:
        SitsError: it does not exist, or neither.
    """
    if not path.exists():
        raise SitsError(f"{path} does not exist: give the sample store (.zarr) to train on")
    if path.is_file():
        raise SitsError(
            f"{path} is no sample store, which is a folder: convert a table of pixel series first, "
            f"`sitsformer convert table {path} OUT.zarr`"
        )
    if (path / "zarr.json").exists():
        if valid_rate is not None:
            logger.info("%s has its own splits: --valid-rate is not used", path)
        return path
    if beside is None:
        raise SitsError(
            f"{path} is no sample store: convert a folder of .npz samples first, "
            f"`sitsformer convert samples {path} OUT.zarr`"
        )
    return _converted(path, beside / f"{path.resolve().name}-converted.zarr", valid_rate or 0.0)


def _converted(path: Path, out: Path, valid_rate: float) -> Path:
    """The store of a folder of .npz: made now, or before from the same files."""
    from sitsformer import artefacts
    from sitsformer.convert.samples import find, fingerprint, folder

    flat = find(path)[2]
    made_from = {"source": fingerprint(path)}
    if (out / artefacts.PROVENANCE).exists() and not artefacts.glance(out):
        before = artefacts.read(out)["config"]
        if before.get("source") == made_from["source"] and before["valid_rate"] == (
            valid_rate if flat else None
        ):
            logger.info("%s was converted before: reading %s", path, out)
            return out
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SitsError(
            f"{path} is no sample store, and several processes cannot convert it together: first "
            f"run `sitsformer convert samples {path} OUT.zarr`"
        )
    logger.info("converting the folder %s into the sample store %s", path, out)
    count = folder(path, out, valid_rate=valid_rate, settings=made_from)
    logger.info("%d samples in %s", count, out)
    return out


def pretrained(path: Path | None, beside: Path, heads: int | None) -> Path | None:
    """The pretrained model: an artefact, a folder with one, or a checkpoint of SITS-Former.

    The last is converted, into the folder `beside`; without a number of heads it has the paper's 8.

    Raises:
        SitsError: there is none of these.
    """
    if path is None or (path / "config.json").is_file():
        return path
    if (path / "model").is_dir():
        return path / "model"
    if not path.exists():
        raise SitsError(f"{path} does not exist: give a pretrained model, or leave the option out")
    from sitsformer import artefacts
    from sitsformer.convert.checkpoint import checkpoint, find

    file, out = find(path), beside / PRETRAINED
    if (out / artefacts.PROVENANCE).exists() and not artefacts.glance(out):
        before = artefacts.read(out)
        same = before["inputs"].get("checkpoint") == artefacts.digest(file)
        if same and before["config"].get("heads") == (heads or 8):
            return out
    logger.info("converting the checkpoint %s into the model %s", file, out)
    checkpoint(file, out, [0.0] * 10, [1.0] * 10, heads or 8)
    return out


def objective(store: Path, given: str | None) -> str:
    """What to learn: as given, else what suits training samples with or without labels."""
    if given is not None:
        return given
    from sitsformer.samples import open_samples

    dataset = open_samples(store)
    labelled = bool((dataset.label.values[dataset.split.values == 0] >= 0).any())
    chosen = default_objective(labelled)
    logger.info("the training samples have %s: %s", "labels" if labelled else "no labels", chosen)
    return chosen


def pretraining(
    config_path: Path | None, objective: str, given: Mapping[str, Any]
) -> tuple[Model, Pretrain]:
    """Sections `model` and `pretrain`, as an objective is trained by them.

    Without a config the recipe is SITS-Former's; options of the command line go before either.
    """
    if config_path is not None:
        config = load(config_path)
        model, section = config.model, config.pretrain.of(objective)
    else:
        recipe, change = Optimiser(**PRETRAINING), Augment(**AUGMENT)
        given_set = {"set": "samples", "recipe": recipe, "augment": change, "published": False}
        model, section = Model(), Pretrain.model_validate(given_set)
    keys = {name: given[name] for name in PRETRAIN if given.get(name) is not None}
    section = _override(section, keys)
    changes = {key: given[name] for name, key in RECIPE.items() if given.get(name) is not None}
    if given.get("warmup_epochs") is not None:
        if section.recipe.schedule == "exponential":
            changes["hold"] = given["warmup_epochs"]
        else:
            changes["warmup"] = min(1.0, given["warmup_epochs"] / section.epochs)
    if changes:
        section = _override(section, {"published": False})
    section = _override(section, {"recipe": _override(section.recipe, changes).model_dump()})
    return _override(model, originals.shape(given)), section


def finetuning(
    config_path: Path | None, given: Mapping[str, Any] | None = None
) -> tuple[Model, FewShot]:
    """Sections `model`, with the options that were given, and `fewshot`."""
    config = None if config_path is None else load(config_path)
    model = Model() if config is None else config.model
    section = FewShot(set="samples") if config is None else config.fewshot
    return _override(model, originals.shape(given or {})), section


def recipe(learning_rate: float, weight_decay: float) -> Optimiser:
    """SITS-Former's way of fine-tuning, with these numbers of its command."""
    return _override(Optimiser(**FINETUNING), {"learning_rate": learning_rate, "l2": weight_decay})


def _override(section: S, changes: Mapping[str, Any]) -> S:
    """A section with some values changed and checked.

    Raises:
        SitsError: a value that the section does not allow.
    """
    try:
        return type(section).model_validate({**section.model_dump(), **changes})
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(map(str, found["loc"]))
        raise SitsError(f"these options do not fit: {place} {found['msg']}".strip()) from None
