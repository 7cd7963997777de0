"""Exporting tiles and a season from a local Earth Engine: against the bound, xee, geedim, geemap.

    python benchmarks/earthengine.py            252 px, nine months, 300 ms latency, 40 at once
    python benchmarks/earthengine.py --side 510 --exporters sitsformer xee
    python benchmarks/earthengine.py --tiles 4  four jobs at once, each with a quarter of the 40

Every exporter brings the same data: ten bands and the cloud score of each date, WorldCover, CDL
and its confidence. The server is a process of its own that has computed every answer before (each
process exports once unmeasured), so that the protocol is measured and not the simulation. Setting
up the client (the same for all) is not counted. Two lines: the loopback as fast as it is, and
25 MB/s.

The bound is requests x latency / concurrency + bytes / bandwidth. An export also has steps that
must wait for each other (which images are there and clear, their pixels): the second bound adds
the two round trips that this costs at least. The loopback's bandwidth is that of this server with
eight answers at once.

Each peer runs as its documentation shows, with as many requests at once as it takes. geemap 0.37.2
has three ways to get pixels: `ee_to_xarray` hands over to a version of xee that it no longer fits;
`download_ee_image` hands an image to geedim; `ee_export_image(_collection)`, which is measured,
fetches image after image.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "parts"))
from exporters import CONCURRENT, EXPORTERS, Job

ROOT = Path(__file__).parents[1]
LATENCY = 0.3
SLOW_LINE = 25e6

Figures = dict[str, dict[str, Any]]

USUAL = [name for name in EXPORTERS if name != "geemap"]
"""geemap takes minutes, image after image: it is measured where it is named."""
LINES = {"loopback": None, "25 MB/s": SLOW_LINE}


@contextmanager
def server(answers: Path) -> Iterator[str]:
    """A local Earth Engine as a process of its own."""
    words = ["--port", "0", "--latency", str(LATENCY), "--remember", str(answers)]
    with subprocess.Popen(
        [sys.executable, "-m", "earthengine.server", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().rsplit(" ", 1)[-1].strip()
        try:
            yield url
        finally:
            process.terminate()


def measure(
    name: str, url: str, side: int, tiles: int, bandwidth: float | None
) -> dict[str, Any] | str:
    """Run an exporter twice, each tile in a process of its own; the second time counts.

    Returns:
        seconds, requests, bytes and dates, or why it did not run.
    """
    import requests

    requests.get(f"{url}/local/bandwidth/0", timeout=30)
    words = [sys.executable, __file__, "--child", name, "--url", url, "--side", str(side)]
    with ExitStack() as stack:
        said = stack.enter_context(tempfile.TemporaryFile("w+"))
        jobs = [
            stack.enter_context(
                subprocess.Popen(
                    [*words, "--tiles", str(tiles), "--number", str(number)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True,
                )
            )
            for number in range(tiles)
        ]  # fmt: skip
        if all(_wait(job, "ready") is not None for job in jobs):
            requests.get(f"{url}/local/bandwidth/{bandwidth or 0:.0f}", timeout=30)
            requests.get(f"{url}/local/forget", timeout=30)
            began = time.perf_counter()
            for job in jobs:
                assert job.stdin
                job.stdin.write("go\n")
                job.stdin.flush()
            dates = [_wait(job, "dates") for job in jobs]
            seconds = time.perf_counter() - began
        if any(job.wait() != 0 for job in jobs):
            said.seek(0)
            return (said.read().strip().splitlines() or ["no message"])[-1][:160]
    calls = requests.get(f"{url}/local/calls", timeout=30).json()
    sent = [call for call in calls if not call[0].startswith("/local")]
    return {
        "seconds": seconds,
        "dates": sum(int(item or 0) for item in dates),
        "requests": len(sent),
        "bytes": sum(call[2] for call in sent),
    }


def _wait(job: subprocess.Popen[str], word: str) -> str | None:
    """What a child says after a word; None where it ends without it."""
    assert job.stdout
    for line in job.stdout:
        if line.startswith(word):
            return line.removeprefix(word)
    return None


def child(name: str, job: Job) -> None:
    """What `measure` runs: one round to warm the server, one that counts."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        EXPORTERS[name](job, Path(first))()
        run = EXPORTERS[name](job, Path(second))
        print("ready", flush=True)
        sys.stdin.readline()
        print("dates", run(), flush=True)


def line_speed(url: str) -> float:
    """Bytes a second of the loopback: 16 answers of 16 MB, 8 at once, latency taken out."""
    import requests

    def get(_: int) -> int:
        return len(requests.get(f"{url}/local/bytes/16000000", timeout=300).content)

    with ThreadPoolExecutor(8) as pool:
        began = time.perf_counter()
        total = sum(pool.map(get, range(16)))
        return total / (time.perf_counter() - began - 2 * LATENCY)


def main() -> Figures:
    """All exporters over both lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=252)
    parser.add_argument("--tiles", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved; the median counts")
    parser.add_argument("--exporters", nargs="+", choices=EXPORTERS, default=USUAL)
    parser.add_argument("--lines", nargs="+", choices=LINES, default=list(LINES))
    parser.add_argument("--answers", type=Path, help="keeps the server's answers between runs")
    parser.add_argument("--child")
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--url", default="")
    options = parser.parse_args()
    if options.child:
        child(options.child, Job(options.url, options.side, options.number, options.tiles))
        return {}
    found: dict[str, dict[str, list[Any]]] = {line: {} for line in options.lines}
    with ExitStack() as stack:
        answers = options.answers or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        answers.mkdir(parents=True, exist_ok=True)
        url = stack.enter_context(server(answers))
        speed = line_speed(url)
        for number in range(options.rounds):
            for name in options.exporters:
                for line in options.lines:
                    run = measure(name, url, options.side, options.tiles, LINES[line])
                    found[line].setdefault(name, []).append(run)
                    said = f"round {number}, {line}, {name}: {run}"
                    print(said, file=sys.stderr, flush=True)
    figures: Figures = {}
    for line in options.lines:
        middle = {name: _middle(runs) for name, runs in found[line].items()}
        figures |= _figures(f"earthengine {line}", middle, LINES[line] or speed)
    return figures


def _middle(runs: list[dict[str, Any] | str]) -> dict[str, Any] | str:
    """The run of median time, or why one did not run."""
    timed = []
    for run in runs:
        if isinstance(run, str):
            return run
        timed.append(run)
    return sorted(timed, key=lambda run: float(run["seconds"]))[(len(timed) - 1) // 2]


def _figures(title: str, found: dict[str, dict[str, Any] | str], speed: float) -> Figures:
    figures: Figures = {}
    mine = found["sitsformer"]
    assert isinstance(mine, dict), mine
    for name, item in found.items():
        if isinstance(item, str):
            figures[f"{title}: {name}"] = {
                "value": float("nan"), "unit": "s", "against": f"does not run: {item}",
                "ratio": None,
            }  # fmt: skip
            continue
        figures[f"{title}: {name}"] = {
            "value": item["seconds"], "unit": "s",
            "against": f"sitsformer; {item['requests']} requests, {item['bytes'] / 1e6:.0f} MB, "
            f"{item['dates']} dates",
            "ratio": item["seconds"] / mine["seconds"],
        }  # fmt: skip
    bound = mine["requests"] * LATENCY / CONCURRENT + mine["bytes"] / speed
    for name, least in (("bound", bound), ("bound with its three steps", bound + 2 * LATENCY)):
        figures[f"{title}: {name}"] = {
            "value": least, "unit": "s", "against": "sitsformer / bound",
            "ratio": mine["seconds"] / least,
        }  # fmt: skip
    return figures


def show(figures: Figures) -> None:
    """Print the table."""
    for name, figure in figures.items():
        ratio = "" if figure["ratio"] is None else f"x {figure['ratio']:.2f}"
        value = f"{figure['value']:>8.2f} {figure['unit']}"
        print(f"{name:<58} {value}  {ratio:<8} {figure['against']}")


if __name__ == "__main__":
    show(main())
