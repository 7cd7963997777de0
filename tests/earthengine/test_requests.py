"""Requests: packed under the limits, split, read, put together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earthengine import fixtures
from earthengine.fixtures import in_place, observed, only_tile
from sitsformer.grid import Tile
from sitsformer.imagery.earthengine import cache as caches
from sitsformer.imagery.earthengine import requests
from sitsformer.imagery.earthengine.errors import (
    DamagedAnswerError,
)
from sitsformer.imagery.earthengine.fetch import decode
from sitsformer.imagery.earthengine.layers import Layer
from sitsformer.imagery.earthengine.stored import Stored
from sitsformer.labels import products


@settings(max_examples=40, deadline=None)
@given(
    side=st.integers(1, 833).map(lambda n: n * 6),
    dates=st.integers(1, 120),
    kind=st.sampled_from(["scores", "reflectance"]),
    limit=st.sampled_from([requests.LIMIT, requests.LIMIT // 7, requests.LIMIT // 40]),
)
def test_packing_covers_all_once_under_the_limits(
    side: int, dates: int, kind: requests.Kind, limit: int
) -> None:
    tile = Tile("here", "t", 32615, 500_040, 4_650_000, side)
    packed = requests.pack(kind, tile, observed(dates), ("cs",), limit)
    assert all(item.size <= limit for item in packed)
    assert all(item.fields <= requests.BAND_LIMIT for item in packed)
    parts: dict[requests.Window, list[tuple[int, int]]] = {}
    for item in packed:
        parts.setdefault(item.window, []).append((item.first, len(item.observations)))
    assert sum(w.height * w.width for w in parts) == side * side
    for window, pieces in parts.items():
        ends = np.cumsum([length for _, length in pieces])
        assert ends[-1] == dates
        assert [start for start, _ in pieces] == [0, *ends[:-1]]
        assert window.row % 6 == window.column % 6 == 0
    assert len({(item.window, item.first) for item in packed}) == len(packed)


def test_label_requests_have_the_keys_that_caches_hold() -> None:
    """A changed text would ask for every label anew."""
    (asked,) = requests.label_requests(
        only_tile(in_place(fixtures.OVERLAP)),
        in_place(fixtures.OVERLAP, labels=("cdl", "worldcover")),
    )
    assert [str(layer) for layer in asked.layers] == [
        "ESA/WorldCover/v200:Map::0",
        "USDA/NASS/CDL:cropland:2021:0",
        "USDA/NASS/CDL:confidence?:2021:255",
    ]
    assert asked.dtype == "uint8"
    assert asked.key == "92cb1321ac36e8bd5dedb45b2fefee2574f17a7fdb49194f9c6a127f72cb2c4e"


def test_a_layer_of_uint16_widens_the_whole_request_and_its_key() -> None:
    cdl = products()["cdl"]
    narrow = Layer("crop", cdl, "cropland", 2021, 0, "uint8", optional=False)
    wide = replace(narrow, name="wide", dtype="uint16")
    tile = Tile("here", "t", 32615, 500_040, 4_650_000, 4_998)
    one, both = (
        requests.pack("labels", tile, (), layers=layers) for layers in ((narrow,), (narrow, wide))
    )
    assert {item.dtype for item in one} == {"uint8"}
    assert {item.dtype for item in both} == {"uint16"}
    assert one[0].size == one[0].window.height * one[0].window.width * 2
    assert both[0].size == both[0].window.height * both[0].window.width * 2 * 3
    assert all(item.size <= requests.LIMIT for item in (*one, *both))
    assert sum(item.window.height * item.window.width for item in both) == 4_998**2
    assert str(wide) == f"{narrow}:uint16"


def test_a_small_tile_takes_one_request_a_kind() -> None:
    tile = only_tile(in_place(fixtures.OVERLAP, size=126))
    assert len(requests.pack("reflectance", tile, observed(73))) == 1
    assert len(requests.pack("scores", tile, observed(73), ("cs",))) == 1
    # 102 dates x 10 bands is the most under 1,024 bands.
    assert len(requests.pack("reflectance", tile, observed(103))) == 2


@settings(max_examples=40, deadline=None)
@given(side=st.integers(7, 60).map(lambda n: n * 6), dates=st.integers(1, 9))
def test_splitting_ends_and_covers_all_once(side: int, dates: int) -> None:
    tile = Tile("here", "t", 32615, 500_040, 4_650_000, side)
    (request,) = requests.pack("reflectance", tile, observed(dates))
    seen = np.zeros((dates, side, side), int)
    waiting = [request]
    while waiting:
        item = waiting.pop()
        halves = item.split()
        if halves is None:
            window = item.window
            assert len(item.observations) == 1
            assert max(window.height, window.width) <= requests.SMALLEST
            rows = slice(window.row, window.row + window.height)
            seen[item.first, rows, window.column : window.column + window.width] += 1
        else:
            waiting += halves
    assert (seen == 1).all()


def test_the_key_of_a_request_is_what_it_asks_for() -> None:
    tile = only_tile(in_place(fixtures.OVERLAP))
    (one,) = requests.pack("scores", tile, observed(3), ("cs",))
    (same,) = requests.pack("scores", tile, observed(3), ("cs",))
    (band,) = requests.pack("scores", tile, observed(3), ("cs_cdf",))
    (fewer,) = requests.pack("scores", tile, observed(2), ("cs",))
    moved = Tile("here", "t", tile.epsg, tile.west + 60, tile.north, tile.size)
    (elsewhere,) = requests.pack("scores", moved, observed(3), ("cs",))
    assert one.key == same.key
    assert len({one.key, band.key, fewer.key, elsewhere.key}) == 4


def npy(array: np.ndarray[Any, Any]) -> bytes:
    import io

    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def test_answers_are_read_field_by_field() -> None:
    tile = Tile("here", "t", 32615, 500_040, 4_650_000, 6)
    (request,) = requests.pack("reflectance", tile, observed(1))
    values = np.arange(360, dtype="<u2").reshape(10, 6, 6)
    answer = np.zeros((6, 6), [(f"b{i}", "<u2") for i in range(10)])
    for i in range(10):
        answer[f"b{i}"] = values[i]
    np.testing.assert_array_equal(decode(npy(answer), request), np.moveaxis(values, 0, -1))
    body = npy(answer)
    for wrong in (
        body[:-1],
        body[:50],
        b"<html>",
        npy(answer[:5]),
        npy(answer[["b0", "b1"]].copy()),
        npy(answer.astype([(f"b{i}", "<i4") for i in range(10)])),
        npy(np.array([{"a": 1}], object)),
    ):
        with pytest.raises(DamagedAnswerError):
            decode(wrong, request)


def test_an_answer_of_as_many_bands_as_there_may_be_is_read() -> None:
    """Its header is longer than NumPy takes without being told."""
    tile = Tile("here", "t", 32615, 500_040, 4_650_000, 6)
    (request,) = requests.pack("reflectance", tile, observed(102))
    answer = np.zeros((6, 6), [(f"a_rather_long_name_{i}", "<u2") for i in range(1020)])
    assert decode(npy(answer), request).shape == (6, 6, 1020)


@settings(max_examples=30, deadline=None)
@given(data=st.data(), dates=st.integers(1, 5), side=st.integers(7, 20).map(lambda n: n * 6))
def test_a_block_of_a_stored_array_is_what_the_requests_hold(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, dates: int, side: int
) -> None:
    group = caches.TileCache(tmp_path_factory.mktemp("cache") / "group")
    tile = Tile("here", "t", 32615, 500_040, 4_650_000, side)
    limit = data.draw(st.sampled_from([requests.LIMIT, 60_000]))  # one window, or several
    packed = requests.pack("reflectance", tile, observed(dates), limit=limit)
    leaves, waiting = [], [*packed]
    while waiting:
        item = waiting.pop()
        halves = item.split() if data.draw(st.booleans()) else None
        if halves:
            group.mark_split(item.key)
            waiting += halves
        else:
            leaves.append(item)
    values = np.arange(dates * 10 * side * side, dtype="u2").reshape(dates, 10, side, side)
    for item in leaves:
        w = item.window
        part = values[item.first : item.first + len(item.observations), :,
                      w.row : w.row + w.height, w.column : w.column + w.width]  # fmt: skip
        group.save(item.key, np.moveaxis(part.reshape(-1, w.height, w.width), 0, -1))
    stored = Stored(group, packed, 10)
    cuts = tuple(
        slice(
            *sorted(data.draw(st.lists(st.integers(0, size), min_size=2, max_size=2, unique=True)))
        )
        for size in values.shape
    )
    np.testing.assert_array_equal(stored[cuts], values[cuts])
    np.testing.assert_array_equal(stored.lazy().compute(), values)
