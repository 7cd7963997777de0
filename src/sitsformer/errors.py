"""The errors that a user is meant to read, and the exit statuses that go with them.

A message says what was asked, what was found, and what to do. The command line prints the message
alone and exits with the status of the error's class:

    0    done
    1    failed for a reason that may pass: a server, the disk, memory; the same command may succeed
    2    the command line itself is wrong (click's own status)
    3    refused: a config, an input or credentials; the same command would be refused again
    130  interrupted
"""

FAILED = 1
"""Exit status of a failure that may pass; the same command may succeed at another time."""
REFUSED = 3
"""Exit status of what would be refused again: nothing retries it."""
INTERRUPTED = 130


class SitsError(Exception):
    """The root: what was asked for cannot be had, and asking again changes nothing."""

    exit_status = REFUSED


class TemporaryError(SitsError):
    """A failure that may pass: a server that is away, a full disk, a time limit."""

    exit_status = FAILED
