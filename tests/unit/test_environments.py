"""The conda environments, the constraints and pyproject say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def pins(file: str = "constraints.txt") -> dict[str, str]:
    rows = (ROOT / file).read_text().splitlines()
    pairs = (row.split("==") for row in rows if "==" in row)
    return {name.lower().replace("_", "-"): version for name, version in pairs}


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_conda_environments_pin_what_the_constraints_pin(path: Path) -> None:
    *_, pip = yaml.safe_load(path.read_text())["dependencies"]
    for item in pip["pip"]:
        name, version = item.split("==")
        assert pins()[name] == version, f"{path.name}: {item}"


def test_the_constraints_pin_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in ("dev", "explore", "cluster", "tensorboard"):
        wanted += project["optional-dependencies"][extra]
    names = {re.split(r"[\[<>=!~; ]", item)[0].lower() for item in wanted}
    assert names <= set(pins())


@pytest.mark.parametrize("path", sorted((ROOT / "locks").glob("*.txt")), ids=lambda path: path.stem)
def test_the_lock_of_a_platform_pins_everything_as_the_constraints_do(path: Path) -> None:
    locked = pins(f"locks/{path.name}")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {re.split(r"[\[<>=!~; ]", item)[0].lower() for item in wanted} <= set(locked)
    different = {name for name in locked if pins().get(name, locked[name]) != locked[name]}
    assert not different, f"{path.name} is stale: run `make lock` ({sorted(different)})"
