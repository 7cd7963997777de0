"""What is learned from embeddings, as plain arrays: kept in a model, read again, and maps drawn.

Shapes: N samples or pixels, A axes of an embedding, F features beside it, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sitsformer.baselines.baseline import Task, spread
from sitsformer.baselines.distances import euclidean, softmin

Floats: TypeAlias = npt.NDArray[np.floating]
Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Part:
    """Columns that are standardised together.

    Attributes:
        mean, std: (column,) over the training split.
        weight: of all of them beside other parts; None: there are no others.
    """

    mean: Floats
    std: Floats
    weight: np.float64 | None = None

    def __call__(self, values: Floats) -> Floats:
        """(N, column) standardised."""
        found = (values - self.mean) / self.std
        return np.asarray(found if self.weight is None else found * self.weight)


def weighed(*parts: Floats) -> list[np.float64]:
    """A weight a part (N, columns of its own), with which all have one sum of variances.

    The sum over all parts stays that of as many standardised columns.
    """
    columns = sum(part.shape[1] for part in parts)
    return [np.sqrt(np.float64(columns / (len(parts) * part.shape[1]))) for part in parts]


@dataclass(frozen=True)
class Columns:
    """From embeddings, and what stands beside them, to what a classifier reads.

    Attributes:
        fill: (A,) stands where there is no embedding.
        parts: of the embedding, and of what stands beside it, if anything does.
    """

    fill: npt.NDArray[np.float64]
    parts: tuple[Part, ...]

    def __call__(self, embedding: npt.NDArray[np.float32], beside: Floats | None) -> Floats:
        """(N, columns).

        Args:
            embedding: (N, A), NaN where there is none.
            beside: (N, F); None: nothing.
        """
        values = embedding.astype(np.float64)
        values[~np.isfinite(values).all(1)] = self.fill
        given = (values,) if beside is None else (values, beside)
        found = [part(one) for part, one in zip(self.parts, given, strict=True)]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


@dataclass(frozen=True)
class Regression:
    """A logistic regression.

    Attributes:
        coefficients: (K, columns), one row for two classes.
        intercepts: (K,), one for two classes.
        present: (K,) class indices that it was fitted to.
    """

    coefficients: Floats
    intercepts: Floats
    present: npt.NDArray[np.int64]

    @classmethod
    def of(cls, points: Floats, task: Task, strength: float) -> Regression:
        """Fit one to the training samples of a task, whose columns are `points`.

        Args:
            points: (N, columns).
            task: labels and weights of these samples.
            strength: C, the inverse strength of the penalty.
        """
        from sklearn.linear_model import LogisticRegression

        weights = {} if task.weight is None else {"sample_weight": task.weight}
        found = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
        found.fit(points, task.label, **weights)
        return cls(found.coef_, found.intercept_, found.classes_.astype(np.int64))

    def __call__(self, points: Floats) -> Floats:
        """Probabilities (N, K) of the classes that it was fitted to."""
        from scipy.special import expit, softmax

        scores = points @ self.coefficients.T + self.intercepts
        if len(self.present) == 2:
            second = expit(scores)
            return np.asarray(np.concatenate([1 - second, second], axis=1))
        return np.asarray(softmax(scores, axis=1))

    def arrays(self) -> Arrays:
        """To keep."""
        return {
            "coefficients": self.coefficients,
            "intercepts": self.intercepts,
            "present": self.present,
        }


@dataclass(frozen=True)
class Neighbours:
    """The class of the nearest drawn sample.

    Attributes:
        points: (drawn, columns).
        label: (drawn,) class indices.
        sharpness: how fast probability falls with distance.
    """

    points: Floats
    label: npt.NDArray[np.int64]
    sharpness: float

    @property
    def present(self) -> npt.NDArray[np.int64]:
        """(K,) class indices that there are samples of."""
        return np.unique(self.label)

    def __call__(self, points: Floats) -> Floats:
        """Probabilities (N, K) of the classes that there are samples of."""
        every = euclidean(points, self.points)
        nearest = [every[:, self.label == k].min(1) for k in self.present]
        return softmin(np.stack(nearest, axis=1), self.sharpness)

    def arrays(self) -> Arrays:
        """To keep."""
        return {"points": self.points, "label": self.label, "sharpness": np.array(self.sharpness)}


@dataclass(frozen=True)
class Learned:
    """Probabilities of embeddings, and of what stands beside them.

    Attributes:
        columns: what is read of them.
        head: columns -> probabilities of the classes that were fitted.
        classes: number of all classes.
    """

    columns: Columns
    head: Regression | Neighbours
    classes: int

    def __call__(self, embedding: npt.NDArray[np.float32], beside: Floats | None = None) -> Floats:
        """(N, class) probabilities; arguments as of `Columns`."""
        return spread(self.head(self.columns(embedding, beside)), self.head.present, self.classes)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """To keep, for `again`."""
        found: dict[str, npt.NDArray[Any]] = {"fill": self.columns.fill, **self.head.arrays()}
        for number, part in enumerate(self.columns.parts):
            found |= {f"mean_{number}": part.mean, f"std_{number}": part.std}
            if part.weight is not None:
                found[f"weight_{number}"] = np.array(part.weight)
        return found


def again(arrays: Arrays, classes: int) -> Learned:
    """What was learned, of the arrays that were kept of it."""
    parts: list[Part] = []
    while f"mean_{len(parts)}" in arrays:
        mean, std, weight = (arrays.get(f"{k}_{len(parts)}") for k in ("mean", "std", "weight"))
        assert mean is not None and std is not None
        parts.append(Part(mean, std, None if weight is None else np.float64(weight.item())))
    columns = Columns(arrays["fill"], tuple(parts))
    head: Regression | Neighbours
    if "points" in arrays:
        head = Neighbours(arrays["points"], arrays["label"], arrays["sharpness"].item())
    else:
        head = Regression(arrays["coefficients"], arrays["intercepts"], arrays["present"])
    return Learned(columns, head, classes)
