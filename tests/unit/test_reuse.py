"""Models that travel: maps without a config, models named in configs, embeddings of everything."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import xarray as xr
import yaml
from click.testing import CliRunner

import made_run
import phenology
from sitsformer import cube, embed, grid, paths
from sitsformer.checks import foresight
from sitsformer.checks.problems import problems
from sitsformer.classes import Classes
from sitsformer.commands.embed import embed as embed_command
from sitsformer.commands.map import map_command
from sitsformer.commands.predict import predict
from sitsformer.config import ConfigError, parse
from sitsformer.errors import SitsError
from sitsformer.model import SITSFormer
from sitsformer.modelfiles import classes_of, describe
from sitsformer.modelstore import Origin, load_model, save_model
from sitsformer.samples import load_samples
from sitsformer.sensors import BANDS


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cube, a sample store, a fine-tuned and a pretrained model."""
    folder = tmp_path_factory.mktemp("first")
    made_run.make_cube(folder / "tile.zarr")
    phenology.write(folder / "crops.zarr", phenology.make(80, side=3))
    made_run.make_model(folder / "crop", "classification", phenology.NAMES)
    made_run.make_model(folder / "dual-p3", "dual")
    return folder


def test_a_copied_model_draws_a_map_without_a_config(first: Path, tmp_path: Path) -> None:
    shutil.copytree(first / "crop", tmp_path / "taken")
    made_run.run(
        map_command, "--model", tmp_path / "taken", "--cube", first / "tile.zarr", "--layer",
        "embeddings", "--out", tmp_path / "map.tif",
    )  # fmt: skip
    with rasterio.open(tmp_path / "map.tif") as source:
        values = source.read(1)
        assert source.tags(1)["CLASS_2"] == "maize"
    assert (values[1:-1, 1:-1] > 0).all() and (values[0] == 0).all()
    with rasterio.open(tmp_path / "map_embeddings.tif") as source:
        assert source.count == load_model(first / "crop").width == 32


def test_a_pretrained_model_draws_no_map(first: Path, tmp_path: Path) -> None:
    with pytest.raises(SitsError, match="has no classes: it was pretrained only"):
        made_run.run(
            map_command, "--model", first / "dual-p3", "--cube", first / "tile.zarr", "--out",
            tmp_path / "map.tif",
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_values_of_bands_in_reverse_order_are_refused_until_said_to_be_right(
    first: Path, tmp_path: Path
) -> None:
    """The means of the bands of a tile stand in the model, the last band's first."""
    cube_path, samples, crop = first / "tile.zarr", first / "crops.zarr", tmp_path / "crop"
    stored = cube.layer_values(cube.open_cube(cube_path).reflectance)
    means = stored.mean((0, 2, 3)) / 10_000
    shape = load_model(first / "crop").architecture
    wrong = SITSFormer(shape, means[::-1], np.full(10, 0.02), BANDS, phenology.NAMES)
    codes = tuple((k + 1,) for k in range(4))
    origin = Origin("classification", classes=Classes(phenology.NAMES, phenology.COLOURS, codes))
    save_model(crop, wrong, origin)
    (tmp_path / "c.yaml").write_text(
        yaml.safe_dump({**made_run.CONFIG, "maps": {"check_values": False}})
    )
    drawing = (map_command, "--model", crop, "--cube", cube_path, "--out", tmp_path / "map.tif")
    with pytest.raises(SitsError, match=r"reverse order.* set maps\.check_values: false"):
        made_run.run(*drawing)
    for source in (cube_path, samples):
        embedding = (embed_command, "--model", crop, source, tmp_path / f"{source.stem}.parquet")
        with pytest.raises(SitsError, match=r"reverse order.* say --unchecked"):
            made_run.run(*embedding)
        assert sorted(one.name for one in tmp_path.iterdir()) == ["c.yaml", "crop"]
    made_run.run(*drawing, "--config", tmp_path / "c.yaml")
    made_run.run(*embedding, "--unchecked")
    assert (tmp_path / "map.tif").is_file() and (tmp_path / "crops.parquet").is_file()


@pytest.mark.parametrize("ending", [".zarr", ".parquet"])
@pytest.mark.parametrize("model", ["crop", "dual-p3"])
def test_samples_are_embedded_with_their_places(
    first: Path, tmp_path: Path, model: str, ending: str
) -> None:
    out = tmp_path / f"e{ending}"
    made_run.run(embed_command, "--model", first / model, first / "crops.zarr", out)
    samples, network = load_samples(first / "crops.zarr"), load_model(first / model)
    expected = network.embed(samples.reflectance, samples.doy)
    if ending == ".zarr":
        found = xr.open_zarr(out)
        vectors, labels = found.embedding.values, found.label.values
        np.testing.assert_array_equal(found.lon, samples.lon)
    else:
        found = geopandas.read_parquet(out)
        assert found.crs.to_epsg() == 4326
        np.testing.assert_array_equal(found.geometry.y, samples.lat)
        vectors = found[[f"e{k}" for k in range(network.width)]].to_numpy()
        labels = found.label.to_numpy()
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert labels.tolist() == [phenology.NAMES[k] for k in samples.label]


@pytest.mark.parametrize("ending", [".zarr", ".parquet"])
def test_tiles_are_embedded_on_their_grid(first: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"e{ending}"
    embed.embed_tile(first / "crop", first / "tile.zarr", out)
    dataset = cube.open_cube(first / "tile.zarr")
    if ending == ".zarr":
        found = xr.open_zarr(out, decode_coords="all")
        assert found.embedding.dims == ("y", "x", "feature") and found.embedding.dtype == "float16"
        assert int(found.spatial_ref.attrs["epsg"]) == 32632
        np.testing.assert_array_equal(found.x, dataset.x)
        inner = found.embedding.values[1:-1, 1:-1]
        assert np.isfinite(inner).all() and np.isnan(found.embedding.values[0]).all()
        assert (found.dates.values[1:-1, 1:-1] == (dataset.clear[:, 5, 5].values >= 60).sum()).all()
    else:
        found = geopandas.read_parquet(out)
        assert len(found) == (made_run.SIDE - 2) ** 2
        lon, lat = grid.to_lonlat(32632, found.x.to_numpy(), found.y.to_numpy())
        np.testing.assert_allclose(found.geometry.x, lon)
        np.testing.assert_allclose(found.lat, lat)


def test_what_cannot_be_embedded_is_refused(first: Path, tmp_path: Path) -> None:
    with pytest.raises(SitsError, match=r"written as \.zarr or \.parquet"):
        embed.embed_samples(first / "crop", first / "crops.zarr", tmp_path / "e.csv")
    arguments = ["--model", str(first / "crop"), "--neighbour", "x", str(first / "crops.zarr"), "e"]
    done = CliRunner().invoke(embed_command, arguments)
    assert done.exit_code == 2 and "not with samples" in done.output


def settings(first: Path, **sections: object) -> dict[str, object]:
    return {**made_run.CONFIG, "model": {"hidden": 16, "heads": 2}, **sections}


def test_a_given_model_takes_the_place_of_a_trained_one(first: Path) -> None:
    given = {"set": "crops", "objectives": ["ssl", "dual"], "models": {"dual": f"{first}/dual-p3"}}
    config = parse(settings(first, pretrain=given))
    layout = paths.Paths(config)
    assert layout.pretrained() == ["results/models/ssl-p0", str(first / "dual-p3")]
    assert list(foresight.model_problems(config)) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patches": {"size": 5}}, "reads patches of 3 pixels, and patches.size is 5"),
        ({"model": {"hidden": 32}}, "has the hidden size 16, and model.hidden is 32"),
        ({"model_of": "ssl"}, "was made for dual, not for ssl"),
    ],
)
def test_a_given_model_that_does_not_fit_is_refused(first: Path, changes, message: str) -> None:
    values = settings(first, **{k: v for k, v in changes.items() if k != "model_of"})
    objective = changes.get("model_of", "dual")
    values["pretrain"] = {
        "set": "crops", "objectives": ["ssl", "dual"],
        "models": {objective: str(first / "dual-p3")},
    }  # fmt: skip
    (found,) = foresight.model_problems(parse(values))
    assert found.startswith(f"pretrain.models.{objective}: ") and message in found


@pytest.mark.parametrize(
    ("pretrain", "message"),
    [
        ({"objectives": ["ssl"], "models": {"dual": "x"}}, "not among the objectives"),
        ({"models": {"dual": "x"}, "seeds": [0, 1]}, "a given model is one run"),
    ],
)
def test_models_that_a_config_cannot_give(first: Path, pretrain, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(settings(first, pretrain={"set": "crops", **pretrain}))


def test_a_config_of_areas_and_a_model_alone(first: Path) -> None:
    values = {
        "areas": made_run.CONFIG["areas"],
        "patches": {"size": 3},
        "maps": {"model": str(first / "crop"), "tiles": {"county": 1}},
    }
    config = parse(values)
    assert not config.learns and problems(config) == []
    layout = paths.Paths(config)
    assert (layout.cells(), layout.pretrained(), layout.map_model()) == (
        [], [], str(first / "crop")
    )  # fmt: skip
    (tile,) = layout.mapped_tiles("county")
    near = layout.neighbours("county", tile.name)
    assert 1 <= len(near) <= 8 and set(layout.cubes()) == {layout.cube("county", tile.name), *near}
    with pytest.raises(ConfigError, match=r"maps\.tiles: a config with maps\.model alone"):
        parse({**values, "maps": {"model": "x"}})
    with pytest.raises(ConfigError, match="shots: no effect beside `model`"):
        parse({**values, "maps": {"model": "x", "tiles": {"county": 1}, "shots": 5}})
    with pytest.raises(ConfigError, match=r"sets: this key must be given(.|\n)*pretrain\.set"):
        parse({"areas": made_run.CONFIG["areas"]})
    pretrained = parse(
        {**values, "maps": {"model": str(first / "dual-p3"), "tiles": {"county": 1}}}
    )
    assert any("has no classes" in line for line in problems(pretrained))


def test_a_folder_with_a_config_and_nothing_else_is_enough(first: Path, tmp_path: Path) -> None:
    """As docs/reuse.md has it: the model in a folder beside, no Snakefile."""
    shutil.copytree(first / "crop", tmp_path / "first" / "crop")
    (tmp_path / "second").mkdir()
    values = {
        "areas": made_run.CONFIG["areas"],
        "patches": {"size": 3},
        "maps": {"model": "../first/crop", "tiles": {"county": 1}},
    }
    (tmp_path / "second" / "next.yaml").write_text(yaml.safe_dump(values))
    words = ["predict", "next.yaml", "--cores", "2", "--dry-run"]
    done = subprocess.run(
        [sys.executable, "-m", "sitsformer", *words], cwd=tmp_path / "second",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    for rule in ("map", "mosaic", "report"):
        assert re.search(rf"^{rule} +1$", said, re.MULTILINE), rule


def test_a_config_without_a_model_predicts_nothing() -> None:
    config = Path(__file__).parents[2] / "config" / "config.yaml"
    done = CliRunner().invoke(predict, [str(config)])
    assert isinstance(done.exception, SitsError)
    assert "names no model in maps.model" in str(done.exception)


def test_a_model_of_before_its_classes_had_codes(first: Path) -> None:
    found = describe(first / "crop")
    assert classes_of(found).codes == ((1,), (2,), (3,), (4,)) and found["layer"] == "cdl"
    older = {key: value for key, value in found.items() if key not in ("class_codes", "layer")}
    assert classes_of(older) == classes_of(found)
