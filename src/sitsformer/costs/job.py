"""What one job takes, and what it is given."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sitsformer.config import Compute

SLOWER = 2.0
"""A job may take so many times the predicted time: machines differ, and share what they have."""
LARGER = 1.3
"""And so many times the predicted memory."""
LEAST_MINUTES = 30
LEAST_MB = 1500


@dataclass(frozen=True)
class Job:
    """A job, as predicted.

    Attributes:
        seconds: on one thread, or on a GPU; None: not measured there.
        memory: MB at the peak.
        disk: MB that it leaves.
        files: that it leaves, logs and benchmarks of Snakemake's among them.
        gpu: it asks for a GPU.
        operations: of networks, where they run on a GPU.
    """

    seconds: float | None
    memory: float
    disk: float = 0.0
    files: int = 0
    gpu: bool = False
    operations: float = 0.0

    @property
    def minutes(self) -> float | None:
        """Predicted minutes; None: not measured."""
        return None if self.seconds is None else self.seconds / 60

    def beyond(self, limits: Compute) -> bool:
        """Whether it is predicted to take more time or memory than any job is given."""
        late = self.seconds is not None and self.seconds > 3600 * limits.hours
        return late or self.memory > 1000 * limits.memory_gb


def runtime(job: Job, limits: Compute, attempt: int) -> int:
    """Minutes that an attempt asks for; the longest of all where nothing was measured."""
    longest = math.ceil(60 * limits.hours)
    if job.minutes is None:
        return longest
    return min(longest, max(LEAST_MINUTES, math.ceil(SLOWER * job.minutes)) * attempt)


def mem_mb(job: Job, limits: Compute, attempt: int) -> int:
    """MB that an attempt asks for."""
    most = math.ceil(1000 * limits.memory_gb)
    return min(most, max(LEAST_MB, 100 * math.ceil(LARGER * job.memory / 100)) * attempt)
