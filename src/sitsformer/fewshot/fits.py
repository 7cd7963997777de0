"""What a baseline predicts before refinements, kept for whoever refines it otherwise.

A baseline and its controls are one fit to the same draws, and differ in what is done to its
predictions. Fits are a folder with a record of what made them, and for each seed

    {seed}.npy     (sample, class) probabilities of the samples of the store
    {seed}.json    the settings that validation chose, and what the cell says beside them
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer import artefacts
from sitsformer.errors import SitsError

KIND = "fits"


@dataclass(frozen=True)
class Fit:
    """What one draw gave.

    Attributes:
        seed: of the draw.
        probabilities: (sample, class) float64 of all samples of the store; NaN rows for those that
            nobody asks for.
        choice: what the cell is to say of it; JSON values.
    """

    seed: int
    probabilities: npt.NDArray[np.float64]
    choice: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def create_fits(
    path: Path, decided: Mapping[str, Any] | None = None, inputs: Mapping[str, Path] | None = None
) -> Iterator[Callable[[Fit], None]]:
    """Give a function that keeps a fit; all of them become the folder `path`, whole or not at all.

    Args:
        path: of the folder.
        decided: everything beside files that decides the fits (JSON values).
        inputs: the files and artefacts that do, by role.
    """
    with artefacts.create(path, KIND, config=decided or {}, inputs=inputs) as folder:

        def keep(fit: Fit) -> None:
            found = fit.probabilities
            narrow = found.astype(np.float32)
            # Networks compute in float32: then half the bytes say the same.
            same = np.array_equal(narrow, found, equal_nan=True)
            np.save(folder / f"{fit.seed}.npy", narrow if same else found)
            (folder / f"{fit.seed}.json").write_text(json.dumps(dict(fit.choice), sort_keys=True))

        yield keep


def read_fit(path: Path, seed: int) -> Fit:
    """The fit of a seed.

    Raises:
        SitsError: there are no such fits, or they are damaged.
    """
    _refuse(path, _damage(path))
    return _read(path, seed)


def open_fits(
    path: Path, decided: Mapping[str, Any], inputs: Mapping[str, Path]
) -> Callable[[int], Fit]:
    """A function that gives the fit of a seed.

    Args:
        path: of the folder.
        decided: of the fits that are wanted, as of `create_fits`.
        inputs: the same.

    Raises:
        SitsError: there are no fits, or they are damaged, or of something else than is wanted.
    """
    _refuse(path, _damage(path))
    record = artefacts.read(path)
    wanted = {
        "config": json.loads(json.dumps(dict(decided))),
        "inputs": {role: artefacts.digest(item) for role, item in inputs.items()},
    }
    other = [
        name
        for section, values in wanted.items()
        for name in sorted({*values, *record[section]})
        if values.get(name) != record[section].get(name)
    ]
    if other:
        _refuse(path, f"is of fits with another {', '.join(other)} than is asked for here")
    return lambda seed: _read(path, seed)


def _damage(path: Path) -> str | None:
    """What is wrong with the folder, in words that follow its name; None: nothing."""
    if artefacts.read(path)["kind"] != KIND:
        return "holds no fits of a baseline"
    problems = artefacts.glance(path)
    return artefacts.damage(problems) if problems else None


def _refuse(path: Path, problem: str | None) -> None:
    if problem is not None:
        raise SitsError(f"{path} {problem}: delete it and make it again (`sitsformer fit`)")


def _read(path: Path, seed: int) -> Fit:
    if not (path / f"{seed}.npy").exists():
        known = sorted(int(one.stem) for one in path.glob("*.npy"))
        raise SitsError(
            f"{path} has no fit of seed {seed}, but of {', '.join(map(str, known))}: ask for these "
            "seeds, or fit the others (`sitsformer fit`)"
        )
    probabilities = np.load(path / f"{seed}.npy").astype(np.float64)
    return Fit(seed, probabilities, json.loads((path / f"{seed}.json").read_text()))
