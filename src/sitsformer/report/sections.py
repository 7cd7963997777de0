"""Sections of the page that only some runs have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from sitsformer.cube import open_cube
from sitsformer.embeddings import members
from sitsformer.embeddings import products as products_of_embeddings
from sitsformer.labelchecks import check
from sitsformer.labels import products
from sitsformer.report.gather import Material
from sitsformer.report.whatnext import link
from sitsformer.samples import read_manifest
from sitsformer.surveys import account

SHOWN = 20
"""Samples that deserve a second look, of each set, on the page."""

BLOCKS = 50
"""Blocks whose classes are counted there, of each set, the largest first."""


def _table(frame: pd.DataFrame) -> dict[str, Any]:
    """A frame as text, with nothing where there is nothing."""
    return {
        "columns": [str(name).replace("_", " ") for name in frame.columns],
        "rows": frame.astype(object).where(frame.notna(), "").to_numpy().tolist(),
    }


def label_maps(m: Material) -> str:
    """Which map each label layer of the cubes is, by area: `worldcover of 2021 (iowa)`."""
    found: dict[str, list[str]] = {}
    for path in m.cubes:
        cube = open_cube(path)
        for name in products():
            year = cube.attrs.get(f"{name}_year")
            if name in cube and year is not None:
                of = f"{name} of {int(year)}"
                season = m.config.areas.get(str(cube.attrs["area"]))
                if season is not None and season.season_year != int(year):
                    of += f", the nearest to {season.season_year}"
                areas = found.setdefault(of, [])
                areas += [cube.attrs["area"]] * (cube.attrs["area"] not in areas)
    return "; ".join(f"{of} ({', '.join(areas)})" for of, areas in found.items())


def embeddings(m: Material) -> list[dict[str, str]]:
    """Layers of embeddings: of which year, by whom, and how many test samples have none."""
    found = []
    choices = m.tables["choices"]
    names = members(m.config.embeddings)
    for layer in m.config.embeddings:
        product = products_of_embeddings().get(layer)
        areas = m.config.sets[m.config.fewshot.set].areas
        years = ", ".join(f"{area} {m.config.areas[area].season_year}" for area in areas)
        own = [name for name, member in names.items() if member.layer == layer]
        said = [json.loads(text) for text in choices[choices.method.isin(own)].choice]
        found.append(
            {
                "layer": layer,
                "title": layer if product is None else product.title,
                "of": "rasters of the config"
                if product is None
                else f"{product.collection} (year of each season: {years})",
                "page": "" if product is None else product.page,
                "attribution": "" if product is None else product.attribution,
                "licence": "" if product is None else product.licence,
                "without": f"{max((one.get('without_embedding', 0) for one in said), default=0):,}",
            }
        )
    return found


def surveys(m: Material, folder: Path) -> list[dict[str, Any]]:
    """What became of labelled features, by set: a row a reason, a column a class.

    Args:
        m: of the report.
        folder: that the page will stand in; it links files from there.
    """
    found = []
    for name, path in m.stores.items():
        manifest = read_manifest(path)
        features = manifest.get("features", {})
        if "layer" not in features:
            continue  # a store made elsewhere may count something else by that name
        checked = check(path)
        of_class = {account.KEPT: features["kept"], **features["dropped"]}
        classes = list(dict.fromkeys(name for counts in of_class.values() for name in counts))
        found.append(
            {
                "set": name,
                "layer": features["layer"],
                "file": str(path / account.TABLE),
                "link": link(path / account.TABLE, folder),
                "features": features["features"],
                "samples": features["samples"],
                "classes": classes,
                "rows": [
                    {
                        "reason": reason.replace("_", " "),
                        "meaning": account.REASONS.get(reason, ""),
                        "counts": [counts.get(name, 0) for name in classes],
                        "total": sum(counts.values()),
                    }
                    for reason, counts in of_class.items()
                ],
                "warnings": [line for line in manifest["warnings"] if ": no samples" not in line],
                "checks": checked.summary[-2:],
                "spread": _table(checked.classes),
                "blocks": _table(checked.blocks.head(BLOCKS)),
                "more_blocks": max(0, len(checked.blocks) - BLOCKS),
                "suspicious": _table(checked.samples.head(SHOWN)),
                "more": max(0, len(checked.samples) - SHOWN),
                "store": str(path),
            }
        )
    return found
