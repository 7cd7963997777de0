"""The embedded landscape: a seeded, physically plausible stand-in; see docs/synthetic.md."""

from sitsformer.imagery.synthetic.source import (
    SyntheticSource,
    open_source,
)

__all__ = [
    "SyntheticSource",
    "open_source",
]
