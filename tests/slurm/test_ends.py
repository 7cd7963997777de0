"""How jobs end that Slurm ends: out of memory, out of time, cancelled, and with their Snakemake."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess

import yaml

from slurm.cluster import MODEL, SAMPLES, TINY, Job, Run, wait_for

LOG = "pretrain/ssl-p0.log"


def endless(run: Run) -> None:
    """A config whose pretraining ends on no machine within minutes."""
    values = yaml.safe_load(TINY.read_text())
    values["pretrain"]["epochs"] = 1_000_000
    (run.folder / "config.yaml").write_text(yaml.safe_dump(values))


def training(run: Run) -> Job | None:
    """The job of a pretraining that has made its first updates."""
    log = run.folder / "results" / "logs" / LOG
    if not log.exists() or not re.search(r"pretrain ssl 0: \d+ of", log.read_text()):
        return None
    return next((job for job in run.jobs("pretrain") if job.state == "RUNNING"), None)


def half_done(run: Run) -> list[str]:
    """What is under a temporary name."""
    return [str(path) for path in (run.folder / "results").rglob(".*partial*")]


def saved(text: str) -> int:
    """The step after which a log says that a checkpoint was saved."""
    (step,) = re.findall(r"terminated: saved after step (\d+) of", text)
    return int(step)


def test_what_was_too_little_memory_is_more_the_next_time(run: Run) -> None:
    """Snakemake alone, which starts the job on the node, takes more than the first attempt has."""
    (cube,) = (run.folder / "results/cubes/north").glob("*_450300_*.zarr")
    store = f"results/patches/landcover/north/{cube.name}"
    shutil.rmtree(run.folder / store)
    memory = "patches:mem_mb=70*attempt*attempt*attempt"
    status, said = run("--set-resources", memory, "--", store)
    assert status == 0, said
    jobs = run.jobs("patches")
    assert [job.memory_mb for job in jobs] == [70, 560, 1890][: len(jobs)]
    assert jobs[0].state != "COMPLETED"
    assert jobs[-1].state == "COMPLETED"
    assert (run.folder / store / "provenance.json").is_file()
    assert half_done(run) == []


def test_a_time_limit_ends_training_at_a_checkpoint_and_the_next_attempt_goes_on(run: Run) -> None:
    endless(run)
    process = run.start("--retries", "1", "--", MODEL)
    wait_for(lambda: training(run)).limit()
    wait_for(lambda: training(run) if "resumed from" in run.log(LOG) else None).limit()
    assert process.wait() != 0
    first, second = run.jobs("pretrain")
    assert {first.state, second.state} == {"TIMEOUT"}
    before, after = run.log(f"{LOG}.attempt1"), run.log(LOG)
    assert "resumed from results/checkpoints/ssl-p0" in after
    assert saved(after) > saved(before)
    assert not (run.folder / MODEL).exists()
    assert half_done(run) == []
    # What the job said last is what the terminal says last.
    said = run.said.read_text()
    assert f"saved after step {saved(after)}" in said[said.rindex("Failed: ") :]


def test_a_cancelled_job_leaves_nothing_half_done_and_a_cancelled_pretraining_goes_on(
    run: Run,
) -> None:
    endless(run)
    process = run.start("--retries", "0", "--", MODEL)
    wait_for(lambda: training(run)).cancel()
    assert process.wait() != 0
    assert not (run.folder / MODEL).exists()
    assert half_done(run) == []
    assert saved(run.log(LOG)) > 0
    assert "exit status 143" in run.said.read_text().rpartition("Failed: ")[2]


def test_a_job_that_is_cancelled_before_it_begins_is_not_told_by_an_older_log(run: Run) -> None:
    hold = "merge:slurm_extra='--hold'"
    process = run.start(
        "--retries", "0", "--forcerun", "merge", "--set-resources", hold, "--", SAMPLES
    )
    (held,) = wait_for(lambda: [job for job in run.jobs("merge") if job.state == "PENDING"])
    held.cancel()
    assert process.wait() != 0
    last = run.said.read_text().rpartition("Failed: ")[2]
    assert "it did not begin" in last
    assert half_done(run) == []


def test_ctrl_c_cancels_what_was_submitted(run: Run) -> None:
    endless(run)
    process = run.start("--", MODEL)
    job = wait_for(lambda: training(run))
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait() != 0
    wait_for(lambda: run.jobs("pretrain")[-1].state == "CANCELLED")
    assert run.jobs("pretrain")[-1].number == job.number
    assert "The same command goes on" in run.said.read_text()
    assert half_done(run) == []


def test_where_snakemake_was_killed_its_jobs_run_on_and_the_folder_is_locked(run: Run) -> None:
    endless(run)
    process = run.start("--", MODEL)
    job = wait_for(lambda: training(run))
    process.kill()
    process.wait()
    name = job.values["JobName"]
    assert f"SLURM run ID: {name}" in run.said.read_text()
    status, said = run("--", MODEL)
    assert status != 0
    assert "--unlock" in said
    assert run.jobs("pretrain")[-1].state == "RUNNING"
    # As docs/cluster.md says: first the jobs, then the lock.
    subprocess.run(["scancel", "--name", name], check=True)
    wait_for(lambda: saved(run.log(LOG)) > 0 if "terminated" in run.log(LOG) else 0)
    assert run("--unlock")[0] == 0
    process = run.start("--retries", "0", "--", MODEL)
    wait_for(lambda: "resumed from" in run.log(LOG))
    run.jobs("pretrain")[-1].cancel()
    process.wait()
