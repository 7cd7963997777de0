"""Where jobs run, and what they may take; nothing of it changes a result."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sitsformer.config.base import Section

Device = Literal["auto", "cpu", "cuda"]
NetworkStage = Literal["pretrain", "fewshot", "baseline", "crop_model", "map"]
"""Rules whose jobs run a network."""


class Compute(Section):
    """Where jobs run, and what they may take; a changed value runs nothing again."""

    device: Device | dict[NetworkStage, Device] = "auto"
    """What networks run on. `auto`: a GPU where a job finds one, and none is asked for; `cuda`:
    each job asks for a GPU; `cpu`: none is used. For some rules alone: `{pretrain: cuda, map:
    cuda}`, the others are `auto`."""
    hours: float = Field(24.0, gt=0, le=8760)
    """Longest time that a job asks for (the limit of your cluster's partition)."""
    memory_gb: float = Field(64.0, ge=1, le=100_000)
    """Most memory that a job asks for, GB (that of your smallest node)."""

    def device_of(self, stage: NetworkStage) -> Device:
        """What the networks of a rule run on."""
        if isinstance(self.device, dict):
            return self.device.get(stage, "auto")
        return self.device
