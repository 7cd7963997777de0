"""The network, its pretraining, and the few-shot sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from sitsformer.baselines import by_default, shipped
from sitsformer.config.base import (
    NO_SET,
    AdaptationName,
    BaselineName,
    Init,
    LossName,
    ObjectiveName,
    Rate,
    Section,
    Seed,
    SetName,
    Shots,
)
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.registry import unknown
from sitsformer.training.objectives import comparisons, objectives

if TYPE_CHECKING:
    from sitsformer.model import Architecture
    from sitsformer.training.augment import Strength
    from sitsformer.training.classification import ClassifySettings
    from sitsformer.training.pretraining import PretrainSettings
    from sitsformer.training.recipe import Plan


class Model(Section):
    """Size of the transformer; defaults are SITS-Former's."""

    embedding: Literal["conv3d", "linear"] = "conv3d"
    """Patch embedding: 3-D convolutions, or one linear layer over all values of the patch."""
    hidden: int = Field(256, ge=8, le=8192, multiple_of=2)
    """Width of the encoder."""
    layers: int = Field(3, ge=1, le=100)
    """Encoder layers."""
    heads: int = Field(8, ge=1)
    """Attention heads; divide `hidden`."""
    feedforward: int | None = Field(None, ge=1, le=65_536)
    """Width of the feed-forward layer; default 4 x `hidden`."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of activations set to zero while training."""
    attention_dropout: float | None = Field(None, ge=0, lt=1)
    """Dropout of the attention weights; default: as `dropout`. 0 trains faster."""
    norm: Literal["post", "pre"] = "post"
    """Layer norm after (SITS-Former) or before each block."""
    pooling: Literal["max", "mean", "mean_max", "seasons"] = "max"
    """Pooling over valid time steps for classification; `seasons`: mean, largest, and a mean around
    each of ten days of the year."""

    @model_validator(mode="after")
    def _check(self) -> Model:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} must be a multiple of heads {self.heads}")
        return self

    def architecture(
        self,
        *,
        bands: int,
        patch: int,
        classes: int = 0,
        decoder: bool = False,
        projection: bool = False,
    ) -> Architecture:
        """Shape of a network for samples of so many bands and pixels along a side."""
        from sitsformer.model import Architecture

        attention = self.dropout if self.attention_dropout is None else self.attention_dropout
        return self.made(
            Architecture,
            bands=bands,
            patch=patch,
            classes=classes,
            decoder=decoder,
            projection=projection,
            feedforward=self.feedforward or 0,
            attention_dropout=attention,
        )


class Recipe(Section):
    """What every training recipe has."""

    optimiser: Literal["adam", "adamw"] = "adamw"
    """Adam, or Adam with decoupled weight decay."""
    weight_decay: float = Field(0.01, ge=0)
    """Only for `adamw`."""
    l2: float = Field(0.0, ge=0)
    """Only for `adam`: this times each weight is added to its gradient."""
    warmup: float = Field(0.1, ge=0, le=1)
    """Share of the steps with a linearly growing learning rate."""
    clip: float | None = Field(5.0, gt=0)
    """Largest gradient norm; null: any."""
    precision: Literal["float32", "bf16"] = "float32"
    """`bf16`: mixed precision, for GPUs (slower than `float32` on most CPUs)."""

    @model_validator(mode="after")
    def _of_its_optimiser(self) -> Self:
        if self.l2 and self.optimiser != "adam":
            raise ValueError(
                f"l2 {self.l2} is of optimiser: adam, and it is {self.optimiser}, which has "
                "weight_decay instead"
            )
        return self

    def plan(self, **others: Any) -> Plan:
        """Plan of a run by this recipe; others are fields that a recipe does not decide."""
        from sitsformer.training.recipe import Plan

        return self.made(Plan, **others)


class Tuning(Recipe):
    """The recipe of a cell of the sweep, whose learning rates are listed beside it."""

    schedule: Literal["cosine", "constant"] = "cosine"
    """Course of the learning rate after the warm-up."""


class Optimiser(Recipe):
    """A recipe of many epochs."""

    learning_rate: Rate = 1e-3
    """Largest learning rate."""
    schedule: Literal["cosine", "exponential", "constant"] = "cosine"
    """Course of the learning rate after the warm-up."""
    decay: float = Field(0.99, gt=0, le=1)
    """`exponential`: factor an epoch (SITS-Former: 0.99)."""
    hold: int = Field(0, ge=0)
    """`exponential`: the factor applies first after so many epochs and one (SITS-Former: 10)."""


class Augment(Section):
    """Changes made to a series each time it is trained on."""

    day_shift: int = Field(8, ge=0, le=366)
    """Largest shift of the whole series, days."""
    drop: float = Field(0.2, ge=0, lt=1)
    """Share of the time steps left out."""
    gain: float = Field(0.05, ge=0)
    """Standard deviation of a factor common to all values of a sample."""
    noise: float = Field(0.01, ge=0)
    """Standard deviation of a per-band shift, units of reflectance."""
    turn: bool = False
    """Flip and rotate patches."""

    def strength(self) -> Strength:
        """The same for the training loop."""
        from sitsformer.training.augment import Strength

        return self.made(Strength)


class Pretrain(Section):
    """Pretraining."""

    set: SetName = NO_SET
    """Sample set to learn from; must be given, unless the config only maps (`maps.model`)."""
    overlap: Literal["none", "series", "labels"] = "none"
    """What may be learned of the ground that the few-shot set tests on, in whatever year. `none`:
    nothing; `series`: its reflectances, so objectives `ssl` alone; `labels`: its land cover too.
    Anything but `none` is said beside every claim of the report."""
    objectives: tuple[ObjectiveName, ...] = Field(("ssl", "sl", "dual"), min_length=1)
    """`ssl` self-supervision, `sl` land cover, `dual` both; published ones are `sits_former` and
    `dual_sits_former` (docs/model.md); docs/extending.md adds others."""
    seeds: tuple[Seed, ...] = Field((0,), min_length=1)
    """One model is trained per objective and seed."""
    models: dict[ObjectiveName, str] = {}
    """Objective -> a pretrained model (folder) that is taken as it is instead of training one, as
    `dual: models/dual-p0` (docs/reuse.md). `$VAR` is expanded."""
    epochs: int = Field(50, ge=1)
    """Passes over the training split."""
    batch_size: int = Field(512, ge=2)
    """Samples a step, or of each batch that `accumulate` adds up."""
    recipe: Optimiser = Optimiser()
    published: bool = True
    """Objectives with the name of a publication are trained by its recipe and augmentation, not by
    `recipe` (but for its precision) and `augment`; false: like all others."""
    mask: Literal["steps", "spans", "bands"] = "steps"
    """What is hidden: whole time steps, runs of steps, or bands."""
    mask_rate: float = Field(0.3, gt=0, lt=1)
    """Share hidden."""
    decoder: Literal["none", "light"] = "none"
    """`light`: hidden steps are left out of the encoder and reconstructed by a small layer."""
    weights: dict[ObjectiveName, dict[LossName, Annotated[float, Field(ge=0)]]] = {}
    """Objective -> loss -> its weight, as `dual: {contrast: 0.5}`; default: the objective's own
    (docs/model.md)."""
    class_balanced: bool = False
    """Weigh land-cover classes inversely to their frequency."""
    augment: Augment = Augment(day_shift=0, drop=0, gain=0, noise=0)
    """Changes made to the series; default: none."""
    patience: int | None = Field(None, ge=1)
    """Epochs without a better validation loss before it stops; default: never."""
    checkpoint_every: int = Field(200, ge=1)
    """Steps between checkpoints (and one at each epoch's end)."""
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients are added before a step: with `batch_size: 128`, 4 of them are a step
    of 512 samples in less than half the memory (docs/scaling.md)."""
    loader: Literal["auto", "device", "memory", "stream"] = "auto"
    """Keep the set on the GPU (`device`), in memory, or stream it; `auto` goes by size."""
    compile: bool = False
    """Use torch.compile (pays on GPUs)."""
    graphs: bool = True
    """Record steps as CUDA graphs, one for each shape of batch: the same steps in a third of the
    time. Without a GPU, and with several processes, nothing is recorded."""
    deterministic: bool = True
    """Same seed, same bytes; on GPUs this costs speed, and stops at an operation without a fixed
    order."""

    @model_validator(mode="after")
    def _check(self) -> Pretrain:
        if self.decoder == "light" and self.mask == "bands":
            raise ValueError(
                "decoder: light leaves hidden steps out of the encoder, but mask: bands hides no "
                "whole step: use mask: steps or spans, or decoder: none"
            )
        for name in self.objectives:
            self.of(name)  # a record's recipe is checked as a config's
        for name in self.models:
            if name not in self.objectives:
                raise ValueError(
                    f"models.{name}: no effect, since {name!r} is not among the objectives "
                    f"{list(self.objectives)}"
                )
        if self.models and len(self.seeds) > 1:
            raise ValueError(
                f"models: a given model is one run, and seeds has {len(self.seeds)}: keep one seed"
            )
        for name, given in self.weights.items():
            if name not in self.objectives:
                raise ValueError(
                    f"weights.{name}: no effect, since {name!r} is not among the objectives "
                    f"{list(self.objectives)}"
                )
            own = objectives()[name].losses
            for loss in given:
                if loss not in own:
                    raise ValueError(f"weights.{name}: {unknown(f'loss of {name}', loss, own)}")
            if not any(self.losses(name).values()):
                raise ValueError(f"weights.{name}: all are 0, and {name!r} would learn nothing")
        return self

    def of(self, objective: str) -> Pretrain:
        """This section as an objective is trained by it: a publication's by its recipe."""
        chosen = objectives()[objective]
        if not self.published or chosen.recipe is None:
            return self
        recipe = Optimiser(**chosen.recipe, precision=self.recipe.precision)
        augment = self.augment if chosen.augment is None else Augment(**chosen.augment)
        return self.model_copy(update={"recipe": recipe, "augment": augment, "published": False})

    def losses(self, objective: str) -> dict[str, float]:
        """Name of each loss of an objective -> its weight."""
        return {**objectives()[objective].losses, **self.weights.get(objective, {})}

    def task(self, objective: str, seed: int) -> PretrainSettings:
        """What a run of an objective learns, and how."""
        from sitsformer.training.pretraining import PretrainSettings

        chosen = objectives()[objective]
        return self.made(
            PretrainSettings,
            weights=self.losses(objective),
            seed=seed,
            augment=self.augment.strength(),
            decoder=chosen.views or (self.decoder == "light" and chosen.hides),
        )

    def plan(self, seed: int) -> Plan:
        """Plan of a run."""
        from sitsformer.training.recipe import Plan

        return self.made(Plan, **dict(self.recipe), seed=seed)


def _with_adaptations(schema: dict[str, Any]) -> None:
    """What each adaptation is, in the table of keys."""
    found = "; ".join(f"`{name}`: {item.title}" for name, item in adaptations().items())
    schema["description"] += f" {found}."


def _with_baselines(schema: dict[str, Any]) -> None:
    """The baselines that ship, which are the default."""
    schema["default"] = list(by_default())
    schema["description"] += f" Others that ship, with an extra of pip: {_extras()}."


def _extras() -> str:
    return ", ".join(f"`{name}`" for name, item in shipped().items() if item.extra)


def _with_options(schema: dict[str, Any]) -> None:
    """What can be set of the baselines that ship."""
    found = "; ".join(
        f"`{key}` of {name}: {option.meaning}"
        + ("" if option.default is None else f" (default {option.default})")
        for name, item in shipped().items()
        for key, option in item.options.items()
    )
    schema["description"] += f" {found}."


class FewShot(Section):
    """The few-shot sweep."""

    set: SetName = NO_SET
    """Sample set with crop labels; must be given, unless the config only maps (`maps.model`)."""
    shots: tuple[Shots, ...] = Field((1, 5, 10, 20, 50, 100, "all"), min_length=1)
    """Labelled samples a class, for training and again for validation."""
    seeds: int = Field(5, ge=1, le=1000)
    """Draws of shots, shared by all methods and nested over shots."""
    seeds_per_job: int = Field(5, ge=1)
    """Seeds trained in one process."""
    inits: tuple[Init, ...] = ("none", "ssl", "sl", "dual")
    """What fine-tuning starts from: random weights, or a pretrained model of an objective."""
    adaptations: tuple[AdaptationName, ...] = Field(
        ("full",), min_length=1, json_schema_extra=_with_adaptations
    )
    """How the network learns the crops of a draw. Claims are about the first. `[probe]` is
    recommended: docs/results.md is about it, and `sitsformer init` writes it. The default is
    another one so that configs without the key mean what they always did."""
    validation: int = Field(20, ge=1)
    """Validation samples a class at most (never more than the shots)."""
    steps: int = Field(300, ge=1)
    """Fine-tuning steps, at least."""
    passes: int = Field(10, ge=0)
    """Passes over the drawn samples, at least: raises the steps of large draws (`all`)."""
    batch_size: int = Field(64, ge=2)
    """Samples a step (fewer where the draw has fewer)."""
    recipe: Tuning = Tuning()
    learning_rates: tuple[Rate, ...] = Field((1e-3,), min_length=1)
    """Largest learning rates. Tried on the validation samples; the best is recorded."""
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Share of the target spread over all classes."""
    augment: Augment = Augment()
    refine: tuple[Literal["land_cover", "smoothing", "nearby"], ...] = ()
    """What is offered to every learner after it has predicted, mixed by how it does on validation
    samples (docs/evaluation.md): `smoothing` over neighbours in its features, with the reflectances
    of all samples, those of the test split too; `land_cover` of the pretrained model it started
    from; `nearby`, the crops that are predicted around a sample on the ground."""
    controls: tuple[BaselineName, ...] = ()
    """Baselines that are also run with the land cover of pretrained models (`dual` where it is
    among the inits): what an init gains beyond them is more than the knowledge of land cover."""
    baselines: tuple[BaselineName, ...] = Field(
        default_factory=by_default, json_schema_extra=_with_baselines
    )
    """Methods without pretraining, by name; see docs/evaluation.md for adding one."""
    options: dict[BaselineName, dict[str, Any]] = Field({}, json_schema_extra=_with_options)
    """Options of single baselines, by their name: `file` or `features` of one of your own;"""

    @property
    def comparable(self) -> bool:
        """Whether two of the learners are compared; one alone makes maps, but no claim."""
        pairs = any({one, other.other} <= set(self.inits) for one, other in comparisons())
        return bool(self.inits) and (bool(self.baselines) or pairs)

    def steps_for(self, drawn: int) -> int:
        """Fine-tuning steps for a draw of so many training samples."""
        return max(self.steps, -(-self.passes * drawn // self.batch_size))

    def task(self, drawn: int, seed: int) -> ClassifySettings:
        """How a cell of so many training samples is fine-tuned."""
        from sitsformer.training.classification import ClassifySettings

        return self.made(
            ClassifySettings,
            updates=self.steps_for(drawn),
            seed=seed,
            augment=self.augment.strength(),
        )
