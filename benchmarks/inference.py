"""Predictions a second: ours against the published network, same weights, same samples.

    python benchmarks/inference.py [--quick]

Needs torch and numpy only. Ours starts from stored integers, the reference from normalised floats.
`int8` is dynamic quantisation of the linear layers with torch's own: faster, and not equal; its
largest error in probabilities and its share of changed classes are printed. One CPU thread, CPU
seconds, variants take turns, medians over rounds.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import model_data as data
from sitsformer.model import flops
from sitsformer.model.quantise import quantised

COUNT, CLASSES = 128, 8


def main(quick: bool = False) -> dict[str, dict]:
    torch.set_num_threads(1)
    gemm = data.gemm_rate()
    print(f"float32 matrix products: {gemm / 1e9:.0f} GFLOP/s (1 thread)")
    print(f"{'case':10}{'reference':>12}{'ours':>9}{'ratio':>7}{'of GEMM':>9}{'error':>9}"
          f"{'int8':>9}{'ratio':>7}{'error':>9}{'changed':>9}")  # fmt: skip
    results = {}
    for case in ("T = 24", "T <= 75") if quick else tuple(data.CASES):
        values, doy = data.samples(case, COUNT)
        reference, model = data.networks(classes=CLASSES)
        reference.eval()
        model.eval()
        small = quantised(model)
        x, days = data.padded(values, doy)

        def published(reference=reference, x=x, days=days):
            with torch.inference_mode():
                parts = zip(x.split(32), days.split(32), strict=True)
                return torch.cat([torch.softmax(reference.classify(*p), 1) for p in parts]).numpy()

        def ours(model=model, values=values, doy=doy):
            return model.predict(values, doy, batch_size=64)

        def int8(small=small, values=values, doy=doy):
            return small.predict(values, doy, batch_size=64)

        expected = published()
        error = float(np.abs(ours() - expected).max())
        assert error < 1e-5, error
        rough = float(np.abs(int8() - expected).max())
        changed = float((int8().argmax(1) != expected.argmax(1)).mean())
        variants = {"reference": published, "ours": ours, "int8": int8}
        seconds = data.interleave(variants, 3 if quick else 9)
        rate = {name: COUNT / float(np.median(s)) for name, s in seconds.items()}
        ratios = {n: data.median_ratio(seconds, "reference", n) for n in ("ours", "int8")}
        work = flops(model.architecture, (doy > 0).sum(1).astype(np.int64)) / COUNT
        print(f"{case:10}{rate['reference']:12.0f}{rate['ours']:9.0f}{ratios['ours']:7.2f}"
              f"{work * rate['ours'] / gemm:9.0%}{error:9.0e}{rate['int8']:9.0f}"
              f"{ratios['int8']:7.2f}{rough:9.0e}{changed:9.1%}")  # fmt: skip
        for name, note in (("ours", f"equal to {error:.0e}"), ("int8", f"error {rough:.0e}")):
            results[f"prediction, {case}, {name}"] = {
                "value": round(rate[name]),
                "unit": "samples/s, 1 CPU thread",
                "against": f"reference {rate['reference']:.0f}; {note}",
                "ratio": round(ratios[name], 2),
            }
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    main(parser.parse_args().quick)
