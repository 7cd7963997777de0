"""Other people's files into this project's: checkpoints and samples.

Nothing is unpickled but tensors, and a file that does not fit is named with what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer.config import BANDS
from sitsformer.errors import SitsError
from sitsformer.samples import About, write_samples

FOLDERS = ("TRAIN", "VALIDATE", "TEST")
"""Sub-folders of a labelled set, in the order of the codes of `split`."""

MISSING = 65535

COLOURS = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#ee7733",
    "#0077bb", "#009988", "#cc3311", "#33bbee", "#ee3377", "#999933", "#882255", "#44aa99",
)  # fmt: skip
"""Colours of classes that come without: Paul Tol's colour-blind safe schemes."""

Ints = npt.NDArray[np.int64]


def checkpoint(path: Path, out: Path, mean: Sequence[float], std: Sequence[float]) -> None:
    """Turn a SITS-Former checkpoint (`checkpoint.bert.tar`) into a model artefact.

    The file is a state dict, or a mapping with one under `model_state_dict` or `state_dict`. A
    published checkpoint holds the encoder alone: the heads of the artefact are fresh, and its mask
    token too (the published one is a random constant that was never saved).

    Args:
        path: the checkpoint.
        out: the model artefact to write.
        mean: (band,) reflectance that the checkpoint's inputs were normalised with.
        std: (band,) reflectance.

    Raises:
        SitsError: the file holds more than tensors, or other tensors than SITS-Former's.
    """
    import torch

    from sitsformer.model import SITSFormer
    from sitsformer.modelstore import Origin, save_model

    state = _read_state(path)
    shape = _architecture(path, state)
    torch.manual_seed(0)
    model = SITSFormer(shape, mean, std, BANDS[: shape.bands])
    wanted = {
        name: value
        for name, value in model.state_dict().items()
        if name.startswith(("embedding.", "transformer_encoder."))
    }
    for name in sorted(set(wanted) | set(state)):
        if name not in state or name not in wanted:
            problem = "lacks" if name not in state else "has the unknown"
            raise SitsError(f"{path} {problem} tensor {name!r}: it is no SITS-Former encoder")
        if state[name].shape != wanted[name].shape:
            raise SitsError(
                f"{path}: tensor {name} is {tuple(state[name].shape)}, "
                f"expected {tuple(wanted[name].shape)}"
            )
    model.load_state_dict(state, strict=False)
    data = {"converted from": path.name, "pretrained by": "Yuan et al. 2022 (SITS-Former)"}
    save_model(out, model, Origin("ssl", data, {"file": path.name}, {"checkpoint": path}))


def _read_state(path: Path) -> dict[str, Any]:
    import pickle

    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SitsError(
            f"{path} holds more than tensors and is not read, since unpickling runs code: save "
            f"its state dict alone ({str(error).splitlines()[0]})"
        ) from None
    # Bytes that are no pickle lead the unpickler to errors of any kind.
    except Exception as error:
        said = str(error) if isinstance(error, OSError | RuntimeError) else "it is none"
        raise SitsError(f"{path} cannot be read as a checkpoint: {said}") from None
    for key in ("model_state_dict", "state_dict"):
        if isinstance(found, Mapping) and key in found:
            found = found[key]
    if not isinstance(found, Mapping) or not all(torch.is_tensor(v) for v in found.values()):
        raise SitsError(f"{path} holds no state dict: tensors by name were expected")
    # Saved from a wrapper (DataParallel, or the whole model around the encoder).
    names = {str(name).removeprefix("module.").removeprefix("bert."): name for name in found}
    return {short: found[name] for short, name in names.items()}


def _architecture(path: Path, state: Mapping[str, Any]) -> Any:
    """Shape of the network from its tensors; the number of heads is the paper's 8."""
    from sitsformer.model import Architecture
    from sitsformer.model.embedding import kernels

    needed = ("embedding.conv1.0.weight", "embedding.linear.weight", "embedding.position.pe")
    missing = [name for name in needed if name not in state]
    if missing:
        raise SitsError(f"{path} lacks tensor {missing[0]!r}: it is no SITS-Former encoder")
    hidden = state["embedding.linear.weight"].shape[0]
    layers = len({n.split(".")[2] for n in state if n.startswith("transformer_encoder.layers.")})
    kernel = tuple(state["embedding.conv1.0.weight"].shape[2:4])
    if kernel != kernels(10, 5)[0]:
        raise SitsError(f"{path}: the first kernel is {kernel}, expected (5, 3) of SITS-Former")
    return Architecture(bands=10, patch=5, hidden=hidden, layers=layers, heads=8)


def folder(path: Path, out: Path, classes: Mapping[int, str] | None = None) -> int:
    """Turn a folder of one-file-a-sample .npz into a sample store.

    Files hold `ts` (T, 10, S, S) integers, reflectance x 10,000; `doy` (T,); and `class_label`
    when labelled. With sub-folders TRAIN, VALIDATE and TEST these are the splits; without, every
    sample is for training.

    Args:
        path: the folder.
        out: the sample store to write.
        classes: names by label value; default: the values themselves.

    Returns:
        The number of samples.

    Raises:
        SitsError: no files, or a file that does not fit.
    """
    files, splits = _list(path)
    first = _read_npz(files[0])
    shape = first["ts"].shape[1:]
    series, labels = [], []
    for file in files:
        found = _read_npz(file)
        if found["ts"].shape[1:] != shape or found["ts"].shape[0] != found["doy"].shape[0]:
            raise SitsError(
                f"{file}: ts is {found['ts'].shape} and doy {found['doy'].shape}; expected "
                f"(T, {', '.join(map(str, shape))}) and (T,), as in {files[0].name}"
            )
        series.append((found["ts"], found["doy"]))
        labels.append(int(found["class_label"]) if "class_label" in found else -1)
    if shape[0] != len(BANDS) or shape[1] != shape[2]:
        raise SitsError(f"{files[0]}: ts has bands x rows x columns {shape}; expected 10 x S x S")
    names, label = _classes(np.array(labels), classes)
    length = max(len(doy) for _, doy in series)
    reflectance = np.full((len(files), length, *shape), MISSING, np.uint16)
    days = np.zeros((len(files), length), np.int16)
    for i, (values, doy) in enumerate(series):
        order = np.argsort(doy, kind="stable")
        reflectance[i, : len(doy)] = np.clip(values[order], 0, MISSING - 1)
        days[i, : len(doy)] = doy[order]
    if days[:, 0].min() < 1 or days.max() > 366:
        raise SitsError(f"{path}: days of year must be 1-366; found {days.min()} to {days.max()}")
    columns: dict[str, npt.NDArray[Any]] = {
        "doy": days,
        "label": label,
        "split": splits,
        "block": np.arange(len(files)),
    }
    write_samples(
        out,
        reflectance,
        columns,
        _about(path.name, names, tuple(sorted(set(labels) - {-1})), "class_label"),
        manifest={"files": len(files)},
        config={"converted": path.name},
    )
    return len(files)


def _list(path: Path) -> tuple[list[Path], npt.NDArray[np.uint8]]:
    found = [sorted((path / name).glob("*.npz")) for name in FOLDERS]
    if not any(found):
        found = [sorted(path.glob("*.npz")), [], []]
    if not any(found):
        raise SitsError(f"{path} has no .npz files, nor sub-folders {', '.join(FOLDERS)} with some")
    splits = np.repeat(np.arange(3), [len(part) for part in found]).astype(np.uint8)
    return [file for part in found for file in part], splits


def _read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as opened:
            found = {name: opened[name] for name in opened.files}
    except (OSError, ValueError, EOFError) as error:
        raise SitsError(f"{path} cannot be read as .npz: {error}") from None
    for name in ("ts", "doy"):
        if name not in found:
            raise SitsError(f"{path} lacks the array {name!r}; it has {sorted(found)}")
    return found


def _classes(
    labels: Ints, names: Mapping[int, str] | None
) -> tuple[tuple[str, ...], npt.NDArray[np.int16]]:
    values = sorted(set(labels.tolist()) - {-1})
    position = {value: i for i, value in enumerate(values)} | {-1: -1}
    label = np.array([position[value] for value in labels.tolist()], np.int16)
    return tuple((names or {}).get(value, f"class_{value}") for value in values), label


def _about(
    name: str, names: tuple[str, ...], codes: tuple[int, ...], label: str, **others: Any
) -> About:
    colours = tuple(COLOURS[i % len(COLOURS)] for i in range(len(names)))
    defaults: dict[str, Any] = {"split_by": "given", "block": 0.0, "bands": BANDS}
    return About(
        name=name,
        class_names=names,
        class_colours=colours,
        class_codes=tuple((code,) for code in codes),
        label=label,
        tiles=(),
        areas=(),
        years=(),
        **{**defaults, **others},
    )


def table(
    path: Path,
    out: Path,
    *,
    fractions: tuple[float, float, float] = (0.5, 0.2, 0.3),
    block: float = 0.5,
    seed: int = 0,
) -> int:
    """Turn one .npz with a table of pixel series into a sample store of patch size 1.

    The file holds `x` (sample, time, band) uint16, reflectance x 10,000; `valid` (sample, time)
    where it is not 0 (default: everywhere); `label` (sample,) and `label_names`; `lon`, `lat`
    degrees; `dates` (time,) ISO days; optionally `bands` (band,).

    Args:
        path: the file.
        out: the sample store to write.
        fractions: shares of train, validation and test.
        block: side of the squares, degrees, that no two splits share.
        seed: of the assignment of squares to splits.

    Returns:
        The number of samples.

    Raises:
        SitsError: an array is missing or does not fit.
    """
    found = _read_table(path)
    x, dates = found["x"], [date.fromisoformat(str(text)) for text in found["dates"]]
    valid = found["valid"].astype(bool) & (x != MISSING).all(2)
    day = np.array([d.timetuple().tm_yday for d in dates])
    since = np.array([(d - date(1970, 1, 1)).days for d in dates])
    keep = valid.sum(1) > 0
    x, valid = x[keep], valid[keep]
    # Valid steps to the front, in time order.
    order = np.argsort(~valid, axis=1, kind="stable")
    packed = np.take_along_axis(valid, order, 1)
    values = np.take_along_axis(x, order[:, :, None], 1)
    values[~packed] = MISSING
    column = np.floor(found["lon"][keep] / block).astype(np.int64)
    row = np.floor(found["lat"][keep] / block).astype(np.int64)
    squares, square = np.unique(column * 100_000 + row, return_inverse=True)
    names = tuple(map(str, found["label_names"]))
    columns: dict[str, npt.NDArray[Any]] = {
        "doy": np.where(packed, day[order], 0),
        "date": np.where(packed, since[order], -1),
        "label": found["label"][keep].astype(np.int16),
        "split": _split_squares(len(squares), fractions, seed)[square],
        "block": square,
        "lon": found["lon"][keep],
        "lat": found["lat"][keep],
    }
    bands = tuple(map(str, found.get("bands", np.array(BANDS))))
    common = _about(
        path.stem, names, tuple(range(len(names))), "label", split_by="block", bands=bands
    )
    settings = {"fractions": list(fractions), "block": block, "converted": path.name}
    write_samples(
        out,
        values[:, :, :, None, None],
        columns,
        common,
        manifest={"kept": int(keep.sum()), "without a valid step": int((~keep).sum())},
        config=settings,
        inputs={"table": path},
        seed=seed,
    )
    return int(keep.sum())


def _split_squares(
    count: int, fractions: tuple[float, float, float], seed: int
) -> npt.NDArray[np.uint8]:
    """Split of each square: shuffled, then cut by the shares."""
    if abs(sum(fractions) - 1) > 1e-6:
        raise SitsError(f"the shares {fractions} of the splits must sum to 1")
    cuts = np.round(np.cumsum(fractions)[:2] * count).astype(int)
    order = np.random.default_rng(seed).permutation(count)
    split = np.zeros(count, np.uint8)
    split[order[cuts[0] : cuts[1]]] = 1
    split[order[cuts[1] :]] = 2
    return split


def _read_table(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as opened:
            found = {name: opened[name] for name in opened.files}
    except (OSError, ValueError, EOFError) as error:
        raise SitsError(f"{path} cannot be read as .npz: {error}") from None
    missing = [n for n in ("x", "label", "label_names", "lon", "lat", "dates") if n not in found]
    if missing:
        raise SitsError(f"{path} lacks the array {missing[0]!r}; it has {sorted(found)}")
    found.setdefault("valid", np.ones(found["x"].shape[:2], np.uint8))
    samples, time = found["x"].shape[:2]
    expected = {"valid": (samples, time), "label": (samples,), "lon": (samples,)}
    expected |= {"lat": (samples,), "dates": (time,)}
    for name, shape in expected.items():
        if found[name].shape != shape:
            raise SitsError(f"{path}: {name} is {found[name].shape}, expected {shape} by `x`")
    return found
