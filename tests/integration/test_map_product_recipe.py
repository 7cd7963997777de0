"""The recipe "A map product" of docs/extending.md, carried out: one module."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml

import made_run
import recipes
from sitsformer import cube
from sitsformer.config import parse

PICTURE = """
from sitsformer.mapproducts.product import AreaProduct


def _make(mapped):
    import io

    from matplotlib.figure import Figure

    drawn = io.BytesIO()
    Figure().savefig(drawn, format="png")
    return drawn.getvalue()


PRODUCT = AreaProduct(
    name="blank", title="nothing", ending="_blank.png", kind="picture", make=_make
)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the product in it, and a run that was made with the package."""
    folder = tmp_path_factory.mktemp("recipe")
    package = recipes.copy(folder)
    (module,) = recipes.blocks("A map product")
    (package / "mapproducts" / "seen.py").write_text(module)
    (package / "mapproducts" / "blank.py").write_text(PICTURE)
    made_run.make(folder)
    return folder


def command(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    return subprocess.run(
        [sys.executable, "-m", "sitsformer", *map(str, words)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_product_is_made_listed_and_checked(run: Path) -> None:
    results = run / "results"
    store, tile = results / "patches" / "crops.zarr", next(results.glob("cubes/*/*.zarr"))
    tif = next(results.glob("maps/*/tiles/*_confidence.tif")).parent / f"{tile.stem}.tif"
    area = tif.parents[1] / "county.tif"
    models = [results / "models" / name for name in ("ssl-p0", "dual-p0")]
    report = (
        "report", "--config", run / "config.yaml", "--tables", results / "tables", "--figures",
        run / "figures", "--out", run / "new.html", *area.parent.glob("*.tif"), tile, store,
        *models,
    )  # fmt: skip
    # A map of before has no such file.
    done = command(run, *report)
    assert done.returncode == 3 and "_seen.tif is missing" in done.stderr

    options = ("--config", run / "config.yaml", "--model", results / "models" / "crop")
    done = command(run, "map", *options, "--cube", tile, "--out", tif)
    assert done.returncode == 0, done.stderr
    done = command(run, "mosaic", *options, "--samples", store, "--out", area, tif)
    assert done.returncode == 0, done.stderr
    dates = area.with_name("county_seen.tif")
    found = cube.open_cube(tile)
    score = found.clear.values
    with rasterio.open(dates) as source:
        np.testing.assert_array_equal(source.read(1), ((score >= 60) & (score <= 100)).sum(0))
        assert source.transform == cube.tile_of(found).transform

    done = command(run, *report)
    assert done.returncode == 0, done.stderr
    page = (run / "new.html").read_text()
    assert dates.name in page and "number of clear dates of the pixel" in page
    assert page.count('<img src="data:image/png') == 2

    done = command(run, "check", area.parent)
    assert done.returncode == 0 and f"{dates}: map, whole" in done.stdout
    content = dates.read_bytes()
    dates.write_bytes(content[:-1])
    assert command(run, "check", area.parent).returncode == 3
    dates.write_bytes(content)


def test_two_products_of_one_file_are_refused(run: Path) -> None:
    other = run / "src" / "sitsformer" / "mapproducts" / "other.py"
    module = (other.parent / "seen.py").read_text()
    other.write_text(module.replace('name="seen"', 'name="days"'))
    done = command(run, "check", run / "results" / "maps")
    other.unlink()
    assert done.returncode == 3 and "Traceback" not in done.stderr
    assert "'days' and 'seen' would be one file, _seen.tif" in done.stderr


def test_the_workflow_makes_it(run: Path, tmp_path: Path) -> None:
    values = yaml.safe_load((recipes.ROOT / "tests" / "integration" / "tiny.yaml").read_text())
    code = (
        "import sys, yaml; from sitsformer.config import parse; from sitsformer.paths import Paths;"
        "print(*Paths(parse(yaml.safe_load(sys.stdin))).maps(), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=yaml.safe_dump(values), env={**os.environ, "PYTHONPATH": str(run / "src")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    mapped = parse(values).maps.tiles
    assert done.stdout.count("_seen.tif") == done.stdout.count("_confidence.tif") >= len(mapped)
    wanted = [path for path in done.stdout.split() if path.endswith(("_seen.tif", "_blank.png"))]
    assert {path[-9:] for path in wanted} == {"_seen.tif", "blank.png"}
    planned = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1"),
            *("--snakefile", str(recipes.ROOT / "Snakefile")),
            *("--directory", str(tmp_path)),
            *("--configfile", str(recipes.ROOT / "tests" / "integration" / "tiny.yaml")),
            *("--", *wanted),
        ],
        env={**os.environ, "PYTHONPATH": str(run / "src")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = planned.stdout + planned.stderr
    assert planned.returncode == 0, said
    assert re.search(r"^map +[1-9]", said, re.MULTILINE), said
