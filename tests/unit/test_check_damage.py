"""`sitsformer check`: folders of anything are walked, and damage is named with a way out."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

import training_data
from sitsformer import artefacts
from sitsformer.commands.check import check
from sitsformer.errors import REFUSED, SitsError


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with a store, two tables, a log and a hidden folder."""
    folder = tmp_path / "my results"
    training_data.store(folder / "patches" / "s.zarr", count=30, time=4)
    for name in ("a.csv", "b.png"):
        with artefacts.create_file(folder / "tables" / name, "table") as partial:
            partial.write_text("x,y")
    for name in ("logs/s.log", ".snakemake/m.png", "benchmarks/b.tsv"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("anything")
    return folder


def run(*paths: Path) -> tuple[str, str]:
    """Output, and the message of the refusal (empty when there is none)."""
    done = CliRunner().invoke(check, [str(path) for path in paths])
    if done.exception is None:
        return done.output, ""
    assert isinstance(done.exception, SitsError), done.exception
    assert done.exception.exit_status == REFUSED
    return done.output, str(done.exception)


def test_a_whole_folder(results: Path) -> None:
    output, message = run(results)
    assert message == ""
    assert [line.removeprefix(f"{results}/") for line in output.splitlines()] == [
        "patches/s.zarr: samples, whole",
        "tables/a.csv: table, whole",
        "tables/b.png: table, whole",
    ]


def test_a_link_back_is_followed_once(results: Path) -> None:
    whole = run(results)
    (results / "tables" / "again").symlink_to(results)
    assert run(results) == whole


@pytest.mark.parametrize("damage", ["truncate", "alter", "remove"])
@pytest.mark.parametrize("name", ["tables/a.csv", "tables/b.png", "patches/s.zarr/label/c/0"])
def test_what_is_damaged_is_named_with_what_to_delete(
    results: Path, name: str, damage: str
) -> None:
    path = results / name
    data = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(data[:-1] + (b"" if damage == "truncate" else bytes([data[-1] ^ 1])))
    output, message = run(results)
    artefact = results / ("patches/s.zarr" if "patches" in name else name)
    assert f"{artefact}: " in output and output.count(", damaged") == 1
    assert f"rm -rf -- '{artefact}'" in message and "snakemake" in message
    assert run(artefact)[1] and run(path)[1]
    assert run(results / "logs" / ".." / "patches" / "s.zarr" / "doy")[1] == ""


def test_what_is_to_be_deleted_is_all_of_it(results: Path) -> None:
    """Lost files leave records, and a part of an artefact is not made again alone."""
    table, chunk = (
        results / "tables" / "a.csv",
        results / "patches" / "s.zarr" / "label" / "c" / "0",
    )
    table.unlink()
    chunk.write_bytes(b"")
    _, advice = run(table, chunk)
    subprocess.run(advice.split("`")[1], shell=True, check=True)
    output, message = run(results)
    assert message == ""
    assert output == f"{results}/tables/b.png: table, whole\n"


def test_a_record_that_cannot_be_read(results: Path) -> None:
    for record in (
        results / "patches" / "s.zarr" / artefacts.PROVENANCE,
        artefacts.ledger_path(results / "tables" / "a.csv"),
    ):
        good = record.read_bytes()
        for text in (b"", b"[]", b"\xff\xfe", b"{}", b'{"kind": 1, "files": 3}'):
            record.write_bytes(text)
            assert "rm -rf" in run(results)[1], text
        record.write_bytes(good)
    assert run(results)[1] == ""


def test_what_has_no_record_is_said_and_never_called_whole(results: Path, tmp_path: Path) -> None:
    (results / "tables" / "c.parquet").write_text("mine")
    output, message = run(results)
    assert "c.parquet: no record" in output and message == ""
    assert "no record" in run(results / "tables" / "c.parquet")[1]
    (results / "patches" / "s.zarr" / artefacts.PROVENANCE).unlink()
    assert "no record" in run(results / "patches" / "s.zarr")[1]


def test_own_files_in_an_artefact_are_told_from_damage(results: Path) -> None:
    (results / "patches" / "s.zarr" / "notes.txt").write_text("mine")
    output, message = run(results)
    assert "foreign: notes.txt" in output and ", damaged" not in output
    assert "move those elsewhere" in message and "rm" not in message


def test_what_is_no_artefact(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("x")
    assert "does not exist" in run(tmp_path / "nowhere")[1]
    assert "there is no artefact" in run(tmp_path / "empty")[1]
    assert "no record" in run(tmp_path / "text")[1]
