"""Everything a user may set; `root.py` reads a config, the other files are its sections."""

from sitsformer.config.areas import (
    Area,
    Clouds,
    EarthEngine,
    LabelRaster,
    Rasters,
    Synthetic,
    Tiles,
)
from sitsformer.config.base import (
    ConfigError,
    Init,
    ObjectiveName,
    Shots,
    Split,
    expand,
)
from sitsformer.config.embeddings import EmbeddingLayer
from sitsformer.config.labels import Survey
from sitsformer.config.learning import (
    Augment,
    FewShot,
    Model,
    Optimiser,
    Pretrain,
    Recipe,
    Tuning,
)
from sitsformer.config.outcome import (
    Evaluation,
    Maps,
    MaskRaster,
)
from sitsformer.config.root import (
    Config,
    load,
    load_all,
    parse,
)
from sitsformer.config.sets import (
    PARTS,
    Patches,
    SampleSet,
    SplitBy,
)

__all__ = [
    "PARTS",
    "Area",
    "Augment",
    "Clouds",
    "Config",
    "ConfigError",
    "EarthEngine",
    "EmbeddingLayer",
    "Evaluation",
    "FewShot",
    "Init",
    "LabelRaster",
    "Maps",
    "MaskRaster",
    "Model",
    "ObjectiveName",
    "Optimiser",
    "Patches",
    "Pretrain",
    "Rasters",
    "Recipe",
    "SampleSet",
    "Shots",
    "Split",
    "SplitBy",
    "Survey",
    "Synthetic",
    "Tiles",
    "Tuning",
    "expand",
    "load",
    "load_all",
    "parse",
]
