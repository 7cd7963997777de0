"""The conda environments, the images, the constraints and pyproject say the same."""

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


@pytest.mark.parametrize("name", ["default", "slurm"])
def test_the_jobs_of_every_profile_share_the_quota_of_an_earth_engine_project(name: str) -> None:
    assert {path.name for path in (ROOT / "profiles").iterdir()} == {"default", "slurm"}
    profile = yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())
    assert profile["resources"] == {"earthengine_requests": 40}


def steps(text: str) -> list[str]:
    """Shell commands, one a line, without the ways of a Dockerfile to join them."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [step.strip() for step in re.split(r"\s*&&\s*|\n", joined) if step.strip()]


def test_both_images_are_made_by_the_same_steps_from_the_constraints() -> None:
    docker = (ROOT / "Dockerfile").read_text()
    apptainer = (ROOT / "apptainer.def").read_text()
    (base,) = re.findall(r"^ARG BASE=docker.io/library/(.*)$", docker, re.MULTILINE)
    assert re.findall(r"^From: (.*)$", apptainer, re.MULTILINE) == [base]
    ran = re.findall(r"^RUN ((?:.*\\\n)*.*)$", docker, re.MULTILINE)
    post = apptainer.partition("%post\n")[2].partition("%runscript")[0]
    asked = [step for text in ran for step in steps(text)]
    assert asked == steps(post)
    (install,) = [step for step in asked if "pip install" in step]
    assert "--constraint /opt/sitsformer/constraints.txt" in install
    kept = set(re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert kept == set(re.findall(r"^    (\S+) /opt/sitsformer/\1$", apptainer, re.MULTILINE))
    assert all((ROOT / name).exists() for name in kept)
    python = base.removeprefix("python:").partition("-")[0]
    pinned = [yaml.safe_load(path.read_text()) for path in (ROOT / "envs").glob("*.yaml")]
    assert {f"python={python}"} == {env["dependencies"][0] for env in pinned}
