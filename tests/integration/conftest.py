"""What several files of integration tests read; none of them changes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dryruns import DryRuns
from warm.warmjobs import WarmJobs

from cubes import make_config
from sample_world import WORLD, build


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Cubes, tile stores and the set of an area with several tiles."""
    return build(tmp_path_factory.mktemp("world"), make_config(60, "all", patches=WORLD))


@pytest.fixture(scope="module")
def dry() -> Iterator[DryRuns]:
    """Dry runs by one process, that of a file of tests."""
    with DryRuns() as runs:
        yield runs


@pytest.fixture(scope="session")
def warm() -> Iterator[dict[str, str]]:
    """Environment in which jobs of the workflow have their imports behind them (warm/)."""
    with WarmJobs() as jobs:
        yield jobs.environment


@pytest.fixture(scope="module")
def warmed(warm: dict[str, str]) -> Iterator[None]:
    """The same for whatever a file of tests starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in warm.items():
            patch.setenv(name, value)
        yield
