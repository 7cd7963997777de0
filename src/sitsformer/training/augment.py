"""Changes made to a series each time it is trained on.

Seasons start earlier or later (day shift), clouds take dates out (drop), haze and sun angle change
brightness (gain), sensors and corrections differ by band (noise), and fields lie any way (turn).
Labels stay what they are.
Validation and prediction never augment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sitsformer.model.steps import Change

LEAST_STEPS = 3
"""A series is never thinned below this many steps (or its own length, if shorter)."""


@dataclass(frozen=True)
class Strength:
    """How much series are changed; all zero: not at all.

    Attributes:
        day_shift: largest shift of the whole series, days.
        drop: share of the time steps left out.
        gain: standard deviation of a factor common to all values of a sample.
        noise: standard deviation of a shift per sample and band, reflectance.
        turn: whether patches are flipped and rotated, into each of eight positions as often; all
            dates of a sample alike.
    """

    day_shift: int = 0
    drop: float = 0.0
    gain: float = 0.0
    noise: float = 0.0
    turn: bool = False

    @property
    def nothing(self) -> bool:
        """Whether series stay as they are."""
        return not (self.day_shift or self.drop or self.gain or self.noise or self.turn)


NOTHING = Strength()
"""No augmentation."""


def draw_changes(
    lengths: npt.NDArray[np.int64],
    time: int,
    bands: int,
    strength: Strength,
    rng: np.random.Generator,
) -> Change | None:
    """Draw the changes of a batch.

    Args:
        lengths: (B,) valid steps of each sample.
        time: steps of the stored series, T.
        bands: C.
        strength: how much.
        rng: random numbers.

    Returns:
        Changes of the samples in order, or None where nothing changes.
    """
    if strength.nothing:
        return None
    count = len(lengths)
    shift = rng.integers(-strength.day_shift, strength.day_shift + 1, count)
    gain = 1 + strength.gain * rng.standard_normal((count, 1), dtype=np.float32)
    offset = strength.noise * rng.standard_normal((count, bands), dtype=np.float32)
    score = rng.random((count, time), dtype=np.float32)
    keep = score >= strength.drop
    # The steps with the largest scores stay in any case.
    score[np.arange(time) >= lengths[:, None]] = -1.0
    if time > LEAST_STEPS:
        least = np.partition(score, time - LEAST_STEPS, axis=1)[:, time - LEAST_STEPS]
        keep |= score >= least[:, None]
    else:
        keep[:] = True
    return Change(
        keep,
        shift.astype(np.int64),
        np.repeat(gain.astype(np.float32), bands, axis=1),
        offset.astype(np.float32),
        rng.integers(8, size=count) if strength.turn else None,
    )
