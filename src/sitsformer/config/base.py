"""Names, types and constants that every section of the config uses."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic_core import CoreSchema

from sitsformer.config.meaning import refuse_doubles, refuse_misreadings
from sitsformer.errors import SitsError
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.registry import unknown

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""The ten Sentinel-2 bands of 10 m and 20 m, in the order of every store (SITS-Former's choice)."""

PIXEL = 10
"""Side of a pixel of every cube, metres."""

TILE_STEP = 6
"""Tile sides are multiples of 6 pixels (60 m), so that 10, 20 and 60 m bands nest."""

Split = Literal["train", "validation", "test"]
Objective = Literal["ssl", "sl", "dual"]
Init = Literal["none", "ssl", "sl", "dual"]
Shots = Annotated[int, Field(ge=1)] | Literal["all"]
PatchSize = Literal[1, 3, 5, 7, 9]
Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What NumPy, torch and scikit-learn all take as a seed."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_BASELINE = re.compile(r"[a-z][a-z0-9_]*")


def _is_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a name: use a letter, then letters, digits or '_' "
            "(names become file names and wildcards of the workflow)"
        )
    return value


def _is_baseline(value: str) -> str:
    if not _BASELINE.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a name of a baseline: use a small letter, then small letters, "
            "digits or '_' (the workflow tells baselines from networks by that)"
        )
    return value


def _is_adaptation(value: str) -> str:
    if value not in adaptations():
        raise ValueError(unknown("adaptation", value, adaptations()))
    return value


class _OneOf:
    """Tells editors and the table of keys which names there are, when they ask."""

    def __init__(self, known: Callable[[], Iterable[str]]) -> None:
        self.known = known

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema of the text, and its values."""
        return {**handler(schema), "enum": list(self.known())}


Name = Annotated[str, AfterValidator(_is_name)]
BaselineName = Annotated[str, AfterValidator(_is_baseline)]
AdaptationName = Annotated[str, AfterValidator(_is_adaptation), _OneOf(adaptations)]


class ConfigError(SitsError, ValueError):
    """A config that cannot be used; the message lists every mistake with the path of its key."""


class Section(BaseModel):
    """A section of the config: unknown keys are mistakes, values do not change after loading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        refuse_misreadings(value, cls.model_fields[str(info.field_name)].annotation)
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _each_once(cls, value: Any, info: ValidationInfo) -> Any:
        refuse_doubles(value, cls.model_fields[str(info.field_name)].annotation)
        return value


def expand(path: str) -> Path:
    """Expand `~` and `$VAR` in a path of the config.

    Raises:
        ConfigError: a variable that is not set.
    """
    expanded = os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111
    left = re.search(r"\$\{?(\w+)", expanded)
    if left:
        raise ConfigError(f"path {path!r}: the environment variable {left.group(1)} is not set")
    return Path(expanded)
