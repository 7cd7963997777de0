"""The four trials; each gives, by stage, how often what happened."""

from __future__ import annotations

import resource
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import calls
import numpy as np
import yaml
from stages import Stage, stages

from sitsformer.checks.problems import problems
from sitsformer.config import load
from sitsformer.errors import FAILED as EXIT_FAILED
from sitsformer.errors import REFUSED as EXIT_REFUSED
from sitsformer.errors import SitsError

SAME, REFUSED, ACCEPTED, FAILED = "same result", "refused", "accepted", "failed with a message"
OTHER, TRACEBACK, LEFT = "OTHER RESULT", "TRACEBACK", "LEFT-OVER"
UNTOLD = "ANOTHER EXIT STATUS, OR NO MESSAGE"
FINE = (SAME, REFUSED, ACCEPTED, FAILED)
Outcomes = dict[str, Counter[str]]

ODD_VALUES: tuple[Any, ...] = (
    None, "", " ", "no", "a\nb", "a b", "$(x)", "{x}", "é", 0, -1, 1, 10**9, 0.5, 1e-12, 1e300,
    float("nan"), float("inf"), True, [], [None], ["all"], [0, 0], {}, {"x": 1},
    "2020-02-31", "all",
)  # fmt: skip


@dataclass(frozen=True)
class Turns:
    """How often each stage has its turn.

    Attributes:
        rounds: times.
        minutes: after which no turn begins.
    """

    rounds: int
    minutes: float

    def of(self, items: Sequence[Stage]) -> Iterator[Stage]:
        """Each stage once a round, so that all are tried alike when time is up."""
        end = time.monotonic() + 60 * self.minutes
        for _ in range(self.rounds):
            for item in items:
                if time.monotonic() > end:
                    return
                yield item


def configs(run: Path, scratch: Path, turns: Turns, seed: int) -> Outcomes:
    """Configs with a leaf replaced, a key lost or doubled, or a line damaged; 100 a round."""
    rng = np.random.default_rng(seed)
    text = (run / "config.yaml").read_text()
    found: Outcomes = {"values": Counter(), "lines": Counter()}
    target = scratch / "odd.yaml"
    for _ in range(100 * turns.rounds):
        values = yaml.safe_load(text)
        parent, key = _leaf(values, rng)
        if rng.random() < 0.2:
            del parent[key]
        else:
            parent[key] = ODD_VALUES[rng.integers(len(ODD_VALUES))]
        target.write_text(yaml.safe_dump(values, allow_unicode=True))
        found["values"][_checked(target)] += 1
        target.write_bytes(_damaged_line(text, rng))
        found["lines"][_checked(target)] += 1
    return found


def damage(run: Path, scratch: Path, turns: Turns, seed: int) -> Outcomes:
    """Stages that read, with a file of one of their inputs damaged."""
    rng = np.random.default_rng(seed)
    found: Outcomes = {}
    for stage in turns.of([stage for stage in stages(run) if stage.inputs]):
        inputs, how = _damaged(stage, scratch / "input", rng)
        outcome = _outcome(stage, inputs, scratch)
        found.setdefault(stage.name, Counter())[outcome] += 1
        if outcome not in FINE:
            print(f"  {stage.name}: {how}: {outcome}", flush=True)
    return found


def kills(run: Path, scratch: Path, turns: Turns, seed: int) -> Outcomes:
    """Stages stopped by SIGKILL or SIGTERM at a random moment, then called again."""
    rng = np.random.default_rng(seed)
    found: Outcomes = {}
    for stage in turns.of(stages(run)):
        whole, expected = _whole(stage, scratch)
        out = scratch / "killed" / stage.output.name
        shutil.rmtree(out.parent, ignore_errors=True)
        kind = (signal.SIGKILL, signal.SIGTERM)[rng.integers(2)]
        _call(stage, list(stage.inputs), out, kill=(rng.uniform(0, whole), kind))
        # Tables are written one by one, each whole; one under way has a hidden name of its own.
        there = {name: data for name, data in _bytes(out).items() if ".partial-" not in name}
        half = not there.items() <= expected.items()
        done = _call(stage, list(stage.inputs), out)
        same = done.status == 0 and _bytes(out) == expected and not half
        outcome = LEFT if same and _left_overs(out) else SAME if same else OTHER
        found.setdefault(stage.name, Counter())[outcome] += 1
        if outcome not in FINE:
            print(f"  {stage.name}: {outcome}; half: {half}, then {done.status}", flush=True)
    return found


def disk(run: Path, scratch: Path, turns: Turns, seed: int) -> Outcomes:
    """Stages with files limited to less than they write; then called again with room."""
    rng = np.random.default_rng(seed)
    found: Outcomes = {}
    for stage in turns.of(stages(run)):
        _, expected = _whole(stage, scratch)
        out = scratch / "full" / stage.output.name
        shutil.rmtree(out.parent, ignore_errors=True)
        limit = int(rng.uniform(1, max(map(len, expected.values()))))
        done = _call(stage, list(stage.inputs), out, before=partial(_limit, limit))
        if done.status == 0:
            outcome = SAME if _bytes(out) == expected else OTHER
        elif "Traceback" in done.said:
            outcome = TRACEBACK
        elif done.status != EXIT_FAILED or "error: " not in done.said:
            outcome = UNTOLD
        elif out.exists() and not _bytes(out).items() <= expected.items():
            outcome = LEFT
        else:
            outcome = FAILED
        again = _call(stage, list(stage.inputs), out)
        if again.status or _bytes(out) != expected or _left_overs(out):
            outcome = OTHER
        found.setdefault(stage.name, Counter())[outcome] += 1
        if outcome not in FINE:
            print(f"  {stage.name}, files of {limit} bytes: {outcome}", flush=True)
    return found


def _checked(path: Path) -> str:
    try:
        return REFUSED if problems(load(path)) else ACCEPTED
    except SitsError:
        return REFUSED
    except Exception as error:
        print(f"  {type(error).__name__}: {error}\n{path.read_bytes()[:300]!r}")
        return TRACEBACK


def _leaf(values: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """A random place in nested values: its parent and its key there."""
    parent, key = None, None
    while isinstance(values, (dict, list)) and values and (parent is None or rng.random() < 0.9):
        keys = list(values) if isinstance(values, dict) else list(range(len(values)))
        parent, key = values, keys[rng.integers(len(keys))]
        values = values[key]
    return parent, key


def _damaged_line(text: str, rng: np.random.Generator) -> bytes:
    lines = text.splitlines()
    place = int(rng.integers(len(lines)))
    changes: list[Callable[[str], list[str]]] = [
        lambda line: [],
        lambda line: [line, line],
        lambda line: ["\t" + line],
        lambda line: [line[: len(line) // 2]],
        lambda line: [" " + line],
        lambda line: [line.replace(":", "", 1)],
        lambda line: [line + " ]"],
        lambda line: [line.upper()],
    ]
    lines[place : place + 1] = changes[rng.integers(len(changes))](lines[place])
    others = ("utf-8-sig", "utf-16", "latin-1")
    encoding = others[rng.integers(3)] if rng.random() < 0.2 else "utf-8"
    return ("# \u00fc\n" + "\n".join(lines)).encode(encoding)


def _damaged(stage: Stage, folder: Path, rng: np.random.Generator) -> tuple[list[Path], str]:
    """Inputs of a stage, one of them a damaged copy, and what was done to it."""
    inputs, kinds = list(stage.inputs), list(DAMAGES)
    while True:
        position, kind = rng.integers(len(inputs)), kinds[rng.integers(len(kinds))]
        path = stage.inputs[position]
        shutil.rmtree(folder, ignore_errors=True)
        copy = folder / path.parent.name / path.name
        # A file with what lies beside it: its record, and what belongs to it.
        copied = path if path.is_dir() else path.parent
        shutil.copytree(copied, copy if path.is_dir() else copy.parent)
        before = {file: file.read_bytes() for file in _parts(copy)}
        if DAMAGES[kind](copy, rng):
            inputs[position] = copy
            changed = [file for file in before if not _is(file, before[file])]
            return inputs, f"{', '.join(map(str, changed))}, {kind}"


def _is(file: Path, content: bytes) -> bool:
    return file.exists() and file.read_bytes() == content


def _parts(path: Path) -> list[Path]:
    """Files of an artefact: of a folder, or a file with its record and what belongs to it."""
    if path.is_dir():
        return sorted(item for item in path.rglob("*") if item.is_file())
    return sorted(item for item in path.parent.rglob(f"{path.stem}*") if item.is_file())


def _pick(path: Path, rng: np.random.Generator) -> Path:
    files = _parts(path)
    return files[rng.integers(len(files))]


def _lose(path: Path, rng: np.random.Generator) -> bool:
    _pick(path, rng).unlink()
    return True


def _cut(path: Path, rng: np.random.Generator) -> bool:
    file = _pick(path, rng)
    file.write_bytes(file.read_bytes()[: int(rng.integers(max(1, file.stat().st_size)))])
    return True


def _flip(path: Path, rng: np.random.Generator) -> bool:
    file = _pick(path, rng)
    content = bytearray(file.read_bytes())
    if not content:
        return False
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    file.write_bytes(bytes(content))
    return True


def _zero(path: Path, rng: np.random.Generator) -> bool:
    file = _pick(path, rng)
    content = bytes(file.stat().st_size)
    if file.read_bytes() == content:
        return False
    file.write_bytes(content)
    return True


def _exchange(path: Path, rng: np.random.Generator) -> bool:
    one, two = _pick(path, rng), _pick(path, rng)
    first, second = one.read_bytes(), two.read_bytes()
    if first == second:
        return False
    one.write_bytes(second)
    two.write_bytes(first)
    return True


DAMAGES: dict[str, Callable[[Path, np.random.Generator], bool]] = {
    "a file lost": _lose,
    "a file cut": _cut,
    "a bit flipped": _flip,
    "a file of zeros": _zero,
    "two files exchanged": _exchange,
}
"""Name -> what it does to a file or a folder; False where there was nothing to change."""


def _call(stage: Stage, inputs: list[Path], out: Path, **how: Any) -> calls.Done:
    out.parent.mkdir(parents=True, exist_ok=True)
    return calls.call(stage.arguments(inputs, out), **how)


def _whole(stage: Stage, scratch: Path) -> tuple[float, dict[str, bytes]]:
    """Seconds that a stage takes on whole inputs, and the files it makes; called once."""
    out = scratch / "whole" / stage.name / stage.output.name
    seconds = out.parent / ".seconds"
    if not seconds.exists():
        done = _call(stage, list(stage.inputs), out)
        if done.status:
            raise SystemExit(f"{stage.name} fails on whole inputs:\n{done.said}")
        seconds.write_text(str(done.seconds))
    return float(seconds.read_text()), _bytes(out)


def _outcome(stage: Stage, inputs: list[Path], scratch: Path) -> str:
    """What a stage makes of damaged inputs, against what it makes of whole ones."""
    _, expected = _whole(stage, scratch)
    out = scratch / "out" / stage.output.name
    shutil.rmtree(out.parent, ignore_errors=True)
    done = _call(stage, inputs, out)
    if "Traceback" in done.said:
        return TRACEBACK
    if done.status:
        told = done.status == EXIT_REFUSED and "error: " in done.said
        return LEFT if out.exists() else REFUSED if told else UNTOLD
    names = {
        str(new).encode(): str(old).encode() for new, old in zip(inputs, stage.inputs, strict=True)
    }
    return SAME if _values(_bytes(out), names) == _values(expected, {}) else OTHER


def _bytes(out: Path) -> dict[str, bytes]:
    """Every file of an output by its name."""
    files = sorted(out.rglob("*")) if out.is_dir() else [out]
    return {str(file.relative_to(out)): file.read_bytes() for file in files if file.is_file()}


def _values(files: dict[str, bytes], names: dict[bytes, bytes]) -> dict[str, bytes]:
    """Files with some words replaced, since a page names the inputs, which lie elsewhere here.

    The record is left out: it holds digests of inputs that were written otherwise.
    """
    found = {}
    for file, content in files.items():
        for new, old in names.items():
            content = content.replace(new, old)
        found[file] = content
    return {file: content for file, content in found.items() if file != "provenance.json"}


def _left_overs(out: Path) -> list[Path]:
    return [item for item in out.parent.rglob("*") if ".partial-" in item.name]


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
