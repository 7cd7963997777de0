"""`sitsformer assess`: a map against samples in many forms and systems, with odd classes."""

from __future__ import annotations

import logging
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
from click.testing import CliRunner
from shapely.geometry import MultiPoint, box

from area_world import CLASSES, GROUND, NORTH, WEST, draw, make_ground, points
from sitsformer.commands.assess import assess as command
from sitsformer.errors import SitsError
from sitsformer.evaluation import areas
from sitsformer.grid import to_lonlat
from sitsformer.maps.assess import assess


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray, np.ndarray]:
    return make_ground(tmp_path_factory.mktemp("assess"))


@pytest.mark.parametrize("form", ["gpkg-name", "geojson-code", "csv", "raster", "raster-degrees"])
def test_every_form_of_a_sample_gives_one_table(ground, tmp_path: Path, form: str) -> None:
    path, classes, truth = ground
    row, column = draw(classes)
    true = truth[row, column]
    names = np.array(CLASSES.names)[true]
    codes = np.array([10, 30, 50])[true]  # 30 is of the class whose first code is 40
    if form == "gpkg-name":
        reference = tmp_path / "r.gpkg"
        points(row, column, crop=names).to_file(reference)
    elif form == "geojson-code":
        reference = tmp_path / "r.geojson"
        points(row, column, crop=codes.astype(float)).to_crs(4326).to_file(reference)
    elif form == "csv":
        reference = tmp_path / "r.csv"
        lon, lat = to_lonlat(32614, WEST + 10.0 * column + 3, NORTH - 10.0 * row - 7)
        pd.DataFrame({"lon": lon, "lat": lat, "crop": names}).to_csv(reference, index=False)
    else:
        reference = tmp_path / "r.tif"
        values = np.zeros((GROUND, GROUND), np.uint8)
        values[row, column] = codes
        transform, crs = rasterio.transform.from_origin(WEST, NORTH, 10, 10), "EPSG:32614"
        if form == "raster-degrees":
            # Finer than the map, so that the nearest neighbour of each of its pixels is its own.
            crs, fine = "EPSG:4326", 4 * GROUND
            bounds = rasterio.warp.transform_bounds(
                "EPSG:32614", crs, WEST, NORTH - 10 * GROUND, WEST + 10 * GROUND, NORTH
            )
            source, values = values, np.zeros((fine, fine), np.uint8)
            old = transform
            transform = rasterio.transform.from_bounds(*bounds, fine, fine)
            rasterio.warp.reproject(
                source, values, src_transform=old, src_crs="EPSG:32614", dst_transform=transform,
                dst_crs=crs, resampling=rasterio.warp.Resampling.nearest,
            )  # fmt: skip
        with rasterio.open(
            reference, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1,
            dtype="uint8", crs=crs, transform=transform,
        ) as target:  # fmt: skip
            target.write(values, 1)
    chosen = None if form.startswith("raster") else "crop"
    found = assess(path, reference, design="stratified", column=chosen)
    pixels = np.bincount(classes.ravel(), minlength=4)[1:]
    sample = areas.Reference.plain(classes[row, column] - 1, true, pixels)
    expected = areas.table(pixels, CLASSES.names, (10, 40, 50), sample, 0.95, "", 0.01)
    same = [name for name in expected.columns if name != "basis"]
    pd.testing.assert_frame_equal(found[same], expected[same])
    assert found.basis[0].startswith(f"180 units of {reference.name}, drawn at random within each")


def test_units_off_the_map_and_classes_it_has_not(ground, tmp_path: Path, caplog) -> None:
    path, classes, truth = ground
    row, column = draw(classes)
    names = np.array(CLASSES.names, object)[truth[row, column]]
    names[:5], names[5:8] = "vineyard", None
    row[10:14] = 2  # where the map has no class
    points(row, column, label=names).to_file(tmp_path / "r.gpkg")
    with caplog.at_level(logging.WARNING, "sitsformer"):
        found = assess(path, tmp_path / "r.gpkg", design="simple")
    assert "classes that the map has not: vineyard" in caplog.text
    assert found["class"].tolist() == [*CLASSES.names, "vineyard", "(all)"]
    last = found.iloc[3]
    assert last.pixels == 0 and last.estimated_ha > 0 and last.producers_accuracy == 0
    assert found.samples.tolist()[-1] == 173
    assert found.basis[0].endswith(
        "afterwards; 3 more have no class; 4 more lie where the map has no class"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: points(np.array([1]), np.array([1]), label=["a"]).to_file(p), "no unit of"),
        (
            lambda p: points(np.array([50]), np.array([9]), crop=["a"]).to_file(p),
            "has none of the columns class, label, code, reference; say with --column",
        ),
        (
            lambda p: geopandas.GeoDataFrame(
                {"label": ["a"]}, geometry=[box(0, 0, 1, 1)], crs=32614
            ).to_file(p),
            "holds Polygon: give points",
        ),
        (lambda p: p.write_text("x"), "cannot be read"),
    ],
)
def test_what_cannot_be_a_sample_is_refused(ground, tmp_path: Path, make, message) -> None:
    make(tmp_path / "r.gpkg")
    with pytest.raises(SitsError, match=message):
        assess(ground[0], tmp_path / "r.gpkg", design="simple")
    (tmp_path / "r.csv").write_text("east,lat,label\n1,2,a\n")
    with pytest.raises(SitsError, match="has no column lon"):
        assess(ground[0], tmp_path / "r.csv", design="simple")


def test_what_counts_once_or_not_at_all_is_said(ground, tmp_path: Path) -> None:
    """Units listed twice, without a class, and names in other letters."""
    path, classes, truth = ground
    row, column = draw(classes)
    names = np.array([name.upper() for name in CLASSES.names], object)[truth[row, column]]
    once = points(row, column, crop=names)
    once.to_file(tmp_path / "once.gpkg")
    unknown = once[20:27].assign(crop=None)
    pd.concat([once, once[:20], unknown]).to_file(tmp_path / "r.gpkg")
    expected = assess(path, tmp_path / "once.gpkg", design="simple", column="crop")
    found = assess(path, tmp_path / "r.gpkg", design="simple", column="crop")
    assert found["class"].tolist() == [*CLASSES.names, "(all)"]
    pd.testing.assert_frame_equal(found.drop(columns="basis"), expected.drop(columns="basis"))
    assert found.basis[0].endswith(
        "; 7 more have no class; 20 more lie on the pixel of another, and count once"
    )
    once.assign(code=np.arange(len(once))).to_file(tmp_path / "id.gpkg")
    with pytest.raises(SitsError, match="its column is of numbers of places"):
        assess(path, tmp_path / "id.gpkg", design="simple", column="code")
    other = once[:3].assign(crop=np.roll(CLASSES.names, 1)[truth[row, column]][:3])
    pd.concat([once, other]).to_file(tmp_path / "r.gpkg")
    with pytest.raises(SitsError, match=r"3 units of .* have another class than one on the same"):
        assess(path, tmp_path / "r.gpkg", design="simple", column="crop")


def test_points_as_qgis_writes_them(ground, tmp_path: Path) -> None:
    path, classes, truth = ground
    row, column = draw(classes)
    frame = points(row, column, crop=np.array(CLASSES.names)[truth[row, column]])
    frame.to_file(tmp_path / "one.gpkg")
    many = frame.set_geometry([MultiPoint([place]) for place in frame.geometry], crs=frame.crs)
    many.to_file(tmp_path / "many.gpkg")
    one = assess(path, tmp_path / "one.gpkg", design="stratified", column="crop")
    found = assess(path, tmp_path / "many.gpkg", design="stratified", column="crop")
    pd.testing.assert_frame_equal(found.drop(columns="basis"), one.drop(columns="basis"))
    pair = many.assign(geometry=[MultiPoint([(p.x, p.y), (p.x + 50, p.y)]) for p in frame.geometry])
    pair.to_file(tmp_path / "pair.gpkg")
    with pytest.raises(SitsError, match="holds MultiPoint: give points, one a sampled pixel"):
        assess(path, tmp_path / "pair.gpkg", design="stratified", column="crop")


def test_a_table_as_a_spreadsheet_writes_it(ground, tmp_path: Path) -> None:
    """Semicolons, decimal commas, other names of columns; and coordinates that are exchanged."""
    path, classes, truth = ground
    row, column = draw(classes)
    lon, lat = to_lonlat(32614, WEST + 10.0 * column + 3, NORTH - 10.0 * row - 7)
    codes = np.array([10, 40, 50])[truth[row, column]]
    table = pd.DataFrame({"Longitude": lon, "Latitude": lat, "code": codes})
    table.to_csv(tmp_path / "r.csv", index=False)
    expected = assess(path, tmp_path / "r.csv", design="stratified")
    table.to_csv(tmp_path / "r.csv", index=False, sep=";", decimal=",", encoding="utf-8-sig")
    found = assess(path, tmp_path / "r.csv", design="stratified")
    pd.testing.assert_frame_equal(found, expected)
    table.rename(columns={"Longitude": "lat", "Latitude": "lon"}).to_csv(tmp_path / "r.csv")
    with pytest.raises(SitsError, match="the two seem to be exchanged"):
        assess(path, tmp_path / "r.csv", design="stratified")
    with pytest.raises(SitsError, match=r"none\.csv does not exist"):
        assess(path, tmp_path / "none.csv", design="stratified")


def test_places_that_were_chosen_are_no_sample(ground, tmp_path: Path) -> None:
    """The map's own places to visit, filled in: the least certain ones."""
    path = ground[0]
    visits = geopandas.read_file(path.with_name("county_visits.gpkg"))
    visits["class"] = CLASSES.names[0]
    visits.to_file(tmp_path / "visited.gpkg")
    with pytest.raises(SitsError, match="places to visit, which were chosen where the map is"):
        assess(path, tmp_path / "visited.gpkg", design="simple")


def test_classes_of_a_table_are_text(ground, tmp_path: Path) -> None:
    path, classes, truth = ground
    row, column = draw(classes)
    lon, lat = to_lonlat(32614, WEST + 10.0 * column + 3, NORTH - 10.0 * row - 7)
    codes = [f"{code}.0" for code in np.array([10, 40, 50])[truth[row, column]]]
    table = pd.DataFrame({"lon": lon, "lat": lat, "code": ["NA", *codes[1:]]}, dtype=object)
    table.to_csv(tmp_path / "r.csv", index=False)
    found = assess(path, tmp_path / "r.csv", design="stratified")
    assert found["class"].tolist() == [*CLASSES.names, "NA", "(all)"]
    table.loc[:4, "lat"] = ""
    table.to_csv(tmp_path / "r.csv", index=False)
    with pytest.raises(SitsError, match=r"5 of the 180 rows of .*r\.csv have no place"):
        assess(path, tmp_path / "r.csv", design="stratified")


def test_the_command_writes_a_table_and_a_picture(ground, tmp_path: Path) -> None:
    path, classes, truth = ground
    row, column = draw(classes)
    points(row, column, code=np.array([10, 40, 50])[truth[row, column]]).to_file(
        tmp_path / "r.gpkg"
    )
    out = tmp_path / "table.csv"
    arguments = [str(path), str(tmp_path / "r.gpkg"), "--design", "stratified", "--out", str(out)]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0 and "overall accuracy 0." in done.output
    assert pd.read_csv(out)["class"].tolist() == [*CLASSES.names, "(all)"]
    assert out.with_suffix(".png").stat().st_size > 10_000
    other = CliRunner().invoke(command, [*arguments[:-1], str(tmp_path / "table.png")])
    assert other.exit_code == 2 and "give a name that ends in .csv" in other.output
    missing = CliRunner().invoke(command, arguments[:2])
    assert missing.exit_code == 2 and "--design" in missing.output


def test_intervals_hold_the_known_truth_of_the_ground(ground, tmp_path: Path) -> None:
    """200 samples of one map: 95 % intervals hold the true area about as often as they say."""
    path, classes, truth = ground
    true = np.array([((truth == k) & (classes > 0)).sum() / 100 for k in range(3)])
    held = np.zeros(3)
    for seed in range(200):
        row, column = draw(classes, seed, 40)
        codes = np.array([10, 40, 50])[truth[row, column]]
        x, y = WEST + 10.0 * column + 5, NORTH - 10.0 * row - 5
        sample = areas.Reference.plain(classes[row, column] - 1, truth[row, column])
        if seed:
            table = areas.table(
                np.bincount(classes.ravel(), minlength=4)[1:], CLASSES.names, (10, 40, 50),
                sample, 0.95, "", 0.01,
            )  # fmt: skip
        else:
            lon, lat = to_lonlat(32614, x, y)
            file = tmp_path / "r.csv"
            pd.DataFrame({"lon": lon, "lat": lat, "code": codes}).to_csv(file, index=False)
            table = assess(path, file, design="stratified")
        held += (table.low_ha[:3].to_numpy() <= true + 1e-9) & (
            true - 1e-9 <= table.high_ha[:3].to_numpy()
        )
    assert (held[:2] >= 180).all() and (held[:2] <= 199).all()
    assert held[2] == 200  # never mapped or missed wrongly: its area is known
