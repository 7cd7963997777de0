"""A command of `sitsformer` whose process signals itself at a step of training that it counts.

    python stopped.py SIGTERM 27 fewshot --config ...
    python stopped.py none 0 fewshot --config ...

The last line of its output says how many steps it trained.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from sitsformer import cli
from sitsformer.training import loop


def main(name: str, number: int, arguments: list[str]) -> None:
    """Run the command; after step `number` of all its trainings the signal arrives."""
    plain, done = loop._Loop.step, 0

    def step(self: Any, *given: Any) -> bool:
        nonlocal done
        found = plain(self, *given)
        done += 1
        if done == number:
            print(f"signal after step {done}", flush=True)
            os.kill(os.getpid(), signal.Signals[name])
        return found

    loop._Loop.step = step  # type: ignore[method-assign]
    sys.argv = ["sitsformer", *arguments]
    try:
        cli.main()
    finally:
        print(f"steps {done}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
