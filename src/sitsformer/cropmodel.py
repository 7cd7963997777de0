"""The model of the maps: who draws them (`maplearner.py`), fitted once more and kept.

It learns from the draw of seed 0 of the training split alone, so that the test samples may correct
the areas of its map. Of the refinements of the sweep a map can have the land cover of the
pretrained model, pixel by pixel, where validation prefers that; smoothing and the crops nearby need
all samples beside each other, and are not offered.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sitsformer import artefacts, modelstore
from sitsformer.baselines import saved, savedembedded
from sitsformer.config import Config
from sitsformer.config.learners import arm_of
from sitsformer.embeddings import members
from sitsformer.errors import SitsError
from sitsformer.fewshot import NETWORK, Draw, Learner, draw_shots, validation_score
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.fewshot.kept import Kept
from sitsformer.fewshot.refine import LAND_COVER, crop_weights, weighed
from sitsformer.maplearner import Chosen, Score
from sitsformer.modelfiles import CONFIG, FORMAT, KNOWING
from sitsformer.registry import find
from sitsformer.sensors import said as said_sensor
from sitsformer.versions import STAGES

if TYPE_CHECKING:
    from sitsformer.config import Shots
    from sitsformer.fewshot.vectors import Rows
    from sitsformer.samples import Samples

logger = logging.getLogger("sitsformer")

SEED = 0
"""Of the draw that the model learns from, and of all that is random."""

Weights = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]


def make(
    config: Config,
    store: Path,
    chosen: Chosen,
    init: Path | None,
    out: Path,
    device: str = "cpu",
    checkpoint: Path | None = None,
    embedded: Path | None = None,
) -> None:
    """Fit who draws the maps, and write it as a model.

    Args:
        config: of the run.
        store: sample store of the sweep.
        chosen: who, and why.
        init: the pretrained model that it starts from, or whose land cover it is given.
        out: folder of the model.
        device: where networks run.
        checkpoint: folder where trainings are kept until the model is whole; another try goes on
            from there. None: nothing is kept.
        embedded: embeddings of the samples, where it learns from a layer of them.

    Raises:
        SitsError: the samples do not fit the pretrained model, or a training fails.
    """
    from sitsformer.samples import load_samples

    learner = chosen.learner
    if init is not None:
        seed = -1 if learner.init in config.pretrain.models else learner.pretrain_seed
        modelstore.refuse_other_start(init, learner.init, seed)
    network = learner.method == NETWORK
    # A network reads it without padding, others the pixels that they look at. Where a patch is a
    # pixel, what is made of it would be twice as large.
    samples = load_samples(store, reflectance=False)
    held = not network and samples.reflectance.shape[-1] == 1
    samples = load_samples(store) if held else samples
    patches = None if held else store
    work = _Work(
        config, store, samples, chosen, init, device, out.parent, patches, embedded=embedded
    )
    if checkpoint is not None:
        work = replace(work, kept=Kept(checkpoint, work.identity))
    (_network if network else _baseline)(work, out)
    if work.kept is not None:
        work.kept.remove()
    logger.info("%s draws the maps: %s", arm_of(learner), chosen.why)


@dataclass(frozen=True)
class _Work:
    """What a model of the maps is made of.

    Attributes:
        config: of the run.
        store: sample store of the sweep.
        samples: of the store.
        chosen: who, and why.
        init: the pretrained model that it starts from, or whose land cover it is given.
        device: where networks run.
        beside: folder for what is not held in memory, until it is no longer needed.
        patches: where the reflectance of the samples is read; None: they hold it.
        kept: trainings of an earlier try; None: nothing is kept.
        embedded: embeddings of the samples, where it learns from a layer of them.
    """

    config: Config
    store: Path
    samples: Samples
    chosen: Chosen
    init: Path | None
    device: str
    beside: Path
    patches: Path | None
    kept: Kept | None = None
    embedded: Path | None = None

    @property
    def learner(self) -> Learner:
        """Who."""
        return self.chosen.learner

    @property
    def shots(self) -> Shots:
        """Of the maps."""
        return self.config.maps.shots

    @property
    def inputs(self) -> dict[str, Path]:
        """Artefacts that it is made of, by role."""
        found = {"init": self.init, "embeddings": self.embedded}
        return {"samples": self.store} | {k: path for k, path in found.items() if path is not None}

    @property
    def made_with(self) -> dict[str, Any]:
        """Config values of its record."""
        others = {"shots", "seeds", "seeds_per_job", "inits", "adaptations"}
        others |= {"baselines", "controls"}
        return {
            "fewshot": self.config.fewshot.model_dump(mode="json", exclude=others),
            "model": self.config.model.model_dump(mode="json"),
        }

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides its trainings."""
        return {
            "config": self.made_with,
            "inputs": {role: artefacts.digest(path) for role, path in self.inputs.items()},
            "learner": self.learner.name,
            "shots": str(self.shots),
            "device": self.device,
            "stage": STAGES["crop_model"],
        }

    def origin(
        self, score: Score, weights: Weights | None, fitted: Mapping[str, Any], knows: Path | None
    ) -> modelstore.Origin:
        """What the model says of itself.

        Args:
            score: on validation samples.
            weights: what land cover says of each crop; None where it does not draw.
            fitted: title, choice and the like.
            knows: pretrained model whose land cover it is weighed by, kept beside a network.
        """
        from sitsformer.samples import about, open_samples

        refined: dict[str, Any] = {"refined": "none"}
        if weights is not None:
            refined = {"refined": LAND_COVER, "weights": weights.tolist()}
        return modelstore.Origin(
            "classification",
            {"samples": self.store.name, "learner": self.learner.name, "shots": str(self.shots)},
            self.made_with,
            self.inputs,
            SEED,
            metrics={
                "validation_balanced_accuracy": score[0],
                "validation_log_likelihood": score[1],
            },
            classes=self.samples.classes,
            layer=about(open_samples(self.store)).label,
            patches=self.config.patches.model_dump(
                mode="json", exclude={"memory_gb", "scheduler"}
            ),
            learner={
                "name": arm_of(self.learner), "method": self.learner.method,
                "why": self.chosen.why, "shots": str(self.shots),
                "asked": {name: list(one) for name, one in self.chosen.scores.items()},
                **fitted, **refined,
            },
            knows=knows,
        )  # fmt: skip


def _network(work: _Work, out: Path) -> None:
    from sitsformer.finetune import PREDICT_BATCH, Job, tune
    from sitsformer.model.prediction import probabilities
    from sitsformer.sampleseries import read_series

    config, samples = work.config, work.samples
    series = read_series(work.store, samples, work.init, work.device)
    job = Job(samples, series, work.init, config.model, config.fewshot, work.kept)
    adaptation = find(adaptations(), work.learner.adaptation, "adaptation")
    drawn, tuned = tune(job, adaptation, work.shots, SEED)
    found = probabilities(tuned.model, series, drawn.validation, PREDICT_BATCH)
    known = job.land_cover if LAND_COVER in config.fewshot.refine else None
    weights, score = _weights(found, samples, drawn, known)
    said = {"title": "network", "choice": dict(tuned.choice)}
    made = work.origin(score, weights, said, None if weights is None else work.init)
    modelstore.save_model(out, tuned.model.cpu(), made)


def _baseline(work: _Work, out: Path) -> None:
    import shutil

    settings, samples, init = work.config.fewshot, work.samples, work.init
    drawn = draw_shots(samples.label, samples.split, work.shots, SEED, settings.validation)
    features, known = _known(work)
    fitted = _fitted(work, drawn, features)
    found = fitted.predict(fitted.series.take(drawn.validation))
    weights, score = _weights(found, samples, drawn, known)
    made = work.origin(score, weights, fitted.about, None)
    description = {
        "format": FORMAT,
        "task": made.task,
        "architecture": {"patch": samples.reflectance.shape[-1]},
        "bands": list(samples.bands),
        **said_sensor(samples.sensor),
        "mean": fitted.statistics.mean.tolist(),
        "std": fitted.statistics.std.tolist(),
        "classes": list(samples.classes.names),
        **modelstore.described(made),
    }
    with artefacts.create(
        out, modelstore.KIND, config=made.config, inputs=made.inputs, seed=SEED
    ) as folder:
        (folder / CONFIG).write_text(json.dumps(description, indent=1) + "\n")
        saved.write(fitted, folder)
        (folder / modelstore.CARD).write_text(_card(description), encoding="utf-8")
        if init is not None and (weights is not None or work.learner.joins):
            shutil.copytree(init, folder / KNOWING)


def _weights(
    found: Floats, samples: Samples, drawn: Draw, known: Floats | None
) -> tuple[Weights | None, Score]:
    """What land cover says of each crop, where validation prefers that, and the score.

    Args:
        found: (validation sample, class) probabilities.
        samples: of the store.
        drawn: positions in them.
        known: (sample, land cover) probabilities; None: they are not offered.
    """
    truth = samples.label[drawn.validation]
    plain = validation_score(truth, found)
    if known is None:
        return None, plain
    label = samples.label[drawn.train]
    weights = crop_weights(label, drawn.train, known, found.shape[1])
    score = validation_score(truth, weighed(found, known[drawn.validation], weights))
    return (weights, score) if score > plain else (None, plain)


def _known(work: _Work) -> tuple[Rows | None, Floats | None]:
    """Features of a pretrained model that is joined, and land cover where that may refine."""
    from sitsformer.encoded import encoded
    from sitsformer.finetune import land_cover
    from sitsformer.sampleseries import read_series

    if work.init is None:
        return None, None
    wanted = LAND_COVER in work.config.fewshot.refine
    if not wanted and not work.learner.joins:
        return None, None
    series = None
    if work.patches is not None:
        series = read_series(work.patches, work.samples, work.init, work.device)
    if not work.learner.joins:
        return None, land_cover(work.init, work.samples, work.device, series)
    found = encoded(
        work.init, work.samples, work.device, land_cover=wanted, series=series, folder=work.beside
    )
    return found.features, found.land_cover


def _fitted(work: _Work, drawn: Draw, features: Rows | None) -> saved.Fitted:
    """A baseline, or who learns from embeddings, fitted to a draw.

    Args:
        work: what is made.
        drawn: positions of samples.
        features: of the encoder that is joined; None: there is none.
    """
    learner, samples, settings = work.learner, work.samples, work.config.fewshot
    member = members(work.config.embeddings).get(learner.method)
    if member is None:
        return saved.fit(
            samples, learner.method, drawn, SEED, settings, work.device, work.kept, work.patches
        )
    if work.embedded is None:
        raise SitsError(f"{learner.name} learns from {member.layer}: give its embeddings, too")
    return savedembedded.fit(
        samples, work.store, work.embedded, member, drawn, SEED, settings,
        name=learner.method, encoded=features, device=work.device, patches=work.patches,
    )  # fmt: skip


def _read(learner: Mapping[str, Any]) -> list[str]:
    """What a card says of the layer of embeddings that a learner reads, if it does."""
    layer = learner.get("embeddings")
    if layer is None:
        return []
    said = [layer[key] for key in ("collection", "license", "attribution") if key in layer]
    return [f"Reads the embeddings {layer['layer']}" + "".join(f"; {one}" for one in said), ""]


def _card(described: Mapping[str, Any]) -> str:
    learner = described["learner"]
    lines = [
        f"# {learner['title']}, for maps",
        "",
        *_read(learner),
        f"Reads series of {described['architecture']['patch']} x "
        f"{described['architecture']['patch']} pixel patches of Sentinel-2 surface reflectance, "
        f"bands {', '.join(described['bands'])}.",
        "",
        f"- Why: {learner['why']}.",
        f"- Settings: {json.dumps(learner['choice'])}; seed {learner['seed']}; refined by "
        f"{learner['refined']}.",
        f"- Classes: {', '.join(described['classes'])}.",
        *(f"- {name}: {value}" for name, value in described["data"].items()),
        *(f"- {name}: {value:.4g}" for name, value in described["metrics"].items()),
        "",
        "## Use",
        "",
        "    sitsformer map --model PATH/OF/THIS/DIRECTORY --cube TILE.zarr --out map.tif",
        "",
    ]
    return "\n".join(lines)
