"""Training steps a second: ours against the published network, same weights, batch, dropout.

    python benchmarks/training.py [--quick]          one CPU thread
    python benchmarks/training.py --choices          what each choice brings, by taking it away

On a GPU: benchmarks/gpu.py.

Needs torch and numpy only. A step is forward, reconstruction loss, backward, clipping, Adam; ours
also gathers its batch from stored integers and draws the masks. Times are CPU seconds of the
process (one thread), variants take turns, ratios are medians over rounds.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import model_data as data
from sitsformer.training.determinism import seed
from sitsformer.training.objectives import objectives
from sitsformer.training.pretraining import InMemory, PretrainSettings, PretrainTask
from sitsformer.training.recipe import Plan, make_optimiser

BATCH, MASK = 32, 0.3


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
        hidden = batch.hidden.rows.index
        encoded = model.encode(batch.steps, batch.hidden)[hidden]
        target = batch.steps.values[:, :, 12][hidden]
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


def main(quick: bool = False) -> dict[str, dict]:
    cases = ("T = 24", "T <= 75") if quick else tuple(data.CASES)
    return cpu(3 if quick else 11, cases)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer cases or smaller batches")
    parser.add_argument("--choices", action="store_true", help="what each choice brings")
    options = parser.parse_args()
    if options.choices:
        choices(3 if options.quick else 7)
    else:
        main(options.quick)
