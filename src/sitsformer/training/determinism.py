"""What makes a run the same every time: the numbers drawn, and the order of sums."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch


def seed(numbers: Sequence[int]) -> None:
    """Start torch's generators afresh, so that dropout is a pure function of these numbers.

    Nothing of it need be in a checkpoint, which is resumed to the byte nevertheless.

    Args:
        numbers: run's seed, step, micro-batch, process; none is negative.
    """
    torch.manual_seed(int(np.random.SeedSequence(list(numbers)).generate_state(1, np.uint64)[0]))


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Only algorithms that add up in a fixed order (on GPUs; CPUs use no others here).

    Args:
        wanted: otherwise nothing is changed.
    """
    if not wanted:
        # Even switching it off imports a compiler, for a second.
        yield
        return
    # cuBLAS adds up in a fixed order with a workspace of fixed size alone (its manual, section
    # "Results reproducibility"); it reads this when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    # Not `warn_only`: attention keeps its order of addition only where it is demanded.
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
        torch.use_deterministic_algorithms(before, warn_only=warned)
