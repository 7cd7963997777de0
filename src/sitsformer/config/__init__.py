"""Everything a user may set, with its type, unit, default and meaning.

This file is the one source: the JSON schema (`config/schema.json`) and the table of keys
(`config/README.md`) are written from it by `sitsformer config docs`, and a test fails when either
is stale. `load` reads a YAML file and answers with one message per mistake, each with the path of
its key. Nothing here imports more than pydantic and PyYAML: Snakemake loads it at every start.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""The ten Sentinel-2 bands of 10 m and 20 m, in the order of every store (SITS-Former's choice)."""

PIXEL = 10
"""Side of a pixel of every cube, metres."""

TILE_STEP = 6
"""Tile sides are multiples of 6 pixels (60 m), so that 10, 20 and 60 m bands nest."""

Split = Literal["train", "validation", "test"]
Objective = Literal["ssl", "sl", "dual"]
Init = Literal["none", "ssl", "sl", "dual"]
BASELINES = (
    "random_forest",
    "gradient_boosting",
    "logistic_regression",
    "nearest_centroid",
    "nearest_neighbour",
    "temporal_cnn",
    "ltae",
)
"""Baselines that ship with the package."""
Way = Literal["full", "linear", "bias"]
Shots = Annotated[int, Field(ge=1)] | Literal["all"]
PatchSize = Literal[1, 3, 5, 7, 9]
Fraction = Annotated[float, Field(ge=0, le=1)]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def _is_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a name: use a letter, then letters, digits or '_' "
            "(names become file names and wildcards of the workflow)"
        )
    return value


Name = Annotated[str, AfterValidator(_is_name)]


class ConfigError(ValueError):
    """A config that cannot be used; the message lists every mistake with the path of its key."""


class Section(BaseModel):
    """A section of the config: unknown keys are mistakes, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Tiles(Section):
    """How an area is cut into tiles."""

    size: int = Field(126, ge=TILE_STEP, le=4998, multiple_of=TILE_STEP)
    """Side of a tile, pixels of 10 m; a multiple of 6, so that 10, 20 and 60 m bands nest."""
    count: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    """How many tiles: all that touch the area, or this many drawn at random."""
    seed: int = Field(0, ge=0)
    """Seed of the draw of tiles."""


class LabelRaster(Section):
    """A label raster of a `rasters` area."""

    path: str
    """GeoTIFF (or any raster GDAL reads) of class codes, on any grid. `$VAR` is expanded."""
    band: int = Field(1, ge=1)
    """Band of the file, counted from 1."""
    legend: str
    """`worldcover`, `cdl`, or the path of a CSV table `code,name,colour`."""
    nodata: int | None = None
    """Code that means no label; default: the file's own nodata value, else 0."""


class Clouds(Section):
    """How `rasters` finds clear pixels."""

    by: Literal["scl", "mask", "simple", "none"] = "simple"
    """`scl`: a scene-classification band; `mask`: a 0/1 band, 1 = clear; `simple`: thresholds on
    the blue and short-wave infrared bands (docs/rasters.md); `none`: every valid pixel is clear."""
    band: str | None = None
    """Description or number of the SCL or mask band in each file; needed by `scl` and `mask`."""
    scl_clear: tuple[int, ...] = (4, 5, 6, 7)
    """SCL codes taken as clear: vegetation, bare, water, unclassified."""
    blue_max: float = Field(0.18, gt=0, le=1)
    """`simple`: a pixel whose blue (B02) reflectance is above this is cloud."""
    swir_min: float = Field(0.0, ge=0, le=1)
    """`simple`: a pixel whose B11 reflectance is below this is shadow or water."""


class Rasters(Section):
    """A folder of GeoTIFFs, one acquisition a file, or one NetCDF/Zarr cube."""

    path: str
    """Folder of GeoTIFFs, or one `.nc` / `.zarr` cube. `$VAR` is expanded."""
    pattern: str = "*.tif"
    """Which files of the folder are acquisitions."""
    date_pattern: str = r"(?P<date>\d{8})(T(?P<time>\d{6}))?"
    """Regular expression that finds the date (YYYYMMDD, optionally a time) in the file name."""
    bands: tuple[str, ...] | None = None
    """Band names in the order of the file's bands; default: the file's band descriptions."""
    scale: float = Field(1e-4, gt=0)
    """Reflectance = stored value x scale + offset."""
    offset: float = 0.0
    """See `scale`; -0.1 for products of baseline 04.00 or later that are not harmonised."""
    nodata: int | None = None
    """Stored value of a missing pixel; default: the file's own, else 0."""
    on_broken: Literal["stop", "skip"] = "stop"
    """What to do with a file that cannot be read: it is named either way."""
    clouds: Clouds = Clouds()
    labels: dict[Name, LabelRaster] = {}
    """Label rasters by the name of the layer they become in the cube."""


class Area(Section):
    """A region of the world and a season."""

    source: Literal["synthetic", "rasters", "earthengine"]
    """Where pixels come from."""
    bounds: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees (WGS 84). Either this or `geometry`."""
    geometry: str | None = None
    """GeoJSON or GeoPackage file with the area's polygons. Either this or `bounds`."""
    start: date
    """First day of the season."""
    end: date
    """Last day of the season (inclusive); the season may cross New Year."""
    labels: tuple[Name, ...] = ("worldcover",)
    """Label layers wanted in the cubes: `worldcover`, `cdl`, or names under `rasters.labels`."""
    tiles: Tiles = Tiles()
    rasters: Rasters | None = None
    """Where the files are; only for `source: rasters`."""

    @model_validator(mode="after")
    def _check(self) -> Area:
        if (self.bounds is None) == (self.geometry is None):
            raise ValueError("give either bounds or geometry, not both and not neither")
        if self.bounds is not None:
            _check_bounds(self.bounds)
        if self.end < self.start:
            raise ValueError(f"the season ends ({self.end}) before it starts ({self.start})")
        if (self.end - self.start).days > 731:
            raise ValueError(
                f"the season is {(self.end - self.start).days} days long; at most two years fit "
                "in one area: make several areas"
            )
        if (self.source == "rasters") != (self.rasters is not None):
            raise ValueError("a `rasters` section belongs to `source: rasters`, and only to it")
        known = set(self.rasters.labels) if self.rasters is not None else {"worldcover", "cdl"}
        unknown = [name for name in self.labels if name not in known]
        if unknown:
            raise ValueError(f"unknown label {unknown[0]!r}; this source has {sorted(known)}")
        return self


def _check_bounds(bounds: tuple[float, float, float, float]) -> None:
    west, south, east, north = bounds
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= 90 >= north >= -90):
        raise ValueError(f"bounds {bounds} are not degrees in the order west, south, east, north")
    if west >= east:
        raise ValueError(
            f"west ({west}) is not less than east ({east}): the order is west, south, east, "
            "north; an area across the antimeridian must be given as two areas"
        )
    if south >= north:
        raise ValueError(
            f"south ({south}) is not less than north ({north}): "
            "the order is west, south, east, north"
        )


class Synthetic(Section):
    """The embedded landscape; see docs/synthetic.md for what it is made of."""

    seed: int = Field(0, ge=0)
    """Seed of the landscape: parcels, crops, weather, clouds."""
    revisit: int = Field(5, ge=1, le=30)
    """Days between overpasses."""
    cloudiness: Fraction = 0.55
    """Mean share of the sky under cloud over the season."""
    label_error: Fraction = 0.08
    """Share of parcels whose land-cover and crop label is wrong."""
    parcel: float = Field(140.0, gt=20)
    """Typical side of a parcel, metres."""


class EarthEngine(Section):
    """How Earth Engine is asked; see docs/earthengine.md."""

    project: str | None = None
    """Cloud project; default: the environment variable EARTHENGINE_PROJECT."""
    service_account_key: str | None = None
    """Path of a service-account key file; default: the ordinary Earth Engine credentials."""
    url: str = "https://earthengine-highvolume.googleapis.com"
    """Endpoint; the high-volume one by default."""
    export: Literal["direct", "batch"] = "direct"
    """`direct`: computePixels requests; `batch`: Export tasks to `bucket` or `drive_folder`."""
    bucket: str | None = None
    """`batch`: Google Cloud Storage bucket."""
    drive_folder: str | None = None
    """`batch`: Google Drive folder, read back from `drive_path`."""
    drive_path: str | None = None
    """`batch`: local folder where the Drive folder is mounted or synchronised."""
    batch_timeout: float = Field(24.0, gt=0)
    """`batch`: hours to wait for the tasks."""
    concurrent: int = Field(20, ge=1, le=40)
    """Requests under way at once."""
    rate: float = Field(40.0, gt=0, le=100)
    """Requests started per second."""
    deadline: float = Field(120.0, gt=0)
    """Seconds after which one request is given up (and tried again or split)."""
    attempts: int = Field(8, ge=1, le=20)
    """Tries of one request before the export fails."""
    min_clear: Fraction = 0.05
    """Dates with a smaller clear share of the tile are left out before their pixels are fetched."""
    clear_score: int = Field(60, ge=0, le=100)
    """`min_clear` counts pixels whose cloud score is at least this."""
    cloud_score: Literal["cs", "cs_cdf"] = "cs_cdf"
    """Cloud Score+ band that becomes `clear`."""
    cache: str = ".cache/earthengine"
    """Folder of finished requests; `sitsformer cache` shows and empties it."""
    cache_gb: float = Field(20.0, ge=0)
    """Size the cache is kept under, GB."""

    @model_validator(mode="after")
    def _check(self) -> EarthEngine:
        if self.export == "batch" and (self.bucket is None) == (self.drive_folder is None):
            raise ValueError("export: batch needs either a `bucket` or a `drive_folder`")
        if self.drive_folder is not None and self.drive_path is None:
            raise ValueError(
                "drive_folder needs drive_path, the local folder where Drive is mounted"
            )
        return self


class Patches(Section):
    """Patch time series: what a sample looks like."""

    size: PatchSize = 5
    """Side of a patch, pixels."""
    max_length: int = Field(50, ge=2, le=366)
    """Time steps of a sample; longer series are thinned by a seeded rule."""
    clear_score: int = Field(60, ge=0, le=100)
    """A pixel is clear when its cloud score is at least this."""
    clear_share: Fraction = 1.0
    """A date is kept when at least this share of the patch is clear."""
    min_dates: int = Field(5, ge=1)
    """Samples with fewer clear dates are dropped (and counted)."""
    memory_gb: float = Field(1.0, gt=0)
    """Memory that the cutting of one tile may take, GB."""
    scheduler: str | None = None
    """Address of a running Dask scheduler; default: threads in the job."""


class SplitBy(Section):
    """How samples are kept apart."""

    by: Literal["block", "area", "year", "polygons"] = "block"
    """What is never shared by two splits."""
    block: float = Field(640.0, gt=0)
    """Side of a block, metres of the UTM grid (a multiple of 10)."""
    fractions: tuple[Fraction, Fraction, Fraction] = (0.6, 0.2, 0.2)
    """`block`: shares of train, validation, test."""
    train: tuple[str, ...] = ()
    """`area`: names of areas; `year`: years (the season's start)."""
    validation: tuple[str, ...] = ()
    """See `train`."""
    test: tuple[str, ...] = ()
    """See `train`."""
    polygons: str | None = None
    """`polygons`: vector file with a column `split`."""
    seed: int = Field(0, ge=0)
    """Seed of the assignment of blocks."""

    @model_validator(mode="after")
    def _check(self) -> SplitBy:
        if abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(f"fractions {self.fractions} must sum to 1")
        if self.block % PIXEL:
            raise ValueError(f"block side {self.block} m must be a multiple of {PIXEL} m")
        if self.by in ("area", "year") and not (self.train and self.test):
            raise ValueError(f"split by {self.by} needs `train` and `test` lists")
        if self.by == "polygons" and self.polygons is None:
            raise ValueError("split by polygons needs the file `polygons`")
        return self


class SampleSet(Section):
    """A set of samples: which areas, which labels, how many, split how."""

    areas: tuple[Name, ...] = ()
    """Areas the samples come from. Either this or `store`."""
    store: str | None = None
    """An existing sample store, used as it is; the other keys of the set then have no effect.
    `$VAR` is expanded."""
    label: Name | None = None
    """Label layer of the cubes that becomes `label` of the samples; needed with `areas`."""
    classes: dict[str, tuple[int, ...]] | None = None
    """Class name -> legend codes; codes not listed are dropped. Default: a class for each code."""
    per_tile: Annotated[int, Field(ge=1)] | Literal["all"] = 1000
    """Samples drawn from a tile at most."""
    quota: Literal["balanced", "proportional"] = "balanced"
    """How a tile's draw is shared among its classes."""
    purity: Literal[1, 3, 5, 7, 9] = 1
    """The label must be the same in a window of this side around the centre, pixels."""
    unlabelled: Literal["drop", "keep"] = "drop"
    """`keep`: pixels without a label are samples too, with label -1 (for reconstruction)."""
    confidence: int = Field(0, ge=0, le=100)
    """Least CDL confidence, percent; needs the layer `cdl_confidence` in the cubes when above 0."""
    split: SplitBy = SplitBy()
    seed: int = Field(0, ge=0)
    """Seed of the draw of samples."""

    @model_validator(mode="after")
    def _check(self) -> SampleSet:
        if bool(self.areas) == (self.store is not None):
            raise ValueError("give either areas or store, not both and not neither")
        if self.areas and self.label is None:
            raise ValueError("a set made from areas needs the name of a label layer: `label`")
        return self


class Model(Section):
    """Size of the transformer; defaults are SITS-Former's."""

    embedding: Literal["conv3d", "linear"] = "conv3d"
    """Patch embedding: 3-D convolutions, or one linear layer over all values of the patch."""
    hidden: int = Field(256, ge=8, multiple_of=2)
    """Width of the encoder."""
    layers: int = Field(3, ge=1)
    """Encoder layers."""
    heads: int = Field(8, ge=1)
    """Attention heads; divide `hidden`."""
    feedforward: int | None = None
    """Width of the feed-forward layer; default 4 x `hidden`."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of activations set to zero while training."""
    attention_dropout: float | None = Field(None, ge=0, lt=1)
    """Dropout of the attention weights; default: as `dropout`. 0 trains faster."""
    norm: Literal["post", "pre"] = "post"
    """Layer norm after (SITS-Former) or before each block."""
    pooling: Literal["max", "mean", "mean_max"] = "max"
    """Pooling over valid time steps for classification."""

    @model_validator(mode="after")
    def _check(self) -> Model:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} must be a multiple of heads {self.heads}")
        return self


class Optimiser(Section):
    """One training recipe."""

    optimiser: Literal["adam", "adamw"] = "adamw"
    """Adam, or Adam with decoupled weight decay."""
    learning_rate: float = Field(1e-3, gt=0)
    """Largest learning rate."""
    weight_decay: float = Field(0.01, ge=0)
    """Only for `adamw`."""
    warmup: float = Field(0.1, ge=0, le=1)
    """Share of the steps with a linearly growing learning rate."""
    schedule: Literal["cosine", "exponential", "constant"] = "cosine"
    """Course of the learning rate after the warm-up."""
    decay: float = Field(0.99, gt=0, le=1)
    """`exponential`: factor an epoch (SITS-Former: 0.99)."""
    clip: float = Field(5.0, gt=0)
    """Largest gradient norm."""
    precision: Literal["float32", "bf16"] = "float32"
    """`bf16`: mixed precision, for GPUs (slower than `float32` on most CPUs)."""


class Augment(Section):
    """Changes made to a series each time it is trained on."""

    day_shift: int = Field(8, ge=0)
    """Largest shift of the whole series, days."""
    drop: Fraction = 0.2
    """Share of the time steps left out."""
    gain: float = Field(0.05, ge=0)
    """Standard deviation of a factor common to all values of a sample."""
    noise: float = Field(0.01, ge=0)
    """Standard deviation of a per-band shift, units of reflectance."""


class Pretrain(Section):
    """Pretraining."""

    set: Name
    """Sample set to learn from."""
    objectives: tuple[Objective, ...] = ("ssl", "sl", "dual")
    """`ssl` reconstruction, `sl` land cover, `dual` both."""
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    """One model is trained per objective and seed."""
    epochs: int = Field(50, ge=1)
    """Passes over the training split."""
    batch_size: int = Field(512, ge=2)
    """Samples a step."""
    recipe: Optimiser = Optimiser()
    mask: Literal["steps", "spans", "bands"] = "steps"
    """What is hidden: whole time steps, runs of steps, or bands."""
    mask_rate: float = Field(0.3, gt=0, lt=1)
    """Share hidden."""
    ssl_weight: float = Field(1.0, ge=0)
    """Weight of the reconstruction loss in `dual`."""
    sl_weight: float = Field(1.0, ge=0)
    """Weight of the land-cover loss in `dual`."""
    class_balanced: bool = False
    """Weigh land-cover classes inversely to their frequency."""
    augment: Augment = Augment(day_shift=0, drop=0, gain=0, noise=0)
    """Changes made to the series; default: none."""
    patience: int | None = Field(None, ge=1)
    """Epochs without a better validation loss before it stops; default: never."""
    checkpoint_every: int = Field(200, ge=1)
    """Steps between checkpoints (and one at each epoch's end)."""
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients are added before a step."""
    loader: Literal["auto", "memory", "stream"] = "auto"
    """Keep the set in memory, or stream shuffled chunks; `auto` goes by size."""
    compile: bool = False
    """Use torch.compile (pays on GPUs)."""
    deterministic: bool = True
    """Same seed, same bytes; on GPUs this costs speed."""


class FewShot(Section):
    """The few-shot sweep."""

    set: Name
    """Sample set with crop labels."""
    shots: tuple[Shots, ...] = (1, 5, 10, 20, 50, 100, "all")
    """Labelled samples a class, for training and again for validation."""
    seeds: int = Field(5, ge=1)
    """Draws of shots, shared by all methods and nested over shots."""
    seeds_per_job: int = Field(5, ge=1)
    """Seeds trained in one process."""
    inits: tuple[Init, ...] = ("none", "ssl", "sl", "dual")
    """What fine-tuning starts from: random weights, or a pretrained model of an objective."""
    ways: tuple[Way, ...] = ("full",)
    """`full`: all weights; `linear`: frozen encoder; `bias`: biases, norms and the head."""
    validation: int = Field(20, ge=1)
    """Validation samples a class at most (never more than the shots)."""
    steps: int = Field(300, ge=1)
    """Fine-tuning steps."""
    batch_size: int = Field(64, ge=2)
    """Samples a step (fewer where the draw has fewer)."""
    recipe: Optimiser = Optimiser()
    learning_rates: tuple[float, ...] = Field((1e-3,), min_length=1)
    """Tried on the validation samples; the best is recorded."""
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Share of the target spread over all classes."""
    augment: Augment = Augment()
    baselines: tuple[Name, ...] = (
        "random_forest",
        "gradient_boosting",
        "logistic_regression",
        "nearest_centroid",
        "nearest_neighbour",
        "temporal_cnn",
    )
    """Methods without pretraining, by name; see docs/evaluation.md for adding one."""
    options: dict[Name, dict[str, Any]] = {}
    """Options of single baselines, by their name (a path of weights, say)."""


class Evaluation(Section):
    """Intervals and calibration."""

    level: float = Field(0.95, gt=0, lt=1)
    """Level of every interval."""
    bootstrap: int = Field(1000, ge=10)
    """Resamples of spatial blocks."""
    bins: int = Field(10, ge=2)
    """Bins of the reliability curve."""
    miscoverage: float = Field(0.1, gt=0, lt=1)
    """Conformal prediction sets miss the truth at most this often."""


class Maps(Section):
    """Wall-to-wall maps."""

    tiles: dict[Name, tuple[str, ...] | Annotated[int, Field(ge=1)] | Literal["all"]] = {}
    """Area -> names of tiles, the first so many of its tiles, or `all`."""
    init: Init = "dual"
    """What the model of the maps starts from (its first pretraining seed)."""
    way: Way = "full"
    """How it is fine-tuned."""
    shots: Shots = "all"
    """Labelled samples a class it is fine-tuned on."""
    batch_size: int = Field(1024, ge=1)
    """Pixels predicted at once."""
    mask: Literal["none", "cropland"] = "none"
    """`cropland`: map only where WorldCover says cropland."""


class Config(Section):
    """The whole config."""

    results: str = "results"
    """Folder of every output, relative to the working directory."""
    areas: dict[Name, Area] = {}
    """Regions and seasons by name; may be left out when every set is an existing `store`."""
    sets: dict[Name, SampleSet] = Field(min_length=1)
    patches: Patches = Patches()
    model: Model = Model()
    pretrain: Pretrain
    fewshot: FewShot
    evaluation: Evaluation = Evaluation()
    maps: Maps = Maps()
    synthetic: Synthetic = Synthetic()
    earthengine: EarthEngine = EarthEngine()

    @model_validator(mode="after")
    def _check(self) -> Config:
        problems = list(_cross_checks(self))
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _cross_checks(config: Config) -> Iterator[str]:
    """Mistakes that no section can see alone, each as `path: message`."""
    for name, sample_set in config.sets.items():
        yield from _set_checks(f"sets.{name}", sample_set, config.areas)
    yield from _unknown("pretrain.set", (config.pretrain.set,), config.sets)
    yield from _unknown("fewshot.set", (config.fewshot.set,), config.sets)
    for name in config.fewshot.baselines:
        if name not in BASELINES and "file" not in config.fewshot.options.get(name, {}):
            yield (
                f"fewshot.baselines: unknown baseline {name!r}; known are {sorted(BASELINES)}. "
                f"For one of your own, name its file: fewshot.options.{name}.file"
            )
    for init in config.fewshot.inits:
        if init != "none" and init not in config.pretrain.objectives:
            yield (
                f"fewshot.inits: {init!r} is not pretrained; "
                f"pretrain.objectives has {list(config.pretrain.objectives)}"
            )
    yield from _unknown("maps.tiles", config.maps.tiles, config.areas)
    if config.maps.tiles:
        for key, among in (("init", "inits"), ("way", "ways"), ("shots", "shots")):
            value, known = getattr(config.maps, key), getattr(config.fewshot, among)
            if value not in known:
                yield f"maps.{key}: {value!r} is not among fewshot.{among} {list(known)}"


def _set_checks(path: str, sample_set: SampleSet, areas: Mapping[str, Area]) -> Iterator[str]:
    yield from _unknown(f"{path}.areas", sample_set.areas, areas)
    for area in sample_set.areas:
        if area in areas and sample_set.label not in areas[area].labels:
            yield (
                f"{path}.label: unknown label {sample_set.label!r}: area {area!r} "
                f"has {sorted(areas[area].labels)}"
            )
    if sample_set.split.by == "area":
        for part in ("train", "validation", "test"):
            yield from _unknown(
                f"{path}.split.{part}", getattr(sample_set.split, part), sample_set.areas
            )


def _unknown(path: str, names: Iterable[str], known: Collection[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f"{path}: unknown name {name!r}; known are {sorted(known)}"


def parse(values: Mapping[str, Any], origin: str = "config") -> Config:
    """Check a mapping (as read from YAML) and make a `Config` of it.

    Raises:
        ConfigError: with one line per mistake, `path.of.key: what is wrong`.
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        lines = []
        for item in error.errors():
            path = ".".join(str(part) for part in item["loc"])
            message = item["msg"].removeprefix("Value error, ")
            if item["type"] == "extra_forbidden":
                message = "unknown key; see config/README.md for every key"
            lines += [f"{path}: {message}" if path else line for line in message.split("\n")]
        found = "\n  ".join(dict.fromkeys(lines))
        raise ConfigError(f"{origin} cannot be used:\n  {found}") from None


def load(path: Path) -> Config:
    """Read and check a YAML config.

    Raises:
        ConfigError: the file is missing, is not YAML, or has a mistake.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no mapping of keys")
    return parse(values, str(path))


def expand(path: str) -> Path:
    """Expand `~` and `$VAR` in a path of the config.

    Raises:
        ConfigError: a variable that is not set.
    """
    expanded = os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111
    left = re.search(r"\$\{?(\w+)", expanded)
    if left:
        raise ConfigError(f"path {path!r}: the environment variable {left.group(1)} is not set")
    return Path(expanded)
