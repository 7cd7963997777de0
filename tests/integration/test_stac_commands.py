"""`source: stac` on the command line: signatures, doctor, plan, labels on servers, refusals."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

import stac_world
from sitsformer import cube
from sitsformer.grid import Tile
from stac_world import BOUNDS, COLLECTION, Catalogue, Server

pytestmark = pytest.mark.usefixtures("warmed")

KEY = "sig=do-not-tell"


@pytest.fixture(scope="module")
def truth() -> tuple[Tile, xr.Dataset]:
    return stac_world.truth()


@pytest.fixture(scope="module")
def catalogue(
    truth: tuple[Tile, xr.Dataset], tmp_path_factory: pytest.TempPathFactory
) -> Catalogue:
    """Two acquisitions of the tile and a label raster."""
    tile, dataset = truth
    made = Catalogue(tmp_path_factory.mktemp("catalogue"))
    for i in range(2):
        stored, clear = dataset.reflectance.values[i], dataset.clear.values[i]
        made.add(stored, clear, dataset.time.values[i], tile)
    stac_world.write(made.folder / "labels.tif", dataset.cdl.values, tile.epsg, tile.transform)
    made.save()
    return made


def config(folder: Path, **stac: object) -> Path:
    """A whole config around one `stac` area."""
    section = {"collection": COLLECTION, "cache": str(folder / "cache"), "attempts": 2, **stac}
    farm = {
        "source": "stac",
        "bounds": list(BOUNDS),
        **stac_world.SEASON,
        "tiles": {"size": 48},
        "stac": section,
    }
    values = {
        "areas": {"farm": farm},
        "sets": {"one": {"areas": ["farm"], "label": "crops", "split": {"block": 120}}},
        "pretrain": {"set": "one"},
        "fewshot": {"set": "one"},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def sitsformer(*arguments: object, status: int = 0, **environment: str) -> str:
    """What a command says, stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "sitsformer", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def labels(url: str) -> dict[str, object]:
    return {"crops": {"path": f"{url}/labels.tif", "legend": "cdl"}}


def test_signed_files_are_read_and_no_signature_is_ever_written(
    truth: tuple[Tile, xr.Dataset], catalogue: Catalogue, tmp_path: Path
) -> None:
    with Server(catalogue) as server:
        server.key = KEY
        path = config(tmp_path, url=f"{server.url}/api", labels=labels(server.url))
        own = yaml.safe_load(path.read_text())
        own["areas"]["farm"]["stac"]["labels"]["crops"]["path"] = str(
            catalogue.folder / "labels.tif"
        )
        path.write_text(yaml.safe_dump(own))
        arguments = ("cube", "--config", path, "farm", truth[0].name, tmp_path / "cube.zarr")
        refused = sitsformer(*arguments, status=3)
        assert "may not be read as it is listed (status 403)" in refused
        assert "sign: planetary_computer" in refused
        own["areas"]["farm"]["stac"]["sign"] = "planetary_computer"
        path.write_text(yaml.safe_dump(own))
        said = sitsformer(*arguments, VSICURL_PC_SAS_TOKEN_URL=f"{server.url}/token/")
        server.faults[".tif"] += [500] * 99
        broken = sitsformer(
            *arguments[:-1],
            tmp_path / "other.zarr",
            status=1,
            VSICURL_PC_SAS_TOKEN_URL=f"{server.url}/token/",
        )
    found = cube.open_cube(tmp_path / "cube.zarr")
    np.testing.assert_array_equal(found.reflectance, truth[1].reflectance[:2])
    assert KEY not in said + broken
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes(), file


def test_labels_on_a_server_are_read_where_they_are(
    truth: tuple[Tile, xr.Dataset], catalogue: Catalogue, tmp_path: Path
) -> None:
    with Server(catalogue) as server:
        path = config(tmp_path, url=f"{server.url}/catalog.json", labels=labels(server.url))
        assert "error" not in sitsformer("config", "check", path)
        server.faults["labels.tif"] += [503]
        out = tmp_path / "cube.zarr"
        sitsformer("cube", "--config", path, "farm", truth[0].name, out)
        np.testing.assert_array_equal(cube.open_cube(out).crops, truth[1].cdl)
        server.faults["labels.tif"] += [503] * 99
        again = ("cube", "--config", path, "farm", truth[0].name, tmp_path / "other.zarr")
        said = sitsformer(*again, status=1)
    assert f"stac.labels.crops.path: the server of {server.url}/labels.tif does not answer" in said


def test_doctor_and_plan_say_what_there_is(
    truth: tuple[Tile, xr.Dataset], catalogue: Catalogue, tmp_path: Path
) -> None:
    with Server(catalogue) as server:
        path = config(tmp_path, url=f"{server.url}/api", labels=labels(server.url))
        said = sitsformer("doctor", path)
        assert f"ok    farm: items   2 items in 2 dates, tile {truth[0].name}" in said
        assert "ok    farm: pixels  read from S2A_T15TVJ" in said and "Everything answers." in said
        assert "Earth Engine" not in said
    # The list is there: nobody is asked.
    said = sitsformer("plan", "--stac", path)
    assert f"farm {truth[0].name}: 2 items in 2 dates (as listed before)" in said
    assert "parts of 22 files" in said
    said = sitsformer("doctor", path, status=1)
    assert "FAIL  farm: items" in said and "gives no answer after 2 tries" in said
    assert "what images come from does not answer fully: farm: items" in said


def test_a_config_is_checked_without_a_server(tmp_path: Path) -> None:
    path = config(tmp_path, url="https://stac.invalid/v1", labels=labels("https://stac.invalid"))
    assert "error" not in sitsformer("config", "check", path)
    path = config(tmp_path, url=str(tmp_path / "nowhere.json"), labels=labels("https://a.invalid"))
    said = sitsformer("config", "check", path, status=3)
    assert "areas.farm.stac.url" in said and "nowhere.json does not exist" in said
    own = {"crops": {"path": str(tmp_path / "none.tif"), "legend": "cdl"}}
    path = config(tmp_path, url="https://stac.invalid/v1", labels=own)
    said = sitsformer("config", "check", path, status=3)
    assert "areas.farm.stac.labels.crops.path" in said
