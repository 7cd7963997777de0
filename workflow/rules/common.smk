# The checked config, and the few things that every stage needs.
import hashlib
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.settings.enums import DeploymentMethod

from sitsformer import export, plots, tables
from sitsformer.config import Config, ConfigError, expand, parse
from sitsformer.fewshot import parse_learner
from sitsformer.grid import geometry_file
from sitsformer.labels import legend_path
from sitsformer.layout import Layout, leaves, problems


def checked(values: dict) -> Config:
    """The config, or one message about everything that is wrong with it."""
    try:
        parsed = parse(values)
        found = problems(parsed)
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
# that runs Snakemake does.
USES_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
RUN = (
    f"PYTHONPATH={Path(workflow.basedir) / 'src'} python -m sitsformer"
    if USES_CONDA
    else f"{sys.executable} -m sitsformer"
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
    """Everything that `snakemake` without a target makes."""
    return [f"{RESULTS}/report.html", *LAYOUT.maps()]
