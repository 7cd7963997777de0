"""Real processes that are killed, terminated, short of disk, or several."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

import training_data

pytestmark = pytest.mark.long

ENVIRONMENT = {**os.environ, "SITSFORMER_THREADS": "1", "OMP_NUM_THREADS": "1"}


def command(folder, name, *more, embedding="linear", dropout=0.1):
    config = training_data.config(folder / f"{name}.yaml", embedding, dropout)
    return [
        sys.executable, "-m", "sitsformer", "pretrain", "--config", str(config),
        "--objective", "dual", "--seed", "3", "--samples", str(folder / "made.zarr"),
        "--checkpoint", str(folder / name / "checkpoint"), "--out", str(folder / name / "model"),
        *more,
    ]  # fmt: skip


def run(arguments, env=None, **options):
    return subprocess.run(
        arguments, capture_output=True, text=True, env=ENVIRONMENT | (env or {}), timeout=600,
        **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(warm, tmp_path_factory):
    made = tmp_path_factory.mktemp("training")
    training_data.store(made / "made.zarr", unlabelled=0.2)
    finished = run(command(made, "whole"), warm)
    assert finished.returncode == 0, finished.stderr
    return made


def same_bytes(folder, name):
    return all(
        (folder / name / "model" / file).read_bytes()
        == (folder / "whole" / "model" / file).read_bytes()
        for file in ("model.safetensors", "config.json", "history.csv", "provenance.json")
    )


def version_of(path):
    """What tells one writing of a file from the next; None before the first."""
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None


def wait_for(path, process, known=None, seconds=600.0):
    """Until the process has written a file that is not the known one."""
    end = time.monotonic() + seconds
    while version_of(path) == known:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.002)


def test_two_processes_write_the_same_bytes(folder):
    assert run(command(folder, "again")).returncode == 0
    assert same_bytes(folder, "again")


def test_a_stream_from_disk_trains_the_same_as_memory(folder, warm):
    """Weights and history to the bit."""
    arguments = command(folder, "stream")
    config = folder / "stream.yaml"
    config.write_text(config.read_text().replace("  epochs: 3", "  epochs: 3\n  loader: stream"))
    assert run(arguments, warm).returncode == 0
    for file in ("model.safetensors", "history.csv"):
        streamed = (folder / "stream" / "model" / file).read_bytes()
        assert streamed == (folder / "whole" / "model" / file).read_bytes()


def one_reader():
    """Reading threads are as many as the processors that a process may use."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@pytest.mark.parametrize("loader", ["memory", "stream"])
def test_killed_and_started_again_gives_the_same_bytes(folder, loader):
    """SIGKILL as soon as training has gone on by a checkpoint, each time the same command again;
    at last with one reader."""
    name = f"killed-{loader}"
    arguments = command(folder, name)
    config = folder / f"{name}.yaml"
    config.write_text(config.read_text().replace("  epochs: 3", f"  epochs: 3\n  loader: {loader}"))
    checkpoint = folder / name / "checkpoint" / "checkpoint.safetensors"
    for _ in range(3):
        known = version_of(checkpoint)
        process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        wait_for(checkpoint, process, known)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it was done before it could be killed"
    finished = run(arguments, preexec_fn=one_reader)
    assert finished.returncode == 0, finished.stderr
    assert "resumed from" in finished.stderr
    assert same_bytes(folder, name)


def test_sigterm_saves_and_asks_for_another_try(folder):
    arguments = [part if part != "3" else "4" for part in command(folder, "terminated")]
    config = folder / "terminated.yaml"
    config.write_text(config.read_text().replace("epochs: 3", "epochs: 500"))
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    wait_for(folder / "terminated" / "checkpoint" / "checkpoint.safetensors", process)
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=600)
    assert process.returncode == 143
    assert "terminated: saved after step" in messages
    assert not (folder / "terminated" / "model").exists()


def test_no_room_leaves_the_last_checkpoint_whole(folder, warm):
    """A limit on the size of files stands for a full disk: the write itself fails half-way."""
    assert run(command(folder, "full"), warm).returncode == 0
    checkpoint = folder / "full" / "checkpoint" / "checkpoint.safetensors"
    before = checkpoint.read_bytes()
    config = folder / "full.yaml"
    arguments = command(folder, "full")
    config.write_text(config.read_text().replace("epochs: 3", "epochs: 4"))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    failed = run(arguments, preexec_fn=limit)
    assert failed.returncode == 1
    assert "cannot be written" in failed.stderr and "Traceback" not in failed.stderr
    assert checkpoint.read_bytes() == before
    assert [item.name for item in checkpoint.parent.iterdir()] == [checkpoint.name]


@pytest.mark.parametrize(
    ("objective", "embedding", "decoder"),
    [
        ("dual", "linear", "none"),
        ("dual", "conv3d", "light"),
        ("sl", "conv3d", "none"),
    ],
)
def test_two_processes_train_what_one_trains(folder, warm, objective, embedding, decoder):
    """Same batches, masks, BatchNorm statistics and losses; dropout off, since its masks differ.

    Land cover alone is learned from a set with so few labels that a process gets none at times.
    """
    case = f"{objective}-{embedding}-{decoder}"
    rare = folder / "rare.zarr"
    if objective == "sl":
        training_data.store(rare, unlabelled=0.95)
    more = ("--objective", "sl", "--samples", str(rare)) if objective == "sl" else ()

    def asked(name):
        arguments = command(folder, f"{name}-{case}", *more, embedding=embedding, dropout=0.0)
        config = folder / f"{name}-{case}.yaml"
        text = config.read_text()
        config.write_text(text.replace("  epochs: 3", f"  epochs: 3\n  decoder: {decoder}"))
        return arguments

    one = run(asked("one"), warm)
    assert one.returncode == 0, one.stderr
    arguments = asked("two")
    launcher = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
        "--master-port", "29517", *arguments[1:],
    ]  # fmt: skip
    two = run(launcher)
    assert two.returncode == 0, two.stderr
    histories = [
        (folder / f"{name}-{case}" / "model" / "history.csv").read_text().splitlines()
        for name in ("one", "two")
    ]
    for first, second in zip(*histories, strict=True):
        if not first.startswith("epoch"):
            values = [list(map(float, line.split(","))) for line in (first, second)]
            assert values[0] == pytest.approx(values[1], rel=2e-4)
    found = [
        load_file(folder / f"{name}-{case}" / "model" / "model.safetensors")
        for name in ("one", "two")
    ]
    for name, value in found[0].items():
        assert torch.allclose(value.float(), found[1][name].float(), atol=2e-3), name


def test_the_whole_way_from_pretraining_to_cells(folder, warm):
    from sitsformer.fewshot import read_cells

    config = training_data.config(folder / "whole.yaml")
    out, saved = folder / "cells.parquet", folder / "crop"
    finished = run([
        sys.executable, "-m", "sitsformer", "fewshot", "--config", str(config),
        "--samples", str(folder / "made.zarr"), "--init", "dual", "--pretrain-seed", "3",
        "--init-model", str(folder / "whole" / "model"), "--shots", "5", "--seeds", "0-2",
        "--out", str(out), "--save-model", str(saved),
    ], warm)  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    table = read_cells(out)
    assert [cell.seed for cell in table.cells] == [0, 1, 2]
    assert table.cells[0].learner.name == "dual-p3-full"
    assert table.classes.names == training_data.CLASSES
    record = json.loads((saved / "provenance.json").read_text())
    assert set(record["inputs"]) == {"samples", "init"}


def test_the_original_command_line_works(folder):
    pretrained, tuned = folder / "paper", folder / "paper-tuned"
    first = run([
        sys.executable, "-m", "sitsformer", "pretrain", "--dataset-path",
        str(folder / "made.zarr"), "--pretrain-path", str(pretrained), "--epochs", "1",
        "--batch-size", "128",
    ])  # fmt: skip
    assert first.returncode == 0, first.stderr
    second = run([
        sys.executable, "-m", "sitsformer", "finetune", "--dataset-path",
        str(folder / "made.zarr"), "--pretrain-path", str(pretrained), "--finetune-path",
        str(tuned), "--epochs", "1", "--batch-size", "128",
    ])  # fmt: skip
    assert second.returncode == 0, second.stderr
    assert "test_accuracy" in second.stdout
    assert (tuned / "model" / "model.safetensors").exists()


def test_mistakes_are_one_line(folder, warm, tmp_path):
    training_data.store(tmp_path / "five.zarr", patch=5)
    config = training_data.config(tmp_path / "c.yaml")
    wrong = run([
        sys.executable, "-m", "sitsformer", "fewshot", "--config", str(config),
        "--samples", str(tmp_path / "five.zarr"), "--init", "dual", "--init-model",
        str(folder / "whole" / "model"), "--shots", "5", "--seeds", "0", "--out",
        str(tmp_path / "o.parquet"),
    ], warm)  # fmt: skip
    assert wrong.returncode == 3
    assert "patches of 1 x 1 pixels; found 5 x 5" in wrong.stderr
    assert "Traceback" not in wrong.stderr
