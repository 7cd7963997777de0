"""What answers and what does not: credentials, project, collections, pixels."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib.metadata import version
from typing import Any

from sitsformer.config import EarthEngine
from sitsformer.embeddings import EmbeddingProduct
from sitsformer.embeddings import products as embedding_products
from sitsformer.grid import Tile
from sitsformer.imagery.earthengine.collections import IMAGES, SCORES
from sitsformer.imagery.earthengine.errors import (
    DamagedAnswerError,
    UnavailableError,
)
from sitsformer.imagery.earthengine.requests import Request, Window
from sitsformer.imagery.earthengine.session import (
    PROJECT_VARIABLE,
    Session,
    connect,
    find_credentials,
    find_project,
)
from sitsformer.imagery.findings import Finding, attempt
from sitsformer.labels import LabelProduct, products


def examine(
    settings: EarthEngine,
    labels: Collection[str] | None = None,
    embeddings: Collection[str] | None = None,
) -> Iterator[Finding]:
    """Test one thing after another; what rests on a failed one is not tested.

    Args:
        settings: section of the config.
        labels: products that a config wants; None: every one.
        embeddings: products of embeddings that it wants; None: every one.
    """
    yield Finding(True, "client", f"earthengine-api {version('earthengine-api')}")
    found: list[Any] = []
    yield attempt("credentials", lambda: _credentials(settings, found))
    if not found:
        return
    project = find_project(settings, found[0])
    yield Finding(
        project is not None,
        "project",
        project or f"none is set: give earthengine.project in the config or {PROJECT_VARIABLE}",
    )
    if project is None:
        return
    sessions: list[Session] = []
    yield attempt("service", lambda: _service(settings, sessions))
    if not sessions:
        return
    for name in (IMAGES, SCORES):
        yield attempt(name, lambda name=name: _images(sessions[0], name))  # type: ignore[misc]
    chosen = [item for name, item in products().items() if labels is None or name in labels]
    # Several products may be maps of one collection.
    for name, product in {name: item for item in chosen for name in item.ids}.items():
        yield attempt(name, lambda name=name, of=product: _labels(sessions[0], name, of))  # type: ignore[misc]
    for layer, embedded in embedding_products().items():
        if embeddings is None or layer in embeddings:
            yield attempt(embedded.collection, lambda of=embedded: _embedded(sessions[0], of))  # type: ignore[misc]
    yield attempt("pixels", lambda: _pixels(sessions[0]))
    yield Finding(
        True,
        "limits",
        f"{settings.concurrent} requests at once, {settings.rate:g} a second (Google's defaults "
        "are 40 and 100 for all processes of a project)",
    )


def _credentials(settings: EarthEngine, found: list[Any]) -> str:
    try:
        credentials, kind = find_credentials(settings)
    except ConnectionError as error:
        raise UnavailableError(f"{error}; is there a way to the internet?") from None
    found.append(credentials)
    return kind


def _service(settings: EarthEngine, sessions: list[Session]) -> str:
    sessions.append(connect(settings))
    return f"{settings.url} lets project {sessions[0].project} in"


def _images(session: Session, name: str) -> str:
    import ee

    first = ee.ImageCollection(name).limit(1).aggregate_array("system:index")
    indices = session.value(first, f"reading {name}")
    return f"answers ({indices[0]})" if indices else "answers, but is empty"


def _labels(session: Session, name: str, product: LabelProduct) -> str:
    """As `_images`; with the terms of the labels, which those who use them must know."""
    if not product.images:
        return f"{_images(session, name)}; {product.licence}"
    import ee

    session.value(ee.Image(name).get("system:index"), f"reading {name}")
    return f"answers; {product.licence}"


def _embedded(session: Session, product: EmbeddingProduct) -> str:
    return f"{_images(session, product.collection)}; {product.licence}"


def _pixels(session: Session) -> str:
    """One computed pixel: the right that exports need beyond reading metadata."""
    import io

    import ee
    import numpy as np

    grid = Request("labels", Tile("", "", 32615, 499_980, 4_650_000, 1), Window(0, 0, 1, 1)).grid

    def ask() -> int:
        body = ee.data.computePixels(
            {"expression": ee.Image.constant(7).toUint8(), "fileFormat": "NPY", "grid": grid}
        )
        try:
            return int(np.load(io.BytesIO(body), allow_pickle=False)["constant"][0, 0])
        except (ValueError, EOFError) as error:
            raise DamagedAnswerError(f"the answer is no array: {error}") from None

    value = session.limiter.run(ask, "computing one pixel")
    return "computed" if value == 7 else f"computed wrongly: {value} instead of 7"
