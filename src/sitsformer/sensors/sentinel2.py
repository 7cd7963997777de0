"""Sentinel-2 (MSI, level 2A): ten bands of 10 m and 20 m, the choice of SITS-Former.

Sources: ESA, Sentinel-2 spectral response (central wavelengths of Sentinel-2A) and level-2A product
specification (quantification value 10,000, scene classification); STAC extension eo (common names);
Pasquarella et al. 2023 (Cloud Score+).
"""

from datetime import date

from sitsformer.sensors.sensor import Band, Sensor

SENTINEL2 = Sensor(
    name="sentinel-2",
    title="Sentinel-2",
    begins=date(2015, 6, 27),
    bands=(
        Band("B02", 492, 10, "blue", (), "B2"),
        Band("B03", 560, 10, "green", (), "B3"),
        Band("B04", 665, 10, "red", (), "B4"),
        Band(
            "B05", 704, 20, "rededge071",
            ("REDEDGE1", "RE1", "REDEDGE705", "VEGETATIONREDEDGE1"), "B5",
        ),
        Band(
            "B06", 741, 20, "rededge075",
            ("REDEDGE2", "RE2", "REDEDGE740", "VEGETATIONREDEDGE2"), "B6",
        ),
        Band(
            "B07", 783, 20, "rededge078",
            ("REDEDGE3", "RE3", "REDEDGE783", "VEGETATIONREDEDGE3"), "B7",
        ),
        Band("B08", 833, 10, "nir", ("NIR1", "NIRBROAD"), "B8"),
        Band(
            "B8A", 865, 20, "nir08",
            ("NIR2", "NIRNARROW", "NARROWNIR", "REDEDGE4", "RE4"), "B8A",
        ),
        Band("B11", 1614, 20, "swir16", ("SWIR1", "NBARTSWIR2"), "B11"),
        Band("B12", 2202, 20, "swir22", ("SWIR2", "NBARTSWIR3"), "B12"),
    ),
    instrument=(
        "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
    ),
    pixel=10,
    snap=60,
    scale=1e-4,
    offset=-0.1,
    offset_since=date(2022, 1, 25),
    offset_baseline=400,
    scene_codes=tuple(range(12)),
    scene_clear=(4, 5, 6, 7),
    unfit={
        # Products, granules, their files, items of Earth Search; files and folders that say it.
        r"(.*_)?MSIL1C_|L1C_T\d\d[A-Z]{3}_|S2[A-D]?_(.*_)?L1C(_|\.|$)|(.*[-_])?L1C(\.\w+)?$|"
        r"T\d\d[A-Z]{3}_\d{8}T\d{6}_B\d[\dA]\.jp2$|COPERNICUS/S2(_HARMONIZED)?$": "of level 1C: "
        "it holds what was measured above the atmosphere and no surface reflectance; get the same "
        "images of level 2A (products have MSIL2A in their names, collections l2a or S2_SR)",
    },
    made=r"_N(\d{4})_R\d{3}_T\w{5}_(\d{8}T\d{6})",
    collection="COPERNICUS/S2_SR_HARMONIZED",
    cloud_score="GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED",
    order=1,
)  # fmt: skip
"""The collection has the offset of baseline 04.00 taken out, so that all years have one scale."""
