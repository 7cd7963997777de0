"""A baseline in a file of the user's: read, and what goes wrong in it said with file and line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import ParamSpec, TypeVar

from sitsformer.baselines.baseline import Baseline, Choice, Predict, Task
from sitsformer.errors import SitsError

P = ParamSpec("P")
R = TypeVar("R")


def baseline(path: Path, name: str) -> Baseline:
    """The baseline of a name in the dictionary `BASELINES` of a Python file.

    Raises:
        SitsError: there is no such file, it cannot be run, or it does not hold the name.
    """
    module = _told(_module, path)(path)
    known = getattr(module, "BASELINES", None)
    found = known.get(name) if isinstance(known, dict) else None
    if not isinstance(found, Baseline):
        raise SitsError(
            f"{path} has no baseline {name!r} in its BASELINES, a dictionary of names and "
            "`sitsformer.baselines.Baseline`"
        )

    def fit(task: Task, choice: Choice) -> Predict:
        predict = _told(found.fit, path)(task, choice)
        if not callable(predict):
            raise SitsError(f"{path}: `fit` of {name!r} gave {predict!r}, and no function")
        return _told(predict, path)

    return Baseline(_told(found.candidates, path), fit)


def _module(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"sitsformer_own_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SitsError(f"{path}: no Python file there (fewshot.options.*.file)")
    module = module_from_spec(spec)
    # Some of the standard library, dataclasses for one, looks a class's module up by its name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _told(function: Callable[P, R], path: Path) -> Callable[P, R]:
    """A function whose exceptions are one message, with the last line of the file they came by."""

    @wraps(function)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (SitsError, OSError, MemoryError):
            raise
        except Exception as error:
            lines = [item for item in extract_tb(error.__traceback__) if item.filename == str(path)]
            where = f", line {lines[-1].lineno}" if lines else ""
            raise SitsError(f"{path}{where}: {type(error).__name__}: {error}; mend it") from error

    return told
