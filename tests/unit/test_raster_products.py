"""Products, folders and cubes as programs leave them: values against the truth."""

import logging
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

from raster_files import (
    DAYS,
    EPSG,
    NORTH,
    ON_GRID,
    SIZE,
    TILE,
    WEST,
    area,
    build,
    dates,
    image,
    write,
)
from sitsformer import export
from sitsformer.cube import MISSING
from sitsformer.errors import SitsError
from sitsformer.sensors import BANDS
from sitsformer.sources import Source

TEN_METRES = ("B02", "B03", "B04", "B08")
WORDS = {"clouds": {"by": "none"}}


def stored(path: Path, **options) -> np.ndarray:
    return build(path, **(WORDS | options)).reflectance.values


def product(folder: Path, day: str, values: np.ndarray) -> np.ndarray:
    """The folders of a Sentinel-2 product; what a cube of it should hold."""
    truth = values.copy()
    for band, own in zip(BANDS, values, strict=True):
        for side in (10, 20):
            every = side // 10
            if side == 10 and band not in TEN_METRES:
                continue
            path = folder / f"S2A_MSIL2A_{day}.SAFE" / f"R{side}m"
            path.mkdir(parents=True, exist_ok=True)
            write(
                path / f"T31UES_{day}T105031_{band}_{side}m.tif",
                own[None, ::every, ::every],
                transform=Affine(side, 0, WEST, 0, -side, NORTH),
                names=None,
            )
        if band not in TEN_METRES:
            truth[BANDS.index(band)] = own[::2, ::2].repeat(2, 0).repeat(2, 1)
    for other, bands in (("TCI", 3), ("AOT", 1)):
        write(path / f"T31UES_{day}T105031_{other}_20m.tif", image(9, bands=bands), names=None)
    return truth


def test_the_folders_of_a_product_are_one_image(tmp_path: Path) -> None:
    truth = [product(tmp_path, day, image(i)) for i, day in enumerate(DAYS)]
    np.testing.assert_array_equal(stored(tmp_path, pattern="**/*.tif"), truth)


@pytest.mark.parametrize(
    "path",
    [
        "S2A_MSIL1C_20210405T105031_N0300_R051_T31UES_20210405T130000.tif",
        "S2A_MSIL1C_20210405T105031_N0300_R051_T31UES_20210405T130000.SAFE/20210405.tif",
        "L1C_T31UES_A030218_20210405T105031/IMG_DATA/20210405.tif",
        "S2_L1C_20210405.tif",
        "l1c/20210405.tif",
    ],
)
def test_level_1c_is_refused_by_name(path: str, tmp_path: Path) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    write(file, image(1))
    with pytest.raises(SitsError, match=r"(?i)L1C\S* is named .* level 1C.*get .* of level 2A"):
        stored(tmp_path, pattern="**/*.tif")


def test_level_1c_is_refused_by_the_name_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "S2A_MSIL1C_20210405T105031_N0300_R051_T31UES_20210405T130000.SAFE"
    folder.mkdir()
    write(folder / "20210405.tif", image(1))
    with pytest.raises(SitsError, match="level 1C"):
        stored(folder)
    with pytest.raises(SitsError, match="level 1C"):
        stored(tmp_path / "S2_L1C.zarr")


def test_level_1c_elsewhere_on_the_way_says_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "l1c" / "S2A_MSIL2A_20210405T105031_N0300"
    folder.mkdir(parents=True)
    write(folder / "20210405.tif", image(1))
    np.testing.assert_array_equal(stored(folder), image(1)[None])


def test_the_bands_of_level_1c_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "T31UES_20210405T105031_B02.jp2").touch()
    with pytest.raises(SitsError, match=r"B02.jp2 is named .* level 1C"):
        stored(tmp_path, pattern="*.jp2")


def test_hidden_files_and_sidecars_are_no_images(tmp_path: Path) -> None:
    write(tmp_path / "20210405.tif", image(1))
    for name in ("._20210405.tif", "20210405.tif.aux.xml"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    write(tmp_path / "20210405.tif.ovr", image(2))
    np.testing.assert_array_equal(stored(tmp_path, pattern="*.tif*")[0], image(1))


def test_other_spellings_of_the_ending_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "20210405.tif", image(1))
    stored(tmp_path)
    assert "left out" not in caplog.text
    write(tmp_path / "20210610.TIF", image(2))
    assert len(stored(tmp_path)) == 1
    assert "1 files are left out" in caplog.text
    assert "20210610.TIF" in caplog.text
    assert len(stored(tmp_path, pattern="*.[tT][iI][fF]*")) == 2


@pytest.mark.parametrize(
    "form",
    ["{}, central wavelength 490 nm", "{} (490 nm)", "T31UES_20210405T105031_{}_10m", "s2_{}"],
)
def test_bands_in_longer_descriptions(tmp_path: Path, form: str) -> None:
    write(tmp_path / "20210405.tif", image(1), names=[form.format(band) for band in BANDS])
    np.testing.assert_array_equal(stored(tmp_path)[0], image(1))


def test_a_description_of_several_bands_is_none(tmp_path: Path) -> None:
    names = [*BANDS[:-1], "B11 minus B12"]
    write(tmp_path / "20210405.tif", image(1), names=names)
    with pytest.raises(SitsError, match="lacks B12"):
        stored(tmp_path)


def test_broad_nir_of_force_is_not_its_nir(tmp_path: Path) -> None:
    names = [
        "BLUE",
        "GREEN",
        "RED",
        "REDEDGE1",
        "REDEDGE2",
        "REDEDGE3",
        "BROADNIR",
        "NIR",
        "SWIR1",
        "SWIR2",
    ]
    write(tmp_path / "20210405.tif", image(1), names=names)
    np.testing.assert_array_equal(stored(tmp_path)[0], image(1))


@pytest.mark.parametrize(
    ("dtype", "fill"), [("int16", -9999), ("int16", -32768), ("uint16", 65535), ("float32", 9.9e36)]
)
def test_a_fill_that_no_tag_names_is_missing(tmp_path: Path, dtype: str, fill: float) -> None:
    values = image(1).astype(dtype)
    values[:, 3, 4] = fill
    write(tmp_path / "20210405.tif", values, nodata=None)
    found = stored(tmp_path)[0]
    assert (found[:, 3, 4] == MISSING).all()
    assert (found == MISSING).sum() == len(BANDS)


def test_small_negative_numbers_are_values(tmp_path: Path) -> None:
    values = image(1).astype("int16")
    values[:, 3, 4] = -999  # 1 - 1,000 of a product that was harmonised
    write(tmp_path / "20210405.tif", values, nodata=None)
    assert (stored(tmp_path)[0][:, 3, 4] == 0).all()


def test_a_raster_without_a_place_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "20210405.tif", image(1))
    write(tmp_path / "20210610.tif", image(2), transform=Affine.identity())
    with pytest.raises(SitsError, match=r"20210610.tif says where it lies"):
        stored(tmp_path)
    write(tmp_path / "20210610.tif", image(2), crs='LOCAL_CS["a map",UNIT["metre",1]]')
    with pytest.raises(SitsError, match="nothing leads from"):
        stored(tmp_path)
    corners = [(0, 0), (0, SIZE), (SIZE, 0), (SIZE, SIZE)]
    with rasterio.open(tmp_path / "20210610.tif", "r+") as file:
        file.transform = Affine.identity()
        points = [
            rasterio.control.GroundControlPoint(r, c, *(ON_GRID @ (c, r))) for r, c in corners
        ]
        file.gcps = (points, rasterio.crs.CRS.from_epsg(EPSG))
    with pytest.raises(SitsError, match="ground control points"):
        stored(tmp_path)


def test_names_tell_of_products_that_were_processed_anew(tmp_path: Path) -> None:
    for day in DAYS:
        write(tmp_path / f"S2A_MSIL2A_{day}T105031_N0500_R051.tif", image(1) + 1000)
    with pytest.raises(SitsError, match=r"come with an offset of 0\.1; set .*offset: -0\.1"):
        stored(tmp_path)
    (tmp_path / f"S2A_MSIL2A_{DAYS[0]}T105031_N0500_R051.tif").unlink()
    write(tmp_path / f"S2A_MSIL2A_{DAYS[0]}T105031_N0300_R051.tif", image(1) // 2 + 200)
    with pytest.raises(SitsError, match=r"offset: -0\.1 \(names of an earlier"):
        stored(tmp_path)
    assert stored(tmp_path, offset=-0.1)[1].tolist() == image(1).tolist()


def store(path: Path, values: np.ndarray, times: list[str], *, shift: float = 0, **attrs) -> Path:
    """A cube with its transform, coordinates `shift` pixels to the right and down."""
    array = xr.DataArray(
        values,
        dims=("time", "band", "y", "x"),
        coords={
            "time": np.array(times, "datetime64[ns]"),
            "band": list(BANDS),
            "y": NORTH - 10 * (np.arange(SIZE) + 0.5 + shift),
            "x": WEST + 10 * (np.arange(SIZE) + 0.5 + shift),
        },
        attrs={"crs": f"EPSG:{EPSG}", "transform": list(ON_GRID)} | attrs,
    )
    array.to_dataset(name="s2").to_zarr(path, zarr_format=2)
    return path


@pytest.mark.parametrize("shift", [0, -0.5])
def test_coordinates_of_centres_and_of_corners(tmp_path: Path, shift: float) -> None:
    path = store(tmp_path / "cube.zarr", image(1)[None], ["2021-04-05"], shift=shift)
    np.testing.assert_array_equal(stored(path)[0], image(1))


def test_a_transform_of_another_grid_says_nothing(tmp_path: Path) -> None:
    coarse = list(Affine(20, 0, WEST + 5, 0, -20, NORTH - 5))
    path = store(tmp_path / "cube.zarr", image(1)[None], ["2021-04-05"], transform=coarse)
    np.testing.assert_array_equal(stored(path)[0], image(1))


def test_granules_of_a_cube_are_one_date(tmp_path: Path) -> None:
    left, right = image(1), image(1)
    left[..., SIZE // 2 :], right[..., : SIZE // 2] = 0, 0
    times = ["2021-04-05T10:50:31", "2021-04-05T10:50:45", "2021-06-10T10:50:31"]
    path = store(tmp_path / "cube.zarr", np.stack([left, right, image(2)]), times)
    cube = build(path, clouds={"by": "none"})
    assert dates(cube) == [times[0], times[2]]
    np.testing.assert_array_equal(cube.reflectance.values, [image(1), image(2)])
    assert (cube.clear.values == 100).all()


def test_the_nodata_attribute_of_a_variable(tmp_path: Path) -> None:
    values = image(1)[None].copy()
    values[..., 3, 4] = 777
    path = store(tmp_path / "cube.zarr", values, ["2021-04-05"], nodata=777)
    assert (stored(path)[0][:, 3, 4] == MISSING).all()


def test_a_cube_without_dates_is_refused(tmp_path: Path) -> None:
    path = store(tmp_path / "cube.zarr", image(1)[None][:0], [])
    with pytest.raises(SitsError, match="the cube has no dates"):
        stored(path)


def test_a_chunk_damaged_beyond_the_first_look_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [str(np.datetime64("2021-03-02") + day) for day in range(130)]
    path = store(tmp_path / "cube.zarr", np.stack([image(1)] * 130), times)
    xr.open_zarr(path).chunk(time=1).drop_encoding().to_zarr(tmp_path / "two.zarr", zarr_format=2)
    (tmp_path / "two.zarr" / "s2" / "60.0.0.0").write_bytes(b"damaged")
    own = area(tmp_path / "two.zarr", **WORDS)
    monkeypatch.setattr(export, "find_area", lambda *_: own)
    monkeypatch.setattr(export, "find_tile", lambda *_: TILE)
    monkeypatch.setattr(Source, "settings", lambda *_: {})
    monkeypatch.setattr(export.decisive, "cube", lambda *_: {})
    with pytest.raises(SitsError, match=r"two\.zarr cannot be read"):
        export.export(None, "farm", TILE.name, tmp_path / "out.zarr")  # type: ignore[arg-type]
    assert not list(tmp_path.glob("out*"))


def test_a_class_that_the_file_calls_nodata_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "img").mkdir()
    write(tmp_path / "img" / "20210405.tif", image(1))
    codes = np.ones((1, SIZE, SIZE), np.uint8)
    codes[:, :, 6:] = 2
    write(tmp_path / "labels.tif", codes, names=None, nodata=2)
    legend = tmp_path / "legend.csv"
    legend.write_text("code,name,colour\n1,wheat,\n2,maize,\n")
    label = {"path": str(tmp_path / "labels.tif"), "legend": str(legend)}
    cube = build(tmp_path / "img", labels={"crops": label})
    assert np.unique(cube.crops).tolist() == [0, 1]
    assert "code 2 is in the legend, and means no label" in caplog.text
