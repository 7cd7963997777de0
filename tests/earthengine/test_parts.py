"""The parts of the exporter, one by one: grouping, packing, sorting of errors, limits, cache."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import httplib2
import numpy as np
import pytest
from googleapiclient.errors import HttpError
from hypothesis import given, settings
from hypothesis import strategies as st

from earthengine import fixtures
from earthengine.fixtures import area, in_place, only_tile
from sitsformer.grid import Tile
from sitsformer.sources.earthengine import cache as caches
from sitsformer.sources.earthengine import collections, listing, requests
from sitsformer.sources.earthengine.errors import (
    DamagedAnswerError,
    EarthEngineError,
    TooBigError,
    explain,
    redact,
    sort_failure,
)
from sitsformer.sources.earthengine.fetch import decode
from sitsformer.sources.earthengine.limiter import Limiter, StoppedError
from sitsformer.sources.earthengine.stored import Stored

HOUR = 3_600_000
START = 1_620_000_000_000


def row(
    number: int, *, take: str = "GS2A_20210503T170851_030625", mgrs: str = "15TVG",
    strip: str = "20210503T170851", baseline: str = "05.00", generated: int = 1,
    time: int | None = None,
) -> list[Any]:  # fmt: skip
    return [
        f"I{number}", START + number * 1000 if time is None else time, f"{take}_N{baseline}",
        f"S2A_OPER_MSI_L2A_DS_VGS2_20210503T211500_S{strip}_N{baseline}", mgrs, baseline, generated,
    ]  # fmt: skip


def observed(count: int) -> list[listing.Observation]:
    rows = [
        row(i, take=f"GS2A_{i:08d}T170851_0306{i:02d}", time=START + i * HOUR) for i in range(count)
    ]
    return list(listing.group(rows, set(), 32615)[0])


# --- grouping -----------------------------------------------------------------------------------


def test_granules_of_one_datatake_are_one_date_whatever_the_order() -> None:
    rows = [row(0, mgrs="15TVG"), row(1, mgrs="15TWG"), row(2, take="GS2B_20210504T170851_021000")]
    for given_rows in (rows, rows[::-1]):
        seen, superseded = listing.group(given_rows, {"I0", "I1", "I2"}, 32615)
        assert [len(item.granules) for item in seen] == [2, 1]
        assert seen[0].time == START
        assert superseded == ()


def test_of_two_processings_the_newest_is_kept() -> None:
    rows = [
        row(0, baseline="05.10", generated=5),
        row(1, baseline="03.00", generated=9),
        row(2, baseline="05.10", generated=7),
    ]
    seen, superseded = listing.group(rows, set(), 32615)
    assert [granule.index for granule in seen[0].granules] == ["I2"]
    assert superseded == ("I0", "I1")


def test_two_datastrips_of_one_granule_are_both_kept() -> None:
    rows = [row(0), row(1, strip="20210503T170910")]
    seen, superseded = listing.group(rows, set(), 32615)
    assert len(seen[0].granules) == 2
    assert superseded == ()


def test_scored_granules_and_those_of_the_own_zone_lie_on_top() -> None:
    rows = [row(0, mgrs="15TVG"), row(1, mgrs="14TQM"), row(2, mgrs="15TWG")]
    seen, _ = listing.group(rows, {"I0", "I1"}, 32615)
    assert [granule.index for granule in seen[0].granules] == ["I2", "I1", "I0"]


def test_two_observations_of_one_millisecond_stay_two() -> None:
    rows = [row(0, time=START), row(1, take="GS2B_20210504T170851_021000", time=START)]
    seen, _ = listing.group(rows, set(), 32615)
    assert [item.time for item in seen] == [START, START + 1]


def test_a_product_without_properties_is_grouped_by_its_index() -> None:
    rows = [[f"20210503T170851_20210503T17154{i}_T15TVG", START, None, None, None, None, None]
            for i in range(2)]  # fmt: skip
    seen, superseded = listing.group(rows, set(), 32615)
    assert len(seen) == 1
    assert superseded == (rows[0][0],)


def test_a_listing_survives_json() -> None:
    found = listing.Listing(tuple(observed(3)), ("X",), "ESA/WorldCover/v200", ("cropland",))
    assert listing.Listing.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("start", "end", "year", "worldcover"),
    [
        (date(2021, 3, 1), date(2021, 11, 30), 2021, 2021),
        (date(2020, 10, 1), date(2021, 7, 31), 2021, 2021),
        (date(2019, 8, 1), date(2020, 2, 1), 2019, 2020),
        (date(2023, 3, 1), date(2023, 9, 1), 2023, 2021),
        (date(2016, 12, 31), date(2017, 1, 1), 2017, 2020),
    ],
)
def test_label_years_follow_the_days_of_the_season(
    start: date, end: date, year: int, worldcover: int
) -> None:
    chosen = area((-93.0, 42.0, -92.99, 42.01), start=start, end=end)
    assert collections.season_year(chosen) == year
    assert collections.worldcover_year(chosen) == worldcover


def test_the_outline_of_a_tile_goes_around_it_once() -> None:
    from shapely.geometry import Polygon

    tile = only_tile(in_place(fixtures.OVERLAP))
    ring = Polygon(listing.outline(tile))
    assert ring.is_valid
    # 600 m x 600 m in square degrees at 42 degrees north.
    assert ring.area == pytest.approx(600 / 111_320 / 0.743 * 600 / 111_060, rel=0.01)


# --- packing ------------------------------------------------------------------------------------


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


# --- answers ------------------------------------------------------------------------------------


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
    np.testing.assert_array_equal(decode(npy(answer), request), values)
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


# --- errors -------------------------------------------------------------------------------------


def http(status: int, message: str, **fields: str) -> Exception:
    """An exception as the client raises it: the status is at the context only."""
    import ee

    response = httplib2.Response({"status": str(status), **fields})
    body = f'{{"error": {{"message": "{message}"}}}}'.encode()
    try:
        try:
            raise HttpError(response, body)
        except HttpError as error:
            raise ee.EEException(error._get_reason())  # noqa: B904 (as the client does)
    except ee.EEException as error:
        return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (http(429, "Too many concurrent aggregations."), "transient"),
        (http(429, "Quota exceeded", **{"retry-after": "7"}), "transient"),
        (http(500, "Internal error."), "transient"),
        (http(503, "unavailable"), "transient"),
        (http(503, "Earth Engine capacity exceeded."), "transient"),
        (http(504, "Deadline exceeded"), "timeout"),
        (http(400, "User memory limit exceeded."), "too big"),
        (http(400, "Computation timed out."), "too big"),
        (http(400, "Total request size (60 bytes) must be less than or equal to 50"), "too big"),
        (http(400, "Total number of bands (1025) must be less"), "too big"),
        (http(413, "Payload"), "too big"),
        (http(400, "Image.load: Image asset 'X' not found"), "permanent"),
        (http(403, "Caller does not have required permission to use project p"), "permanent"),
        (http(401, "Request had invalid authentication credentials."), "permanent"),
        (TimeoutError("late"), "timeout"),
        (ConnectionError("gone"), "transient"),
        (DamagedAnswerError("short"), "transient"),
        (ValueError("a bug"), "permanent"),
    ],
)
def test_errors_are_sorted(error: Exception, kind: str) -> None:
    assert sort_failure(error).kind == kind


def test_retry_after_is_heard() -> None:
    assert sort_failure(http(429, "Quota", **{"retry-after": "7"})).wait == 7


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("Please authorize access to your Earth Engine account", "sitsformer auth"),
        ("('invalid_grant: Token has been expired or revoked.')", "sitsformer auth"),
        ("Not signed up for Earth Engine or project is not registered", "earthengine.project"),
        ("Earth Engine API has not been used in project 12 before", "earthengine.project"),
        ("Image.load: Image asset 'X' not found (does not exist...)", "does not exist"),
        ("Permission denied", "roles"),
    ],
)
def test_a_message_says_what_was_asked_what_was_said_and_what_to_do(
    message: str, remedy: str
) -> None:
    text = str(explain("reading X", message))
    assert text.startswith("reading X: Earth Engine said: ")
    assert message.split(" (")[0][:30] in text
    assert remedy in text


@pytest.mark.parametrize(
    "secret",
    [
        "Bearer ya29.a0AfH6SMBx-secret_1",
        '{"refresh_token": "1//0secret_1"}',
        "client_secret=secret_1",
        "https://x.googleapis.com/v1?key=secret_1&alt=json",
        '"private_key": "secret_1"',
    ],
)
def test_secrets_do_not_get_through(secret: str) -> None:
    assert "secret_1" not in redact(f"failed with {secret} today")


# --- limits -------------------------------------------------------------------------------------


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitsformer.sources.earthengine.limiter.FIRST_WAIT", 0.001)


def failing(errors: list[Exception]) -> Any:
    def call() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    return call


@pytest.mark.usefixtures("fast")
def test_what_may_pass_is_tried_again_and_counted() -> None:
    limiter = Limiter(2, 1000, 4)
    errors: list[Exception] = [ConnectionError(), http(503, "x"), TimeoutError()]
    assert limiter.run(failing(errors), "it") == "done"
    assert limiter.retries == 3
    with pytest.raises(EarthEngineError, match="it failed 4 times"):
        limiter.run(failing([http(503, "x")] * 9), "it")


@pytest.mark.usefixtures("fast")
def test_what_is_too_big_is_handed_back() -> None:
    limiter = Limiter(2, 1000, 4)
    memory = http(400, "User memory limit exceeded.")
    with pytest.raises(TooBigError):
        limiter.run(failing([memory]), "it", divisible=True)
    with pytest.raises(EarthEngineError, match="memory"):
        limiter.run(failing([memory]), "it")
    with pytest.raises(TooBigError):
        limiter.run(failing([TimeoutError(), TimeoutError()]), "it", divisible=True)
    assert limiter.run(failing([TimeoutError(), TimeoutError()]), "it") == "done"


def test_a_wrong_request_is_not_tried_again() -> None:
    errors = [http(400, "no such band")] * 5
    with pytest.raises(EarthEngineError, match="no such band"):
        Limiter(2, 1000, 4).run(failing(errors), "it")
    assert len(errors) == 4


def test_a_set_stop_ends_the_waiting() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        Limiter(1, 0.001, 4).run(lambda: 1, "it", stop=stop)


def test_no_more_at_once_than_allowed_and_evenly_started() -> None:
    limiter = Limiter(3, 200, 1)
    busy, most, starts = 0, 0, []
    lock = threading.Lock()

    def call() -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
            starts.append(time.monotonic())
        time.sleep(0.01)
        with lock:
            busy -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: limiter.run(call, "it"), range(24)))
    assert most == 3
    # 24 starts at 200 a second cannot take less than 23 intervals.
    assert max(starts) - min(starts) >= 23 / 200 - 0.02


# --- cache --------------------------------------------------------------------------------------


def test_a_group_keeps_requests_and_listing(tmp_path: Path) -> None:
    chosen = in_place(fixtures.OVERLAP)
    group = caches.open_group(tmp_path, "here", chosen, only_tile(chosen))
    assert not group.has("a")
    group.save("a", np.arange(6, dtype="u2").reshape(1, 2, 3))
    again = caches.open_group(tmp_path, "here", chosen, only_tile(chosen))
    assert again.path == group.path
    assert again.load("a").tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert again.load_listing() is None
    group.save_listing({"x": 1})
    assert again.load_listing() == {"x": 1}
    old = time.time() - 8 * 86_400
    os.utime(group.path / "listing.json", (old, old))
    assert again.load_listing() is None
    other = in_place(fixtures.OVERLAP, labels=("cdl",))
    assert caches.open_group(tmp_path, "here", other, only_tile(other)).path != group.path


def test_the_cache_is_kept_under_its_size_but_not_under_running_exports(tmp_path: Path) -> None:
    held = caches.Group(tmp_path / "held")
    held.save("a", np.zeros((1, 100, 100), "u2"))
    for number, name in enumerate(("old", "new")):
        group = caches.Group(tmp_path / name)
        group.save("a", np.zeros((1, 100, 100), "u2"))
        os.utime(group.path / "lock", (number, number))
        os.close(group._lock)  # as when its process ends
    assert [entry.name for entry in caches.entries(tmp_path)] == ["old", "new", "held"]
    assert caches.trim(tmp_path, 45_000) > 20_000
    assert [entry.name for entry in caches.entries(tmp_path)] == ["new", "held"]
    caches.trim(tmp_path, -1)
    assert [entry.name for entry in caches.entries(tmp_path)] == ["held"]
    assert held.load("a").shape == (1, 100, 100)


@settings(max_examples=30, deadline=None)
@given(data=st.data(), dates=st.integers(1, 5), side=st.integers(7, 20).map(lambda n: n * 6))
def test_a_block_of_a_stored_array_is_what_the_requests_hold(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, dates: int, side: int
) -> None:
    group = caches.Group(tmp_path_factory.mktemp("cache") / "group")
    tile = Tile("here", "t", 32615, 500_040, 4_650_000, side)
    (whole,) = requests.pack("reflectance", tile, observed(dates))
    leaves, waiting = [], [whole]
    while waiting:
        item = waiting.pop()
        halves = item.split() if data.draw(st.booleans()) else None
        if halves:
            waiting += halves
        else:
            leaves.append(item)
    values = np.arange(dates * 10 * side * side, dtype="u2").reshape(dates, 10, side, side)
    for item in leaves:
        w = item.window
        part = values[item.first : item.first + len(item.observations), :,
                      w.row : w.row + w.height, w.column : w.column + w.width]  # fmt: skip
        group.save(item.key, part.reshape(-1, w.height, w.width))
    stored = Stored(group, leaves, values.shape)
    cuts = tuple(
        slice(
            *sorted(data.draw(st.lists(st.integers(0, size), min_size=2, max_size=2, unique=True)))
        )
        for size in values.shape
    )
    np.testing.assert_array_equal(stored[tuple(cuts)], values[tuple(cuts)])
    os.close(group._lock)
