"""What the terminal says of a job: one line why, one line what came of it."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Event

import pytest
from snakemake.logging import DefaultFormatter
from snakemake_interface_logger_plugins.common import LogEvent

from sitsformer import console as words
from sitsformer.console import Console, install, short_reason


def record(message: str = "", **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", logging.INFO, "x", 1, message, (), None)
    made.__dict__.update(fields)
    return made


def started(log: Path, reason: str) -> logging.LogRecord:
    return record(
        event=LogEvent.JOB_INFO, jobid=7, rule_name="merge", reason=reason, log=[str(log)],
        rule_msg=f"Sample store crops (log: {log})",
    )  # fmt: skip


def test_reasons_name_the_first_file_and_what_changed() -> None:
    files = ", ".join(f"results/figures/{name}.svg" for name in "cab")
    assert short_reason(f"Missing output files: {files}") == (
        "missing: results/figures/a.svg and 2 more"
    )
    assert short_reason("Input files updated by another job: results/x.zarr") == (
        "made anew: results/x.zarr"
    )
    before = "['pretrain.epochs=10', 'pretrain.mask=steps', 'a=1']"
    now = "['pretrain.epochs=11', 'pretrain.mask=steps', 'b=2']"
    text = (
        "Params have changed since last execution: Union of exclusive params before and now across "
        f"all output: before: {before},'cube version 1' now: {now},'cube version 2' "
    )
    assert short_reason(f"Updated input files: x; {text}") == (
        "newer: x; params changed: pretrain.epochs: 10 -> 11, a: 1 -> None, "
        "cube version: 1 -> 2 and 1 more"
    )
    assert short_reason("Code has changed since last execution") == (
        "code has changed since last execution"
    )
    assert short_reason("Forced execution") == "forced execution"


def test_a_finished_job_is_one_line_with_its_result(tmp_path: Path) -> None:
    log = tmp_path / "merge.log"
    console = Console(DefaultFormatter())
    said = console.format(started(log, "Missing output files: a, b"))
    assert f"Job 7: Sample store crops (log: {log})" in said
    assert "Reason: missing: a and 1 more" in said
    log.write_text("11:22:33 reading\n11:22:34 set crops: 300 samples\n\n")
    said = console.format(record("Finished jobid: 7", event=LogEvent.JOB_FINISHED, job_id=7))
    assert said.count("\n") == 0
    assert said.endswith(" s: Sample store crops: set crops: 300 samples")


def test_an_interrupted_run_is_told_so_and_remembers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "interrupted", Event())
    message = "Terminating processes on user request, this might take some time."
    said = Console(DefaultFormatter()).format(record(message, event=None))
    assert said == "Interrupted: the running jobs are being stopped."
    assert words.interrupted.is_set()
    assert Console(DefaultFormatter()).format(record("anything else", event=None)) == (
        "anything else"
    )


def test_only_the_terminal_is_changed_and_once() -> None:
    logger = logging.Logger("a workflow's")
    terminal, file = logging.StreamHandler(), logging.StreamHandler()
    terminal.name, file.name = "DefaultStreamHandler", "DefaultLogFileHandler"
    for handler in (terminal, file):
        handler.setFormatter(DefaultFormatter())
        logger.addHandler(handler)
    install(logger)
    first = terminal.formatter
    install(logger)
    assert isinstance(first, Console) and terminal.formatter is first
    assert isinstance(file.formatter, DefaultFormatter)
