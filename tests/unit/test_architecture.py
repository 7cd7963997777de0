"""The rules of docs/architecture.md: who may import whom."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import phenology

PACKAGE = Path(__file__).parents[2] / "src" / "sitsformer"
TORCH_ONLY = {"torch", "numpy", "sitsformer"}
BESIDE = {"observers": {"tensorboard", "mlflow"}, "checkpoint": {"safetensors"}}
"""What single modules import besides, inside the functions that need it."""


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, at its head or inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def modules(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((PACKAGE / room).rglob("*.py"))]


@pytest.mark.parametrize(
    "path", modules("model", "training"), ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_model_and_training_need_torch_and_numpy_alone(path: Path) -> None:
    outside = {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names)
    assert outside <= TORCH_ONLY | BESIDE.get(path.stem, set())


def test_what_the_network_reads_of_stores_imports_nothing() -> None:
    assert imported(PACKAGE / "stored.py") == set()


def test_artefacts_are_written_without_knowing_what_they_hold() -> None:
    found = {name for path in modules("artefacts") for name in imported(path)}
    own = {name for name in found if name.startswith("sitsformer")}
    assert {name.split(".")[1] for name in own if "." in name} <= {"artefacts", "errors", "threads"}
    assert {name.split(".")[0] for name in found - own} <= set(sys.stdlib_module_names)


def test_the_map_of_the_code_names_every_room() -> None:
    page = (PACKAGE.parents[1] / "docs" / "architecture.md").read_text()
    rooms, _, _ = page.replace("src/sitsformer/", "").partition("## Words")
    named = set(re.findall(r"`([a-z0-9_]+(?:/|\.py))`", rooms))
    folders = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    files = {path.name for path in PACKAGE.glob("[a-z]*.py")}
    assert folders | files == named & (folders | files)
    assert all(next(PACKAGE.rglob(name.rstrip("/")), None) for name in named)


def test_looking_through_sources_sensors_and_map_products_is_light() -> None:
    code = (
        "import sys\n"
        "from sitsformer import mapproducts, sensors, sources\n"
        "assert len(sources.sources()) >= 3 and len(mapproducts.products()) >= 4\n"
        "print(sorted({'numpy', 'xarray', 'pydantic', 'rasterio'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_no_stage_or_contract_imports_a_source() -> None:
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        if room in ("imagery", "commands", "export.py"):
            continue
        found = {name for name in imported(path) if name.startswith("sitsformer.imagery")}
        assert not found, path


def test_nothing_imports_the_command_line() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in ("cli.py", "__main__.py", "commands"):
            continue
        assert not {name for name in imported(path) if name.startswith("sitsformer.commands")}, path


def test_geemap_is_imported_where_people_look_and_nowhere_else() -> None:
    users = [path for path in PACKAGE.rglob("*.py") if "geemap" in imported(path)]
    assert {path.relative_to(PACKAGE).parts[0] for path in users} == {"imagery"}


def test_what_snakemake_loads_at_every_start_is_light() -> None:
    code = (
        "import sys\n"
        "from sitsformer import artefacts, decisive, mapproducts, paths, plots\n"
        "from sitsformer.checks import foresight, problems\n"
        "from sitsformer.evaluation import seen, tables\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'ee', 'geemap', 'xarray', 'pandas', 'zarr'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def loaded(code: str, names: str, *words: object) -> str:
    """Those of some modules that are loaded after a piece of code in a process of its own."""
    code = f"import sys\n{code}\nprint(*sorted(set({names!r}.split()) & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def test_training_loads_no_compiler() -> None:
    """Which takes as long as torch itself, in every job of a sweep."""
    code = (
        "import torch\n"
        "from sitsformer.training.recipe import Plan, make_optimiser\n"
        "layer = torch.nn.Linear(2, 2)\n"
        "optimiser = make_optimiser(layer, Plan())\n"
        "before = layer.weight.clone()\n"
        "layer(torch.ones(1, 2)).sum().backward()\n"
        "optimiser.step()\n"
        "assert (layer.weight != before).all() and layer.weight.requires_grad\n"
        "optimiser.zero_grad()\n"
        "optimiser.load_state_dict(optimiser.state_dict())"
    )
    assert loaded(code, "torch torch._dynamo sympy") == "torch"


def test_a_baseline_without_a_network_loads_no_torch(tmp_path: Path) -> None:
    store = phenology.write(tmp_path / "made.zarr", phenology.make(120))
    config = tmp_path / "config.yaml"
    sections = {"sets": {"made": {"store": str(store)}}, "fewshot": {"set": "made"}}
    sections["pretrain"] = {"set": "made", "overlap": "labels"}
    config.write_text(yaml.safe_dump(sections))
    words = (
        *("baseline", "--config", config, "--samples", store, "--method", "nearest_centroid"),
        *("--shots", "2", "--seeds", "0", "--checkpoint", tmp_path / "kept"),
        *("--out", tmp_path / "cells.parquet"),
    )
    code = "from sitsformer import cli\ncli.main()"
    assert loaded(code, "torch xarray", *words) == "xarray"
    assert (tmp_path / "cells.parquet").exists()


def test_there_is_no_circle_of_imports() -> None:
    graph: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(("sitsformer", *path.relative_to(PACKAGE).with_suffix("").parts))
        graph[name.removesuffix(".__init__")] = {
            found for found in top_level(path) if found.startswith("sitsformer")
        }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done or name not in graph:
            return
        for other in graph[name]:
            if other != name and not name.startswith(f"{other}."):
                visit(other, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def top_level(path: Path) -> set[str]:
    """What a file imports when it is imported (not inside functions or for type checkers)."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names
