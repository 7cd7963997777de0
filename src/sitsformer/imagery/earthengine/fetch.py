"""Many requests at once: fetch what the cache lacks, split what is too big, stop at a failure."""

from __future__ import annotations

import io
import math
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.imagery.earthengine.cache import TileCache
from sitsformer.imagery.earthengine.errors import DamagedAnswerError, TooBigError, explain
from sitsformer.imagery.earthengine.limiter import StoppedError
from sitsformer.imagery.earthengine.requests import Request
from sitsformer.imagery.earthengine.session import Session
from sitsformer.progress import Progress

WORKER = "earthengine-request"
"""Name of the threads that fetch."""
HEADER_LIMIT = 1 << 17
"""Longest header of an answer, characters: 1,024 fields need about 20,000."""


def sendable(request: Request, group: TileCache) -> Iterator[Request]:
    """The requests that a request was split into so far, or itself."""
    halves = request.split() if group.is_split(request.key) else None
    if halves is None:
        yield request
        return
    for half in halves:
        yield from sendable(half, group)


def fetch(
    connect: Callable[[], Session],
    group: TileCache,
    requests: Iterable[Request],
) -> None:
    """Bring all requests into the cache.

    Args:
        connect: gives the session; only called where something is missing.
        group: the cache.
        requests: what is wanted.

    Raises:
        EarthEngineError: a request failed for good; those under way are abandoned.
    """
    missing = [
        leaf for request in requests for leaf in sendable(request, group) if not group.has(leaf.key)
    ]
    if missing:
        _Fetching(connect(), group, missing).run()


class _Fetching:
    """Workers over a queue that grows when a request is split.

    The workers are daemons: a request that hangs must not keep a failed export alive.
    """

    def __init__(
        self,
        session: Session,
        group: TileCache,
        requests: Sequence[Request],
    ) -> None:
        self.session, self.group = session, group
        self.queue: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self.open = len(requests)
        self.failure: BaseException | None = None
        self.stop = threading.Event()
        self.done = threading.Condition()
        self.began = time.monotonic()
        self.retries_before = session.limiter.retries
        self.received_before = session.transport.received
        dates = {seen for request in requests for seen in request.observations}
        self.bar = Progress(
            total=sum(request.size for request in requests),
            desc=f"{requests[0].kind} of {requests[0].tile.name}"
            + (f", {len(dates)} dates" if dates else ""),
            unit="B",
            unit_scale=True,
        )
        for request in requests:
            self.queue.put(request)
        self.workers = 0

    def run(self) -> None:
        """Fetch everything."""
        self._hire(self.open)
        with self.bar, self.done:
            self.done.wait_for(lambda: self.open == 0 or self.failure is not None)
        self.stop.set()
        if self.failure is not None:
            raise self.failure

    def _hire(self, wanted: int) -> None:
        with self.done:
            wanted = min(wanted, self.session.limiter.concurrent - self.workers)
            self.workers += wanted
        for _ in range(wanted):
            threading.Thread(target=self._work, name=WORKER, daemon=True).start()

    def _show(self, size: int) -> None:
        seconds = max(time.monotonic() - self.began, 1e-3)
        received = self.session.transport.received - self.received_before
        retries = self.session.limiter.retries - self.retries_before
        text = f"{received / seconds / 1e6:.1f} MB/s, {retries} retries"
        with self.done:
            self.bar.set_postfix_str(text, refresh=False)
            self.bar.update(size)

    def _work(self) -> None:
        while self.failure is None:
            try:
                request = self.queue.get(timeout=0.2)
            except queue.Empty:
                if self.open == 0:
                    return
                continue
            try:
                parts = self._fetch(request)
            except StoppedError:
                return
            except BaseException as error:
                with self.done:
                    self.failure = self.failure or error
                    self.done.notify_all()
                return
            if not parts:
                self._show(request.size)
            with self.done:
                self.open += len(parts) - 1
                self.done.notify_all()
            for part in parts:
                self.queue.put(part)
            self._hire(len(parts) - 1)

    def _fetch(self, request: Request) -> list[Request]:
        """Fetch one request; the halves to fetch instead, if it is too big."""
        try:
            array = self.session.limiter.run(
                lambda: self._pixels(request), str(request), divisible=True, stop=self.stop
            )
        except TooBigError as refused:
            halves = request.split()
            if halves is None:
                raise explain(str(request), str(refused)) from None
            self.group.mark_split(request.key)
            return list(halves)
        self.group.save(request.key, array)
        return []

    def _pixels(self, request: Request) -> NDArray[Any]:
        import ee

        body = ee.data.computePixels(
            {"expression": request.expression(), "fileFormat": "NPY", "grid": request.grid}
        )
        return decode(body, request)


def decode(body: bytes, request: Request) -> NDArray[Any]:
    """A structured array (y, x) with a field a band -> (y, x, field), without a copy.

    Raises:
        DamagedAnswerError: it is cut short, or not of the shape and types asked for.
    """
    try:
        answer = _read_structured(body)
    except (ValueError, EOFError, OSError) as error:
        raise DamagedAnswerError(f"the answer is no array: {error}") from None
    names = answer.dtype.names or ()
    kind = np.dtype(f"<u{request.itemsize}")
    shape = (request.window.height, request.window.width)
    if answer.shape != shape or len(names) != request.fields:
        raise DamagedAnswerError(
            f"the answer has {len(names)} fields of {answer.shape}; {request.fields} of {shape} "
            "were asked for"
        )
    if any(answer.dtype[name] != kind for name in names):
        raise DamagedAnswerError(f"the answer has the types {answer.dtype}, not {kind}")
    return answer.view(kind).reshape(*shape, len(names))


def _read_structured(body: bytes) -> NDArray[Any]:
    """Read the NPY format without a copy of the pixels (numpy.lib.format, version 1 and 2).

    NumPy's own limit on the header, 10,000 characters, is one of some 500 fields.
    """
    stream = io.BytesIO(body)
    version = np.lib.format.read_magic(stream)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else (np.lib.format.read_array_header_2_0)
    )
    shape, _, dtype = read(stream, max_header_size=HEADER_LIMIT)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    return np.frombuffer(body, dtype, math.prod(shape), stream.tell()).reshape(shape)
