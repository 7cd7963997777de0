"""The picture of a cube."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sitsformer import cube
from sitsformer.classes import Legend
from sitsformer.config import Area, Synthetic
from sitsformer.grid import Tile
from sitsformer.imagery.synthetic.source import SyntheticSource
from sitsformer.plots import tile as tile_view
from sitsformer.sensors import BANDS, SENTINEL2

LEGEND = Legend("crops", (1, 5, 7), ("corn", "soy", "rare"), ("#ff0000", "#00ff00", "#0000ff"))


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    area = Area(
        source="synthetic",
        bounds=(-94.0, 43.0, -93.95, 43.04),
        start=date(2021, 5, 1),
        end=date(2021, 9, 1),
        labels=("worldcover", "cdl"),
    )
    tile = Tile("county", "32615_420000_4770000", 32615, 420_000, 4_770_000, 66)
    return SyntheticSource(Synthetic()).cube("county", area, tile)


def test_curves_are_quartiles_of_clear_pixels() -> None:
    codes = np.array([[1] * 40, [5] * 40, [7] * 20 + [0] * 20])
    index = np.random.default_rng(0).uniform(-0.1, 0.9, (4, 3, 40)).astype(np.float32)
    index[2, 0, :30] = np.nan  # too few clear pixels of class 1 left on this date
    curves = tile_view.class_curves(index, codes, LEGEND)
    assert list(curves) == [1, 5]  # class 7 has too few pixels
    assert np.isnan(curves[1][:, 2]).all()
    for code, date_ in ((1, 0), (1, 3), (5, 2)):
        values = index[date_][codes == code]
        np.testing.assert_allclose(
            curves[code][:, date_], np.quantile(values, (0.25, 0.5, 0.75)), atol=1e-6
        )


def test_ndvi_hides_clouds_and_missing_pixels(dataset: xr.Dataset) -> None:
    changed = dataset.copy(deep=True)
    changed.clear.values[0] = 100
    changed.clear.values[0, 0, :3] = (59, 60, cube.CLEAR_MISSING)
    changed.reflectance.values[0, BANDS.index("B08"), 1, 1] = cube.MISSING
    red, infrared = (changed.reflectance.sel(band=b).values[0, 5, 5] for b in ("B04", "B08"))
    found = tile_view.ndvi(changed)[0]
    np.testing.assert_array_equal(np.isnan(found[0, :3]), [True, False, True])
    assert np.isnan(found[1, 1])
    expected = (float(infrared) - float(red)) / (float(infrared) + float(red))
    assert found[5, 5] == pytest.approx(expected, abs=1e-6)


def test_dates_are_spread_over_the_season_and_clouds_are_shown() -> None:
    share = np.array([0.9, 0.2, 1.0, 0.5, 0.0, 1.0, 0.7, 1.0, 0.1, 1.0, 0.0, 1.0])
    clear = np.where(np.arange(100)[None, :, None] < 100 * share[:, None, None], 100, 0)
    chosen = tile_view.choose_dates(np.broadcast_to(clear, (12, 100, 1)).astype(np.uint8))
    assert chosen == [0, 2, 3, 5, 6, 7, 9, 11]
    assert tile_view.choose_dates(np.full((2, 4, 4), 100, np.uint8)) == [0, 1]


def test_true_colour_shows_missing_pixels_in_grey() -> None:
    image = np.full((len(BANDS), 2, 2), 10_000, np.uint16)
    image[:, 0, 0] = 0
    image[3, 1, 1] = cube.MISSING
    shown = tile_view.true_colour(image, SENTINEL2)
    assert (shown[0, 0] == 0).all() and (shown[0, 1] == 1).all() and (shown[1, 1] == 0.5).all()


def test_the_picture_is_written_whole(dataset: xr.Dataset, tmp_path: Path) -> None:
    tile_view.draw_tile(dataset, tmp_path / "tile.png")
    content = (tmp_path / "tile.png").read_bytes()
    assert content.startswith(b"\x89PNG") and len(content) > 50_000
    assert [path.name for path in tmp_path.iterdir()] == ["tile.png"]
    texts = [axes.get_title() for axes in tile_view.figure_of(dataset).get_axes()]
    assert texts[8:] == ["worldcover", "", "cdl", ""]


def test_of_many_classes_the_largest_are_named() -> None:
    from matplotlib.figure import Figure

    codes = np.repeat(np.arange(1, 61), np.arange(1, 61)).astype(np.uint8)
    names = tuple(f"${code}$" for code in range(1, 61))
    legend = Legend("own", tuple(range(1, 61)), names, ("#123456",) * 60)
    axes = Figure().subplots()
    tile_view.draw_labels(axes, "own", codes[None], legend)
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert len(shown) == tile_view.MOST_NAMED
    assert shown[0].startswith(r"\$41\$ ") and shown[-1].startswith(r"\$60\$ ")
