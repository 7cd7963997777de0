"""The command: a table of contents, and one message where something is wrong."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import torch
import yaml
from click.testing import CliRunner

from sitsformer import cli
from sitsformer.cli import CONTENTS, contents

ROOT = Path(__file__).parents[2]
NAMES = [name for section in CONTENTS.values() for name in section]


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sitsformer", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


def test_help_reads_like_a_table_of_contents() -> None:
    text = CliRunner().invoke(contents, ["--help"]).output
    positions = [text.index(title) for title in CONTENTS]
    assert positions == sorted(positions)
    for name in NAMES:
        assert any(
            line.split()[:1] == [name] and len(line.split()) > 2 for line in text.split("\n")
        )


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name) -> None:
    result = CliRunner().invoke(contents, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert len(result.output.split("\n\n")[1].strip()) > 10


def every_command(group: click.Group) -> Iterator[click.Command]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield from every_command(found) if isinstance(found, click.Group) else [found]


def test_every_option_explains_itself() -> None:
    silent = [
        f"{command.name} {option.opts[0]}"
        for command in every_command(contents)
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden and not option.help
    ]
    assert not silent


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from sitsformer.cli import contents\n"
        "CliRunner().invoke(contents, ['--help'])\n"
        "heavy = {'torch', 'xarray', 'rasterio', 'sklearn', 'matplotlib', 'ee', 'geemap'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_a_wrong_config_is_one_message_and_a_status(tmp_path: Path) -> None:
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    values["patches"]["size"] = 4
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(values))
    out = tmp_path / "cube.zarr"
    result = run("cube", "--config", str(path), "county_2021", "32615_0_0", str(out))
    assert result.returncode == 3
    assert "error:" in result.stderr and "patches.size" in result.stderr
    assert "Traceback" not in result.stderr
    assert not out.exists()


WITHOUT_A_GPU = {
    "fewshot": "--config C --samples S --init none --shots 1 --seeds 0 --out O",
    "fit": "--config C --samples S --method ltae --shots 1 --seeds 0 --out O",
    "baseline": "--config C --samples S --method random_forest --shots 1 --seeds 0 --out O",
    "map": "--model M --cube C --out O.tif",
    "embed": "--model M S O.zarr",
}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", WITHOUT_A_GPU)
def test_a_gpu_that_is_not_there_is_refused_before_anything_is_read(name, tmp_path: Path) -> None:
    config = tmp_path / "C"
    config.write_text((ROOT / "config" / "config.yaml").read_text())
    (tmp_path / "M").mkdir()
    found = run(name, "--device", "cuda", *WITHOUT_A_GPU[name].split(), cwd=tmp_path)
    assert found.returncode != 0
    assert "finds no GPU: use cpu or auto" in found.stderr
    assert not list(tmp_path.glob("O*"))


def test_unknown_areas_and_tiles_are_named(tmp_path: Path) -> None:
    config = str(ROOT / "config" / "config.yaml")
    for area, tile, message in (
        ("nowhere", "32615_0_0", "no area 'nowhere'"),
        ("county_2021", "32615_0_0", "no tile '32615_0_0'"),
    ):
        result = run("cube", "--config", config, area, tile, str(tmp_path / "cube.zarr"))
        assert result.returncode == 3 and message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_config_commands(tmp_path: Path) -> None:
    config = str(ROOT / "config" / "config.yaml")
    assert "jobs of the few-shot sweep" in run("config", "check", config).stdout
    rows = [line.split("\t") for line in run("config", "tiles", config).stdout.splitlines()]
    assert {row[0] for row in rows} == {"river_2020", "plains_2021", "county_2021"}
    assert all(len(row) == 6 for row in rows)


@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "place"),
            3,
            "place: Permission denied",
        ),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "place"), 3, "a file is wanted"),
        (FileNotFoundError(errno.ENOENT, "No such file", "place"), 3, "check the path"),
        (OSError(errno.ENOSPC, "No space left on device", "place"), 1, "make room"),
        (OSError(errno.EIO, "Input/output error", "place"), 1, "place: Input/output error"),
        (MemoryError(), 1, "out of memory; give it more, or lower the batch size"),
        (MemoryError("Unable to allocate 9 GiB"), 1, "out of memory: Unable to allocate 9 GiB; "),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: 9\nat\nat"),
            1,
            "memory: 9; give",
        ),
        (RuntimeError("CUDA out of memory. Tried to"), 1, "out of memory: CUDA out of memory. "),
        (KeyboardInterrupt(), 130, "error: stopped"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_the_system_says_is_one_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised, status, message
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(contents, "main", fail)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == status
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_other_errors_of_a_library_are_not_taken_for_a_lack_of_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(contents, "main", fail)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        cli.main()


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_torch_without_memory_says_so_in_a_line(tmp_path: Path) -> None:
    code = (
        "import resource, torch, sitsformer.cli as cli\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "limit = used + 2**28, resource.getrlimit(resource.RLIMIT_AS)[1]\n"
        "resource.setrlimit(resource.RLIMIT_AS, limit)\n"
        "cli.contents.main = lambda *a, **k: torch.ones(2**30)\n"
        "cli.main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    (line,) = result.stderr.splitlines()
    assert result.returncode == 1 and "can't allocate memory" in line and "give it more" in line


def test_a_reader_who_goes_away_is_told_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [sys.executable, "-m", "sitsformer", "config", "tiles", str(ROOT / "config/config.yaml")],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert result.returncode != 0
    assert result.stderr == ""


def test_more_words_than_a_command_line_takes_come_from_standard_input(tmp_path: Path) -> None:
    """Names with spaces and breaks of lines among them."""
    folder = tmp_path / "a\n b"
    folder.mkdir()
    (folder / "one.txt").write_text("no artefact")
    words = [str(folder / "one.txt")] * 40_000
    given = "".join(f"{word}\0" for word in words)
    assert len(given) > 2**21
    call = [sys.executable, "-m", "sitsformer", "inspect", "--", "@-"]
    result = subprocess.run(call, input=given, capture_output=True, text=True, check=False)
    assert result.returncode == 3
    assert "Argument list too long" not in result.stderr
    assert "one.txt" in result.stderr


def test_an_output_that_is_a_folder_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "own").write_text("dear")
    result = run("convert", "samples", str(tmp_path / "kept"), str(tmp_path / "kept"))
    assert result.returncode == 3
    assert "Traceback" not in result.stderr
    assert (tmp_path / "kept" / "own").read_text() == "dear"


def test_ctrl_c_in_the_first_second_is_one_line_and_a_status(tmp_path: Path) -> None:
    """While the first packages are read, nothing of ours runs yet."""
    # Whoever runs the tests in the background has it ignored, and that is inherited.
    (tmp_path / "click.py").write_text(
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-m", "sitsformer", "--help"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr == "error: stopped\n"
