"""The config: one clear message a mistake, and docs that are never stale."""

import json
import os
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from sitsformer.checks.foresight import notes
from sitsformer.checks.problems import problems
from sitsformer.config import ConfigError, expand, load_all, parse

ROOT = Path(__file__).parents[2]
DEMO: dict[str, Any] = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


def changed(path: str, value: Any) -> dict[str, Any]:
    """The demo's values with one key changed."""
    values = deepcopy(DEMO)
    *parents, last = path.split(".")
    section = values
    for key in parents:
        section = section.setdefault(key, {})
    section[last] = value
    return values


def refused(values: dict[str, Any]) -> str:
    """What is said against a config, by its values alone or before the first job."""
    try:
        return "\n".join(problems(parse(values)))
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("pretrain.epoch", 3, "pretrain.epoch: unknown key"),
        ("areas.county_2021.bounds", [-94.8, 43.1, -94.9, 43.2], "areas.county_2021: west (-94.8)"),
        ("areas.county_2021.bounds", [-94.9, 43.2, -94.8, 43.1], "south (43.2) is not less than"),
        ("areas.county_2021.bounds", [43.1, -94.9, 43.2, -94.8], "are not degrees in the order"),
        ("areas.county_2021.end", "2020-12-31", "areas.county_2021: the season ends (2020-12-31)"),
        ("areas.county_2021.end", "2031-12-31", "at most two years"),
        ("areas.county_2021.labels", ["croptype"], "unknown label 'croptype'"),
        ("areas.county_2021.tiles.size", 125, "areas.county_2021.tiles.size: "),
        ("areas.8mile", DEMO["areas"]["county_2021"], "'8mile' is not a name"),
        ("patches.size", 4, "patches.size: Input should be 1, 3, 5, 7 or 9"),
        ("sets.crops.label", "landcover", "sets.crops.label: unknown label 'landcover'"),
        ("sets.crops.areas", ["nowhere"], "sets.crops.areas: unknown name 'nowhere'"),
        ("sets.crops.split.fractions", [0.5, 0.2, 0.2], "must sum to 1"),
        ("sets.crops.split.block", 333, "must be a multiple of 10"),
        ("pretrain.set", "nothing", "pretrain.set: unknown name 'nothing'"),
        (
            "fewshot.inits",
            ["none", "duall"],
            "fewshot.inits.1: unknown init 'duall'; known are ['dual', 'dual_sits_former', ",
        ),
        ("fewshot.inits", [["dual"]], "fewshot.inits.0: unknown init \"['dual']\"; known are"),
        ("pretrain.objectives", ["none"], "pretrain.objectives.0: unknown objective 'none'; known"),
        ("pretrain.objectives", [1], "pretrain.objectives.0: unknown objective '1'; known are"),
        ("maps.init", "SSL", "maps.init: unknown init 'SSL'; known are"),
        ("pretrain.objectives", ["ssl"], "fewshot.inits: 'sl' is not pretrained"),
        ("maps.shots", 7, "maps.shots: 7 is not among fewshot.shots"),
        ("model.heads", 7, "hidden 64 must be a multiple of heads 7"),
        ("fewshot.shots", [0], "fewshot.shots.0"),
        # What cannot end well.
        ("sets.crops.split.fractions", [0.5, 0.5, 0.0], "sets.crops.split.fractions: the share of"),
        ("sets.crops.split.fractions", [0.0, 0.5, 0.5], "share of train is 0, and the sweep needs"),
        ("sets.crops.split.fractions", [0.7, 0.0, 0.3], "share of validation is 0, and the sweep"),
        (
            "sets.landcover.split.fractions",
            [1.0, 0.0, 0.0],
            "validation is 0, and pretraining needs",
        ),
        ("sets.landcover.split.fractions", [0.0, 0.5, 0.5], "train is 0, and pretraining needs"),
        (
            "sets.landcover.split",
            {"by": "area", "train": ["river_2020"], "test": ["plains_2021"]},
            "sets.landcover.split.validation: validation lists nothing, and pretraining",
        ),
        (
            "sets.landcover.split",
            {"by": "area", "train": ["river_2020"], "test": ["river_2020"]},
            "'river_2020' is listed in both train and test",
        ),
        (
            "sets.landcover.split",
            {"by": "year", "train": [2020], "validation": [2021], "test": [1999]},
            "sets.landcover.split.test: unknown name '1999'; known are ['2020', '2021']",
        ),
        ("sets.landcover.split.train", ["river_2020"], "have no effect in a split by block"),
        ("sets.landcover.split.polygons", "x.gpkg", "`polygons` has no effect in a split by block"),
        ("sets.crops.split.block", 20, "sets.crops.split.block: no patch of 3 pixels fits"),
        (
            "sets.crops.confidence",
            50,
            "sets.crops.confidence: needs a layer such as cdl_con",
        ),
        ("sets.crops.classes", {"only": [1]}, "sets.crops.classes: one class leaves nothing"),
        ("sets.landcover.classes", {"only": [10]}, "sets.landcover.classes: one class leaves"),
        ("sets.crops.classes", {}, "sets.crops.classes: nothing stands here"),
        ("sets.crops", {"store": "x", "per_tile": 5}, "sets.crops: per_tile: no effect beside"),
        ("patches.min_dates", 31, "patches: min_dates 31 is more than max_length 30"),
        ("areas.county_2021.end", "2021-03-20", "patches.min_dates: 6 dates asked for; the season"),
        (
            "maps.mask",
            "cropland ",
            "maps.mask: Input should be 'none' or 'cropland' or a section of keys, found",
        ),
        (
            "areas.county_2021.labels",
            ["cdl"],
            "maps.mask: cropland needs the label layer worldcover or dynamicworld or worldcereal",
        ),
        ("fewshot.adaptations", [], "fewshot.adaptations: nothing stands here"),
        (
            "fewshot.adaptations",
            ["ful"],
            "adaptation 'ful'; known are ['auto', 'bias', 'blend', 'full', ",
        ),
        ("fewshot.adaptations", ["full", "full"], "fewshot.adaptations: 'full' stands twice"),
        ("maps.adaptation", "bias", "maps.adaptation: 'bias' is not among fewshot.adaptations"),
        ("fewshot.shots", [], "fewshot.shots: nothing stands here"),
        ("fewshot.inits", [], "fewshot.inits: the list is empty"),
        ("pretrain.objectives", [], "pretrain.objectives: nothing stands here"),
        ("pretrain.ssl_weight", 0.5, "pretrain.ssl_weight: no such key; write weights: {dual: {"),
        (
            "pretrain.weights",
            {"dual": {"cross_view": 0, "contrast": 0, "landcover": 0}},
            "pretrain: weights.dual: all are 0",
        ),
        (
            "pretrain.weights",
            {"dua": {"contrast": 1}},
            "pretrain.weights.dua: unknown objective 'dua'",
        ),
        ("pretrain.weights", {"dual": {"sll": 1}}, "pretrain.weights.dual.sll: unknown loss 'sll'"),
        (
            "pretrain.weights",
            {"dual": {"contrast": -1}},
            "pretrain.weights.dual.contrast: Input should be",
        ),
        (
            "pretrain.weights",
            {"ssl": {"landcover": 1}},
            "pretrain: weights.ssl: unknown loss of ssl 'landcover'; known are ['contrast', ",
        ),
        # What no run can mean.
        ("fewshot.learning_rates", [-0.001], "fewshot.learning_rates.0: Input should be greater"),
        ("fewshot.learning_rates", [float("nan")], "fewshot.learning_rates.0: Input should be a"),
        (
            "pretrain.recipe",
            {"learning_rate": float("inf")},
            "should be a finite number, found inf",
        ),
        (
            "sets.crops.split.fractions",
            [float("nan"), 0.5, 0.5],
            "fractions.0: Input should be a f",
        ),
        ("sets.crops.split.fractions", [0.5, 0.5], "fractions.2: one more entry is wanted here"),
        ("model.feedforward", -5, "model.feedforward: Input should be greater than or equal to 1"),
        ("pretrain.seeds", [-1], "pretrain.seeds.0: Input should be greater than or equal to 0"),
        ("pretrain.seeds", [2**32], "pretrain.seeds.0: Input should be less than 4294967296"),
        ("pretrain.seeds", [0, 0], "pretrain.seeds: 0 stands twice"),
        ("fewshot.shots", [5, "5"], "fewshot.shots: 5 stands twice"),
        ("fewshot.baselines", ["ltae", "ltae"], "fewshot.baselines: 'ltae' stands twice"),
        ("sets.crops.areas", ["county_2021"] * 2, "sets.crops.areas: 'county_2021' stands twice"),
        ("sets.crops.classes", {"a": [1, 1], "b": [5]}, "sets.crops.classes: 1 stands twice"),
        ("areas.county_2021.start", 1583020800, "start: 1583020800 is not a date; write it as"),
        ("areas.county_2021.start", "01/04/2021", "start: '01/04/2021' is not a date; write it as"),
        (
            "areas.county_2021.start",
            "2021-02-31",
            "areas.county_2021.start: Input should be a valid",
        ),
        ("patches.size", True, "patches.size: found true where a number is wanted"),
        ("sets.crops.label", False, "sets.crops.label: found false: YAML reads yes, no, on, off"),
        (
            "areas.county_2021.labels",
            "cdl",
            "labels: Input should be a list, as [a, b], found 'cdl'",
        ),
        ("evaluation", None, "evaluation: Input should be a section of keys"),
        ("earthengine.cache", " ", "earthengine.cache: the text is empty"),
        ("earthengine.cache", "a\0b", "holds a line break or another control character"),
        ("results", "", "results: the text is empty"),
        ("results", "a\nb", "results: 'a\\nb' holds a line break"),
        ("results", "a{b}c", "results: 'a{b}c' cannot be the folder of results"),
        ("results", "/", "results: '/' cannot be the folder of results"),
        ("results", "x/..", "results: 'x/..' cannot be the folder of results"),
        ("areas.County_2021", DEMO["areas"]["county_2021"], "would be one folder on some disks"),
        # Baselines and their options.
        (
            "fewshot.baselines",
            ["Presto"],
            "'Presto' is not a name of a baseline: use a small letter",
        ),
        ("fewshot.baselines", ["none-full"], "'none-full' is not a name of a baseline"),
        ("fewshot.baselines", ["sitsformer"], "is the network's own name"),
        (
            "fewshot.options",
            {"forest": {"trees": 5}},
            "fewshot.options.forest: 'forest' is not amo",
        ),
        (
            "fewshot.options",
            {"random_forest": {"tres": 5}},
            "random_forest.tres: unknown option; ra",
        ),
        ("fewshot.options", {"random_forest": {"trees": 0}}, "trees: 0 is no whole number above 0"),
        (
            "fewshot.options",
            {"random_forest": {"file": 5}},
            "random_forest.file: 5 is no path of a",
        ),
        # Keys that had no effect.
        ("fewshot.recipe", {"learning_rate": 1e-3}, "the rates of the sweep are learning_rates"),
        ("fewshot.recipe", {"schedule": "exponential"}, "should be 'cosine' or 'constant', found"),
        ("pretrain.epoch", 3, "unknown key (did you mean epochs?)"),
    ],
)
def test_a_mistake_is_one_message_with_the_path_of_its_key(path, value, message) -> None:
    assert message in refused(changed(path, value))


def test_all_mistakes_are_listed_at_once() -> None:
    values = changed("patches.size", 4)
    values["pretrain"]["epoch"] = 1
    with pytest.raises(ConfigError, match=r"(?s)patches\.size.*pretrain\.epoch"):
        parse(values)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "sets.crops.classes",
            {"rye": [999], "corn": [1]},
            "sets.crops.classes: class 'rye': unknown label 999",
        ),
        (
            "sets.crops.classes",
            {"corn": [], "soy": [5]},
            "sets.crops.classes: class 'corn' has no codes",
        ),
        ("sets.crops.classes", {"a": [1], "b": [1]}, "label 1 stands in two classes"),
        ("areas.county_2021.bounds", [3.0, 43.0, 14.0, 44.0], "areas.county_2021: longitudes"),
        ("areas.county_2021.bounds", [3.0, 83.0, 4.0, 85.0], "beyond UTM"),
        ("areas.county_2021.tiles.count", 4000, "areas.county_2021.tiles.count: 4000 tiles asked"),
        ("maps.tiles", {"county_2021": ["1_2_3"]}, "maps.tiles.county_2021: no tile '1_2_3'"),
        ("maps.tiles", {"county_2021": 99}, "maps.tiles.county_2021: 99 tiles asked for, the area"),
        ("sets.crops.split.block", 1e6, "sets.crops.split.block: its areas touch 1 block of"),
        (
            "sets.crops.per_tile",
            10,
            "fewshot.shots: 100 samples a class asked for; sets.crops has 60",
        ),
        ("fewshot.options", {"random_forest": {"file": "no.py"}}, "file: no.py is not a file"),
        ("fewshot.options", {"random_forest": {"file": "$NO_X/a.py"}}, "file: path '$NO_X/a.py': "),
        (
            "sets.crops",
            {"store": "$NO_X"},
            "sets.crops.store: path '$NO_X': the environment variable",
        ),
    ],
)
def test_what_legends_and_grids_say_against_a_config(path, value, message) -> None:
    assert any(message in found for found in problems(parse(changed(path, value))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("BASELINES = {", "is not Python: '{' was never closed (line 1)"),
        ("x = 1", "has no dictionary BASELINES"),
        ("BASELINES = {'other': 1}", "has no baseline 'random_forest' in its BASELINES, which has"),
        ("raise SystemExit\nBASELINES = {'random_forest': 1}", None),
        ("BASELINES = {}\nBASELINES['random_forest'] = 1", None),
        ("from elsewhere import BASELINES", None),
    ],
)
def test_a_file_of_baselines_is_read_and_not_run(tmp_path: Path, text, message) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    found = problems(parse(changed("fewshot.options", {"random_forest": {"file": str(file)}})))
    if message is None:
        assert not found
    else:
        assert [message in line for line in found] == [True]


def test_a_split_by_polygons_needs_polygons_for_each_part(tmp_path: Path) -> None:
    squares = [
        {
            "type": "Feature",
            "properties": {"split": part},
            "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
        }
        for part in ("train", "validation")
    ]
    file = tmp_path / "parts.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": squares}))
    split = {"by": "polygons", "polygons": str(file)}
    found = problems(parse(changed("sets.crops.split", split)))
    lacking = "has no polygon for test, and the sweep needs samples there"
    assert any(lacking in line for line in found)
    samples_alone = problems(parse(changed("sets.crops.split", split)), learned=False)
    assert samples_alone and not any("has no polygon for" in line for line in samples_alone)
    assert not any(
        lacking in line for line in problems(parse(changed("sets.landcover.split", split)))
    )


def test_what_may_not_be_meant_is_noted() -> None:
    values = changed("areas.spare", DEMO["areas"]["county_2021"])
    values["sets"]["more"] = {"areas": ["county_2021"], "label": "cdl"}
    values["fewshot"] |= {"baselines": ["peer"], "controls": []}
    values["fewshot"]["options"] = {"peer": {"features": "peer.npy"}}
    assert [note.split(":")[0] for note in notes(parse(values))] == [
        *("areas.spare", "fewshot.options.peer.features", "sets.more")
    ]
    assert not list(notes(parse(DEMO)))


def test_an_input_of_tomorrow_is_noted(tmp_path: Path) -> None:
    polygons = tmp_path / "parts.geojson"
    polygons.write_text("{}")
    values = changed("sets.crops.split", {"by": "polygons", "polygons": str(polygons)})
    assert not list(notes(parse(values)))
    tomorrow = time.time() + 86_400
    os.utime(polygons, (tomorrow, tomorrow))
    (said,) = notes(parse(values))
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(tomorrow))
    assert said.startswith(f"{polygons} is dated {until}, which is yet to come: ")


def test_folders_of_results_are_written_one_way() -> None:
    written = {"x/": "x", "./x//y": "x/y", "/data/x": "/data/x", "../x": "../x", "a b": "a b"}
    assert {text: parse(changed("results", text)).results for text in written} == written


def test_one_learner_alone_is_compared_with_nobody() -> None:
    for inits, baselines, comparable in (
        (["none"], [], False),
        (["ssl", "sl"], [], False),
        (["ssl", "dual"], [], True),
        (["ssl"], ["ltae"], True),
    ):
        values = changed("fewshot.inits", inits)
        values["fewshot"] |= {"baselines": baselines, "controls": []}
        values["maps"] = {}
        assert parse(values).fewshot.comparable is comparable


def test_an_area_without_tiles_and_files_that_are_missing(tmp_path: Path) -> None:
    empty = tmp_path / "empty.geojson"
    empty.write_text('{"type": "FeatureCollection", "features": []}')
    for name, message in ((empty, "holds no polygons"), (tmp_path / "no.gpkg", "does not exist")):
        values = changed("areas.county_2021.geometry", str(name))
        del values["areas"]["county_2021"]["bounds"]
        assert any(message in found for found in problems(parse(values)))


def test_unset_variables_of_paths_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_FOLDER", raising=False)
    with pytest.raises(ConfigError, match="NO_SUCH_FOLDER is not set"):
        expand("$NO_SUCH_FOLDER/x")
    monkeypatch.setenv("NO_SUCH_FOLDER", "/data")
    assert expand("${NO_SUCH_FOLDER}/x") == Path("/data/x")


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_configs_parse(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What stands in folders takes the place of some keys of the full example.
    full = ROOT / "config" / "examples" / "full.yaml"
    base = [full] if path.parent.name in ("rehearsal", "scale") else []
    config = load_all([*base, path])
    assert config.pretrain.set in config.sets
    assert parse(config.model_dump(mode="json")) == config  # as the workflow stores it
