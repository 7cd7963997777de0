"""The next batch is made while a GPU works on this one.

On a CPU both would want the same cores. Batches are a function of the seed and of their number, so
who makes them when changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def ahead(batches: Iterator[T], device: torch.device) -> Iterator[T]:
    """The same batches; for a GPU a thread makes each next one.

    Args:
        batches: none of them is None. What they raise is raised here.
        device: of the network.
    """
    if device.type != "cuda":
        yield from batches
        return
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        waiting = thread.submit(next, batches, None)
        while (batch := waiting.result()) is not None:
            waiting = thread.submit(next, batches, None)
            yield batch
