"""Names of learners, jobs and shots, as they stand in paths, tables and configs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sitsformer.embeddings import JOINED
from sitsformer.errors import SitsError

if TYPE_CHECKING:
    from sitsformer.config import Shots

NETWORK = "sitsformer"
"""Method of every cell made by fine-tuning; other methods are baselines."""

NO_ADAPTATION = "-"
"""Adaptation of a baseline: there is no network to adapt."""

_LEARNER = re.compile(
    r"(?P<init>[a-z][a-z0-9_]*)(-p(?P<seed>\d+))?-(?P<adaptation>[a-z][a-z0-9_]*)"
)
_JOINED = re.compile(r"(?P<init>[a-z][a-z0-9_]*)-p(?P<seed>\d+)\+(?P<layer>[a-z][a-z0-9_]*)")
_CONTROL = re.compile(r"(?P<method>[a-z][a-z0-9_]*)-(?P<init>[a-z][a-z0-9_]*)-p(?P<seed>\d+)")


@dataclass(frozen=True)
class Learner:
    """Who made a cell.

    Attributes:
        method: `sitsformer`, or the name of a baseline.
        init: what the weights start from: `none`, or an objective of pretraining. Of a baseline:
            `none`, or the objective whose land cover it is given, which makes it a control; of one
            that joins embeddings with an encoder, the objective that this was pretrained on.
        adaptation: how they learn crops, by name (`full`, `linear` ...); `-` for baselines.
        pretrain_seed: which pretraining run; -1 where there is none.
    """

    method: str
    init: str = "none"
    adaptation: str = NO_ADAPTATION
    pretrain_seed: int = -1

    @property
    def control(self) -> bool:
        """Whether it is a baseline that is given the land cover of a pretrained model."""
        return self.method != NETWORK and self.pretrain_seed >= 0 and not self.joins

    @property
    def joins(self) -> bool:
        """Whether it joins embeddings of others with the features of a pretrained encoder."""
        return self.method.startswith(JOINED)

    @property
    def name(self) -> str:
        """Folder of its cells: `dual-p0-full`, `random_forest`, control `random_forest-dual-p0`.

        One that joins embeddings with an encoder: `dual-p0+satellite_embedding`.
        """
        if self.joins:
            return f"{self.init}-p{self.pretrain_seed}+{self.method.removeprefix(JOINED)}"
        if self.method != NETWORK:
            return self.method + (f"-{self.init}-p{self.pretrain_seed}" if self.control else "")
        run = "" if self.pretrain_seed < 0 else f"-p{self.pretrain_seed}"
        return f"{self.init}{run}-{self.adaptation}"


def parse_learner(name: str) -> Learner:
    """The inverse of `Learner.name`."""
    joined = _JOINED.fullmatch(name)
    if joined is not None:
        method = JOINED + joined["layer"]
        return Learner(method, joined["init"], NO_ADAPTATION, int(joined["seed"]))
    control = _CONTROL.fullmatch(name)
    if control is not None:
        return Learner(control["method"], control["init"], NO_ADAPTATION, int(control["seed"]))
    found = _LEARNER.fullmatch(name)
    if found is None:
        return Learner(method=name)
    seed = -1 if found["seed"] is None else int(found["seed"])
    return Learner(NETWORK, found["init"], found["adaptation"], seed)


def seed_jobs(seeds: int, per_job: int) -> list[str]:
    """Names of the jobs that share `seeds` seeds, `per_job` a job: `["0-4", "5-9"]`.

    Only the last name changes when seeds are added to a full job, so finished jobs stay finished.
    """
    starts = range(0, seeds, per_job)
    return [f"{start}-{min(start + per_job, seeds) - 1}" for start in starts]


def parse_seeds(name: str) -> range:
    """Seeds of a job: `"0-4"` is 0, 1, 2, 3, 4; `"3"` is 3.

    Raises:
        SitsError: the name is not of this form.
    """
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", name)
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise SitsError(f"seeds {name!r}: give one number or a range such as 0-4")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def parse_shots(name: str) -> Shots:
    """Shots from their name: a number of at least 1, or `all`.

    Raises:
        SitsError: anything else.
    """
    if name == "all":
        return "all"
    if not name.isdecimal() or int(name) < 1:
        raise SitsError(f"shots {name!r}: give a number of samples a class, or `all`")
    return int(name)


def shots_order(shots: Shots | str) -> float:
    """Sort key of shots: numbers ascend, `all` is last."""
    return float("inf") if shots == "all" else float(shots)
