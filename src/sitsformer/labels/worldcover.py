"""ESA WorldCover: land cover of the world at 10 m, from Sentinel-1 and Sentinel-2.

Sources: codes, names and colours from the Product User Manual v2.0, table 2 (ESA, 2022); ids, band
and terms from https://developers.google.com/earth-engine/datasets/catalog/ESA_WorldCover_v200 and
_v100.
"""

from pathlib import Path

from sitsformer.labels.product import LabelProduct

PRODUCT = LabelProduct(
    name="worldcover",
    title="ESA WorldCover",
    legend=Path(__file__).with_suffix(".csv"),
    # There are no others.
    collection={2020: "ESA/WorldCover/v100", 2021: "ESA/WorldCover/v200"},
    band="Map",
    rule="nearest",
    cropland=(40,),
    landscape=True,
    licence="CC BY 4.0, ESA WorldCover project, contains modified Copernicus Sentinel data",
    order=10,
)
