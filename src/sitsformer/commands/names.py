"""An option whose values are the records of a registry, looked up when they are wanted."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module

import click

from sitsformer.registry import unknown


class NameOf(click.ParamType):  # type: ignore[type-arg]
    """The name of a record."""

    def __init__(self, what: str, known: str) -> None:
        """Say whose name is wanted.

        Args:
            what: what the records are called, for the message.
            known: `module:function` that gives the records by name; it is imported when the option
                is used or described, so that the help of other commands does not pay for it.
        """
        self.name = what
        self.module, _, self.function = known.partition(":")

    def _known(self) -> Collection[str]:
        names: Collection[str] = getattr(import_module(self.module), self.function)()
        return names

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The names, as a choice is shown."""
        return f"[{'|'.join(self._known())}]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if there is a record of it."""
        if value not in self._known():
            self.fail(unknown(self.name, value, self._known()), param, ctx)
        return value
