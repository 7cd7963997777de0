"""The recipe "A source" of docs/extending.md, carried out: one module and its section."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import recipes
from sitsformer import artefacts, cube
from sitsformer.config import parse
from sitsformer.paths import Paths

CONFIG = {
    "areas": {
        "here": {
            "source": "flat",
            "bounds": [8.60, 49.90, 8.63, 49.92],
            "start": "2021-03-01",
            "end": "2021-10-31",
            "tiles": {"size": 240, "count": 1},
        }
    },
    "sets": {"landcover": {"areas": ["here"], "label": "worldcover"}},
    "pretrain": {"set": "landcover"},
    "fewshot": {"set": "landcover"},
    "flat": {"level": 0.3},
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package with the source in it."""
    package = recipes.copy(tmp_path)
    module, section, key = recipes.blocks("A source")
    (package / "imagery" / "flat.py").write_text(module)
    recipes.insert(package / "config" / "areas.py", "class Area(", f"{section}\n\n")
    root = package / "config" / "root.py"
    recipes.insert(
        root, "from sitsformer.config.base import", "from sitsformer.config.areas import Flat\n"
    )
    recipes.insert(
        root, "    earthengine: EarthEngine =", f"{key.rstrip()}\n".replace("flat", "    flat", 1)
    )
    return package


def command(package: Path, *words: object, **config: object) -> subprocess.CompletedProcess[str]:
    folder = package.parents[1]
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(CONFIG | config))
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    before, after = words[: words.index("...")], words[words.index("...") + 1 :]
    return subprocess.run(
        [sys.executable, "-m", "sitsformer", *map(str, (*before, path, *after))],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def tile() -> str:
    """Name of the tile, which no source has a part in."""
    area = {**CONFIG["areas"]["here"], "source": "synthetic"}
    known = {key: value for key, value in CONFIG.items() if key != "flat"}
    return Paths(parse({**known, "areas": {"here": area}})).tiles("here")[0].name


def test_a_cube_of_the_source(package: Path, tmp_path: Path) -> None:
    out = tmp_path / "cube.zarr"
    done = command(package, "cube", "--config", "...", "here", tile(), out)
    assert done.returncode == 0, done.stderr
    found = cube.open_cube(out)
    assert (found.reflectance == 3000).all() and (found.worldcover == 40).all()
    assert found.sizes["time"] == 25
    # What decides the cube is recorded with it.
    assert artefacts.read(out)["config"]["flat"] == {"level": 0.3}


def test_the_config_knows_the_source_and_its_section(package: Path) -> None:
    done = command(package, "config", "check", "...")
    assert done.returncode == 0, done.stderr
    assert "1 cube, " in done.stdout
    done = command(package, "config", "check", "...", flat={"level": 7})
    assert done.returncode == 3 and "flat.level" in done.stderr
    wrong = {"here": {**CONFIG["areas"]["here"], "labels": ["cdl"]}}
    done = command(package, "config", "check", "...", areas=wrong)
    assert "unknown label 'cdl'; this source has ['worldcover']" in done.stderr


def test_a_source_that_does_not_exist_is_answered_with_those_that_do(package: Path) -> None:
    wrong = {"here": {**CONFIG["areas"]["here"], "source": "flatt"}}
    done = command(package, "config", "check", "...", areas=wrong)
    assert done.returncode == 3
    assert "areas.here.source: unknown source 'flatt'; known are" in done.stderr
    assert "did you mean 'flat'?" in done.stderr


def test_a_module_that_cannot_be_imported_is_named(package: Path) -> None:
    (package / "imagery" / "flat.py").write_text("import nothing_of_this_name\n")
    done = command(package, "config", "check", "...")
    assert done.returncode == 3 and "Traceback" not in done.stderr
    assert "sitsformer.imagery.flat cannot be imported" in done.stderr
