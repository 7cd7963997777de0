"""The one kind of error a user is meant to read: asked, found, what to do."""


class SitsError(Exception):
    """An expected failure; the CLI prints its message alone and exits with status 1."""
