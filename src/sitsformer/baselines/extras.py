"""Libraries of baselines that are not among the dependencies: loaded when they fit, or named."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sitsformer.errors import SitsError


def load(module: str, baseline: str) -> Any:
    """A library that a baseline needs.

    Args:
        module: that is imported; its package is called like it.
        baseline: which asks for it.

    Raises:
        SitsError: it is not installed, or cannot be imported.
    """
    how = f"pip install {module.partition('.')[0]} in the environment of the jobs"
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        lacks = f"baseline {baseline!r} needs the package {error.name}, which is not installed"
        raise SitsError(f"{lacks}: {how}, or leave it out of fewshot.baselines") from None
    except ImportError as error:
        raise SitsError(
            f"baseline {baseline!r}: the package {module} cannot be imported ({error}): {how}"
        ) from None
