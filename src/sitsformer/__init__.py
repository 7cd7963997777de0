"""Crop maps from Sentinel-2 time series with few labels: Dual SITS-Former.

`sitsformer.load_model(path)` gives a ready model; it is imported when first used, because torch
takes two seconds that most commands can save.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sitsformer.anymodel import load_model

__all__ = ["load_model"]


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def __getattr__(name: str) -> Any:
    if name == "load_model":
        from sitsformer.anymodel import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
