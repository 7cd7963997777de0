"""A one-node Slurm from Debian's slurm-wlm and munge, started by hand and stopped again.

    python tests/slurm/node.py FOLDER        (until Ctrl-C: `sinfo`, `sbatch` and so on work)

Its configuration must be in /etc/slurm, since the steps of a job see no SLURM_CONF: this is for
containers and machines of nobody else, as root. It claims CPUs and a GPU that need not be there,
watches the memory of jobs, and remembers every job for as long as it runs.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = (
    "munge", "munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol",
    "sinfo",
)  # fmt: skip
SETTINGS = Path("/etc/slurm")
MARK = "# A node for the tests of a workflow."

SLURM = """\
{mark}
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
OverTimeLimit=0
KillWait=30
MinJobAge=100000
GresTypes=gpu
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=32000 Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""
GRES = "{mark}\nName=gpu File=/dev/null\n"


def missing() -> str | None:
    """What has to be done before a node can be started here."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if lacking:
        return f"{', '.join(lacking)} not found: apt-get install slurm-wlm munge"
    if os.geteuid():
        return "a Slurm node is started as root, in a container"
    for path in (SETTINGS / "slurm.conf", SETTINGS / "gres.conf"):
        if path.exists() and not path.read_text().startswith(MARK):
            return f"{path} is of a real cluster, and would be replaced"
    if (SETTINGS / "slurm.conf").exists() and "is UP" in _said("scontrol", "ping"):
        return "a Slurm of these tests runs here already"
    return None


def _said(*call: str) -> str:
    """What a program says; nothing where it says nothing in time."""
    try:
        said = subprocess.run(call, capture_output=True, text=True, check=False, timeout=10)
    except subprocess.TimeoutExpired:
        return ""
    return said.stdout + said.stderr


class Node:
    """The daemons, while they run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Node:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        SETTINGS.mkdir(exist_ok=True)
        values = {"mark": MARK, "host": socket.gethostname(), "folder": self.folder}
        (SETTINGS / "slurm.conf").write_text(SLURM.format(**values))
        (SETTINGS / "gres.conf").write_text(GRES.format(**values))
        for path in (Path("/run/munge"), Path("/var/log/munge"), Path("/var/lib/munge")):
            path.mkdir(exist_ok=True)
            shutil.chown(path, "munge", "munge")
        if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode:
            self._start("runuser", "-u", "munge", "--", "munged", "--foreground")
        self._start("slurmctld", "-D")
        self._start("slurmd", "-D")
        for _ in range(120):
            if "idle" in (said := _said("sinfo", "-h", "-o", "%T")):
                return self
            time.sleep(0.5)
        self.__exit__()
        raise RuntimeError((self.folder / "slurmctld.log").read_text()[-2000:] + said)

    def _start(self, *call: str) -> None:
        log = (self.folder / f"{call[0]}.out").open("wb")
        # In a session of their own: Ctrl-C is for the tests, which then stop them in order.
        self.daemons.append(subprocess.Popen(call, stdout=log, stderr=log, start_new_session=True))

    def __exit__(self, *_: object) -> None:
        subprocess.run(["scancel", "--user", "root"], check=False, capture_output=True)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            daemon.wait()
        for name in ("slurm.conf", "gres.conf"):
            (SETTINGS / name).unlink(missing_ok=True)


def main() -> None:
    """A node until Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if (reason := missing()) is not None:
        sys.exit(f"error: {reason}")
    with Node(Path(sys.argv[1]).absolute()):
        print("a Slurm of one node runs; Ctrl-C stops it", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # the daemons are stopped in peace


if __name__ == "__main__":
    main()
