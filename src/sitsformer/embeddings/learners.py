"""Who learns from a layer of embeddings in the sweep: names, and how they are drawn.

What they do stands in `baselines/embedded.py`, which is imported when one is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sitsformer.embeddings.product import products

JOINED = "encoder+"
"""Beginning of the name of a method that joins a layer with the features of an encoder."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A way to learn from embeddings.

    Attributes:
        name: in `learners` of a layer.
        suffix: of the learner's name, behind the layer's.
        title: what figures say behind the layer's title.
        marker, line: of its curve.
        series: it reads the series of a sample, too.
        encoder: it joins the layer with the features of a pretrained encoder, and takes part once
            for each of them.
    """

    name: str
    suffix: str
    title: str
    marker: str
    line: str
    series: bool = False
    encoder: bool = False


LEARNERS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(name="logistic_regression", suffix="", title="", marker="p", line="--"),
        Kind(
            name="nearest_neighbour",
            suffix="_neighbour",
            title=", nearest neighbour",
            marker="H",
            line=":",
        ),
        Kind(
            name="with_series",
            suffix="_series",
            title=" and series features",
            marker="8",
            line="-.",
            series=True,
        ),
        Kind(
            name="with_encoder",
            suffix="",
            title=" and the encoder's features",
            marker="h",
            line="-",
            series=True,
            encoder=True,
        ),
    )
}
"""What a layer may join the sweep as, by name; the default is all."""


class Layer(Protocol):
    """A layer of a config."""

    @property
    def learners(self) -> Sequence[str]:
        """Names of the ways to learn from it."""
        ...


@dataclass(frozen=True)
class Member:
    """A learner of the sweep that learns from a layer.

    Attributes:
        layer: in `embeddings`.
        kind: how it learns.
    """

    layer: str
    kind: Kind

    @property
    def title(self) -> str:
        """What figures and tables call it."""
        product = products().get(self.layer)
        own = self.layer.replace("_", " ") if product is None else product.title
        return f"{own}{self.kind.title}"

    @property
    def colour(self) -> str:
        """Of its curve."""
        product = products().get(self.layer)
        return "#4d4d4d" if product is None else product.colour


def learner_name(layer: str, kind: str) -> str:
    """Name of a method in the sweep: `satellite_embedding`, `satellite_embedding_neighbour`.

    One that joins a layer with an encoder is called `encoder+satellite_embedding`, and its learners
    by their init: `dual-p0+satellite_embedding`.
    """
    chosen = LEARNERS[kind]
    return f"{JOINED if chosen.encoder else ''}{layer}{chosen.suffix}"


def members(layers: Mapping[str, Layer]) -> dict[str, Member]:
    """Name of a learner -> what it learns from, of the section `embeddings` of a config."""
    return {
        learner_name(layer, kind): Member(layer, LEARNERS[kind])
        for layer, chosen in layers.items()
        for kind in chosen.learners
    }


def of_products() -> dict[str, Member]:
    """The same of every product, whether a config names it or not."""
    return {
        learner_name(layer, name): Member(layer, kind)
        for layer in products()
        for name, kind in LEARNERS.items()
    }


def main_learners(embedded: Mapping[str, Member]) -> list[str]:
    """The first learner of each layer by itself, which the network is compared with."""
    first: dict[str, str] = {}
    for name, member in embedded.items():
        if not member.kind.encoder:
            first.setdefault(member.layer, name)
    return list(first.values())


def joined_learners(embedded: Mapping[str, Member]) -> list[str]:
    """Methods that join a layer with the features of a pretrained encoder."""
    return [name for name, member in embedded.items() if member.kind.encoder]
