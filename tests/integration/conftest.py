"""What several files of integration tests read; none of them changes it."""

import pytest

from cubes import make_config
from sample_world import WORLD, build


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Cubes, tile stores and the set of an area with several tiles."""
    return build(tmp_path_factory.mktemp("world"), make_config(60, "all", patches=WORLD))
