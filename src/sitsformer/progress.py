"""Progress bars that suit a terminal, and plain lines that suit a log."""

from __future__ import annotations

import logging
import sys
from typing import Any

from tqdm import tqdm

LINE_SECONDS = 10.0
"""In a log a line appears this often; jobs of the workflow share one terminal."""

_LINE = (
    "{desc}: {n_fmt} of {total_fmt} {unit}, {rate_fmt}, {elapsed} gone, {remaining} left{postfix}"
)

logger = logging.getLogger("sitsformer")


class Progress(tqdm):  # type: ignore[type-arg]
    """A tqdm bar on a terminal; a line every ten seconds in the log of a job."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._plain = not sys.stderr.isatty()
        if self._plain:
            kwargs.update(mininterval=LINE_SECONDS, bar_format=_LINE, miniters=1)
            kwargs.setdefault("delay", LINE_SECONDS)
        super().__init__(*args, **kwargs)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:  # type: ignore[override]
        """Show the bar, or log it as a line."""
        if not self._plain:
            return bool(super().display(msg, pos))
        if msg != "":
            logger.info("%s", msg or self)
        return True


def start_logging() -> None:
    """Send messages to stderr, with the time of day."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
