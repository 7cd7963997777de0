"""What a user sees when a job of the workflow fails, and which jobs are run again."""

import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from workflow import ROOT, command, planned, run, tiny

from sitsformer.config import parse
from sitsformer.paths import Paths

pytestmark = pytest.mark.long


def peer(url: str) -> dict[str, Any]:
    """The tiny config with an area from an Earth Engine that does not answer."""
    values = tiny(earthengine={"url": url, "project": "p", "attempts": 1})
    values["areas"]["south"]["source"] = "earthengine"
    return values


def broken(folder: Path) -> dict[str, Any]:
    """The tiny config with an area from rasters, one of which is no raster."""
    values = tiny()
    images = folder / "it's raw"
    images.mkdir()
    (images / "S2_20210801T105031.tif").write_text("no raster")
    south = values["areas"]["south"]
    south.update(source="rasters", labels=["worldcover"])
    values["sets"]["crops"]["label"] = "worldcover"
    (folder / "labels.tif").write_text("no raster")
    south["rasters"] = {
        "path": str(images),
        "clouds": {"by": "none"},
        "labels": {"worldcover": {"path": str(folder / "labels.tif"), "legend": "worldcover"}},
    }
    return values


def target(values: dict[str, Any]) -> tuple[str, ...]:
    """Options that ask for the first cube of the area `south`."""
    return ("--", Paths(parse(values)).cubes("crops")[0])


def starts(result: subprocess.CompletedProcess[str]) -> tuple[int, int]:
    """How often Snakemake started the job, and at how many times of day its command failed.

    A start takes seconds, and what a refused job said is told again with its first time.
    """
    said = result.stdout + result.stderr
    times = set(re.findall(r"^(\d\d:\d\d:\d\d) error:", said, re.MULTILINE))
    return said.count("Error in rule cube"), len(times)


def test_a_refused_input_fails_once_and_its_message_comes_last(tmp_path: Path) -> None:
    values = broken(tmp_path)
    result = run(tmp_path, values, "--retries", "2", *target(values))
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert "completed successfully" not in said
    last = said[said.index("Exiting because a job execution failed") :]
    assert "S2_20210801T105031.tif cannot be read" in last
    assert "Traceback" not in said
    assert starts(result) == (3, 1)
    assert not (tmp_path / target(values)[1]).exists()


def test_without_the_profile_of_the_project_the_message_comes_last_too(tmp_path: Path) -> None:
    values = broken(tmp_path)
    result = run(tmp_path, values, "--workflow-profile", "none", *target(values))
    said = result.stdout + result.stderr
    last = said[said.index("Exiting because a job execution failed") :]
    assert "S2_20210801T105031.tif cannot be read" in last


def test_a_refused_input_is_looked_at_again_by_the_next_run(tmp_path: Path) -> None:
    values = broken(tmp_path)
    assert run(tmp_path, values, *target(values)).returncode != 0
    (tmp_path / "it's raw" / "S2_20210801T105031.tif").unlink()
    result = run(tmp_path, values, *target(values))
    assert "cannot be read" not in result.stdout + result.stderr
    assert result.returncode != 0
    assert starts(result) == (1, 1)


def test_what_may_pass_is_tried_again_where_retries_are_asked_for(tmp_path: Path) -> None:
    values = peer("http://127.0.0.1:9")
    result = run(tmp_path, values, "--retries", "1", *target(values))
    assert result.returncode != 0
    assert "failed 1 times" in result.stdout + result.stderr
    assert starts(result) == (2, 2)


def test_ctrl_c_stops_the_jobs_and_the_last_words_say_how_it_goes_on(tmp_path: Path) -> None:
    """Pressed while an export waits for an Earth Engine that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        values = peer(f"http://127.0.0.1:{server.getsockname()[1]}")
        with (tmp_path / "said.txt").open("wb") as stream:
            process = subprocess.Popen(
                command(tmp_path, values, *target(values)),
                stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True,
                # Heard, also where the tests run in the background of a script.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip
        connection, _ = server.accept()
        with connection:
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait() != 0
    said = (tmp_path / "said.txt").read_text()
    assert "error: stopped" in said
    assert "Traceback" not in said
    last = said[said.index("exit status 130") :]
    assert "Interrupted. The same command goes on where this one stopped." in last
    assert not (tmp_path / target(values)[1]).exists()


def test_the_last_words_of_a_killed_command_say_that_it_was_killed(tmp_path: Path) -> None:
    """As the system kills what takes more memory than there is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        values = peer(f"http://127.0.0.1:{server.getsockname()[1]}")
        with (tmp_path / "said.txt").open("wb") as stream:
            process = subprocess.Popen(
                command(tmp_path, values, *target(values)),
                stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT,
            )  # fmt: skip
        connection, _ = server.accept()
        with connection:
            jobs = psutil.Process(process.pid).children(recursive=True)
            (export,) = [job for job in jobs if job.cmdline()[1:3] == ["-m", "sitsformer"]]
            export.kill()
            assert process.wait() != 0
    said = (tmp_path / "said.txt").read_text().rpartition("Failed: ")[2]
    assert "exit status 137: it was killed" in said
    assert not list((tmp_path / "results").rglob("*.zarr"))


@pytest.mark.parametrize("results", ['-a b\'s & $(touch made) *[c]; "d"', "./r/"])
def test_results_may_go_to_any_folder(tmp_path: Path, results: str) -> None:
    values = tiny(results=results)
    store = Paths(parse(values)).tile_stores("crops")[0]
    result = run(tmp_path, values, "--", store)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / store / "provenance.json").is_file()
    assert not (tmp_path / "made").exists()


def test_a_stage_with_a_new_version_runs_again_with_what_depends_on_it(tmp_path: Path) -> None:
    """The package as it is after an upgrade: a copy with another number for one stage."""
    values = tiny()
    store = Paths(parse(values)).tile_stores("crops")[0]
    assert run(tmp_path, values, "--", store).returncode == 0
    assert planned(tmp_path, values, "--", store) == {}
    source = tmp_path / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    versions = source / "sitsformer" / "versions.py"
    text = versions.read_text()
    versions.write_text(text.replace('"patches": ', '"patches": 1'))
    result = subprocess.run(
        command(tmp_path, values, "--dry-run", "--", store),
        capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source)},
    )  # fmt: skip
    assert re.search(r"^patches +1$", result.stdout + result.stderr, re.MULTILINE)
    assert not re.search(r"^cube +\d", result.stdout + result.stderr, re.MULTILINE)
