"""Artefacts: whole or not at all, the same bytes, damage found."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sitsformer import artefacts
from sitsformer.artefacts import ArtefactError
from sitsformer.errors import TemporaryError


def make(path: Path, text: str = "x", **keys) -> None:
    with artefacts.create(path, "thing", config={"a": 1}, seed=3, **keys) as folder:
        (folder / "data").mkdir()
        (folder / "data" / "chunk").write_text(text)


def test_same_inputs_same_bytes(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b")
    first, second = (
        {p.relative_to(r): p.read_bytes() for p in r.rglob("*") if p.is_file()}
        for r in (tmp_path / "a", tmp_path / "b")
    )
    assert first == second
    assert artefacts.digest(tmp_path / "a") == artefacts.digest(tmp_path / "b")


def test_the_record_names_what_made_it(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b", "y", inputs={"cube": tmp_path / "a"}, extra={"dates": 7})
    record = artefacts.read(tmp_path / "b")
    assert record["inputs"] == {"cube": artefacts.digest(tmp_path / "a")}
    assert (record["kind"], record["seed"], record["dates"]) == ("thing", 3, 7)
    assert record["versions"]["python"].startswith("3.")


def test_a_new_one_replaces_the_old_one_whole(tmp_path: Path) -> None:
    make(tmp_path / "a", "old")
    (tmp_path / "a" / "left_over").touch()
    make(tmp_path / "a", "new")
    assert artefacts.check(tmp_path / "a") == []
    assert (tmp_path / "a" / "data" / "chunk").read_text() == "new"


def test_failure_keeps_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    make(tmp_path / "a", "old")
    with (
        pytest.raises(RuntimeError),
        artefacts.create(tmp_path / "a", "thing", config={}) as folder,
    ):
        (folder / "half").touch()
        raise RuntimeError
    with pytest.raises(RuntimeError), artefacts.create_file(tmp_path / "t.csv") as partial:
        partial.write_text("half")
        raise RuntimeError
    assert [item.name for item in tmp_path.iterdir()] == ["a"]
    assert artefacts.check(tmp_path / "a") == []


def test_left_overs_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from sitsformer import artefacts\n"
        "with artefacts.create(Path(sys.argv[1]), 'thing', config={}) as folder:\n"
        "    (folder / 'half').touch(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=False)
    assert result.returncode == -signal.SIGKILL
    assert [item.name.startswith(".a.partial-") for item in tmp_path.iterdir()] == [True]
    make(tmp_path / "a")
    assert [item.name for item in tmp_path.iterdir()] == ["a"]


def test_left_overs_of_a_replacement_and_of_a_file_are_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in (f".a.partial-{ended.pid}", f".a.partial-{ended.pid}-old"):
        (tmp_path / name).mkdir()
    (tmp_path / f".t.partial-{ended.pid}.csv").touch()
    living = tmp_path / f".a.partial-{os.getppid()}"
    living.mkdir()
    make(tmp_path / "a")
    with artefacts.create_file(tmp_path / "t.csv") as partial:
        partial.write_text("whole")
    assert {item.name for item in tmp_path.iterdir()} == {"a", "t.csv", living.name}


def test_check_finds_missing_altered_and_foreign_files(tmp_path: Path) -> None:
    make(tmp_path / "a")
    chunk = tmp_path / "a" / "data" / "chunk"
    (tmp_path / "a" / ".snakemake_timestamp").touch()
    chunk.write_text("z")
    assert artefacts.check(tmp_path / "a") == ["altered: data/chunk (same size, other contents)"]
    chunk.rename(chunk.with_name("other"))
    assert artefacts.check(tmp_path / "a") == [
        "missing: data/chunk",
        "foreign: data/other (not written by sitsformer)",
    ]


def test_what_is_no_artefact_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="not an artefact"):
        artefacts.read(tmp_path)
    (tmp_path / artefacts.PROVENANCE).write_text("{")
    with pytest.raises(ArtefactError, match="cannot be read"):
        artefacts.check(tmp_path)


def test_create_file_keeps_the_suffix_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "t.csv"
    for text in ("one", "two"):
        with artefacts.create_file(target) as partial:
            assert partial.suffix == ".csv"
            partial.write_text(text)
    assert target.read_text() == "two"
    assert [item.name for item in target.parent.iterdir()] == ["t.csv"]


def test_a_glance_finds_a_large_chunk_in_the_place_of_another(tmp_path: Path) -> None:
    """Of the same size, with a checksum inside that holds; what lies between is left to that."""
    with artefacts.create(tmp_path / "a", "thing", config={}) as folder:
        (folder / "c").mkdir()
        for number in (0, 1):
            (folder / "c" / str(number)).write_bytes(bytes([number]) * 100_000)
    first, second = (tmp_path / "a" / "c" / name for name in "01")
    data = bytearray(first.read_bytes())
    data[50_000] ^= 1
    first.write_bytes(data)
    assert artefacts.glance(tmp_path / "a", checked=("c/",)) == []
    altered = ["altered: c/0 (same size, other contents)"]
    assert artefacts.glance(tmp_path / "a") == artefacts.check(tmp_path / "a") == altered
    first.write_bytes(second.read_bytes())
    assert artefacts.glance(tmp_path / "a", checked=("c/",)) == altered


def test_records_of_older_versions_are_read(tmp_path: Path) -> None:
    make(tmp_path / "a")
    record = artefacts.read(tmp_path / "a")
    old = {name: value for name, value in record.items() if name not in ("format", "record_sha256")}
    (tmp_path / "a" / artefacts.PROVENANCE).write_text(json.dumps(old))
    assert artefacts.read(tmp_path / "a") == old
    assert artefacts.glance(tmp_path / "a") == []


@pytest.mark.parametrize("key", ["seed", "format", "record_sha256", "files"])
def test_an_altered_record_is_refused(tmp_path: Path, key: str) -> None:
    make(tmp_path / "a")
    record = artefacts.read(tmp_path / "a")
    record["x" + key[1:]] = record.pop(key)
    (tmp_path / "a" / artefacts.PROVENANCE).write_text(json.dumps(record))
    with pytest.raises(ArtefactError, match=r"damaged|no record"):
        artefacts.glance(tmp_path / "a")


def test_an_input_without_a_record_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name, message in (("mine", "has no provenance.json"), ("nowhere", "does not exist")):
        worked = False
        with (
            pytest.raises(ArtefactError, match=message),
            artefacts.create(tmp_path / "a", "b", config={}, inputs={"x": tmp_path / name}),
        ):
            worked = True
        assert not worked
    assert [item.name for item in tmp_path.iterdir()] == ["mine"]


def test_a_file_has_its_record_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "t.csv"
    for text in ("one", "other"):
        with artefacts.create_file(target, "table") as partial:
            partial.write_text(text)
        assert artefacts.check_file(target) == []
        artefacts.refuse_altered(target, "again")
    assert artefacts.read_file(target)["kind"] == "table"
    before = artefacts.ledger_path(target).read_bytes()
    with pytest.raises(RuntimeError), artefacts.create_file(target, "table") as partial:
        raise RuntimeError
    assert artefacts.ledger_path(target).read_bytes() == before
    target.write_text("two")
    with pytest.raises(ArtefactError, match=r"altered: t.csv \(3 bytes, 5 recorded\); again"):
        artefacts.refuse_altered(target, "again")
    target.unlink()
    assert artefacts.check_file(target) == ["missing: t.csv"]


@pytest.mark.parametrize(
    "said",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("144000 requested and 10176 written"),  # numpy
        RuntimeError("I/O error: No space left on device (os error 28)"),  # safetensors
        OSError(errno.EDQUOT, "Disk quota exceeded"),
    ],
)
def test_a_full_disk_is_one_message_and_leaves_nothing(tmp_path: Path, said: Exception) -> None:
    with (
        pytest.raises(TemporaryError, match="a cannot be written: the disk is full"),
        artefacts.create(tmp_path / "a", "thing", config={}) as folder,
    ):
        (folder / "half").touch()
        raise said
    with (
        pytest.raises(TemporaryError, match=r"t.csv cannot be written: the disk is full"),
        artefacts.create_file(tmp_path / "t.csv") as partial,
    ):
        partial.touch()
        raise ValueError from said
    assert list(tmp_path.iterdir()) == []


LATE = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sitsformer import artefacts

failed = threading.Event()

def write(folder):
    failed.wait()
    (folder / "c").mkdir(parents=True)
    (folder / "c" / "0").write_text("a chunk")

with ThreadPoolExecutor() as pool:
    try:
        with artefacts.create(Path(sys.argv[1]), "cube", config={}) as partial:
            late = pool.submit(write, partial)
            raise OSError
    except OSError:
        failed.set()
    late.result()
"""


def test_what_another_thread_writes_after_a_failure_goes_too(tmp_path: Path) -> None:
    """Zarr writes chunks by several threads, and says so when the first one fails."""
    subprocess.run([sys.executable, "-c", LATE, str(tmp_path / "a.zarr")], check=True)
    assert list(tmp_path.iterdir()) == []


def test_somebody_s_own_folder_or_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one").write_text("dear")
    (tmp_path / "file").write_text("dear")
    for name, message in (("photos", "other things in it"), ("file", "is a file")):
        with pytest.raises(ArtefactError, match=message):
            make(tmp_path / name)
    assert (tmp_path / "photos" / "one").read_text() == "dear"
    assert (tmp_path / "file").read_text() == "dear"
    assert {item.name for item in tmp_path.iterdir()} == {"photos", "file"}
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty")
    assert artefacts.check(tmp_path / "empty") == []


def test_a_link_to_an_artefact_is_replaced_and_what_it_led_to_is_kept(tmp_path: Path) -> None:
    make(tmp_path / "a", "old")
    (tmp_path / "link").symlink_to("a")
    make(tmp_path / "link", "new")
    assert (tmp_path / "a" / "data" / "chunk").read_text() == "old"
    assert (tmp_path / "link" / "data" / "chunk").read_text() == "new"
    assert {item.name for item in tmp_path.iterdir()} == {"a", "link"}


def test_a_folder_or_a_pipe_does_not_become_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ArtefactError, match="name of"), artefacts.create_file(path) as partial:
            partial.touch()
    assert [item.name for item in tmp_path.iterdir()] == ["pipe"]
    assert (tmp_path / "pipe").is_fifo()
