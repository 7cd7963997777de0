"""EUCROPMAP of the Joint Research Centre: crops of the European Union at 10 m, 2018 and 2022.

Sources: codes, names and colours, id, band and terms from
https://developers.google.com/earth-engine/datasets/catalog/JRC_D5_EUCROPMAP_V1; d'Andrimont et al.
2021, doi:10.1016/j.rse.2021.112708; Ghassemi et al. 2022, doi:10.3390/rs14030541. Of 2022 there is
a second image, of Ukraine. A crop of another year is no label: only these two years have one.
"""

from pathlib import Path

from sitsformer.labels.product import LabelProduct

PRODUCT = LabelProduct(
    name="eucropmap",
    title="EUCROPMAP",
    legend=Path(__file__).with_suffix(".csv"),
    collection="JRC/D5/EUCROPMAP/V1",
    band="classification",
    dtype="uint16",
    years=(2018, 2022),
    rule="own",
    coverage=(-16.2, 34.3, 40.3, 72.2),
    extent="the European Union and, in 2022, Ukraine",
    licence="CC BY 4.0, European Commission, Joint Research Centre",
    order=40,
)
