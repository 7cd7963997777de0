"""What `sitsformer doctor` finds, one line a thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sitsformer.errors import SitsError, TemporaryError


@dataclass(frozen=True)
class Finding:
    """One line of the screen."""

    well: bool
    topic: str
    said: str
    may_pass: bool = False


def attempt(topic: str, test: Callable[[], str]) -> Finding:
    """What a test says, or its error."""
    try:
        return Finding(True, topic, test())
    except SitsError as error:
        return Finding(False, topic, str(error), isinstance(error, TemporaryError))


def screen(findings: Sequence[Finding]) -> str:
    """The findings as text, one a line."""
    width = max(len(finding.topic) for finding in findings)
    lines = [
        f"{'ok  ' if finding.well else 'FAIL'}  {finding.topic:<{width}}  {finding.said}"
        for finding in findings
    ]
    if all(finding.well for finding in findings):
        lines.append("Everything answers.")
    return "\n".join(lines)
