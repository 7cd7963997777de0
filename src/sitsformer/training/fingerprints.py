"""What must be the same for a run to resume, as a digest; jobs that train nothing need no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from typing import Any

LAYOUT = 2
"""Changes with the names of the tensors: a checkpoint of another layout is not resumed."""


def fingerprint(settings: Mapping[str, Any]) -> str:
    """Digest of what must be the same for a run to resume from a checkpoint.

    The settings, and the versions of this package and of torch: half a run by other code would be
    a run that nobody can repeat.
    """
    versions = {name: _version(name) for name in ("sitsformer", "torch")}
    text = json.dumps(
        {"settings": settings, "layout": LAYOUT, **versions}, sort_keys=True, default=str
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # a source tree on the path
        return "not installed"
