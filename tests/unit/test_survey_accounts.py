"""Reasons and remedies of a survey's account, and what of it stays together."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sitsformer.patches.sampling import REASONS
from sitsformer.surveys import account, grouping


def test_every_reason_has_a_meaning_and_a_place():
    assert set(REASONS) <= set(account.REASONS)
    order = [name for name in account.REASONS if name in REASONS]
    assert order == list(REASONS)


def test_a_costly_split_comes_with_remedies():
    found = {"samples": 80, "pixels": {"split": 20, "edge": 2}}
    (line,) = account.advice(found, "block", 5, 640.0)
    assert "split cost 20 of 100 labelled pixels" in line
    for remedy in ("patches.size: 1", "split.block` above 640", "split.by: group"):
        assert remedy in line
    assert account.advice({"samples": 95, "pixels": {"split": 5}}, "block", 5, 640.0) == []


def test_a_class_without_a_sample_is_named_with_what_took_its_features():
    dropped = {
        "no_class": {"(none)": 3},
        "no_weight": {"Hops": 1},
        "outside": {"Rye": 2, "Oats": 4},
        "no_pixel": {"Flax": 11, "Rye": 1},
        "erosion": {"Flax": 4, "Maize": 2},
        "other_class": {"Wine": 2},
        "rare": {"Soya": 3},
    }
    found = account.gone({"kept": {"Maize": 9}, "dropped": dropped})
    assert found == [
        "class 'Flax' has no sample: none of its features gave one (11 no_pixel, 4 erosion); "
        "`erode: 0` would take pixels up to the border",
        "class 'Rye' has no sample: none of its features gave one (2 outside, 1 no_pixel)",
    ]
    assert account.gone({"kept": {}, "dropped": {}}) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12), st.integers(0, 12)), max_size=14))
def test_units_are_the_smallest_that_share_no_group_and_no_pixel(drawn):
    members = np.array([g for g, _, _ in drawn], np.int64)
    x, y = (np.array([10.0 * one[i] for one in drawn]) for i in (1, 2))
    found = grouping.units(members, x, y, np.full(len(drawn), 32631), 30.0, 10.0)
    plain = list(range(len(drawn)))
    for _ in drawn:  # the plainest way: repeat until nothing changes
        for i in range(len(drawn)):
            for j in range(len(drawn)):
                near = max(abs(x[i] - x[j]), abs(y[i] - y[j])) < 30
                if members[i] == members[j] or near:
                    plain[i] = plain[j] = min(plain[i], plain[j])
    for i in range(len(drawn)):
        for j in range(len(drawn)):
            assert (found[i] == found[j]) == (plain[i] == plain[j])


def test_stragglers_leave_the_split_with_most_of_their_group():
    members = np.array([1, 1, 1, 2, 2, -1])
    split = np.array([0, 0, 2, 1, 1, 2], np.uint8)
    assert grouping.stragglers(members, split).tolist() == [False, False, True, False, False, False]
