"""Calls of `sitsformer`, each in a process of its own with the packages loaded beforehand.

A process is a fork of this one: it begins with the command's own work instead of seconds of
imports, so that more is tried, and kills meet the work.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

LOADED = (
    *("torch", "xarray", "zarr", "pyarrow.parquet", "sklearn.ensemble", "matplotlib.figure"),
    *("rasterio", "pandas", "scipy.stats", "sitsformer.cli", "sitsformer.export"),
    *("sitsformer.patches.merge", "sitsformer.pretrain", "sitsformer.finetune"),
    *("sitsformer.evaluation.evaluate", "sitsformer.maps", "sitsformer.report.page"),
    *(f"sitsformer.commands.{name}" for name in ("cube", "patches", "pretrain", "finetune")),
    *(f"sitsformer.commands.{name}" for name in ("baseline", "evaluate", "map", "report")),
)


@dataclass(frozen=True)
class Done:
    """A call that has ended.

    Attributes:
        status: exit status; negative: the signal that ended it.
        said: standard output and error.
        seconds: that it took.
    """

    status: int
    said: str
    seconds: float


def load() -> None:
    """Import what the stages import."""
    for name in LOADED:
        import_module(name)


def call(
    arguments: list[str],
    before: Callable[[], None] | None = None,
    kill: tuple[float, signal.Signals] | None = None,
) -> Done:
    """Run `sitsformer ARGUMENTS`.

    Args:
        arguments: of the command line.
        before: called in the process before the command.
        kill: seconds after which the process gets a signal.
    """
    with tempfile.TemporaryFile() as stream:
        started = time.monotonic()
        process = os.fork()
        if process == 0:
            _become(arguments, stream.fileno(), before)
        if kill is not None:
            time.sleep(kill[0])
            os.kill(process, kill[1])
        _, status = os.waitpid(process, 0)
        seconds = time.monotonic() - started
        stream.seek(0)
        said = stream.read().decode(errors="replace")
    return Done(os.waitstatus_to_exitcode(status), said, seconds)


def _become(arguments: list[str], output: int, before: Callable[[], None] | None) -> None:
    """Turn this process into the command; never returns."""
    from sitsformer import cli

    status = 1
    try:
        for stream in (1, 2):
            os.dup2(output, stream)
        sys.argv = [str(Path(sys.executable).parent / "sitsformer"), *arguments]
        if before is not None:
            before()
        cli.main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
