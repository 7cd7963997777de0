"""What the profile asks of Slurm for each job, and that nothing else gets into it."""

from __future__ import annotations

import shutil
from pathlib import Path

from slurm.cluster import MODEL, SAMPLES, Run, wait_for


def own_profile(run: Run, folder: Path) -> Path:
    """The profile with its own place filled in; pretraining is held, and never begins."""
    text = (run.workflow / "profiles" / "slurm" / "config.yaml").read_text()
    place = "# set-resources:\n#   pretrain:\n#     slurm_partition: gpu\n"
    assert "  # slurm_partition: cpu\n" in text
    assert place in text
    text = text.replace("  # slurm_partition: cpu\n", "  slurm_partition: cpu\n")
    text = text.replace(place, f"{place.replace('#', '')}     slurm_extra: \"'--hold'\"\n")
    folder.mkdir()
    (folder / "config.yaml").write_text(text.replace(" set-resources", "set-resources"))
    return folder


def test_a_filled_in_profile_asks_for_what_it_says(run: Run, tmp_path: Path) -> None:
    """Cubes are there from the login node; the rest is submitted, samples as a job array.

    A profile of the site adds to it; a key that both have is the workflow's.
    """
    shutil.rmtree(run.folder / "results" / "patches")
    profile = own_profile(run, tmp_path / "profile")
    site = tmp_path / "site"
    site.mkdir()
    (site / "config.yaml").write_text(
        "slurm-jobname-prefix: site\ndefault-resources:\n  slurm_partition: gpu\n"
    )
    profiles = ("--profile", str(site), "--config", "compute={device: {pretrain: cuda}}")
    status, said = run(*profiles, "--slurm-array-jobs", "patches", "--", SAMPLES, profile=profile)
    assert status == 0, said
    assert (run.folder / SAMPLES / "provenance.json").is_file()
    assert run.jobs("cube") == []
    patches = run.jobs("patches")
    assert len(patches) == 2
    assert len({job.values["ArrayJobId"] for job in patches}) == 1
    (merge,) = run.jobs("merge")
    assert merge.values["JobName"].startswith("site_")
    assert merge.values["Partition"] == "cpu"
    assert merge.values["CPUs/Task"] == "1"
    assert "TresPerJob" not in merge.values

    # In none of these has the profile of the login node a say.
    process = run.start(*profiles, "--retries", "0", "--", MODEL, profile=profile)
    (pretrain,) = wait_for(lambda: run.jobs("pretrain"))
    pretrain.cancel()
    assert process.wait() != 0
    assert pretrain.values["Partition"] == "gpu"
    assert pretrain.values["CPUs/Task"] == "8"
    assert "gpu:1" in pretrain.values["TresPerJob"]
