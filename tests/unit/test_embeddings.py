"""Layers of embeddings: records, config, tiles of rasters, samples."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

import cubes
import phenology
from sitsformer import artefacts, decisive
from sitsformer.baselines.embedded import of_layer
from sitsformer.checks import embeddingfiles
from sitsformer.config import Config, ConfigError, FewShot, parse
from sitsformer.embedded import store
from sitsformer.embedded.rows import gather
from sitsformer.embedded.tiles import make_tile
from sitsformer.embeddings import members, of_products, products
from sitsformer.errors import SitsError
from sitsformer.fewshot import Learner
from sitsformer.grid import Tile
from sitsformer.patches import make_tile_store
from sitsformer.patches.merge import merge
from sitsformer.paths import Paths
from sitsformer.samples import open_samples

SETTINGS = FewShot(set="crops", validation=5)


# --- records and config ------------------------------------------------------------------------


def test_looking_through_the_products_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from sitsformer.embeddings import members, products\n"
        "assert products()\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "['sitsformer']"


def test_satellite_embedding_is_as_its_page_says() -> None:
    found = products()["satellite_embedding"]
    assert (found.bands[0], found.bands[-1], len(found.bands)) == ("A00", "A63", 64)
    assert found.no_year(2016) is not None
    assert found.no_year(2017) is None
    with pytest.raises(SitsError, match="licence asks for an attribution"):
        replace(found, attribution=" ")


def rasters(**changes: Any) -> dict[str, Any]:
    """The values of a config with a layer of the user's own."""
    values = cubes.make_config(tiles=2).model_dump(mode="json")
    del values["fewshot"]["baselines"]
    return values | {"embeddings": {"mine": {"rasters": {"farm": "mine.tif"}}}} | changes


def test_a_layer_joins_the_sweep_beside_the_baselines() -> None:
    chosen = parse(rasters())
    assert chosen.fewshot.baselines[-3:] == ("mine", "mine_neighbour", "mine_series")
    assert chosen.fewshot.baselines[:-3] == parse(rasters(embeddings={})).fewshot.baselines
    listed = rasters(fewshot={"set": "land", "baselines": ["random_forest"]})
    listed["embeddings"]["mine"]["learners"] = ["nearest_neighbour"]
    assert parse(listed).fewshot.baselines == ("random_forest", "mine_neighbour")
    # What the workflow stores and its jobs read again says the same.
    assert parse(chosen.model_dump(mode="json")) == chosen


def test_learners_know_the_layer_and_not_the_steps() -> None:
    chosen = parse(rasters())
    for name, member in members(chosen.embeddings).items():
        settings = decisive.baseline(chosen, Learner(name))
        assert settings["options"] == {"embeddings": "mine", "learner": member.kind.name}
        assert not decisive.in_steps(chosen, Learner(name))
        assert set(settings["fewshot"]) == {"validation", "refine"}


def test_a_config_without_layers_decides_what_it_always_did() -> None:
    plain = cubes.make_config()
    assert not any("embedding" in leaf for leaf in decisive.leaves(decisive.report(plain)))
    assert not any("embedding" in leaf for leaf in decisive.leaves(decisive.evaluate(plain)))
    assert not any("embeddings" in path for path in Paths(plain).kept())
    assert any("embeddings" in path for path in Paths(parse(rasters())).kept())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embeddings": {"satelite": {}}}, "unknown product of embeddings 'satelite'"),
        ({"embeddings": {"satellite_embedding": {}}}, "farm is the embedded landscape, which no"),
        ({"embeddings": {"mine": {"rasters": {"fram": "x.tif"}}}}, "unknown area 'fram'"),
        (
            {"embeddings": {"mine": {"rasters": {"farm": "x"}, "learners": []}}},
            "one entry at least is wanted",
        ),
        (
            {"embeddings": {"satellite_embedding": {"rasters": {"farm": "x.tif"}}}},
            "is a product of Earth Engine; give yours another name",
        ),
        (
            {
                "embeddings": {
                    "a": {"rasters": {"farm": "x"}},
                    "a_series": {"rasters": {"farm": "x"}},
                }
            },
            "'a_series' is a learner of a and of a_series",
        ),
        (
            {"embeddings": {"random_forest": {"rasters": {"farm": "x"}}}},
            "'random_forest' is another learner's name",
        ),
        ({"embeddings": {"Mine": {"rasters": {"farm": "x"}}}}, "not a name of a baseline"),
        (
            {"fewshot": {"set": "land", "options": {"mine": {"C": 1}}}},
            "a learner of embeddings.mine has no options",
        ),
        (
            {"embeddings": {}, "fewshot": {"set": "land", "baselines": ["satellite_embedding"]}},
            r"add `embeddings: \{satellite_embedding: \{\}\}`",
        ),
        ({"sets": {"land": {"store": "s.zarr"}}}, "come from a store of yours"),
    ],
)
def test_layers_that_cannot_be_had_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(rasters(**changes))


def test_an_area_of_the_sweep_without_a_raster_is_refused() -> None:
    values = cubes.make_config(areas={"farm": {}, "other": {"bounds": [5.1, 50, 5.12, 50.01]}})
    values = values.model_dump(mode="json") | {"embeddings": {"mine": {"rasters": {"farm": "x"}}}}
    with pytest.raises(ConfigError, match="no raster for 'other', an area of sets"):
        parse(values)


# --- tiles of rasters, and samples -------------------------------------------------------------


def own(path: Path, tile: Tile, axes: int = 3, **profile: Any) -> np.ndarray:
    """A raster of embeddings around a tile, on its lattice; its values at the tile's pixels."""
    side = tile.size + 8
    values = np.random.default_rng(3).normal(size=(axes, side, side)).astype(np.float32)
    values[0, 6, 6] = np.nan
    values[1, 7, 9] = -9999
    place = from_origin(tile.west - 40, tile.north + 40, 10, 10)
    profile = {"dtype": "float32", "nodata": -9999, "crs": f"EPSG:{tile.epsg}"} | profile
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=axes, transform=place, **profile
    ) as target:
        target.write(values.astype(profile["dtype"]))
    return values[:, 4:-4, 4:-4]


def two_tiles(folder: Path, **changes: Any) -> tuple[Config, list[Tile], Path]:
    """A config with a layer of rasters, its two tiles, and the samples of both."""
    raster = folder / "mine.tif"
    layer = {"mine": {"rasters": {"farm": str(raster)}}}
    chosen = parse(rasters(embeddings=layer, patches={"size": 1, "min_dates": 3, "max_length": 8}))
    found = cubes.tiles(chosen)
    stores = []
    for number, tile in enumerate(found):
        cube = cubes.make_cube(folder / f"{tile.name}.zarr", tile, seed=number)
        stores.append(folder / f"samples-{tile.name}.zarr")
        make_tile_store(chosen, "land", "farm", tile.name, cube, stores[-1])
    merge(chosen, "land", folder / "land.zarr", stores)
    return chosen, found, raster


def test_rasters_that_cannot_be_meant_are_told_before_the_first_job(tmp_path: Path) -> None:
    def raster(name: str, axes: int = 3, west: float = 9.0, crs: int | None = 4326) -> str:
        place = {} if crs is None else {"crs": crs, "transform": from_origin(west, 51.0, 0.1, 0.1)}
        shape = {"count": axes, "width": 20, "height": 20, "dtype": "float32"}
        with rasterio.open(tmp_path / name, "w", **shape, **place):
            pass
        return str(tmp_path / name)

    def told(**areas: str) -> list[str]:
        values = cubes.make_config(tiles=1).model_dump(mode="json")
        values["areas"]["other"] = values["areas"]["farm"]
        values["sets"]["land"]["areas"] = ["farm", "other"]
        del values["fewshot"]["baselines"]
        chosen = parse(values | {"embeddings": {"mine": {"rasters": areas}}})
        return list(embeddingfiles.problems(chosen, Paths(chosen).embedding_tiles()))

    west = cubes.make_config(tiles=1).areas["farm"].bounds[0] - 1
    fits = raster("fits.tif", west=west)
    assert told(farm=fits, other=fits) == []
    assert told(farm=fits, other=str(tmp_path / "later.tif")) == []
    (line,) = told(farm=fits, other=raster("more.tif", 4, west))
    assert "more.tif has 4 bands, and embeddings.mine.rasters.farm has 3; the rasters of" in line
    (line,) = told(farm=fits, other=raster("far.tif", west=west + 40))
    assert line.startswith("embeddings.mine.rasters.other: ")
    assert "far.tif reaches none of the 1 tiles of other" in line
    (line,) = told(farm=fits, other=raster("nowhere.tif", crs=None))
    assert line.startswith("embeddings.mine.rasters.other: ") and "nowhere.tif" in line
    (tmp_path / "text.tif").write_text("axes")
    (line,) = told(farm=fits, other=str(tmp_path / "text.tif"))
    assert "text.tif cannot be read" in line


def test_samples_have_the_values_of_their_pixels(tmp_path: Path) -> None:
    chosen, tiles, raster = two_tiles(tmp_path)
    wanted = own(raster, tiles[0])
    made = []
    for tile in tiles:
        made.append(tmp_path / f"e-{tile.name}.zarr")
        make_tile(chosen, "mine", "farm", tile.name, made[-1])
        assert artefacts.check(made[-1]) == []
    first = store.open_store(made[0], store.TILE_KIND)
    assert first.embedding.dtype == np.float32
    gone = np.zeros(wanted.shape[1:], bool)
    gone[2, 2] = gone[3, 5] = True
    np.testing.assert_array_equal(store.missing(first.embedding.values), gone)
    np.testing.assert_array_equal(first.embedding.values[:, ~gone], wanted[:, ~gone])

    out = tmp_path / "rows.zarr"
    without = gather("mine", tmp_path / "land.zarr", made[::-1], out)
    samples = open_samples(tmp_path / "land.zarr")
    rows = store.read_rows(out)
    assert rows.shape == (samples.sizes["sample"], 3)
    assert without == np.isnan(rows).any(1).sum() > 0
    here = samples.tile.attrs["names"].index(f"farm/{tiles[0].name}")
    checked = 0
    for k in np.flatnonzero(samples.tile.values == here):
        column = int((samples.x.values[k] - tiles[0].west) // 10)
        row = int((tiles[0].north - samples.y.values[k]) // 10)
        expected = np.full(3, np.nan) if gone[row, column] else wanted[:, row, column]
        np.testing.assert_array_equal(rows[k], expected)
        checked += 1
    assert checked > 50


def test_what_does_not_fit_the_samples_is_refused(tmp_path: Path) -> None:
    chosen, tiles, raster = two_tiles(tmp_path)
    own(raster, tiles[0])
    one, two = (tmp_path / f"e-{tile.name}.zarr" for tile in tiles)
    make_tile(chosen, "mine", "farm", tiles[0].name, one)
    with pytest.raises(SitsError, match=r"has samples of .*, and no embeddings of it were given"):
        gather("mine", tmp_path / "land.zarr", [one], tmp_path / "rows.zarr")
    own(raster, tiles[1], axes=4)
    make_tile(chosen, "mine", "farm", tiles[1].name, two)
    with pytest.raises(SitsError, match=r"4 axes of float32, 3 of float32"):
        gather("mine", tmp_path / "land.zarr", [one, two], tmp_path / "rows.zarr")
    with pytest.raises(SitsError, match="'theirs' are wanted"):
        gather("theirs", tmp_path / "land.zarr", [one, two], tmp_path / "rows.zarr")
    with pytest.raises(SitsError, match="is of kind 'samples'"):
        gather("mine", tmp_path / "land.zarr", [tmp_path / "land.zarr"], tmp_path / "rows.zarr")
    assert not (tmp_path / "rows.zarr").exists()


def test_a_raster_elsewhere_gives_no_sample_and_is_refused(tmp_path: Path) -> None:
    chosen, tiles, raster = two_tiles(tmp_path)
    own(raster, replace(tiles[0], west=tiles[0].west + 60_000))
    made = [tmp_path / f"e-{tile.name}.zarr" for tile in tiles]
    for tile, path in zip(tiles, made, strict=True):
        make_tile(chosen, "mine", "farm", tile.name, path)
    with pytest.raises(SitsError, match=r"none of the .* samples .* is it of this place"):
        gather("mine", tmp_path / "land.zarr", made, tmp_path / "rows.zarr")


def test_files_that_are_no_embeddings_are_refused(tmp_path: Path) -> None:
    chosen, tiles, raster = two_tiles(tmp_path)
    out = tmp_path / "out.zarr"
    raster.write_text("no raster")
    with pytest.raises(SitsError, match=r"embeddings.mine.rasters.farm: .* cannot be read"):
        make_tile(chosen, "mine", "farm", tiles[0].name, out)
    own(raster, tiles[0], dtype="complex64", nodata=None)
    with pytest.raises(SitsError, match="has 3 bands of complex64; give a raster with a band of"):
        make_tile(chosen, "mine", "farm", tiles[0].name, out)
    with pytest.raises(SitsError, match="no embeddings 'their' in the config; there are"):
        make_tile(chosen, "their", "farm", tiles[0].name, out)
    assert not out.exists()


def test_a_damaged_chunk_is_said(tmp_path: Path) -> None:
    chosen, tiles, raster = two_tiles(tmp_path)
    own(raster, tiles[0])
    path = tmp_path / "tile.zarr"
    make_tile(chosen, "mine", "farm", tiles[0].name, path)
    chunk = next(file for file in (path / "embedding" / "c").rglob("*") if file.is_file())
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 255
    chunk.write_bytes(data)
    with pytest.raises(SitsError, match=r"is damaged.*make the embeddings again"):
        store.part(store.open_store(path, store.TILE_KIND), path)


def test_bytes_are_numbers_by_the_publishers_rule() -> None:
    bytes_ = np.array([[127, -127, 0, 51], [-1, 64, 2, -128]], np.int8)
    found = store.decoded(bytes_, {"divisor": 127.5, "power": 2.0})
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0, :3], [0.992172, -0.992172, 0.0], atol=1e-6)
    np.testing.assert_allclose(found[1, :3], [-6.1515e-05, 0.251965, 2.4606e-04], rtol=1e-4)
    assert np.isnan(found[:, 3]).all()


def test_embeddings_of_other_samples_are_refused(tmp_path: Path) -> None:
    samples = phenology.make()
    theirs = phenology.write(tmp_path / "crops.zarr", samples)
    out = tmp_path / "rows.zarr"
    values = np.ones((len(samples), 16), np.float32)
    axes = tuple(f"b{k}" for k in range(16))
    store.write_rows(
        out, values, axes, {"layer": "mine"}, config={}, inputs={"samples": theirs}
    )  # fmt: skip
    member = members(parse(rasters()).embeddings)["mine"]
    of_layer(out, theirs, member)
    other = phenology.write(tmp_path / "other.zarr", phenology.make(seed=1))
    with pytest.raises(SitsError, match="was made for other samples than"):
        of_layer(out, other, member)
    with pytest.raises(SitsError, match="holds the embeddings 'mine'; 'satellite_embedding' are"):
        of_layer(out, theirs, of_products()["satellite_embedding"])


# --- tables and claims -------------------------------------------------------------------------
