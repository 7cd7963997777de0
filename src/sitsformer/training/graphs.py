"""Steps of training that are recorded once for each shape of batch, and played again.

A step asks a GPU for a thousand small operations, and asking takes longer than they do. Recorded as
a CUDA graph they are asked for at once. Recorded work finds its batch where the recorded one lay,
so later ones are copied there; what it changes (weights, gradients, moments, sums of losses) has to
stay where it was, and what it reads on the host would stay as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sitsformer.errors import SitsError

logger = logging.getLogger("sitsformer")

MOST = 24
"""Recorded shapes: each holds its batch, and all share the memory of activations."""

Recorder = Callable[[Callable[[], None]], Callable[[], None]]
"""Work -> what does it again on the same tensors; recording it does not do it."""


def cuda_recorder() -> Recorder:
    """Records CUDA graphs; their activations share memory, since one is played after another.

    Raises (what it returns):
        SitsError: this GPU, or what is free of its memory, does not let a step be recorded.
    """
    pool = torch.cuda.graph_pool_handle()

    def record(work: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=pool):
                work()
        except RuntimeError as error:
            raise SitsError(
                f"a step of training could not be recorded as a CUDA graph: {error}\nset "
                "pretrain.graphs to false, which trains the same in more time"
            ) from error
        return graph.replay

    return record


class Graphs:
    """Work by the shape of what it is given.

    Done as it is when a shape is first met, so that whatever is made once is there (gradients,
    moments, kernels chosen); recorded and played the second time, and played from then on.

    Args:
        record: see `Recorder`.
        most: shapes recorded; others are done as they are.
    """

    def __init__(self, record: Recorder, most: int = MOST) -> None:
        self.record, self.most = record, most
        self.met: set[Hashable] = set()
        self.known: dict[Hashable, tuple[list[Tensor], Callable[[], None]]] = {}
        self.full = False

    def run(self, name: Hashable, given: Any, work: Callable[[Any], None]) -> None:
        """Do work on what is given: dataclasses, tuples and mappings of tensors and numbers.

        Args:
            name: of the work.
            given: on the device; arrays of numpy in it are not for the work.
            work: changes tensors in place and returns nothing.
        """
        key = name, shape_of(given)
        if key not in self.met or (key not in self.known and self._full()):
            self.met.add(key)
            work(given)
            return
        if key not in self.known:
            held = at_one_place(given)
            self.known[key] = list(tensors(held)), self.record(lambda: work(held))
        places, play = self.known[key]
        for place, tensor in zip(places, tensors(given), strict=True):
            place.copy_(tensor)
        play()

    def _full(self) -> bool:
        if len(self.known) >= self.most and not self.full:
            self.full = True
            logger.info(
                "%d shapes of batches are recorded: batches of other shapes are trained on "
                "without a CUDA graph",
                self.most,
            )
        return self.full


def parts(value: Any) -> Iterable[Any]:
    """What a dataclass, a tuple or a mapping is made of."""
    if is_dataclass(value):
        return (getattr(value, field.name) for field in fields(value))
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, (tuple, list)) else ()


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in a value, in a fixed order."""
    if isinstance(value, Tensor):
        yield value
    for part in parts(value):
        yield from tensors(part)


def shape_of(value: Any) -> Hashable:
    """What two values have in common that one record serves: shapes, types, sizes.

    Of a count (a float) only whether there is any.
    """
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype
    if isinstance(value, float):
        return value != 0
    if value is None or isinstance(value, (int, str)):
        return value
    return type(value).__name__, tuple(shape_of(part) for part in parts(value))


def at_one_place(value: Any) -> Any:
    """The same value on tensors of its own, without what is on the host."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, np.ndarray):
        return np.empty(0, value.dtype)
    if is_dataclass(value) and not isinstance(value, type):
        kept = {field.name: at_one_place(getattr(value, field.name)) for field in fields(value)}
        return replace(value, **kept)
    if isinstance(value, tuple):
        return tuple(at_one_place(part) for part in value)
    return value


@contextmanager
def gradients_aside(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Gradients start from none, and those that records add to are there again afterwards.

    For a step in which some weights have no part: their moments are to stay as they are, which a
    gradient of zero would change.
    """
    kept = [(parameter, parameter.grad) for parameter in parameters]
    for parameter, _ in kept:
        parameter.grad = None
    yield
    for parameter, grad in kept:
        parameter.grad = grad
