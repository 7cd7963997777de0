"""Names of bands, and the order that every store has them in."""

from __future__ import annotations

from collections.abc import Sequence

from sitsformer.errors import SitsError
from sitsformer.sensors import Sensor


def arrange(
    names: Sequence[str] | None, count: int, sensor: Sensor, where: str
) -> tuple[tuple[str, ...], list[int]]:
    """Bands in the order of every store, and the position of each in the file.

    Args:
        names: as the file or the user has them (`B2`, `02` and `blue` are one); None: the bands of
            cubes of the sensor in their order.
        count: bands that the file holds.
        sensor: whose bands they are.
        where: what a message says first.

    Raises:
        SitsError: not as many names as bands, or a name that is none of the sensor's.
    """
    if names is None:
        own = sensor.names
        if count != len(own):
            raise SitsError(
                f"{where} holds {count} bands, not the {len(own)} of {' '.join(own)}: name "
                f"them in their order with --bands ({','.join(own[:2])},...)"
            )
        return own, list(range(count))
    if len(names) != count:
        raise SitsError(f"{where} holds {count} bands, but {len(names)} names: {', '.join(names)}")
    found = [_standard(name, sensor) for name in names]
    known = sensor.instrument
    for name, standard in zip(names, found, strict=True):
        if standard not in known:
            raise SitsError(
                f"{where}: the band {name!r} is none of {sensor.title}'s: {' '.join(known)}"
            )
        if found.count(standard) > 1:
            raise SitsError(f"{where}: the band {standard} is there twice")
    order = sorted(range(count), key=lambda i: known.index(found[i]))
    return tuple(found[i] for i in order), order


def _standard(name: str, sensor: Sensor) -> str:
    """Any spelling of a band, and a number alone -> `B02`."""
    text = name.strip()
    return sensor.spelled(f"B{text}" if text[:1].isdigit() else text)
