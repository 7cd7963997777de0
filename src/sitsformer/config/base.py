"""Names, types and constants that every section of the config uses."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from sitsformer.config.meaning import refuse_doubles, refuse_misreadings
from sitsformer.errors import SitsError

Split = Literal["train", "validation", "test"]
Objective = Literal["ssl", "sl", "dual"]
Init = Literal["none", "ssl", "sl", "dual"]
BASELINE_OPTIONS: dict[str, tuple[str, ...]] = {
    "random_forest": ("trees",),
    "gradient_boosting": ("iterations",),
    "logistic_regression": (),
    "nearest_centroid": (),
    "nearest_neighbour": (),
    "temporal_cnn": (),
    "ltae": (),
}
"""Baselines that ship with the package -> the options each one takes, whole numbers above 0."""
BASELINES = tuple(BASELINE_OPTIONS)
"""Baselines that ship with the package."""
Way = Literal["full", "linear", "bias"]
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


Name = Annotated[str, AfterValidator(_is_name)]
BaselineName = Annotated[str, AfterValidator(_is_baseline)]


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
