"""What a run of the workflow says on the terminal: why a job runs, and what came of it.

Snakemake names every file and every value of a reason, and of a finished job only its number. Here
a reason is a line, and so is a finished job, with the last line of its log. Log files and logger
plugins get Snakemake's own records.
"""

from __future__ import annotations

import ast
import logging
import re
import time
from copy import copy
from pathlib import Path
from threading import Event
from typing import Any

WIDTH = 160
"""Characters of a result or a value at most."""
SHOWN = 3
"""Changed values of a reason that are shown."""
STREAM = "DefaultStreamHandler"
"""Snakemake's name of what writes to the terminal."""

_PARAMS = re.compile(r"before: (?P<before>.*?) now: (?P<now>.*?) ?$", re.DOTALL)
_CLOCK = re.compile(r"^\d\d:\d\d:\d\d ")
_INTERRUPT = "Terminating processes on user request"
_NAMES = {
    "Missing output files": "missing",
    "Incomplete output files": "incomplete",
    "Updated input files": "newer",
    "Input files updated by another job": "made anew",
}


interrupted = Event()
"""Set once Snakemake was told to stop (Ctrl-C): it then counts no job among those that failed."""


def install(logger: logging.Logger) -> None:
    """Have the terminal say it in this way, once."""
    for handler in logger.handlers:
        if handler.name == STREAM and not isinstance(handler.formatter, Console):
            handler.setFormatter(Console(handler.formatter))


class Console(logging.Formatter):
    """Snakemake's formatter with short reasons and one line a finished job."""

    def __init__(self, usual: logging.Formatter | None) -> None:
        super().__init__()
        self.usual = usual or logging.Formatter()
        self.started: dict[int, tuple[float, str, list[str]]] = {}

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        event = getattr(getattr(record, "event", None), "value", None)
        if event == "job_info":
            record = self._started(record)
        elif event == "job_finished" and getattr(record, "job_id", None) in self.started:
            return self._finished(record)
        elif _INTERRUPT in str(record.msg):
            interrupted.set()
            return "Interrupted: the running jobs are being stopped."
        return self.usual.format(record)

    def _started(self, record: logging.LogRecord) -> logging.LogRecord:
        said: dict[str, Any] = record.__dict__
        title = re.sub(r" \(log: .*\)$", "", str(said.get("rule_msg") or said["rule_name"]))
        logs = [str(path) for path in said.get("log") or ()]
        self.started[said["jobid"]] = (time.monotonic(), title, logs)
        shortened = copy(record)
        shortened.reason = short_reason(str(said.get("reason", "")))
        return shortened

    def _finished(self, record: logging.LogRecord) -> str:
        began, title, logs = self.started.pop(record.__dict__["job_id"])
        seconds = time.monotonic() - began
        spent = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
        result = last_line(logs[0]) if logs else ""
        return f"{time.strftime('%H:%M:%S')} done in {spent}: {title}" + (result and f": {result}")


def last_line(path: str) -> str:
    """The last line of a log, without its time of day; nothing where there is none."""
    try:
        lines = Path(path).read_text(errors="replace").split("\n")
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return _cut(_CLOCK.sub("", last))


def short_reason(text: str) -> str:
    """Snakemake's reason of a job in few words: of files the first, of values the changed ones."""
    return "; ".join(filter(None, map(_short, re.split(r"; (?=[A-Z])", text))))


def _short(part: str) -> str:
    head, colon, rest = part.partition(": ")
    if head.startswith("Params have changed"):
        return f"params changed: {_changes(rest)}"
    if not colon or head not in _NAMES:
        return _cut(part[:1].lower() + part[1:])
    files = rest.split(", ")
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{_NAMES[head]}: {min(files)}{more}"


def _changes(text: str) -> str:
    """`key: before -> now` of the values that differ."""
    found = _PARAMS.search(text)
    if found is None:
        return _cut(text)
    before, now = (dict(_values(found[name])) for name in ("before", "now"))
    lines = []
    for key in dict.fromkeys((*before, *now)):
        old, new = before.get(key), now.get(key)
        if old != new:
            lines.append(f"{key}: {_cut(str(old), 40)} -> {_cut(str(new), 40)}")
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return ", ".join(lines[:SHOWN]) + more


def _values(text: str) -> list[tuple[str, str]]:
    """Key and value of each param; a param without a key is a key."""
    try:
        params = ast.literal_eval(f"[{text}]")
    except (SyntaxError, ValueError):
        return []
    flat = [leaf for one in params for leaf in (one if isinstance(one, list) else [one])]
    return [_pair(str(leaf)) for leaf in flat]


def _pair(leaf: str) -> tuple[str, str]:
    stage = re.fullmatch(r"(\w+ version) (\d+)", leaf)
    key, _, value = (stage[1], "", stage[2]) if stage else leaf.partition("=")
    return key, value


def _cut(text: str, width: int = WIDTH) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
