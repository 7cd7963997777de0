# The checked config, and the few things that every stage needs.
import hashlib
import shlex
import sys
from functools import cache
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

from sitsformer import artefacts, export, mapproducts, plots
from sitsformer.checks.problems import problems
from sitsformer.evaluation import tables
from sitsformer.evaluation.seen import store_problems
from sitsformer import config as definitions
from sitsformer.config import Config, expand
from sitsformer.errors import SitsError
from sitsformer.fewshot import parse_learner
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.paths import Paths, leaves
from sitsformer.training.objectives import SCRATCH, objectives
from sitsformer.userfiles import watched, watched_of, watched_of_survey
from sitsformer.versions import STAGES


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
            parsed = definitions.parse(values)
        found = (
            problems(parsed, learned=False)
            or export.season_problems(parsed)
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
    return str(path)


CONFIG = checked(config)
PATHS = Paths(CONFIG)
RESULTS = PATHS.results
CONFIG_FILE = stored(CONFIG)
OBJECTIVES = "|".join(objectives())

# With `--sdm conda` the job's own Python runs the package from this checkout; otherwise the Python
# that runs Snakemake does. The config's name is no param: its hash would re-run everything.
USES_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
PYTHON = (
    f"PYTHONPATH={shlex.quote(str(Path(workflow.basedir) / 'src'))} python"
    if USES_CONDA
    else shlex.quote(sys.executable)
)
# A prefix replaces Snakemake's own, so it begins with the same: a failure in a pipe is a failure.
# Braces are doubled since Snakemake formats the prefix.
shell.prefix(
    (
        f"set -euo pipefail; export SITSFORMER_CONFIG={CONFIG_FILE}; "
        f'sitsformer() {{ {PYTHON} -m sitsformer "$@"; }}; '
        f". {shlex.quote(str(Path(workflow.basedir) / 'workflow' / 'job.sh'))}; "
    )
    .replace("{", "{{")
    .replace("}", "}}")
)


def attempt_number(wildcards, attempt):
    """As a resource: which attempt a job is, so that a refused one is not run again."""
    return attempt


def last_words(log: str) -> list[str]:
    """What the command of a failed job said: its errors, or else the end of its log."""
    try:
        lines = Path(log).read_text(errors="replace").splitlines()
    except OSError:
        return ["it left no log"]
    return [line for line in lines if "error:" in line][-3:] or lines[-3:]


onerror:
    # Snakemake's own account of a failure is long: why the jobs failed comes last.
    failed = [
        item
        for job in workflow.scheduler.failed
        for item in getattr(job, "jobs", [job])
    ]
    for path in sorted({str(path) for job in failed for path in job.log}):
        logger.error("\n    ".join([f"Failed: {path}", *last_words(path)]))


wildcard_constraints:
    area="[A-Za-z][A-Za-z0-9_]*",
    set="[A-Za-z][A-Za-z0-9_]*",
    tile=r"\d+_-?\d+_-?\d+",
    objective=OBJECTIVES,
    run=r"\d+",
    shots=r"\d+|all",
    seeds=r"\d+-\d+",


def section(name: str, *skip: str) -> list[str]:
    """Leaf values of a section of the config, as params; `skip` are keys that change no output."""
    values = CONFIG.model_dump(mode="json")
    for key in name.split("."):
        values = values[key]
    return leaves({key: value for key, value in values.items() if key not in skip})


def targets() -> list[str]:
    """Everything that `snakemake` without a target makes.

    What is made on the way is named too, so that a deleted artefact is made again though nothing
    else misses it.
    """
    mapped = [
        *PATHS.maps(),
        *(path for area in CONFIG.maps.tiles for path in PATHS.tile_maps(area)),
        *([PATHS.map_model()] if CONFIG.maps.tiles else []),
    ]
    if not CONFIG.learns:
        return [*mapped, *PATHS.cubes()]
    return [
        f"{RESULTS}/report.html",
        *(f"{RESULTS}/figures/{name}.svg" for name in plots.names(CONFIG)),
        *(f"{RESULTS}/tables/{name}" for name in tables.NAMES),
        *mapped,
        *PATHS.cells(),
        *PATHS.pretrained(),
        *(PATHS.samples(name) for name in CONFIG.sets if CONFIG.sets[name].areas),
        *(path for name in CONFIG.sets for path in PATHS.tile_stores(name)),
        *PATHS.cubes(),
    ]


def area_files(wildcards):
    """Files of the user that a cube is made from."""
    return [str(path) for path in watched_of(CONFIG.areas[wildcards.area])]


def survey_files(wildcards):
    """Files of the user that a set has its labels from, where they are in no cube."""
    label = CONFIG.sets[wildcards.set].label
    return [str(path) for path in watched_of_survey(CONFIG, str(label))]


def set_files(wildcards):
    """Files of the user that decide which samples are cut: polygons of splits, surveys."""
    split = CONFIG.sets[wildcards.set].split
    polygons = watched(expand(split.polygons)) if split.by == "polygons" else []
    return [*(str(path) for path in polygons), *survey_files(wildcards)]


def survey_params(name: str) -> list[str]:
    """Values of the survey that a set has its labels from; none where they are in the cubes."""
    survey = CONFIG.labels.get(str(CONFIG.sets[name].label))
    return [] if survey is None else leaves(survey.model_dump(mode="json"))


@cache
def learnable(name: str) -> str:
    """The samples of a set, once the whole config is known to allow learning from them.

    Asked as an input of what learns: who wants cubes and samples alone needs no polygons for
    every split.
    """
    if found := problems(CONFIG):
        raise WorkflowError(unusable(found))
    return PATHS.samples(name)


SWEEP_PARAMS = (
    "steps",
    "passes",
    "batch_size",
    "recipe",
    "learning_rates",
    "label_smoothing",
    "augment",
    "validation",
)


def sweep_params(learner: str) -> list[str]:
    """Values of the sweep that a learner depends on; some know no steps or batches."""
    values = CONFIG.fewshot.model_dump(mode="json")
    keys = SWEEP_PARAMS if PATHS.in_steps(learner) else ("validation",)
    return leaves({key: values[key] for key in keys})


def baseline_files(learner: str) -> list[str]:
    """Files of the user that a baseline is made of: its module, or the features of a peer."""
    options = CONFIG.fewshot.options.get(learner, {})
    return [str(expand(options[key])) for key in ("file", "features") if key in options]


def init_model(learner: str) -> list[str]:
    """The pretrained model that a learner starts from; none for `none`."""
    parsed = parse_learner(learner)
    return (
        []
        if parsed.init == SCRATCH.name
        else [PATHS.model(parsed.init, parsed.pretrain_seed)]
    )


def init_options(learner: str) -> list[str]:
    """How a learner is named on the command line."""
    parsed = parse_learner(learner)
    options = ["--init", parsed.init, "--adaptation", parsed.adaptation]
    for path in init_model(learner):
        options += ["--pretrain-seed", str(parsed.pretrain_seed), "--init-model", path]
    return options


def figure(name: str):
    """A figure of the Snakemake report, with its caption and category."""
    return report(
        f"{RESULTS}/figures/{name}.svg",
        category=plots.FIGURES[name].category,
        labels={"figure": plots.FIGURES[name].title},
        caption="../report/figure.rst",
    )


def options(name: str, paths) -> list[str]:
    """Files as a command takes them that are given one by one."""
    given = [paths] if isinstance(paths, str) else paths
    return [word for path in given for word in (name, path)]


def mask_files() -> list[str]:
    """The user's raster that says which pixels are mapped."""
    raster = getattr(CONFIG.maps.mask, "path", None)
    return [] if raster is None else [str(expand(raster))]


def map_products() -> dict:
    """Files of the map of a tile."""
    known = mapproducts.products(CONFIG.maps.layers)
    return {name: PATHS.map("{area}", "{tile}", name) for name in known}


def area_products() -> dict:
    """Files of the map of an area; pictures are shown in the Snakemake report."""
    found = {}
    for name, ending in mapproducts.area_endings(CONFIG.maps.layers).items():
        path = PATHS.area_map("{area}", name)
        if ending.endswith(".png"):
            path = report(
                path,
                category="Maps",
                caption="../report/map.rst",
                labels={"area": "{area}", "product": name},
            )
        found[name] = path
    return found
