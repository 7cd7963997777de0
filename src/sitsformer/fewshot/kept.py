"""What a job of the sweep has done so far, kept beside its output: another try goes on from there.

    FOLDER/{fingerprint}/{training}/checkpoint.safetensors    one training, finished or under way
    FOLDER/{fingerprint}/{seed}.parquet                       the cell of a seed
    FOLDER/{fingerprint}/{seed}.fit/                          its fit, where fits are asked for

The fingerprint is of everything that decides the cells: settings, inputs, versions. What a job of
other settings or inputs left is removed, never read.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitsformer.classes import Classes
from sitsformer.errors import SitsError
from sitsformer.fewshot.cells import Cell, read_cells, write_cells
from sitsformer.fewshot.fits import Fit, create_fits, read_fit
from sitsformer.training.fingerprints import fingerprint

if TYPE_CHECKING:
    from torch import nn

    from sitsformer.training.recipe import Plan

logger = logging.getLogger("sitsformer")

EVERY = 1000
"""Steps between checkpoints of a training, for who is killed without a word; most have fewer steps,
and on a GPU a checkpoint takes as long as some 30."""

_LETTERS = 16
"""Of a fingerprint in the name of a folder."""


class Kept:
    """The folder of one job.

    Args:
        folder: for this job alone; it need not exist.
        identity: everything that decides the cells (JSON values).
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self._folder = folder
        self._own = folder / fingerprint(identity)[:_LETTERS]
        for path in folder.iterdir() if folder.is_dir() else ():
            if path != self._own and re.fullmatch(f"[0-9a-f]{{{_LETTERS}}}", path.name):
                logger.info("%s is of other settings, inputs or versions: starting afresh", path)
                shutil.rmtree(path)

    def training(self, model: nn.Module, plan: Plan, more: Mapping[str, Any]) -> Path:
        """Folder of the checkpoint of one training.

        Args:
            model: as it starts, with the weights chosen that learn.
            plan: the recipe.
            more: what else decides the result (JSON values).
        """
        from sitsformer.training.checkpoint import digest

        learning = [name for name, weight in model.named_parameters() if weight.requires_grad]
        said = json.dumps([asdict(plan), learning, more], sort_keys=True)
        start = {name: value.detach().cpu() for name, value in model.state_dict().items()}
        return self._own / digest(start, said)[:_LETTERS]

    def cell(self, seed: int) -> Cell | None:
        """The cell of a seed, if it is finished."""
        path = self._cell(seed)
        if not path.exists():
            return None
        try:
            (cell,) = read_cells(path).cells
        except SitsError as error:
            logger.warning("warning: %s; the cell is made again", error)
            return None
        logger.info("seed %d was finished by an earlier try", seed)
        return cell

    def keep(self, cell: Cell, classes: Classes) -> None:
        """Keep a finished cell."""
        write_cells(self._cell(cell.seed), [cell], classes)

    def fit(self, seed: int) -> Fit | None:
        """The fit of a seed, if it is finished."""
        path = self._fit(seed)
        if not path.exists():
            return None
        try:
            found = read_fit(path, seed)
        except SitsError as error:
            logger.warning("warning: %s; it is fitted again", error)
            shutil.rmtree(path)
            return None
        logger.info("seed %d was finished by an earlier try", seed)
        return found

    def keep_fit(self, fit: Fit) -> None:
        """Keep a finished fit."""
        with create_fits(self._fit(fit.seed)) as keep:
            keep(fit)

    def remove(self) -> None:
        """Remove all of it: the output is whole."""
        shutil.rmtree(self._own, ignore_errors=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _cell(self, seed: int) -> Path:
        return self._own / f"{seed}.parquet"

    def _fit(self, seed: int) -> Path:
        return self._own / f"{seed}.fit"
