"""`sitsformer auth` as a process, with the local server in the place of Google's token server.

What is not Google's here: the browser is this test, and the address of the token server, a
constant of the client, is changed in the process. The login, its checks and its file are its own.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from earthengine import fixtures
from earthengine.fixtures import in_place
from earthengine.server import LOGIN_CODE, LocalEarthEngine

STAND_IN = """
import os
import ee.oauth
ee.oauth.TOKEN_URI = os.environ["LOCAL_TOKEN_URI"]
ee.oauth.DEFAULT_LOCAL_PORT = 0
"""
CHOSEN = in_place(fixtures.OVERLAP)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEarthEngine]:
    # Not 127.0.0.1, where no credentials are asked for.
    with LocalEarthEngine([fixtures.OVERLAP], host="127.0.0.2") as running:
        running.token = "ya29.SECRET-token"
        yield running


def start(folder: Path, server: LocalEarthEngine, *words: str | Path) -> subprocess.Popen[str]:
    """`sitsformer WORDS` without a terminal, a display or gcloud, at home in an empty folder."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(STAND_IN)
    hidden = ("GOOGLE_", "EARTHENGINE_", "DISPLAY", "WAYLAND_DISPLAY", "MIR_SOCKET", "CLOUDSDK_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    env |= {
        "HOME": str(folder),
        "PATH": "/nowhere",
        "PYTHONPATH": str(folder / "site"),
        "LOCAL_TOKEN_URI": f"{server.url}/token",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        fixtures.command(*words), cwd=folder, env=env, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=600)
    assert "Traceback" not in err, err
    assert "SECRET" not in out + err
    return process.returncode, out, err


def log_in(folder: Path, server: LocalEarthEngine, code: str) -> tuple[int, str, str, str]:
    """Be the browser: read the address that is printed, allow, go where it sends the code."""
    process = start(folder, server, "auth", "--mode", "localhost")
    assert process.stdout is not None
    said = ""
    while not (found := re.search(r"https://accounts\.google\.com\S+", said)):
        line = process.stdout.readline()
        assert line, finish(process)
        said += line
    asked = {name: values[0] for name, values in parse_qs(urlsplit(found[0]).query).items()}
    assert "https://www.googleapis.com/auth/earthengine" in asked["scope"].split()
    reply = requests.get(asked["redirect_uri"], params={"code": code}, timeout=30)
    assert reply.status_code == 200
    return *finish(process), asked["code_challenge"]


@pytest.mark.long
def test_a_login_from_the_first_time_to_its_end(server: LocalEarthEngine, tmp_path: Path) -> None:
    status, out, err, challenge = log_in(tmp_path, server, LOGIN_CODE)
    assert status == 0, err
    assert "logged in" in out
    # The code was of use only to who had asked for it.
    verifier = server.logins[-1]["code_verifier"]
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    assert digest.rstrip(b"=").decode() == challenge
    kept = tmp_path / ".config" / "earthengine" / "credentials"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    status, out, err = finish(start(tmp_path, server, "auth"))
    assert status == 0, err
    assert "there already" in out

    settings = fixtures.settings(server.url, Path("cache"))
    path = fixtures.write_config(
        tmp_path / "config.yaml", fixtures.config({"here": CHOSEN}, settings)
    )
    status, out, err = finish(start(tmp_path, server, "doctor", path))
    assert status == 0, out + err
    assert "stored credentials" in out
    assert "Everything answers." in out

    # Seven days later the token server does not know it any more.
    token, server.token = server.token, None
    try:
        status, out, err = finish(start(tmp_path, server, "doctor", path))
    finally:
        server.token = token
    assert status == 3
    assert "not valid any more" in out
    assert "sitsformer auth --force" in out


def test_a_refused_code_is_said(server: LocalEarthEngine, tmp_path: Path) -> None:
    status, _, err, _ = log_in(tmp_path, server, "4/wrong-code")
    assert status == 3
    assert "error: the login did not finish" in err
    assert "invalid_grant" in err
    assert not (tmp_path / ".config" / "earthengine" / "credentials").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--mode", "notebook"), "needs a terminal to paste the code into"),
        (("--mode", "gcloud"), "gcloud command not found"),
        ((), "try another way: --mode notebook"),
    ],
)
def test_without_terminal_browser_or_gcloud_it_says_what_to_do(
    server: LocalEarthEngine, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    status, _, err = finish(start(tmp_path, server, "auth", *words))
    assert status == 3
    assert "error: " in err
    assert message in err


@pytest.mark.long
def test_a_token_server_that_is_away_is_said(server: LocalEarthEngine, tmp_path: Path) -> None:
    status, _, err, _ = log_in(tmp_path, server, LOGIN_CODE)
    assert status == 0, err
    settings = fixtures.settings(server.url, Path("cache"), attempts=2)
    path = fixtures.write_config(
        tmp_path / "config.yaml", fixtures.config({"here": CHOSEN}, settings)
    )
    away = tmp_path / "away"
    away.mkdir()
    (tmp_path / ".config").rename(away / ".config")
    with LocalEarthEngine([], host="127.0.0.2") as gone:
        pass
    status, out, _ = finish(start(away, gone, "doctor", path))
    assert status == 1
    assert "FAIL  credentials  the token server did not answer" in out
    status, _, err = finish(start(away, gone, "plan", path, "--earthengine"))
    assert status == 1
    assert "finding credentials failed 2 times" in err
