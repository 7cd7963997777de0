"""Every code block of the documentation, run as it stands, in a folder with a small made run.

What needs an account, other people's data, an installation or much time is marked in the page, with
its reason. Runs of Snakemake are looked at, not started: their options, configs and targets.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

import docpages
import made_run
import phenology
from docpages import PAGES, ROOT, Block
from sitsformer.cli import contents
from sitsformer.config import Config, parse
from sitsformer.errors import SitsError
from sitsformer.workflowfiles import snakefile

TILES = ("32615_347880_4778700", "32615_345360_4773660")
"""Tiles of the demo that pages name."""

LANGUAGES = {"bash", "python", "yaml", "text", "csv"}
"""`text` and `csv` are what is shown or pasted."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a run in it, as pages have it: small cubes, samples, models, predictions."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "config").symlink_to(ROOT / "config")
    results = folder / "results"
    for tile in TILES:
        made_run.make_cube(results / "cubes" / "county_2021" / f"{tile}.zarr")
    samples = phenology.make(300, side=3, blocks=40)
    phenology.write(results / "patches" / "crops.zarr", samples)
    made_run.make_model(results / "models" / "crop", "classification", phenology.NAMES)
    made_run.make_model(results / "models" / "dual-p0", "dual")
    cells = phenology.cells(samples, {"random_forest": phenology.SKILL["random_forest"]})
    written = phenology.write_cells(results / "fewshot", samples, cells)
    copied = results / "fewshot" / "random_forest" / "10" / "0-4.parquet"
    copied.parent.mkdir(parents=True)
    shutil.copy(sorted(written)[0], copied)
    tile = results / "patches" / "crops" / "county_2021" / f"{TILES[0]}.zarr"
    shutil.copytree(results / "patches" / "crops.zarr", tile)
    made_run.make_tables(folder, results / "patches" / "crops.zarr", written)
    made_run.make_map(folder, "county_2021", TILES[0])
    # What pages call by names of the reader's.
    shutil.copy(ROOT / "config" / "config.yaml", folder / "my.yaml")
    shutil.copy(ROOT / "config" / "examples" / "fields" / "visits.csv", folder / "points.csv")
    shutil.copytree(results / "models" / "crop", folder / "crop")
    shutil.copytree(results / "cubes" / "county_2021" / f"{TILES[0]}.zarr", folder / "tile.zarr")
    return folder


@pytest.fixture
def world(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "sitsformer"
    shutil.copytree(made, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


def with_blocks(language: str) -> list[Path]:
    return [p for p in PAGES if any(b.language == language for b in docpages.run_here(p))]


def test_every_block_says_what_it_is_in() -> None:
    for page in PAGES:
        for block in docpages.blocks(page):
            assert block.language in LANGUAGES, f"{block}: ```{block.language}"
            assert block.mark == "" or len(block.reason) > 10, block
        if page.name != docpages.RECORD:
            plain = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(), flags=re.S | re.M)
            indented = re.findall(r"(?<=\n\n)    (?![-*\d: ]).*", plain)
            in_lists = re.findall(r"^(?:\d+\.|-) ", plain, re.MULTILINE)
            assert in_lists or not indented, f"{page.name}: fence {indented[0]!r}"


@pytest.mark.parametrize("name", sorted({b.reason for p in PAGES for b in docpages.blocks(p)}))
def test_a_test_that_runs_the_same_exists(name: str) -> None:
    for path in re.findall(r"tests/[\w/*]+(?:\.py)?", name):
        assert list(ROOT.glob(path)), path


@pytest.mark.parametrize("page", with_blocks("bash"), ids=lambda page: page.stem)
def test_shell_blocks(page: Path, world: Path) -> None:
    for block in docpages.run_here(page):
        if block.language != "bash":
            continue
        statuses = [run(line, block) for line in block.lines]
        assert any(statuses) == (block.mark == "fails"), f"{block}: {statuses}"


def run(line: str, block: Block) -> int:
    """Run one line of a shell block; its exit status."""
    status = 0
    for part in line.split(" && "):
        words = [word for word in shlex.split(part) if not re.match(r"[A-Z_]+=", word)]
        program, rest = Path(words[0]).name, words[1:]
        if program == "sitsformer":
            found = [str(p) for w in rest for p in (sorted(Path().glob(w)) if "*" in w else [w])]
            done = CliRunner().invoke(contents, found)
            refused = isinstance(done.exception, SitsError) or done.exit_code in (1, 3)
            assert done.exit_code == 0 or refused, f"{block}: {line}: {done.output}"
            if done.exit_code and block.mark != "fails":
                pytest.fail(f"{block}: {line}\n{done.output}\n{done.exception}")
            status |= done.exit_code
        elif program == "snakemake":
            look_at_snakemake(rest, block)
        elif program == "make":
            for target in rest:
                assert re.search(f"^{target}:", (ROOT / "Makefile").read_text(), re.M), block
        elif program == "cd":
            os.chdir(rest[0])
        elif program == "mkdir":
            Path(rest[0]).mkdir()
        elif program == "cp":
            shutil.copy(rest[0], rest[1])
        elif program == "rm" and rest[0] == "-r":
            shutil.rmtree(rest[1])
        else:
            pytest.fail(f"{block}: {program} is not run here: say why above the block")
    return status


def look_at_snakemake(words: list[str], block: Block) -> None:
    """A call of Snakemake: its options exist, and so do configs and profiles of the checkout."""
    from snakemake.cli import get_argument_parser

    asked = get_argument_parser().parse_args(words)
    for path in [*(asked.configfile or []), asked.workflow_profile]:
        if path is not None and str(path).startswith(("config/", "profiles/")):
            assert (ROOT / path).exists(), f"{block}: {path}"
    rules = {
        rule
        for path in (Path(snakefile()).parent / "rules").glob("*.smk")
        for rule in re.findall(r"^ *rule (\w+):", path.read_text(), re.MULTILINE)
    } | set(re.findall(r"^ *rule (\w+):", Path(snakefile()).read_text(), re.MULTILINE))
    named = [*(asked.until or []), *(asked.forcerun or [])]
    named += [target for target in asked.targets if "/" not in str(target)]
    assert set(map(str, named)) <= rules, f"{block}: {named}"


@pytest.mark.parametrize("page", with_blocks("python"), ids=lambda page: page.stem)
def test_python_blocks(page: Path, world: Path) -> None:
    """In the order of the page, with what it leaves to the reader."""
    import xarray as xr

    store = xr.open_zarr("results/patches/crops.zarr")
    names: dict[str, Any] = {
        "__name__": "page",
        "Path": Path,
        "xr": xr,
        "reflectance": store.reflectance[:4].load(),
        "doy": store.doy[:4].load(),
        "encode": lambda samples: np.zeros((len(samples), 3)),
    }
    with plt.rc_context({"backend": "agg"}):
        for block in docpages.run_here(page):
            if block.language == "python":
                exec(compile(block.text, str(block), "exec"), names)
        plt.close("all")


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else value
    return found


@pytest.mark.parametrize("page", with_blocks("yaml"), ids=lambda page: page.stem)
def test_yaml_blocks(page: Path, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole configs are read; parts of one have keys that there are, in sections that take them."""
    for block in docpages.run_here(page):
        if block.language != "yaml":
            continue
        given = yaml.safe_load(block.text)
        if not set(given) <= set(Config.model_fields):
            parent = re.fullmatch(r"(\w+): .*\n?", block.text)
            assert parent is not None, f"{block}: {sorted(set(given) - set(Config.model_fields))}"
            given = {"areas": {"county": {"rasters": given}}}
        whole = "areas" in given and ("sets" in given or "maps" in given)
        try:
            parse(given if whole else merged(made_run.CONFIG, given))
        except SitsError as error:
            assert not whole, f"{block}: {error}"
            assert not re.search("unknown key|no such key", str(error)), error
