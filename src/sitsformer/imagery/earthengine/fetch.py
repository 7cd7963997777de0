"""Many requests at once: fetch what the cache lacks, split what is too big, stop at a failure."""

from __future__ import annotations

import io
import math
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.imagery.earthengine.cache import TileCache
from sitsformer.imagery.earthengine.errors import DamagedAnswerError, TooBigError, explain
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
    for half in halves or ():
        yield from sendable(half, group)


def fetch(connect: Callable[[], Session], group: TileCache, requests: Iterable[Request]) -> None:
    """Bring all requests into the cache; `connect` is only called where something is missing.

    Raises:
        EarthEngineError: a request failed for good; those under way are abandoned.
    """
    missing = [
        leaf for request in requests for leaf in sendable(request, group) if not group.has(leaf.key)
    ]
    if missing:
        _fetch_all(connect(), group, missing)


def _fetch_all(session: Session, group: TileCache, missing: Sequence[Request]) -> None:
    """Fetch requests, and the halves of those that are too big; the first failure ends it."""
    stop = threading.Event()
    finished: queue.SimpleQueue[tuple[Request, list[Request]] | BaseException] = queue.SimpleQueue()
    # Not of concurrent.futures: its threads are waited for, and a request that hangs must not keep
    # a failed export alive.
    pool = ThreadPool(session.limiter.concurrent, _name_thread)

    def send(request: Request) -> None:
        pool.apply_async(
            lambda: (request, _fetch(session, group, request, stop)),
            callback=finished.put,
            error_callback=finished.put,
        )

    dates = {seen for request in missing for seen in request.observations}
    what = f"{missing[0].kind} of {missing[0].tile.name}" + f", {len(dates)} dates" * bool(dates)
    total, retries = sum(request.size for request in missing), session.limiter.retries
    try:
        with Progress(total=total, desc=what, unit="B", unit_scale=True) as bar:
            for request in missing:
                send(request)
            waiting = len(missing)
            while waiting:
                found = finished.get()
                if isinstance(found, BaseException):
                    raise found
                request, parts = found
                for part in parts:
                    send(part)
                waiting += len(parts) - 1
                bar.set_postfix_str(f"{session.limiter.retries - retries} retries", refresh=False)
                bar.update(0 if parts else request.size)
    finally:
        stop.set()
        pool.terminate()


def _name_thread() -> None:
    threading.current_thread().name = WORKER


def _fetch(
    session: Session, group: TileCache, request: Request, stop: threading.Event
) -> list[Request]:
    """Fetch one request; the halves to fetch instead, if it is too big."""

    def pixels() -> NDArray[Any]:
        import ee

        body = ee.data.computePixels(
            {"expression": request.expression(), "fileFormat": "NPY", "grid": request.grid}
        )
        return decode(body, request)

    try:
        array = session.limiter.run(pixels, str(request), divisible=True, stop=stop)
    except TooBigError as refused:
        parts = request.split()
        if parts is None:
            raise explain(str(request), str(refused)) from None
        group.mark_split(request.key)
        return list(parts)
    group.save(request.key, array)
    return []


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
