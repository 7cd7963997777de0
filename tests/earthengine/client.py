"""The unchanged `ee` client, asking the local server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import ee

from earthengine.catalogue import Place
from earthengine.server import LocalEarthEngine


@contextmanager
def asking(place: Place) -> Iterator[LocalEarthEngine]:
    """A server that has images of a place, and the client set up to ask it, once for each call."""
    with LocalEarthEngine([place]) as running:
        ee.Reset()
        ee.deprecation.deprecated_assets = {"": None}
        ee.Initialize(credentials=None, url=running.url, project="proj-test")
        ee.data.setMaxRetries(0)
        yield running
        ee.Reset()
