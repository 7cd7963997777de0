"""What is hidden from the network in reconstruction, by named strategy.

Every strategy hides something in each series and leaves something to see, so that no batch is
without a loss. A strategy is a function of the lengths and a generator: validation passes a
generator of fixed seed and so hides the same every time.

Axes: N packed steps, B samples, C bands.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SPAN = 3.0
"""Mean length of a span, steps: about what a spell of clouds takes out of a 5-day series."""


def steps(lengths: Ints, bands: int, rate: float, rng: np.random.Generator) -> Bools:
    """Hide each time step with probability `rate` (SITS-Former's way).

    Args:
        lengths: (B,) steps of each sample.
        bands: C; not used here.
        rate: share hidden.
        rng: random numbers.

    Returns:
        (N,) True where hidden. A series in which chance hides nothing, or everything, has one of
        its steps changed; a series of one step is hidden whole.
    """
    del bands
    hidden = rng.random(int(lengths.sum())) < rate
    return _some_of_each(hidden, lengths, rng)


def spans(lengths: Ints, bands: int, rate: float, rng: np.random.Generator) -> Bools:
    """Hide runs of consecutive steps, of `SPAN` steps on average, `rate` of the steps in all.

    A two-state chain: it leaves the hidden state with probability 1 / SPAN, and enters it as often
    as makes the share of hidden steps `rate`. Arguments and result as for `steps`.
    """
    del bands
    time, count = int(lengths.max(initial=1)), len(lengths)
    leave = 1 / SPAN
    enter = min(1.0, leave * rate / (1 - rate))
    drawn = rng.random((time, count))
    state = drawn[0] < rate
    chain = [state]
    for row in drawn[1:]:
        state = np.where(state, row >= leave, row < enter)
        chain.append(state)
    hidden = np.stack(chain, 1)[np.arange(time) < lengths[:, None]]
    return _some_of_each(hidden, lengths, rng)


def bands(lengths: Ints, bands: int, rate: float, rng: np.random.Generator) -> Bools:
    """Hide whole bands of a series.

    Arguments as for `steps`.

    Returns:
        (N, C) True where hidden: each band with probability `rate`, at least one, not all.
    """
    hidden = rng.random(len(lengths) * bands) < rate
    each = np.full(len(lengths), bands, np.int64)
    table = _some_of_each(hidden, each, rng).reshape(-1, bands)
    return np.repeat(table, lengths, axis=0)


def halves(lengths: Ints, bands: int, rate: float, rng: np.random.Generator) -> Bools:
    """Hide a random half of the steps of each series, so that the other half is a second view.

    Arguments as for `steps`, but the rate is not used.

    Returns:
        (N,) True where hidden: of T steps T // 2, of one step none.
    """
    del bands, rate
    sample = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort([rng.random(len(sample)), sample])
    place = np.arange(len(sample)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    hidden = np.empty(len(sample), bool)
    hidden[order] = place < np.repeat(lengths // 2, lengths)
    return hidden


STRATEGIES: dict[str, Callable[[Ints, int, float, np.random.Generator], Bools]] = {
    "steps": steps,
    "spans": spans,
    "bands": bands,
}


def _some_of_each(hidden: Bools, lengths: Ints, rng: np.random.Generator) -> Bools:
    """Change one element of every run that is all visible or all hidden."""
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    chosen = starts + (rng.random(len(lengths)) * lengths).astype(np.int64)
    count = np.add.reduceat(hidden.astype(np.int64), starts)
    hidden[chosen[count == 0]] = True
    hidden[chosen[(count == lengths) & (lengths > 1)]] = False
    return hidden
