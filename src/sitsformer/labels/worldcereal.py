"""ESA WorldCereal 2021: temporary crops, maize and winter cereals of the world at 10 m.

Sources: values, bands, properties of images and terms from
https://developers.google.com/earth-engine/datasets/catalog/ESA_WorldCereal_2021_MODELS_v100; Van
Tricht et al. 2023, doi:10.5194/essd-15-5491-2023. There is an image for each product, season and
agro-ecological zone; a pixel is 100 where the crop is, 0 where something else is. Where temporary
crops grow changes little from year to year, which crop they are does: maize and winter cereals
are labels of 2021 alone.
"""

from pathlib import Path

from sitsformer.labels.product import LabelProduct

_COLLECTION = {2021: "ESA/WorldCereal/2021/MODELS/v100"}
_LICENCE = "CC BY 4.0, ESA WorldCereal project, contains modified Copernicus Sentinel data"

TEMPORARY_CROPS = LabelProduct(
    name="worldcereal",
    title="WorldCereal (temporary crops)",
    legend=Path(__file__).with_suffix(".csv"),
    collection=_COLLECTION,
    where={"product": "temporarycrops"},
    band="classification",
    rule="nearest",
    no_label=255,
    confidence="confidence",
    cropland=(100,),
    licence=_LICENCE,
    order=60,
)

MAIZE = LabelProduct(
    name="worldcereal_maize",
    title="WorldCereal (maize)",
    legend=Path(__file__).with_name("worldcereal_maize.csv"),
    collection=_COLLECTION,
    where={"product": "maize", "season": "tc-maize-main"},
    band="classification",
    rule="own",
    no_label=255,
    confidence="confidence",
    licence=_LICENCE,
    order=61,
)

WINTER_CEREALS = LabelProduct(
    name="worldcereal_wintercereals",
    title="WorldCereal (winter cereals)",
    legend=Path(__file__).with_name("worldcereal_wintercereals.csv"),
    collection=_COLLECTION,
    where={"product": "wintercereals", "season": "tc-wintercereals"},
    band="classification",
    rule="own",
    no_label=255,
    confidence="confidence",
    licence=_LICENCE,
    order=62,
)
