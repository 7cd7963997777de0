"""Errors on demand: what the service, the network and the quota do to a request.

A fault is chosen for a request by a seeded draw (`Random`) or by a rule of the test (`Planned`).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal[
    "429", "429-wait", "500", "503", "drop", "truncate", "hang", "slow", "memory", "timeout",
    "internal", "html",
]  # fmt: skip
"""`429-wait` carries Retry-After; `drop` closes the connection without an answer; `truncate` stops
in the middle of the body; `hang` answers too late; `slow` answers in drips; `memory` and `timeout`
are Earth Engine's own refusals of a computation; `html` is a proxy's error page."""

ANSWERS: Mapping[str, tuple[int, str, str]] = {
    "429": (429, "RESOURCE_EXHAUSTED", "Too many concurrent aggregations."),
    "429-wait": (429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Requests'."),
    "500": (500, "INTERNAL", "An internal error has occurred (request: 7a1c)"),
    "503": (503, "UNAVAILABLE", "The service is currently unavailable."),
    "memory": (400, "INVALID_ARGUMENT", "User memory limit exceeded."),
    "timeout": (400, "INVALID_ARGUMENT", "Computation timed out."),
    "internal": (500, "INTERNAL", "Internal error."),
}

Chooser = Callable[[str, bytes], Fault | None]
"""Path and body of a request -> the fault it meets."""


@dataclass
class Random:
    """A share of the requests to some paths meets a fault drawn from a list."""

    share: float
    faults: tuple[Fault, ...]
    paths: tuple[str, ...] = (":compute", ":computePixels", "image:export")
    seed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _draw: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    def __call__(self, path: str, body: bytes) -> Fault | None:
        if not path.endswith(self.paths):
            return None
        with self._lock:
            return self._draw.choice(self.faults) if self._draw.random() < self.share else None


@dataclass
class Planned:
    """The first requests to a path meet these faults, one each."""

    path: str
    faults: list[Fault]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, path: str, body: bytes) -> Fault | None:
        if not path.endswith(self.path):
            return None
        with self._lock:
            return self.faults.pop(0) if self.faults else None
