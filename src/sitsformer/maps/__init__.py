"""Maps: prediction of tiles, and areas put together of them."""

from sitsformer.maps.codes import MapCodes, map_codes, read_codes
from sitsformer.maps.embedded import predict as predict_embedded
from sitsformer.maps.embedded import vectors_of
from sitsformer.maps.mask import mask_of, mask_of_config
from sitsformer.maps.predictor import Predictor, load_predictor
from sitsformer.maps.tile import NONE, CropMap, Predict, predict

__all__ = [
    "NONE",
    "CropMap",
    "MapCodes",
    "Predict",
    "Predictor",
    "load_predictor",
    "map_codes",
    "mask_of",
    "mask_of_config",
    "predict",
    "predict_embedded",
    "read_codes",
    "vectors_of",
]
