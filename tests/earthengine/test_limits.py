"""Failures are sorted, tried again, explained; limits are kept; secrets do not get out."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httplib2
import pytest
from googleapiclient.errors import HttpError

from sitsformer.imagery.earthengine.errors import (
    DamagedAnswerError,
    EarthEngineError,
    TooBigError,
    explain,
    redact,
    sort_failure,
)
from sitsformer.imagery.earthengine.limiter import Limiter, StoppedError


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
        (http(429, "Too many concurrent aggregations."), "quota"),
        (http(429, "Quota exceeded", **{"retry-after": "7"}), "quota"),
        (http(429, "Quota exceeded: EECU-hours per month"), "permanent"),
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
        ("Quota exceeded for quota metric 'EECU-seconds' and limit 'per month'", "another tier"),
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


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitsformer.imagery.earthengine.limiter.FIRST_WAIT", 0.001)


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


def test_a_refusal_for_the_quota_is_waited_out_by_the_clock_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sitsformer.imagery.earthengine.limiter.pause", lambda seconds, stop: None)
    limiter = Limiter(8, 1000, 2)
    assert limiter.run(failing([http(429, "Too many concurrent")] * 30), "it") == "done"
    now = [100.0]
    monkeypatch.setattr("sitsformer.imagery.earthengine.limiter.time.monotonic", lambda: now[0])

    def refused() -> None:
        now[0] += 100
        raise http(429, "Too many concurrent")

    with pytest.raises(EarthEngineError, match="refused for 10 minutes"):
        Limiter(8, 1000, 2, patience=600).run(refused, "it")
    assert now[0] == 800


def test_refusals_halve_what_is_asked_at_once_and_answers_raise_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("sitsformer.imagery.earthengine.limiter.time.monotonic", lambda: now[0])
    limiter = Limiter(8, 1000, 2)
    limiter.less()
    limiter.less()  # at the same time: the same refusal
    assert limiter.share == 4
    for _ in range(5):
        now[0] += 2
        limiter.less()
    assert limiter.share == 1
    for _ in range(100):
        limiter.more()
    assert limiter.share == 8


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


def test_no_more_at_once_than_allowed() -> None:
    limiter = Limiter(3, 1000, 1)
    busy, most = 0, 0
    lock, three = threading.Lock(), threading.Barrier(3)

    def call() -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        three.wait(timeout=60)  # nobody is done before three are at it, ...
        time.sleep(0.01)  # ... and a fourth has had time to come
        with lock:
            busy -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: limiter.run(call, "it"), range(24)))
    assert most == 3


def test_starts_are_spread_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that stands still: each call waits one interval longer than the one before."""
    waits: list[float] = []
    monkeypatch.setattr("sitsformer.imagery.earthengine.limiter.time.monotonic", lambda: 100.0)
    monkeypatch.setattr(
        "sitsformer.imagery.earthengine.limiter.pause", lambda seconds, stop: waits.append(seconds)
    )
    limiter = Limiter(3, 20, 1)
    for _ in range(4):
        limiter.run(lambda: None, "it")
    limiter.hold(7.0)  # Retry-After
    limiter.run(lambda: None, "it")
    assert waits == pytest.approx([0.0, 0.05, 0.1, 0.15, 7.0])
