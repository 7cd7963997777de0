"""The figures of a run, drawn from its artefacts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from sitsformer import plots
from sitsformer.classes import Classes
from sitsformer.cube import layer_values, open_cube
from sitsformer.errors import SitsError
from sitsformer.plots import data, results, style, training
from sitsformer.report.gather import Material
from sitsformer.samples import Samples, about, labelled, load_samples, open_samples
from sitsformer.samples.onmap import label_map
from sitsformer.training.objectives import objectives

if TYPE_CHECKING:
    import xarray as xr

    from sitsformer.config import Split

_Item = TypeVar("_Item")

CUBES = 12
"""Cubes that NDVI curves are made from at most, spread evenly over all."""

TILES = 60
"""Tiles of the table of clear observations at most."""

EXAMPLES = 4
"""Samples whose reconstruction is shown."""

POINTS = 600
"""Test samples of the embedding at most."""


def draw_figures(material: Material) -> dict[str, str]:
    """SVG of every figure that the config gives, by name."""
    return {name: _DRAW[name](material) for name in plots.names(material.config)}


def _classes(material: Material) -> Classes:
    return about(open_samples(material.fewshot_store)).classes


def _label_efficiency(m: Material) -> str:
    return style.render("label_efficiency", results.label_efficiency, m.tables["summary"])


def _differences(m: Material) -> str:
    return style.render("differences", results.differences, m.tables["differences"])


def _per_class(m: Material) -> str:
    return style.render(
        "per_class", results.per_class, m.tables["per_class"], m.tables["summary"],
        _classes(m),
    )  # fmt: skip


def _confusion(m: Material) -> str:
    return style.render(
        "confusion", results.confusion, m.tables["confusion"], m.tables["summary"],
        _classes(m).names,
    )  # fmt: skip


def _calibration(m: Material) -> str:
    wanted = (m.tables[name] for name in ("reliability", "summary", "conformal"))
    return style.render("calibration", results.calibration, *wanted)


def _spread(items: tuple[_Item, ...], count: int) -> list[_Item]:
    """At most `count` of the items, evenly over all."""
    places = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).astype(int))
    return [items[i] for i in places]


def _phenology(m: Material) -> str:
    chosen = m.config.sets[m.config.fewshot.set]
    layer, classes = str(chosen.label), _classes(m)
    cubes = tuple(path for path in m.cubes if path.parent.name in chosen.areas)
    frames = []
    for path in _spread(cubes, CUBES):
        cube = open_cube(path)
        if layer in m.config.labels:
            label = label_map(m.fewshot_store, cube)
        elif layer in cube:
            label = classes.index(layer_values(cube[layer]))
        else:
            continue
        frames.append(data.ndvi_samples(cube, label, m.config.patches.clear_score))
    if not frames:
        raise SitsError(
            f"no cube of the set {m.config.fewshot.set!r} with the labels {layer} is among the "
            f"artefacts, in a folder of the name of its area ({', '.join(chosen.areas)})"
        )
    return style.render("phenology", data.phenology, pd.concat(frames), classes)


def _clear_observations(m: Material) -> str:
    counts = {}
    for path in _spread(m.cubes, TILES):
        cube = open_cube(path)
        name = f"{cube.attrs['area']} {cube.attrs['tile']}"
        counts[name] = data.clear_counts(cube, m.config.patches.clear_score)
    table = pd.DataFrame(counts).T.sort_index(axis=1)
    return style.render("clear_observations", data.clear_observations, table)


def _locations(m: Material) -> str:
    places = []
    for name in dict.fromkeys((m.config.pretrain.set, m.config.fewshot.set)):
        store = open_samples(m.stores[name])
        area = store.area.values
        areas = about(store).areas or (name,)
        for k, area_name in enumerate(areas):
            rows = area == k if len(areas) > 1 else np.ones(len(area), bool)
            title = name if area_name == name else f"{name}: {area_name}"
            columns = (store[key].values[rows] for key in ("lon", "lat", "split"))
            places.append(data.Places(title, *columns))
    return style.render("locations", data.locations, places[:9])


def _histories(m: Material) -> str:
    from sitsformer.modelstore import read_history

    runs = {name: pd.DataFrame(read_history(path)) for name, path in m.models.items()}
    return style.render("histories", training.histories, runs)


def _reconstruction(m: Material) -> str:
    filling = [name for name, objective in objectives().items() if objective.reconstructs]
    of = {name: name.partition("-")[0] for name in m.models}
    name = min((n for n in of if of[n] in filling), key=lambda n: (filling.index(of[n]), n))
    split = open_samples(m.pretrain_store).split.values
    part: Split = "validation" if (split == 1).any() else "train"
    samples = load_samples(m.pretrain_store, part, choose=_long)
    examples = reconstruct(m, name, samples)
    band = samples.bands[shown_band(samples)]
    return style.render("reconstruction", training.reconstruction, examples, name, band)


def _long(store: xr.Dataset, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Positions of a few long series, which show most; evenly, so that it is not one place."""
    steps = (store.doy.values[rows] > 0).sum(1)
    longest = np.argsort(-steps, kind="stable")[: max(EXAMPLES, len(rows) // 5)]
    return np.sort(np.asarray(_spread(tuple(longest.tolist()), EXAMPLES)))


def _some_labelled(store: xr.Dataset, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Positions of labelled samples, evenly among all."""
    found = np.flatnonzero(labelled(store, rows))
    return np.asarray(_spread(tuple(found.tolist()), POINTS), np.int64)


def shown_band(samples: Samples) -> int:
    """Position of the band whose reconstruction is shown: near infrared, or else the last one."""
    (infrared,) = samples.sensor.called("nir")
    return samples.bands.index(infrared) if infrared in samples.bands else len(samples.bands) - 1


def reconstruct(
    m: Material, name: str, samples: Samples
) -> list[dict[str, npt.NDArray[np.float64]]]:
    """Hide a part of some samples as in training, and let a model fill it in.

    Returns:
        For each sample `day`, `seen`, `truth`, `guess` of the shown band by date, reflectance.
    """
    import torch

    from sitsformer.model import masking
    from sitsformer.model.hiding import hide
    from sitsformer.model.steps import make_series, pack
    from sitsformer.modelstore import load_model
    from sitsformer.stored import SCALE

    model = load_model(m.models[name])
    band = shown_band(samples)
    middle = samples.reflectance.shape[-1] // 2
    mean, std = model.mean.numpy(), model.std.numpy()
    series = make_series(samples.reflectance, samples.doy, mean, std)
    rng = np.random.default_rng(0)
    found = []
    for i in range(len(samples)):
        steps = pack(series, np.array([i]))
        count = int(series.lengths[i])
        draw = masking.STRATEGIES[m.config.pretrain.mask]
        mask = draw(series.lengths[i : i + 1], len(mean), m.config.pretrain.mask_rate, rng)
        if mask.ndim == 2:
            # Whole bands are hidden: the one that is shown is among them.
            mask[:, band] = True
        with torch.inference_mode():
            guess = model.fill(steps, hide(steps.layout, mask, "cpu")).numpy()[:, band]
        truth = samples.reflectance[i, :count, band, middle, middle] * SCALE
        seen = ~(mask if mask.ndim == 1 else mask[:, band])
        found.append(
            {
                "day": samples.doy[i, :count].astype(np.float64),
                "seen": seen.astype(np.float64),
                "truth": truth.astype(np.float64),
                "guess": (guess * std[band] + mean[band]).astype(np.float64),
            }
        )
    return found


def _embedding(m: Material) -> str:
    samples = load_samples(m.fewshot_store, "test", choose=_some_labelled)
    seeds = {name.partition("-p")[2] for name in m.models}
    first = min(seeds)
    wanted = [f"{objective}-p{first}" for objective in m.config.pretrain.objectives]
    vectors = {name: encode(m, name, samples) for name in wanted if name in m.models}
    return style.render(
        "embedding", training.embedding, vectors, samples.label, samples.block, samples.classes
    )


def encode(m: Material, name: str, samples: Samples) -> npt.NDArray[np.float32]:
    """Pooled encodings (sample, width) of samples by a model, before any fine-tuning."""
    import torch

    from sitsformer.model.steps import make_series, pack
    from sitsformer.modelstore import load_model

    model = load_model(m.models[name])
    series = make_series(samples.reflectance, samples.doy, model.mean.numpy(), model.std.numpy())
    parts = []
    with torch.inference_mode():
        for start in range(0, len(samples), 256):
            index = np.arange(start, min(start + 256, len(samples)))
            steps = pack(series, index)
            parts.append(model.pool(model.encode(steps), steps.layout, steps.doy).numpy())
    return np.concatenate(parts)


_DRAW: dict[str, Callable[[Material], str]] = {
    "label_efficiency": _label_efficiency,
    "differences": _differences,
    "per_class": _per_class,
    "confusion": _confusion,
    "calibration": _calibration,
    "phenology": _phenology,
    "clear_observations": _clear_observations,
    "locations": _locations,
    "histories": _histories,
    "reconstruction": _reconstruction,
    "embedding": _embedding,
}
