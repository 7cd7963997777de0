"""What goes wrong at Earth Engine, on the line and to the process does not reach the cube."""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from earthengine import faults, fixtures
from earthengine.catalogue import S2
from earthengine.fixtures import in_place, only_tile
from earthengine.server import LocalEarthEngine
from sitsformer import artefacts, cube
from sitsformer.config import Config
from sitsformer.imagery.earthengine.errors import EarthEngineError
from sitsformer.imagery.earthengine.fetch import WORKER
from sitsformer.imagery.earthengine.source import EarthEngineSource

CHOSEN = in_place(fixtures.OVERLAP)
TILE = only_tile(CHOSEN)
LIMIT = 120_000
"""Request limit of these tests, bytes: one date of 60 x 60 pixels, so that there are many."""


@pytest.fixture
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many requests for a small tile."""
    from sitsformer.imagery.earthengine import requests

    monkeypatch.setattr(requests, "LIMIT", LIMIT)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEarthEngine]:
    with LocalEarthEngine([fixtures.OVERLAP, fixtures.FRANCE]) as running:
        yield running


@pytest.fixture(autouse=True)
def calm(request: pytest.FixtureRequest) -> Iterator[None]:
    """No fault outlives its test."""
    yield
    if "server" in request.fixturenames:
        running = request.getfixturevalue("server")
        running.fault, running.latency = None, 0.0


def whole(server: LocalEarthEngine, cache: Path, **changes: Any) -> Config:
    settings = fixtures.settings(server.url, cache, **{"rate": 100.0, **changes})
    return fixtures.config({"here": CHOSEN}, settings)


def written(config: Config, path: Path) -> xr.Dataset:
    cube.write(EarthEngineSource(config).cube("here", CHOSEN, TILE), path, config={})
    return cube.open_cube(path)


@pytest.fixture(scope="module")
def undisturbed(server: LocalEarthEngine, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    folder = tmp_path_factory.mktemp("undisturbed")
    return written(whole(server, folder / "cache"), folder / "cube.zarr").load()


@pytest.mark.usefixtures("small_requests")
def test_a_fifth_of_all_requests_failing(
    server: LocalEarthEngine, undisturbed: xr.Dataset, tmp_path: Path
) -> None:
    kinds: tuple[faults.Fault, ...] = ("429", "503", "drop")
    before = len(server.calls)
    server.fault = faults.Random(0.2, kinds, seed=3)
    found = written(whole(server, tmp_path / "cache"), tmp_path / "cube.zarr")
    xr.testing.assert_identical(found.load(), undisturbed)
    calls = [call for call in server.calls[before:] if call.path.endswith(":computePixels")]
    answered = Counter(call.digest for call in calls if call.status == 200)
    assert set(answered.values()) == {1}
    assert {call.digest for call in calls} == set(answered)
    assert sum(call.status != 200 for call in calls) >= 3


@pytest.mark.usefixtures("small_requests")
@pytest.mark.parametrize(
    "fault", ["429-wait", "500", "truncate", "html", "internal", "drop", "slow"]
)
def test_one_of_each_is_overcome(
    server: LocalEarthEngine, undisturbed: xr.Dataset, tmp_path: Path, fault: faults.Fault
) -> None:
    server.fault = faults.Planned(":computePixels", [fault, fault])
    found = written(whole(server, tmp_path / "cache"), tmp_path / "cube.zarr")
    xr.testing.assert_identical(found.load(), undisturbed)


@pytest.mark.parametrize("fault", ["memory", "timeout"])
def test_what_is_too_much_is_split(
    server: LocalEarthEngine, undisturbed: xr.Dataset, tmp_path: Path, fault: faults.Fault
) -> None:
    before = len(server.sent())
    # Three, whichever requests meet them: the labels and their halves at worst, not the quarters,
    # which are too small to be split.
    server.fault = faults.Planned(":computePixels", [fault] * 3)
    found = written(whole(server, tmp_path / "cache"), tmp_path / "cube.zarr")
    xr.testing.assert_identical(found.load(), undisturbed)
    assert len(server.sent()) - before > 3


@pytest.mark.long
def test_an_answer_that_does_not_come_is_split_after_two_deadlines(
    undisturbed: xr.Dataset, tmp_path: Path
) -> None:
    # The deadline is also that of the requests that do not hang: long enough for a busy computer.
    with LocalEarthEngine([fixtures.OVERLAP]) as server:
        server.hang_seconds = 30.0
        server.fault = faults.Planned(":computePixels", ["hang"] * 4)
        config = whole(server, tmp_path / "cache", deadline=4.0)
        found = written(config, tmp_path / "cube.zarr")
    xr.testing.assert_identical(found.load(), undisturbed)
    assert list((tmp_path / "cache").rglob("*.split"))


def test_a_drip_of_bytes_does_not_outlast_the_deadline(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    """Each wait for bytes is short (1 s), all together are not (8 s)."""
    server.fault = faults.Planned(":compute", ["slow"] * 8)
    server.drip_seconds = 1.0
    config = whole(server, tmp_path / "cache", deadline=4.0, attempts=1)
    try:
        with pytest.raises(EarthEngineError, match=r"failed 1 times.* not whole after 4 s"):
            written(config, tmp_path / "cube.zarr")
    finally:
        server.drip_seconds = 0.4


def test_a_service_that_stays_away_is_given_up(server: LocalEarthEngine, tmp_path: Path) -> None:
    server.fault = faults.Planned(":compute", ["503"] * 9)
    config = whole(server, tmp_path / "cache", attempts=3)
    with pytest.raises(EarthEngineError, match=r"failed 3 times: .*currently unavailable"):
        written(config, tmp_path / "cube.zarr")
    assert len(server.fault.faults) == 6


@pytest.mark.usefixtures("small_requests")
def test_the_quota_is_kept(tmp_path: Path) -> None:
    # A server of its own: one that is shared may still work on what an earlier test abandoned.
    with LocalEarthEngine([fixtures.OVERLAP], latency=0.1) as server:
        config = whole(server, tmp_path / "cache", concurrent=4)
        written(config, tmp_path / "cube.zarr")
        assert 2 <= server.busiest <= 4


def key_file(folder: Path, url: str) -> Path:
    """A service account's key whose token server is the local one."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "key.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "proj-of-key",
                "private_key_id": "1",
                "private_key": private.decode(),
                "client_email": "robot@proj-of-key.iam.gserviceaccount.com",
                "token_uri": f"{url}/token",
            }
        )
    )
    return path


def test_a_service_account_signs_every_request(
    server: LocalEarthEngine, undisturbed: xr.Dataset, tmp_path: Path
) -> None:
    """The project comes from the key; the token appears nowhere."""
    key = key_file(tmp_path, server.url)
    config = whole(server, Path("cache"), project=None, service_account_key=str(key))
    path = fixtures.write_config(tmp_path / "config.yaml", config)
    store = tmp_path / "out.zarr"
    server.token = "ya29.SECRET-token"
    before = len(server.calls)
    try:
        status, out, err = fixtures.run(
            "cube", "--config", path, "here", TILE.name, store, cwd=tmp_path
        )
    finally:
        server.token = None
    assert status == 0, err
    xr.testing.assert_identical(cube.open_cube(store).load(), undisturbed)
    calls = server.calls[before:]
    assert sum(call.path == "/token" for call in calls) == 1
    assert all("proj-of-key" in call.path for call in calls if call.path.startswith("/v1/"))
    kept = [p.read_bytes() for p in (tmp_path / "out.zarr").rglob("*") if p.is_file()]
    kept += [p.read_bytes() for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    for text in (out.encode(), err.encode(), *kept):
        assert b"SECRET" not in text
        assert b"PRIVATE KEY" not in text


def test_an_account_that_is_gone_is_said(server: LocalEarthEngine, tmp_path: Path) -> None:
    key = key_file(tmp_path, server.url)
    config = whole(server, Path("cache"), service_account_key=str(key))
    path = fixtures.write_config(tmp_path / "config.yaml", config)
    _fails(tmp_path, path, ["invalid_grant", "sitsformer auth"])


PERMANENT = {
    "no project": ({"project": None}, ["needs a Cloud project", "EARTHENGINE_PROJECT"]),
    "foreign project": (
        {"project": "forbidden"},
        ["required permission to use project", "set earthengine.project"],
    ),
    "key file": (
        {"service_account_key": "nowhere.json"},
        ["service_account_key nowhere.json cannot be read"],
    ),
    "broken key file": (
        {"service_account_key": "broken.json"},
        ["broken.json cannot be used", "JSON"],
    ),
    "no credentials": (
        {"url": "https://localhost.invalid"},
        ["no Earth Engine credentials were found", "sitsformer auth"],
    ),
}


@pytest.mark.parametrize("name", PERMANENT)
def test_a_permanent_error_ends_at_once(
    server: LocalEarthEngine, tmp_path: Path, name: str
) -> None:
    """As a process: with a message, non-zero, nothing half-written."""
    changes, words = PERMANENT[name]
    (tmp_path / "broken.json").write_text('{"private_key": "SECRET-KEY-MATERIAL", ')
    config = whole(server, Path("cache"))
    path = fixtures.write_config(
        tmp_path / "config.yaml",
        config.model_copy(update={"earthengine": config.earthengine.model_copy(update=changes)}),
    )
    _fails(tmp_path, path, words)


def _fails(folder: Path, config: Path, words: list[str]) -> None:
    status, out, err = fixtures.run(
        "cube", "--config", config, "here", TILE.name, folder / "out.zarr", cwd=folder
    )
    assert status == 3
    assert "error: " in err
    assert "Traceback" not in err
    assert "SECRET" not in err + out
    for word in words:
        assert word in err, err
    assert not list(folder.glob("*out.zarr*"))
    assert not list(folder.glob(".*out.zarr*"))


def test_an_image_that_is_gone_ends_the_export(
    server: LocalEarthEngine, undisturbed: xr.Dataset, tmp_path: Path
) -> None:
    """A failure after other requests were finished leaves them, and nothing else."""
    path = fixtures.write_config(tmp_path / "config.yaml", whole(server, Path("cache")))
    name = f"{S2}/{undisturbed.attrs['images'][3][0]}"
    image = server.catalogue.images.pop(name)
    try:
        _fails(tmp_path, path, ["not found", "the asset, collection or year does not exist"])
    finally:
        server.catalogue.images[name] = image
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 2


@pytest.mark.usefixtures("small_requests")
def test_a_permanent_error_does_not_wait_for_requests_that_hang(
    undisturbed: xr.Dataset, tmp_path: Path
) -> None:
    index = undisturbed.attrs["images"][3][0]

    def hang_others(path: str, body: bytes) -> faults.Fault | None:
        others = path.endswith(":computePixels") and b'"B12"' in body
        return "hang" if others and index.encode() not in body else None

    with LocalEarthEngine([fixtures.OVERLAP], fault=hang_others) as server:
        server.hang_seconds = 600.0
        del server.catalogue.images[f"{S2}/{index}"]
        with pytest.raises(EarthEngineError, match="not found"):
            written(whole(server, tmp_path / "cache"), tmp_path / "cube.zarr")
        hanging = [c for c in server.calls if "computePixels" in c.path and c.status == 0]
        assert hanging
        # Nor does the process: what still waits are daemons.
        workers = [thread for thread in threading.enumerate() if thread.name == WORKER]
        assert workers
        assert all(thread.daemon for thread in workers)


class Killer:
    """Has the server kill the process that asks it: its request for pixels of a number finds it
    dead. No load of the machine makes it another one; what the other requests are at is chance."""

    def __init__(self, number: int, wait: float) -> None:
        self.number, self.wait = number, wait
        self.process: subprocess.Popen[str] | None = None
        self.asked = itertools.count(1)

    def __call__(self, path: str, body: bytes) -> faults.Fault | None:
        if not path.endswith(":computePixels") or next(self.asked) < self.number:
            return None
        time.sleep(self.wait)
        assert self.process is not None
        self.process.kill()
        return "drop"


@pytest.mark.long
def test_killed_at_random_moments(undisturbed: xr.Dataset, tmp_path: Path) -> None:
    """Every kill leaves nothing half-written; the cube is the undisturbed one; nothing is asked
    twice that was answered, written and kept."""
    draw = random.Random(5)
    out, cache = tmp_path / "out.zarr", Path("cache")

    def run(killer: Killer | None) -> tuple[int, list[str]]:
        """Exit status of a run, and what it was sent, by a server that knows no other run."""
        with LocalEarthEngine([fixtures.OVERLAP], fault=killer) as server:
            server.byte_limit = LIMIT
            config = fixtures.write_config(
                tmp_path / "config.yaml", whole(server, cache, concurrent=2)
            )
            words = ("cube", "--config", config, "here", TILE.name, out)
            process = fixtures.start(*words, cwd=tmp_path)
            if killer is not None:
                killer.process = process
            said = process.communicate(timeout=300)[1]
            assert killer is not None or process.returncode == 0, said
            return process.returncode, [call.digest for call in server.sent()]

    runs: list[tuple[int, list[str]]] = []  # finished requests on disk before it, what it was sent
    for number in (1, 2, *(draw.randrange(3, 11) for _ in range(5))):
        finished = _finished(tmp_path)
        status, sent = run(Killer(number, draw.uniform(0, 0.1)))
        assert status == -signal.SIGKILL
        assert not out.exists()
        runs.append((finished, sent))
    finished = _finished(tmp_path)
    runs.append((finished, run(None)[1]))
    assert artefacts.check(out) == []
    xr.testing.assert_identical(cube.open_cube(out).load(), undisturbed)
    assert not [item for item in tmp_path.iterdir() if ".partial" in item.name]

    # In every run, what was sent is at most what was not yet finished; in the last one exactly.
    total = _finished(tmp_path)
    for finished, sent in runs:
        assert len(sent) == len(set(sent)) <= total - finished
    assert len(sent) == total - finished
    assert len({finished for finished, _ in runs}) > 2


def _finished(folder: Path) -> int:
    """Requests kept in the cache."""
    return len([path for path in (folder / "cache").rglob("*.npy") if ".partial" not in path.name])
