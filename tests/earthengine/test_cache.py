"""Finished requests on disk: kept, found again, trimmed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from earthengine import fixtures
from earthengine.fixtures import in_place, only_tile
from sitsformer.imagery.earthengine import cache as caches


def test_a_group_keeps_requests_and_listing(tmp_path: Path) -> None:
    chosen = in_place(fixtures.OVERLAP)
    group = caches.open_group(tmp_path, "here", chosen, only_tile(chosen))
    assert not group.has("a")
    group.save("a", np.arange(6, dtype="u2").reshape(1, 2, 3))
    again = caches.open_group(tmp_path, "here", chosen, only_tile(chosen))
    assert again.path == group.path
    assert again.load("a").tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert again.load_listing() is None
    group.save_listing({"x": 1})
    assert again.load_listing() == {"x": 1}
    old = time.time() - 8 * 86_400
    os.utime(group.path / "listing.json", (old, old))
    assert again.load_listing() is None
    other = in_place(fixtures.OVERLAP, labels=("cdl",))
    assert caches.open_group(tmp_path, "here", other, only_tile(other)).path != group.path


def test_the_cache_is_kept_under_its_size_but_not_under_running_exports(tmp_path: Path) -> None:
    held = caches.TileCache(tmp_path / "held")
    held.save("a", np.zeros((1, 100, 100), "u2"))
    export = (
        "import sys, numpy, pathlib; from sitsformer.imagery.earthengine import cache\n"
        "for name in sys.argv[1:]:\n"
        "    cache.TileCache(pathlib.Path(name)).save('a', numpy.zeros((1, 100, 100), 'u2'))"
    )
    ended = [tmp_path / "old", tmp_path / "new"]
    subprocess.run([sys.executable, "-c", export, *map(str, ended)], check=True)
    for number, folder in enumerate(ended):
        os.utime(folder / "lock", (number, number))
    assert [entry.name for entry in caches.entries(tmp_path)] == ["old", "new", "held"]
    assert caches.trim(tmp_path, 45_000) > 20_000
    assert [entry.name for entry in caches.entries(tmp_path)] == ["new", "held"]
    caches.trim(tmp_path, -1)
    assert [entry.name for entry in caches.entries(tmp_path)] == ["held"]
    assert held.load("a").shape == (1, 100, 100)
