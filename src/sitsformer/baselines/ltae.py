"""One master query a head attends to the acquisitions as they are.

Garnot & Landrieu 2020, "Lightweight Temporal Attention Encoder".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitsformer.baselines.baseline import ShippedBaseline
from sitsformer.baselines.trained import learning_rates, trained

if TYPE_CHECKING:
    from sitsformer.baselines.networks.training import PixelNetwork
    from sitsformer.baselines.series import Calendar


def _build(bands: int, calendar: Calendar, classes: int) -> PixelNetwork:
    from sitsformer.baselines.networks import ltae

    return ltae.LTAE(bands, calendar, classes)


LTAE = ShippedBaseline(
    name="ltae",
    title="LTAE",
    colour="#a6761d",
    marker="h",
    line="-.",
    gradient=True,
    candidates=learning_rates,
    fit=trained(_build),
    network=_build,
    order=70,
)
