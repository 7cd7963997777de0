"""The REST protocol on loopback.

    python -m earthengine.server --port 8899        (in tests/; then: earthengine.url of a config)

or, in a test, `with LocalEarthEngine([Place(...)]) as server: ...; server.url`.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import threading
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from earthengine import answers, faults
from earthengine.catalogue import Catalogue, Place
from earthengine.graph import Graph
from earthengine.handler import Call, Handler, Server
from earthengine.images import EarthEngineError, Grid, Image
from earthengine.values import Context, pick, to_image

BYTE_LIMIT = 50_331_648
"""48 MiB: the largest computePixels request, counting one mask byte a pixel and band."""
SIDE_LIMIT = 32_768
BAND_LIMIT = 1_024
LOGIN_CODE, REFRESH_TOKEN = "4/right-code", "1//SECRET-refresh-token"
FILES = Path(__import__("ee").__file__).parent / "tests"


def discovery_document() -> dict[str, Any]:
    """The document in the client's wheel, as v1, and the parameters that it lacks."""
    text = (FILES / "cloud_api_discovery_document.json").read_text()
    document: dict[str, Any] = json.loads(text.replace("v1alpha", "v1"))
    resources = document["resources"]["projects"]["resources"]
    listing = resources["assets"]["methods"]["listAssets"]["parameters"]
    thumbnail = resources["thumbnails"]["methods"]["create"]["parameters"]
    text_in_query = {"location": "query", "type": "string"}
    listing.update(filter=text_in_query, view=text_in_query)
    thumbnail.update(workloadTag=text_in_query)
    return document


def algorithm_list() -> dict[str, Any]:
    """The algorithms in the client's wheel."""
    found: dict[str, Any] = json.loads((FILES / "algorithms.json").read_text())
    return found


class LocalEarthEngine:
    """A running server with its catalogue, faults and log of calls.

    Args:
        places: where and when scenes exist.
        folder: where exports write: `bucket/` and `drive/`.
        latency: seconds before every answer.
        concurrent: requests at once before it answers 429.
        bandwidth: bytes a second of all answers together; None for no limit.
        fault: chooses the fault of each request.
        remember: folder that keeps answers by request, so that a timing sees the transport alone.
        host, port: where it listens.
    """

    def __init__(
        self,
        places: Iterable[Place],
        *,
        folder: Path | None = None,
        latency: float = 0.0,
        concurrent: int = 40,
        bandwidth: float | None = None,
        fault: faults.Chooser | None = None,
        remember: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.catalogue = Catalogue(places)
        self.folder = folder
        self.latency, self.concurrent, self.bandwidth = latency, concurrent, bandwidth
        self.fault = fault
        self.byte_limit = BYTE_LIMIT
        self.hang_seconds, self.drip_seconds = 3.0, 0.4
        # Where answers are remembered the transport is timed: there packing would count.
        self.whole_up_to = math.inf if remember is not None else 1_024
        """Bytes of the longest answer that is sent whole and as it is."""
        self.tasks_may_end = threading.Event()
        self.tasks_may_end.set()
        self.token: str | None = None
        """Where set, every call needs it, and `/token` gives it."""
        self.calls: list[Call] = []
        self.operations: dict[str, dict[str, Any]] = {}
        self.logins: list[dict[str, str]] = []
        self.thumbnails: dict[str, Mapping[str, Any]] = {}
        self.busy = 0
        self.busiest = 0
        self.lock = threading.Lock()
        self.remember = remember
        self.memory: dict[str, bytes] = {}
        self._line = 0.0
        self.algorithms = algorithm_list()
        self.discovery = json.dumps(discovery_document()).encode()
        self.context = Context(
            self.catalogue,
            {
                item["name"].removeprefix("algorithms/"): {
                    argument["argumentName"]: bool(argument.get("optional"))
                    for argument in item.get("arguments", [])
                }
                for item in self.algorithms["algorithms"]
            },
        )
        handler = type("Handler", (Handler,), {"service": self})
        self.http = Server((host, port), handler)
        self.url = f"http://{host}:{self.http.server_address[1]}"

    def __enter__(self) -> LocalEarthEngine:
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    def sent(self, ending: str = ":computePixels", status: int | None = 200) -> list[Call]:
        """Calls to a path that were answered with a status (None: any)."""
        with self.lock:
            return [
                call
                for call in self.calls
                if call.path.endswith(ending) and status in (None, call.status)
            ]

    @contextmanager
    def slot(self) -> Iterator[bool]:
        """One of the concurrent requests; False when there are too many."""
        with self.lock:
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            free = self.busy <= self.concurrent
        try:
            yield free
        finally:
            with self.lock:
                self.busy -= 1

    def wait_for_line(self, size: int) -> None:
        """Hold an answer until the shared line has had time for its bytes."""
        if self.bandwidth is None:
            return
        with self.lock:
            self._line = max(self._line, time.monotonic()) + size / self.bandwidth
            until = self._line
        time.sleep(max(0.0, until - time.monotonic()))

    def give_token(self, form: Mapping[str, list[str]]) -> bytes:
        """What Google's token server answers to a service account, a login and a stored login."""
        grant = form.get("grant_type", [""])[0]
        refused = (
            (grant == "authorization_code" and form["code"] != [LOGIN_CODE])
            or (grant == "refresh_token" and form["refresh_token"] != [REFRESH_TOKEN])
        )  # fmt: skip
        if self.token is None or refused:
            raise EarthEngineError("invalid_grant: account not found", 400)
        answer = {"access_token": self.token, "expires_in": 3600, "token_type": "Bearer"}
        if grant == "authorization_code":
            self.logins.append({name: values[0] for name, values in form.items()})
            answer["refresh_token"] = REFRESH_TOKEN
        return json.dumps(answer).encode()

    # --- methods of the protocol ---------------------------------------------------------------

    def evaluate(self, expression: Mapping[str, Any]) -> Any:
        return Graph(expression, self.context).evaluate()

    def compute_pixels(self, request: Mapping[str, Any]) -> bytes:
        image = to_image(self.evaluate(request["expression"]))
        return self.pixels(image, request)

    def get_pixels(self, asset: str, request: Mapping[str, Any]) -> bytes:
        if asset not in self.catalogue.images:
            raise EarthEngineError(f"Asset '{asset}' not found.", 404, "NOT_FOUND")
        return self.pixels(self.catalogue.images[asset], request)

    def create_thumbnail(self, project: str, request: Mapping[str, Any]) -> str:
        """What ee.Image.getDownloadURL asks for first: a name under which the pixels can be had."""
        code = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:32]
        self.thumbnails[code] = request
        return f"projects/{project}/thumbnails/{code}"

    def get_thumbnail(self, code: str) -> bytes:
        """The whole image on its own grid."""
        if code not in self.thumbnails:
            raise EarthEngineError("Thumbnail not found.", 404, "NOT_FOUND")
        request = self.thumbnails[code]
        form = request.get("fileFormat")
        zipped = form == "ZIPPED_GEO_TIFF"
        image = to_image(self.evaluate(request["expression"]))
        content = self.pixels(
            image, {**request, "grid": None, "fileFormat": "GEO_TIFF" if zipped else form}
        )
        if not zipped:
            return content
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr(f"{request.get('filenamePrefix') or 'download'}.tif", content)
        return stream.getvalue()

    def pixels(self, image: Image, request: Mapping[str, Any]) -> bytes:
        if request.get("bandIds"):
            image = image.with_bands([pick(image, name) for name in request["bandIds"]])
        grid = answers.grid(request.get("grid"), _with_bands(image))
        self._check_size(image, grid)
        form = request.get("fileFormat", "AUTO_JPEG_PNG")
        if form == "NPY":
            return answers.npy(image, grid)
        if form == "GEO_TIFF":
            return answers.geotiff(image, grid)
        raise EarthEngineError(f"File format {form} is not simulated.")

    def _check_size(self, image: Image, grid: Grid) -> None:
        if len(image.bands) > BAND_LIMIT:
            raise EarthEngineError(
                f"Total number of bands ({len(image.bands)}) must be less than or equal to "
                f"{BAND_LIMIT}."
            )
        if max(grid.width, grid.height) > SIDE_LIMIT:
            raise EarthEngineError(
                f"Pixel grid dimensions ({grid.width}x{grid.height}) must be less than or "
                f"equal to {SIDE_LIMIT}."
            )
        depth = sum(band.type.dtype.itemsize + 1 for band in image.bands)
        size = grid.width * grid.height * depth
        if size > self.byte_limit:
            raise EarthEngineError(
                f"Total request size ({size} bytes) must be less than or equal to "
                f"{self.byte_limit} bytes."
            )

    def export(self, project: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start a task; the same request id never starts a second one."""
        token = request.get("requestId") or f"T{len(self.operations)}"
        name = f"projects/{project}/operations/{token}"
        with self.lock:
            if name in self.operations:
                raise EarthEngineError(
                    f"A task with request id '{token}' exists.", 409, "ALREADY_EXISTS"
                )
            operation: dict[str, Any] = {
                "name": name,
                "metadata": {
                    "@type": "type.googleapis.com/google.earthengine.v1.OperationMetadata",
                    "state": "PENDING",
                    "description": request.get("description", ""),
                    "type": "EXPORT_IMAGE",
                    "progress": 0,
                },
            }
            self.operations[name] = operation
        threading.Thread(target=self._run, args=(operation, dict(request)), daemon=True).start()
        return dict(operation)

    def _run(self, operation: dict[str, Any], request: dict[str, Any]) -> None:
        metadata = operation["metadata"]
        metadata["state"] = "RUNNING"
        self.tasks_may_end.wait()
        time.sleep(0.3)
        try:
            image = _with_bands(to_image(self.evaluate(request["expression"])))
            target = self._export_target(request["fileExportOptions"])
            content = answers.geotiff(image, answers.grid(request["grid"], image))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except (EarthEngineError, TypeError, ValueError, AttributeError, LookupError) as error:
            metadata["state"] = "FAILED"
            operation.update(done=True, error={"code": 3, "message": str(error)})
            return
        metadata.update(state="SUCCEEDED", progress=1)
        operation.update(done=True, response={})

    def _export_target(self, options: Mapping[str, Any]) -> Path:
        if self.folder is None:
            raise EarthEngineError("This server was started without a folder for exports.")
        if "cloudStorageDestination" in options:
            where = options["cloudStorageDestination"]
            return self.folder / "bucket" / where["bucket"] / f"{where['filenamePrefix']}.tif"
        where = options["driveDestination"]
        return self.folder / "drive" / where["folder"] / f"{where['filenamePrefix']}.tif"

    def get_asset(self, asset: str) -> dict[str, Any]:
        if asset not in self.catalogue.images:
            raise EarthEngineError(f"Asset '{asset}' not found.", 404, "NOT_FOUND")
        return answers.asset(self.catalogue.images[asset])

    def list_assets(self, parent: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        if parent not in self.catalogue.collections:
            raise EarthEngineError(f"Asset '{parent}' not found.", 404, "NOT_FOUND")
        found = self.catalogue.collections[parent]
        start = int(query.get("pageToken", ["0"])[0])
        size = int(query.get("pageSize", ["1000"])[0])
        answer: dict[str, Any] = {
            "assets": [answers.asset(item) for item in found[start : start + size]]
        }
        if start + size < len(found):
            answer["nextPageToken"] = str(start + size)
        return answer


def _with_bands(image: Image) -> Image:
    """An image that has pixels at all: the mosaic of an empty collection has none."""
    if not image.bands:
        raise EarthEngineError("Image has no bands.")
    return image


EXAMPLES = (
    Place(-94.2, 41.7, -92.8, 42.5, date(2021, 3, 1), date(2021, 11, 30)),
    Place(-96.2, 41.8, -95.8, 42.2, date(2021, 3, 1), date(2021, 11, 30)),
    Place(-89.6, 39.8, -88.8, 40.4, date(2021, 3, 1), date(2021, 11, 30)),
    Place(-92.4, 41.7, -91.7, 42.2, date(2021, 3, 1), date(2021, 11, 30)),
    Place(1.5, 48.0, 2.2, 48.5, date(2020, 10, 1), date(2021, 9, 30)),
    Place(2.3, 48.0, 2.8, 48.4, date(2020, 10, 1), date(2021, 9, 30)),
)
"""Central Iowa, the border of UTM zones 14 and 15, Illinois, eastern Iowa, and two plains in
France: what config/examples/iowa.yaml and beauce.yaml ask for."""


def main() -> None:
    parser = argparse.ArgumentParser(description="A local Earth Engine over simulated scenes.")
    parser.add_argument("--port", type=int, default=8899)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument("--folder", type=Path, default=None, help="where exports write")
    parser.add_argument("--bandwidth", type=float, default=None, help="bytes/s of all answers")
    parser.add_argument("--remember", type=Path, default=None, help="folder of computed answers")
    options = parser.parse_args()
    with LocalEarthEngine(
        EXAMPLES,
        port=options.port,
        latency=options.latency,
        folder=options.folder,
        bandwidth=options.bandwidth,
        remember=options.remember,
    ) as server:
        print(f"serving {len(server.catalogue.scenes)} scenes on {server.url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
