"""What people do next with a map: fields that get a class, places to visit."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from shapely.geometry import box

import made_run
import phenology
from sitsformer.classes import Classes
from sitsformer.config import Survey
from sitsformer.errors import SitsError
from sitsformer.geopackage import geopackage
from sitsformer.maps import fields, map_codes, visits
from sitsformer.surveys.reading import read

CLASSES = Classes(("maize", "soy"), ("#ffd300", "#267000"), ((1,), (5,)))
CODES = map_codes(CLASSES)
WEST, NORTH = 500_000, 4_650_000


def write(path: Path, values: np.ndarray, nodata: int, tags: dict[str, str] | None = None) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1,
        dtype=values.dtype, crs="EPSG:32614", nodata=nodata,
        transform=rasterio.Affine(10, 0, WEST, 0, -10, NORTH),
    ) as target:  # fmt: skip
        target.write(values, 1)
        target.update_tags(1, **(tags or {}))
    return path


def rasters(folder: Path, classes: np.ndarray, margin: np.ndarray) -> tuple[Path, Path, Path]:
    sure = np.where(classes > 0, 80, 0).astype(np.uint8)
    return (
        write(folder / "m.tif", CODES.encode(classes.astype(np.uint16)), CODES.nodata, CODES.tags),
        write(folder / "c.tif", sure, 0),
        write(folder / "d.tif", margin.astype(np.uint8), 255),
    )


def test_places_are_the_least_certain_within_a_field_and_apart(tmp_path: Path) -> None:
    side = 3 * visits.STRIP // 2 + 7  # more than a strip, and no whole squares
    classes = np.ones((side, side), np.uint16)
    classes[:, side // 2 :] = 2
    margin = np.full((side, side), 90)
    margin[:, side // 2 - 1 : side // 2 + 1] = 0  # borders are uncertain, and nobody's field
    margin[0] = 0
    unsure = {(33, 41): 10, (34, 48): 11, (side - 3, 205): 20, (330, side - 20): 30}
    for place, value in unsure.items():
        margin[place] = value
    classes[100:130, 100:130], margin[100:130, 100:130] = 0, 255
    raster, _, beside = rasters(tmp_path, classes, margin)
    found = visits.suggest(raster, beside, CODES, 4)
    places = [
        (int((NORTH - point.y) // 10), int((point.x - WEST) // 10)) for point in found.geometry
    ]
    # The second is the first one's neighbour, and would say little more.
    assert places[0] == (33, 41) and set(places[:3]) == set(unsure) - {(34, 48)}
    assert found.visit.tolist() == [1, 2, 3, 4]
    assert found.margin.tolist()[:3] == [unsure[place] for place in places[:3]]
    assert found.predicted[0] == "maize" and set(found.code) <= {1, 5}
    degrees = found.to_crs(4326).geometry
    np.testing.assert_allclose(found.lon, degrees.x)
    np.testing.assert_allclose(found.lat, degrees.y)
    many = visits.suggest(raster, beside, CODES, 10_000)
    inside = (many.geometry.x - WEST) // 10, (NORTH - many.geometry.y) // 10
    assert classes[inside[1].astype(int), inside[0].astype(int)].all()
    assert ((inside[1] > 0) & ~inside[0].isin([side // 2 - 1, side // 2])).all()
    assert len(many) == len(set(zip(*inside, strict=True))) > 1000


def test_places_by_hand() -> None:
    x, y = np.array([0, 1, 10, 0]), np.array([0, 0, 0, 4])
    worth = np.array([0.9, 0.8, 0.2, 0.3])
    assert visits.spread(x, y, worth, 3).tolist() == [0, 2, 3]  # 2.0 beats 1.2 and 0.8; then 1.2
    assert visits.spread(x, y, worth, 9).tolist()[0] == 0
    line, far = np.array([0, 10, 20]), np.zeros(3, np.int64)
    # 9 metres' worth against 8, not 90 against 160: distance counts as it is.
    assert visits.spread(line, far, np.array([1.0, 0.9, 0.4]), 2).tolist() == [0, 1]
    assert visits.spread(x[:0], y[:0], worth[:0], 3).tolist() == []


def test_nobody_knows_what_lies_beyond_the_map(tmp_path: Path) -> None:
    """A pixel at the edge is within no field, whatever code its class has."""
    codes = map_codes(Classes(("fallow", "soy"), ("#aaaaaa", "#267000"), ((0,), (5,))))
    assert codes.nodata != 0
    raster = write(tmp_path / "m.tif", np.zeros((20, 20), np.uint8), codes.nodata, codes.tags)
    margin = np.full((20, 20), 50, np.uint8)
    margin[0, 3] = margin[19, 3] = margin[3, 0] = margin[3, 19] = 0
    margin[4, 4] = 10
    beside = write(tmp_path / "d.tif", margin, 255)
    found = visits.suggest(raster, beside, codes, 50)
    assert found.margin.tolist()[0] == 10 and found.margin.min() == 10


def test_a_map_without_a_class_suggests_nothing(tmp_path: Path) -> None:
    raster, _, beside = rasters(tmp_path, np.zeros((20, 20)), np.full((20, 20), 255))
    assert len(visits.suggest(raster, beside, CODES, 5)) == 0
    assert geopackage(visits.suggest(raster, beside, CODES, 5), "visits")[:6] == b"SQLite"


def test_visited_places_are_labels_of_the_next_run(tmp_path: Path) -> None:
    classes = np.ones((60, 60))
    raster, _, beside = rasters(tmp_path, classes, np.full((60, 60), 50))
    content = geopackage(visits.suggest(raster, beside, CODES, 6), "visits")
    assert content == geopackage(visits.suggest(raster, beside, CODES, 6), "visits")
    path = tmp_path / "visits.gpkg"
    path.write_bytes(content)
    frame = geopandas.read_file(path)
    frame.loc[[0, 3], "class"] = ["maize", "sunflower"]
    frame.loc[[0, 3], "visited"] = "2021-07-01"
    frame.to_file(path, layer="visits", driver="GPKG")
    survey = Survey(kind="points", path=str(path), column="class", date="visited")
    known = read("fields", survey)
    assert known.legend.names == ("maize", "sunflower")
    assert (known.code >= 0).tolist() == [True, False, False, True, False, False]


def test_fields_get_the_class_of_most_of_their_pixels(tmp_path: Path) -> None:
    classes = np.zeros((1100, 40), np.uint16)
    classes[:, :20], classes[:, 20:] = 1, 2
    classes[4, 4] = 2
    margin = np.where(classes == 1, 40, 60)
    margin[classes == 0] = 255
    raster, sure, apart = rasters(tmp_path, classes, margin)

    def at(left: int, top: int, right: int, bottom: int) -> object:
        return box(WEST + 10 * left, NORTH - 10 * bottom, WEST + 10 * right, NORTH - 10 * top)

    shapes = {
        "west": at(2, 2, 12, 12),
        "both": at(10, 20, 25, 30),
        "over strips": at(22, 500, 30, 530),
        "tiny": box(WEST + 301, NORTH - 309, WEST + 304, NORTH - 302),
        "outside": at(60, 5, 70, 15),
    }
    frame = geopandas.GeoDataFrame(
        {"farm": list(shapes)}, geometry=list(shapes.values()), crs="EPSG:32614"
    )
    # In degrees, where straight lines are others: the pixels are the same.
    frame.to_crs(4326).to_file(tmp_path / "p.gpkg", driver="GPKG")
    found = fields.majority(raster, sure, apart, CODES, tmp_path / "p.gpkg").set_index("farm")
    assert found.crs.to_epsg() == 4326 and list(found.index) == list(shapes)[:-1]
    assert found.map_class.tolist()[:3] == ["maize", "maize", "soy"]
    assert found.map_code.tolist() == [1, 1, 5, -1]
    assert found.map_pixels.tolist() == [100, 150, 240, 0]
    np.testing.assert_allclose(found.map_share[:3], [0.99, 100 / 150, 1.0])
    np.testing.assert_allclose(found.map_margin[:3], [40.2, (100 * 40 + 50 * 60) / 150, 60])
    assert found.map_confidence[:3].tolist() == [80, 80, 80]
    assert found.map_class.isna()["tiny"] and np.isnan(found.map_share["tiny"])
    found.reset_index().to_file(tmp_path / "again.gpkg", driver="GPKG")
    with pytest.raises(SitsError, match=r"has the columns map_class, .* rename them"):
        fields.majority(raster, sure, apart, CODES, tmp_path / "again.gpkg")
    frame.assign(geometry=frame.centroid).to_file(tmp_path / "points.gpkg", driver="GPKG")
    with pytest.raises(SitsError, match="feature 1 is a Point without an area"):
        fields.majority(raster, sure, apart, CODES, tmp_path / "points.gpkg")


def test_they_are_files_of_an_area(tmp_path: Path) -> None:
    parcels = geopandas.GeoDataFrame(
        geometry=[box(500_000, 5_599_700, 500_200, 5_599_900)], crs="EPSG:32632"
    )
    parcels.to_file(tmp_path / "parcels.gpkg", driver="GPKG")
    config = made_run.CONFIG | {"maps": {"parcels": str(tmp_path / "parcels.gpkg"), "visits": 5}}
    made_run.make_cube(tmp_path / "tile.zarr")
    made_run.make_model(tmp_path / "crop", "classification", phenology.NAMES)
    (tmp_path / "c.yaml").write_text(made_run.yaml.safe_dump(config))
    out = tmp_path / "county.tif"
    options = ("--config", tmp_path / "c.yaml", "--model", tmp_path / "crop")
    made_run.run(
        made_run.map_command, *options, "--cube", tmp_path / "tile.zarr", "--out",
        tmp_path / "t.tif",
    )  # fmt: skip
    made_run.run(made_run.mosaic, *options, "--out", out, tmp_path / "t.tif")
    points = geopandas.read_file(tmp_path / "county_visits.gpkg")
    assert 1 <= len(points) <= 5 and points.crs.to_epsg() == 32632
    (field,) = geopandas.read_file(tmp_path / "county_fields.gpkg").itertuples()
    assert field.map_pixels == 400 and field.map_class in phenology.NAMES
