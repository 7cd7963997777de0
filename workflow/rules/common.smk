# The checked config, and the few things that every stage needs.
import hashlib
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from sitsformer import export, plots
from sitsformer.evaluation import tables
from sitsformer.evaluation.seen import store_problems
from sitsformer import config as definitions
from sitsformer.config import Config, ConfigError, expand
from sitsformer.fewshot import parse_learner
from sitsformer.grid import geometry_file
from sitsformer.classes import legend_path
from sitsformer.layout import Layout, leaves, problems


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
        found = problems(parsed) or store_problems(parsed)
    except ConfigError as error:
        raise WorkflowError(str(error)) from None
    if found:
        raise WorkflowError("the config cannot be used:\n  " + "\n  ".join(found))
    return parsed


def stored(parsed: Config) -> str:
    """The config as the commands read it: with defaults and `--config` overrides, in one file.

    The name is a hash of the content; no rule takes it as an input, `params` tell what changed.
    """
    text = yaml.safe_dump(parsed.model_dump(mode="json"), sort_keys=False)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = Path(".snakemake") / "sitsformer" / f"{name}.yaml"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(path)


CONFIG = checked(config)
LAYOUT = Layout(CONFIG)
RESULTS = CONFIG.results
CONFIG_FILE = stored(CONFIG)

# With `--sdm conda` the job's own Python runs the package from this checkout; otherwise the Python
# that runs Snakemake does. The config's name is no param: its hash would re-run everything.
USES_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
PYTHON = (
    f"PYTHONPATH={Path(workflow.basedir) / 'src'} python"
    if USES_CONDA
    else sys.executable
)
shell.prefix(
    f"export SITSFORMER_CONFIG={CONFIG_FILE}; "
    f'sitsformer() {{{{ {PYTHON} -m sitsformer "$@"; }}}}; '
)


wildcard_constraints:
    area="[A-Za-z][A-Za-z0-9_]*",
    set="[A-Za-z][A-Za-z0-9_]*",
    tile=r"\d+_-?\d+_-?\d+",
    objective="ssl|sl|dual",
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

    Cubes are named too, so that a deleted tile is made again though nothing else misses it.
    """
    return [f"{RESULTS}/report.html", *LAYOUT.maps(), *LAYOUT.cubes()]


def area_files(wildcards):
    """Files of the user that a cube is made from."""
    area = CONFIG.areas[wildcards.area]
    files = [geometry_file(area)]
    if area.rasters is not None:
        folder = expand(area.rasters.path)
        files.append(folder)
        if folder.suffix != ".zarr":
            # Each acquisition, since a folder does not change when a file in it does.
            files += sorted(folder.glob(area.rasters.pattern))
        for label in area.rasters.labels.values():
            files += [expand(label.path), legend_path(label.legend)]
    return [str(path) for path in files if path is not None]


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
NOT_BY_GRADIENT = (
    "random_forest",
    "gradient_boosting",
    "logistic_regression",
    "nearest_centroid",
    "nearest_neighbour",
)


def sweep_params(learner: str = "") -> list[str]:
    """Values of the sweep that a learner depends on; some baselines know no steps or batches."""
    values = CONFIG.fewshot.model_dump(mode="json")
    options = CONFIG.fewshot.options.get(learner, {})
    steps_matter = learner not in NOT_BY_GRADIENT and "features" not in options
    keys = SWEEP_PARAMS if steps_matter else ("validation",)
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
        if parsed.init == "none"
        else [LAYOUT.model(parsed.init, parsed.pretrain_seed)]
    )


def init_options(learner: str) -> str:
    """How a learner is named on the command line."""
    parsed = parse_learner(learner)
    options = f"--init {parsed.init} --way {parsed.way}"
    for path in init_model(learner):
        options += f" --pretrain-seed {parsed.pretrain_seed} --init-model {path}"
    return options


def figure(name: str):
    """A figure of the Snakemake report, with its caption and category."""
    return report(
        f"{RESULTS}/figures/{name}.svg",
        category=plots.FIGURES[name].category,
        labels={"figure": plots.FIGURES[name].title},
        caption="../report/figure.rst",
    )
