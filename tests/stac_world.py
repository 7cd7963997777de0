"""A catalogue of Cloud-Optimised GeoTIFFs on loopback, made of the embedded landscape.

`Catalogue` writes the acquisitions of a cube as items (as Earth Search lays them out: 20 m bands
with pixels of 20 m, a scene classification), `Server` gives them as a static catalogue and as an
API.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import numpy as np
import rasterio
import rasterio.shutil
import xarray as xr
from affine import Affine
from rasterio.warp import transform_geom
from shapely.geometry import box, mapping, shape

from sitsformer.config import Area, Synthetic
from sitsformer.grid import Tile, tiles
from sitsformer.imagery.stac.source import StacSource
from sitsformer.imagery.synthetic.source import SyntheticSource
from sitsformer.sensors import SENTINEL2

BOUNDS = (-94.001, 43.0, -93.999, 43.002)
SEASON = {"start": date(2021, 5, 1), "end": date(2021, 9, 1)}
COLLECTION = "sentinel-2-l2a"
KEYS = {
    "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge1", "B06": "rededge2",
    "B07": "rededge3", "B08": "nir", "B8A": "nir08", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
"""Band -> key of its asset at Earth Search."""
VEGETATION, CLOUD = 4, 9
"""Codes of the scene classification."""


def truth() -> tuple[Tile, xr.Dataset]:
    """A tile of the embedded landscape and its cube, with bands of 20 m as products have them."""
    area = Area(
        source="synthetic",
        bounds=BOUNDS,
        labels=("worldcover", "cdl"),
        tiles={"size": 48},
        **SEASON,
    )
    tile = tiles("farm", area)[0]
    dataset = SyntheticSource(Synthetic()).cube("farm", area, tile).compute()
    for i, band in enumerate(SENTINEL2.bands):
        step = band.resolution // 10
        pixels = dataset.reflectance.values[:, i]
        pixels[:] = pixels[:, ::step, ::step].repeat(step, 1).repeat(step, 2)
    return tile, dataset


def write(path: Path, values: np.ndarray, epsg: int, corner: Affine) -> None:
    """A Cloud-Optimised GeoTIFF of (y, x) or (band, y, x) values."""
    values = values if values.ndim == 3 else values[None]
    profile = {
        "driver": "GTiff",
        "dtype": values.dtype,
        "count": len(values),
        "height": values.shape[1],
        "width": values.shape[2],
        "crs": f"EPSG:{epsg}",
        "transform": corner,
        "nodata": 0,
    }
    plain = path.with_suffix(".plain.tif")
    with rasterio.open(plain, "w", **profile) as file:
        file.write(values)
    rasterio.shutil.copy(plain, path, driver="COG")
    plain.unlink()


@dataclass
class Catalogue:
    """A folder of items and their files.

    Attributes:
        folder: where files and JSON are.
        items: by id, with addresses relative to the folder.
    """

    folder: Path
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: int = 0

    def add(
        self,
        stored: np.ndarray,
        clear: np.ndarray,
        time: np.datetime64,
        tile: Tile,
        *,
        place: str = "15TVJ",
        platform: str = "sentinel-2a",
        offset: int = 0,
        **properties: Any,
    ) -> str:
        """Add an acquisition: (band, y, x) stored values and (y, x) scores; `offset` is added."""
        stamp = str(time)[:19].replace("-", "").replace(":", "")
        name = f"S2{platform[-1].upper()}_T{place}_{stamp}_{self.made}_L2A"
        self.made += 1
        fine, coarse = tile.transform, tile.transform @ Affine.scale(2)
        assets: dict[str, Any] = {}
        seen = stored != 65535
        images = np.where(seen, stored.astype(np.int64) + offset, 0).astype(np.uint16)
        for band, image in zip(SENTINEL2.bands, images, strict=True):
            step = band.resolution // 10
            file = f"{name}_{band.name}.tif"
            write(
                self.folder / file,
                image[::step, ::step],
                tile.epsg,
                fine if step == 1 else coarse,
            )
            assets[KEYS[band.name]] = {
                "href": f"./{file}",
                "type": "image/tiff; application=geotiff; profile=cloud-optimized",
                "roles": ["data", "reflectance"],
                "eo:bands": [{"name": KEYS[band.name], "common_name": band.common}],
                "raster:bands": [{"nodata": 0, "spatial_resolution": band.resolution}],
            }
        scl = np.where(clear >= 60, VEGETATION, CLOUD).astype(np.uint8)
        write(self.folder / f"{name}_SCL.tif", scl, tile.epsg, fine)
        assets["scl"] = {"href": f"./{name}_SCL.tif", "roles": ["data"]}
        # A picture in natural colours: its bands are called as those of reflectance.
        assets["visual"] = {
            "href": f"./{name}_TCI.tif",
            "roles": ["visual"],
            "eo:bands": [{"name": common, "common_name": common} for common in ("red", "green")],
        }
        west, south, east, north = tile.bounds
        outline = transform_geom(
            f"EPSG:{tile.epsg}", "EPSG:4326", mapping(box(west, south, east, north))
        )
        self.items[name] = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "stac_extensions": [],
            "id": name,
            "collection": COLLECTION,
            "geometry": outline,
            "bbox": list(shape(outline).bounds),
            "properties": {
                "datetime": f"{str(time)[:23]}Z",
                "platform": platform,
                "grid:code": f"MGRS-{place}",
                "s2:processing_baseline": "03.00",
                **properties,
            },
            "links": [],
            "assets": assets,
        }
        return name

    def save(self) -> Path:
        """Write the static catalogue: a root, a collection, the items."""
        links = [{"rel": "item", "href": f"./{name}.json"} for name in self.items]
        for name, item in self.items.items():
            (self.folder / f"{name}.json").write_text(json.dumps(item))
        collection = {
            "type": "Collection",
            "stac_version": "1.0.0",
            "id": COLLECTION,
            "description": "made up",
            "license": "proprietary",
            "extent": {
                "spatial": {"bbox": [[-180, -90, 180, 90]]},
                "temporal": {"interval": [["2015-06-27T00:00:00Z", None]]},
            },
            "links": links,
        }
        (self.folder / "collection.json").write_text(json.dumps(collection))
        root = {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": "made-up",
            "description": "made up",
            "links": [{"rel": "child", "href": "./collection.json"}],
        }
        path = self.folder / "catalog.json"
        path.write_text(json.dumps(root))
        return path


class Server(ThreadingHTTPServer):
    """The catalogue's folder over HTTP, and an API at `/api`.

    Attributes:
        faults: part of a path -> statuses of the next answers to requests for it.
        seen: method and path of each request.
        page: items in an answer of the API.
        next: how it names the next page: `body` (Planetary Computer, Earth Search), `merge` (a
            body that is added to what was asked) or `href` (an address alone).
        key: what the address of an image has to hold; `/token/<collection>` gives it.
    """

    daemon_threads = True

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.catalogue = catalogue
        self.faults: defaultdict[str, list[int]] = defaultdict(list)
        self.seen: list[tuple[str, str]] = []
        self.page = 2
        self.next = "body"
        self.key = ""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is not worth a traceback."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve({})

    def do_GET(self) -> None:
        self._serve({key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()})

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _serve(self, asked: dict[str, Any]) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.seen.append((self.command, path))
        for part, statuses in self.server.faults.items():
            if part in path and statuses:
                return self._answer(statuses.pop(0), b"not now")
        if path == f"/token/{COLLECTION}":
            return self._json({"msft:expiry": "2999-01-01T00:00:00Z", "token": self.server.key})
        if path.endswith(".tif") and self.server.key not in self.path:
            return self._answer(403, b"not without a key")
        if path.startswith("/api"):
            return self._api(path.removeprefix("/api").strip("/"), asked)
        file = self.server.catalogue.folder / path.strip("/")
        if not file.is_file():
            return self._answer(404, b"no such file")
        return self._part(file.read_bytes())

    def _part(self, body: bytes) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not found:
            return self._answer(200, body)
        first, last = int(found[1]), min(int(found[2] or len(body)), len(body) - 1)
        place = {"Content-Range": f"bytes {first}-{last}/{len(body)}"}
        return self._answer(206, body[first : last + 1], place)

    def _api(self, path: str, asked: dict[str, Any]) -> None:
        base = f"{self.server.url}/api"
        if path == "":
            return self._json(
                {
                    "type": "Catalog",
                    "stac_version": "1.0.0",
                    "id": "api",
                    "description": "made up",
                    "conformsTo": [
                        "https://api.stacspec.org/v1.0.0/core",
                        "https://api.stacspec.org/v1.0.0/item-search",
                        "https://api.stacspec.org/v1.0.0/collections",
                    ],
                    "links": [
                        {"rel": "self", "href": base},
                        {"rel": "root", "href": base},
                        {"rel": "data", "href": f"{base}/collections"},
                        {
                            "rel": "search",
                            "href": f"{base}/search",
                            "method": "POST",
                            "type": "application/geo+json",
                        },
                    ],
                }
            )
        if path == "collections":
            text = (self.server.catalogue.folder / "collection.json").read_text()
            names = {item["collection"] for item in self.server.catalogue.items.values()}
            known = [
                {**json.loads(text), "id": name, "links": []}
                for name in sorted(names | {COLLECTION})
            ]
            return self._json({"collections": known, "links": []})
        if path == "search":
            return self._search(asked, base)
        return self._answer(404, b"no such page")

    def _search(self, asked: dict[str, Any], base: str) -> None:
        first, last = (text[:10] for text in asked["datetime"].split("/"))
        given = asked["bbox"]
        place = box(*(map(float, given.split(",")) if isinstance(given, str) else given))
        wanted = asked["collections"]
        wanted = wanted.split(",") if isinstance(wanted, str) else wanted
        found = [
            {**item, "links": [{"rel": "self", "href": f"{self.server.url}/{name}.json"}]}
            for name, item in self.server.catalogue.items.items()
            if item["collection"] in wanted
            and first <= item["properties"]["datetime"][:10] <= last
            and shape(item["geometry"]).intersects(place)
        ]
        start = int(asked.get("token", 0))
        end = start + self.server.page
        links = []
        if end < len(found):
            links = [{"rel": "next", "href": f"{base}/search", **self._next(asked, end)}]
        answer = {"type": "FeatureCollection", "features": found[start:end], "links": links}
        self._json(answer)

    def _next(self, asked: dict[str, Any], end: int) -> dict[str, Any]:
        """What of a link to the next page is not the same everywhere."""
        if self.server.next == "merge":
            return {"method": "POST", "merge": True, "body": {"token": end}}
        if self.server.next == "body":
            return {"method": "POST", "merge": False, "body": {**asked, "token": end}}
        flat = {k: ",".join(map(str, v)) if isinstance(v, list) else v for k, v in asked.items()}
        return {"href": f"{self.server.url}/api/search?{urlencode({**flat, 'token': end})}"}

    def _json(self, value: Any) -> None:
        self._answer(200, json.dumps(value).encode())

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        kind = "application/json" if body[:1] == b"{" else "application/octet-stream"
        for key, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Accept-Ranges": "bytes",
            **(headers or {}),
        }.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def area(url: str, cache: Path, **stac: Any) -> Area:
    """An area of the catalogue's tile."""
    section = {"url": url, "cache": str(cache), "attempts": 3, **stac}
    return Area.model_validate(
        {"source": "stac", "bounds": BOUNDS, **SEASON, "tiles": {"size": 48}, "stac": section}
    )


def build(url: str, cache: Path, tile: Tile, **stac: Any) -> xr.Dataset:
    """The cube of the tile, with its pixels."""
    return StacSource().cube("farm", area(url, cache, **stac), tile).compute()
