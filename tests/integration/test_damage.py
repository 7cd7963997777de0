"""Every file of every kind of artefact, damaged in every way: refused, or as if it were whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import training_data
from cubes import make_config, make_cube, tiles
from made_run import make_model
from sitsformer import artefacts, fewshot, maps
from sitsformer.artefacts import record as records
from sitsformer.classes import Classes
from sitsformer.commands.baseline import baseline
from sitsformer.commands.check import check
from sitsformer.config import Config
from sitsformer.errors import REFUSED, SitsError
from sitsformer.evaluation import tables
from sitsformer.modelstore import load_model, read_history
from sitsformer.patches import make_tile_store
from sitsformer.patches.merge import merge
from sitsformer.samples import load_samples, open_samples, read_manifest

pytestmark = pytest.mark.long

Outcome = dict[str, bytes]


def files_of(path: Path) -> Outcome:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*"))
            if p.is_file()}  # fmt: skip


def flipped(data: bytes, place: int) -> bytes:
    altered = bytearray(data)
    altered[place] ^= 1 << place % 8
    return bytes(altered)


def damages(path: Path, other: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Ways in which a file may be damaged: its new content, None for no file."""
    data = path.read_bytes()
    yield "deleted", None
    yield "emptied", b""
    yield "truncated", data[: len(data) * 2 // 3]
    yield "another's", other
    yield "longer", data + b"\0"
    for share in (0.0, 0.1, 0.37, 0.5, 0.81, 1.0):
        yield f"flipped at {share:.0%}", flipped(data, int(share * (len(data) - 1)))


def silent_uses(folder: Path, use: Callable[[], Outcome]) -> list[str]:
    """Damages that gave another outcome without a word; and `check` must tell of every one."""
    expected, whole = use(), files_of(folder)
    names, silent = sorted(whole), []
    for name in names:
        path, good = folder / name, whole[name]
        rest = [other for other in names if other != name and whole[other] != good]
        of_array = [other for other in rest if other.split("/")[0] == name.split("/")[0]]
        other = whole[(of_array or rest)[0]] if rest else b"another file"
        for how, content in damages(path, other):
            if content == good:
                continue
            path.unlink() if content is None else path.write_bytes(content)
            try:
                same = use() == expected
            except SitsError as error:
                assert error.exit_status == REFUSED
                same = True
            if not same:
                silent.append(f"{name} {how}")
            found = CliRunner().invoke(check, [str(folder)])
            if name.startswith(artefacts.LEDGER) and content is None:
                assert "no record" in found.output  # nothing is known of the file, and it is said
            elif not isinstance(found.exception, SitsError):
                silent.append(f"{name} {how}: check says {found.output} {found.exception!r}")
            path.write_bytes(good)
    assert use() == expected
    assert CliRunner().invoke(check, [str(folder)]).exit_code == 0
    return silent


@pytest.fixture
def small(request, monkeypatch) -> None:
    """Let nearly every file count as large, so that chunks are found by their own checksums."""
    if request.param:
        monkeypatch.setattr(records, "SMALL", 64)
        monkeypatch.setattr(records, "END", 8)


def tiny_config() -> Config:
    """One tile of 12 x 12 pixels and four blocks, of one class."""
    chosen = {
        "split": {"block": 60.0, "fractions": [0.5, 0.25, 0.25]},
        "classes": {"land": [10, 20, 30, 40, 50]},
    }
    return make_config(12, patches={"size": 1}, chosen=chosen)


@pytest.mark.parametrize("small", [False, True], indirect=True)
def test_a_cube(tmp_path: Path, small: None) -> None:
    config = tiny_config()
    tile = tiles(config)[0]
    path = make_cube(tmp_path / "c.zarr", tile, dates=14)

    def cut() -> Outcome:
        out = tmp_path / "s.zarr"
        make_tile_store(config, "land", "farm", tile.name, path, out)
        return files_of(out)

    assert silent_uses(path, cut) == []


def test_a_cube_that_is_mapped(tmp_path: Path) -> None:
    config = tiny_config()
    path = make_cube(tmp_path / "c.zarr", tiles(config)[0], dates=14)

    def predict() -> Outcome:
        def model(reflectance: np.ndarray, doy: np.ndarray) -> np.ndarray:
            share = (reflectance.sum((1, 2, 3, 4), dtype=np.int64) + doy.sum(1)) % 101 / 100
            return np.stack([share, 1 - share], 1)

        found = maps.predict(path, config.patches, model, 200)
        return {"classes": found.classes.tobytes(), "confidence": found.confidence.tobytes()}

    assert silent_uses(path, predict) == []


@pytest.mark.parametrize("small", [False, True], indirect=True)
def test_a_tile_store(tmp_path: Path, small: None) -> None:
    config = tiny_config()
    tile = tiles(config)[0]
    cube = make_cube(tmp_path / "c.zarr", tile, dates=14)
    store = tmp_path / "s.zarr"
    make_tile_store(config, "land", "farm", tile.name, cube, store)

    def merged() -> Outcome:
        merge(config, "land", tmp_path / "m.zarr", [store])
        return files_of(tmp_path / "m.zarr")

    assert silent_uses(store, merged) == []


def test_a_sample_store(tmp_path: Path) -> None:
    store = training_data.store(tmp_path / "s.zarr", count=60, time=5)
    config = training_data.config(tmp_path / "c.yaml")
    out = tmp_path / "b.parquet"

    def fit() -> Outcome:
        options = ["--config", config, "--samples", store, "--method", "nearest_centroid",
                   "--shots", "2", "--seeds", "0", "--out", out]  # fmt: skip
        done = CliRunner().invoke(baseline, [str(one) for one in options])
        if done.exception is not None:
            raise done.exception
        return {"cells": out.read_bytes(), "places": open_samples(store).block.values.tobytes(),
                "manifest": str(read_manifest(store)).encode()}  # fmt: skip

    assert silent_uses(store, fit) == []


def test_a_model(tmp_path: Path) -> None:
    make_model(tmp_path / "model", "dual", ("a", "b"))
    values, doy, *_ = training_data.arrays(8, patch=3)

    def predict() -> Outcome:
        model = load_model(tmp_path / "model")
        return {"p": model.predict(values, doy).tobytes(), "c": str(model.class_names).encode(),
                "h": str(read_history(tmp_path / "model")).encode()}  # fmt: skip

    assert silent_uses(tmp_path / "model", predict) == []


def test_cells_and_tables(tmp_path: Path) -> None:
    """Both the file and the record beside it."""
    learner = fewshot.parse_learner("none-full")
    chance = np.random.default_rng(0).dirichlet(np.ones(3), 40).astype(np.float32)
    cell = fewshot.Cell(learner, 5, 0, np.arange(40), np.arange(40) % 3, chance, {"lr": 0.1})
    classes = Classes(("a", "b", "c"), ("#000", "#111", "#222"))
    folder = tmp_path / "cells"
    fewshot.write_cells(folder / "0.parquet", [cell], classes)

    def read() -> Outcome:
        (found,) = fewshot.read_cells(folder / "0.parquet").cells
        about = str((found.learner, found.shots, found.seed, found.choice))
        return {"p": found.probabilities.tobytes(), "sample": found.sample.tobytes(),
                "truth": found.truth.tobytes(), "about": about.encode()}  # fmt: skip

    assert silent_uses(folder, read) == []
    tables.write(tables_frame(), tmp_path / "tables", "summary")
    (tmp_path / "tables" / "summary.csv").unlink()
    shutil.rmtree(tmp_path / "tables" / ".provenance")

    def frame() -> Outcome:
        return {"csv": tables.read(tmp_path / "tables", "summary").to_csv().encode()}

    assert frame() == {"csv": tables_frame().to_csv().encode()}


def tables_frame():
    import pandas as pd

    return pd.DataFrame({"arm": ["a", "b"], "mean": [0.5, 0.25]})


def test_a_checkpoint(tmp_path: Path) -> None:
    import torch

    from sitsformer.training import checkpoint

    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(model.parameters())
    checkpoint.save(tmp_path / "run", model, {}, optimiser, {"epoch": 3})

    def load() -> Outcome:
        found = checkpoint.load(tmp_path / "run")
        if found is None:
            raise SitsError("no checkpoint: training starts afresh")
        state, tensors = found
        return {"state": str(state).encode()} | {
            name: tensor.numpy().tobytes() for name, tensor in tensors.items()
        }

    assert silent_uses(tmp_path / "run", load) == []


def test_foreign_chunks_are_refused_and_foreign_notes_are_not(tmp_path: Path) -> None:
    store = training_data.store(tmp_path / "s.zarr", count=60, time=5)
    (store / ".DS_Store").write_bytes(b"x")
    (store / "notes.txt").write_text("mine")
    assert len(load_samples(store)) == 60
    shutil.copy(store / "label/c/0", store / "label/c/1")
    with pytest.raises(SitsError, match="foreign: label/c/1"):
        load_samples(store)
