"""Areas of the classes with intervals, as a table."""

from sitsformer.mapproducts.product import Mapped, MapProduct


def _make(mapped: Mapped) -> bytes:
    text: str = mapped.areas.to_csv(index=False, float_format="%.6g")
    return text.encode()


PRODUCT = MapProduct(
    name="areas", title="areas of the classes", ending="_areas.csv", kind="areas", make=_make,
    order=4,
)  # fmt: skip
