"""What stored values of Sentinel-2 mean, by the metadata of an item.

From processing baseline 04.00 on, products hold reflectance x 10,000 + 1,000 (ESA, Sentinel-2
Products Specification Document: BOA_ADD_OFFSET -1000). Catalogues tell it in different ways, and
some of them wrongly: Earth Search gives `offset: -0.1` for files, too, from which it has taken the
1,000 out, and says so in a property (github.com/Element84/earth-search, issues 24 and 66).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sitsformer.errors import SitsError
from sitsformer.sensors import SENTINEL2

APPLIED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
"""Properties that say whether the offset was taken out of the values."""
BASELINES = ("s2:processing_baseline", "sentinel:processing_baseline", "processing:version")
PRODUCTS = ("s2:product_uri", "sentinel:product_id")

_VERSION = re.compile(r"N?0?(\d)\.?(\d{2})")
_IN_NAME = re.compile(r"_N(\d{4})(?:_|\.|$)")


def baseline(identifier: str, properties: Mapping[str, Any]) -> int | None:
    """Processing baseline of an item: 400 of `04.00`; None where nothing tells it."""
    for key in BASELINES:
        said = properties.get(key, "")
        # 05.10 that was taken for a number is 5.1, and nothing else is.
        said = f"{said:05.2f}" if isinstance(said, int | float) else str(said).strip()
        if found := _VERSION.fullmatch(said):
            return int(found[1] + found[2])
    for name in (*(str(properties.get(key, "")) for key in PRODUCTS), identifier):
        if found := _IN_NAME.search(name):
            return int(found[1])
    return None


def offset(identifier: str, properties: Mapping[str, Any], said: float | None, where: str) -> float:
    """What has to be added to stored value x scale.

    Args:
        identifier: of the item.
        properties: of the item.
        said: offset that the metadata of the band give; None where they give none.
        where: path of the section of the config, for messages.

    Raises:
        SitsError: nothing tells it.
    """
    if any(properties.get(key) is True for key in APPLIED):
        return 0.0
    number = baseline(identifier, properties)
    first = SENTINEL2.offset_baseline or 0
    early = number is not None and number < first
    if said is not None and not (early and said == SENTINEL2.offset):
        return said
    if number is None:
        raise SitsError(
            f"{where}.offset: item {identifier} says neither its processing baseline nor an offset "
            f"(no {BASELINES[0]}, {BASELINES[2]} or raster:bands); set `offset` to what the "
            f"values have: 0, {SENTINEL2.offset:g}, or one by date"
        )
    return 0.0 if early else SENTINEL2.offset
