"""Thinning one sample at a time in Python's own whole numbers: the reference of the tests."""

from __future__ import annotations

WORD = 2**64


def plain_uniform(seed: int, *keys: int) -> float:
    """`uniform` in Python's own whole numbers."""
    state = seed % WORD
    for key in keys:
        state = ((state ^ (key % WORD)) + 0x9E3779B97F4A7C15) % WORD
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % WORD
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % WORD
        state ^= state >> 31
    return (state >> 11) / 2**53


def plain_thin(clear: list[bool], length: int, epsg: int, x: int, y: int) -> list[int]:
    """`thin` for one sample."""
    dates = [position for position, good in enumerate(clear) if good]
    n = len(dates)
    if n <= length:
        return dates + [-1] * (length - n)
    kept = []
    for place in range(length):
        start, stop = place * n // length, (place + 1) * n // length
        kept.append(dates[start + int(plain_uniform(epsg, x, y, place) * (stop - start))])
    return kept
