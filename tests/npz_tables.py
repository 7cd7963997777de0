"""Tables of pixel series in .npz files, as people have them, and what becomes of one."""

import numpy as np

from sitsformer.convert.table import table
from sitsformer.samples import load_samples


def write_table(path, samples=60, **changes):
    rng = np.random.default_rng(0)
    valid = (rng.random((samples, 6)) < 0.8).astype(np.uint8)
    valid[3] = 0
    values = rng.integers(100, 9000, (samples, 6, 10)).astype(np.uint16)
    values[valid == 0] = 0
    arrays = {
        "x": values,
        "valid": valid,
        "label": rng.integers(0, 2, samples).astype(np.uint8),
        "label_names": np.array(["a", "b"]),
        "lon": rng.uniform(-121, -118, samples),
        "lat": rng.uniform(36, 39, samples),
        "dates": np.array([f"2021-0{m}-11" for m in range(1, 7)]),
    }
    arrays |= changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return arrays


DATES = np.array([f"2021-0{m}-11" for m in range(1, 7)])
DAYS = [11, 42, 70, 101, 131, 162]


def whole(samples=40):
    """A table without gaps: reflectance x 10,000 (sample, time, band)."""
    return np.random.default_rng(5).integers(300, 4200, (samples, 6, 10))


def convert(tmp_path, values, **changes):
    """Convert a table of `values`; the samples that a reader of the store sees."""
    changes = {"valid": None, "label": np.arange(len(values)) % 2} | changes
    options = changes.pop("options", {})
    write_table(tmp_path / "t.npz", samples=len(values), x=values, **changes)
    table(tmp_path / "t.npz", tmp_path / "t.zarr", **options)
    return load_samples(tmp_path / "t.zarr")
