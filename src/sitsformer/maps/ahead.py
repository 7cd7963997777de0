"""The next batch is made in a thread while this one is worked on elsewhere, on a GPU.

Where the work is done on the same cores, both would want them. For training it gains less than
1.3 x (benchmarks/RESULTS.md) and is not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(batches: Iterator[T]) -> Iterator[T]:
    """The same batches, each made while its user has the one before.

    Args:
        batches: none of them is None. What they raise is raised here.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        waiting = thread.submit(next, batches, None)
        while (batch := waiting.result()) is not None:
            waiting = thread.submit(next, batches, None)
            yield batch
