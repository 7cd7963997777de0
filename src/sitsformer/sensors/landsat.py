"""Landsat 4 to 9 (TM, ETM+, OLI): collection 2, level 2, surface reflectance, 30 m.

Sources: USGS, Landsat 8-9 collection 2 level 2 science product guide (LSDS-1619: scale 2.75e-5 and
offset -0.2, bits of QA_PIXEL) and Landsat 4-7 guide (LSDS-1618); USGS, Landsat spectral
characteristics (centres of the bands of OLI); STAC extension eo (common names).

The six bands that all of them have stand in cubes under one name each, since the numbers differ: B5
is the near infrared of Landsat 8 and a short-wave infrared of Landsat 5. Pixels of the products
begin 15 m beside multiples of 30 m, whose multiples are the centres.
"""

from datetime import date

from sitsformer.sensors.sensor import Band, Flags, Product, Sensor

BANDS = (
    Band("BLUE", 482, 30, "blue", ()),
    Band("GREEN", 561, 30, "green", ()),
    Band("RED", 655, 30, "red", ()),
    Band("NIR", 865, 30, "nir08", ("NIR", "NIRNARROW")),
    Band("SWIR1", 1609, 30, "swir16", ("SWIR1",)),
    Band("SWIR2", 2201, 30, "swir22", ("SWIR2",)),
)
NAMES = tuple(band.name for band in BANDS)
OLI = dict(zip(("B02", "B03", "B04", "B05", "B06", "B07"), NAMES, strict=True))
TM = dict(zip(("B01", "B02", "B03", "B04", "B05", "B07"), NAMES, strict=True))
_REST = r"_L2S[PR]_\d{6}_\d{8}_\d{8}_\d{2}_\w\d)(?:_(?P<band>\w+))?"

LANDSAT = Sensor(
    name="landsat",
    title="Landsat",
    begins=date(1982, 7, 16),
    bands=BANDS,
    instrument=NAMES,
    pixel=30,
    snap=60,
    corner=15,
    scale=2.75e-5,
    offset=-0.2,
    # Fill, dilated cloud, cirrus, cloud, cloud shadow; snow and water are no clouds.
    flags=Flags("QA_PIXEL", (0, 1, 2, 3, 4)),
    products=(
        Product("Landsat 8-9", rf"(?P<scene>L[CO]0[89]{_REST}", OLI),
        Product("Landsat 4-7", rf"(?P<scene>L[TE]0[4-7]{_REST}", TM),
    ),
    numbers=OLI,
    unfit={
        # Reflectance of collection 1 is called so too, and says `sr` (`..._01_T1_sr_band2.tif`).
        r"L[CETOM]0[1-9]_L1[A-Z]{2}_(?!.*_sr_)": "of level 1: it holds what was measured above "
        "the atmosphere and no surface reflectance; order the same scene as level 2 (its name then "
        "begins like LC08_L2SP)",
        r"L[CETO]0[4-9]_L2S[PR]_.*_RT(_|\.|$)": "of the tier RT (real time), which USGS makes "
        "within hours and replaces some weeks later; get the same scene again, of tier 1 or 2 (its "
        "name then has _T1 or _T2)",
    },
    made=r"_L2S[PR]_\d{6}_\d{8}_(\d{8})_",
)
"""Stacks whose names tell no product are read with the numbers of Landsat 8 and 9."""
