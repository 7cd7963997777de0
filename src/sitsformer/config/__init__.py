"""Everything a user may set; `root.py` reads a config, the other files are its sections."""

from sitsformer.config.areas import (
    Area,
    Clouds,
    LabelRaster,
    Rasters,
    Stac,
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
    is_address,
)
from sitsformer.config.compute import Compute
from sitsformer.config.earthengine import EarthEngine
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
    "Compute",
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
    "Stac",
    "Survey",
    "Synthetic",
    "Tiles",
    "Tuning",
    "expand",
    "is_address",
    "load",
    "load_all",
    "parse",
]
