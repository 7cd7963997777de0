"""Running the workflow by Slurm as a user does, and what Slurm knows of its jobs."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "integration" / "tiny.yaml"
SAMPLES, MODEL = "results/patches/landcover.zarr", "results/models/ssl-p0"
"""What pretraining learns from, and what it makes."""

# Nothing here is about the profile: no accounting, and no patience.
FAST = (
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=1",
    "--latency-wait=10",
)
IMPATIENT = """
import sys
from snakemake import cli
from snakemake_executor_plugin_slurm import Executor
Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, _: None)
cli.main(sys.argv[1:])
"""
"""`snakemake` that looks after its jobs once a second; the plugin waits 10 s longer each time that
it sees none ended, up to three minutes."""


@dataclass(frozen=True)
class Job:
    """A job as Slurm remembers it, by the keys of `scontrol show job`."""

    number: str
    values: dict[str, str]

    @property
    def state(self) -> str:
        return self.values["JobState"]

    @property
    def memory_mb(self) -> int:
        return int(self.values["MinMemoryNode"].removesuffix("M"))

    @property
    def minutes(self) -> int:
        days, _, clock = self.values["TimeLimit"].rpartition("-")
        hours, minutes, _ = map(int, clock.split(":"))
        return (int(days or 0) * 24 + hours) * 60 + minutes

    def cancel(self, *options: str) -> None:
        subprocess.run(["scancel", *options, self.number], check=True)

    def limit(self) -> None:
        """Leave a running job no more than the first minute: it ends now, or when that is over.

        Asked for from the start, a minute may be over before the job has begun its work.
        """
        update = ["scontrol", "update", f"JobId={self.number}", "TimeLimit=1"]
        subprocess.run(update, check=True)


class Run:
    """Calls of `snakemake` in a folder."""

    def __init__(self, folder: Path, workflow: Path) -> None:
        self.folder, self.workflow = folder, workflow
        self.said = folder / "said.txt"
        self.started: list[subprocess.Popen[bytes]] = []

    def command(self, *options: str, profile: Path | None = None) -> list[str]:
        profile = profile or self.workflow / "profiles" / "slurm"
        return [
            *(sys.executable, "-c", IMPATIENT),
            *("--snakefile", str(self.workflow / "Snakefile")),
            *("--workflow-profile", str(profile)),
            *("--directory", str(self.folder), "--configfile", str(self.folder / "config.yaml")),
            *FAST,
            *options,
        ]

    def start(self, *options: str, profile: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a run; what it says goes to a file."""
        with self.said.open("wb") as stream:
            process = subprocess.Popen(
                self.command(*options, profile=profile),
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Ctrl-C is heard, also where the tests run in the background of a script.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        self.started.append(process)
        return process

    def __call__(self, *options: str, profile: Path | None = None) -> tuple[int, str]:
        """Exit status and output of a whole run."""
        return self.start(*options, profile=profile).wait(), self.said.read_text()

    def end(self) -> None:
        """Leave nothing that runs to the next test, where this one failed half-way."""
        for process in self.started:
            process.kill()
            process.wait()
        subprocess.run(["scancel", "--user", "root"], check=True)

    def jobs(self, rule: str) -> list[Job]:
        """The jobs of a rule that were submitted from this folder, oldest first."""
        said = subprocess.run(
            ["scontrol", "show", "job", "-o"], capture_output=True, text=True, check=True
        ).stdout
        found = []
        for line in said.splitlines():
            values = dict(re.findall(r"(\S+?)=(.*?)(?= \S+?=|\s*$)", line))
            here = values.get("WorkDir") == str(self.folder)
            if here and re.match(rf"rule_{rule}(_wildcards_|$)", values.get("Comment", "").strip()):
                found.append(Job(values["JobId"], values))
        return sorted(found, key=lambda job: int(job.number))

    def log(self, name: str) -> str:
        """A log of the results folder; nothing while Snakemake has it removed for a new attempt."""
        try:
            return (self.folder / "results" / "logs" / name).read_text()
        except FileNotFoundError:
            return ""


def wait_for(what: Callable[[], Found], seconds: float = 1800) -> Found:
    """What comes of a question, as soon as it is something."""
    end = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what} came to nothing in {seconds:.0f} s")
        time.sleep(0.2)
    return found
