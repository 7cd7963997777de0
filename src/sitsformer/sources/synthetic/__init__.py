"""The embedded landscape: a seeded, physically plausible stand-in for Sentinel-2 and its labels.

See docs/synthetic.md for what it is made of, and `source` for how the parts come together.
"""

from sitsformer.sources.synthetic.source import SyntheticSource, source

__all__ = ["SyntheticSource", "source"]
