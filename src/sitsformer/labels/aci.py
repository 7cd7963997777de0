"""The Annual Crop Inventory (ACI) of Agriculture and Agri-Food Canada: a crop a pixel, at 30 m.

Sources: codes, names and colours, id, band and terms from
https://developers.google.com/earth-engine/datasets/catalog/AAFC_ACI. A map is added every year from
2009 on; those of 2009 and 2010 (56 m) have the Prairie Provinces alone.
"""

from pathlib import Path

from sitsformer.labels.product import LabelProduct

PRODUCT = LabelProduct(
    name="aci",
    title="the Annual Crop Inventory",
    legend=Path(__file__).with_suffix(".csv"),
    collection="AAFC/ACI",
    band="landcover",
    rule="own",
    coverage=(-141.1, 41.6, -51.2, 62.3),
    extent="the agricultural land of Canada",
    licence="Open Government Licence - Canada, Agriculture and Agri-Food Canada",
    order=30,
)
