"""Measured rates: what everything that is predicted rests on.

    python benchmarks/rates.py        AMD EPYC (Zen 4, AVX-512), one thread, torch 2.13

Seconds are of CPU time, beside other work on the same two cores, memory is resident at the peak.
Rates are read off the lines of that command: the difference of two sizes is a rate, what is left of
the smaller one the fixed part. Memory is read on the high side, time as it is: `job.SLOWER` is for
other machines. `python benchmarks/training.py` and `inference.py` gave the network of SITS-Former's
size (benchmarks/RESULTS.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Points = tuple[tuple[int, float], tuple[int, float]]
"""Two widths of the encoder, and a rate at each."""


@dataclass(frozen=True)
class Start:
    """What a command takes before it does anything: seconds, MB."""

    seconds: float
    memory: float


@dataclass(frozen=True)
class Gpu:
    """A GPU, end to end; None: not measured.

    Attributes:
        name: of it.
        step: seconds of a training step at least, however small the network: the host asks for its
            kernels one by one.
        training: operations a second of training.
        predicting: operations a second of predicting samples of a store, by width of the encoder.
        mapping: the same of the pixels of a cube, its reading included.
        baselines: seconds of a training step of a baseline that is a network.
        recorded_step: as `step`, of pretraining whose steps are recorded (`pretrain.graphs`).
        recorded_training: as `training`, of the same.
    """

    name: str
    step: float | None
    training: float | None
    predicting: Points | None
    mapping: Points | None = None
    baselines: float | None = None
    recorded_step: float | None = None
    recorded_training: float | None = None


GPU = Gpu(
    "NVIDIA H100 80GB HBM3",
    step=0.05,
    training=5.0e12,
    predicting=((64, 1.3e12), (256, 6.9e12)),
    mapping=((64, 0.71e12), (256, 8.0e12)),
    baselines=0.01,
    recorded_step=0.01,
    recorded_training=1.5e13,
)
"""`python benchmarks/gpu.py` on a machine with 16 slow cores (benchmarks/RESULTS.md). Where None
stands NOTHING WAS MEASURED: whatever depends on it says `not measured`, and its jobs ask for the
longest time of the config."""

DATA = Start(1.6, 250)
"""Commands of cubes and samples (xarray, zarr)."""
TORCH = Start(3.0, 450)
"""Commands that load a network."""
LEARNER = Start(2.3, 300)
"""Those that load scikit-learn and no network."""
TABLES = Start(2.5, 300)
MOSAIC = Start(5.0, 520)
PAGE = Start(10.0, 720)

# --- Networks ------------------------------------------------------------------------------------
_PRETRAINING = ((64, 20e9), (256, 45e9))
_TUNING = ((64, 40e9), (256, 70e9))
_PREDICTING = ((64, 40e9), (256, 85e9))
"""Width of the encoder -> operations a second on one thread: narrow ones are held up by what is
not a matrix product, pretraining by its views and masks."""
_BF16 = ((64, 1.2), (256, 1.7))
"""Width of the encoder -> how many times as many where `maps.precision` is bf16."""

LEARNED_SHARE = {"linear": 0.22}
"""Adaptation -> its training step, as a share of one of all weights."""
HELD_PRETRAIN, HELD_CELL, HELD_PATCHES, HELD_CELLS = 1.3, 1.0, 2.1, 3.5
"""Bytes held for a byte of the store, by pretraining, a network that is tuned and a baseline that
holds the patches (of the cells, last); `benchmarks/memory.py` measures them for larger stores.
Padding, which a network that is tuned does not hold, counts."""
HELD_PIXELS, HELD_SERIES = 8, 110
"""Bytes that baselines hold of a value of a pixel of a sample in its place, which is read as its
centre and as its mean, and of a time step of a sample, whatever its patch."""
HELD_FEATURES = 2.0
"""Bytes held for a byte of features."""
HELD_NEAR = 900
"""Bytes of a sample that smoothing holds: its place among the others, its neighbours."""
HELD_WHITENING, WHITENING = 9.0, 1.1e-6
"""Bytes held for a byte of the vectors that `whitening` is given, and its seconds a number of them:
4,000 vectors of 768 and 3,072 numbers took 2.9 and 13.5 s and 106 and 390 MB."""
KEPT_WIDTH, KEPT_HEAD, KEPT_CONVOLVED = 30, 4, 5000
"""float32 values that a training step holds, a sample and time step: a unit of width of a layer, a
head of a layer and time step that it attends to, the convolutions. A single step holds four fifths
of that; the rest is what the C library keeps between tensors whose sizes change with every batch.
Of networks of 1 to 3 layers, hidden 64 and 256, samples of 30, 50 and 75 steps."""
WINDOWS = 2 * 2**28
"""Bytes of samples that a stream holds (`samples/loader.py`)."""
PREDICT_MB = 300
"""A batch of predictions."""
READ_BYTES = 500e6
"""Bytes of a sample store that are read a second."""
NEIGHBOUR_PAIR = 1e-8
"""Seconds a pair of samples, of the search for neighbours (`fewshot.refine: [smoothing]`)."""
PLACED = 2e-5
"""Seconds a sample and job, of the search for the nearest on the ground (`nearby`): 12, 16 and 25
microseconds of 10, 40 and 100 thousand samples. To weigh by them takes a hundredth of that."""
MODEL_FILES, CELL_FILES = 9, 6
CELL_ROW = 6.0
"""Bytes of a stored prediction, a class."""
FIT_VALUE, FIT_FILES = 8.0, 3
"""Bytes of a prediction that controls refine, a class, and files of a job beside its draws'."""


@dataclass(frozen=True)
class Fitted:
    """Seconds of a baseline: a drawn sample, a predicted one, a training step."""

    drawn: float
    predicted: float
    step: float = 0.0


BASELINES = {
    "random_forest": Fitted(9e-3, 3e-4),
    "gradient_boosting": Fitted(3e-3, 2e-4),
    "logistic_regression": Fitted(2e-4, 1e-5),
    "nearest_centroid": Fitted(1e-5, 1e-5),
    "nearest_neighbour": Fitted(1e-5, 1e-4),
    "temporal_cnn": Fitted(0, 1e-4, 0.02),
    "ltae": Fitted(0, 1e-4, 0.014),
}
"""Baseline -> rates. Those of trees are of the demo's samples: on the made ones of the command,
which are told apart at a glance, trees of a forest stay small and take a tenth, and boosting takes
2.4e-3 seconds a drawn sample and next to nothing a predicted one."""
EMBEDDED = {
    "logistic_regression": Fitted(1e-3, 1e-5),
    "nearest_neighbour": Fitted(1e-5, 1e-4),
    "with_series": Fitted(1e-3, 1e-5),
    "with_encoder": Fitted(5e-3, 3e-5),
}
"""Learner of a layer of embeddings -> rates, of 64 axes; the encoder is counted by itself."""
SLOWEST = Fitted(1e-2, 1e-3, 0.01)
"""For one of the user's own."""

# --- Data ----------------------------------------------------------------------------------------
CUBE_VALUES = 9e6
"""Reflectances of a cube that are made or read, and written, a second."""
CUBE_BYTES = {"earthengine": 1.0}
CUBE_BYTES_ELSE = 12.0
"""Source -> bytes held for a reflectance of a cube (Earth Engine: 0.33 GB for 504 px and 73 dates,
benchmarks/RESULTS.md); others count as the embedded landscape, which holds a cube whole."""
CUBE_KEPT = 0.63
"""Bytes on disk for a byte of a cube, which compression leaves."""
LINE = 10e6
"""Bytes a second that Earth Engine's answers come at, assumed (`imagery/earthengine/plan.py`)."""
CUT_VALUES = 100e6
"""Reflectances of a cube that are looked through a second."""
CUT_BYTES = 200e6
"""Bytes of samples that are cut and written a second."""
SAMPLES_KEPT = 0.5
"""Bytes on disk for a byte of samples."""
MERGE_BYTES, MERGE_SAMPLE = 500e6, 200.0
"""Bytes of samples that are put together a second, and bytes held for a sample."""
AXES = 64
"""Of embeddings whose axes nobody knows yet: rasters of the user's that are still to come."""
EMBEDDED_BYTES, EMBEDDED_READ = 20e6, 100e6
"""Bytes of embeddings that are made and written a second, and that are read."""
EMBEDDED_HELD = 4.0
"""Bytes held for a byte of the embeddings of a tile: Earth Engine's answer, and what is made of it;
of one that is mapped, those of the store and a copy with axes last."""
STORE_FILES = 26
"""Files of a store that hold no reflectance, logs and benchmarks among them."""

# --- Tables, maps, the page ----------------------------------------------------------------------
SCORED_CELL, SCORED_ROW = 0.005, 5e-6
"""Seconds of a cell, and of each of its predictions."""
MAP_VALUES = 30e6
"""Dates of pixels that are looked through and gathered a second."""
MAP_PIXEL = 1.0
"""Bytes on disk of a mapped pixel, without `maps.layers`."""
MOSAIC_PIXELS, MOSAIC_BYTES = 6e6, 0.7
"""Pixels put together a second, bytes held for one: the candidates of places to visit."""
MOSAIC_MB, MOSAIC_ROW = 100, 0.02
"""GDAL's blocks, and the strip of rows that is looked at at once: MB for a pixel of its width."""
PAGE_SAMPLE, PAGE_BYTES = 1e-5, 200.0


def pretraining(hidden: int) -> float:
    """Operations a second of pretraining on one thread."""
    return _between(_PRETRAINING, hidden)


def tuning(hidden: int) -> float:
    """Operations a second of fine-tuning on one thread."""
    return _between(_TUNING, hidden)


def faster_in_bf16(hidden: int) -> float:
    """How many times as fast a map is drawn in bf16 on a processor that multiplies it."""
    return _between(_BF16, hidden)


def mapping_on_gpu(hidden: int) -> float | None:
    """Operations a second of mapping on the GPU."""
    return None if GPU.mapping is None else _between(GPU.mapping, hidden)


def predicting(hidden: int) -> float:
    """Operations a second of prediction on one thread."""
    return _between(_PREDICTING, hidden)


def model_mb(hidden: int, layers: int) -> float:
    """MB of a stored model: the weights of the encoder, and of what surrounds it."""
    return 4 * (12 * hidden**2 * layers + 4000 * hidden) / 1e6


def on_gpu(
    hidden: int, updates: float, learned: float, looked: float, recorded: bool = False
) -> float | None:
    """Seconds of so many training steps, and operations of training and prediction, on the GPU."""
    seconds = 0.0
    if updates:
        step = GPU.recorded_step if recorded else GPU.step
        training = GPU.recorded_training if recorded else GPU.training
        if step is None or training is None:
            return None
        seconds += max(updates * step, learned / training)
    if looked:
        if GPU.predicting is None:
            return None
        seconds += looked / _between(GPU.predicting, hidden)
    return seconds


def _between(points: Points, hidden: int) -> float:
    """A power law between two widths; beyond them the nearer one's."""
    (narrow, low), (wide, high) = points
    share = math.log(min(max(hidden, narrow), wide) / narrow) / math.log(wide / narrow)
    return float(low * (high / low) ** share)
