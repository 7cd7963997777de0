"""Try to break the workflow, and count what happens: the figures of docs/reliability.md.

    python scripts/reliability/run.py configs damage kills disk --minutes 5
    python scripts/reliability/run.py kills --rounds 3

A tiny run is made once in a folder of its own; then each stage is called again and again on copies
of its inputs, as the workflow calls it:

    configs   values and lines of a config changed at random: refused with a message, or accepted
    damage    a file of an input lost, cut, altered, exchanged: refused, or the same result
    kills     the stage killed at a random moment and called again: the same bytes
    disk      no room for the output: one message, nothing left, the same bytes afterwards

Figures: docs/reliability.md. The exit status is 1 where anything went as it must not: a traceback,
another result, a left-over.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import calls
import click
import trials
from stages import finished_run

TRIALS = {
    "configs": trials.configs,
    "damage": trials.damage,
    "kills": trials.kills,
    "disk": trials.disk,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(TRIALS)))
@click.option("--rounds", default=5, show_default=True, help="Times each stage is tried.")
@click.option("--minutes", default=60.0, show_default=True, help="Of one trial at most.")
@click.option("--seed", default=0, show_default=True, help="Of everything random.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder of the tiny run, kept.")
def main(names: tuple[str, ...], rounds: int, minutes: float, seed: int, keep: Path | None) -> None:
    """Run the named trials, all by default."""
    bad = 0
    with tempfile.TemporaryDirectory() as scratch:
        calls.load()
        run = finished_run(keep or Path(scratch) / "run")
        for name in names or tuple(TRIALS):
            turns = trials.Turns(rounds, minutes)
            outcomes = TRIALS[name](run, Path(scratch), turns, seed)
            print(f"\n{name}")
            for stage, counts in outcomes.items():
                told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
                print(f"  {stage:12s} {sum(counts.values()):4d} tried: {told}", flush=True)
                bad += sum(n for outcome, n in counts.items() if outcome not in trials.FINE)
    print(f"\n{bad} went as they must not")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
