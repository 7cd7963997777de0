"""What an artefact is, in a screenful: cubes, sample stores, models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sitsformer import artefacts
from sitsformer.errors import SitsError
from sitsformer.samples import contract as samplelayout
from sitsformer.sensors import recorded


def describe(path: Path) -> list[str]:
    """Lines that describe an artefact; reads its records and small arrays only.

    Raises:
        SitsError: there is no artefact at `path`, or it is a file.
    """
    if path.is_file():
        raise SitsError(
            f"{path} is a file; cubes, sample stores and models are folders. Tables and "
            "predictions open with pandas (read_csv, read_parquet), maps with gdalinfo or "
            f"rasterio; `sitsformer check {path}` says whether it is whole"
        )
    record = artefacts.read(path)
    kind = str(record["kind"])
    files = record["files"]
    made_by = record.get("versions", {})
    size = sum(item["bytes"] for item in files.values())
    lines = [
        f"{path}: {kind}, {len(files)} files, {size / 1e6:,.1f} MB",
        f"made by sitsformer {made_by.get('sitsformer', '?')}, seed {record.get('seed')}",
    ]
    if kind == "cube":
        return lines + _cube(path)
    if kind in (samplelayout.KIND, samplelayout.TILE_KIND):
        return lines + _samples(path)
    if "config.json" in files:
        return lines + _model(path)
    return lines


def _cube(path: Path) -> list[str]:
    from sitsformer import cube

    dataset = cube.open_cube(path)
    tile, times = cube.tile_of(dataset), dataset.time.values.astype("datetime64[D]")
    lines = [
        f"area {tile.area}, tile {tile.name}: {tile.size} x {tile.size} px, EPSG:{tile.epsg}",
        f"images of {recorded(dataset.attrs).title}, {tile.pixel} m",
        f"{len(times)} dates from {times[0]} to {times[-1]}",
        f"bands {' '.join(map(str, dataset.band.values.tolist()))}",
    ]
    lines += [
        f"labels {name}: {len(legend.codes)} codes of {legend.name}"
        for name, legend in cube.label_layers(dataset).items()
    ]
    return lines


def _samples(path: Path) -> list[str]:
    from sitsformer import samples

    dataset = samples.open_samples(path)
    common, manifest = samples.about(dataset), samples.read_manifest(path)
    shape = ", ".join(f"{dim} {dataset.sizes[dim]}" for dim in dataset.reflectance.dims)
    lines = [
        f"set {common.name}: {shape}",
        f"images of {common.sensor.title}, bands {' '.join(common.bands)}",
        f"labels from {common.label}; split by {common.split_by}"
        + (f" of {common.block:g} m" if common.split_by == "block" and common.block else ""),
    ]
    if common.tiles:
        lines.append(f"{len(common.tiles)} tiles of {', '.join(common.areas)}")
    lines += _class_table(common.classes.names, manifest)
    for name, counts in manifest.get("dropped", {}).items():
        lines.append(f"dropped, {name}: {sum(counts.values()):,} pixels")
    if "layer" in manifest.get("features", {}):
        from sitsformer.surveys import account

        lines += account.lines(manifest["features"], f"features of {manifest['features']['file']}")
    for row in manifest.get("leakage", []):
        apart = "unknown" if row["nearest"] is None else f"{row['nearest']:,.0f} m at least"
        lines.append(
            f"{row['first']} to {row['second']}: {apart}, "
            f"{row['overlapping']} overlapping, {row['shared_blocks']} shared blocks"
        )
    return lines + [f"warning: {line}" for line in manifest.get("warnings", [])]


def _class_table(names: tuple[str, ...], manifest: dict[str, Any]) -> list[str]:
    """Samples by class and, where there are any, split."""
    from sitsformer.classes import NO_CLASS_NAME

    columns: dict[str, dict[str, int]] = {"all": manifest.get("kept", {})}
    columns |= manifest.get("splits", {})
    width = max(map(len, (*names, "class"))) + 2
    lines = ["class".ljust(width) + "".join(f"{column:>12}" for column in columns)]
    for name in (*names, NO_CLASS_NAME):
        counts = [held.get(name, 0) for held in columns.values()]
        if any(counts):
            lines.append(name.ljust(width) + "".join(f"{count:>12,}" for count in counts))
    return lines


def _model(path: Path) -> list[str]:
    problems = artefacts.glance(path)
    if problems:
        raise SitsError(f"{path} {artefacts.damage(problems)}, train again")
    try:
        config = json.loads((path / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise SitsError(f"{path / 'config.json'} cannot be read: {error}") from None
    return [f"{name}: {_short(value)}" for name, value in config.items()]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 90 else f"{text[:87]}..."
