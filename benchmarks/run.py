"""Every benchmark beside this file, one process each, one table: `make bench`.

A benchmark is a module with `main() -> dict[str, dict]`: name of a figure -> value, unit, against
(what it is compared with, in the same run) and ratio. The figures of a machine are its own: read
the ratios.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = Path("results") / "benchmarks.json"


def run_alone(path: Path) -> dict[str, Any]:
    """Call `main` of one benchmark in a process of its own and return its figures."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        subprocess.run([sys.executable, __file__, str(path), str(out)], check=True)
        figures: dict[str, Any] = json.loads(out.read_text())
    return figures


def call(path: Path, out: Path) -> None:
    """Import one benchmark by its path, call its `main`, write its figures as JSON."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.argv = [str(path)]
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    out.write_text(json.dumps(module.main()))


def table(figures: dict[str, Any]) -> str:
    """The figures as aligned columns."""
    rows = [("figure", "value", "unit", "ratio", "against")]
    for name, figure in figures.items():
        ratio = figure.get("ratio")
        rows.append(
            (
                name,
                f"{figure['value']:.4g}",
                figure["unit"],
                "" if ratio is None else f"{ratio:.2f}",
                str(figure.get("against") or ""),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def main() -> None:
    """Run all benchmarks and write `results/benchmarks.json`."""
    figures: dict[str, Any] = {}
    for path in sorted(HERE.glob("*.py")):
        if path.name != Path(__file__).name:
            print(f"== {path.name}", flush=True)
            figures.update(run_alone(path))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"\n{table(figures)}\n\n{RESULTS}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        call(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        main()
