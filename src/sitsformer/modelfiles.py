"""What a model artefact says of itself, without the network: light, for configs and maps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitsformer import artefacts
from sitsformer.errors import SitsError

if TYPE_CHECKING:
    from sitsformer.classes import Classes

FORMAT = 1
"""Version of the artefact; a reader refuses what it does not know."""

CONFIG = "config.json"

KNOWING = "land_cover"
"""Folder, in the model of a map, of the pretrained model whose land cover it is weighed by."""

GREY = "#808080"
"""Colour of a class that has none."""


def describe(path: Path) -> dict[str, Any]:
    """The `config.json` of a model artefact; every file of the model is checked.

    Raises:
        SitsError: there is no model at `path`, or it is damaged or of another format.
    """
    if path.is_dir() and (path / CONFIG).exists() | artefacts.has_record(path):
        refuse_damaged(path)
    try:
        found: dict[str, Any] = json.loads((path / CONFIG).read_text())
    except (OSError, ValueError) as error:
        raise SitsError(
            f"{path} is no model of sitsformer ({CONFIG}: {error}): give the directory that "
            "`sitsformer pretrain` or `sitsformer finetune` wrote"
        ) from None
    if found.get("format") != FORMAT:
        raise SitsError(
            f"{path} has format {found.get('format')!r}, this version reads {FORMAT}: "
            "install the version that wrote it (see provenance.json), or train again"
        )
    return found


def refuse_no_network(path: Path, found: Mapping[str, Any]) -> None:
    """Refuse the model of a map that is a baseline.

    Args:
        path: of the model.
        found: by `describe`.
    """
    learner = found.get("learner", {})
    if "calendar" in learner:
        raise SitsError(
            f"{path} is a {learner['title']}, no network: it draws maps (sitsformer map, "
            "maps.model), and has no embeddings and no weights to go on from; give a model that "
            "`sitsformer pretrain`, `fewshot` or `finetune` wrote"
        )


def refuse_damaged(path: Path) -> None:
    """Refuse a model with a file that is not as recorded."""
    problems = artefacts.glance(path)
    if problems:
        raise SitsError(
            f"{path} is damaged ({problems[0]}): copy it again from where it came, or train again"
        )


def classes_of(found: Mapping[str, Any]) -> Classes:
    """Classes of a described model; one of before it knew their codes has 1, 2, ...

    Args:
        found: by `describe`.
    """
    from sitsformer.classes import Classes

    names = tuple(found["classes"])
    colours = tuple(found.get("class_colours", ())) or (GREY,) * len(names)
    codes = [tuple(each) for each in found.get("class_codes", ())]
    return Classes(names, colours, tuple(codes or [(k + 1,) for k in range(len(names))]))
