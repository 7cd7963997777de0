"""Sections of the page that only some runs have."""

from __future__ import annotations

from typing import Any

from sitsformer.report.gather import Material
from sitsformer.samples import read_manifest
from sitsformer.surveys import account


def surveys(m: Material) -> list[dict[str, Any]]:
    """What became of labelled features, by set: a row a reason, a column a class."""
    found = []
    for name, path in m.stores.items():
        manifest = read_manifest(path)
        features = manifest.get("features", {})
        if "layer" not in features:
            continue  # a store made elsewhere may count something else by that name
        of_class = {account.KEPT: features["kept"], **features["dropped"]}
        classes = list(dict.fromkeys(name for counts in of_class.values() for name in counts))
        found.append(
            {
                "set": name,
                "layer": features["layer"],
                "file": str(path / account.TABLE),
                "features": features["features"],
                "samples": features["samples"],
                "classes": classes,
                "rows": [
                    {
                        "reason": reason.replace("_", " "),
                        "meaning": account.REASONS.get(reason, ""),
                        "counts": [counts.get(name, 0) for name in classes],
                        "total": sum(counts.values()),
                    }
                    for reason, counts in of_class.items()
                ],
                "warnings": [line for line in manifest["warnings"] if ": no samples" not in line],
            }
        )
    return found
