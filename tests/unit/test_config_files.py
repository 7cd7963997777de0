"""Config files as people write them: read as meant, or refused with one message."""

import json
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sitsformer.checks.problems import problems
from sitsformer.config import ConfigError, load, load_all, parse
from sitsformer.config.reading import read_yaml

ROOT = Path(__file__).parents[2]
DEMO = (ROOT / "config" / "config.yaml").read_text()


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "config.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


DEEP = "x: " + "{a: " * 3000 + "1" + "}" * 3000
BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 8)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("areas: [", "is not YAML: line 1, column 9: "),
        ("", "is empty: a config has at least sets"),
        ("# nothing\n", "is empty"),
        ("- 1\n- 2\n", "holds no mapping of keys"),
        ("hello", "holds no mapping of keys"),
        (DEMO.encode("utf-16"), "is UTF-16 text: save it as UTF-8"),
        (DEMO.encode() + b"# caf\xe9\n", "is not UTF-8 text (line 82, byte 0xe9): save it"),
        (b"\x89PNG\r\n\x1a\n\0", "is not UTF-8 text (line 1, byte 0x89)"),
        (b"\0\1\2", "is not YAML: unacceptable character #x0000"),
        (DEMO.replace("    start", "\tstart"), "column 1: found character '\\t'"),
        (DEMO + "patches: {size: 5}\n", "key 'patches' stands twice, in line 41 and in line 82"),
        (DEMO.replace("seeds: 5", "seeds: 5\n  seeds: 6"), "the key 'seeds' stands twice, in line"),
        (DEMO.replace("seeds: 5", "seeds: 05"), ": 05 is an octal number in YAML; write it"),
        (DEMO.replace("seeds: 5", "seeds: 1:30"), ": 1:30 is a number to the base of 60 in YAML"),
        (DEMO.replace("seeds: 5", "seeds: " + "9" * 5000), "is not YAML: Exceeds the limit"),
        (DEMO + "? [a, b]\n: 1\n", "a key must be one word (line 82)"),
        (DEMO + "---\na: 1\n", "line 82, column 1: but found another document"),
        (DEMO + "x: !!python/object:os.system {}\n", "line 82, column 4: could not determine"),
        ("a: &a [*a]\n", "the anchor in line 1 holds itself"),
        (BOMB, "holds more than 100,000 values, aliases written out"),
        (DEEP, "nested too deeply"),
        (DEMO.replace("start: 2020-03-01", "start: 2020-02-31"), "start: Input should be a valid"),
        (DEMO.replace("size: 3", "size: 4"), "patches.size: Input should be 1, 3, 5, 7 or 9"),
        (DEMO.replace("label: cdl", "label: no"), "sets.crops.label: found false: YAML reads"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_config_is_refused_with_one_message(tmp_path, content, message) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(path) in str(caught.value) and message in str(caught.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "no.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=f"{path} cannot be read: {message}"):
            load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + DEMO.encode(),
        DEMO.replace("\n", "\r\n"),
        json.dumps(yaml.safe_load(DEMO), default=str),
        DEMO.replace("3.0e-3", "3e-3"),
        DEMO.replace("start: 2020-03-01", "start: '2020-03-01'"),
    ],
    ids=["byte order mark", "CRLF", "JSON", "exponent without a point", "date in quotes"],
)
def test_other_ways_to_write_the_same(tmp_path: Path, content: str | bytes) -> None:
    assert load(written(tmp_path, content)) == parse(yaml.safe_load(DEMO))


def test_keys_are_the_text_that_was_written(tmp_path: Path) -> None:
    text = "a: {no: [1], on: [2], 2021: [3], 010: [4], 'x': [5]}\nb: 2021-03-01\n"
    values, lines = read_yaml(written(tmp_path, text))
    assert values["a"] == {"no": [1], "on": [2], "2021": [3], "010": [4], "x": [5]}
    assert values["b"] == date(2021, 3, 1)
    assert (lines["a"], lines["a.no.0"], lines["b"]) == (1, 1, 2)


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    text = """
first: &one
  split: &split {by: block, seed: 1}
  size: 3
second:
  <<: *one
  size: 5
  split: {<<: *split, seed: 2}
third: {<<: [*split, *one], seed: 3}
"""
    values, _ = read_yaml(written(tmp_path, text))
    assert values == yaml.safe_load(text)
    assert values["second"] == {"split": {"by": "block", "seed": 2}, "size": 5}


def test_each_mistake_has_the_line_of_its_key(tmp_path: Path) -> None:
    path = written(tmp_path, DEMO.replace("epochs: 6", "epoch: 6").replace("heads: 4", "heads: 0"))
    with pytest.raises(ConfigError) as caught:
        load(path)
    head, *mistakes = str(caught.value).splitlines()
    assert head == f"{path} cannot be used:"
    rows = DEMO.splitlines()
    for mistake, key in zip(mistakes, ("heads", "epochs"), strict=True):
        line = next(i for i, row in enumerate(rows, 1) if row.strip().startswith(f"{key}:"))
        assert mistake.endswith(f"(line {line})")


def test_files_and_overrides_replace_key_by_key(tmp_path: Path) -> None:
    base, more = tmp_path / "base.yaml", tmp_path / "more.yaml"
    base.write_text(DEMO)
    more.write_text("fewshot: {seeds: 7, shots: [1]}\nmaps: {shots: 1}\n")
    config = load_all([base, more], {"fewshot": {"seeds": "8"}, "results": "elsewhere"})
    assert (config.fewshot.seeds, config.fewshot.shots) == (8, (1,))
    assert (config.fewshot.steps, config.results) == (300, "elsewhere")
    with pytest.raises(ConfigError, match=r"(?s)base.yaml, .*more.yaml cannot.*fewshot.seeds: "):
        load_all([base, more], {"fewshot": {"seeds": 0}})


def leaves(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values below, sections too."""
    items = (
        values.items()
        if isinstance(values, dict)
        else enumerate(values)
        if isinstance(values, list)
        else ()
    )
    found = [path] if path else []
    return found + [leaf for key, item in items for leaf in leaves(item, (*path, key))]


PATHS = leaves(yaml.safe_load(DEMO))
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 200)
    | st.sampled_from([10**12, 2**64, 1e-3, 0.5, -0.5, float("nan"), float("inf")])
    | st.sampled_from(["", " ", "all", "none", "cdl", "year", "area", "../x", "a\0b", "$NO_X", "é"])
    | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edits=st.lists(st.tuples(st.sampled_from(PATHS), JUNK), min_size=1, max_size=3))
def test_no_edit_of_a_config_ends_in_a_traceback(edits) -> None:
    values = deepcopy(yaml.safe_load(DEMO))
    for path, junk in edits:
        section: Any = values
        for key in path[:-1]:
            section = section[key] if isinstance(section, dict) and key in section else {}
        if isinstance(section, dict):
            section[path[-1]] = junk
    try:
        config = parse(values)
    except ConfigError as error:
        assert len(str(error).splitlines()) > 1
        return
    assert parse(config.model_dump(mode="json")) == config
    assert all(": " in line for line in problems(config))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=40) | st.binary(max_size=40))
def test_no_file_ends_in_a_traceback(tmp_path: Path, text: str | bytes) -> None:
    try:
        path = written(tmp_path, text)
    except UnicodeEncodeError:
        return  # a lone surrogate is in no file
    with pytest.raises(ConfigError):
        load(path)


OLD = DEMO.replace("  adaptations: [probe]", "  ways: [bias, full]").replace(
    "  shots: 100\n", "  way: full\n  shots: 100\n"
)


def test_old_names_of_keys_are_read_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert OLD.count("way") == DEMO.count("way") + 2
    path = written(tmp_path, OLD)
    config = load(path)
    assert (config.fewshot.adaptations, config.maps.adaptation) == (("bias", "full"), "full")
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: fewshot.ways is now called fewshot.adaptations; please rename it",
        f"{path}: maps.way is now called maps.adaptation; please rename it",
    ]
    caplog.clear()
    assert parse(config.model_dump(mode="json")) == config
    assert not caplog.records


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("way: full", "adaptation: full\n  way: full", "maps.adaptation: stands there as maps.way"),
        ("ways: [bias, full]", "ways: [ful]", "adaptations.0: unknown adaptation 'ful'; known are"),
        ("ways: [bias, full]", "ways: []", "one entry at least is wanted (line 67)"),
        ("ways: [bias, full]", "ways: {a: b}", "fewshot.adaptations: Input should be a list"),
        ("ways: [bias, full]", "ways:", "fewshot.adaptations: Input should be a list"),
        ("way: full", "way: linear", "maps.adaptation: 'linear' is not among fewshot.adaptations"),
        ("way: full", "wey: full", "maps.wey: unknown key"),
    ],
)
def test_mistakes_under_old_names(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = OLD.replace(f"  {old}\n", f"  {new}\n")
    assert text != OLD
    with pytest.raises(ConfigError) as error:
        load(written(tmp_path, text))
    assert message in str(error.value)


def test_what_comes_later_goes_before_whichever_name_it_has(tmp_path: Path) -> None:
    path, second = written(tmp_path, OLD), tmp_path / "second.yaml"
    second.write_text("fewshot: {adaptations: [full, linear]}\nmaps: {adaptation: full}\n")
    assert load_all([path, second]).fewshot.adaptations == ("full", "linear")
    assert load_all([path], {"fewshot": {"adaptations": ["full"]}}).fewshot.adaptations == ("full",)
    path.write_text(DEMO)
    second.write_text("fewshot: {ways: [full, linear]}\nmaps: {adaptation: full}\n")
    assert load_all([path, second]).fewshot.adaptations == ("full", "linear")
    given = {"fewshot": {"ways": ["full", "bias"]}, "maps": {"adaptation": "full"}}
    assert load_all([path], given).fewshot.adaptations == ("full", "bias")
