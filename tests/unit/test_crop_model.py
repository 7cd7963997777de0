"""Who draws the maps: chosen by validation, fitted, kept without pickle, read again."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
import yaml
from click.testing import CliRunner
from sklearn.ensemble import RandomForestClassifier

import made_run
import phenology
import sitsformer
from sitsformer import artefacts, cropmodel, fewshot, maplearner, modelstore
from sitsformer.baselines import fitting, saved, shipped, trees
from sitsformer.commands.crop_model import crop_model
from sitsformer.commands.map import map_command, mosaic
from sitsformer.config import Config, ConfigError, parse
from sitsformer.config.learners import map_learners
from sitsformer.errors import SitsError
from sitsformer.fewshot import Learner
from sitsformer.fewshot.refine import crop_weights, weighed, with_land_cover
from sitsformer.maps import load_predictor
from sitsformer.model import Architecture, SITSFormer, prediction
from sitsformer.modelfiles import describe
from sitsformer.modelstore import load_model
from sitsformer.paths import Paths
from sitsformer.samples import load_samples
from sitsformer.sensors import BANDS

SWEEP = {
    "set": "crops", "shots": [5, "all"], "seeds": 2, "inits": ["none", "dual"],
    "adaptations": ["probe", "full"], "baselines": ["random_forest", "temporal_cnn"],
    "controls": ["random_forest"], "refine": ["land_cover", "smoothing"], "steps": 3,
    "batch_size": 16, "options": {"random_forest": {"trees": 9}},
}  # fmt: skip
MODEL = {"embedding": "linear", "hidden": 16, "layers": 1, "heads": 2}


def config(maps: dict | None = None, **fewshot: object) -> Config:
    values = {
        **made_run.CONFIG,
        "pretrain": {"set": "crops", "objectives": ["dual", "ssl"], "seeds": [3, 4]},
        "fewshot": SWEEP | fewshot,
        "model": MODEL,
        "maps": {"tiles": {"county": 1}, "shots": 5} | (maps or {}),
    }
    return parse(values)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, a tile, and a pretrained model that tells the crops apart by their peaks."""
    folder = tmp_path_factory.mktemp("world")
    samples = phenology.make(400, side=3)
    phenology.write(folder / "crops.zarr", samples)
    made_run.make_cube(folder / "tile.zarr")
    torch.manual_seed(0)
    shape = Architecture(
        patch=3, embedding="linear", hidden=16, layers=1, heads=2, pooling="mean_max", classes=3
    )
    network = SITSFormer(shape, np.full(10, 0.2), np.full(10, 0.1), BANDS, ("a", "b", "c"))
    # Its land cover differs from sample to sample.
    vectors = torch.from_numpy(network.embed(samples.reflectance, samples.doy))
    with torch.no_grad():
        weight = torch.randn(network.classifier.weight.shape) / vectors.std(0)
        network.classifier.weight.copy_(weight)
        network.classifier.bias.copy_(-weight @ vectors.mean(0))
    origin = modelstore.Origin("dual", config={"objective": "dual", "seed": 3})
    modelstore.save_model(folder / "dual-p3", network, origin)
    return folder


def test_who_may_draw_maps() -> None:
    found = config()
    assert found.maps.learner == "auto"
    names = [one.name for one in map_learners(found)]
    assert names == [
        "none-probe", "none-full", "dual-p3-probe", "dual-p3-full", "random_forest",
        "temporal_cnn", "random_forest-dual-p3",
    ]  # fmt: skip
    layout = Paths(found)
    assert layout.map_cells() == [f"results/fewshot/{name}/5/0-1.parquet" for name in names]
    for asked, name in {
        "random_forest-dual": "random_forest-dual-p3", "dual-probe": "dual-p3-probe",
        "dual-p3-full": "dual-p3-full", "none-full": "none-full",
    }.items():  # fmt: skip
        (one,) = map_learners(config({"learner": asked}))
        assert one.name == name and Paths(config({"learner": asked})).map_cells() == []
    older = config({"init": "dual", "adaptation": "full"})
    assert older.maps.learner is None
    assert map_learners(older) == [Learner("sitsformer", "dual", "full", 3)]
    # A config that was stored with all its keys says the same.
    for one in (found, older):
        assert map_learners(parse(one.model_dump(mode="json"))) == map_learners(one)
    only = map_learners(config({"layers": ["embeddings"]}))
    assert {one.method for one in only} == {"sitsformer"}


@pytest.mark.parametrize(
    ("maps", "fewshot", "message"),
    [
        ({"learner": "forest"}, {}, "maps.learner: no learner 'forest' in the sweep; it has none-"),
        ({"learner": "dual-p4-full"}, {}, "no learner 'dual-p4-full'"),
        ({"learner": "dual-full", "init": "ssl"}, {}, "init: no effect beside `learner`"),
        ({"learner": "auto", "shots": 7}, {}, "maps.shots: 7 is not among fewshot.shots"),
        ({"learner": "auto", "model": "x"}, {}, "learner: no effect beside `model`"),
        (
            {"learner": "mine"},
            {"baselines": ["random_forest", "mine"], "options": {"mine": {"file": "m.py"}}},
            "maps.learner: mine cannot draw maps: it is code of your own",
        ),
        (
            {"learner": "peer"},
            {"baselines": ["random_forest", "peer"], "options": {"peer": {"features": "p.npy"}}},
            "features of the samples alone",
        ),
        (
            {"learner": "random_forest", "layers": ["embeddings"]},
            {},
            "it has no embeddings of its own, which maps.layers asks for",
        ),
    ],
)
def test_who_cannot_draw_maps_is_refused(maps, fewshot, message: str) -> None:
    with pytest.raises(ConfigError) as told:
        config(maps, **fewshot)
    assert message in str(told.value)


def cell(learner: Learner, seed: int, choice: dict, shots: object = 5) -> fewshot.Cell:
    truth = np.array([0, 1])
    return fewshot.Cell(learner, shots, seed, truth, truth, np.eye(2, dtype=np.float32), choice)


def write(path: Path, cells: list[fewshot.Cell]) -> Path:
    fewshot.write_cells(path, cells, made_run.Classes(("a", "b"), ("#000000", "#ffffff")))
    return path


def test_validation_chooses_over_all_draws(tmp_path: Path) -> None:
    forest, network = Learner("random_forest"), Learner("sitsformer", "dual", "full", 3)

    def scored(first: float, second: float) -> list[Path]:
        mine = [
            cell(forest, k, {"validation_accuracy": a, "validation_log_likelihood": -1.0})
            for k, a in enumerate((0.7, 0.5))
        ]
        other = [
            # What a map cannot do does not count, land cover does.
            cell(network, k, {"refinements": {
                "none": [0.1, -1.0], "land_cover": [a, -1.0], "smoothing": [0.99, -1.0]},
            }) for k, a in enumerate((first, second))
        ]  # fmt: skip
        return [write(tmp_path / "f.parquet", mine), write(tmp_path / "n.parquet", other)]

    found = maplearner.choose([forest, network], scored(0.4, 0.9), "5")
    assert found.learner == network and list(found.scores) == [network.name, forest.name]
    assert "accuracy 0.650 over 2 draws of 5 labels a class, next random_forest" in found.why
    assert maplearner.choose([forest, network], scored(0.4, 0.7), "5").learner == forest
    # Of equals the first.
    cells = scored(0.5, 0.7)
    assert maplearner.choose([network, forest], cells, "5").learner == network
    assert maplearner.choose([forest, network], cells, "5").learner == forest
    alone = maplearner.choose([forest], [], "5")
    assert alone.learner == forest and alone.why == "the config names it"
    with pytest.raises(SitsError, match="no predictions of dual-p3-full with 5 labels"):
        maplearner.choose([forest, network], cells[:1], "5")
    with pytest.raises(SitsError, match="with all labels a class"):
        maplearner.choose([forest, network], cells, "all")


@pytest.mark.parametrize("name", [k for k, one in shipped().items() if not one.extra])
def test_a_baseline_that_was_kept_predicts_the_same(world: Path, tmp_path: Path, name: str) -> None:
    """And the same as the sweep: few samples, so that all of them scale the features."""
    samples = load_samples(world / "crops.zarr")
    settings = config(
        baselines=["random_forest", name] if name != "random_forest" else [name]
    ).fewshot
    (expected,) = fitting.run(
        samples, Learner(name), 5, [0], settings.model_copy(update={"refine": ()})
    )
    out = tmp_path / "crop"
    chosen = maplearner.Chosen(Learner(name), "of a test", {})
    given = config({"learner": name}, baselines=list({name, "random_forest"}))
    cropmodel.make(given, world / "crops.zarr", chosen, None, out)
    assert artefacts.glance(out) == [] and not list(out.rglob("*.pkl"))
    predictor = load_predictor(out, 100)
    test = samples.take(expected.sample)
    found = predictor.predict(test.reflectance, test.doy.astype(np.int64))
    np.testing.assert_allclose(found, expected.probabilities, atol=2e-6)
    # Each sample by itself, whatever is predicted beside it.
    few = predictor.predict(test.reflectance[7:9], test.doy[7:9].astype(np.int64))
    np.testing.assert_allclose(few, found[7:9], atol=2e-6)
    assert predictor.classes == samples.classes and predictor.embed is None
    assert (predictor.about["LEARNER"], predictor.about["WHY"]) == (name, "of a test")
    # Twice the same bytes.
    cropmodel.make(given, world / "crops.zarr", chosen, None, tmp_path / "again")
    assert artefacts.digest(out) == artefacts.digest(tmp_path / "again")


@pytest.mark.parametrize("name", ["random_forest", "nearest_centroid", "temporal_cnn"])
def test_a_baseline_that_was_kept_learned_by_the_weights_of_features(
    world: Path, tmp_path: Path, name: str
) -> None:
    """As in the sweep, where a sample of weight 0 is as good as none."""
    plain = load_samples(world / "crops.zarr").take(range(160))
    weight = np.random.default_rng(3).choice([0.0, 1.0, 8.0], len(plain))
    samples = dataclasses.replace(plain, weight=weight)
    settings = config().fewshot.model_copy(update={"refine": ()})
    drawn = fewshot.draw_shots(samples.label, samples.split, 20, 0, 20)
    kept = [saved.fit(one, name, drawn, 0, settings) for one in (samples, plain)]
    described = {
        "bands": samples.bands, "classes": samples.classes.names, "learner": kept[0].about,
        "mean": kept[0].statistics.mean, "std": kept[0].statistics.std,
    }  # fmt: skip
    saved.write(kept[0], tmp_path)
    test = samples.take(samples.split == fewshot.TEST)
    found = saved.load(tmp_path, described)(test.reflectance, test.doy.astype(np.int64))
    (expected,) = fitting.run(samples, Learner(name), 20, [0], settings)
    np.testing.assert_allclose(found, expected.probabilities, atol=2e-6)
    alike = kept[1].predict(kept[1].series.take(np.flatnonzero(samples.split == fewshot.TEST)))
    assert np.abs(alike - found).max() > 0.01


@pytest.mark.parametrize("name", [k for k, one in shipped().items() if not one.extra])
def test_what_is_read_from_the_store_keeps_the_same_bytes(
    world: Path, tmp_path: Path, name: str
) -> None:
    path = world / "crops.zarr"
    settings = config(baselines=[*{name, "random_forest"}]).fewshot
    samples, small = load_samples(path), load_samples(path, reflectance=False)
    drawn = fewshot.draw_shots(samples.label, samples.split, 5, 0, settings.validation)
    held = saved.fit(samples, name, drawn, 0, settings)
    read = saved.fit(small, name, drawn, 0, settings, patches=path)
    assert held.about == read.about and held.choice == read.choice
    assert list(held.arrays) == list(read.arrays)
    for key, value in held.arrays.items():
        assert (
            value.tobytes() == read.arrays[key].tobytes() and value.dtype == read.arrays[key].dtype
        )
    assert held.statistics.mean.tobytes() == read.statistics.mean.tobytes()
    assert held.statistics.std.tobytes() == read.statistics.std.tobytes()


def test_the_model_of_the_maps_is_fitted_without_the_patches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless a patch is a pixel, whose series would be larger."""
    asked, load = [], sitsformer.samples.load_samples
    monkeypatch.setattr(
        "sitsformer.samples.load_samples", lambda *a, **k: asked.append(k) or load(*a, **k)
    )
    chosen = maplearner.Chosen(Learner("random_forest"), "of a test", {})
    given = config({"learner": "random_forest"})
    for side in (3, 1):
        store = phenology.write(tmp_path / f"{side}.zarr", phenology.make(400, side=side))
        cropmodel.make(given, store, chosen, None, tmp_path / f"crop{side}")
    assert asked == [{"reflectance": False}, {"reflectance": False}, {}]


def test_trees_of_plain_arrays_are_the_forest() -> None:
    rng = np.random.default_rng(0)
    points, label = rng.normal(size=(300, 7)).astype(np.float32), rng.integers(1, 4, 300)
    points[rng.random(points.shape) < 0.1] = np.nan
    forest = RandomForestClassifier(20, random_state=0).fit(points, label)
    arrays = trees.of_forest(forest)
    new = rng.normal(size=(700, 7)).astype(np.float32)
    new[rng.random(new.shape) < 0.2] = np.nan
    np.testing.assert_allclose(trees.shares(arrays, new), forest.predict_proba(new), atol=1e-7)
    assert arrays["present"].tolist() == [1, 2, 3]
    whole = np.nan_to_num(new)
    np.testing.assert_allclose(trees.shares(arrays, whole), forest.predict_proba(whole), atol=1e-7)


@pytest.mark.parametrize("name", ["logistic_regression", "random_forest"])
def test_weights_of_labels_count_in_maps_as_in_the_sweep(world: Path, name: str) -> None:
    samples = load_samples(world / "crops.zarr")
    heavy = replace(samples, weight=np.where(samples.index % 2, 1.0, 0.02))
    settings = config(baselines=[*{name, "random_forest"}]).fewshot
    settings = settings.model_copy(update={"refine": ()})
    drawn = fewshot.draw_shots(samples.label, samples.split, 5, 0, settings.validation)
    (expected,) = fitting.run(heavy, Learner(name), 5, [0], settings)
    fitted = saved.fit(heavy, name, drawn, 0, settings)
    found = fitted.predict(fitted.series.take(expected.sample))
    np.testing.assert_allclose(found, expected.probabilities, atol=2e-6)
    plain = saved.fit(samples, name, drawn, 0, settings)
    assert np.abs(plain.predict(plain.series.take(expected.sample)) - found).max() > 0.01


def test_labels_that_were_not_drawn_are_not_kept(world: Path) -> None:
    samples = load_samples(world / "crops.zarr")
    drawn = fewshot.draw_shots(samples.label, samples.split, 5, 0, 20)
    fitted = saved.fit(samples, "nearest_centroid", drawn, 0, config().fewshot)
    assert (fitted.arrays["label"] >= 0).sum() == len(drawn.train)
    test = samples.take(samples.split == fewshot.TEST)
    first = {patch.tobytes() for patch in fitted.arrays["reflectance"][:, 0]}
    assert not first & {patch.tobytes() for patch in test.reflectance[:, 0]}


@pytest.mark.parametrize("learner", ["dual-probe", "random_forest-dual"])
def test_land_cover_weighs_each_pixel_where_validation_prefers_it(
    world: Path, tmp_path: Path, learner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, store = config({"learner": learner}), world / "crops.zarr"
    (one,) = map_learners(given)
    chosen = maplearner.Chosen(one, "of a test", {})
    cropmodel.make(given, store, chosen, world / "dual-p3", tmp_path / "asked")
    asked = describe(tmp_path / "asked")["learner"]["refined"]
    assert asked in ("none", "land_cover")
    # Whatever validation says here, both cases are what a map is drawn with.
    ranks = iter([(0.0, 0.0), (1.0, 0.0)])
    monkeypatch.setattr(cropmodel, "validation_score", lambda *_: next(ranks))
    cropmodel.make(given, store, chosen, world / "dual-p3", tmp_path / "weighed")
    ranks = iter([(1.0, 0.0), (0.0, 0.0)])
    cropmodel.make(given, store, chosen, world / "dual-p3", tmp_path / "plain")
    samples = load_samples(store)
    test = samples.take(samples.split == 2)
    doy = test.doy.astype(np.int64)
    plain, both = (load_predictor(tmp_path / name, 64) for name in ("plain", "weighed"))
    assert "REFINED" not in plain.about and both.about["REFINED"] == "land_cover"
    knowing = load_model(world / "dual-p3")
    everything = knowing.predict(samples.reflectance, samples.doy)
    drawn = fewshot.draw_shots(samples.label, samples.split, 5, 0, 20)
    weights = crop_weights(samples.label[drawn.train], drawn.train, everything, 4)
    expected = weighed(
        plain.predict(test.reflectance, doy), everything[samples.split == 2], weights
    )
    np.testing.assert_allclose(both.predict(test.reflectance, doy), expected, atol=1e-6)
    assert np.abs(expected - plain.predict(test.reflectance, doy)).max() > 0.05
    assert not (tmp_path / "plain" / "land_cover").exists()
    assert load_model(tmp_path / "weighed" / "land_cover").class_names == ("a", "b", "c")


def test_weighing_pixels_is_what_the_sweep_does_to_samples() -> None:
    rng = np.random.default_rng(0)
    guess, cover = rng.dirichlet(np.ones(4), 50), rng.dirichlet(np.ones(3), 50)
    drawn, label = np.arange(8), rng.integers(0, 4, 8)
    found = with_land_cover(guess, label, drawn, cover)
    weights = crop_weights(label, drawn, cover, 4)
    np.testing.assert_allclose(weighed(guess[30:], cover[30:], weights), found[30:])


def test_a_forest_draws_a_map_and_its_table(world: Path, tmp_path: Path) -> None:
    values = config({"learner": "random_forest"}).model_dump(mode="json")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    options = ("--config", tmp_path / "c.yaml")
    crop, tile = tmp_path / "crop", tmp_path / "tiles" / "a.tif"
    made_run.run(crop_model, *options, "--samples", world / "crops.zarr", "--out", crop)
    made_run.run(
        map_command, *options, "--model", crop, "--cube", world / "tile.zarr", "--out", tile
    )
    out = tmp_path / "county.tif"
    made_run.run(
        mosaic, *options, "--model", crop, "--samples", world / "crops.zarr", "--cube",
        world / "tile.zarr", "--out", out, tile,
    )  # fmt: skip
    for path in (tile, out, out.with_suffix(".vrt")):
        with rasterio.open(path) as source:
            assert source.tags()["LEARNER"] == "random_forest", path
            assert source.tags()["WHY"] == "the config names it"
    with rasterio.open(out) as source:
        classes = source.read(1)
    truth = made_run.cube.open_cube(world / "tile.zarr").cdl.values
    assert (classes == truth)[1:-1, 1:-1].mean() > 0.75
    item = json.loads((tmp_path / "county_stac.json").read_text())
    assert item["properties"]["sitsformer:learner"] == "random_forest"
    # Drawn by two, tiles are no map of an area.
    other = config({"learner": "none-probe"}).model_dump(mode="json")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(other))
    made_run.run(crop_model, *options, "--samples", world / "crops.zarr", "--out", crop)
    made_run.run(
        map_command, *options, "--model", crop, "--cube", world / "tile.zarr", "--out",
        tmp_path / "tiles" / "b.tif",
    )  # fmt: skip
    with pytest.raises(SitsError, match=r"was drawn by none-probe, .* by random_forest"):
        made_run.run(mosaic, *options, "--out", out, tile, tmp_path / "tiles" / "b.tif")


def test_a_map_in_bf16_is_close_or_refused(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = load_samples(world / "crops.zarr").take(range(50))
    doy, pretrained = samples.doy.astype(np.int64), world / "dual-p3"
    monkeypatch.setattr(prediction, "has_bf16_units", lambda: True)
    exact, found = (
        load_predictor(pretrained, 64, precision=name).predict(samples.reflectance, doy)
        for name in ("float32", "bf16")
    )
    assert 0 < np.abs(exact - found).max() < 0.05
    monkeypatch.setattr(prediction, "has_bf16_units", lambda: False)
    with pytest.raises(SitsError, match="precision bf16 asks for a GPU, or for a processor"):
        load_predictor(pretrained, 64, precision="bf16")


def test_what_is_no_network_is_told(world: Path, tmp_path: Path) -> None:
    given, crop = config({"learner": "random_forest"}), tmp_path / "crop"
    chosen = maplearner.Chosen(Learner("random_forest"), "of a test", {})
    cropmodel.make(given, world / "crops.zarr", chosen, None, crop)
    with pytest.raises(SitsError, match="is a random forest, no network: it draws maps"):
        load_model(crop)
    model, samples = sitsformer.load_model(crop), load_samples(world / "crops.zarr").take(range(9))
    padding = samples.doy == 0
    values = np.where(samples.reflectance == 65535, np.nan, samples.reflectance * 1e-4)
    found = model.predict(values, samples.doy, 4)
    expected = load_predictor(crop, 10).predict(samples.reflectance, samples.doy)
    assert padding.any() and model.class_names == phenology.NAMES
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(SitsError, match="their bands stand in the reverse order"):
        model.predict(samples.reflectance[:, :, ::-1], samples.doy)
    with pytest.raises(SitsError, match=r"in patches of 3 pixels; found .* and 5"):
        sitsformer.load_model(crop, patch=5)
    options = ["--model", str(crop), "--cube", str(world / "tile.zarr"), "--layer", "embeddings"]
    done = CliRunner().invoke(map_command, [*options, "--out", str(tmp_path / "m.tif")])
    assert done.exit_code == 2 and "no embeddings" in done.output
    (crop / saved.FILE).write_bytes(b"nothing")
    with pytest.raises(SitsError, match="is damaged"):
        load_predictor(crop, 10)


def test_the_pretrained_model_must_be_given(world: Path, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        yaml.safe_dump(config({"learner": "dual-probe"}).model_dump(mode="json"))
    )
    options = ["--config", str(tmp_path / "c.yaml"), "--samples", str(world / "crops.zarr")]
    done = CliRunner().invoke(crop_model, [*options, "--out", str(tmp_path / "crop")])
    assert done.exit_code == 2 and "give --pretrained dual-p3 PATH" in done.output
