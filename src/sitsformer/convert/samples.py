"""A folder of one .npz a sample, as SITS-Former's own data sets are -> a sample store.

Files are read twice, one at a time: first to check them and to learn the unit, the classes and the
longest series, then to write. So a folder larger than memory is no trouble.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sitsformer.convert import bands as bandnames
from sitsformer.convert import days as daynames
from sitsformer.convert import labels as labelnames
from sitsformer.convert import npz, series, store, units
from sitsformer.convert.days import Days, Ints
from sitsformer.convert.npz import Array
from sitsformer.errors import SitsError
from sitsformer.registry import find as find_record
from sitsformer.samples.contract import KIND
from sitsformer.sensors import DEFAULT, said, sensors
from sitsformer.stored import MISSING

FOLDERS = ("TRAIN", "VALIDATE", "TEST")
"""Sub-folders of a labelled set, in the order of the codes of `split`."""
SPELLINGS = {
    "train": 0, "training": 0, "val": 1, "valid": 1, "validate": 1, "validation": 1,
    "test": 2, "testing": 2,
}  # fmt: skip
"""Other people's names of them, in small letters, and the split of each."""
PATCHES = (1, 3, 5, 7, 9)

logger = logging.getLogger("sitsformer")


@dataclass
class _Set:
    """What is learned of the files in the first reading, one entry a file.

    Attributes:
        steps: positions of the whole steps in order of time.
        days: of all steps of the file.
        labels: text or number of each file; None where it has none.
    """

    sizes: units.Magnitudes
    steps: list[Ints] = field(default_factory=list)
    days: list[Days] = field(default_factory=list)
    labels: list[Array | None] = field(default_factory=list)


def folder(
    path: Path,
    out: Path,
    *,
    valid_rate: float = 0.0,
    scale: float | None = None,
    fill: float | None = None,
    bands: Sequence[str] | None = None,
    sensor: str = DEFAULT,
    drop_missing: bool = False,
    settings: dict[str, str] | None = None,
) -> int:
    """Turn a folder of one-file-a-sample .npz into a sample store.

    Files hold `ts` (T, band, S, S), reflectance x 10,000 or reflectance; `doy` (T,); and
    `class_label` when labelled. With sub-folders TRAIN, VALIDATE and TEST these are the splits;
    without, every sample is for training, but for the share `valid_rate`. Steps of day 0 without a
    value are padding and left out.

    Steps that lack a value are refused without `drop_missing`, since each file has its own dates.
    `scale` is the reflectance of a value of 1 (None: the values tell), `fill` one more value that
    stands for nothing, `bands` are the names in the order of `ts` (None: those of cubes of the
    `sensor`).

    Returns:
        The number of samples.

    Raises:
        SitsError: no files, or a file that does not fit.
    """
    store.check_place(out, KIND)
    whose = find_record(sensors(), sensor, "sensor")
    if not 0 <= valid_rate < 1:
        raise SitsError(f"the share that validates must be from 0 to below 1; found {valid_rate:g}")
    files, split, flat = find(path)
    opened = npz.read(files[0], ("ts", "doy"))
    first = opened["ts"]
    _check_axes(files[0], first, opened["doy"])
    if first.ndim != 4 or first.shape[2] != first.shape[3] or first.shape[3] not in PATCHES:
        raise SitsError(
            f"{files[0]}: ts is {first.shape}, expected (time, band, rows, columns) with square "
            f"patches of {', '.join(map(str, PATCHES))} pixels"
        )
    names, positions = bandnames.arrange(bands, first.shape[1], whose, f"{files[0]}: ts")
    seen = _Set(units.Magnitudes(str(path), scale, whose))
    for file in files:
        _look(file, first.shape[1:], fill, drop_missing, seen)
    found = seen.sizes.scale()
    kept = np.array([len(steps) > 0 for steps in seen.steps])
    labels = _labels(path, seen.labels)
    if flat:
        split = _validation(split, valid_rate)
    chosen = np.flatnonzero(kept)
    shape = (max(len(steps) for steps in seen.steps), *first.shape[1:])
    store.write(
        out,
        _pieces(
            [files[i] for i in chosen], [seen.steps[i] for i in chosen], positions, found, shape
        ),
        shape,
        {
            "doy": _days([seen.days[i].doy[seen.steps[i]] for i in chosen], shape[0], 0),
            "date": _days([seen.days[i].date[seen.steps[i]] for i in chosen], shape[0], -1),
            "label": labels.index[kept],
            "split": split[kept],
            "block": np.arange(len(chosen)),
        },
        store.about(path.resolve().name, labels, names, whose, "class_label", "given"),
        store.manifest(labels, kept, split[kept], found),
        {
            "converted": path.resolve().name,
            "files": len(files),
            "valid_rate": valid_rate if flat else None,
            "scale": scale,
            "fill": fill,
            "drop_missing": drop_missing,
            **said(whose),
            **(settings or {}),
        },
    )
    return len(chosen)


def find(path: Path) -> tuple[list[Path], npt.NDArray[np.uint8], bool]:
    """Files of the samples, the split of each, and whether they lie in the folder itself.

    Raises:
        SitsError: there are none, or they lie where it is not clear what they are for.
    """
    if not path.is_dir():
        raise SitsError(f"{path} is no folder: give one with an .npz for each sample")
    own = _npz(path)
    inside = {
        sub: files
        for sub in sorted(path.iterdir())
        if sub.is_dir() and not sub.name.startswith(".") and (files := _npz(sub))
    }
    if not own and not inside:
        raise SitsError(f"{path} has no .npz files, nor sub-folders {', '.join(FOLDERS)} with some")
    unknown = [sub.name for sub in inside if sub.name.lower() not in SPELLINGS]
    if unknown or (own and inside):
        where = f"in the sub-folder {unknown[0]}" if unknown else "beside the sub-folders"
        raise SitsError(
            f"{path} has .npz files {where}: put them into {', '.join(FOLDERS)}, or all into the "
            "folder itself"
        )
    if own:
        return own, np.zeros(len(own), np.uint8), True
    parts: dict[int, list[Path]] = {}
    for sub, files in inside.items():
        code = SPELLINGS[sub.name.lower()]
        if code in parts:
            raise SitsError(f"{path} has two sub-folders for one split, one of them {sub.name}")
        parts[code] = files
    order = sorted(parts)
    split = np.repeat(order, [len(parts[code]) for code in order]).astype(np.uint8)
    return [file for code in order for file in parts[code]], split, False


def fingerprint(path: Path) -> str:
    """What changes when a file of a folder does: SHA-256 of names, sizes and times of change."""
    import hashlib

    found = hashlib.sha256()
    for file in find(path)[0]:
        status = file.stat()
        line = f"{file.relative_to(path).as_posix()} {status.st_size} {status.st_mtime_ns}\n"
        found.update(line.encode())
    return found.hexdigest()


def _npz(path: Path) -> list[Path]:
    """Visible .npz files of a folder by name."""
    return sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower() == ".npz" and not file.name.startswith(".") and file.is_file()
    )


def _check_axes(file: Path, ts: Array, doy: Array) -> None:
    if ts.ndim == 4 and doy.size == ts.shape[1] != ts.shape[0]:
        raise SitsError(
            f"{file}: ts is {ts.shape} and doy {doy.shape}: the axes of ts are in another order, "
            "transpose it to (time, band, rows, columns)"
        )


def _look(
    file: Path, inner: tuple[int, ...], fill: float | None, drop_missing: bool, seen: _Set
) -> None:
    """Check one file, and add what it tells."""
    found = npz.read(file, ("ts", "doy"), ("class_label",))
    ts = found["ts"]
    doy = found["doy"]
    if doy.ndim == 2 and 1 in doy.shape:
        doy = doy.reshape(-1)
    if ts.shape[1:] != inner or doy.shape != ts.shape[:1]:
        _check_axes(file, ts, doy)
        raise SitsError(
            f"{file}: ts is {ts.shape} and doy {doy.shape}; expected (T, "
            f"{', '.join(map(str, inner))}) and (T,)"
        )
    days = daynames.parse(doy, f"{file}: doy")
    gaps = units.missing(ts, fill, f"{file}: ts")
    whole: npt.NDArray[np.bool_] = np.logical_not(gaps.any((1, 2, 3)))
    if (whole & (days.doy == 0)).any():
        raise SitsError(
            f"{file}: doy is 0 where ts has values; days of year are 1-366 (1 is 1 January)"
        )
    lost = ~whole & (days.doy > 0)
    if not drop_missing and (lost.any() or not whole.any()):
        what = f"no value in a pixel of day {days.doy[lost][0]}" if lost.any() else "no step"
        raise SitsError(
            f"{file} has {what} (NaN, a fill value, or 0 in all bands): convert with "
            "--drop-missing to leave out such steps, and samples without any other"
        )
    steps = series.in_order(ts, whole, days, str(file))
    seen.sizes.add(ts[steps], file.name)
    seen.steps.append(steps)
    seen.days.append(days)
    label = found.get("class_label")
    seen.labels.append(None if label is None else npz.column(label, 1, f"{file}: class_label"))


def _labels(path: Path, found: Sequence[Array | None]) -> labelnames.Labels:
    """Classes of all files; those without a label have none."""
    given = [label for label in found if label is not None]
    text = {label.dtype.kind in "SU" for label in given}
    if len(text) > 1:
        raise SitsError(f"{path}: class_label is text in some files and a number in others")
    if any(label.dtype.kind not in "biufSU" for label in given):
        raise SitsError(f"{path}: class_label must be a number or text")
    if len(given) < len(found):
        logger.info("%d of %d files have no class_label", len(found) - len(given), len(found))
    if text == {True}:
        values = np.array([npz.texts(x)[0] if x is not None else "" for x in found])
    else:
        values = np.array([float(x[0]) if x is not None else -1.0 for x in found])
    return labelnames.read(values, len(found), None, str(path))


def _validation(split: npt.NDArray[np.uint8], share: float) -> npt.NDArray[np.uint8]:
    """Give a share of the samples, drawn with seed 0, to validation."""
    found = split.copy()
    found[np.random.default_rng(0).permutation(len(split))[: int(share * len(split))]] = 1
    return found


def _days(parts: Sequence[Ints], length: int, fill: int) -> Ints:
    days = np.full((len(parts), length), fill, np.int64)
    for row, part in zip(days, parts, strict=True):
        row[: len(part)] = part
    return days


def _pieces(
    files: Sequence[Path],
    steps: Sequence[Ints],
    positions: Sequence[int],
    scale: float,
    shape: tuple[int, ...],
) -> Iterator[npt.NDArray[np.uint16]]:
    """Stored values of the kept files, a chunk at a time."""
    size = store.piece_rows(shape)
    for start in range(0, len(files), size):
        piece = np.full((min(size, len(files) - start), *shape), MISSING, np.uint16)
        for row, file, kept in zip(
            piece, files[start : start + size], steps[start : start + size], strict=True
        ):
            values = npz.read(file, ("ts",))["ts"][kept][:, positions]
            row[: len(kept)] = units.stored(values, scale, np.zeros(1, bool))
        yield piece
