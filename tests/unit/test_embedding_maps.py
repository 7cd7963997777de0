"""Maps drawn from embeddings of others: who learns, is kept, and predicts pixels as samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from click.testing import CliRunner

import embedded_world
import made_run
import sitsformer
from embedded_world import AXES
from sitsformer import artefacts, cube, decisive, fewshot, finetune, modelstore, sampleseries
from sitsformer.baselines import fitting, savedembedded
from sitsformer.baselines.embedded import of_layer
from sitsformer.checks.foresight import model_problems, season_problems
from sitsformer.commands.baseline import baseline
from sitsformer.commands.crop_model import crop_model
from sitsformer.commands.map import map_command, mosaic
from sitsformer.config import Config, ConfigError, parse
from sitsformer.config.learners import learners, map_learners
from sitsformer.embedded import store
from sitsformer.embeddings import members
from sitsformer.encoded import encoded
from sitsformer.errors import SitsError
from sitsformer.fewshot import Learner, parse_learner
from sitsformer.fewshot.refine import weighed
from sitsformer.maplearner import choose
from sitsformer.maps import load_predictor
from sitsformer.modelfiles import describe
from sitsformer.paths import Paths
from sitsformer.samples import load_samples

METHODS = ("mine", "mine_neighbour", "mine_series", "dual+mine")
SWEEP = {
    "set": "crops", "shots": [5, "all"], "seeds": 2, "inits": ["none", "dual"],
    "adaptations": ["probe"], "baselines": ["random_forest"], "refine": ["land_cover"],
}  # fmt: skip


def config(maps: dict | None = None, **values: Any) -> Config:
    layer = {"mine": {"rasters": {"county": "mine.tif"}}}
    return parse({
        **made_run.CONFIG,
        "embeddings": layer,
        "pretrain": {"set": "crops", "objectives": ["dual", "ssl"], "seeds": [3, 4]},
        "fewshot": SWEEP,
        "model": {"embedding": "linear", "hidden": 16, "layers": 1, "heads": 2},
        "maps": {"tiles": {"county": 1}, "shots": 5} | (maps or {}),
    } | values)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return embedded_world.make(tmp_path_factory.mktemp("world"))


def test_the_layer_joins_with_each_pretrained_encoder() -> None:
    found = config()
    names = [one.name for one in learners(found)]
    assert names[-2:] == ["dual-p3+mine", "dual-p4+mine"]
    assert not any("none" in name or "ssl" in name for name in names if "+" in name)
    for one in learners(found):
        assert parse_learner(one.name) == one
    joined = Learner("encoder+mine", "dual", "-", 3)
    assert joined.joins and not joined.control and joined in list(learners(found))
    assert decisive.baseline(found, joined)["options"] == {
        "embeddings": "mine", "learner": "with_encoder",
    }  # fmt: skip
    assert parse(found.model_dump(mode="json")) == found
    layer = {"mine": {"rasters": {"county": "m.tif"}, "learners": ["with_encoder"]}}
    with pytest.raises(ConfigError, match=r"joins the features of pretrained inits, and"):
        config(embeddings=layer, fewshot=SWEEP | {"inits": ["none"]})


def test_who_learns_from_embeddings_may_draw_maps() -> None:
    found = config()
    assert found.maps.learner == "auto"
    able = [one.name for one in map_learners(found)]
    assert able[-4:] == ["mine", "mine_neighbour", "mine_series", "dual-p3+mine"]
    (tile,) = Paths(found).mapped_tiles("county")
    over = f"results/embeddings/mine/county/{tile.name}.zarr"
    assert Paths(found).embeddings_of("county", tile.name) == [over]
    assert over in Paths(found).kept()
    (one,) = map_learners(config({"learner": "dual+mine"}))
    assert one.name == "dual-p3+mine"
    other = Paths(config({"learner": "random_forest"}))
    assert (other.embeddings_of("county", tile.name), other.map_embedded()) == ([], [])
    refused = {"learner": "mine", "layers": ["embeddings"]}
    with pytest.raises(ConfigError, match="mine cannot draw maps: it has no embeddings of its own"):
        config(refused)


def test_a_map_that_embeddings_may_draw_needs_them_over_its_area() -> None:
    areas = made_run.CONFIG["areas"]
    more = {**areas, "there": {**areas["county"], "bounds": [9.5, 50.0, 9.6, 50.1]}}
    with pytest.raises(ConfigError, match=r"no raster for 'there', an area of maps.tiles"):
        config({"tiles": {"there": 1}}, areas=more)
    config({"tiles": {"there": 1}, "learner": "random_forest"}, areas=more)
    county = {**areas["county"], "source": "earthengine"}
    county |= {"start": "2021-03-01", "end": "2021-10-31", "labels": ["cdl"]}
    old = {**county, "start": "2016-03-01", "end": "2016-10-31", "bounds": [9.5, 50.0, 9.6, 50.1]}
    found = config(
        {"tiles": {"old": 1}}, embeddings={"satellite_embedding": {}},
        areas={"county": county, "old": old},
    )  # fmt: skip
    assert any("season of areas.old" in line for line in season_problems(found))


def made(folder: Path, world: Path, learner: str, maps: dict | None = None) -> Path:
    """The model of the maps, by the command."""
    given = config({"learner": learner} | (maps or {})).model_dump(mode="json")
    (folder / "c.yaml").write_text(yaml.safe_dump(given))
    made_run.run(
        crop_model, "--config", folder / "c.yaml", "--samples", world / "crops.zarr",
        "--pretrained", "dual-p3", world / "dual-p3", "--embeddings", world / "rows.zarr",
        "--out", folder / "crop",
    )  # fmt: skip
    return folder / "crop"


@pytest.mark.parametrize("name", METHODS)
def test_what_is_kept_predicts_as_the_sweep_does(world: Path, tmp_path: Path, name: str) -> None:
    (one,) = map_learners(config({"learner": name}))
    samples = load_samples(world / "crops.zarr")
    settings = config().fewshot.model_copy(update={"refine": ()})
    features = encoded(world / "dual-p3", samples).features if one.joins else None
    member = members(config().embeddings)[one.method]
    record = of_layer(world / "rows.zarr", world / "crops.zarr", member, features)
    (expected,) = fitting.run(samples, one, 5, [0], settings, baseline=record)

    predictor = load_predictor(made(tmp_path, world, name), 64)
    assert artefacts.glance(tmp_path / "crop") == []
    assert predictor.layer_read == "mine" and predictor.axes == AXES
    weighed = "weights" in describe(tmp_path / "crop")["learner"]
    assert predictor.alone == (name in METHODS[:2])
    assert not weighed or name == "dual+mine"
    values = store.read_rows(world / "rows.zarr")
    test = samples.take(expected.sample)
    found = predictor.predict(test.reflectance, test.doy.astype(np.int64), values[test.index])
    if not weighed:
        np.testing.assert_allclose(found, expected.probabilities, atol=2e-6)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    assert (found.argmax(1) == test.label).mean() > 0.7
    with pytest.raises(SitsError, match="reads the embeddings mine of each pixel"):
        sitsformer.load_model(tmp_path / "crop")
    again = made(tmp_path, world, name)
    assert load_predictor(again, 64).classes == samples.classes


def test_the_encoder_reads_samples_once_for_features_and_land_cover(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, init = load_samples(world / "crops.zarr"), world / "dual-p3"
    read = []
    load = modelstore.load_model
    monkeypatch.setattr(sampleseries, "load_model", lambda *a, **k: read.append(a) or load(*a, **k))
    both = encoded(init, samples, land_cover=True)
    assert len(read) == 1
    assert encoded(init, samples).land_cover is None
    np.testing.assert_array_equal(both.land_cover, finetune.land_cover(init, samples))
    model = load(init)
    model.new_classifier(1, (), "seasons")
    apart = model.embed(samples.reflectance, samples.doy, 512, check=False)
    np.testing.assert_array_equal(both.features[samples.index], apart)

    # So it is in maps: what a weighed model draws is what the plain one and land cover say.
    crop = made(tmp_path, world, "dual+mine")
    found = describe(crop)
    weights = np.random.default_rng(3).dirichlet(np.ones(4), 3)
    weighs = found | {"learner": found["learner"] | {"weights": weights.tolist()}}
    plain = found | {"learner": {k: v for k, v in found["learner"].items() if k != "weights"}}
    given = samples.reflectance, samples.doy, store.read_rows(world / "rows.zarr")[samples.index]
    drawn = savedembedded.load(crop, plain, 64)(*given)
    np.testing.assert_allclose(
        savedembedded.load(crop, weighs, 64)(*given),
        weighed(drawn, load(init).predict(*given[:2], check=False), weights),
        atol=1e-6,
    )


@pytest.mark.parametrize("name", METHODS)
def test_a_map_and_its_area_are_drawn(world: Path, tmp_path: Path, name: str) -> None:
    crop = made(tmp_path, world, name)
    tile, options = tmp_path / "tiles" / "a.tif", ("--config", tmp_path / "c.yaml")
    made_run.run(
        map_command, *options, "--model", crop, "--cube", world / "tile.zarr",
        "--embeddings", world / "over.zarr", "--layer", "probabilities", "--out", tile,
    )  # fmt: skip
    with rasterio.open(tile) as source:
        classes, said = source.read(1), source.tags()
    assert said["LEARNER"] == name
    opened = cube.open_cube(world / "tile.zarr")
    truth = opened.cdl.values
    known = np.ones(truth.shape, bool)
    known[10, 10:14] = False
    edge = np.pad(np.zeros((34, 34), bool), 1, constant_values=True)
    if name in METHODS[:2]:
        # From the embedding alone: nothing where there is none, and up to the edge.
        assert (classes[~known] == 0).all() and (classes[edge] > 0).all()
    else:
        assert (classes[~known] > 0).all() and (classes[edge] == 0).all()
    drawn = classes > 0
    assert (classes == truth)[drawn & known].mean() > 0.8
    predictor = load_predictor(crop, 64)
    if predictor.alone:
        item = store.open_store(world / "over.zarr", store.TILE_KIND)
        given = item.embedding.values[:, known].T
        expected = predictor.predict(given, given, given).argmax(1) + 1
        np.testing.assert_array_equal(classes[known], expected)
    out = tmp_path / "county.tif"
    made_run.run(
        mosaic, *options, "--model", crop, "--samples", world / "crops.zarr", "--embeddings",
        world / "rows.zarr", "--cube", world / "tile.zarr", "--out", out, tile,
    )  # fmt: skip
    table = (tmp_path / "county_areas.csv").read_text()
    assert "carried over from the" in table
    command = ["--config", str(tmp_path / "c.yaml"), "--model", str(crop)]
    command += ["--cube", str(world / "tile.zarr"), "--out", str(tmp_path / "b.tif")]
    lacking = CliRunner().invoke(map_command, command)
    assert "reads the embeddings mine, and none were given" in str(lacking.exception)
    assert not (tmp_path / "b.tif").exists()


def test_embeddings_of_another_place_or_product_are_refused(world: Path, tmp_path: Path) -> None:
    crop = made(tmp_path, world, "mine")
    opened = cube.tile_of(cube.open_cube(world / "tile.zarr"))
    command = ["--config", str(tmp_path / "c.yaml"), "--model", str(crop)]
    command += ["--cube", str(world / "tile.zarr"), "--out", str(tmp_path / "b.tif")]

    def told(name: str, axes: tuple[str, ...], west: int, layer: str = "mine") -> str:
        place = type(opened)("x", "t", opened.epsg, west, opened.north, opened.size)
        shape = (len(axes), opened.size, opened.size)
        values = np.zeros(shape, np.float32)
        store.write_tile(
            tmp_path / name, place, axes, "float32",
            lambda block: values[:, block.rows, block.columns], {"layer": layer},
            config={}, inputs={},
        )  # fmt: skip
        done = CliRunner().invoke(map_command, [*command, "--embeddings", str(tmp_path / name)])
        return str(done.exception)

    assert "does not lie where" in told("a.zarr", AXES, opened.west + 600)
    assert "has 3 axes (b1, b2, b3 ...), and the model learned from 8" in told(
        "b.zarr", AXES[:3], opened.west
    )
    assert "those given are of theirs" in told("c.zarr", AXES, opened.west, "theirs")
    assert not (tmp_path / "b.tif").exists()


def test_a_model_of_the_users_reads_the_layer_that_the_config_names(
    world: Path, tmp_path: Path
) -> None:
    crop = made(tmp_path, world, "mine")
    values = {"areas": made_run.CONFIG["areas"], "patches": made_run.CONFIG["patches"]}
    values["maps"] = {"tiles": {"county": 1}, "model": str(crop)}
    assert any("does not name: add `embeddings" in one for one in model_problems(parse(values)))
    layer = {"mine": {"rasters": {"county": "mine.tif"}}}
    given = parse(values | {"embeddings": layer})
    assert list(model_problems(given)) == []
    (tile,) = Paths(given).mapped_tiles("county")
    assert len(Paths(given).embeddings_of("county", tile.name)) == 1
    two = parse(values | {"embeddings": {**layer, "other": layer["mine"]}})
    assert any("reads no embeddings other" in one for one in model_problems(two))
    with pytest.raises(ConfigError, match=r"no raster for 'county', an area of maps.tiles"):
        parse(values | {"embeddings": {"mine": {"rasters": {}}, "m": {"rasters": {"x": "y"}}}})


def test_cells_of_the_joined_are_made_and_chosen(world: Path, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config().model_dump(mode="json")))
    options = ("--config", tmp_path / "c.yaml", "--samples", world / "crops.zarr")
    options += ("--embeddings", world / "rows.zarr", "--shots", "5", "--seeds", "0-1")
    out = tmp_path / "joined.parquet"
    made_run.run(
        baseline, *options, "--method", "dual-p3+mine", "--init-model", world / "dual-p3",
        "--checkpoint", tmp_path / "kept", "--out", out,
    )  # fmt: skip
    table = fewshot.read_cells(out)
    joined = Learner("encoder+mine", "dual", "-", 3)
    assert [cell.learner for cell in table.cells] == [joined, joined]
    assert set(table.cells[0].choice["refinements"]) == {"none", "land_cover"}
    alone = tmp_path / "alone.parquet"
    made_run.run(baseline, *options, "--method", "mine", "--out", alone)
    found = choose([Learner("mine"), joined], [out, alone], "5")
    assert set(found.scores) == {"mine", "dual-p3+mine"}
    told = CliRunner().invoke(baseline, [*map(str, options), "--method", "mine", "--init-model",
                              str(world / "dual-p3"), "--out", str(out)])  # fmt: skip
    assert told.exit_code == 2 and "give --init-model with embeddings joined" in told.output
