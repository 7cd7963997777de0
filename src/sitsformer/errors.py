"""The errors that a user is meant to read, and the exit statuses that go with them.

A message says what was asked, what was found, and what to do. The command line prints the message
alone and exits with the status of the error's class:

    0    done
    1    failed for a reason that may pass: a server, the disk, memory; the same command may succeed
    2    the command line itself is wrong (click's own status)
    3    refused: a config, an input or credentials; the same command would be refused again
    130  interrupted
    143  told to stop (SIGTERM): training saved a checkpoint first
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

FAILED = 1
"""Exit status of a failure that may pass; the same command may succeed at another time."""
REFUSED = 3
"""Exit status of what would be refused again: nothing retries it."""
INTERRUPTED = 130

MOST_NAMES = 12
"""Names that a message lists at most."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_ROOM_SAID = re.compile(
    r"no space left|disk quota exceeded|file too large|disk full|\d+ requested and \d+ written"
    rf"|os error ({'|'.join(map(str, sorted(_NO_ROOM)))})\b",
    re.IGNORECASE,
)


class SitsError(Exception):
    """The root: what was asked for cannot be had, and asking again changes nothing."""

    exit_status = REFUSED


class TemporaryError(SitsError):
    """A failure that may pass: a server that is away, a full disk, a time limit."""

    exit_status = FAILED


def some(names: Sequence[object], most: int = MOST_NAMES) -> str:
    """Names for a message, not all of thousands: `a, b, ... (188 in all)`; `none` without any."""
    rest = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + rest or "none"


def no_room(error: BaseException | None) -> bool:
    """Whether a write failed for want of room on the disk.

    Libraries in C and Rust raise errors of their own, with the system's words in the message, and
    some raise another error after the first.
    """
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return True
        if _NO_ROOM_SAID.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False
