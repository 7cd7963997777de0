# The checked config, what every job is handed, and what is said when jobs fail.
import hashlib
import inspect
import os
import shlex
import sys
from pathlib import Path

import yaml
from snakemake.common import overwrite_function_params
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod
from snakemake.sourcecache import LocalSourceFile

try:
    import sitsformer
except ImportError:
    raise WorkflowError(
        f"the package sitsformer is not installed beside Snakemake ({sys.executable}): "
        "install it there, `python -m pip install sitsformer` or `-e` with a checkout"
    ) from None
from sitsformer import config as definitions
from sitsformer import artefacts, console, mapproducts
from sitsformer.checks import foresight
from sitsformer.checks.problems import problems
from sitsformer.config import Config
from sitsformer.config.base import BASELINE, NAME
from sitsformer.errors import SitsError
from sitsformer.evaluation.seen import store_problems
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.grid import TILE_NAME
from sitsformer.paths import Paths
from sitsformer.training.objectives import SCRATCH, objectives
from sitsformer.userfiles import dated_ahead
from sitsformer.versions import STAGES

console.install(logger)

# Everything that jobs need, for `--sdm apptainer`: Dockerfile, apptainer.def.
IMAGE = os.environ.get("SITSFORMER_IMAGE", "sitsformer.sif")


containerized: IMAGE


def beside(path: str) -> str:
    """A file of this workflow by its path from here; one from the web is fetched."""
    found = workflow.current_basedir.join(path)
    if isinstance(found, LocalSourceFile):
        return os.path.normpath(found.get_path_or_uri(secret_free=False))
    return workflow.source_path(path)


if not (workflow.overwrite_configfiles or workflow.modifier.skip_configfile):
    # Snakemake would merge a user's config into the demo's; only one of the two is wanted.
    own = "config/config.yaml"

    configfile: own if os.path.exists(own) else beside("../../config/config.yaml")


def checked(values: dict) -> Config:
    """The config, or one message about everything that is wrong with it.

    The files are read again: Snakemake keeps the last of two equal keys without a word. Where this
    workflow is a module of another one, that one hands over the values.
    """
    files = [] if workflow.modifier.skip_configfile else workflow.configfiles
    try:
        if files:
            parsed = definitions.load_all(
                [Path(file) for file in files], workflow.config_settings.config
            )
        else:
            values = {key: value for key, value in values.items() if key != "pathvars"}
            parsed = definitions.parse(values)
        # A workflow that imports this one may name the folder by Snakemake's own means, too.
        folder = workflow.pathvars.get("results")
        if folder != "results":
            parsed = definitions.parse(
                parsed.model_dump(exclude_unset=True) | {"results": folder}
            )
        found = (
            problems(parsed, learned=False)
            or foresight.season_problems(parsed)
            or store_problems(parsed)
        )
        mapproducts.area_products()  # two that are one file, or one that cannot be imported
    except SitsError as error:
        raise WorkflowError(str(error)) from None
    if found:
        raise WorkflowError(unusable(found))
    return parsed


def unusable(found: list[str]) -> str:
    """One message about everything that is wrong with the config."""
    return "the config cannot be used:\n  " + "\n  ".join(found)


def warn_of_dates(parsed: Config) -> None:
    """Say which inputs would have the same jobs run again and again."""
    try:
        for note in dated_ahead(parsed) if workflow.is_main_process else ():
            logger.warning(note)
    except SitsError:
        pass  # a file that nobody can read: the job that reads it says so


def stored(parsed: Config) -> str:
    """The config as the commands read it: with defaults and `--config` overrides, in one file.

    The name is a hash of the content; no rule takes it as an input, `params` tell what changed.
    """
    unused = set() if parsed.learns else {"sets", "pretrain", "fewshot"}
    text = yaml.safe_dump(
        parsed.model_dump(mode="json", exclude=unused), sort_keys=False
    )
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = Path(".snakemake") / "sitsformer" / f"{name}.yaml"
    if not path.exists():
        try:
            with artefacts.create_file(path) as partial:
                partial.write_text(text)
        except (SitsError, OSError) as error:
            raise WorkflowError(
                f"the checked config cannot be stored: {error}"
            ) from None
    elif not os.access(path.parent, os.W_OK):
        raise WorkflowError(
            f"there is no right to write in {path.parent.absolute()}, where Snakemake keeps its "
            "records: name another folder to work in (--directory)"
        )
    return str(path)


def runner() -> str:
    """How a job calls a command: the Python that has the package, and job.sh.

    With `--sdm conda` or `apptainer` the job's own Python runs this package, seen through a folder
    that holds nothing else; otherwise the Python that runs Snakemake does.
    """
    script = beside("../job.sh")
    call = f"bash {shlex.quote(script)}"
    methods = set(workflow.deployment_settings.deployment_method)
    if not {DeploymentMethod.CONDA, DeploymentMethod.APPTAINER} & methods:
        return f"SITSFORMER_PYTHON={shlex.quote(sys.executable)} {call}"
    package = Path(sitsformer.__file__).parent
    if DeploymentMethod.APPTAINER in methods:
        show_in_container(package, Path(script))
    name = hashlib.sha256(str(package).encode()).hexdigest()[:16]
    link = Path(".snakemake") / "sitsformer" / name / "sitsformer"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(package)
    folder = shlex.quote(str(link.parent.absolute()))
    return f"SITSFORMER_PYTHON=python PYTHONPATH={folder} {call}"


def show_in_container(*paths: Path) -> None:
    """Have Apptainer show these read-only where they are; it knows the working folder alone."""
    if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
        raise WorkflowError(
            "choose one of --sdm conda and --sdm apptainer: each has everything"
        )
    if "://" not in IMAGE and not Path(IMAGE).exists():
        raise WorkflowError(
            f"--sdm apptainer needs the image {IMAGE}: in a checkout, "
            "`apptainer build sitsformer.sif apptainer.def`; put it into the folder where "
            "Snakemake works, or name it in SITSFORMER_IMAGE"
        )
    for variable in ("APPTAINER_BIND", "SINGULARITY_BIND"):
        shown = [item for item in os.environ.get(variable, "").split(",") if item]
        wanted = [f"{path}:{path}:ro" for path in paths]
        os.environ[variable] = ",".join(dict.fromkeys([*shown, *wanted]))


def per_tile(function):
    """A function that many jobs ask: what Snakemake may hand to it is looked up once.

    Snakemake has it looked up for each job, which took a sixth of a dry run of 2,000 tiles.
    """
    overwrite_function_params(function, inspect.signature(function).parameters)
    return function


@per_tile
def attempt_number(wildcards, attempt):
    """As a resource: which attempt a job is, so that a refused one is not run again."""
    return attempt


CONFIG = checked(config)
warn_of_dates(CONFIG)
PATHS = Paths(CONFIG)
RESULTS = PATHS.results

# What every job is handed. As resources, since these do not decide what a job makes: a changed one
# runs nothing again. `params` name the values that do.
HANDED = {
    "attempt": attempt_number,
    "config": stored(CONFIG),
    "job": runner(),
}


def last_words(log: str, attempts: int) -> list[str]:
    """What the command of a failed job said: its errors, or else the end of its log.

    job.sh keeps the log of an attempt beside it, and ends both with the exit status: without the
    one the log is of an older run, without the other the job was killed.
    """
    kept = [Path(f"{log}.attempt{number}") for number in range(1, attempts + 1)]
    if not any(path.exists() for path in kept):
        return ["it did not begin: what the cluster or the shell said is above"]
    try:
        text = Path(log).read_text(errors="replace")
    except OSError:
        return ["it left no log"]
    lines = [line for line in text.splitlines() if line.strip()]
    said = [line for line in lines if "error:" in line or "terminated:" in line][-3:]
    if not lines or not lines[-1].startswith("exit status"):
        killed = "it was killed: out of memory, out of time or cancelled"
        return [*(said or lines[-2:]), killed]
    if lines[-1].endswith(" 137"):
        lines[-1] += ": it was killed, as a machine without memory left does it"
    return [*(said or lines[-3:-1]), lines[-1]]


onerror:
    # Snakemake's own account of a failure is long: why the jobs failed comes last.
    failed = [
        item
        for job in workflow.scheduler.failed
        for item in getattr(job, "jobs", [job])
    ]
    stopped = "exit status 130"  # by Ctrl-C, and not for a reason of its own
    said = {
        str(path): last_words(str(path), job.attempt)
        for job in failed
        for path in job.log
    }
    for path, words in sorted(said.items()):
        if stopped not in words:
            logger.error("\n    ".join([f"Failed: {path}", *words]))
    if console.interrupted.is_set() or any(
        stopped in words for words in said.values()
    ):
        logger.error(
            "Interrupted. The same command goes on where this one stopped."
        )


wildcard_constraints:
    area=NAME,
    set=NAME,
    tile=TILE_NAME,
    objective="|".join(objectives()),
    run=r"\d+",
    shots=r"\d+|all",
    seeds=r"\d+-\d+",
