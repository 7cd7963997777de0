"""Jobs of the workflow without their imports: a process that has loaded everything forks for each.

Most of what a job of the tiny workflow takes is Python loading torch and the geo stack. What
Snakemake starts stays as it is, job.sh and `python -m sitsformer` among them; there
`sitecustomize.py` hands over arguments, environment, folder and open files, and waits for the
status. Each job is a process of its own as before. Not for tests of processes: of signals, memory,
threads, or a first import.

    with WarmJobs() as warm:
        subprocess.run([sys.executable, "-m", "snakemake", ...], env=os.environ | warm.environment)
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ADDRESS = "SITSFORMER_WARM"
LOADED = (
    "dask.array", "ee", "geopandas", "matplotlib.pyplot", "pandas", "pyarrow.parquet", "rasterio",
    "rioxarray", "sklearn.ensemble", "sklearn.linear_model", "torch", "xarray", "zarr",
)  # fmt: skip
"""What our modules import when they run."""


class WarmJobs:
    """The process, and what tells jobs of it."""

    def __init__(self, package: Path | None = None) -> None:
        """Loads the installed package, or what lies in another folder."""
        folders = [Path(__file__).parent, package, os.environ.get("PYTHONPATH")]
        path = os.pathsep.join(str(folder) for folder in folders if folder)
        self.environment = {"PYTHONPATH": path}

    def __enter__(self) -> WarmJobs:
        self.folder = tempfile.TemporaryDirectory()
        address = f"{self.folder.name}/jobs"
        self.process = subprocess.Popen(
            [sys.executable, __file__, address],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=os.environ | self.environment,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n", "it cannot load what jobs need"
        self.environment[ADDRESS] = address
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate()
        self.folder.cleanup()


def hand_over(arguments: list[str]) -> None:
    """Have a command run by the process that waits for it, and end with its status."""
    asked = {"arguments": arguments, "environment": dict(os.environ), "folder": str(Path.cwd())}
    text = json.dumps(asked).encode()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(os.environ[ADDRESS])
        socket.send_fds(line, [len(text).to_bytes(8, "big")], [0, 1, 2])
        line.sendall(text)
        status = line.recv(1)
    # No status: it ended as no command of ours does.
    os._exit(status[0] if status else 70)


def _become(asked: dict[str, Any], files: list[int]) -> None:
    """Take over the files, environment, folder and arguments of the process that asked."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.path[0] = asked["folder"]
    sys.argv[1:] = asked["arguments"]


def _load() -> None:
    """Every module of ours and what they load later."""
    import sitsformer

    for name in LOADED:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(sitsformer.__path__, "sitsformer."):
        importlib.import_module(module.name)


def _serve(address: str) -> None:
    """Wait for jobs; returns in each job's own process."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(16)
        print("ready", flush=True)
        while True:
            line, _ = door.accept()
            if os.fork() == 0:
                break
            line.close()
            _bury()
    size, files, *_ = socket.recv_fds(line, 8, 3)
    with line.makefile("rb") as stream:
        asked = json.loads(stream.read(int.from_bytes(size, "big")))
    if (job := os.fork()) == 0:
        line.close()
        _become(asked, files)
        return
    status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    line.sendall(bytes([status if status >= 0 else 128 - status]))
    os._exit(0)


def _bury() -> None:
    """Wait for whoever has ended by now."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    from sitsformer.__main__ import start

    _load()
    gc.collect()
    gc.freeze()
    _serve(sys.argv[1])
    start()
