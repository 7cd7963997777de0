"""Mistakes that no section of the config can see alone, each as `path.of.key: message`.

`cross_checks` refuses what no command can use. `outlook` tells what the workflow as a whole cannot
end well with, though a single stage may: it is asked before the first job.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sitsformer.baselines import NETWORK, OWN, shipped
from sitsformer.baselines.baseline import unknown_baseline
from sitsformer.config.areas import Area
from sitsformer.config.base import Split
from sitsformer.config.embeddings import embedding_checks
from sitsformer.config.learning import FewShot
from sitsformer.config.outcome import AUTO
from sitsformer.config.sensing import sensor_checks
from sitsformer.config.sets import PARTS, SampleSet
from sitsformer.embeddings import members, of_products
from sitsformer.labels import confidence_layers, products
from sitsformer.labels.product import TAKEN
from sitsformer.sensors import sensor_of
from sitsformer.sources import source_of
from sitsformer.training.objectives import SCRATCH, objectives

if TYPE_CHECKING:
    from sitsformer.config import Config


def cross_checks(config: Config) -> Iterator[str]:
    """Every mistake between sections."""
    for key, names in (("areas", config.areas), ("labels", config.labels), ("sets", config.sets)):
        yield from _alike(key, names)
    for name in config.labels:
        yield from _survey_name(name, config)
    for name, sample_set in config.sets.items():
        yield from _set_checks(f"sets.{name}", sample_set, config)
    if config.learns:
        yield from _sets(config)
        yield from _learners(config)
        yield from _baselines(config.fewshot, members(config.embeddings))
        yield from _controls(config)
    yield from embedding_checks(config)
    yield from _maps(config)
    yield from sensor_checks(config)


def _sets(config: Config) -> Iterator[str]:
    """What is learned from."""
    if not config.sets:
        yield "sets: this key must be given (only beside maps.model there may be no set)"
    for section in ("pretrain", "fewshot"):
        name = getattr(config, section).set
        if name:
            yield from _unknown(f"{section}.set", (name,), config.sets)
        else:
            yield f"{section}.set: this key must be given"


def outlook(config: Config) -> Iterator[str]:
    """What pretraining and the sweep ask of their sets and do not find."""
    if not config.learns:
        return
    for name, sample_set in config.sets.items():
        yield from _prospects(f"sets.{name}", sample_set, config)
    wanted: dict[str, dict[Split, str]] = {}
    wanted.setdefault(config.pretrain.set, {}).update(
        dict.fromkeys(("train", "validation"), "pretraining")
    )
    wanted.setdefault(config.fewshot.set, {}).update(
        {part: wanted.get(config.fewshot.set, {}).get(part, "the sweep") for part in PARTS}
    )
    for name, parts in wanted.items():
        sample_set = config.sets[name]
        if sample_set.store is not None:
            continue
        for part, who in parts.items():
            if not sample_set.split.has(part):
                shared = sample_set.split.by in ("block", "group")
                key = "fractions" if shared else part
                what = f"the share of {part} is 0" if shared else f"{part} lists nothing"
                yield f"sets.{name}.split.{key}: {what}, and {who} needs samples there"
        labels_matter = name == config.fewshot.set or label_learners(config)
        if labels_matter and sample_set.classes is not None and len(sample_set.classes) < 2:
            yield f"sets.{name}.classes: one class leaves nothing to tell apart; give two or more"


def label_learners(config: Config) -> list[str]:
    """Objectives that learn from land cover."""
    return [name for name in config.pretrain.objectives if objectives()[name].labelled]


def _learners(config: Config) -> Iterator[str]:
    sweep = config.fewshot
    for init in sweep.inits:
        if init != SCRATCH.name and init not in config.pretrain.objectives:
            yield (
                f"fewshot.inits: {init!r} is not pretrained; "
                f"pretrain.objectives has {list(config.pretrain.objectives)}"
            )
    if not sweep.inits:
        yield "fewshot.inits: the list is empty; the sweep needs one start of the network at least"


def _controls(config: Config) -> Iterator[str]:
    knowing = [init for init in config.fewshot.inits if init in label_learners(config)]
    if config.fewshot.controls and not knowing:
        yield (
            "fewshot.controls: no init of fewshot.inits knows land cover: add `dual` or `sl`, or "
            "leave the controls out"
        )


def _baselines(sweep: FewShot, embedded: Collection[str]) -> Iterator[str]:
    for name in sweep.baselines:
        own = name in embedded or set(OWN) & set(sweep.options.get(name, {}))
        if name == NETWORK:
            yield f"fewshot.baselines: {name!r} is the network's own name; choose another"
        elif name not in shipped() and not own:
            layer = of_products().get(name)
            yield (
                f"fewshot.baselines: {unknown_baseline(name)}"
                if layer is None
                else f"fewshot.baselines: {name!r} learns from embeddings, which the config does "
                f"not name: add `embeddings: {{{layer.layer}: {{}}}}`"
            )
        elif not own:
            yield from _lacking_options(name, sweep.options.get(name, {}))
    for name in sweep.controls:
        if name not in sweep.baselines:
            yield (
                f"fewshot.controls: {name!r} is not among fewshot.baselines {list(sweep.baselines)}"
            )
    if sweep.controls and "land_cover" not in sweep.refine:
        yield "fewshot.controls: baselines get land cover through fewshot.refine: [land_cover]"
    for name, options in sweep.options.items():
        path = f"fewshot.options.{name}"
        if name not in sweep.baselines:
            yield f"{path}: {name!r} is not among fewshot.baselines {list(sweep.baselines)}"
        elif "file" not in options:
            yield from _shipped_options(path, name, options)
        for key in OWN:
            value = options.get(key, "given")
            if not isinstance(value, str) or not value.strip():
                yield f"{path}.{key}: {value!r} is no path of a file"
        if set(OWN) <= set(options):
            yield f"{path}: give either file or features, not both"


def _lacking_options(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    """Options of a baseline that ships which have no default and are not given."""
    for key, option in shipped()[name].options.items():
        if option.default is None and key not in given:
            yield f"fewshot.options.{name}.{key}: {option.meaning}"


def _shipped_options(path: str, name: str, options: Mapping[str, Any]) -> Iterator[str]:
    """Options of a baseline that ships, or of one made of features."""
    ships = shipped().get(name)
    known = OWN if "features" in options else tuple(ships.options) if ships else ()
    for key, value in options.items():
        if key in OWN:
            continue
        if key not in known:
            yield f"{path}.{key}: unknown option; {name} takes {', '.join(known) or 'none'}"
        elif ships is not None and ships.options[key].default is None:
            if not isinstance(value, str) or not value.strip():
                yield f"{path}.{key}: {value!r} is no path of a file"
        elif isinstance(value, bool) or not isinstance(value, int) or value < 1:
            yield f"{path}.{key}: {value!r} is no whole number above 0"


def _maps(config: Config) -> Iterator[str]:
    yield from _unknown("maps.tiles", config.maps.tiles, config.areas)
    if not config.maps.tiles:
        if not config.learns:
            yield "maps.tiles: a config with maps.model alone maps areas; say which"
        return
    if config.learns and config.maps.model is None:
        yield from _map_learner(config)
    network = (("init", "inits"), ("adaptation", "adaptations"))
    own = network if config.maps.learner is None else ()
    for key, among in () if config.maps.model is not None else (*own, ("shots", "shots")):
        value, known = getattr(config.maps, key), getattr(config.fewshot, among)
        if value not in known:
            yield f"maps.{key}: {value!r} is not among fewshot.{among} {list(known)}"
    for name, wanted in config.maps.tiles.items():
        if wanted == ():
            yield f"maps.tiles.{name}: the list is empty; name tiles, a number of them, or `all`"
        area = config.areas.get(name)
        knowing = [item for item, product in products().items() if product.cropland]
        if config.maps.mask == "cropland" and area and not {*knowing} & {*area.labels}:
            yield (
                f"maps.mask: cropland needs the label layer {' or '.join(knowing)}, and "
                f"areas.{name}.labels has {list(area.labels)}; add it there, or set maps.mask: none"
            )


def _map_learner(config: Config) -> Iterator[str]:
    """A learner of the maps that nobody of the sweep is, or that cannot draw them."""
    from sitsformer.config.learners import arm_of, learners, map_learners, why_not

    if any(_controls(config)) or map_learners(config):
        return  # what controls lack is told by itself
    known = list(learners(config))
    asked = config.maps.learner
    for one in known:
        reason = why_not(config, one)
        if asked in (one.name, arm_of(one)) and reason is not None:
            yield f"maps.learner: {asked} cannot draw maps: {reason}; name another, or `auto`"
            return
    names = list(dict.fromkeys(arm_of(one) for one in known if why_not(config, one) is None))
    if asked == AUTO:
        yield "maps.learner: no learner of the sweep can draw maps; add one, or give maps.model"
    else:
        yield (
            f"maps.learner: no learner {asked!r} in the sweep; it has {', '.join(names)}, or `auto`"
        )


def _set_checks(path: str, sample_set: SampleSet, config: Config) -> Iterator[str]:
    areas = {name: config.areas[name] for name in sample_set.areas if name in config.areas}
    yield from _unknown(f"{path}.areas", sample_set.areas, config.areas)
    survey = sample_set.label in config.labels
    for name, area in areas.items():
        if not survey and sample_set.label not in area.labels:
            own = f", and `labels` has {sorted(config.labels)}" if config.labels else ""
            yield (
                f"{path}.label: unknown label {sample_set.label!r}: area {name!r} "
                f"has {sorted(area.labels)}{own}"
            )
    split = sample_set.split
    if survey and sample_set.purity > 1:
        yield (
            f"{path}.purity: {sample_set.purity} asks for labels around each pixel, and "
            f"labels.{sample_set.label} has them at its own pixels alone; leave it out (`erode` "
            "keeps off the borders of polygons)"
        )
    if split.by == "group" and survey and sample_set.unlabelled == "keep":
        yield (
            f"{path}.unlabelled: keep makes samples without a group, which a split by group cannot "
            "keep apart; drop them, or split by block"
        )
    if split.by == "group" and areas and not survey:
        yield (
            f"{path}.split.by: group needs labels that have groups, a survey under `labels`, and "
            f"{sample_set.label!r} is a map; split it by block"
        )
    if split.by == "area":
        for part in PARTS:
            yield from _unknown(f"{path}.split.{part}", getattr(split, part), sample_set.areas)


def _survey_name(name: str, config: Config) -> Iterator[str]:
    """Names of surveys that mean something else already."""
    layers = {layer for area in config.areas.values() for layer in area.labels}
    if name in layers | set(products()) | TAKEN:
        yield f"labels.{name}: {name!r} is a layer of cubes; give the survey another name"


def _prospects(path: str, sample_set: SampleSet, config: Config) -> Iterator[str]:
    """What a set asks of its areas and patches and cannot have."""
    areas = {name: config.areas[name] for name in sample_set.areas}
    split = sample_set.split
    smallest = max((config.patches.size * sensor_of(a).pixel for a in areas.values()), default=0)
    if split.by == "block" and split.block < smallest:
        yield (
            f"{path}.split.block: no patch of {config.patches.size} pixels fits into a block of "
            f"{split.block:g} m; use {smallest} m or more"
        )
    for name, area in areas.items():
        if sample_set.confidence and not _has_confidence(area):
            yield (
                f"{path}.confidence: needs a layer such as cdl_confidence, which area {name!r} has "
                "not (Earth Engine adds it to cdl; a rasters area needs a label of that name)"
            )
        days = (area.end - area.start).days
        dates = days // source_of(area).revisit(config) + 1
        if dates < config.patches.min_dates:
            yield (
                f"patches.min_dates: {config.patches.min_dates} dates asked for; the season of "
                f"areas.{name}, {area.start} to {area.end}, has {dates} at most"
            )
    if split.by == "year":
        years = sorted({str(area.start.year) for area in areas.values()})
        for part in PARTS:
            listed = getattr(split, part)
            yield from _unknown(f"{path}.split.{part}", listed, years)


def _has_confidence(area: Area) -> bool:
    made = {products()[name].confidence_layer for name in area.labels if name in products()}
    known = {layer for layer in confidence_layers() if layer in area.labels}
    return bool(known) or (source_of(area).confidences and bool(made - {None}))


def _unknown(path: str, names: Iterable[str], known: Collection[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f"{path}: unknown name {name!r}; known are {sorted(known)}"


def _alike(path: str, names: Iterable[str]) -> Iterator[str]:
    """Names that are one file on a disk without capitals."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            yield f"{path}: {other!r} and {name!r} would be one folder on some disks; rename one"
