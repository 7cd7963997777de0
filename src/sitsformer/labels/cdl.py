"""The Cropland Data Layer (CDL) of USDA NASS: a crop a pixel, at 30 m, at 10 m from 2024 on.

Sources: codes, names and colours from the CDL metadata of USDA NASS; id, bands and terms from
https://developers.google.com/earth-engine/datasets/catalog/USDA_NASS_CDL. A map is added every
year, and not every year has the band `confidence`.
"""

from pathlib import Path

from sitsformer.labels.product import LabelProduct

PRODUCT = LabelProduct(
    name="cdl",
    title="the Cropland Data Layer",
    legend=Path(__file__).with_suffix(".csv"),
    collection="USDA/NASS/CDL",
    band="cropland",
    rule="own",
    coverage=(-125.0, 24.0, -66.5, 49.6),
    extent="the conterminous US",
    complete=True,
    confidence="confidence",
    landscape=True,
    licence="public domain, USDA National Agricultural Statistics Service",
    order=20,
)
