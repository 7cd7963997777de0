"""Options of several commands; names of records are looked up when they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click

from sitsformer.registry import unknown

Command = TypeVar("Command", bound=Callable[..., Any])


def device(command: Command) -> Command:
    """The option of commands that run a network."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where networks run; auto: on a GPU if there is one.",
    )(command)


def threads(command: Command) -> Command:
    """The option of commands that train."""
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="Threads of the CPU; default: SITSFORMER_THREADS, or as many as each library takes.",
    )(command)


def checkpoint(command: Command) -> Command:
    """The option of jobs of the sweep, which are told to stop and tried again."""
    return click.option(
        "--checkpoint",
        type=click.Path(path_type=Path),
        help="Folder for what is done before the output is: the same command goes on from there. "
        "It is emptied when the output is whole.",
    )(command)


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
