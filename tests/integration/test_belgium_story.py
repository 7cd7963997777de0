"""config/examples/belgium.yaml as people run it: real series and parcels to a map, areas, a report.

Where SITSFORMER_BELGIUM names the folder of the Belgian series (docs/rasters.md), else skipped. The
network learns for two epochs: that it works from end to end is looked at, not how well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import yaml
from matplotlib.image import imread
from rio_cogeo.cogeo import cog_validate

import gdal

ROOT = Path(__file__).parents[2]
AREA = Path("results") / "maps" / "belgium_2018"
CROPS = {1200: "maize", 9120: "permanent grass", 7900: "other leguminous"}
COLOURS = {"maize": "#ffd300", "permanent grass": "#4fb04f", "other leguminous": "#267000"}
SMALL = {
    "results": "results",
    "pretrain": {"objectives": ["dual"], "epochs": 2},
    "fewshot": {
        "shots": [5], "seeds": 2, "inits": ["dual"], "controls": [],
        "baselines": ["random_forest"],
    },
    "maps": {"shots": 5},
}  # fmt: skip

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.long,
    pytest.mark.skipif(
        "SITSFORMER_BELGIUM" not in os.environ,
        reason="set SITSFORMER_BELGIUM to the folder of the Belgian series",
    ),
]


@pytest.fixture(scope="module")
def labels() -> Path:
    return Path(os.environ["SITSFORMER_BELGIUM"]).absolute() / "labels_landcover_croptype.tif"


def command(folder: Path, *words: object) -> str:
    place = {"SITSFORMER_BELGIUM": str(Path(os.environ["SITSFORMER_BELGIUM"]).absolute())}
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=folder, text=True, capture_output=True,
        env=os.environ | place | {"SITSFORMER_PARCELS": str(folder / "made")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, labels: Path) -> Path:
    """A folder with the finished run."""
    folder = tmp_path_factory.mktemp("belgium")
    (folder / "config").symlink_to(ROOT / "config")  # paths of the example begin there
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    command(folder, ROOT / "scripts" / "belgium_parcels.py", labels, "made")
    command(
        folder, "-m", "snakemake", "--cores", "2", "--snakefile", ROOT / "Snakefile",
        "--configfile", "config/examples/belgium.yaml", "small.yaml",
    )  # fmt: skip
    return folder


def on_labels(area: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Codes of an area's map and of the register where both have one of the three crops."""
    raster = area / f"{area.name}.tif"
    with rasterio.open(raster) as source, rasterio.open(labels) as known:
        window = rasterio.windows.from_bounds(*known.bounds, source.transform)
        mapped, truth = source.read(1, window=window), known.read(2)
    both = np.isin(truth, list(CROPS)) & (mapped != 0)
    return np.where(both, mapped, 0), np.where(both, truth, 0)


def test_the_map_tells_the_fields_apart(story: Path, labels: Path) -> None:
    raster = story / AREA / "belgium_2018.tif"
    names = gdal.categories(raster)
    assert {code: names[code] for code in CROPS} == CROPS
    assert cog_validate(raster)[0]
    mapped, truth = on_labels(story / AREA, labels)
    assert (truth > 0).sum() > 2000
    assert (mapped == truth)[truth > 0].mean() > 0.7
    fields = geopandas.read_file(story / AREA / "belgium_2018_fields.gpkg")
    known = fields[fields.code.isin(CROPS) & (fields.map_code > 0)]
    assert len(known) >= 10 and (known.map_share > 0.3).all()
    assert (known.code == known.map_code).mean() > 0.4


def test_areas_are_counted_and_say_what_they_rest_on(story: Path) -> None:
    table = pd.read_csv(story / AREA / "belgium_2018_areas.csv").set_index("class")
    with rasterio.open(story / AREA / "belgium_2018.tif") as source:
        values = source.read(1)
    for code, name in CROPS.items():
        assert table.mapped_ha[name] == pytest.approx((values == code).sum() / 100, rel=1e-5)
    # Fields were chosen for their splits, not drawn: no interval may come of them.
    assert table.basis.iloc[0].startswith("carried over from")
    assert table[["estimated_ha", "low_ha"]].isna().all(axis=None)


def test_the_picture_and_the_page_show_the_map_with_its_colours(story: Path) -> None:
    picture = (255 * imread(story / AREA / "belgium_2018.png")[..., :3]).round().astype(int)
    for name, colour in COLOURS.items():
        rgb = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        seen = (np.abs(picture - rgb) <= 2).all(-1)
        # In the map, in its legend below and in the bars of the areas.
        assert seen[: len(seen) // 2].sum() > 200 and seen[-80:].sum() > 100, name
    page = (story / "results" / "report.html").read_text()
    with rasterio.open(story / AREA / "belgium_2018.tif") as source:
        assert f"Drawn by {source.tags()['LEARNER']}" in page
    assert page.index('<h2 id="maps">') < page.index('<h2 id="claims">')
    assert "belgium_2018_fields.gpkg" in page and "belgium_2018_visits.gpkg" in page


def test_an_independent_sample_assesses_the_map(story: Path, labels: Path) -> None:
    """Of each mapped class 40 pixels at random, of those that the register has."""
    mapped, truth = on_labels(story / AREA, labels)
    row, column = np.nonzero(truth)
    frame = pd.DataFrame({"stratum": mapped[truth > 0], "code": truth[truth > 0]})
    with rasterio.open(labels) as known:
        places = known.transform @ (column + 0.5, row + 0.5)
        points = geopandas.GeoDataFrame(
            frame, geometry=geopandas.points_from_xy(*places), crs=known.crs
        )
    size = points.groupby("stratum").stratum.transform("size")
    drawn = points[size >= 40].groupby("stratum").sample(40, random_state=3)
    drawn.to_file(story / "reference.gpkg")
    command(
        story, "-m", "sitsformer", "assess", AREA / "belgium_2018.tif", "reference.gpkg",
        "--design", "stratified", "--column", "code",
    )  # fmt: skip
    table = pd.read_csv(story / AREA / "belgium_2018_assessed.csv").set_index("class")
    share = table.mapped_ha[list(CROPS.values())] / table.mapped_ha["(all)"]
    right = {name: (truth == mapped)[mapped == code].mean() for code, name in CROPS.items()}
    expected = sum(share[name] * right[name] for name in right)
    found, error = table.users_accuracy["(all)"], table.users_variance["(all)"] ** 0.5
    assert abs(found - expected) < 4 * max(error, 0.01)
    assert (table.low_ha <= table.high_ha)[list(CROPS.values())].all()


def test_the_model_alone_maps_another_season(story: Path, labels: Path) -> None:
    """In a folder beside: autumn to summer, of the same ground, since there is no other."""
    folder = story / "next"
    folder.mkdir()
    given = yaml.safe_load((ROOT / "config" / "examples" / "belgium.yaml").read_text())
    area = given["areas"]["belgium_2018"]
    season = {"start": "2017-10-01", "end": "2018-09-30", "labels": []}
    rasters = {key: value for key, value in area["rasters"].items() if key != "labels"}
    values = {
        "results": "results",
        "areas": {"autumn_2017": area | season | {"rasters": rasters}},
        "patches": given["patches"],
        "maps": {
            "model": "../results/models/crop", "tiles": {"autumn_2017": "all"},
            "parcels": "../made/parcels.gpkg",
        },
    }  # fmt: skip
    (folder / "next.yaml").write_text(yaml.safe_dump(values))
    command(folder, "-m", "sitsformer", "predict", "next.yaml", "--cores", "2")
    mapped, truth = on_labels(folder / "results" / "maps" / "autumn_2017", labels)
    assert (mapped == truth)[truth > 0].mean() > 0.5
    page = (folder / "results" / "report.html").read_text()
    assert "autumn_2017, mapped by a model that was given" in page
    assert "autumn_2017_fields.gpkg" in page and 'id="claims"' not in page
    table = pd.read_csv(folder / "results" / "maps" / "autumn_2017" / "autumn_2017_areas.csv")
    assert table.basis[0].startswith("counted pixels alone") and table.low_ha.isna().all()
