"""The model artefact: weights, shape, statistics, classes, history and a card in one directory.

    model.safetensors   weights and band statistics
    config.json         architecture, names of bands and classes, format version
    history.csv         one line an epoch
    README.md           the model card
    provenance.json     what made it, and a checksum of every file

`load_model(path)` gives a network that predicts from raw samples:

    model = sitsformer.load_model("results/models/crop")
    probabilities = model.predict(reflectance, doy)  # (sample, class)
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from sitsformer import artefacts
from sitsformer.classes import Classes
from sitsformer.errors import SitsError
from sitsformer.model import Architecture, SITSFormer
from sitsformer.modelfiles import (
    CONFIG,
    FORMAT,
    KNOWING,
    describe,
    refuse_damaged,
    refuse_no_network,
)
from sitsformer.sensors import Sensor, recorded, refuse_other, said

WEIGHTS, HISTORY, CARD = "model.safetensors", "history.csv", "README.md"
KIND = "model"


@dataclass(frozen=True)
class Origin:
    """What a model was made from, for its card and its record.

    Attributes:
        task: the objective of pretraining, or `classification`.
        data: lines on areas, seasons, label products, numbers of samples.
        config: config values that made it.
        inputs: artefacts it was made from, by role.
        seed: seed of the run.
        metrics: results by name.
        classes: that the model tells apart.
        layer: label layer that the classes are of.
        patches: section `patches` of the config: what its samples look like.
        learner: who of the sweep it is that draws maps with it, and why (`maplearner.py`).
        knows: pretrained model whose land cover its predictions are weighed by in maps.
    """

    task: str
    data: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    seed: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    classes: Classes = field(default_factory=Classes)
    layer: str = ""
    patches: Mapping[str, Any] = field(default_factory=dict)
    learner: Mapping[str, Any] = field(default_factory=dict)
    knows: Path | None = None


def save_model(
    path: Path, model: SITSFormer, origin: Origin, history: Sequence[Mapping[str, float]] = ()
) -> None:
    """Write a model artefact, whole or not at all.

    Args:
        path: directory of the artefact.
        model: weights, statistics, names.
        origin: what made it.
        history: lines of `training.fit`.
    """
    from safetensors.torch import save_file

    with artefacts.create(
        path, KIND, config=origin.config, inputs=origin.inputs, seed=origin.seed
    ) as folder:
        tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
        save_file(tensors, folder / WEIGHTS)
        (folder / CONFIG).write_text(json.dumps(_description(model, origin), indent=1) + "\n")
        _write_history(folder / HISTORY, history)
        (folder / CARD).write_text(_card(model, origin, history), encoding="utf-8")
        if origin.knows is not None:
            shutil.copytree(origin.knows, folder / KNOWING)


def _description(model: SITSFormer, origin: Origin) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "task": origin.task,
        "architecture": asdict(model.architecture),
        **said(_sensor(model)),
        "bands": list(model.bands),
        "mean": model.mean.tolist(),
        "std": model.std.tolist(),
        "classes": list(model.class_names),
        **described(origin),
    }


def described(origin: Origin) -> dict[str, Any]:
    """What a `config.json` says of where a model comes from."""
    return {
        "class_colours": list(origin.classes.colours),
        "class_codes": [list(codes) for codes in origin.classes.codes],
        "layer": origin.layer,
        "patches": dict(origin.patches),
        "data": dict(origin.data),
        "metrics": dict(origin.metrics),
        **({"learner": dict(origin.learner)} if origin.learner else {}),
    }


def _sensor(model: SITSFormer) -> Sensor:
    return recorded({"sensor": model.sensor} if model.sensor else {})


def _write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    names = list(dict.fromkeys(name for row in history for name in row))
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(history)


def read_history(path: Path) -> list[dict[str, float]]:
    """History of a model artefact, one mapping an epoch.

    Raises:
        SitsError: the model is damaged.
    """
    refuse_damaged(path)
    with (path / HISTORY).open(newline="") as stream:
        rows = csv.DictReader(stream)
        return [{k: float(v) for k, v in row.items() if v} for row in rows]


def refuse_other_start(path: Path, objective: str, seed: int) -> None:
    """Refuse a model that is known to be another than a learner is to start from.

    Args:
        path: of the model; one that was converted says nothing of these, and passes.
        objective: it should have been pretrained with.
        seed: of that pretraining; -1: whichever it is.

    Raises:
        SitsError: it was pretrained with another objective or seed, or is fine-tuned.
    """
    config = artefacts.read(path)["config"] if artefacts.has_record(path) else {}
    found = config.get("objective", objective), seed if seed < 0 else config.get("seed", seed)
    if "fewshot" in config:
        raise SitsError(f"{path} is a fine-tuned model; give one that `sitsformer pretrain` wrote")
    if found != (objective, seed):
        raise SitsError(
            f"{path} was pretrained with the objective {found[0]} and the seed {found[1]}; asked "
            f"for are {objective} and {seed}: give that model"
        )


def load_model(
    path: Path | str,
    *,
    bands: Sequence[str] | None = None,
    patch: int | None = None,
    sensor: Sensor | None = None,
    device: str = "cpu",
) -> SITSFormer:
    """Read a model that is ready to predict.

    Args:
        path: the model artefact.
        bands: names of the bands that will be fed; checked against the model's.
        patch: side of the patches that will be fed; checked against the model's.
        sensor: of the images that will be fed; checked against the model's.
        device: `cpu` or `cuda`.

    Returns:
        The model in evaluation mode.

    Raises:
        SitsError: another sensor, bands or patch size, damaged or missing files, a future format.
    """
    path = Path(path)
    found = describe(path)
    refuse_no_network(path, found)
    known = {item.name for item in fields(Architecture)}
    # Models older than the decoder and the projection have none.
    shape = {"decoder": False, "projection": False, **found["architecture"]}
    if set(shape) != known:
        raise SitsError(f"{path / CONFIG}: the architecture needs the keys {sorted(known)}")
    own = recorded(found)
    if sensor is not None:
        refuse_other(path, own, sensor)
    if bands is not None and tuple(bands) != tuple(found["bands"]):
        raise SitsError(f"{path} reads the bands {found['bands']}; found {list(bands)}")
    if patch is not None and patch != shape["patch"]:
        raise SitsError(
            f"{path} reads patches of {shape['patch']} x {shape['patch']} pixels; found "
            f"{patch} x {patch}: set patches.size to {shape['patch']}, or train for {patch}"
        )
    model = SITSFormer(
        Architecture(**shape), found["mean"], found["std"], found["bands"], found["classes"],
        own.name,
    )  # fmt: skip
    _load_weights(path / WEIGHTS, model)
    return model.to(torch.device(device)).eval()


def _load_weights(path: Path, model: SITSFormer) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise SitsError(f"{path} is damaged: {error}") from None
    wanted = model.state_dict()
    for name in sorted(set(wanted) | set(tensors)):
        if name not in tensors or name not in wanted:
            what = "lacks" if name not in tensors else "has the unknown"
            raise SitsError(f"{path} {what} tensor {name}: it does not fit its {CONFIG}")
        if wanted[name].shape != tensors[name].shape:
            raise SitsError(
                f"{path}: tensor {name} is {tuple(tensors[name].shape)}, "
                f"expected {tuple(wanted[name].shape)} by {CONFIG}"
            )
    model.load_state_dict(tensors)


def _card(model: SITSFormer, origin: Origin, history: Sequence[Mapping[str, float]]) -> str:
    a = model.architecture
    lines = [
        f"# SITS-Former, {origin.task}",
        "",
        f"Reads series of {a.patch} x {a.patch} pixel patches of {_sensor(model).title} surface "
        f"reflectance, bands {', '.join(model.bands)}, with the day of year of each step.",
        "",
        f"- Encoder: {a.layers} layers, hidden {a.hidden}, {a.heads} heads, {a.norm}-norm; "
        f"embedding {a.embedding}; pooling {a.pooling}.",
        f"- Seed {origin.seed}; {len(history)} epochs.",
        f"- Classes: {', '.join(model.class_names) or 'none'}.",
        "",
        "## Data",
        "",
        *(f"- {name}: {value}" for name, value in origin.data.items()),
        "",
        "## Results",
        "",
        *(f"- {name}: {value:.4g}" for name, value in origin.metrics.items()),
        "",
        "## Use",
        "",
        "    import sitsformer",
        '    model = sitsformer.load_model("path/of/this/directory")',
        "    probabilities = model.predict(reflectance, doy)",
        "",
        "Normalisation is part of the model: feed reflectance (floats, NaN = missing) or stored "
        "integers (reflectance x 10,000, 65535 = missing). It was trained on the seasons and areas "
        "above and should not be trusted far from them without a test.",
        "",
    ]
    return "\n".join(lines)
