"""The mixing step against SplitMix64 in whole numbers of Python, and its published numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sitsformer.splitmix import GOLDEN, mix, unit

WORD = 2**64


def plain(state: int) -> int:
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB % WORD
    return state ^ (state >> 31)


@given(st.lists(st.integers(0, WORD - 1), min_size=1, max_size=20))
def test_words_are_mixed_as_in_whole_numbers(words: list[int]) -> None:
    assert mix(np.array(words, np.uint64)).tolist() == [plain(word) for word in words]


def test_the_generator_gives_its_published_numbers() -> None:
    """The first numbers of Vigna's splitmix64.c from the seed 1234567."""
    states = np.uint64(1234567) + GOLDEN * np.arange(1, 6, dtype=np.uint64)
    assert mix(states).tolist() == [
        *(6457827717110365317, 3203168211198807973, 9817491932198370423),
        *(4593380528125082431, 16408922859458223821),
    ]


def test_numbers_stay_inside_the_unit_interval() -> None:
    ends = np.array([0, WORD - 1], np.uint64)
    assert unit(ends).tolist() == [0, 1 - 2.0**-53]
    low, high = unit(ends, 0.5)
    assert low == 2.0**-54 and high <= 1
