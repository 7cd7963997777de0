"""Many dry runs of the workflow in little time: a process that has loaded Snakemake forks for each.

with DryRuns() as dry:
    dry.pretend(folder, values)  # as if everything had been made
    jobs = dry.jobs(folder, changed)  # rule -> number of jobs
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "cube", "patches", "merge", "embedded_tile", "embedded_samples", "pretrain", "crop_model",
    "fit",
)  # fmt: skip
"""Rules whose outputs are folders."""


class DryRuns:
    """The process, and what it is asked."""

    def __enter__(self) -> DryRuns:
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def run(self, folder: Path, config: Path, *options: str) -> tuple[int, str]:
        """Exit status and output of one `snakemake` call in a folder."""
        arguments = [
            *("--snakefile", str(ROOT / "Snakefile"), "--workflow-profile", "none"),
            *("--cores", "2", "--directory", str(folder), "--configfile", str(config), *options),
        ]
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        status, said = json.loads(self.process.stdout.readline())
        return int(status), str(said)

    def jobs(self, folder: Path, values: dict[str, Any], *options: str) -> dict[str, int] | str:
        """Rule -> number of jobs that would run; what is said where the config is refused."""
        return self.jobs_of(folder, written(folder, values), *options)

    def jobs_of(self, folder: Path, config: Path, *options: str) -> dict[str, int] | str:
        """The same for a config file."""
        status, said = self.run(folder, config, "--dry-run", *options)
        if status:
            return said
        table = re.search(r"job +count\n-+ +-+\n(.*?)\ntotal", said, re.DOTALL)
        if table is None:
            assert "Nothing to be done" in said, said
            return {}
        found = (line.split() for line in table.group(1).splitlines())
        return {name: int(count) for name, count in found if name != "all"}

    def outputs(self, folder: Path, values: dict[str, Any]) -> dict[str, str]:
        """Every output of the workflow, and the rule that makes it."""
        status, said = self.run(folder, written(folder, values), "--summary")
        assert status == 0, said
        rows = (line.split("\t") for line in said.splitlines() if line.startswith("results"))
        return {row[0]: row[2] for row in rows}

    def pretend(self, folder: Path, values: dict[str, Any]) -> None:
        """Put something in the place of every output, and have Snakemake take it for the thing."""
        for name, rule in self.outputs(folder, values).items():
            path = folder / name
            if rule in FOLDERS:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("made")
        status, said = self.run(folder, written(folder, values), "--touch", "--forceall")
        assert status == 0, said


def written(folder: Path, values: dict[str, Any]) -> Path:
    """The config as a file beside the results."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def _call(arguments: list[str]) -> tuple[int, str]:
    from snakemake import cli

    said = io.StringIO()
    status = 0
    with redirect_stdout(said), redirect_stderr(said):
        try:
            cli.main(arguments)
        except SystemExit as stop:
            status = int(stop.code or 0)
    return status, said.getvalue()


def _compile_once() -> None:
    """Have Snakemake keep the code of a Snakefile: compiling ours is a third of a dry run."""
    # `cli` first: these parts import each other.
    from snakemake import cli, workflow  # noqa: F401

    parse = workflow.parse
    seen: dict[tuple[str, int], tuple[str, int, dict[int, int]]] = {}

    def kept(path: Any, flow: Any, linemap: dict[int, int], rulecount: int) -> tuple[str, int]:
        key = (path.get_path_or_uri(secret_free=True), rulecount)
        if key not in seen:
            lines: dict[int, int] = {}
            seen[key] = (*parse(path, flow, lines, rulecount=rulecount), lines)
        code, count, lines = seen[key]
        linemap.update(lines)
        return code, count

    workflow.parse = kept


def _serve() -> None:
    import tempfile

    # Snakemake loads it when it compares params with those of before: half of such a dry run.
    import pandas  # noqa: F401

    _compile_once()
    with tempfile.TemporaryDirectory() as folder:  # loads whatever a dry run needs
        config = ROOT / "config" / "config.yaml"
        files = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(config)]
        _call([*files, "--directory", folder, "--cores", "1", "--dry-run"])
    for line in sys.stdin:
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.close(reading)
            with os.fdopen(writing, "w") as stream:
                json.dump(_call(json.loads(line)), stream)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as stream:
            print(stream.read() or json.dumps([1, "the dry run died"]), flush=True)
        os.waitpid(child, 0)


if __name__ == "__main__":
    _serve()
