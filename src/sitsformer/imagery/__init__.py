"""Where pixels come from; `source.py` says what a source is."""

from sitsformer.imagery.source import (
    SOURCES,
    Source,
    get_source,
)

__all__ = [
    "SOURCES",
    "Source",
    "get_source",
]
