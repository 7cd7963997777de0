"""The report in a real browser: no errors, no request to elsewhere, every picture painted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import made_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium on this machine (Debian package `chromium`)"
    ),
]

MEASURE = """<script>
addEventListener('load', () => {
  const size = e => [e.getBoundingClientRect().width, e.getBoundingClientRect().height];
  const body = getComputedStyle(document.body);
  document.title = JSON.stringify({
    images: [...document.images].map(i => [i.complete, i.naturalWidth]),
    drawings: [...document.querySelectorAll('.drawn > svg')].map(size),
    overviews: [...document.querySelectorAll('figure.overview > svg')].map(size),
    requests: performance.getEntriesByType('resource').map(e => e.name)
      .filter(name => !name.startsWith('data:')),
    page: [document.documentElement.scrollWidth, innerWidth],
    ink: body.color,
    paper: body.backgroundColor,
  });
});
</script>"""


def chromium(folder: Path, page: Path, *options: str, width: int = 1280) -> tuple[str, str]:
    """Open a page; returns its document and what the browser said."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr",
            f"--window-size={width},900", *options, "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr


def measured(document: str) -> dict[str, Any]:
    title = document[document.index("<title>") + 7 : document.index("</title>")]
    found: dict[str, Any] = json.loads(unescape(title))
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run.make(tmp_path_factory.mktemp("run"))


def measuring(page: Path, folder: Path) -> Path:
    """A copy of the page that measures itself, which its security policy would not allow."""
    copy = folder / "measured.html"
    text, found = re.subn(r"<meta http-equiv=.Content-Security-Policy[^>]*>", "", page.read_text())
    assert found == 1
    copy.write_text(text.replace("</head>", MEASURE + "</head>"))
    return copy


def test_the_page_makes_no_request_and_no_error(page: Path, tmp_path: Path) -> None:
    # The page forbids the browser every request but pictures within itself; a breach of that, a
    # broken picture or a malformed drawing would be said on the console.
    _, said = chromium(tmp_path, page)
    assert "CONSOLE" not in said, said
    found = measured(chromium(tmp_path, measuring(page, tmp_path))[0])
    assert found["requests"] == []


def test_the_console_would_tell(page: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    outside = '<img src="http://127.0.0.1:9/x.png">'
    broken.write_text(page.read_text().replace("</main>", f"{outside}</main>"))
    _, said = chromium(tmp_path, broken)
    assert "CONSOLE" in said
    assert "Content Security Policy" in said


@pytest.mark.parametrize("width", [1280, 500])  # no window of chromium is narrower
def test_every_picture_is_painted_and_fits(page: Path, tmp_path: Path, width: int) -> None:
    document, _ = chromium(tmp_path, measuring(page, tmp_path), width=width)
    found = measured(document)
    assert len(found["images"]) == 1
    assert all(complete and natural > 500 for complete, natural in found["images"])
    assert len(found["drawings"]) == 11
    # Those with letters stay as large as they were drawn, also where the page is narrow.
    assert all(w > 600 and h > 100 for w, h in found["drawings"])
    assert [w > 250 and h > 250 for w, h in found["overviews"]] == [True]
    assert found["page"][0] <= found["page"][1]


def test_light_and_dark_differ(page: Path, tmp_path: Path) -> None:
    copy = measuring(page, tmp_path)
    light = measured(chromium(tmp_path, copy)[0])
    dark = measured(chromium(tmp_path, copy, "--blink-settings=preferredColorScheme=0")[0])
    assert (light["paper"], dark["paper"]) == ("rgb(255, 255, 255)", "rgb(20, 23, 27)")
    assert light["ink"] != dark["ink"]
