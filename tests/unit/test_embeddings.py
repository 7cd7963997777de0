"""Layers of embeddings: records, config, tiles of rasters, samples, and who learns from them."""

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
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

import cubes
import phenology
from sitsformer import artefacts, decisive, fewshot
from sitsformer.baselines import series
from sitsformer.baselines.embedded import Embedded, baseline, of_layer
from sitsformer.baselines.fitting import run
from sitsformer.config import Config, ConfigError, FewShot, parse
from sitsformer.embedded import store
from sitsformer.embedded.rows import gather
from sitsformer.embedded.tiles import make_tile
from sitsformer.embeddings import LEARNERS, learner_name, members, of_products, products
from sitsformer.errors import SitsError
from sitsformer.evaluation import claims, differences, evaluate, metrics
from sitsformer.fewshot import Learner
from sitsformer.grid import Tile
from sitsformer.patches import make_tile_store
from sitsformer.patches.merge import merge
from sitsformer.paths import Paths
from sitsformer.samples import Samples, open_samples
from sitsformer.training.objectives import BEST_BASELINE

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


# --- who learns from them ----------------------------------------------------------------------


def made(samples: Samples, noise: float = 0.4, missing: int = 0) -> Embedded:
    """Embeddings of 16 axes that know the classes, with noise."""
    rng = np.random.default_rng(5)
    directions = rng.normal(size=(len(phenology.NAMES), 16))
    values = directions[samples.label] + noise * rng.normal(size=(len(samples), 16))
    values[rng.choice(len(samples), missing, replace=False)] = np.nan
    return Embedded(values.astype(np.float32))


def encoded(samples: Samples) -> np.ndarray:
    """What an encoder might say of samples: 40 features that know a little of the classes."""
    rng = np.random.default_rng(6)
    directions = rng.normal(size=(len(phenology.NAMES), 40))
    values = directions[samples.label] + 2.0 * rng.normal(size=(len(samples), 40))
    return (1 + 3 * values).astype(np.float32)


def cells(embedded: Embedded, samples: Samples, kind: str, shots: int = 10) -> list[fewshot.Cell]:
    learner = Learner(learner_name("mine", kind))
    own = baseline(embedded, kind, encoded(samples))
    return run(samples, learner, shots, [0, 1], SETTINGS, baseline=own)


@pytest.mark.parametrize("kind", LEARNERS)
def test_every_learner_learns_repeats_and_is_scored_on_every_test_sample(kind: str) -> None:
    samples = phenology.make(side=3)
    embedded = made(samples, missing=9)
    found = cells(embedded, samples, kind)
    test = np.flatnonzero(samples.split == 2)
    for cell in found:
        np.testing.assert_array_equal(cell.sample, test)
        np.testing.assert_allclose(cell.probabilities.sum(1), 1, atol=1e-5)
        matrix = metrics.confusion(cell.truth, fewshot.predicted(cell), len(phenology.NAMES))
        assert metrics.macro_f1(matrix) > 0.6
        assert cell.choice["without_embedding"] == np.isnan(embedded.values[test]).any(1).sum()
    again = cells(embedded, samples, kind)
    np.testing.assert_array_equal(again[1].probabilities, found[1].probabilities)


@pytest.mark.parametrize("kind", LEARNERS)
def test_learners_see_no_label_but_the_drawn_ones(kind: str) -> None:
    samples = phenology.make()
    embedded = made(samples)
    found = cells(embedded, samples, kind)[0]
    draw = fewshot.draw_shots(samples.label, samples.split, 10, 0, 5)
    hidden = np.ones(len(samples), bool)
    hidden[np.concatenate([draw.train, draw.validation])] = False
    label = np.where(hidden & (samples.split == 2), 0, samples.label)
    own = baseline(embedded, kind, encoded(samples))
    hiding = replace(samples, label=label)
    (other, _) = run(hiding, found.learner, 10, [0, 1], SETTINGS, baseline=own)
    np.testing.assert_array_equal(other.probabilities, found.probabilities)


def test_logistic_regression_is_scikit_learns() -> None:
    samples = phenology.make()
    embedded = made(samples, noise=1.5)
    cell = cells(embedded, samples, "logistic_regression")[0]
    draw = fewshot.draw_shots(samples.label, samples.split, 10, 0, 5)
    values = embedded.values.astype(float)
    training = values[samples.split == 0]
    points = (values - training.mean(0)) / training.std(0)
    tried = []
    for strength in (0.01, 0.1, 1.0):
        model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
        model.fit(points[draw.train], samples.label[draw.train])
        found = model.predict_proba(points[draw.validation])
        score = fewshot.validation_score(samples.label[draw.validation], found)
        tried.append((score, strength, model.predict_proba(points[samples.split == 2])))
    score, strength, expected = max(tried, key=lambda one: one[0])
    assert cell.choice["chosen"] == {"C": strength}
    np.testing.assert_allclose(cell.probabilities, expected, atol=1e-6)


def test_nearest_neighbour_is_scikit_learns() -> None:
    samples = phenology.make()
    embedded = made(samples, noise=1.0)
    cell = cells(embedded, samples, "nearest_neighbour")[0]
    draw = fewshot.draw_shots(samples.label, samples.split, 10, 0, 5)
    points = embedded.values.astype(float)
    if cell.choice["chosen"]["standardised"]:
        training = points[samples.split == 0]
        points = (points - training.mean(0)) / training.std(0)
    search = NearestNeighbors(n_neighbors=1).fit(points[draw.train])
    nearest = search.kneighbors(points[samples.split == 2], return_distance=False)[:, 0]
    expected = samples.label[draw.train][nearest]
    np.testing.assert_array_equal(fewshot.predicted(cell), expected)


def test_with_series_gives_both_the_same_say() -> None:
    samples = phenology.make()
    embedded = made(samples)
    joined = baseline(embedded, "with_series")
    everything = series.PixelSeries.of(samples)
    assert joined.space is not None
    features = joined.space(everything)
    axes = embedded.values.shape[1]
    assert features.shape[1] == axes + everything.features("centre").shape[1]
    # As it is fitted: standardised columns, half of the sum of variances each.
    columns = features.shape[1]
    weights = np.sqrt(columns / (2 * axes)), np.sqrt(columns / (2 * (columns - axes)))
    parts = (embedded.values.astype(float), everything.features("centre").astype(float))
    training = samples.split == 0
    scaled = [
        weight * (part - part[training].mean(0)) / np.maximum(part[training].std(0), 1e-6)
        for weight, part in zip(weights, parts, strict=True)
    ]
    points = np.concatenate(scaled, axis=1)
    halves = [one[training].var(0).sum() for one in scaled]
    assert halves[0] == pytest.approx(columns / 2)
    assert halves[1] == pytest.approx(columns / 2, rel=0.05)  # but for constant columns
    cell = cells(embedded, samples, "with_series")[0]
    draw = fewshot.draw_shots(samples.label, samples.split, 10, 0, 5)
    model = LogisticRegression(C=cell.choice["chosen"]["C"], max_iter=200, tol=1e-3)
    model.fit(points[draw.train], samples.label[draw.train])
    expected = model.predict_proba(points[samples.split == 2])
    np.testing.assert_allclose(cell.probabilities, expected, atol=2e-3)


def test_with_encoder_is_scikit_learns_on_both_halves() -> None:
    samples = phenology.make()
    embedded = made(samples)
    cell = cells(embedded, samples, "with_encoder")[0]
    training = samples.split == 0
    halves = []
    for values, columns in ((embedded.values, 16), (encoded(samples), 40)):
        plain = values.astype(float)
        scaled = (plain - plain[training].mean(0)) / plain[training].std(0)
        halves.append(scaled * np.sqrt(56 / (2 * columns)))
    points = np.concatenate(halves, axis=1)
    draw = fewshot.draw_shots(samples.label, samples.split, 10, 0, 5)
    model = LogisticRegression(C=cell.choice["chosen"]["C"], max_iter=200, tol=1e-3)
    model.fit(points[draw.train], samples.label[draw.train])
    expected = model.predict_proba(points[samples.split == 2])
    np.testing.assert_allclose(cell.probabilities, expected, atol=2e-3)
    with pytest.raises(SitsError, match="needs the encoder's"):
        baseline(embedded, "with_encoder")


def test_samples_without_an_embedding_get_the_mean_of_the_training_split() -> None:
    samples = phenology.make()
    values = made(samples).values
    gone = np.flatnonzero(samples.split == 2)[:4]
    values[gone] = np.nan
    cell = cells(Embedded(values), samples, "logistic_regression")[0]
    filled = values.copy()
    filled[gone] = values[samples.split == 0].astype(float).mean(0)
    expected = cells(Embedded(filled), samples, "logistic_regression")[0]
    np.testing.assert_allclose(cell.probabilities, expected.probabilities, atol=1e-6)
    nothing = Embedded(np.full_like(values, np.nan))
    with pytest.raises(SitsError, match="no sample of the training split has an embedding"):
        cells(nothing, samples, "logistic_regression")


def test_smoothing_seeks_neighbours_among_embeddings() -> None:
    samples = phenology.make()
    settings = SETTINGS.model_copy(update={"refine": ("smoothing",)})
    learner = baseline(made(samples, noise=0.1), "logistic_regression")
    (cell,) = run(samples, Learner("mine"), 1, [0], settings, baseline=learner)
    assert cell.choice["refined"] in ("none", "smoothing")


def test_embeddings_of_other_samples_are_refused(tmp_path: Path) -> None:
    samples = phenology.make()
    theirs = phenology.write(tmp_path / "crops.zarr", samples)
    out = tmp_path / "rows.zarr"
    values = made(samples).values
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


def test_embeddings_are_compared_with_as_themselves_and_are_no_baseline() -> None:
    rng = np.random.default_rng(0)

    def result(level: float) -> evaluate.Result:
        names = [*metrics.SCORES, *evaluate.CALIBRATION]
        scores = {name: level + 0.01 * rng.random((1, 5)) for name in names}
        return evaluate.Result(
            scores, {name: level + 0.01 * rng.random(50) for name in evaluate.HEADLINE}
        )

    embedded = of_products()
    arms = {evaluate.Arm("random_forest"): 0.5}
    for name, member in embedded.items():
        arms[evaluate.Arm(name, "dual" if member.kind.encoder else "none")] = 0.9
    arms[evaluate.Arm("encoder+satellite_embedding", "dual")] = 0.95
    results = {arm: {"few": result(level)} for arm, level in arms.items()}
    results[evaluate.Arm("sitsformer", "dual", "full")] = {"few": result(0.7)}
    results[evaluate.Arm("sitsformer", "dual", "probe")] = {"few": result(0.7)}
    table = differences.compare(results, 0.95, embedded)
    first = table[table.adaptation.isin(("full", "-"))].set_index("comparison")
    both = "dual+satellite_embedding"
    assert first.second.to_dict() == {
        f"dual - {BEST_BASELINE}": "random_forest",
        "dual - satellite_embedding": "satellite_embedding",
        f"{both} - dual": "dual-full",
        f"{both} - satellite_embedding": "satellite_embedding",
    }
    assert set(first["first"][f"{both} - dual"]) == {both}
    # Once, however many adaptations there are.
    assert (table.comparison == f"{both} - satellite_embedding").sum() == len(evaluate.HEADLINE)
    assert (table.comparison == f"{both} - dual").sum() == 2 * len(evaluate.HEADLINE)
    found = claims.decide(table, "full", 0.95, embedded=embedded).set_index("claim").verdict
    assert found["With few labels, dual pretraining beats the best baseline"] == "supported"
    assert found["With few labels, dual pretraining beats Satellite Embedding"] == "refuted"
    claim = "With few labels, dual features beside Satellite Embedding beat it alone"
    assert found[claim] == "supported"
