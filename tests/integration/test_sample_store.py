"""Cubes to samples against a plain loop over pixels; then the set, its splits, and damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cubes import make_config, make_cube, tiles
from plain_thinning import plain_thin
from sample_world import trace_ok
from sitsformer import artefacts, cube
from sitsformer.config import Config
from sitsformer.patches import make_tile_store
from sitsformer.samples import UNASSIGNED, load_samples, open_samples

SHIPPED = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)
"""Codes of ESA WorldCover in the order of its classes."""


def plain_samples(config: Config, path: Path) -> tuple[dict, dict]:
    """Samples by (row, column), and dropped pixels by reason, from one pixel at a time."""
    chosen, settings = config.sets["land"], config.patches
    source = cube.open_cube(path).load()
    tile = cube.tile_of(source)
    values, score = source.reflectance.values, source.clear.values
    codes, confidence = source.worldcover.values, source.cdl_confidence.values
    classes = list(chosen.classes.values()) if chosen.classes else [(code,) for code in SHIPPED]
    days = [np.datetime64(time, "D") for time in source.time.values]
    half, window, n = settings.size // 2, chosen.purity // 2, tile.size
    kept: dict = {}
    dropped: dict = {}

    def class_of(i: int, j: int) -> int:
        return next((k for k, some in enumerate(classes) if codes[i, j] in some), -1)

    def reason(i: int, j: int) -> str | None:
        label = class_of(i, j)
        if label < 0 and chosen.unlabelled == "drop":
            return "unlabelled" if codes[i, j] == 0 else "other_class"
        if min(i, j) < half or max(i, j) >= n - half:
            return "edge"
        if chosen.split.by == "block":
            side = chosen.split.block
            corners = {
                ((tile.x[j] + 10 * dj) // side, (tile.y[i] + 10 * di) // side)
                for di in (-half, half)
                for dj in (-half, half)
            }
            if len(corners) > 1:
                return "split"
        if label >= 0 and chosen.purity > 1:
            if min(i, j) < window or max(i, j) >= n - window:
                return "purity"
            around = {
                class_of(a, b)
                for a in range(i - window, i + window + 1)
                for b in range(j - window, j + window + 1)
            }
            if len(around) > 1:
                return "purity"
        if label >= 0 and chosen.confidence > 0:
            sure = int(confidence[i, j])
            if sure == 255 or sure < chosen.confidence:
                return "confidence"
        return None

    def clear(t: int, i: int, j: int) -> bool:
        around = score[t, i - half : i + half + 1, j - half : j + half + 1].ravel().tolist()
        good = sum(s != 255 and s >= settings.clear_score for s in around)
        return good >= settings.clear_share * len(around) - 1e-9

    for i in range(n):
        for j in range(n):
            why = reason(i, j)
            inside = half <= i < n - half and half <= j < n - half
            dates = [inside and clear(t, i, j) for t in range(len(days))]
            if why is None and sum(dates) < settings.min_dates:
                why = "cloud"
            if why is None:
                x, y = int(tile.x[j] // 1), int(tile.y[i] // 1)
                chosen_dates = plain_thin(dates, settings.max_length, tile.epsg, x, y)
                patch = values[:, :, i - half : i + half + 1, j - half : j + half + 1]
                steps = [t for t in chosen_dates if t >= 0 and (patch[t] != 65535).all()]
                if len(steps) < settings.min_dates:
                    why = "missing"
            if why is not None:
                dropped[why] = dropped.get(why, 0) + 1
                continue
            kept[i, j] = (
                class_of(i, j),
                [days[t] for t in steps],
                patch[steps],
            )
    return kept, dropped


CASES = {
    "one pixel": ({}, {"size": 1}),
    "five, part clear": ({"purity": 3}, {"size": 5, "clear_share": 0.8}),
    "nine": ({"split": {"block": 150.0}}, {"size": 9, "clear_share": 0.5, "min_dates": 1}),
    "unlabelled kept": ({"unlabelled": "keep", "purity": 5}, {"size": 3, "max_length": 4}),
    "confidence": ({"confidence": 40, "classes": {"green": [10, 30], "farm": [40]}}, {"size": 3}),
    "strict": ({"purity": 7}, {"size": 3, "clear_score": 61, "min_dates": 6}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_sample_equals_a_plain_loop(tmp_path, case):
    chosen, patches = CASES[case]
    config = make_config(chosen=chosen, patches=patches)
    tile = tiles(config)[0]
    parcel = 9 if "purity" in chosen else 5
    path = make_cube(tmp_path / "c.zarr", tile, missing=0.002, parcel=parcel)
    manifest = make_tile_store(config, "land", "farm", tile.name, path, tmp_path / "s.zarr")
    expected, dropped = plain_samples(config, path)
    found, dataset = load_samples(tmp_path / "s.zarr"), open_samples(tmp_path / "s.zarr")
    assert len(expected) > 20
    assert {name: sum(counts.values()) for name, counts in manifest["dropped"].items()} == dropped
    assert sum(manifest["kept"].values()) == len(found) == len(expected)
    rows = np.searchsorted(-tile.y, -dataset.y.values)
    columns = np.searchsorted(tile.x, dataset.x.values)
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == set(expected)
    for position, place in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        label, days, patch = expected[place]
        steps = len(days)
        assert found.label[position] == label
        assert (found.reflectance[position, :steps] == patch).all()
        assert (found.reflectance[position, steps:] == 65535).all()
        doy = [(day - np.datetime64(day, "Y")).astype(int) + 1 for day in days]
        assert found.doy[position].tolist() == doy + [0] * (len(found.doy[position]) - steps)
        stored = dataset.date.values[position]
        assert stored[:steps].astype("datetime64[D]").tolist() == [day.item() for day in days]
        assert (stored[steps:] == -1).all()
    assert (dataset.split.values == UNASSIGNED).all()
    # Across New Year the days of the year fall, the dates do not.
    falls = [(np.diff(doy[doy > 0]) < 0).any() for doy in found.doy]
    assert any(falls)


def test_memory_and_chunks_do_not_change_a_byte(tmp_path):
    chosen = {"per_tile": 300, "split": {"block": 600.0}}
    digests = []
    for memory in (1.0, 1e-3, 1e-5):
        config = make_config(252, chosen=chosen, patches={"memory_gb": memory})
        tile = tiles(config)[0]
        path = tmp_path / "c.zarr"
        if not path.exists():
            make_cube(path, tile, dates=14)
        out = tmp_path / f"{memory}.zarr"
        make_tile_store(config, "land", "farm", tile.name, path, out)
        digests.append(artefacts.digest(out))
    assert len(set(digests)) == 1
    # With four chunks side by side, some patches lie in two or four of them.
    rows = open_samples(out)
    near = (np.abs((rows.x.values - tile.west) / 10 - 126) < 2).sum()
    assert near > 0
    for index in range(0, 300, 29):
        assert trace_ok(out, index, tmp_path, path)


def test_a_dask_cluster_gives_the_same_bytes(tmp_path):
    from distributed import LocalCluster

    chosen = {"per_tile": 200, "split": {"block": 600.0}}
    config = make_config(252, chosen=chosen)
    tile = tiles(config)[0]
    path = make_cube(tmp_path / "c.zarr", tile, dates=8)
    make_tile_store(config, "land", "farm", tile.name, path, tmp_path / "threads.zarr")
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        config = make_config(252, chosen=chosen, patches={"scheduler": cluster.scheduler_address})
        make_tile_store(config, "land", "farm", tile.name, path, tmp_path / "cluster.zarr")
    digests = {artefacts.digest(tmp_path / f"{name}.zarr") for name in ("threads", "cluster")}
    assert len(digests) == 1
