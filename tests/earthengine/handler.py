"""HTTP: one request of the REST protocol, with the fault it meets, and its answer."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from earthengine import faults
from earthengine.images import EarthEngineError
from earthengine.values import describe

if TYPE_CHECKING:
    from earthengine.server import LocalEarthEngine


@dataclass
class Call:
    """One request as the server saw it."""

    method: str
    path: str
    digest: str
    status: int = 0
    """0: no whole answer was sent."""
    bytes: int = 0
    request: dict[str, Any] = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away (killed on purpose in tests) is not worth a traceback."""


class Handler(BaseHTTPRequestHandler):
    service: LocalEarthEngine
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _serve(self, body: bytes) -> None:
        path = unquote(urlsplit(self.path).path)
        digest = hashlib.sha256(path.encode() + body).hexdigest()
        call = Call(self.command, path, digest)
        if path.endswith(("computePixels", "getPixels", "export")) and body:
            call.request = {k: v for k, v in json.loads(body).items() if k != "expression"}
        with self.service.lock:
            self.service.calls.append(call)
        with self.service.slot() as free:
            time.sleep(self.service.latency)
            fault = self.service.fault(path, body) if self.service.fault else None
            if not free:
                fault = fault or "429"
            if fault == "drop":
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if fault == "hang":
                time.sleep(self.service.hang_seconds)
            try:
                try:
                    kind, content = self._answer(path, body, digest, fault)
                    status = 200
                except (TypeError, ValueError, AttributeError, LookupError) as mistake:
                    # A mistake of this server or of the expression: as a permanent refusal.
                    said = f"{type(mistake).__name__}: {mistake}"
                    raise EarthEngineError(said) from mistake
            except EarthEngineError as error:
                status, kind = error.status, "application/json"
                said = {"code": error.status, "message": str(error), "status": error.code}
                answer = {"error": said if path != "/token" else str(error)}
                content = json.dumps(answer).encode()
            if fault == "html":
                status, kind, content = 502, "text/html", b"<html>Bad gateway</html>"
        # Outside the slot: a client that has its answer may ask again before this thread goes on.
        self._send(call, status, kind, content, fault)

    def _send(
        self, call: Call, status: int, kind: str, content: bytes, fault: faults.Fault | None
    ) -> None:
        """Send an answer; a long one in chunks, and zipped where the client takes that."""
        size = len(content)
        in_chunks = size > self.service.whole_up_to
        zipped = in_chunks and "gzip" in self.headers.get("Accept-Encoding", "")
        if zipped:
            content = gzip.compress(content, 1)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if in_chunks:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(size))
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        if fault == "429-wait":
            self.send_header("Retry-After", "1")
        self.end_headers()
        pieces = 8 if fault == "slow" else 2 if in_chunks or fault == "truncate" else 1
        piece = max(1, math.ceil(len(content) / pieces))
        parts = [content[start : start + piece] for start in range(0, len(content), piece)]
        if in_chunks:
            parts = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
            parts[-1] += b"0\r\n\r\n"
        if fault == "truncate":
            self.wfile.write(parts[0])
            self.close_connection = True
            return
        for part in parts[:-1]:
            self.wfile.write(part)
            if fault == "slow":
                time.sleep(self.service.drip_seconds)
        self.service.wait_for_line(size)
        # Before the last bytes leave: a client may look at the calls as soon as it has them.
        call.status, call.bytes = status, size
        try:
            self.wfile.write(parts[-1] if parts else b"")
            self.wfile.flush()
        except OSError:
            call.status = call.bytes = 0
            raise

    def _answer(
        self, path: str, body: bytes, digest: str, fault: faults.Fault | None
    ) -> tuple[str, bytes]:
        if fault in faults.ANSWERS:
            status, code, message = faults.ANSWERS[fault]
            raise EarthEngineError(message, status, code)
        folder, memory = self.service.remember, self.service.memory
        asked = (self.command == "POST" and not path.endswith("export")) or "Pixels" in path
        if folder is None or not asked:
            return self._route(path, body)
        known = folder / digest
        if digest not in memory and not known.exists():
            content = self._route(path, body)[1]
            partial = known.with_suffix(f".{threading.get_ident()}")
            partial.write_bytes(content)
            partial.rename(known)
        if digest not in memory:
            memory[digest] = known.read_bytes()
        return "application/octet-stream" if "Pixels" in path else "application/json", memory[
            digest
        ]

    def _route(self, path: str, body: bytes) -> tuple[str, bytes]:
        service = self.service
        if path == "/token":
            return "application/json", service.give_token(parse_qs(body.decode()))
        request = json.loads(body) if body else {}
        if path == "/$discovery/rest":
            return "application/json", service.discovery
        if path.startswith("/v1/") and service.token is not None:
            self._check_token(service.token)
        if path == "/local/forget":
            service.calls.clear()
            return "application/json", b"{}"
        if path == "/local/calls":
            calls = [[call.path, call.status, call.bytes] for call in service.calls]
            return "application/json", json.dumps(calls).encode()
        if match := re.fullmatch(r"/local/bandwidth/(\d+)", path):
            service.bandwidth = float(match[1]) or None
            return "application/json", b"{}"
        if match := re.fullmatch(r"/local/bytes/(\d+)", path):
            return "application/octet-stream", bytes(int(match[1]))
        if match := re.fullmatch(r"/storage/v1/b/([^/]+)/o", path):
            return self._list_objects(match[1])
        if match := re.fullmatch(r"/download/storage/v1/b/([^/]+)/o/(.+)", path):
            return "image/tiff", (self._bucket(match[1]) / match[2]).read_bytes()
        match = re.fullmatch(r"/v1/projects/([^/:]+)(/.*)", path)
        if match is None:
            raise EarthEngineError(f"Unknown path {path}.", 404, "NOT_FOUND")
        project, rest = match[1], match[2]
        if project == "forbidden":
            raise EarthEngineError(
                "Caller does not have required permission to use project forbidden. Grant the "
                "caller the roles/serviceusage.serviceUsageConsumer role.",
                403,
                "PERMISSION_DENIED",
            )
        answer: Any
        if rest == "/algorithms":
            answer = service.algorithms
        elif rest == "/value:compute":
            answer = {"result": describe(service.evaluate(request["expression"]))}
        elif rest == "/image:computePixels":
            return "application/octet-stream", service.compute_pixels(request)
        elif rest == "/thumbnails":
            answer = {"name": service.create_thumbnail(project, request)}
        elif match := re.fullmatch(r"/thumbnails/(\w+):getPixels", rest):
            return "application/octet-stream", service.get_thumbnail(match[1])
        elif rest == "/image:export":
            answer = service.export(project, request)
        elif rest == "/maps":
            service.evaluate(request["expression"])
            answer = {"name": f"projects/{project}/maps/local"}
        elif rest == "/operations":
            answer = {"operations": list(service.operations.values())}
        elif rest.startswith("/operations/"):
            name = path.removeprefix("/v1/")
            if name not in service.operations:
                raise EarthEngineError("Operation not found.", 404, "NOT_FOUND")
            answer = service.operations[name]
        elif rest.startswith("/assets/") and rest.endswith(":getPixels"):
            asset = rest.removeprefix("/assets/").removesuffix(":getPixels")
            return "application/octet-stream", service.get_pixels(asset, request)
        elif rest.startswith("/assets/") and rest.endswith(":listAssets"):
            parent = rest.removeprefix("/assets/").removesuffix(":listAssets")
            answer = service.list_assets(parent, parse_qs(urlsplit(self.path).query))
        elif rest.startswith("/assets/"):
            asset = rest.removeprefix("/assets/")
            answer = service.get_asset(asset)
        else:
            raise EarthEngineError(f"Unknown method {rest}.", 404, "NOT_FOUND")
        return "application/json", json.dumps(answer).encode()

    def _check_token(self, token: str) -> None:
        if self.headers.get("Authorization") != f"Bearer {token}":
            raise EarthEngineError(
                "Request had invalid authentication credentials.", 401, "UNAUTHENTICATED"
            )

    def _bucket(self, name: str) -> Path:
        folder = self.service.folder
        if folder is None or not (folder / "bucket" / name).is_dir():
            raise EarthEngineError("The specified bucket does not exist.", 404, "NOT_FOUND")
        return folder / "bucket" / name

    def _list_objects(self, bucket: str) -> tuple[str, bytes]:
        root = self._bucket(bucket)
        prefix = parse_qs(urlsplit(self.path).query).get("prefix", [""])[0]
        names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
        items = [
            {"name": name, "bucket": bucket, "size": str((root / name).stat().st_size)}
            for name in names
            if name.startswith(prefix)
        ]
        return "application/json", json.dumps({"items": items}).encode()
