"""The network; torch and numpy only.

network.py     SITSFormer and its shape     steps.py       packed batches
embedding.py   patches and days             masking.py     what is hidden
encoder.py     layers, attention            prediction.py  class probabilities
                                            packed.py      the same, faster on CPUs
"""

from sitsformer.model.network import Architecture, SITSFormer

__all__ = ["Architecture", "SITSFormer"]
