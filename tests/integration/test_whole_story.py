"""docs/tutorials/county.md as a user goes through it, from points to the accuracy of a second map.

Points are drawn over the embedded landscape, whose true crops are known; so the second county's
areas can be compared with what grows there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import yaml
from rasterio.features import geometry_mask

from sitsformer.config import Area, Synthetic
from sitsformer.cube import layer_values
from sitsformer.evaluation import areas
from sitsformer.grid import outline, tiles, to_lonlat
from sitsformer.imagery.synthetic.source import SyntheticSource
from sitsformer.legends import load_legend

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("warmed")]

BOUNDS = [-94.900, 43.100, -94.880, 43.112]
NEXT = [-94.960, 43.140, -94.950, 43.148]
AREA: dict[str, Any] = {
    "source": "synthetic", "start": "2021-03-01", "end": "2021-10-31", "labels": ["cdl"],
    "tiles": {"size": 144},
}  # fmt: skip


def command(folder: Path, module: str, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)], cwd=folder, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def truth(bounds: list[float], year: int) -> pd.DataFrame:
    """Crop of every pixel of an area: what the landscape has, without the product's errors."""
    # A few days of the season: what is harvested is the same.
    season = {"start": f"{year}-06-20", "end": f"{year}-07-05"}
    area = Area.model_validate(AREA | season | {"bounds": bounds})
    source = SyntheticSource(Synthetic(label_error=0.0))
    legend = load_legend("cdl")
    names = dict(zip(legend.codes, legend.names, strict=True))
    parts = []
    for tile in tiles("county", area):
        cube = source.cube("county", area, tile)
        codes = layer_values(cube["cdl"])
        x, y = np.meshgrid(cube.x.values, cube.y.values)
        lon, lat = to_lonlat(tile.epsg, x.ravel(), y.ravel())
        parts.append(pd.DataFrame({"lon": lon, "lat": lat, "code": codes.ravel()}))
    found = pd.concat(parts, ignore_index=True)
    found = found[(found.code > 0) & (found.code < 61)]  # crops
    return found.assign(crop=[names[code] for code in found.code])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the finished run of one county."""
    folder = tmp_path_factory.mktemp("story")
    points = truth(BOUNDS, 2021).groupby("crop").filter(lambda part: len(part) > 400)
    drawn = points.groupby("crop").sample(60, random_state=1)
    drawn[["lon", "lat", "crop"]].to_csv(folder / "points.csv", index=False)
    command(
        folder, "sitsformer", "init", "county", f"--area={','.join(map(str, BOUNDS))}",
        "--season", "2021-03-01", "2021-10-31", "--labels", "points.csv", "--source", "synthetic",
    )  # fmt: skip
    config = folder / "county" / "config" / "config.yaml"
    values: dict[str, Any] = yaml.safe_load(config.read_text())
    # The same, in less time: one tile, and the shots that the map is drawn with.
    (area,) = values["areas"].values()
    area["tiles"]["size"] = 180
    values["pretrain"]["epochs"] = 2
    values["fewshot"] |= {"shots": ["all"], "seeds": 2, "seeds_per_job": 2, "inits": ["dual"]}
    values["fewshot"]["baselines"] = ["random_forest"]
    config.write_text(yaml.safe_dump(values))
    command(folder / "county", "snakemake", "--cores", "2")
    return folder


def test_the_county_has_a_map_areas_places_to_visit_and_a_page(story: Path) -> None:
    area = story / "county" / "results" / "maps" / "county_2021"
    with rasterio.open(area / "county_2021.tif") as source:
        tags, mapped = source.tags(), source.read(1)
    assert "validation samples prefer it to" in tags["WHY"]
    with rasterio.open(area / "county_2021.tif") as source:
        inside = geometry_mask(
            [outline("county", Area.model_validate(AREA | {"bounds": BOUNDS}))[1]],
            source.shape, source.transform, invert=True,
        )  # fmt: skip
    assert (mapped[inside] != 0).mean() > 0.3 and (mapped[~inside] == 0).all()
    page = (story / "county" / "results" / "report.html").read_text()
    assert f"Drawn by {tags['LEARNER']}" in page
    table = pd.read_csv(area / "county_2021_areas.csv")
    assert table.basis[0].startswith("carried over") or table.basis[0].startswith("counted")
    assert 1 <= len(geopandas.read_file(area / "county_2021_visits.gpkg")) <= 30


def grown(raster: Path) -> pd.DataFrame:
    """Pixels of the second county's map that grow a crop (`crop`), and what the map has there.

    `stratum` is the map's code, `mapped_as` its name; classes of under 100 pixels are left out.
    """
    real = truth(NEXT, 2022)
    with rasterio.open(raster) as source:
        places = geopandas.points_from_xy(real.lon, real.lat, crs=4326).to_crs(source.crs)
        row = ((source.transform.f - np.asarray(places.y)) // 10).astype(int)
        column = ((np.asarray(places.x) - source.transform.c) // 10).astype(int)
        inside = (row >= 0) & (column >= 0) & (row < source.height) & (column < source.width)
        code = np.zeros(len(real), int)
        code[inside] = source.read(1)[row[inside], column[inside]]
        names = source.tags(1)
    mapped = real[code != 0].assign(stratum=code[code != 0])
    mapped["mapped_as"] = [names[f"CLASS_{value}"] for value in mapped.stratum]
    return mapped[mapped.groupby("stratum").stratum.transform("size") >= 100]


def test_the_model_alone_maps_the_next_county_and_a_sample_corrects_it(story: Path) -> None:
    values = {
        "results": "next",
        "areas": {
            "next_2022": {
                "source": "synthetic", "bounds": NEXT, "start": "2022-03-01",
                "end": "2022-10-31", "labels": ["worldcover"], "tiles": {"size": 90},
            }
        },
        "patches": {"size": 3, "max_length": 50, "min_dates": 6},
        "maps": {
            "model": "county/results/models/crop", "tiles": {"next_2022": "all"},
            "mask": "cropland",
        },
    }  # fmt: skip
    (story / "next.yaml").write_text(yaml.safe_dump(values))
    command(story, "sitsformer", "predict", "next.yaml", "--cores", "2")  # no Snakefile is here
    raster = story / "next" / "maps" / "next_2022" / "next_2022.tif"
    page = (story / "next" / "report.html").read_text()
    assert "All 2 mapped tiles" in page and "Nothing was learned here" in page
    assert page.index('<h2 id="maps">') < page.index('<h2 id="next">')
    assert 'id="claims"' not in page
    mapped = grown(raster)
    # Of each class of the map so many pixels at random, and what truly grows there.
    sample = mapped.groupby("stratum").sample(50, random_state=2)
    sample[["lon", "lat", "crop"]].rename(columns={"crop": "class"}).to_csv(
        story / "reference.csv", index=False
    )
    command(story, "sitsformer", "assess", raster, "reference.csv", "--design", "stratified")
    table = pd.read_csv(raster.with_name("next_2022_assessed.csv")).set_index("class")
    names = sorted({*mapped.crop, *mapped.mapped_as})
    place = {name: k for k, name in enumerate(names)}
    pixels = np.array([(mapped.mapped_as == name).sum() for name in names])
    true = np.array([(mapped.crop == name).sum() for name in names]) / 100
    held = np.zeros(len(names))
    for seed in range(200):
        sample = mapped.groupby("stratum").sample(50, random_state=seed)
        units = areas.Reference.plain(
            sample.mapped_as.map(place).to_numpy(), sample.crop.map(place).to_numpy()
        )
        found = areas.table(pixels, names, range(len(names)), units, 0.95, "", 0.01)
        if seed == 2:  # what the command says, but for pixels without a crop: nobody drew them
            shares = found.set_index("class").estimated_ha / found.estimated_ha.iloc[-1]
            said = table.estimated_ha / table.estimated_ha.iloc[-1]
            assert (said.reindex(shares.index, fill_value=0) - shares).abs().max() < 0.1
        low, high = (found[end].to_numpy()[:-1] for end in ("low_ha", "high_ha"))
        held += (low <= true + 1e-9) & (true - 1e-9 <= high)
    assert len(names) >= 5 and 0.9 <= held.mean() / 200 <= 0.98
    assert (held >= 160).all(), dict(zip(names, held, strict=True))
