"""The page: what stands in it, and the template it is made with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from sitsformer import artefacts, plots
from sitsformer.embeddings import main_learners, members
from sitsformer.evaluation import digits, seen, tables
from sitsformer.evaluation.efficiency import sentence
from sitsformer.evaluation.evaluate import FEW
from sitsformer.fewshot import BESIDE_SETTINGS, shots_order
from sitsformer.plots import style
from sitsformer.report import mapped, sections, setting, whatnext
from sitsformer.report.gather import Material
from sitsformer.report.words import WORDS
from sitsformer.training.objectives import starts


def render(
    material: Material, drawings: Mapping[str, str], folder: Path = Path(), figures: Path = Path()
) -> str:
    """The HTML of the report.

    Args:
        material: what it shows.
        drawings: SVG of the figures, by name.
        folder: that the page will stand in; it links files from there.
        figures: folder of the figures as files.
    """
    environment = jinja2.Environment(
        loader=jinja2.BaseLoader(), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["number"] = digits.number
    environment.filters["coded"] = _coded
    environment.globals["interval"] = digits.interval
    template = environment.from_string((files(__package__) / "page.html").read_text("utf-8"))
    maps = [mapped.section(material, path, folder) for path in material.maps]
    learned = material.config.learns
    about = _learned(material, drawings, folder, figures) if learned else _only_mapped(material)
    return template.render(
        learned=learned,
        next=whatnext.steps(material, maps, folder),
        maps=maps,
        rules=material.benchmarks.fillna(0).to_dict("records"),
        artefacts=_artefacts(material),
        versions=artefacts.versions(),
        config_text=material.config_text,
        level=f"{material.config.evaluation.level:.0%}",
        results=material.config.results,
        **about,
    )


def _learned(
    material: Material, drawings: Mapping[str, str], folder: Path, figures: Path
) -> dict[str, Any]:
    """What the page says of pretraining and the sweep."""
    return {
        "headline": _headline(material),
        "words": WORDS,
        "claims": material.tables["claims"].to_dict("records"),
        "what": setting.rows(material),
        "table": _table(material),
        "sections": _sections(drawings, whatnext.link(figures, folder)),
        "surveys": sections.surveys(material, folder),
        "embeddings": sections.embeddings(material),
        "leakage": _leakage(material.tables["leakage"]),
        "seen": _seen(material),
        "choices": _choices(material),
        "tables": _tables(material, folder),
    }


def _only_mapped(material: Material) -> dict[str, Any]:
    """What it says where a given model maps, and nothing is learned."""
    areas = ", ".join(material.config.maps.tiles)
    return {
        "headline": f"{areas}, mapped by a model that was given. Nothing was learned here, and "
        "nothing tested: how good the model is in this place and season, a sample of it tells.",
        "what": setting.rows_of_maps(material),
        "seen": "",
    }


def _coded(text: str) -> Markup:
    """Text with `names` as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _headline(m: Material) -> str:
    """One line: what came out for the network with few labels, beside its two rivals."""
    summary = m.tables["summary"]
    part = summary[(summary.score == "macro_f1")]
    shots = style.representative(list(part.shots.unique()))
    part = part[part.shots == shots]
    means: dict[str, float] = dict(zip(part.arm, part["mean"].astype(float), strict=True))
    named = [f"{init}-{m.config.fewshot.adaptations[0]}" for init in starts()]
    plain = [arm for arm in means if "-" not in arm and "+" not in arm]
    embedded = members(m.config.embeddings)
    baselines = sorted((a for a in plain if a not in embedded), key=lambda arm: -means[arm])
    shown = [arm for arm in [*named, *baselines[:1], *main_learners(embedded)] if arm in means]
    best = f"best baseline there, {style.look(baselines[0]).label}" if baselines else ""
    labels = {arm: style.look(arm).label for arm in shown} | dict.fromkeys(baselines[:1], best)
    pieces = [f"{labels[arm]} {means[arm]:.2f}" for arm in shown]
    many = "all labels" if shots == "all" else f"{shots} labels a class"
    found = (
        f"Macro F1 on test ground apart from every labelled sample, with {many}: "
        f"{', '.join(pieces)}."
    )
    if len(shown) > 1 and baselines:
        titles = (style.look(shown[0]).label, f"the {style.look(baselines[0]).label}")
        found += f" {sentence(summary, shown[0], baselines[0], titles) or ''}"
    return found.strip()


def _table(m: Material) -> dict[str, Any]:
    """The headline table: arms by shots, macro F1 with both intervals."""
    summary = m.tables["summary"]
    part = summary[summary.score == "macro_f1"]
    shots = sorted(set(part.shots) - {FEW}, key=shots_order)
    shots += [FEW] if FEW in set(part.shots) else []
    best = {s: part[part.shots == s]["mean"].max() for s in shots}
    rows = []
    several = len(m.config.fewshot.adaptations) > 1
    for arm in dict.fromkeys(part.sort_values(["method", "init"]).arm):
        chosen = part[part.arm == arm].set_index("shots")
        cells: list[dict[Any, Any] | None] = []
        for s in shots:
            if s not in chosen.index:
                cells.append(None)
                continue
            row = chosen.loc[s]
            cells.append({**row.to_dict(), "best": row["mean"] == best[s]})
        look = style.look(arm, several)
        network = "-" in arm
        rows.append(
            {"label": look.label, "colour": look.colour, "network": network, "cells": cells}
        )
    rows.sort(key=lambda row: not row["network"])
    return {"shots": shots, "rows": rows}


def _sections(drawings: Mapping[str, str], files: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for name, drawn in drawings.items():
        about_it = plots.FIGURES[name]
        body = style.inline(drawn, name, f"{about_it.title}. {about_it.caption}")
        found.setdefault(about_it.category, []).append(
            {
                "name": name,
                "title": about_it.title,
                "caption": about_it.caption,
                "svg": body,
                "link": f"{files}/{name}.svg",
            }
        )
    return found


def _leakage(frame: pd.DataFrame) -> list[list[str]]:
    """Rows of the leakage table as text."""

    def text(value: Any) -> str:
        if isinstance(value, float):
            return digits.number(value, 0) or "not known"
        return {"True": "yes", "False": "no", "": "–"}.get(str(value), str(value))

    return [[text(value) for value in row] for row in frame.itertuples(index=False)]


def _seen(m: Material) -> str:
    """What pretraining has seen of the ground that is tested on."""
    found = seen.check_seen(m.config, m.fewshot_store, m.pretrain_store)
    if found.count is None:
        return "Where the samples lie is not known, nor what pretraining has seen of the test."
    return seen.sentence(m.config, found)


def _choices(m: Material) -> list[dict[str, Any]]:
    """What validation chose, counted over draws and shots, by arm."""
    import json

    rows = []
    several = len(m.config.fewshot.adaptations) > 1
    for arm, part in m.tables["choices"].groupby("arm", sort=False):
        settings = [_settings(json.loads(text)) for text in part.choice]
        texts = pd.Series(
            [", ".join(f"{k} {v}" for k, v in sorted(one.items())) for one in settings]
        )
        counts = texts.value_counts(sort=True)
        label = style.look(str(arm), several).label
        rows.append({"arm": label, "chosen": [f"{t or 'none'} ({n})" for t, n in counts.items()]})
    return rows


def _settings(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings in what a cell says of its choice: baselines have them in an entry of theirs."""
    if "chosen" in choice:
        found: Mapping[str, Any] = choice["chosen"]
        return found
    return {name: value for name, value in choice.items() if name not in BESIDE_SETTINGS}


def _tables(m: Material, folder: Path) -> list[tuple[str, str, str]]:
    """Name, address and rows of every table that lies beside the page."""
    assert m.folder is not None, "a run that learns has tables"
    files = ((m.folder / f"{name}.csv", row) for name, row in tables.ROWS.items())
    return [(path.name, whatnext.link(path, folder), row) for path, row in files]


def _artefacts(m: Material) -> list[tuple[str, str, str]]:
    """Kind, path and digest of every artefact the page is made from."""
    groups = {
        "cube": m.cubes,
        "samples": tuple(m.stores.values()),
        "model": tuple(m.models.values()),
        "map": m.maps,
    }
    return [
        (kind, str(path), artefacts.digest(path)[:16])
        for kind, paths in groups.items()
        for path in paths
    ]
