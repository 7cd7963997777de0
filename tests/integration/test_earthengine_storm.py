"""More exports at once than the quota bears: nothing fails, and the cubes are whole."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from earthengine import fixtures
from earthengine.catalogue import S2
from earthengine.fixtures import in_place, only_tile
from earthengine.server import LocalEarthEngine
from sitsformer import artefacts

PROCESSES = 8
SLOTS = 40
CHOSEN = in_place(fixtures.FRANCE, labels=("worldcover",))


@pytest.mark.long
def test_eight_exports_of_twenty_requests_share_forty_slots(tmp_path: Path) -> None:
    """Eight jobs that know nothing of each other ask for four times what the project may have."""
    everybody = threading.Barrier(PROCESSES)

    def together(path: str, _: bytes) -> None:
        """Hold the lists of images until all have asked: some processes start slowly."""
        if path.endswith("value:compute"):
            everybody.wait()

    with LocalEarthEngine(
        [fixtures.FRANCE], concurrent=SLOTS, latency=2.0, fault=together
    ) as server:
        server.byte_limit = 120_000  # one date a request: splitting makes many of them
        running = []
        for number in range(PROCESSES):
            folder = tmp_path / str(number)
            folder.mkdir()
            settings = fixtures.settings(
                server.url, folder / "cache", concurrent=20, rate=100.0, deadline=900
            )
            config = fixtures.write_config(
                folder / "config.yaml", fixtures.config({"here": CHOSEN}, settings)
            )
            call = ("cube", "--config", config, "here", only_tile(CHOSEN).name, folder / "c.zarr")
            running.append(fixtures.start(*call, cwd=folder))
        said = [process.communicate(timeout=570)[1] for process in running]
        assert [process.returncode for process in running] == [0] * PROCESSES, said
        refused = len(server.sent(status=429))
        answered = len(server.sent(status=200))
    assert server.busiest > SLOTS
    assert refused > 0
    digests = {artefacts.digest(tmp_path / str(n) / "c.zarr") for n in range(PROCESSES)}
    assert len(digests) == 1
    assert answered >= PROCESSES * 10


def test_an_image_that_went_after_it_was_listed_is_listed_anew(tmp_path: Path) -> None:
    with LocalEarthEngine([fixtures.FRANCE]) as server:
        config = fixtures.config({"here": CHOSEN}, fixtures.settings(server.url, tmp_path / "a"))
        tile = only_tile(CHOSEN)
        from sitsformer.imagery.earthengine.source import EarthEngineSource

        source = EarthEngineSource(config)
        whole = source.cube("here", CHOSEN, tile)
        used = [index for date in whole.attrs["images"] for index in date]
        gone = f"{S2}/{used[-1]}"
        # Listed a week ago or less, not fetched yet, and processed again meanwhile.
        for path in (tmp_path / "a").rglob("*.npy"):
            path.unlink()
        image = server.catalogue.images.pop(gone)
        server.catalogue.collections[S2].remove(image)
        again = source.cube("here", CHOSEN, tile)
    left = [index for date in again.attrs["images"] for index in date]
    assert used[-1] not in left
    assert len(left) == len(used) - 1
