"""What a reader may do next, from what the run has and what it lacks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sitsformer.evaluation.claims import ENOUGH_RUNS
from sitsformer.report import nextconfig
from sitsformer.report.gather import Material


def link(file: Path, folder: Path) -> str:
    """The address of a file or folder from the folder of the page."""
    return quote(os.path.relpath(file, folder).replace(os.sep, "/"))


def steps(m: Material, maps: Sequence[Mapping[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """What to do next: a head, text, a command or key of the config, and files to open.

    Args:
        m: of the report.
        maps: sections of its maps (`mapped.section`).
        folder: that the page will stand in.
    """
    found = [*_of_maps(m, maps)]
    if m.folder is None:
        return found
    found += _of_claims(m)
    tables = [(name, m.folder / f"{name}.csv") for name in ("summary", "claims", "per_class")]
    found.append(
        {
            "head": "Numbers of your own",
            "text": "Each table of this page is a file; what a row of each is stands under Tables, "
            "at its end.",
            "files": [(f"{n}.csv", link(p, folder)) for n, p in tables if p.is_file()],
        }
    )
    return found


def _of_maps(m: Material, maps: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    if not maps:
        yield {
            "head": "A map",
            "text": "This run draws none. Name an area of the config and run again:",
            "code": "maps: {tiles: {AREA: all}}",
        }
        return
    for one in maps:
        files = {file["name"]: file["link"] for file in one["files"]}
        raster = f"{one['name']}.tif"
        opened = [(name, files[name]) for name in (raster, f"{one['name']}.vrt") if name in files]
        yield {
            "head": f"Open the map of {one['name']}",
            "text": "in QGIS or any GIS: names and colours of the classes come with it.",
            "files": opened,
        }
        visits = f"{one['name']}_visits.gpkg"
        if visits in files:
            yield {
                "head": "Where a visit teaches most",
                "text": "places where the map is least certain: go there, fill in the column "
                "`class`, add the rows to your labels, run again.",
                "files": [(visits, files[visits])],
            }
        if not one["measured"]:
            path = next(p for p in m.maps if p.stem == one["name"])
            yield {
                "head": f"Measure the map of {one['name']}",
                "text": "Its areas are counted pixels, which are biased. Draw places at random "
                "within each class, find out what grows there (lon, lat, class), and:",
                "code": f"sitsformer assess {path} reference.csv --design stratified",
            }
    yield {
        "head": "Another area or year",
        "text": "The model that drew this map draws others by itself. Copy what is folded here "
        "into next.yaml, change area and dates, and:",
        "code": "sitsformer config check next.yaml && sitsformer predict next.yaml --cores 2",
        "text_of_file": nextconfig.text(m.config, str(maps[-1]["name"])),
    }


def _of_claims(m: Material) -> Iterator[dict[str, Any]]:
    claims = m.tables["claims"]
    undecided = int((claims.verdict == "undecided").sum())
    if undecided:
        yield {
            "head": f"{undecided} of {len(claims)} claims are undecided",
            "text": "More draws and pretraining runs narrow the interval over them; only more test "
            "ground narrows the one over test blocks.",
            "code": _more(m),
        }


def _more(m: Material) -> str:
    """Keys of the config for twice the draws, and for as many pretraining runs as a claim needs."""
    draws = f"fewshot: {{seeds: {2 * m.config.fewshot.seeds}}}"
    seeds = list(m.config.pretrain.seeds)
    if not m.models or m.config.pretrain.models or len(seeds) >= ENOUGH_RUNS:
        return draws
    seeds += [seed for seed in range(2 * ENOUGH_RUNS) if seed not in seeds]
    return f"{draws}, pretrain: {{seeds: {seeds[:ENOUGH_RUNS]}}}"
