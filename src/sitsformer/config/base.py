"""Names, types and constants that every section of the config uses."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sitsformer.config.meaning import refuse_doubles, refuse_misreadings
from sitsformer.errors import SitsError
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.registry import unknown
from sitsformer.training.objectives import losses, objectives, starts

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Split = Literal["train", "validation", "test"]
Shots = Annotated[int, Field(ge=1)] | Literal["all"]
PatchSize = Literal[1, 3, 5, 7, 9]
Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What NumPy, torch and scikit-learn all take as a seed."""

NAME = "[A-Za-z][A-Za-z0-9_]*"
"""Names of areas, sets and layers, which become file names and wildcards of the workflow."""
BASELINE = "[a-z][a-z0-9_]*"
"""Names of baselines; no learner of the network is called so, since its name has a hyphen."""


def _is_name(value: str) -> str:
    if not re.fullmatch(NAME, value):
        raise ValueError(
            f"{value!r} is not a name: use a letter, then letters, digits or '_' "
            "(names become file names and wildcards of the workflow)"
        )
    return value


def _is_baseline(value: str) -> str:
    if not re.fullmatch(BASELINE, value):
        raise ValueError(
            f"{value!r} is not a name of a baseline: use a small letter, then small letters, "
            "digits or '_' (the workflow tells baselines from networks by that)"
        )
    return value


class OneOf:
    """Marks a text that is the name of a record: checked, and listed in the schema.

    Args:
        what: what the records are called, for the message.
        known: gives them; asked at each check, since a registry may have been read anew.
    """

    def __init__(self, what: str, known: Callable[[], Collection[str]]) -> None:
        self.what, self.known = what, known

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "enum": list(self.known())}

    def _check(self, value: object) -> object:
        if not isinstance(value, str) or value not in self.known():
            raise ValueError(unknown(self.what, str(value), self.known()))
        return value


def _is_set(value: str) -> str:
    return value if value == NO_SET else _is_name(value)


NO_SET = ""
"""Set of the sections about learning in a config that only maps."""

Name = Annotated[str, AfterValidator(_is_name)]
SetName = Annotated[str, AfterValidator(_is_set)]
BaselineName = Annotated[str, AfterValidator(_is_baseline)]
ObjectiveName = Annotated[str, OneOf("objective", objectives)]
LossName = Annotated[str, OneOf("loss", losses)]
AdaptationName = Annotated[str, OneOf("adaptation", adaptations)]
Init = Annotated[str, OneOf("init", starts)]
"""What fine-tuning starts from: an objective, or `none`."""


class ConfigError(SitsError, ValueError):
    """A config that cannot be used; the message lists every mistake with the path of its key."""


T = TypeVar("T", bound="DataclassInstance")


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

    def made(self, kind: type[T], **others: Any) -> T:
        """A plain dataclass out of the keys of this section that it has fields for."""
        own = {item.name for item in fields(kind)} & set(type(self).model_fields)
        return kind(**{name: getattr(self, name) for name in own} | others)


def is_address(path: str) -> bool:
    """Whether a path of the config is the address of a file on a server."""
    return path.startswith(("http://", "https://"))


def expand(path: str) -> Path:
    """Expand `~` and `$VAR` in a path of the config.

    Raises:
        ConfigError: a variable that is not set, or a user that is not there.
    """
    expanded = os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111
    left = re.search(r"\$\{?(\w+)", expanded)
    if left:
        raise ConfigError(f"path {path!r}: the environment variable {left.group(1)} is not set")
    if expanded.startswith("~"):
        user = expanded.partition("/")[0].removeprefix("~")
        raise ConfigError(
            f"path {path!r}: there is no home of a user {user!r}; give the whole path, from / on"
        )
    return Path(expanded)
