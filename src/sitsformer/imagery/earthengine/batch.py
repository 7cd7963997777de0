"""Reflectance by Earth Engine's batch tasks, for areas too big for direct requests.

Each task exports many dates of a tile as GeoTIFFs to Cloud Storage or Drive; they are read back
into the cache, so that the cube is assembled as after direct requests. Listing, scores and labels
are small and come directly in both ways. A task goes on when this process dies: the next run finds
it by its description and waits for it instead of starting another one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sitsformer.config import EarthEngine, expand
from sitsformer.imagery.earthengine.cache import TileCache
from sitsformer.imagery.earthengine.errors import EarthEngineError, UnavailableError, explain
from sitsformer.imagery.earthengine.requests import Request, pack
from sitsformer.imagery.earthengine.session import Session, is_local
from sitsformer.progress import Progress
from sitsformer.sensors import PIXEL

logger = logging.getLogger("sitsformer")

TASK_LIMIT = 2_000_000_000
"""Bytes of a task (as requests count them): a GeoTIFF stays well below 4 GB."""
POLL_SECONDS = 15.0
"""Between two looks at the tasks; they take minutes to hours."""
DRIVE_LOOKS = 40
"""Looks for a file that Drive may still be bringing to this computer."""
MOST_PIXELS = 10**12
"""What a task may export; its own default, 10^8, is less than four big tiles."""
BLOCK = 256
"""Side of the blocks that a task computes; files have sides of a multiple of it."""

FINISHED = {"SUCCEEDED", "FAILED", "CANCELLED"}


def repack(requests: Sequence[Request]) -> list[Request]:
    """The same dates and tile in fewer, bigger requests."""
    observations = {
        seen: None for item in sorted(requests, key=lambda r: r.first) for seen in item.observations
    }
    return pack("reflectance", requests[0].tile, list(observations), limit=TASK_LIMIT)


def fetch(
    connect: Callable[[], Session],
    group: TileCache,
    requests: Sequence[Request],
    settings: EarthEngine,
) -> None:
    """Bring requests into the cache by tasks.

    Raises:
        EarthEngineError: a task failed.
        UnavailableError: the time is over, or a file does not exist yet.
    """
    missing = [request for request in requests if not group.has(request.key)]
    if not missing:
        return
    session = connect()
    known = _known(session)
    tasks = {_start(session, request, settings, known): request for request in missing}
    logger.info(
        "%d export tasks to %s are running; they go on if this process ends",
        len(tasks),
        settings.bucket or settings.drive_folder,
    )
    _wait(session, tasks, settings)
    for request in missing:
        _read_back(session, group, request, settings)


def _known(session: Session) -> dict[str, tuple[str, str]]:
    """Description -> operation and state of the project's tasks that may still bring something."""
    import ee

    listed = session.limiter.run(ee.data.listOperations, "listing the project's tasks")
    return {
        str(item["metadata"].get("description")): (str(item["name"]), item["metadata"]["state"])
        for item in listed
        if item.get("metadata", {}).get("state") in ("PENDING", "RUNNING", "SUCCEEDED")
    }


def _start(
    session: Session,
    request: Request,
    settings: EarthEngine,
    known: Mapping[str, tuple[str, str]],
) -> str:
    """Start the task of a request, unless there is one; the name of its operation."""
    import ee

    name = _name(request, settings)
    operation, state = known.get(name, (None, ""))
    if state == "SUCCEEDED" and not _files(session, settings, name):
        operation = None  # what it made was removed since
    if operation is None:
        token = ee.data.newTaskId()[0]
        answer = session.limiter.run(
            lambda: ee.data.exportImage(
                token,
                {
                    "expression": request.expression(),
                    "description": name,
                    "grid": request.grid,
                    "maxPixels": {"value": str(MOST_PIXELS)},
                    "fileExportOptions": _destination(request, settings),
                },
            ),
            f"starting the export of {request}",
        )
        operation = str(answer["name"])
    return operation


def _name(request: Request, settings: EarthEngine) -> str:
    """Description of a task and name of its files: the same for the same work and place."""
    place = f"{request.key} {settings.bucket} {settings.drive_folder}"
    return f"sitsformer-{request.tile.name}-{hashlib.sha256(place.encode()).hexdigest()[:20]}"


def _destination(request: Request, settings: EarthEngine) -> dict[str, Any]:
    side = max(request.window.height, request.window.width)
    files = -(-side // BLOCK) * BLOCK
    prefix = {"filenamePrefix": _name(request, settings)}
    where = (
        {"driveDestination": {"folder": settings.drive_folder, **prefix}}
        if settings.bucket is None
        else {"cloudStorageDestination": {"bucket": settings.bucket, **prefix}}
    )
    return {
        "fileFormat": "GEO_TIFF",
        "geoTiffOptions": {
            "tileSize": {"value": BLOCK},
            "tileDimensions": {"width": files, "height": files},
        },
        **where,
    }


def _wait(session: Session, tasks: Mapping[str, Request], settings: EarthEngine) -> None:
    import ee

    end = time.monotonic() + settings.batch_timeout * 3600
    waiting = dict(tasks)
    with Progress(total=len(tasks), desc="export tasks", unit="task") as bar:
        while waiting:
            states = set()
            for operation, request in list(waiting.items()):
                ask = partial(ee.data.getOperation, operation)
                found = session.limiter.run(ask, f"asking for task {operation}")
                state = found["metadata"]["state"]
                states.add(state.lower())
                if state in FINISHED:
                    del waiting[operation]
                    bar.update()
                if state in ("FAILED", "CANCELLED"):
                    message = found.get("error", {}).get("message", state.lower())
                    raise explain(f"task {operation} ({request})", message)
            bar.set_postfix_str(", ".join(sorted(states)))
            if waiting and time.monotonic() > end:
                raise UnavailableError(
                    f"{len(waiting)} of {len(tasks)} export tasks are not finished after "
                    f"{settings.batch_timeout:g} hours; they go on at Google: run again to wait "
                    "for them, or raise earthengine.batch_timeout"
                )
            if waiting:
                time.sleep(POLL_SECONDS)


def _read_back(session: Session, group: TileCache, request: Request, settings: EarthEngine) -> None:
    name = _name(request, settings)
    for _ in range(1 if settings.bucket else DRIVE_LOOKS):
        if found := _files(session, settings, name):
            break
        time.sleep(POLL_SECONDS)
    else:
        raise UnavailableError(
            f"{settings.bucket or settings.drive_path} has no file {name}*.tif although its task "
            "succeeded: was it removed, or is Drive not synchronised? Run again to export it anew"
        )
    with tempfile.TemporaryDirectory(dir=group.path, prefix=".files-") as folder:
        _convert(group, request, [_local(session, item, Path(folder)) for item in found])


def _files(session: Session, settings: EarthEngine, name: str) -> list[Any]:
    """Files of a task: objects of the bucket, or paths in the synchronised folder."""
    if settings.bucket is None:
        assert settings.drive_path is not None
        return sorted(expand(settings.drive_path).glob(f"{name}*.tif"))
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    local = is_local(settings.url)
    credentials = AnonymousCredentials() if local else session.credentials  # type: ignore[no-untyped-call]
    client = storage.Client(project=session.project, credentials=credentials)

    def ask() -> list[Any]:
        from google.api_core.exceptions import NotFound

        try:
            return list(client.list_blobs(settings.bucket, prefix=name))
        except NotFound:
            return []

    return session.limiter.run(ask, f"listing gs://{settings.bucket}/{name}*")


def _local(session: Session, item: Any, folder: Path) -> Path:
    """A file of a task on this disk."""
    if isinstance(item, Path):
        return item
    target = folder / str(item.name).replace("/", "-")
    session.limiter.run(lambda: item.download_to_filename(str(target)), f"reading {item.name}")
    return target


def _convert(group: TileCache, request: Request, files: Iterable[Path]) -> None:
    """GeoTIFFs of one task -> the finished request in the cache, some rows at a time."""
    import rasterio

    window = request.window
    west = request.tile.west + window.column * PIXEL
    north = request.tile.north - window.row * PIXEL
    shape = (window.height, window.width, request.fields)
    dtype = np.dtype(f"<u{request.itemsize}")
    covered = 0
    with tempfile.TemporaryDirectory(dir=group.path, prefix=".convert-") as folder:
        target = np.lib.format.open_memmap(Path(folder) / "whole.npy", "w+", dtype, shape)
        _take_room(Path(folder) / "whole.npy")
        for path in files:
            with rasterio.open(path) as source:
                transform, bands = source.transform, source.count
                column, row = (transform.c - west) / PIXEL, (north - transform.f) / PIXEL
                if (
                    bands != request.fields
                    or column % 1
                    or row % 1
                    or source.crs.to_epsg() != (request.tile.epsg)
                ):
                    raise EarthEngineError(
                        f"{path.name} has {bands} bands from ({transform.c}, {transform.f}) in "
                        f"{source.crs}; {request.fields} bands on the grid of tile "
                        f"{request.tile.name} were exported: was it replaced?"
                    )
                columns = slice(int(column), int(column) + source.width)
                for start in range(0, source.height, BLOCK):
                    stop = min(start + BLOCK, source.height)
                    values = source.read(window=((start, stop), (0, source.width)))
                    rows = slice(int(row) + start, int(row) + stop)
                    target[rows, columns] = np.moveaxis(values, 0, -1)
                covered += source.height * source.width
        if covered != window.height * window.width:
            raise EarthEngineError(
                f"the files of {request} cover {covered} of "
                f"{window.height * window.width} pixels; remove them and run again"
            )
        target.flush()
        del target
        group.adopt(request.key, Path(folder) / "whole.npy")


def _take_room(path: Path) -> None:
    """Take the room on the disk that a mapped file will need.

    Without room a write to a mapped page ends the process; here it is an error with a message.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
