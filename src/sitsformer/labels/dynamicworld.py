"""Dynamic World: land cover of each Sentinel-2 image, at 10 m; here what a pixel is most often.

Sources: codes, names and colours, id, band and terms from
https://developers.google.com/earth-engine/datasets/catalog/GOOGLE_DYNAMICWORLD_V1; Brown et al.
2022, doi:10.1038/s41597-022-01307-4. 2016 is the first whole year. Its code 0 is a class, water.
"""

from pathlib import Path

from sitsformer.labels.product import LabelProduct

PRODUCT = LabelProduct(
    name="dynamicworld",
    title="Dynamic World",
    legend=Path(__file__).with_suffix(".csv"),
    collection="GOOGLE/DYNAMICWORLD/V1",
    band="label",
    combine="mode",
    since=2016,
    rule="own",
    no_label=255,
    cropland=(4,),
    licence=(
        "CC BY 4.0; produced for the Dynamic World Project by Google in partnership with National "
        "Geographic Society and the World Resources Institute; contains modified Copernicus "
        "Sentinel data"
    ),
    order=50,
)
