"""What each method of a config's sweep costs: CPU time of a job, as a row of Markdown a method.

    python scripts/method_costs.py CONFIG --models RESULTS/models [--shots 20 all] [--seeds 0-4]

Every job is a process of its own, on a thread, as the workflow calls it; the figure is what the
kernel says of it when it has ended, its start and the imports included. `--models` is the folder of
the pretrained models of a run of the config; of each objective the first run is looked at.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sitsformer.config import Config, load


def jobs(config: Config, models: Path) -> Iterator[tuple[str, list[str]]]:
    """Method -> words of its command but for shots, seeds and output."""
    settings = config.fewshot
    for adaptation in settings.adaptations:
        for init in settings.inits:
            words = ["fewshot", "--init", init, "--adaptation", adaptation]
            if init != "none":
                words += ["--init-model", str(models / f"{init}-p0"), "--pretrain-seed", "0"]
            yield f"{init}, {adaptation}", words
    for name in settings.baselines:
        yield name, ["baseline", "--method", name]
    for name in settings.controls:
        known = ["--land-cover", str(models / "dual-p0")]
        yield f"{name} with land cover", ["baseline", "--method", f"{name}-dual-p0", *known]


def seconds(words: list[str]) -> float:
    """CPU time of a command of `sitsformer`, its own and the system's for it."""
    environment = os.environ | {"SITSFORMER_THREADS": "1"}
    with tempfile.NamedTemporaryFile("w+") as log:
        command = [sys.executable, "-m", "sitsformer", *words]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise SystemExit(f"{' '.join(words)} failed: {log.read()[-2000:]}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure; see the head of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--shots", nargs="+", default=["20", "all"])
    parser.add_argument("--seeds", default="0-4")
    given = parser.parse_args()
    config = load(given.config)
    store = config.sets[config.fewshot.set].store
    if store is None:
        raise SystemExit(f"{given.config}: its set `{config.fewshot.set}` names no store")
    samples = os.path.expandvars(store)
    print(f"| CPU seconds | {' | '.join(given.shots)} |\n|---|{'---|' * len(given.shots)}")
    for name, words in jobs(config, given.models):
        found = []
        for shots in given.shots:
            with tempfile.TemporaryDirectory() as folder:
                more = ["--config", str(given.config), "--samples", samples, "--shots", shots]
                out = ["--seeds", given.seeds, "--out", str(Path(folder) / "cells.parquet")]
                found.append(f"{seconds([*words, *more, *out]):.0f}")
        print(f"| {name} | {' | '.join(found)} |", flush=True)


if __name__ == "__main__":
    main()
