"""Training steps a second: ours against the published network, same weights, batch, dropout.

    python benchmarks/training.py [--quick]          one CPU thread
    python benchmarks/training.py --choices          what each choice brings, by taking it away
    python benchmarks/training.py --device cuda      samples a second and share of peak on a GPU

Needs torch and numpy only. A step is forward, reconstruction loss, backward, clipping, Adam; ours
also gathers its batch from stored integers and draws the masks. Times are CPU seconds of the
process (one thread), variants take turns, ratios are medians over rounds.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import model_data as data
from sitsformer.model import Architecture, SITSFormer, flops
from sitsformer.model import steps as steps_module
from sitsformer.model.dropout import Noise
from sitsformer.training import Plan, make_optimiser
from sitsformer.training.tasks import InMemory, PretrainSettings, PretrainTask

BATCH, MASK = 32, 0.3

PEAK_BF16 = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bfloat16 FLOP/s by the makers' data sheets, by a part of the device's name."""


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


def our_step(
    model,
    values,
    doy,
    objective="ssl",
    device="cpu",
    precision="float32",
    kind=PretrainTask,
    host=False,
):
    """One step of the training loop's work on the same samples.

    With `host` the stored integers of the batch are copied to the device in every step.
    """
    series = data.series(values, doy, device)
    label = np.arange(len(values)) % max(model.architecture.classes, 1)
    task = kind(InMemory(series, label), PretrainSettings(objective, len(values), mask_rate=MASK))
    plan = Plan(optimiser="adam", learning_rate=1e-4)
    optimiser = make_optimiser(model, plan)
    model.train()
    count = [0]

    def step():
        count[0] += 1
        if host:
            task.source.series = data.series(values, doy, device)
        (batch,) = next(task.batches(count[0], 0))
        model.noise.seed((0, count[0]))
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            sums = task.sums(model, batch)
        loss = sum(value / batch.counts[name] for name, value in sums.items())
        loss.backward()
        model.clip_gradients(5.0)
        optimiser.step(plan.learning_rate)
        optimiser.clear()

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
        work = 3 * flops(model.architecture, (doy > 0).sum(1).astype(np.int64), MASK, MASK)
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
        return {"ssl": (model.reconstruct(encoded) - target).square().sum()}


def _library_mask(self, shape, rate):
    return torch.empty(tuple(shape), dtype=torch.uint8).bernoulli_(1 - rate)


def choices(rounds: int) -> None:
    """Slow-down of a step when one of our choices is taken away."""
    torch.set_num_threads(1)
    print(f"{'case':10}{'whole last layer':>18}{'library dropout':>17}{'one group':>11}{'dual':>7}")
    for case in data.CASES:
        values, doy = data.samples(case, BATCH)
        _, model = data.networks(classes=8)
        plain = our_step(model, values, doy)

        def other(name, value, holder, call=plain):
            def step():
                before = getattr(holder, name)
                setattr(holder, name, value)
                try:
                    call()
                finally:
                    setattr(holder, name, before)

            return step

        variants = {
            "ours": plain,
            "whole": our_step(model, values, doy, kind=WholeTask),
            "dropout": other("mask", _library_mask, Noise),
            "group": other("GROUP_RATIO", 0.0, steps_module),
            "dual": our_step(model, values, doy, "dual"),
        }
        seconds = data.interleave(variants, rounds)
        found = [data.median_ratio(seconds, name, "ours") for name in list(variants)[1:]]
        print(f"{case:10}{found[0]:18.2f}{found[1]:17.2f}{found[2]:11.2f}{found[3]:7.2f}")


def gpu(rounds: int) -> dict[str, dict]:
    """Samples a second and share of peak of one GPU, fed from its memory and from the host's."""
    name = torch.cuda.get_device_name()
    peak = next((value for key, value in PEAK_BF16.items() if key in name), None)
    results = {}
    for batch in (512, 2048):
        values, doy = data.samples("T <= 50", batch)
        for feed in ("GPU memory", "host memory"):
            for precision in ("float32", "bf16"):
                torch.manual_seed(0)
                model = SITSFormer(Architecture(attention_dropout=0.0), data.MEAN, data.STD).cuda()
                host = feed == "host memory"
                step = our_step(model, values, doy, "ssl", "cuda", precision, host=host)
                for _ in range(5):
                    step()
                torch.cuda.synchronize()
                start = time.perf_counter()
                for _ in range(rounds):
                    step()
                torch.cuda.synchronize()
                rate = rounds * batch / (time.perf_counter() - start)
                lengths = (doy > 0).sum(1).astype(np.int64)
                work = 3 * flops(model.architecture, lengths, MASK, MASK) / batch * rate
                share = f"{work / peak:.1%} of peak" if peak else "peak unknown"
                print(f"{name}, batch {batch}, {feed}, {precision}: {rate:.0f} samples/s, {share}")
                results[f"GPU training, batch {batch}, {feed}, {precision}"] = {
                    "value": round(rate),
                    "unit": "samples/s",
                    "against": share,
                    "ratio": round(work / peak, 3) if peak else None,
                }
    return results


def main(quick: bool = False, device: str = "cpu") -> dict[str, dict]:
    if device == "cuda":
        return gpu(5 if quick else 30)
    cases = ("T = 24", "T <= 75") if quick else tuple(data.CASES)
    return cpu(3 if quick else 11, cases)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--choices", action="store_true")
    options = parser.parse_args()
    if options.choices:
        choices(3 if options.quick else 7)
    else:
        main(options.quick, options.device)
