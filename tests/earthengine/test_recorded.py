"""Answers as public documentation shows them: the exporter reads them, the imitation gives these.

The shapes are in recorded.json, with the page each is from.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import ee
import pytest
from googleapiclient.errors import HttpError
from httplib2 import Response

from earthengine.catalogue import S2, Place
from earthengine.client import asking
from earthengine.server import LocalEarthEngine
from sitsformer.imagery.earthengine.errors import explain, sort_failure

RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text())
STATES = {"PENDING", "RUNNING", "CANCELLING", "SUCCEEDED", "CANCELLED", "FAILED"}
IOWA = Place(-93.1, 41.9, -93.0, 42.0, date(2021, 5, 1), date(2021, 5, 20))


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEarthEngine]:
    with asking(IOWA) as running:
        yield running


def like(given: Any, recorded: Any, where: str = "answer") -> None:
    """Every key that is given is in what was recorded, with a value of the same JSON type."""
    if isinstance(given, dict) and where.rpartition(".")[2] not in ("properties", "response"):
        for key, value in given.items():
            assert key in recorded, f"{where}.{key} is in no recorded answer"
            like(value, recorded[key], f"{where}.{key}")
    elif isinstance(given, list):
        for value in given:
            like(value, recorded[0], f"{where}[]")
    elif isinstance(given, float | int) and not isinstance(given, bool):
        assert isinstance(recorded, float | int), where
    else:
        assert type(given) is type(recorded), where


def test_the_imitation_describes_images_as_the_service_does(server: LocalEarthEngine) -> None:
    first = server.catalogue.collections[S2][0].id
    like(server.get_asset(first), RECORDED["asset"]["answer"])
    listed = server.list_assets(S2, {"pageSize": ["2"]})
    assert set(listed) == set(RECORDED["list"]["answer"])
    for asset in listed["assets"]:
        like(asset, RECORDED["asset"]["answer"])


def test_the_imitation_tells_of_tasks_as_the_service_does(server: LocalEarthEngine) -> None:
    """A task without a folder to export to fails, and says so where the service does."""
    image = ee.Image(1).toUint8()
    request = {
        "expression": image,
        "description": "one pixel",
        "fileExportOptions": {
            "fileFormat": "GEO_TIFF",
            "cloudStorageDestination": {"bucket": "b", "filenamePrefix": "p"},
        },
    }
    name = ee.data.exportImage("TASK", request)["name"]
    until = time.monotonic() + 60
    while not (found := ee.data.getOperation(name)).get("done") and time.monotonic() < until:
        time.sleep(0.05)
    assert found["metadata"]["state"] in STATES
    like(
        found,
        RECORDED["failed"]["answer"] | {"metadata": RECORDED["running"]["answer"]["metadata"]},
    )


@pytest.mark.parametrize("name", ["running", "succeeded", "failed"])
def test_the_exporter_reads_recorded_tasks(name: str, server: LocalEarthEngine) -> None:
    answer = RECORDED[name]["answer"]
    server.operations[answer["name"]] = answer
    listed = {item["name"]: item for item in ee.data.listOperations()}
    assert listed[answer["name"]]["metadata"]["state"] == answer["metadata"]["state"]
    # What `batch` goes by: which task it is, whether it is over, and why it failed.
    assert ee.data.getOperation(answer["name"])["metadata"]["description"]
    assert bool(answer.get("done")) == (answer["metadata"]["state"] in ("SUCCEEDED", "FAILED"))
    assert ("error" in answer) == (answer["metadata"]["state"] == "FAILED")


@pytest.mark.parametrize(
    "one", RECORDED["errors"]["answers"], ids=lambda one: str(one["answer"]["error"]["code"])
)
def test_refusals_are_sorted_and_come_with_a_remedy(one: dict[str, Any]) -> None:
    error = one["answer"]["error"]
    refused = HttpError(Response({"status": error["code"]}), json.dumps(one["answer"]).encode())
    try:
        try:
            raise refused
        except HttpError as cause:
            raise ee.EEException(error["message"]) from cause
    except ee.EEException as wrapped:
        found = sort_failure(wrapped)
    assert found.kind == one["sorted"]
    assert error["message"] in found.message
    if "remedy" in one:
        assert one["remedy"] in str(explain("an export", found.message))


def test_every_recorded_answer_names_its_page() -> None:
    for name, entry in RECORDED.items():
        if name != "about":
            assert entry["source"].startswith("https://"), name
