"""Three temporal convolutions and a dense layer on the regular series.

Pelletier, Webb & Petitjean 2019, Remote Sensing 11:523.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitsformer.baselines.baseline import ShippedBaseline
from sitsformer.baselines.trained import learning_rates, trained

if TYPE_CHECKING:
    from sitsformer.baselines.networks.training import PixelNetwork
    from sitsformer.baselines.series import Calendar


def _build(bands: int, calendar: Calendar, classes: int) -> PixelNetwork:
    from sitsformer.baselines.networks.temporal_cnn import TemporalCNN

    return TemporalCNN(bands, calendar, classes)


TEMPORAL_CNN = ShippedBaseline(
    name="temporal_cnn",
    title="temporal CNN",
    colour="#6a51a3",
    marker=">",
    line="-.",
    gradient=True,
    candidates=learning_rates,
    fit=trained(_build),
    network=_build,
    order=60,
)
