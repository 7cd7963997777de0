"""What was run, in rows of a name and a value: the head of the page."""

from __future__ import annotations

from sitsformer.config import Config, expand
from sitsformer.embeddings import joined_learners, members
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.modelfiles import describe
from sitsformer.report import sections
from sitsformer.report.gather import Material
from sitsformer.samples import SPLITS, about, open_samples
from sitsformer.sensors import recorded, said
from sitsformer.training.objectives import SCRATCH, losses, objectives, starts


def rows(m: Material) -> list[tuple[str, str]]:
    """What was run, as name and value."""
    c = m.config
    rows = []
    for role, name in (("Pretrained on", c.pretrain.set), ("Tested on", c.fewshot.set)):
        store = open_samples(m.stores[name])
        common = about(store)
        counts = [int((store.split.values == k).sum()) for k in range(len(SPLITS))]
        places = ", ".join(
            f"{area} ({year})" for area, year in zip(common.areas, common.years, strict=True)
        )
        text = (
            f"{sum(counts):,} samples of the set {name}"
            + (f" from {places}" if places else "")
            # A converted table has no label product: its layer is just called `label`.
            + ("" if common.label == "label" else f", labels {common.label}")
            + ": "
            + ", ".join(f"{n:,} {part}" for part, n in zip(SPLITS, counts, strict=True))
        )
        rows.append((role, text))
    rows.append(("Classes", ", ".join(common.classes.names)))
    if said(common.sensor):
        rows.append(("Images", f"{common.sensor.title}, pixels of {common.sensor.pixel} m"))
    if maps := sections.label_maps(m):
        rows.append(("Label maps", maps))
    shape = f"{c.model.layers} layers, hidden {c.model.hidden}, {c.model.heads} heads"
    patch = (
        f"patches of {c.patches.size} × {c.patches.size} px, at most {c.patches.max_length} dates"
    )
    rows.append(("Network", f"{shape}, {patch}"))
    rows.append(("Weights start from", _inits(c)))
    ways = [f"{name} ({adaptations()[name].title})" for name in c.fewshot.adaptations]
    rows.append(("Then it learns crops by", "; ".join(ways)))
    rows.append(("Compared", _sweep(c)))
    return rows


def rows_of_maps(m: Material) -> list[tuple[str, str]]:
    """The same of a run that only maps: the model that was given, and what it mapped."""
    c = m.config
    assert c.maps.model is not None, "a config without a sweep has a model"
    found = describe(expand(c.maps.model))
    learner, sensor = found.get("learner", {}), recorded(found)
    made = f"{learner['name']}, of {learner['shots']} labels a class" if learner else found["task"]
    places = (f"{name} ({c.areas[name].start} to {c.areas[name].end})" for name in c.maps.tiles)
    return [
        ("Model", f"{c.maps.model}: {made}"),
        ("Mapped", ", ".join(places)),
        ("Classes", ", ".join(found["classes"])),
        ("Images", f"{sensor.title}, bands {', '.join(found['bands'])}"),
    ]


def _inits(config: Config) -> str:
    """What the weights of the network start from, and what each objective of pretraining asks."""
    found = []
    for name in config.fewshot.inits:
        objective = objectives().get(name)
        if objective is None:
            found.append(starts()[name].title)
            continue
        asked = " + ".join(losses()[loss].title for loss in objective.losses)
        found.append(f"{name} ({asked})")
    return "; ".join(found)


def _sweep(config: Config) -> str:
    few, runs = config.fewshot, len(config.pretrain.seeds)
    shots = ", ".join(map(str, few.shots))
    return (
        f"the network and {_others(config)}, with {shots} labelled samples "
        f"a class (shots), {_count(few.seeds, 'random choice')} of them each (draws), "
        f"{_count(runs, 'pretraining run')} an objective"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _others(config: Config) -> str:
    """How many methods take part beside the network."""
    known = members(config.embeddings)
    alone = len(known) - len(joined_learners(known))
    pretrained = sum(init != SCRATCH.name for init in config.fewshot.inits)
    embedded = alone + len(joined_learners(known)) * pretrained
    baselines = _count(len(config.fewshot.baselines) - alone, "baseline")
    if config.fewshot.controls:
        baselines += f", {_count(len(config.fewshot.controls), 'control')}"
    if not embedded:
        return baselines
    return f"{baselines} and {embedded} learner{'s' * (embedded > 1)} of embeddings"
