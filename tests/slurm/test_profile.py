"""What the profile asks of Slurm for each job, and that nothing else gets into it."""

from __future__ import annotations

from pathlib import Path

from slurm.cluster import Run

MODEL = "results/models/ssl-p0"


def own_profile(run: Run, folder: Path) -> Path:
    """The profile with its own place filled in."""
    text = (run.workflow / "profiles" / "slurm" / "config.yaml").read_text()
    for name in ("cpu", "gpu"):
        assert f"# slurm_partition: {name}" in text
        text = text.replace(f"# slurm_partition: {name}", f"slurm_partition: {name}")
    folder.mkdir()
    (folder / "config.yaml").write_text(text)
    return folder


def test_a_filled_in_profile_runs_a_part_of_the_workflow(run: Run, tmp_path: Path) -> None:
    """Cubes are there from the login node; the rest is submitted, samples as a job array.

    A profile of the site adds to it; a key that both have is the workflow's.
    """
    profile = own_profile(run, tmp_path / "profile")
    site = tmp_path / "site"
    site.mkdir()
    (site / "config.yaml").write_text(
        "slurm-jobname-prefix: site\ndefault-resources:\n  slurm_partition: gpu\n"
    )
    options = ("--profile", str(site), "--slurm-array-jobs", "patches", "--", MODEL)
    status, said = run(*options, profile=profile)
    assert status == 0, said
    assert (run.folder / MODEL / "provenance.json").is_file()
    assert run.jobs("cube") == []

    (merge,) = run.jobs("merge")
    assert merge.values["JobName"].startswith("site_")
    assert merge.values["Partition"] == "cpu"
    assert (merge.memory_mb, merge.minutes, merge.values["CPUs/Task"]) == (4000, 60, "1")
    assert "TresPerNode" not in merge.values

    # In none of these has the profile of the login node a say.
    (pretrain,) = run.jobs("pretrain")
    assert pretrain.values["Partition"] == "gpu"
    assert (pretrain.memory_mb, pretrain.minutes) == (8000, 24 * 60)
    assert pretrain.values["CPUs/Task"] == "8"
    assert "gpu:1" in pretrain.values["TresPerNode"]

    patches = run.jobs("patches")
    assert len(patches) == 2
    assert len({job.values["ArrayJobId"] for job in patches}) == 1
