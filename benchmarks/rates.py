"""What a job of each stage takes: CPU seconds and peak memory of the real commands, on one thread.

    python benchmarks/rates.py [STAGE ...]    some minutes for all; prints a line a command

`sitsformer plan` and the rules of the workflow predict from the rates in
`src/sitsformer/costs/rates.py`, which are read off these lines by hand: the difference of two sizes
gives a rate, what is left of the smaller one the fixed part. Repeat it on a machine of yours, and
compare.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

TESTS = Path(__file__).parents[1] / "tests"
LARGE = {"embedding": "conv3d", "hidden": 256, "layers": 3, "heads": 8}
SMALL = {"embedding": "linear", "hidden": 64, "layers": 2, "heads": 4, "norm": "pre"}
NETWORKS = {"small": (SMALL, 3), "large": (LARGE, 5)}
"""Name -> section `model` of the default network and of the demo's; side of the patches."""
BASELINES = (
    "random_forest",
    "gradient_boosting",
    "logistic_regression",
    "nearest_centroid",
    "nearest_neighbour",
    "temporal_cnn",
    "ltae",
)


def measured(what: str, folder: Path, *arguments: object) -> None:
    """Run a command on one thread; print CPU seconds, MB at the peak, what it left on disk."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "SITSFORMER_THREADS"), "1")
    words = [sys.executable, "-m", "sitsformer", *map(str, arguments)]
    start = time.perf_counter()
    process = subprocess.Popen(
        words, env=os.environ | one, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)}\n{said}")
    seconds = used.ru_utime + used.ru_stime
    wall = time.perf_counter() - start
    print(f"{what:<58} {seconds:7.1f} s CPU {wall:7.1f} s {used.ru_maxrss / 1024:7.0f} MB", end="")
    made = [folder / word for word in words if Path(word).name.startswith("out")]
    if made:  # the output is named last, or first among several
        out = made[0] if words[3] == "merge" else made[-1]
        files = [path for path in out.rglob("*") if path.is_file()] or [out]
        size = sum(path.stat().st_size for path in files)
        print(f" {size / 1e6:8.2f} MB on disk, {len(files)} files", end="")
    print(flush=True)


def make_store(path: Path, **settings: int) -> Path:
    """A sample store, made once by a process of its own: a child starts from its parent's peak."""
    if not path.exists():
        made = f"training_data.store(Path({str(path)!r}), **{settings!r})"
        code = f"from pathlib import Path; import training_data; {made}"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=TESTS)
    return path


def config(folder: Path, name: str, **sections: object) -> Path:
    """A config file of one synthetic area whose set is `made`."""
    values: dict[str, object] = {
        "areas": {
            "a": {
                "source": "synthetic",
                "bounds": [-94.9, 43.1, -94.80, 43.2],
                "start": "2021-03-01",
                "end": "2021-10-31",
                "labels": ["worldcover", "cdl"],
            }
        },
        "sets": {"made": {"areas": ["a"], "label": "cdl"}},
        "pretrain": {"set": "made"},
        "fewshot": {"set": "made", "shots": [5]},
    }
    for key, section in sections.items():
        values[key] = {**values.get(key, {}), **section}  # type: ignore[dict-item]
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def _area(side: int) -> dict[str, object]:
    return {
        "a": {
            "source": "synthetic",
            "bounds": [-94.9, 43.1, -94.86, 43.13],
            "start": "2021-03-01",
            "end": "2021-10-31",
            "labels": ["worldcover", "cdl"],
            "tiles": {"size": side},
        }
    }


def cubes(folder: Path) -> None:
    """Cubes of two sizes, samples cut from them, samples merged, maps of them."""
    from sitsformer.config import load
    from sitsformer.grid import tiles

    for side in (126, 252):
        path = config(folder, f"cube{side}", areas=_area(side))
        names = [tile.name for tile in tiles("a", load(path).areas["a"])[:2]]
        out = f"out-{side}.zarr"
        measured(f"cube {side} px, 245 days", folder, "cube", "--config", path, "a", names[0], out)
        for count in (500, 4000):
            path = config(
                folder, f"cut{count}", areas=_area(side), patches={"memory_gb": 0.5},
                sets={"made": {"areas": ["a"], "label": "cdl", "per_tile": count}},
            )  # fmt: skip
            words = ("patches", "--config", path, "made", "a", names[0], f"{folder}/{out}")
            measured(f"patches {side} px, {count} samples", folder, *words, f"out-{side}-{count}")
    measured("cube 252 px", folder, "cube", "--config", path, "a", names[1], "out-2.zarr")
    cut = ("patches", "--config", path, "made", "a", names[1], f"{folder}/out-2.zarr", "out-2-4000")
    measured("patches 252 px, 4000 samples", folder, *cut)
    words = ("merge", "--config", path, "made", "out-merged")
    measured("merge of 8000 samples", folder, *words, "out-252-4000", "out-2-4000")
    measured("merge of 4000 samples", folder, *words[:-1], "out-one", "out-252-4000")
    model = folder / "crop"
    for name, (network, patch) in NETWORKS.items():
        path = config(
            folder, f"map-{name}", areas=_area(126), model=network,
            patches={"size": patch, "max_length": 30},
            fewshot={"set": "made", "shots": [5], "steps": 1},
        )  # fmt: skip
        made = make_store(folder / f"m-{name}.zarr", patch=patch, time=30, count=300)
        words = ("--init", "none", "--shots", 5, "--seeds", 0, "--save-model", f"{model}-{name}")
        measured(
            f"crop model, {name}", folder, "fewshot", "--config", path, "--samples", made, *words
        )
        for side in (126,) if name == "large" else (126, 252):
            words = ("--model", f"{model}-{name}", "--cube", f"out-{side}.zarr")
            out = f"out-map-{side}/classes.tif"
            measured(
                f"map {side} px, {name}", folder, "map", "--config", path, *words, "--out", out
            )


def pretraining(folder: Path) -> None:
    """Pretraining of two networks: number of samples, epochs, batch."""
    for name, (network, patch) in NETWORKS.items():
        many = 1 if name == "large" else 5
        for count, epochs, batch in ((700, 1, 64), (700, 1 + many, 64), (700, 1, 256)):
            made = make_store(folder / f"p-{name}-{count}.zarr", patch=patch, time=50, count=count)
            recipe = {"set": "made", "epochs": epochs, "batch_size": batch}
            path = config(folder, "pretrain", model=network, pretrain=recipe)
            out = f"out-{name}-{count}-{epochs}-{batch}"
            words = ("--samples", made, "--checkpoint", f"check-{out}", "--out", out)
            what = f"pretrain {name}, {count} samples of 50 steps, epochs {epochs}, batch {batch}"
            words = ("--config", path, "--objective", "dual", "--seed", 0, *words)
            measured(what, folder, "pretrain", *words)


def fewshot(folder: Path) -> None:
    """Cells of the sweep: samples of the store, steps, adaptation."""
    for name, (network, patch) in NETWORKS.items():
        few, many, steps = (500, 1000, 9) if name == "large" else (3000, 12000, 101)
        cases = ((few, steps, "full"), (few, steps, "linear"), (many, 1, "probe"))
        for count, steps, adaptation in ((few, 1, "full"), (many, 1, "full"), *cases):
            made = make_store(folder / f"f-{name}-{count}.zarr", patch=patch, time=50, count=count)
            section = {"set": "made", "shots": [100], "steps": steps, "passes": 0}
            path = config(folder, "fewshot", model=network, fewshot=section)
            words = ("--init", "none", "--adaptation", adaptation, "--shots", 100, "--seeds", 0)
            what = f"fewshot {name}, {count} samples of 50 steps, {adaptation}, {steps} steps"
            words = ("--config", path, "--samples", made, *words, "--out", "out.parquet")
            measured(what, folder, "fewshot", *words)


def smoothing(folder: Path) -> None:
    """What the refinement by neighbours adds."""
    for count in (2000, 8000, 16000):
        made = make_store(folder / f"s-{count}.zarr", patch=1, time=20, count=count)
        for refine in ([], ["smoothing"]):
            section = {"set": "made", "shots": [100], "steps": 1, "passes": 0, "refine": refine}
            path = config(folder, "smoothing", model=SMALL, fewshot=section)
            words = ("--config", path, "--samples", made, "--init", "none", "--shots", 20)
            words = (*words, "--adaptation", "probe", "--seeds", 0, "--out", "out.parquet")
            measured(f"fewshot {count} samples, refine {refine}", folder, "fewshot", *words)


def baselines(folder: Path) -> None:
    """Each baseline: samples of the store, shots."""
    for count in (3000, 12000):
        make_store(folder / f"b-{count}.zarr", patch=1, time=50, count=count)
    section = {"set": "made", "shots": [5], "steps": 300, "passes": 0}
    path = config(folder, "baseline", fewshot=section)
    for method in BASELINES:
        for count, shots in ((3000, 5), (3000, 300), (12000, 5)):
            what = f"baseline {method}, {count} samples, {shots} shots"
            words = ("--samples", folder / f"b-{count}.zarr", "--method", method)
            words = (*words, "--shots", shots, "--seeds", 0, "--out", "out.parquet")
            measured(what, folder, "baseline", "--config", path, *words)


def evaluation(folder: Path) -> None:
    """Tables: cells, samples of the test split."""
    import numpy as np

    from sitsformer.fewshot import Cell, Learner, write_cells
    from sitsformer.samples import load_samples

    section = {"set": "made", "shots": [5], "inits": ["none"], "baselines": list(BASELINES)}
    path = config(folder, "evaluate", fewshot=section)
    for count, seeds in ((3000, 2), (3000, 20), (30000, 5), (30000, 20)):
        made = make_store(folder / f"e-{count}-{seeds}.zarr", count=count, time=4)
        samples = load_samples(made)
        test, rng = np.flatnonzero(samples.split == 2), np.random.default_rng(0)
        words = []
        for method in BASELINES:
            cells = [
                Cell(
                    Learner(method), 5, seed, samples.index[test], samples.label[test],
                    rng.dirichlet(np.ones(3), len(test)).astype(np.float32),
                )
                for seed in range(seeds)
            ]  # fmt: skip
            words.append(folder / f"{method}-{count}-{seeds}.parquet")
            write_cells(words[-1], cells, samples.classes)
        what = f"evaluate {len(BASELINES) * seeds} cells of {len(test)} samples"
        out = ("--samples", made, "--out", "out-tables", "--", *words)
        measured(what, folder, "evaluate", "--config", path, *out)


STAGES: dict[str, Callable[[Path], None]] = {
    "cubes": cubes,
    "pretrain": pretraining,
    "fewshot": fewshot,
    "smoothing": smoothing,
    "baselines": baselines,
    "evaluate": evaluation,
}


def main() -> dict[str, dict[str, object]]:
    """Measure the stages that are named, or all; the lines are read by hand."""
    for stage in sys.argv[1:] or STAGES:
        with tempfile.TemporaryDirectory() as folder:
            STAGES[stage](Path(folder))
    return {}


if __name__ == "__main__":
    main()
