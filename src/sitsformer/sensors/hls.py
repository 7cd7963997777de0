"""Harmonized Landsat and Sentinel-2 (HLS 2.0): L30 and S30 in one series, 30 m.

Source: Masek et al. 2021, HLS user guide 2.0 (LP DAAC: bands, scale 1e-4, bits of Fmask). The six
bands that both have are those of Landsat; of Sentinel-2's near infrareds the narrow one is it. The
same number means different bands in the two (B05: near infrared of L30, red edge of S30), so
numbers count only where the name of a file tells which it is.
"""

from datetime import date

from sitsformer.sensors.landsat import BANDS, NAMES, OLI
from sitsformer.sensors.sensor import Flags, Product, Sensor

_REST = r"\.T\w{5}\.\d{7}T\d{6}(?:\.v\d\.\d)?)(?:\.(?P<band>\w+))?"
_S30 = dict(zip(("B02", "B03", "B04", "B8A", "B11", "B12"), NAMES, strict=True))

HLS = Sensor(
    name="hls",
    title="Harmonized Landsat and Sentinel-2",
    begins=date(2013, 4, 11),
    bands=BANDS,
    instrument=NAMES,
    pixel=30,
    snap=60,
    scale=1e-4,
    # Cirrus (reserved, 0 in version 2.0), cloud, beside a cloud or shadow, cloud shadow.
    flags=Flags("FMASK", (0, 1, 2, 3)),
    products=(
        Product("HLS L30", rf"(?P<scene>HLS\.L30{_REST}", OLI),
        Product("HLS S30", rf"(?P<scene>HLS\.S30{_REST}", _S30, read_as="sentinel-2"),
    ),
)
"""The grid is that of Sentinel-2: pixels begin at multiples of 60 m."""
