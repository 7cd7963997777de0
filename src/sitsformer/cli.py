"""The command `sitsformer`: a table of contents.

Every command lives in `commands/`, one file a stage, and imports its stage only when it runs, so
that `sitsformer --help` costs no torch and no geo stack.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from importlib import import_module
from typing import NoReturn

import click

from sitsformer import threads
from sitsformer.errors import FAILED, INTERRUPTED, REFUSED, SitsError, no_room
from sitsformer.progress import start_logging

OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "can't start new thread")
"""What torch, on a CPU and a GPU, and Python say of it in errors that are no `MemoryError`."""
SMALLER = (
    "give it more, or lower the batch size (pretrain.batch_size with accumulate, "
    "fewshot.batch_size) or patches.memory_gb"
)
"""What to do where memory runs out."""
_PRIMITIVES = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
"""How many shapes oneDNN keeps what it has prepared for. Batches of packed steps all have shapes of
their own, so that its 1,024 are 0.1 to 0.2 GB that are never looked at again; a network whose
shapes stay the same needs some twenty. Read when torch multiplies for the first time."""

CONTENTS: dict[str, dict[str, str]] = {
    "The stages, in the order the data flow": {
        "cube": "cube:cube",
        "patches": "patches:patches",
        "merge": "patches:merge",
        "embeddings": "embeddings:embeddings",
        "pretrain": "pretrain:pretrain",
        "fewshot": "finetune:fewshot",
        "fit": "fit:fit",
        "baseline": "baseline:baseline",
        "evaluate": "evaluate:evaluate",
        "crop-model": "crop_model:crop_model",
        "map": "map:map_command",
        "mosaic": "map:mosaic",
        "report": "report:report",
    },
    "Looking ahead": {
        "plan": "plan:plan",
    },
    "Looking inside": {
        "inspect": "patches:inspect",
        "trace": "patches:trace",
        "check": "check:check",
        "labels": "labels:labels",
        "assess": "assess:assess",
        "picture": "picture:picture",
        "view": "earthengine:view",
    },
    "Earth Engine": {
        "auth": "earthengine:auth",
        "doctor": "earthengine:doctor",
        "cache": "earthengine:cache",
    },
    "Beside the workflow": {
        "init": "init:init",
        "predict": "predict:predict",
        "finetune": "finetune:finetune",
        "embed": "embed:embed",
        "export-onnx": "export_onnx:export_onnx",
        "convert": "convert:convert",
        "config": "config:config",
    },
}
"""Section of the help -> command -> `module of commands:function`."""

MORE = "@-"
"""As the last word: more words are read from standard input."""

REMEDIES = {
    errno.EACCES: "ask for the right to use it, or name another place",
    errno.EPERM: "ask for the right to use it, or name another place",
    errno.EROFS: "name a place that can be written to",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file; check the path",
    errno.EISDIR: "a file is wanted; check the path",
    errno.EEXIST: "something else is in its place; name another",
    errno.ENAMETOOLONG: "choose a shorter name",
}
"""What the system refuses, and would refuse again -> what to do."""


class TableOfContents(click.Group):
    """A group that imports a command only when it is asked for, and lists them by section."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the contents."""
        return [name for section in CONTENTS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one command."""
        for section in CONTENTS.values():
            if cmd_name in section:
                module, _, function = section[cmd_name].partition(":")
                command = getattr(import_module(f"sitsformer.commands.{module}"), function)
                assert isinstance(command, click.Command)
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One list a section."""
        for title, section in CONTENTS.items():
            rows = []
            for name in section:
                command = self.get_command(ctx, name)
                rows.append((name, command.get_short_help_str(80) if command else ""))
            with formatter.section(title):
                formatter.write_dl(rows)


def _hyphens(name: str) -> str:
    """Names of options with hyphens: SITS-Former's own scripts have underscores."""
    return name.replace("_", "-")


@click.group(
    cls=TableOfContents,
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": _hyphens},
)
@click.version_option(package_name="sitsformer")
def contents() -> None:
    """Crop maps from Sentinel-2 time series with few labels: Dual SITS-Former.

    The workflow runs these commands for you: `snakemake --cores 2`. Each one also works alone.
    """


def main() -> None:
    """Run a command; an expected failure prints its one message and exits with its status.

    The statuses are listed in `sitsformer.errors`.
    """
    start_logging()
    try:
        threads.hand_on()
        os.environ.setdefault(_PRIMITIVES, "64")
        contents.main(_words(sys.argv[1:]), standalone_mode=False)
    except SitsError as error:
        _fail(str(error), error.exit_status)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("stopped", INTERRUPTED)
    except MemoryError as error:
        said = f": {error}" if str(error) else ""
        _fail(f"out of memory{said}; {SMALLER}")
    except RuntimeError as error:
        said = str(error).splitlines()[0] if str(error) else ""
        if not any(words in said for words in OUT_OF_MEMORY):
            raise
        _fail(f"out of memory: {said}; {SMALLER}")
    except OSError as error:
        _fail(*_describe(error))


def _words(given: list[str]) -> list[str]:
    """The words of a command line; in the place of a last `@-` those of standard input.

    Each of these is ended by a NUL. The files of an area of some 16,000 tiles fit no command line:
    Linux takes 2 MB.
    """
    if given[-1:] != [MORE]:
        return given
    words = sys.stdin.buffer.read().split(b"\0")
    return [*given[:-1], *(os.fsdecode(word) for word in words[:-1])]


def _describe(error: OSError) -> tuple[str, int]:
    """Message and exit status of what the system refuses or cannot do."""
    where = f"{error.filename}: " if error.filename else ""
    said = error.strerror or str(error)
    if no_room(error):
        return f"{where}{said}; make room and run the same command again", FAILED
    if error.errno in REMEDIES:
        return f"{where}{said}; {REMEDIES[error.errno]}", REFUSED
    return f"{where}{said}", FAILED


def _fail(message: str, status: int = FAILED) -> NoReturn:
    logging.getLogger("sitsformer").error("error: %s", message)
    sys.exit(status)
