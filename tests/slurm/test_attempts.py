"""Attempts of a job that fails: what each asks for, and where its words are."""

from __future__ import annotations

import yaml

from slurm.cluster import TINY, Run


def test_each_attempt_asks_for_more_and_keeps_its_log(run: Run) -> None:
    """An Earth Engine that is away may be back; the profile's two retries take effect."""
    values = yaml.safe_load(TINY.read_text())
    values["areas"]["south"]["source"] = "earthengine"
    values["earthengine"] = {"url": "http://127.0.0.1:9", "project": "p", "attempts": 1}
    (run.folder / "config.yaml").write_text(yaml.safe_dump(values))
    (cube, _) = sorted((run.folder / "results/cubes/south").glob("*.zarr"))
    status, said = run("--", f"results/cubes/south/{cube.name}")
    assert status != 0
    jobs = run.jobs("cube")
    memory, minutes = [job.memory_mb for job in jobs], [job.minutes for job in jobs]
    assert memory == [memory[0], 2 * memory[0], 3 * memory[0]]
    assert minutes == sorted(minutes)
    name = f"cube/south/{cube.stem}.log"
    for log in (f"{name}.attempt1", f"{name}.attempt2", name):
        assert "error:" in run.log(log)
        assert run.log(log).endswith("exit status 1\n")
    assert "failed 1 times" in said[said.rindex("Failed: ") :]


def test_a_refused_job_is_refused_again_in_a_moment(run: Run) -> None:
    """Slurm starts it as often as the profile says; its command runs once."""
    values = yaml.safe_load(TINY.read_text())
    values["areas"]["south"]["source"] = "rasters"
    values["areas"]["south"]["rasters"] = {"path": str(run.folder / "images")}
    values["areas"]["south"]["labels"] = ["worldcover"]
    values["sets"]["crops"]["label"] = "worldcover"
    images = run.folder / "images"
    images.mkdir()
    (images / "S2_20210801T105031.tif").write_text("no raster")
    values["areas"]["south"]["rasters"] |= {
        "clouds": {"by": "none"},
        "labels": {"worldcover": {"path": str(images / "l.tif"), "legend": "worldcover"}},
    }
    (images / "l.tif").write_text("no raster")
    (run.folder / "config.yaml").write_text(yaml.safe_dump(values))
    (cube, _) = sorted((run.folder / "results/cubes/south").glob("*.zarr"))
    status, said = run("--", f"results/cubes/south/{cube.name}")
    assert status != 0
    assert len(run.jobs("cube")) == 3
    name = f"cube/south/{cube.stem}.log"
    assert run.log(name) == run.log(f"{name}.attempt1")
    assert run.log(name).endswith("exit status 3\n")
    assert "cannot be read" in said[said.rindex("Failed: ") :]
