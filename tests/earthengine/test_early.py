"""Scores that come beside the list of images: read, and put together as Earth Engine would."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from earthengine import fixtures
from earthengine.fixtures import in_place, row
from sitsformer.grid import Tile
from sitsformer.sources.earthengine import early, listing, requests
from sitsformer.sources.earthengine.errors import DamagedAnswerError

TILE = Tile("here", "t", 32615, 500_040, 4_650_000, 6)


def body(fields: dict[str, Any], dtype: str = "u1", side: int = 6) -> bytes:
    answer = np.zeros((side, side), [(name, dtype) for name in fields])
    for name, values in fields.items():
        answer[name] = values
    stream = io.BytesIO()
    np.save(stream, answer)
    return stream.getvalue()


def test_fields_are_taken_to_their_granules() -> None:
    answer = body({"1_20210503T1_T15TVG_scored": 80, "2_20210503T1_T15TWG_unscored": 254})
    found = early.decode(answer, TILE)
    assert {name: (scored, layer.max()) for name, (scored, layer) in found.items()} == {
        "20210503T1_T15TVG": (True, 80),
        "20210503T1_T15TWG": (False, 254),
    }
    for wrong in (
        answer[:-1],
        b"<html>",
        body({"1_a_scored": 1}, "u2"),
        body({"1_a_scored": 1}, side=5),
    ):
        with pytest.raises(DamagedAnswerError):
            early.decode(wrong, TILE)


def test_granules_lie_on_each_other_as_in_the_request() -> None:
    """By hand: unscored below scored, masked pixels open, windows cut out."""
    seen, _ = listing.group([row(0, mgrs="15TVG"), row(1, mgrs="15TWG")], {"I1"}, 32615)
    (request,) = requests.pack("scores", TILE, seen, ("cs",))
    low, high = np.full((6, 6), 254, np.uint8), np.full((6, 6), 70, np.uint8)
    low[:, 0] = 255
    high[:, :3] = 255
    found = early.compose(request, {"I0": (False, low), "I1": (True, high)})
    assert found is not None
    assert found.shape == (6, 6, 1)
    assert found[2, :, 0].tolist() == [255, 254, 254, 70, 70, 70]
    part = replace(request, window=requests.Window(0, 2, 3, 2))
    cut = early.compose(part, {"I0": (False, low), "I1": (True, high)})
    assert cut is not None
    np.testing.assert_array_equal(cut, found[:3, 2:4])


def test_nothing_is_made_of_granules_that_are_missing_or_were_scored_since() -> None:
    seen, _ = listing.group([row(0)], {"I0"}, 32615)
    (request,) = requests.pack("scores", TILE, seen, ("cs",))
    layer = np.zeros((6, 6), np.uint8)
    assert early.compose(request, {"I1": (True, layer)}) is None
    assert early.compose(request, {"I0": (False, layer)}) is None
    assert early.compose(request, {"I0": (True, layer)}) is not None


@pytest.mark.parametrize(
    ("side", "days", "fits"),
    [(252, 275, True), (510, 275, True), (1020, 275, False), (1020, 50, True)],
)
def test_only_what_may_fit_into_one_request_is_asked_for(side: int, days: int, fits: bool) -> None:
    start = date(2021, 3, 1)
    chosen = in_place(fixtures.OVERLAP, start=start, end=start + timedelta(days=days - 1))
    assert early.fits(chosen, Tile("here", "t", 32615, 500_040, 4_650_000, side)) is fits
