"""Training steps a second: ours against the published network, same weights, batch, dropout.

    python benchmarks/training.py [--quick]          one CPU thread
    python benchmarks/training.py --choices          what each choice brings, by taking it away
    python benchmarks/training.py --device cuda [--compile] [--deterministic] [--quick]
                                                     one GPU: samples a second, share of peak, busy
                                                     share; the reference fed from .npz files, ours
                                                     from Zarr, from host memory, from GPU memory
    python benchmarks/training.py --feeds --quick    the same on a CPU, tiny: to see that it runs

Needs torch and numpy only (the Zarr feed the whole package; without it, it is left out). A step is
forward, reconstruction loss, backward, clipping, Adam; ours also gathers its batch from stored
integers and draws the masks. Times on a CPU are CPU seconds of the process (one thread), variants
take turns, ratios are medians over rounds; by feed, they are the wall clock's.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent / "parts"))
import model_data as data
from reference_model import Reference
from sitsformer.model import Architecture, SITSFormer
from sitsformer.training.determinism import deterministic, seed
from sitsformer.training.objectives import objectives
from sitsformer.training.pretraining import InMemory, PretrainSettings, PretrainTask
from sitsformer.training.recipe import Plan, make_optimiser

BATCH, MASK = 32, 0.3

PEAKS = {
    "H100 PCIe": {"bf16": 756e12, "tf32": 378e12, "float32": 51e12},
    "H100 NVL": {"bf16": 835e12, "tf32": 417e12, "float32": 60e12},
    "H100": {"bf16": 989e12, "tf32": 495e12, "float32": 67e12},
    "H200": {"bf16": 989e12, "tf32": 495e12, "float32": 67e12},
    "A100": {"bf16": 312e12, "tf32": 156e12, "float32": 19.5e12},
}
"""Dense FLOP/s by the maker's data sheets, by a part of the device's name (the first that fits;
without an addition: SXM) and by precision."""

WARM_UP = 20
"""Steps before time is taken: memory is handed out and kernels are chosen for shapes that vary."""

PROFILED = 10
"""Steps whose kernels are timed one by one."""


def reference_step(reference, values, doy):
    """The published step: hidden patches replaced by a constant, everything computed."""
    x, days = data.padded(values, doy)
    rng = np.random.default_rng(0)
    hidden = torch.from_numpy((rng.random(days.shape) < MASK) & (doy > 0))
    target = x[:, :, :, 2, 2].clone()
    token = 0.01 * torch.randn(x.shape[2:])
    optimiser = torch.optim.Adam(reference.parameters(), lr=1e-4)
    reference.train()

    def step():
        masked = torch.where(hidden[:, :, None, None, None], token, x)
        out = reference.reconstruct(masked, days)
        loss = ((out - target).square() * hidden.unsqueeze(-1)).sum() / (hidden.sum() * 10)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reference.parameters(), 5.0)
        optimiser.step()

    return step


def settings(objective: str, batch: int) -> PretrainSettings:
    """An objective as it is by itself, with the mask rate of all of these."""
    return PretrainSettings(
        weights=objectives()[objective].losses, batch_size=batch, mask_rate=MASK
    )


def our_step(model, values, doy, objective="sits_former", kind=PretrainTask):
    """One step of the training loop's work on the same samples."""
    series = data.series(values, doy)
    label = np.arange(len(values)) % max(model.architecture.classes, 1)
    task = kind(InMemory(series, label), settings(objective, len(values)))
    optimiser = make_optimiser(model, Plan(optimiser="adam", learning_rate=1e-4))
    model.train()
    count = [0]

    def step():
        count[0] += 1
        (batch,) = next(task.batches(count[0], 0))
        seed((0, count[0]))
        sums = task.sums(model, batch)
        loss = sum(value / batch.counts[name] for name, value in sums.items())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        optimiser.zero_grad()

    return step


def cpu(rounds: int, cases) -> dict[str, dict]:
    torch.set_num_threads(1)
    gemm = data.gemm_rate()
    print(f"float32 matrix products: {gemm / 1e9:.0f} GFLOP/s (1 thread)")
    print(f"{'case':10}{'reference':>12}{'ours':>9}{'ratio':>7}{'no att. dropout':>17}{'ratio':>7}"
          f"{'of GEMM':>9}")  # fmt: skip
    results = {}
    for case in cases:
        values, doy = data.samples(case, BATCH)
        reference, model = data.networks()
        _, light = data.networks(attention_dropout=0.0)
        variants = {
            "reference": reference_step(reference, values, doy),
            "ours": our_step(model, values, doy),
            "light": our_step(light, values, doy),
        }
        seconds = data.interleave(variants, rounds)
        rate = {name: BATCH / float(np.median(s)) for name, s in seconds.items()}
        same = data.median_ratio(seconds, "reference", "ours")
        cheap = data.median_ratio(seconds, "reference", "light")
        work = 3 * data.flops(model.architecture, (doy > 0).sum(1).astype(np.int64), MASK, MASK)
        share = work / BATCH * rate["ours"] / gemm
        print(f"{case:10}{rate['reference']:12.1f}{rate['ours']:9.1f}{same:7.2f}"
              f"{rate['light']:17.1f}{cheap:7.2f}{share:9.0%}")  # fmt: skip
        for name, value, ratio in (
            ("same dropout", rate["ours"], same),
            ("no dropout of attention weights", rate["light"], cheap),
        ):
            results[f"training step, {case}, {name}"] = {
                "value": round(value, 1),
                "unit": "samples/s, 1 CPU thread",
                "against": f"reference {rate['reference']:.1f}",
                "ratio": round(ratio, 2),
            }
    return results


class WholeTask(PretrainTask):
    """As PretrainTask, with the last layer computed for every step."""

    def sums(self, model, batch):
        encoded = model.encode(batch.steps, batch.hidden)[torch.from_numpy(batch.hidden)]
        target = batch.steps.values[:, :, 12][torch.from_numpy(batch.hidden)]
        return {"reconstruct": (model.reconstruct(encoded) - target).square().sum()}


def choices(rounds: int) -> None:
    """Slow-down of a step when one of our choices is taken away."""
    torch.set_num_threads(1)
    print(f"{'case':10}{'whole last layer':>18}{'dual':>7}")
    for case in data.CASES:
        values, doy = data.samples(case, BATCH)
        _, model = data.networks(classes=8)
        plain = our_step(model, values, doy)

        variants = {
            "ours": plain,
            "whole": our_step(model, values, doy, kind=WholeTask),
            "dual": our_step(model, values, doy, "dual"),
        }
        seconds = data.interleave(variants, rounds)
        found = [data.median_ratio(seconds, name, "ours") for name in list(variants)[1:]]
        print(f"{case:10}{found[0]:18.2f}{found[1]:7.2f}")


def reference_runner(reference, device, precision):
    """A step of the published network on a batch (x, days) of a feed; returns its loss."""
    optimiser = torch.optim.Adam(reference.parameters(), lr=1e-4)
    reference.train()
    token = 0.01 * torch.randn(10, 5, 5, device=device)

    def step(batch):
        x, days = batch
        hidden = (torch.rand(days.shape, device=device) < MASK) & (days > 0)
        target = x[:, :, :, 2, 2]
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            masked = torch.where(hidden[:, :, None, None, None], token, x)
            out = reference.reconstruct(masked, days).float()
        loss = ((out - target).square() * hidden.unsqueeze(-1)).sum() / (hidden.sum() * 10)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reference.parameters(), 5.0)
        optimiser.step()
        return loss.detach()

    return step


def our_runner(model, task, device, precision):
    """A step of the training loop's work on a batch of the task; returns its loss."""
    optimiser = make_optimiser(model, Plan(optimiser="adam", learning_rate=1e-4))
    model.train()
    count = [0]

    def step(batch):
        count[0] += 1
        seed((0, count[0]))
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            loss = task.sums(model, batch)["reconstruct"] / batch.counts["reconstruct"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        optimiser.zero_grad()
        return loss.detach()

    return step


def our_batches(task):
    """Batches of one epoch after another."""
    epoch = 0
    while True:
        for (batch,) in task.batches(epoch, 0):
            yield batch
        epoch += 1


def timed(batches, step, steps, device):
    """Run some steps to warm up, then `steps` more.

    Returns:
        Seconds; the share of them in which the device computed (None on a CPU); the mean loss of
        the last quarter.
    """
    cuda = device == "cuda"
    for _ in range(WARM_UP if cuda else 2):
        step(next(batches))
    wait = torch.cuda.synchronize if cuda else (lambda: None)
    wait()
    start = time.perf_counter()
    losses = [step(next(batches)) for _ in range(steps)]
    wait()
    seconds = time.perf_counter() - start
    last = torch.stack(losses[-max(1, steps // 4) :]).mean()
    busy = steps * kernel_seconds(batches, step) / seconds if cuda else None
    return seconds, busy, float(last)


def kernel_seconds(batches, step):
    """Time a step that kernels and copies take on the GPU, without the gaps between them."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as found:
        for _ in range(PROFILED):
            step(next(batches))
        torch.cuda.synchronize()
    on_device = torch.autograd.DeviceType.CUDA
    spans = [e.time_range.elapsed_us() for e in found.events() if e.device_type == on_device]
    return sum(spans) / 1e6 / PROFILED


def set_precision(name):
    """`tf32`: for all float32 products; else for none, convolutions included."""
    torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
    torch.backends.cudnn.allow_tf32 = name == "tf32"


def by_feed(device: str, quick: bool, compiled: bool, fixed: bool) -> dict[str, dict]:
    """Samples a second, share of peak and busy share of one device, by network, feed, precision."""
    import feeds

    batch, steps, count = (16, 3, 64) if quick else (512, 60, 16384)
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    peaks = next((value for key, value in PEAKS.items() if key in name), {})
    if device == "cpu":
        torch.set_num_threads(1)
        peaks = {"float32": data.gemm_rate()}
    values, doy = feeds.made(count)
    lengths = (doy > 0).sum(1).astype(np.int64)
    each = 3 * data.flops(Architecture(), lengths, MASK, MASK) / count
    print(
        f"{name}, batch {batch}, {steps} steps of series of {lengths.mean():.0f} steps on average"
    )
    print(f"{'network':11}{'fed from':15}{'precision':11}{'samples/s':>10}{'of peak':>9}{'busy':>7}"
          f"{'loss':>8}")  # fmt: skip
    results, first = {}, None
    with tempfile.TemporaryDirectory() as folder:
        feeds.write_npz(Path(folder) / "npz", values, doy)

        def reference(feed, precision):
            torch.manual_seed(0)
            step = reference_runner(Reference().to(device), device, precision)
            if feed == ".npz files":
                batches = feeds.from_npz(Path(folder) / "npz", count, batch, device)
            else:
                batches = feeds.from_padded(values, doy, batch, device)
            return batches, step

        def ours(feed, precision):
            torch.manual_seed(0)
            model = SITSFormer(Architecture(), data.MEAN, data.STD).to(device)
            if compiled:
                for layer in model.transformer_encoder.layers:
                    layer.compile(dynamic=True)
            if feed == "Zarr":
                store = Path(folder) / f"{precision}.zarr"
                source = feeds.zarr_source(store, values, doy, batch, device)
            elif feed == "host memory":
                source = feeds.Host(values, doy, device)
            else:
                source = InMemory(data.series(values, doy, device), np.zeros(count, np.int64))
            task = PretrainTask(source, settings("sits_former", batch))
            return our_batches(task), our_runner(model, task, device, precision)

        own = "GPU memory" if device == "cuda" else "memory, ready"
        cases = [("reference", reference, feed) for feed in (".npz files", own)]
        cases += [("ours", ours, feed) for feed in ("Zarr", "host memory", own)]
        for precision in ("float32", "tf32", "bf16") if device == "cuda" else ("float32", "bf16"):
            set_precision(precision)
            for network, make, feed in cases:
                try:
                    with deterministic(fixed and network == "ours"):
                        seconds, busy, loss = timed(*make(feed, precision), steps, device)
                except feeds.MissingError as missing:
                    print(f"{network:11}{feed:15}{precision:11}{missing}")
                    continue
                rate = steps * batch / seconds
                first = first or rate
                share = rate * each / peaks[precision] if precision in peaks else None
                of_peak = "unknown" if share is None else f"{share:.1%}"
                working = "" if busy is None else f"{busy:.0%}"
                print(f"{network:11}{feed:15}{precision:11}{rate:10.0f}{of_peak:>9}{working:>7}"
                      f"{loss:8.4f}", flush=True)  # fmt: skip
                results[f"training on {name}, {network}, {feed}, {precision}"] = {
                    "value": round(rate),
                    "unit": "samples/s",
                    "against": f"{of_peak} of peak" + (working and f", busy {working}"),
                    "ratio": round(rate / first, 2),
                }
    return results


def main(quick: bool = False) -> dict[str, dict]:
    cases = ("T = 24", "T <= 75") if quick else tuple(data.CASES)
    return cpu(3 if quick else 11, cases)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer cases or smaller batches")
    parser.add_argument("--choices", action="store_true", help="what each choice brings")
    parser.add_argument("--feeds", action="store_true", help="by feed and precision")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="for --feeds")
    parser.add_argument("--deterministic", action="store_true", help="--feeds: fixed order, ours")
    parser.add_argument("--compile", action="store_true", help="--feeds: torch.compile for ours")
    options = parser.parse_args()
    if options.choices:
        choices(3 if options.quick else 7)
    elif options.feeds or options.device == "cuda":
        by_feed(options.device, options.quick, options.compile, options.deterministic)
    else:
        main(options.quick)
