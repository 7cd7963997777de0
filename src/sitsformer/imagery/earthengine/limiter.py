"""How fast Earth Engine is asked: one limiter a process, and when to ask again.

Google's default quota is 40 requests at once and 100 a second for a project, shared by everything
that runs on it; the defaults here are half of that. Nobody tells how much the others use: where a
request is refused for the quota, half as many are sent at once, and a little more after each that
passes (additive increase, multiplicative decrease: Chiu and Jain, Computer Networks and ISDN
Systems 17, 1989), so that several jobs come to share it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from sitsformer.errors import no_room
from sitsformer.imagery.earthengine.errors import (
    EarthEngineError,
    TooBigError,
    explain,
    sort_failure,
)

logger = logging.getLogger("sitsformer")

FIRST_WAIT, LONGEST_WAIT = 0.5, 32.0
"""Bounds of the backoff, seconds: the n-th wait is uniform in 0 to min(LONGEST, FIRST x 2^n)
("full jitter": Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015)."""

PAUSE = 1.0
"""Seconds between two halvings at least: requests sent together are refused together."""

TIMEOUTS_BEFORE_SPLIT = 2
"""A request that ran out of time this often is split instead of tried again."""

T = TypeVar("T")


class StoppedError(Exception):
    """Another request failed for good: this one is not worth sending."""


@dataclass
class Limiter:
    """Bounds on the requests under way at once, and on those started per second.

    A request has so many attempts; while it is refused for the quota it is tried again for
    `patience` seconds, and these tries do not count.
    """

    concurrent: int
    rate: float
    attempts: int
    patience: float = 3600.0
    retries: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next: float = 0.0
    _random: random.Random = field(default_factory=random.Random)
    _busy: int = 0
    _halved: float = -PAUSE

    def __post_init__(self) -> None:
        self._free = threading.Condition()
        self.share = float(self.concurrent)
        """Requests under way at once for now; from 1 to `concurrent`."""

    @contextmanager
    def turn(self, stop: threading.Event) -> Iterator[None]:
        """Wait for a free slot and for the rate, then hold the slot."""
        with self._free:
            while self._busy >= int(self.share):
                self._free.wait(0.2)
                if stop.is_set():
                    raise StoppedError
            self._busy += 1
        try:
            with self._lock:
                start = max(self._next, time.monotonic())
                self._next = start + 1 / self.rate
            pause(start - time.monotonic(), stop)
            yield
        finally:
            with self._free:
                self._busy -= 1
                self._free.notify()

    def more(self) -> None:
        """A request passed: one more at once after as many as are under way now."""
        with self._free:
            self.share = min(float(self.concurrent), self.share + 1 / self.share)

    def less(self) -> None:
        """A request was refused for the quota: half as many at once, but at least one."""
        with self._free:
            now = time.monotonic()
            if now - self._halved >= PAUSE:
                self._halved = now
                self.share = max(1.0, self.share / 2)

    def hold(self, seconds: float) -> None:
        """Start no request for so long: the service asked for a pause."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def run(
        self,
        call: Callable[[], T],
        what: str,
        *,
        divisible: bool = False,
        stop: threading.Event | None = None,
    ) -> T:
        """Make a call to Earth Engine, again where another try may help.

        The caller can split a `divisible` request; others set `stop` when the call is not worth
        making any more.

        Raises:
            UnavailableError: every try failed for a reason that may pass.
            EarthEngineError: the request is refused.
            TooBigError: the request must be split (only if divisible).
            StoppedError: `stop` was set meanwhile.
        """
        stop = stop or threading.Event()
        timeouts = failures = refusals = 0
        refused_since = 0.0
        while True:
            try:
                with self.turn(stop):
                    answer = call()
                self.more()
                return answer
            except (StoppedError, EarthEngineError):
                raise
            except Exception as error:
                if no_room(error):
                    raise
                failure = sort_failure(error)
            timeouts += failure.kind == "timeout"
            if failure.kind == "too big" or timeouts >= TIMEOUTS_BEFORE_SPLIT:
                if divisible:
                    raise TooBigError(failure.message)
                if failure.kind == "too big":
                    raise explain(what, failure.message)
            if failure.kind == "permanent":
                raise explain(what, failure.message)
            if failure.kind == "quota":
                self.less()
                refused_since = refused_since or time.monotonic()
                number, refusals = refusals, refusals + 1
                if time.monotonic() - refused_since >= self.patience:
                    minutes = self.patience / 60
                    raise explain(f"{what} was refused for {minutes:g} minutes", failure.message,
                                  may_pass=True)  # fmt: skip
            else:
                number, failures = failures, failures + 1
                if failures >= self.attempts:
                    raise explain(f"{what} failed {failures} times", failure.message, may_pass=True)
            self._note_retry(failure.wait)
            wait = self._random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(number, 16)))
            wait = max(wait, failure.wait)
            logger.debug("%s: %s; again in %.1f s", what, failure.message, wait)
            pause(wait, stop)

    def _note_retry(self, asked: float) -> None:
        with self._lock:
            self.retries += 1
        if asked:
            self.hold(asked)


def pause(seconds: float, stop: threading.Event) -> None:
    """Wait, unless the export is stopped meanwhile.

    Raises:
        StoppedError: it was stopped.
    """
    if seconds > 0:
        stop.wait(seconds)
    if stop.is_set():
        raise StoppedError
