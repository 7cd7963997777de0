"""Predictions a second: ours against the published network, same weights, same samples.

    python benchmarks/inference.py [--quick]
    python benchmarks/inference.py --model results/models/crop --samples results/patches/crops.zarr
                                             what fewer bits cost a trained model

The first needs torch and numpy only. Ours starts from stored integers, the reference from
normalised floats in batches of 32, and in those of 8, 16, 32 or 64 that suit it best; both run in
evaluation and inference mode, so the reference takes the library's fused layers. `int8` is dynamic
quantisation of the linear layers with torch's own products: faster, and not equal; its largest
error in probabilities and its share of changed classes are printed. `bf16` is `maps.precision`
where the processor multiplies it. One CPU thread, CPU seconds, variants take turns, medians over
rounds.

The second predicts the test split of a store with a fine-tuned model in float32, 8 bits and bf16.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent / "parts"))
from quantise import quantised

import model_data as data
from sitsformer.model.packed import has_bf16_units

COUNT, CLASSES = 1024, 8

BATCHES = (32, 8, 16, 64)
"""Samples a batch of the reference; the first is that of the training benchmark."""


def main(quick: bool = False) -> dict[str, dict]:
    torch.set_num_threads(1)
    gemm = data.gemm_rate()
    print(f"float32 matrix products: {gemm / 1e9:.0f} GFLOP/s (1 thread)")
    print(f"{'case':10}{'reference':>10}{'its best':>10}{'ours':>7}{'ratio':>7}{'of best':>8}"
          f"{'of GEMM':>9}{'error':>9}"
          + 2 * f"{'(1)':>7}{'ratio':>7}{'error':>8}{'changed':>9}"
          + "   (1): int8, then bf16")  # fmt: skip
    results = {}
    for case in ("T = 24", "T <= 75") if quick else tuple(data.CASES):
        values, doy = data.samples(case, COUNT)
        reference, model = data.networks(classes=CLASSES)
        reference.eval()
        model.eval()
        small = quantised(model)
        x, days = data.padded(values, doy)

        def published(size=BATCHES[0], reference=reference, x=x, days=days):
            with torch.inference_mode():
                parts = zip(x.split(size), days.split(size), strict=True)
                return torch.cat([torch.softmax(reference.classify(*p), 1) for p in parts]).numpy()

        def ours(model=model, values=values, doy=doy):
            return model.predict(values, doy)

        def int8(small=small, values=values, doy=doy):
            return small.predict(values, doy)

        expected = published()
        error = float(np.abs(ours() - expected).max())
        assert error < 1e-5, error
        variants = {"ours": ours, "int8": int8}
        if has_bf16_units():

            def bf16(model=model, values=values, doy=doy):
                return model.predict(values, doy, precision="bf16")

            variants["bf16"] = bf16
        exact = ours()
        rough = {name: float(np.abs(call() - exact).max()) for name, call in variants.items()}
        changed = {
            name: float((call().argmax(1) != exact.argmax(1)).mean())
            for name, call in variants.items()
        }
        inexact = list(variants)[1:]
        variants |= {f"reference {n}": lambda n=n, run=published: run(n) for n in BATCHES}
        seconds = data.interleave(variants, 3 if quick else 5)
        rate = {name: COUNT / float(np.median(s)) for name, s in seconds.items()}
        plain = f"reference {BATCHES[0]}"
        best = max((f"reference {n}" for n in BATCHES), key=rate.__getitem__)
        ratios = {n: data.median_ratio(seconds, plain, n) for n in ("ours", *inexact)}
        of_best = data.median_ratio(seconds, best, "ours")
        work = data.flops(model.architecture, (doy > 0).sum(1).astype(np.int64)) / COUNT
        print(f"{case:10}{rate[plain]:10.0f}{rate[best]:10.0f}{rate['ours']:7.0f}"
              f"{ratios['ours']:7.2f}{of_best:8.2f}{work * rate['ours'] / gemm:9.0%}{error:9.0e}"
              + "".join(f"{rate[n]:7.0f}{ratios[n]:7.2f}{rough[n]:8.0e}{changed[n]:9.1%}"
                        for n in inexact))  # fmt: skip
        notes = {
            "ours": f"{of_best:.2f} of its best batch; equal to {error:.0e}",
            **{name: f"error {rough[name]:.0e}" for name in inexact},
        }
        for name, note in notes.items():
            results[f"prediction, {case}, {name}"] = {
                "value": round(rate[name]),
                "unit": "samples/s, 1 CPU thread",
                "against": f"reference {rate[plain]:.0f}; {note}",
                "ratio": round(ratios[name], 2),
            }
    return results


def loss_of_few_bits(models: list[Path], store: Path) -> None:
    """Print the scores of float32 and of coarser predictions of a store's test split."""
    from sitsformer import load_model
    from sitsformer.evaluation.metrics import confusion, scores
    from sitsformer.samples import load_samples

    torch.set_num_threads(1)
    samples = load_samples(store, "test")
    samples = samples.take(samples.label >= 0)
    print(f"{store}: {len(samples.label)} test samples, {len(samples.classes.names)} classes")
    print(f"{'model':24}{'':9}{'accuracy':>9}{'macro F1':>9}{'changed':>9}{'error':>8}{'ratio':>7}")
    for path in models:
        model = load_model(path, bands=samples.bands, patch=samples.reflectance.shape[3])
        if tuple(model.class_names) != tuple(samples.classes.names):
            sys.exit(
                f"error: {path} knows the classes {list(model.class_names)}, but {store} has "
                f"{list(samples.classes.names)}: give a model fine-tuned on this store"
            )
        asked = {"float32": (model, "float32"), "8 bits": (quantised(model), "float32")}
        if has_bf16_units():
            asked["bf16"] = (model, "bf16")
        calls = {
            name: lambda network=network, kind=kind: network.predict(
                samples.reflectance, samples.doy, precision=kind
            )
            for name, (network, kind) in asked.items()
        }
        found = {name: call() for name, call in calls.items()}
        seconds = data.interleave(calls, 5)
        for name, part in found.items():
            score = scores(confusion(samples.label, part.argmax(1), part.shape[1]))
            changed = (found["float32"].argmax(1) != part.argmax(1)).mean()
            error = np.abs(found["float32"] - part).max()
            ratio = data.median_ratio(seconds, "float32", name)
            lost = "" if name == "float32" else f"{changed:9.2%}{error:8.3f}{ratio:7.2f}"
            print(f"{path.name:24}{name:9}{score['overall_accuracy']:9.4f}"
                  f"{score['macro_f1']:9.4f}{lost}")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--model", type=Path, nargs="+", help="fine-tuned models")
    parser.add_argument("--samples", type=Path, help="the store whose test split they predict")
    options = parser.parse_args()
    if (options.model is None) != (options.samples is None):
        parser.error("--model and --samples go together")
    if options.model:
        loss_of_few_bits(options.model, options.samples)
    else:
        main(options.quick)
