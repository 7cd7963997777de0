"""Who takes part in the sweep, and who of them may draw the maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sitsformer.baselines import OWN, shipped
from sitsformer.config.outcome import AUTO
from sitsformer.embeddings import joined_learners, members
from sitsformer.fewshot.learners import NETWORK, NO_ADAPTATION, Learner
from sitsformer.training.objectives import SCRATCH, objectives

if TYPE_CHECKING:
    from sitsformer.config import Config


def learners(config: Config) -> Iterator[Learner]:
    """Everyone who takes part in the sweep."""
    sweep = config.fewshot
    if not config.learns:
        return
    for init in sweep.inits:
        for run in (-1,) if init == SCRATCH.name else config.pretrain.seeds:
            for adaptation in sweep.adaptations:
                yield Learner(NETWORK, init, adaptation, run)
    for baseline in sweep.baselines:
        yield Learner(baseline)
    for baseline in sweep.controls:
        for run in config.pretrain.seeds:
            yield Learner(baseline, knowing_init(config), NO_ADAPTATION, run)
    for method in joined_learners(members(config.embeddings)):
        for init in sweep.inits:
            for run in () if init == SCRATCH.name else config.pretrain.seeds:
                yield Learner(method, init, NO_ADAPTATION, run)


def controlled(config: Config) -> list[str]:
    """Baselines that are fitted once for themselves and their controls.

    Learners of embeddings are not among them: to fit one takes no longer than to read its fit.
    """
    embedded = members(config.embeddings)
    return [name for name in config.fewshot.controls if name not in embedded]


def knowing_init(config: Config) -> str:
    """Whose land cover controls are given: the first init of the sweep that knows it."""
    inits = config.fewshot.inits
    return next(o.name for o in objectives().values() if o.name in inits and o.classifies)


def map_learners(config: Config) -> list[Learner]:
    """Who may draw the maps: the one that the config names, or all whom `auto` chooses among.

    Each with its first pretraining run; nobody where the name is unknown.
    """
    maps = config.maps
    first = config.pretrain.seeds[0]
    if maps.learner is None:
        run = -1 if maps.init == SCRATCH.name else first
        return [Learner(NETWORK, maps.init, maps.adaptation, run)]
    able = [one for one in learners(config) if one.pretrain_seed in (-1, first)]
    able = [one for one in able if why_not(config, one) is None]
    if maps.learner == AUTO:
        return able
    return [one for one in able if maps.learner in (one.name, arm_of(one))]


def map_layers(config: Config) -> list[str]:
    """Layers of embeddings that the maps may be drawn from.

    Those of everybody who may draw them: which of these validation prefers is known only later.
    With a model of the user's all layers of the config, which names them for it.
    """
    if not config.maps.tiles:
        return []
    if config.maps.model is not None:
        return list(config.embeddings)
    known = members(config.embeddings)
    used = [known[one.method].layer for one in map_learners(config) if one.method in known]
    return list(dict.fromkeys(used))


def arm_of(learner: Learner) -> str:
    """Name of a learner without its pretraining run.

    `dual-probe`, `random_forest-dual`, `dual+satellite_embedding`.
    """
    return learner.name.replace(f"-p{learner.pretrain_seed}", "", 1)


def why_not(config: Config, learner: Learner) -> str | None:
    """Why a learner of the sweep cannot draw maps; None for one that can."""
    if learner.method == NETWORK:
        return None
    if "embeddings" in config.maps.layers:
        return "it has no embeddings of its own, which maps.layers asks for"
    if learner.method in members(config.embeddings):
        return None
    own = set(OWN) & set(config.fewshot.options.get(learner.method, {}))
    if "features" in own:
        return "it knows features of the samples alone, and of no pixel of a map"
    if own or learner.method not in shipped():
        return "it is code of your own, which no model keeps"
    baseline = shipped()[learner.method]
    if baseline.gradient and baseline.network is None:
        return "its weights cannot be kept"
    return None
