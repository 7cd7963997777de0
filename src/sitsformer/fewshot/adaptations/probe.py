"""A frozen encoder and a logistic regression on what it says of each season.

Encodings are pooled around ten days of the year (`model/pooling.py`), brought into the space that
the training split says is the one of crops, without its labels (`fewshot/space.py`), and regressed
with a strong penalty. The result is written back as the classifier of the network, so a probe
predicts, is stored and maps like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sitsformer.fewshot.adaptations.adaptation import Adaptation, Choice

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

    from sitsformer.config import FewShot
    from sitsformer.fewshot.draws import Draw
    from sitsformer.fewshot.space import Space
    from sitsformer.finetune import Job
    from sitsformer.model import SITSFormer

STRENGTHS = (0.03, 0.003, 0.3)
"""Values of C (inverse strength of the penalty) to try, the one that wins a tie first."""

UNSEEN = -30.0
"""Logit of a class that the draw has no sample of."""


def strengths(settings: FewShot) -> Sequence[Choice]:
    """One try a strength of the penalty."""
    del settings
    return [{"C": strength} for strength in STRENGTHS]


def probed(job: Job, draw: Draw, seed: int, strength: float) -> SITSFormer:
    """A network of `job.start` with the regression as its classifier."""
    from sklearn.linear_model import LogisticRegression

    model = job.start(seed)
    model.new_classifier(model.architecture.classes, model.class_names, "seasons")
    features = job.features(model, seed, draw.train)
    regression = LogisticRegression(C=strength, max_iter=300, tol=1e-3, class_weight="balanced")
    regression.fit(features, job.samples.label[draw.train], sample_weight=job.weights(draw))
    put_into(model, regression, job.space(model, seed))
    model.frozen = True
    return model.eval()


def put_into(model: SITSFormer, regression: LogisticRegression, space: Space) -> None:
    """Put a regression on features into the classifier, which reads encodings.

    Args:
        model: with a classifier of all classes, on any device.
        regression: on features of `space`, of the classes that a draw has samples of.
        space: from encodings to features.
    """
    import numpy as np
    import torch

    weight, bias = regression.coef_, regression.intercept_
    if len(regression.classes_) == 2:  # one row tells two classes apart
        weight, bias = np.concatenate([-weight, weight]) / 2, np.array([-bias[0], bias[0]]) / 2
    weight, bias = space.raw(weight, bias)
    assert model.classifier is not None
    device = model.mean.device
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.fill_(UNSEEN)
        seen = torch.from_numpy(regression.classes_).to(device)
        model.classifier.weight[seen] = torch.from_numpy(weight.astype(np.float32)).to(device)
        model.classifier.bias[seen] = torch.from_numpy(bias.astype(np.float32)).to(device)


def fit(job: Job, draw: Draw, seed: int, choice: Choice) -> SITSFormer:
    """See `Adaptation.fit`."""
    return probed(job, draw, seed, choice["C"])


PROBE = Adaptation(
    name="probe",
    title="frozen encoder, regression by season",
    line=(0, (6, 1)),
    gradient=False,
    candidates=strengths,
    fit=fit,
    order=5,
    augments=True,
)
