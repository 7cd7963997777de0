"""The workflow started and imported in the ways that Snakemake knows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from workflow import ROOT, tiny

from sitsformer.config import parse
from sitsformer.paths import Paths

pytestmark = pytest.mark.long

RULES = {"cube", "patches", "merge", "pretrain", "fewshot", "baseline", "evaluate", "crop_model",
         "map", "mosaic", "report"}  # fmt: skip

ONE = f"""
configfile: "config/config.yaml"


module crops:
    snakefile:
        {str(ROOT / "workflow" / "Snakefile")!r}
    config:
        config


use rule * from crops
"""

TWO = f"""
import yaml

from pathlib import Path


module north:
    snakefile:
        {str(ROOT / "workflow" / "Snakefile")!r}
    config:
        yaml.safe_load(Path("north.yaml").read_text())


use rule * from north as north_*


module south:
    snakefile:
        {str(ROOT / "workflow" / "Snakefile")!r}
    config:
        yaml.safe_load(Path("south.yaml").read_text())
    pathvars:
        results="out/south",


use rule * from south as south_*


rule both:
    default_target: True
    input:
        rules.north_all.input,
        rules.south_all.input,
"""


def snakemake(folder: Path, *options: str) -> str:
    """What a call says that is started in a folder, by people who know nothing of the checkout."""
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *options],
        capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    return said


def jobs(said: str) -> dict[str, int]:
    table = re.search(r"job +count\n-+ +-+\n(.*?)\ntotal", said, re.DOTALL)
    assert table is not None, said
    found = (line.split() for line in table.group(1).splitlines())
    return {name: int(count) for name, count in found}


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    """A folder as snakedeploy leaves it, with a space in its name."""
    folder = tmp_path / "my crops"
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(tiny()))
    (folder / "workflow").mkdir()
    (folder / "workflow" / "Snakefile").write_text(ONE)
    return folder


def test_the_workflow_s_own_file_may_be_the_main_one(deployed: Path) -> None:
    """It reads the config of the folder it works in, or else the demo's."""
    (deployed / "workflow" / "Snakefile").unlink()
    main = ("--snakefile", str(ROOT / "workflow" / "Snakefile"), "--dry-run")
    found = jobs(snakemake(deployed, *main))
    assert set(found) == {*RULES, "all"}
    assert found["cube"] == 4
    found = jobs(snakemake(deployed.parent, *main, "--directory", str(deployed)))
    assert found["cube"] == 4
    found = jobs(snakemake(deployed.parent, *main))
    assert found["cube"] == 12


def test_as_one_module_it_is_the_whole_workflow(deployed: Path) -> None:
    found = jobs(snakemake(deployed, "--dry-run"))
    assert set(found) == {*RULES, "all"}
    assert found["cube"] == 4


def test_two_modules_keep_their_configs_apart(tmp_path: Path) -> None:
    folder = tmp_path / "two of them"
    folder.mkdir()
    (folder / "Snakefile").write_text(TWO)
    north, south = tiny(synthetic={"seed": 3}), tiny(synthetic={"seed": 4})
    (folder / "north.yaml").write_text(yaml.safe_dump(north))
    (folder / "south.yaml").write_text(yaml.safe_dump(south))
    found = jobs(snakemake(folder, "--dry-run"))
    assert set(found) == {
        "both",
        *(f"{name}_{rule}" for name in ("north", "south") for rule in RULES),
    }
    assert set(found.values()) == {1, 2, 4}
    cubes = {
        "north": Paths(parse(north)).cubes("landcover")[0],
        "south": Paths(parse(south | {"results": "out/south"})).cubes("landcover")[0],
    }
    snakemake(folder, "--printshellcmds", "--", *cubes.values())
    seeds = {
        name: json.loads((folder / path / "provenance.json").read_text())["seed"]
        for name, path in cubes.items()
    }
    assert seeds == {"north": 3, "south": 4}


def test_the_folder_of_results_may_be_a_pathvar(deployed: Path) -> None:
    path = deployed / "workflow" / "Snakefile"
    path.write_text(
        ONE.replace("    config:\n", '    pathvars:\n        results="there",\n    config:\n')
    )
    store = Paths(parse(tiny(results="there"))).samples("crops")
    assert jobs(snakemake(deployed, "--dry-run", "--", store))["merge"] == 1


def test_a_module_s_config_is_checked_too(deployed: Path) -> None:
    (deployed / "config" / "config.yaml").write_text(yaml.safe_dump(tiny(patches__size=4)))
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run"],
        capture_output=True, text=True, check=False, cwd=deployed,
    )  # fmt: skip
    assert result.returncode != 0
    assert "patches.size: Input should be 1, 3, 5, 7 or 9" in result.stdout + result.stderr
