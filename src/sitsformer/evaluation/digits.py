"""Numbers as sentences and pages write them: enough digits that nothing but zero reads as zero."""

from __future__ import annotations

import math

MOST = 6
"""Decimals at most."""


def decimals(*values: float, least: int) -> int:
    """Decimals, from `least` on, that keep values apart from zero and from each other.

    An interval that excludes zero must not read as one that touches it, and one of some width not
    as a point.
    """
    known = [value for value in values if math.isfinite(value)]
    for count in range(least, MOST):
        written = [round(value, count) for value in known]
        apart = len(set(written)) == len(set(known))
        if apart and all((a == 0) == (b == 0) for a, b in zip(written, known, strict=True)):
            return count
    return MOST


def number(value: float, least: int) -> str:
    """One number; nothing where it is not known."""
    return f"{value:,.{decimals(value, least=least)}f}" if math.isfinite(value) else ""


def signed(*values: float, least: int) -> list[str]:
    """Numbers with their signs, with as many decimals."""
    count = decimals(*values, least=least)
    return [f"{value:+.{count}f}" for value in values]


def interval(low: float, high: float, least: int) -> str:
    """Both ends of an interval, with as many decimals; nothing where it is not known."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    count = decimals(low, high, least=least)
    return f"{low:,.{count}f} – {high:,.{count}f}"
