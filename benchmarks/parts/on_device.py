"""What a device can do at best, and how steps on it are timed; for gpu.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

PEAKS = {
    "H100 PCIe": {"bf16": 756e12, "tf32": 378e12, "float32": 51e12},
    "H100 NVL": {"bf16": 835e12, "tf32": 417e12, "float32": 60e12},
    "H100": {"bf16": 989e12, "tf32": 495e12, "float32": 67e12},
    "H200": {"bf16": 989e12, "tf32": 495e12, "float32": 67e12},
    "A100": {"bf16": 312e12, "tf32": 156e12, "float32": 19.5e12},
}
"""Dense FLOP/s by the maker's data sheets, by a part of the device's name (the first that fits;
without an addition: SXM) and by precision."""

WARM_UP = 12
"""Steps before time is taken: memory is handed out and kernels are chosen for shapes that vary."""

RECORDING = 80
"""The same where steps are recorded: until most shapes of batches have been met twice."""

PROFILED = 8
"""Steps whose kernels are timed one by one."""


def name_of(device: str) -> str:
    """What the maker calls it."""
    return torch.cuda.get_device_name() if device == "cuda" else "CPU"


def peaks(device: str) -> dict[str, float]:
    """FLOP/s by precision as the data sheet says; empty for devices that nobody looked up."""
    return next((found for part, found in PEAKS.items() if part in name_of(device)), {})


def wait(device: str) -> None:
    """Until the device has done all that was asked of it."""
    if device == "cuda":
        torch.cuda.synchronize()


def set_precision(precision: str) -> None:
    """`tf32`: for all float32 products; else for none, convolutions included."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def ceilings(device: str, side: int) -> dict[str, float]:
    """FLOP/s of a large product of random matrices by precision, and bytes/s of a copy."""
    found = {}
    for precision in ("float32", "tf32", "bf16"):
        set_precision(precision)
        kind = torch.bfloat16 if precision == "bf16" else torch.float32
        a, b = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
        found[precision] = 2 * side**3 / best(lambda a=a, b=b: a @ b, device)
    source = torch.randn(side, side, device=device)
    target = torch.empty_like(source)
    seconds = best(lambda: target.copy_(source), device)
    found["copy"] = 2 * source.numel() * source.itemsize / seconds
    return found


def best(work: Callable[[], Any], device: str, rounds: int = 5) -> float:
    """Seconds of the fastest of some rounds."""
    seconds = []
    for _ in range(rounds + 2):
        wait(device)
        start = time.perf_counter()
        work()
        wait(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds[2:])


def timed(
    batches: Iterator[Any],
    step: Callable[[Any], torch.Tensor],
    steps: int,
    device: str,
    warm_up: int = WARM_UP,
) -> tuple[float, float | None, float]:
    """Run some steps to warm up (one on a CPU), then `steps` more.

    Returns:
        Seconds; the share of them in which the device computed (None on a CPU); the mean loss of
        the last quarter.
    """
    for _ in range(warm_up if device == "cuda" else 1):
        step(next(batches))
    wait(device)
    start = time.perf_counter()
    losses = [step(next(batches)) for _ in range(steps)]
    wait(device)
    seconds = time.perf_counter() - start
    last = torch.stack(losses[-max(1, steps // 4) :]).mean()
    busy = steps * kernel_seconds(batches, step) / seconds if device == "cuda" else None
    return seconds, busy, float(last)


def kernel_seconds(batches: Iterator[Any], step: Callable[[Any], torch.Tensor]) -> float:
    """Time a step that kernels and copies take on the GPU, without the gaps between them."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as found:
        for _ in range(PROFILED):
            step(next(batches))
        torch.cuda.synchronize()
    on_device = torch.autograd.DeviceType.CUDA
    spans = [e.time_range.elapsed_us() for e in found.events() if e.device_type == on_device]
    return float(sum(spans)) / 1e6 / PROFILED
