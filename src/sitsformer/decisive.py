"""What of a config decides the outputs of each stage: the values that its rule takes as `params`.

Snakemake runs a job again when one of them differs from what made its outputs. Each function gives
the settings of one stage, nested as in the config and without what changes nothing in its result:
where a job runs and with how much memory, keys that belong to another source, objective or learner,
and keys that another key idles (the decay of a schedule that has none). Names and order of files
are no settings: Snakemake knows the inputs of a job itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sitsformer.baselines import OWN, shipped
from sitsformer.config import Config, Recipe
from sitsformer.config.checks import label_learners
from sitsformer.config.learners import map_learners
from sitsformer.embeddings import members
from sitsformer.fewshot import NETWORK, Learner
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.sensors import DEFAULT, sensor_of
from sitsformer.sources import source_of
from sitsformer.surveys.tables import ENDINGS as TABLES
from sitsformer.training.objectives import SCRATCH, objectives

Settings = dict[str, Any]
"""Values of a config, nested as there."""

WHERE_IT_RUNS = {
    "patches": {"memory_gb", "scheduler"},
    "pretrain": {"loader", "checkpoint_every", "graphs"},
}
"""Keys of sections that say how a job is run, not what it makes."""

_SPLIT_KEYS = {
    "block": ("fractions", "seed"),
    "group": ("fractions", "seed"),
    "area": ("train", "validation", "test"),
    "year": ("train", "validation", "test"),
    "polygons": (),
}
"""How samples are kept apart -> keys that give them to splits; polygons stand in a file."""

_CLOUD_KEYS = {
    "scl": ("band", "scl_clear"),
    "bits": ("band", "bits"),
    "mask": ("band", "mask_clear"),
    "probability": ("band", "probability_max"),
    "simple": ("blue_max", "swir_min"),
    "none": (),
}

_STEPS = ("steps", "passes", "batch_size", "learning_rates", "label_smoothing")


def cube(config: Config, area_name: str) -> Settings:
    """Of a cube of an area; of its outline only what the source looks at beside the tiles."""
    area = config.areas[area_name]
    source = source_of(area)
    outline = set() if source.outline else {"bounds", "geometry"}
    values = area.model_dump(mode="json", exclude={"tiles": {"count", "seed"}, **_all(outline)})
    values["labels"] = sorted(values["labels"])
    if values["sensor"] == DEFAULT:  # as cubes have it that were made before there were others
        del values["sensor"]
    # The empty section of another source is among the values of `rasters` alone, which was first.
    values = {key: value for key, value in values.items() if key != "stac" or value is not None}
    section = values.get(source.name)
    if source.section == "area" and section is not None:
        section = {key: section[key] for key in source.decisive or section}
        clouds = section.get("clouds")
        if clouds is not None:
            section["clouds"] = {key: clouds[key] for key in ("by", *_CLOUD_KEYS[clouds["by"]])}
        values[source.name] = section
    return {"area": values, **source.settings(config)}


def embeddings(config: Config, layer: str, area_name: str) -> Settings:
    """Of the embeddings of a tile: from where, and of which year."""
    area, chosen = config.areas[area_name], config.embeddings[layer]
    found: Settings = {
        "size": area.tiles.size,
        "pixel": sensor_of(area).pixel,
        "raster": bool(chosen.rasters),
    }
    if not chosen.rasters:
        found |= {"year": area.season_year, "product": layer}
    return {"embeddings": found}


def patches(config: Config, set_name: str) -> Settings:
    """Of a tile store of a set: what a sample looks like, which are drawn."""
    chosen = config.sets[set_name]
    values = chosen.model_dump(mode="json", exclude={"areas", "store", "split"})
    if chosen.per_tile == "all":
        del values["quota"]
    # The merge gives samples to splits; the cutting keeps their patches within one.
    values["split"] = {"by": chosen.split.by, "block": chosen.split.block}
    return {"set": values, "patches": _patches(config), **_survey(config, set_name)}


def merge(config: Config, set_name: str) -> Settings:
    """Of a sample store: how its samples are kept apart, which classes of a survey are too rare."""
    split = config.sets[set_name].split
    values = split.model_dump(mode="json", include={"by", *_SPLIT_KEYS[split.by]})
    parts = {"train", "validation", "test"} & set(values)
    values |= {part: sorted(values[part]) for part in parts}
    return {"split": values, **_survey(config, set_name)}


def pretrain(config: Config, objective: str) -> Settings:
    """Of a model pretrained on an objective."""
    section, of = config.pretrain.of(objective), objectives()[objective]
    others = {"set", "overlap", "objectives", "seeds", "weights", *WHERE_IT_RUNS["pretrain"]}
    others.add("published")
    if not of.hides or of.views:
        others |= {"mask", "mask_rate", "decoder"}
    if not of.labelled:
        others.add("class_balanced")
    values = section.model_dump(mode="json", exclude=others)
    values |= {"recipe": _recipe(section.recipe), "weights": section.losses(objective)}
    return {"model": config.model.model_dump(mode="json"), "pretrain": values}


def finetune(config: Config, learner: Learner) -> Settings:
    """Of the cells of a network: its size where no pretrained model gives it, and the recipe."""
    values = _sweep(config, learner)
    if learner.init == SCRATCH.name:
        values["model"] = config.model.model_dump(mode="json")
    return values


def baseline(config: Config, learner: Learner) -> Settings:
    """Of the cells of a baseline: its options, and the recipe where it is trained in steps."""
    name = learner.method
    member = members(config.embeddings).get(name)
    if member is not None:
        own = {"embeddings": member.layer, "learner": member.kind.name}
        return {**_sweep(config, learner), "options": own}
    given = config.fewshot.options.get(name, {})
    ships = None if set(OWN) & set(given) else shipped().get(name)
    defaults = {key: option.default for key, option in ships.options.items()} if ships else {}
    options = {key: value for key, value in given.items() if key not in OWN}
    return {**_sweep(config, learner), "options": defaults | options}


def in_steps(config: Config, learner: Learner) -> bool:
    """Whether a learner is trained in steps, and depends on what the config says of them."""
    if learner.method == NETWORK:
        return adaptations()[learner.adaptation].gradient
    name = learner.method
    options = config.fewshot.options.get(name, {})
    if "features" in options or name in members(config.embeddings):
        return False
    # What is in a file of the user's is not known before it is run.
    return "file" in options or name not in shipped() or shipped()[name].gradient


def crop_model(config: Config) -> Settings:
    """Of the model of the maps: what its learner takes; of several, who they are.

    What they take decides their cells, which the choice is made by.
    """
    among = map_learners(config)
    values: Settings = {"shots": str(config.maps.shots)}
    if len(among) > 1:
        return values | {"among": sorted(one.name for one in among)}
    for one in among:
        own = finetune(config, one) if one.method == NETWORK else baseline(config, one)
        values |= {"learner": one.name, "settings": own}
    return values


def evaluate(config: Config) -> Settings:
    """Of the tables: intervals, and what every claim is about and has to say."""
    overlap = config.pretrain.overlap
    return {
        "evaluation": config.evaluation.model_dump(mode="json"),
        "claims": {
            "adaptation": config.fewshot.adaptations[0],
            "overlap": overlap,
            "land_cover": overlap != "none" and bool(label_learners(config)),
        },
        **({"embeddings": sorted(members(config.embeddings))} if config.embeddings else {}),
    }


def mapping(config: Config) -> Settings:
    """Of the map of a tile."""
    return {
        "maps": config.maps.model_dump(mode="json", include={"batch_size", "mask", "layers"})
        # Maps of before it could be chosen are those of its default.
        | config.maps.model_dump(
            mode="json", include={"precision", "within"}, exclude_defaults=True
        )
        | _outlines(config),
        "patches": _patches(config),
    }


def _outlines(config: Config) -> Settings:
    """Of the mapped areas, where maps end there; files are inputs of their rule."""
    if config.maps.within == "tiles":
        return {}
    keys = {"bounds", "geometry"}
    given = {name: config.areas[name] for name in sorted(config.maps.tiles)}
    found = {name: area.model_dump(mode="json", include=keys) for name, area in given.items()}
    return {"outlines": found}


def mosaic(config: Config) -> Settings:
    """Of the map of an area and the areas of crops on it."""
    return {
        "evaluation": {"level": config.evaluation.level},
        "maps": {"visits": config.maps.visits},
    }


def report(config: Config) -> Settings:
    """Of the page: what it takes from the config itself, beside what its inputs are made of."""
    if not config.learns:
        seasons = {name: config.areas[name] for name in sorted(config.maps.tiles)}
        return {
            "evaluation": {"level": config.evaluation.level},
            "areas": {k: f"{area.start} to {area.end}" for k, area in seasons.items()},
        }
    sweep, learned = config.fewshot, config.pretrain
    return {
        "evaluation": {"level": config.evaluation.level},
        "model": config.model.model_dump(mode="json", include={"layers", "hidden", "heads"}),
        "patches": _patches(config),
        "pretrain": {
            "set": learned.set,
            "overlap": learned.overlap,
            "objectives": sorted(learned.objectives),
            "seeds": len(learned.seeds),
            "mask": learned.mask,
            "mask_rate": learned.mask_rate,
        },
        "fewshot": {
            "set": sweep.set,
            "inits": sorted(sweep.inits),
            "adaptations": sorted(sweep.adaptations),
            "first": sweep.adaptations[0],
            "baselines": sorted(sweep.baselines),
            "controls": sorted(sweep.controls),
            "shots": sorted(map(str, sweep.shots)),
            "seeds": sweep.seeds,
        },
        "label": config.sets[sweep.set].label,
        # Nothing at all in configs without: an older version's pages stay as they are.
        **({"embeddings": sorted(config.embeddings)} if config.embeddings else {}),
    }


def leaves(values: Any, prefix: str = "") -> list[str]:
    """`key=value` of every leaf of nested config values: the form in which rules take params."""
    if isinstance(values, dict):
        items = values.items()
    elif isinstance(values, (list, tuple)) and any(isinstance(item, dict) for item in values):
        items = enumerate(values)  # type: ignore[assignment]
    else:
        return [f"{prefix}={values}"]
    return [
        leaf
        for key, item in items
        for leaf in leaves(item, f"{prefix}.{key}" if prefix else str(key))
    ]


def _all(keys: set[str]) -> dict[str, bool]:
    """Keys to leave out whole, beside others of which a part is left out."""
    return dict.fromkeys(keys, True)


def _survey(config: Config, set_name: str) -> Settings:
    """The survey that a set has its labels from; nothing where they are in the cubes."""
    chosen = config.sets[set_name]
    survey = config.labels.get(str(chosen.label))
    if survey is None:
        return {}
    values = survey.model_dump(mode="json", exclude={"path"})
    # Columns of coordinates are of tables, and layers of what is none.
    table = Path(survey.path).suffix.lower() in TABLES
    values |= dict.fromkeys(("layer",) if table else ("lon", "lat"))
    if survey.erode is None and chosen.areas:
        values["erode"] = float(max(sensor_of(config.areas[name]).pixel for name in chosen.areas))
    return {"labels": values}


def _patches(config: Config) -> Settings:
    return config.patches.model_dump(mode="json", exclude=WHERE_IT_RUNS["patches"])


def _sweep(config: Config, learner: Learner) -> Settings:
    """What learners take from the sweep: validation samples, and the recipe if they have steps."""
    section = config.fewshot
    # Without a pretrained model there is no land cover to refine by.
    known = learner.init != SCRATCH.name and objectives()[learner.init].classifies
    refine = [name for name in sorted(section.refine) if known or name != "land_cover"]
    # Nothing at all in configs without: their cells are as they were before weights were used.
    survey = config.labels.get(str(config.sets[section.set].label)) if section.set else None
    weighted = {"weighted": True} if survey is not None and survey.weight is not None else {}
    if not in_steps(config, learner):
        wanted = {"validation"} | ({"augment"} if _augments(learner) else set())
        values = section.model_dump(mode="json", include=wanted)
        return {"fewshot": values | {"refine": refine, **weighted}}
    values = section.model_dump(mode="json", include={"validation", "augment", *_STEPS})
    values |= {"refine": refine, **weighted}
    return {"fewshot": values | {"recipe": _recipe(section.recipe)}}


def _augments(learner: Learner) -> bool:
    return learner.method == NETWORK and adaptations()[learner.adaptation].augments


def _recipe(recipe: Recipe) -> Settings:
    """A recipe without the keys that its optimiser or schedule does not look at."""
    idle = {"l2"} if recipe.optimiser == "adamw" else {"weight_decay"}
    if getattr(recipe, "schedule", None) != "exponential":
        idle |= {"decay", "hold"}
    return recipe.model_dump(mode="json", exclude=idle)
