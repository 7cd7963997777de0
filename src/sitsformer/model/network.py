"""SITS-Former with heads for masked reconstruction and for classes; torch and numpy only.

    model = SITSFormer(Architecture())
    steps = pack(series, index)
    encoded = model.encode(steps)                  # (N, H), one row a valid time step
    logits = model.classify(encoded, steps.layout) # (B, classes)

Defaults are those of Yuan et al. 2022 (Int. J. Applied Earth Observation and Geoinformation 106:
102651): patch 5, 10 bands, hidden 256, 3 layers, 8 heads, dropout 0.1, post-norm, max pooling.
What differs from the paper, and why, is in docs/model.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sitsformer.errors import SitsError
from sitsformer.model import pooling
from sitsformer.model.embedding import ConvEmbedding, LinearEmbedding
from sitsformer.model.encoder import Encoder, Layer
from sitsformer.model.hiding import Hidden, HiddenBands, HiddenSteps
from sitsformer.model.rows import beside, take
from sitsformer.model.steps import Series, Steps, StepTable, make_series


@dataclass(frozen=True)
class Architecture:
    """Everything that decides the shape and the function of a network.

    Attributes:
        bands: bands of a patch.
        patch: side of a patch, pixels: 1, 3, 5, 7 or 9.
        embedding: `conv3d` or `linear`.
        hidden: width of the encoder.
        layers: encoder layers.
        heads: attention heads; divide `hidden`.
        feedforward: width of the feed-forward layer; 0: 4 x `hidden`.
        dropout: rate after the embedding and inside the layers.
        attention_dropout: rate on the attention weights.
        norm: `post` or `pre`.
        pooling: `max`, `mean` or `mean_max` over valid steps; `seasons`: these two, and a mean
            around each of ten days of the year.
        classes: classes of the classifier; 0: none.
        decoder: whether a light decoder reconstructs hidden steps, which the encoder then does
            not see at all (after He et al. 2022, masked autoencoders).
        projection: whether there is a projection of pooled series, for a loss of contrast.
    """

    bands: int = 10
    patch: int = 5
    embedding: str = "conv3d"
    hidden: int = 256
    layers: int = 3
    heads: int = 8
    feedforward: int = 0
    dropout: float = 0.1
    attention_dropout: float = 0.1
    norm: str = "post"
    pooling: str = "max"
    classes: int = 0
    decoder: bool = False
    projection: bool = False


class SITSFormer(nn.Module):
    """The network, with the band statistics it was trained with.

    Args:
        architecture: its shape.
        mean: (band,) reflectance; what inputs are normalised with.
        std: (band,) reflectance.
        bands: names of the bands.
        class_names: names of the classes, as many as `architecture.classes`.
        sensor: name of the sensor whose images it reads; empty where nobody said.
    """

    embedding: ConvEmbedding | LinearEmbedding

    def __init__(
        self,
        architecture: Architecture,
        mean: npt.ArrayLike | None = None,
        std: npt.ArrayLike | None = None,
        bands: Sequence[str] = (),
        class_names: Sequence[str] = (),
        sensor: str = "",
    ) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        self.bands, self.sensor = tuple(bands), sensor
        self.class_names = tuple(class_names)
        self.frozen = False
        embedding = ConvEmbedding if a.embedding == "conv3d" else LinearEmbedding
        self.embedding = embedding(a.bands, a.patch, a.hidden)
        feedforward = a.feedforward or 4 * a.hidden
        layers = [
            Layer(a.hidden, a.heads, feedforward, a.dropout, a.attention_dropout, a.norm == "pre")
            for _ in range(a.layers)
        ]
        self.transformer_encoder = Encoder(layers, a.hidden)
        # Same scale as the code of the day it is added to would drown it; 0.02 as in BERT.
        self.mask_token = nn.Parameter(torch.randn(a.hidden) * 0.02)
        self.band_token = nn.Parameter(torch.zeros(a.bands))
        self.reconstruction = nn.Linear(a.hidden, a.bands)
        self.decoder: Encoder | None = None
        if a.decoder:
            # One layer with a feed-forward part as narrow as it is wide.
            light = Layer(
                a.hidden, a.heads, a.hidden, a.dropout, a.attention_dropout, a.norm == "pre"
            )
            self.decoder = Encoder([light], a.hidden)
        self.projection: nn.Sequential | None = None
        if a.projection:
            wide = 2 * a.hidden
            self.projection = nn.Sequential(
                nn.Linear(self.width, wide), nn.ReLU(), nn.Linear(wide, a.hidden)
            )
        self.classifier: nn.Linear | None = None
        if a.classes:
            self.new_classifier(a.classes, class_names)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", _vector(mean, a.bands, 0.0))
        self.register_buffer("std", _vector(std, a.bands, 1.0))

    def new_classifier(
        self, classes: int, class_names: Sequence[str] = (), pooling: str | None = None
    ) -> None:
        """Put a fresh classifier in; its first logits are small.

        Args:
            classes: of the classifier.
            class_names: as many.
            pooling: that it reads; None: as before. Another one ends the projection.
        """
        a = self.architecture
        if pooling not in (None, a.pooling):
            # It was made for vectors of the other pooling, and for pretraining alone.
            a, self.projection = replace(a, projection=False), None
        self.architecture = replace(a, classes=classes, pooling=pooling or a.pooling)
        self.class_names = tuple(class_names)
        self.classifier = nn.Linear(self.width, classes).to(self.mask_token.device)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)

    @property
    def width(self) -> int:
        """Features of an embedding, which the classifier reads."""
        return self.architecture.hidden * pooling.PARTS[self.architecture.pooling]

    def train(self, mode: bool = True) -> SITSFormer:
        """Set training mode; a frozen encoder stays in evaluation mode, norms and dropout too."""
        super().train(mode)
        if self.frozen:
            self.embedding.eval()
            self.transformer_encoder.eval()
        return self

    def encode(
        self,
        steps: Steps,
        hidden: Hidden | None = None,
        only_hidden: bool = False,
    ) -> Tensor:
        """Encode a batch.

        Args:
            steps: the batch, N steps.
            hidden: steps behind the mask token, or values behind the token of their band; None:
                nothing is hidden.
            only_hidden: compute the last layer for the hidden steps alone.

        Returns:
            (N, H) float32, or (hidden steps, H) with `only_hidden`.
        """
        x = self._dropped(self._embed(steps, hidden))
        only = None
        if only_hidden:
            assert isinstance(hidden, HiddenSteps)
            only = hidden.rows, hidden.layout
        encoded: Tensor = self.transformer_encoder(x, steps.layout, only)
        return encoded

    def encode_hidden(
        self, steps: Steps, hidden: HiddenSteps, whole: bool = True
    ) -> tuple[Tensor, StepTable, Tensor, Tensor]:
        """Encode a batch, and what its hidden steps are reconstructed from.

        Args:
            steps: the batch, N steps.
            hidden: with a decoder every series shows at least one step.
            whole: whether the encoded steps are wanted, or the hidden ones alone.

        Returns:
            Encoded steps for the classifier, their layout and their days (with a decoder the
            visible steps; without one all, or whatever was computed where not `whole`), and
            (hidden steps, H).
        """
        if self.decoder is None and not whole:
            encoded = self.encode(steps, hidden, only_hidden=True)
            return encoded, steps.layout, steps.doy, encoded
        if self.decoder is None:
            encoded = self.encode(steps, hidden)
            return encoded, steps.layout, steps.doy, take(encoded, hidden.rows)
        seen, table = self._beside_tokens(steps, hidden)
        shown = steps.doy.index_select(0, hidden.seen.index)
        decoded = self.decoder(table, steps.layout, (hidden.rows, hidden.layout))
        return seen, hidden.seen_layout, shown, decoded

    def fill(self, steps: Steps, hidden: Hidden) -> Tensor:
        """Guess the normalised reflectance (N, C) of every step, hidden ones or bands included."""
        if self.decoder is None:
            return self.reconstruct(self.encode(steps, hidden))
        assert isinstance(hidden, HiddenSteps), "a decoder fills in whole steps"
        _, table = self._beside_tokens(steps, hidden)
        return self.reconstruct(self.decoder(table, steps.layout))

    def _beside_tokens(self, steps: Steps, hidden: HiddenSteps) -> tuple[Tensor, Tensor]:
        """Visible steps encoded (n, H), and what the decoder reads (N, H)."""
        position, rows = self.embedding.position(steps.doy), hidden.seen
        values, code = (table.index_select(0, rows.index) for table in (steps.values, position))
        embedded = self.embedding(values, rows.real) + code
        seen = self.transformer_encoder(self._dropped(embedded), hidden.seen_layout)
        return seen, beside(seen, rows, self.mask_token.to(seen.dtype)) + position

    def _dropped(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.architecture.dropout, self.embedding.training)

    def _embed(self, steps: Steps, hidden: Hidden | None) -> Tensor:
        position: Tensor = self.embedding.position(steps.doy)
        x: Tensor
        if hidden is None:
            x = position + self.embedding(steps.values, steps.layout.real)
            return x
        if isinstance(hidden, HiddenBands):
            token = self.band_token.view(1, -1, 1).to(steps.values.dtype)
            values = torch.where(hidden.values.unsqueeze(-1), token, steps.values)
            x = position + self.embedding(values, steps.layout.real)
            return x
        # Hidden steps are not embedded at all: nothing of them enters, BatchNorm included.
        rows = hidden.seen
        seen = self.embedding(steps.values.index_select(0, rows.index), rows.real)
        # In float32: half of a batch adds up in the gradient of the token's one row.
        return position + beside(seen.to(position.dtype), rows, self.mask_token)

    def reconstruct(self, encoded: Tensor) -> Tensor:
        """Normalised reflectance of the centre pixel, (n, C), of encoded steps (n, H)."""
        out: Tensor = self.reconstruction(encoded)
        return out

    def pool(self, encoded: Tensor, layout: StepTable, doy: Tensor) -> Tensor:
        """One vector a sample, (B, `width`), of encoded steps (N, H) and their days (N,)."""
        return pooling.pool(self.architecture.pooling, encoded, layout, doy)

    def project(self, pooled: Tensor) -> Tensor:
        """Projection (B, H) of pooled series (B, `width`), for a loss of contrast."""
        assert self.projection is not None, "this model has no projection"
        out: Tensor = self.projection(pooled)
        return out

    def classify(self, encoded: Tensor, layout: StepTable, doy: Tensor) -> Tensor:
        """Class logits (B, classes) of encoded steps (N, H) and their days (N,)."""
        assert self.classifier is not None, "this model has no classifier"
        out: Tensor = self.classifier(self.pool(encoded, layout, doy))
        return out

    def logits(self, steps: Steps) -> Tensor:
        """Class logits (B, classes) of a batch."""
        return self.classify(self.encode(steps), steps.layout, steps.doy)

    def predict(
        self,
        reflectance: Any,
        doy: Any,
        batch_size: int = 1024,
        *,
        check: bool = True,
        precision: str = "float32",
    ) -> npt.NDArray[np.float32]:
        """Class probabilities of samples.

        Args:
            reflectance: (sample, time, band, py, px): stored integers (reflectance x 10,000, 65535
                missing), or floats of reflectance (NaN missing). A numpy array, a list, or an
                xarray DataArray, whose dimensions of these names may stand in any order and whose
                `band` may be in another order than the model's.
            doy: (sample, time) day of year 1-366, 0 or NaN = no step; or dates (datetime64, NaT).
            batch_size: samples a batch.
            check: refuse reflectances that cannot be: of another scale, offset or order of bands.
            precision: of matrix products: `float32`, or `bf16` on a GPU or a processor that
                multiplies bfloat16.

        Returns:
            (sample, class) float32; rows sum to 1.

        Raises:
            SitsError: the model has no classifier, the samples do not fit it, or there are no
                units for `bf16`.

        Examples:
            >>> import numpy as np, sitsformer
            >>> model = sitsformer.load_model("results/models/crop")
            >>> side = model.architecture.patch
            >>> reflectance = np.full((2, 12, len(model.bands), side, side), 0.2)
            >>> doy = [[15, 45, 75, 105, 135, 165, 195, 225, 255, 285, 315, 345]] * 2
            >>> probabilities = model.predict(reflectance, doy)
            >>> probabilities.shape == (2, len(model.class_names))
            True
            >>> bool(np.allclose(probabilities.sum(1), 1))
            True
        """
        if self.classifier is None:
            raise SitsError(
                "this model has no classifier (it was pretrained by reconstruction alone): "
                "fine-tune it first"
            )
        from sitsformer.model.prediction import probabilities

        series = self.series(reflectance, doy, check)
        everything = np.arange(len(series.lengths))
        return probabilities(self, series, everything, batch_size, precision)

    def embed(
        self,
        reflectance: Any,
        doy: Any,
        batch_size: int = 1024,
        *,
        check: bool = True,
        precision: str = "float32",
    ) -> npt.NDArray[np.float32]:
        """Embeddings of samples: the vectors that the classifier reads, or would read.

        Args:
            reflectance: see `predict`.
            doy: see `predict`.
            batch_size: samples a batch.
            check: see `predict`.
            precision: see `predict`.

        Returns:
            (sample, H) float32, or (sample, 2 H) where `mean_max` pools.

        Raises:
            SitsError: the samples do not fit the model.

        Examples:
            >>> import numpy as np, sitsformer
            >>> model = sitsformer.load_model("results/models/crop")
            >>> side = model.architecture.patch
            >>> reflectance = np.full((1, 3, len(model.bands), side, side), 0.2)
            >>> len(model.embed(reflectance, [[100, 150, 200]]))
            1
        """
        from sitsformer.model.prediction import embeddings

        series = self.series(reflectance, doy, check)
        everything = np.arange(len(series.lengths))
        return embeddings(self, series, everything, batch_size, precision)

    def series(self, reflectance: Any, doy: Any, check: bool) -> Series:
        """Samples as batches are packed from; arguments as of `predict`."""
        from sitsformer.model.cutting import cut
        from sitsformer.model.inputs import as_stored, refuse_implausible
        from sitsformer.windows import Windows

        a = self.architecture
        shape = (a.bands, a.patch, a.patch)
        if isinstance(reflectance, Windows) and self.mean.device.type != "cpu" and not check:
            if reflectance.shape[2:] != shape:
                raise SitsError(f"the model reads patches {shape}; these are {reflectance.shape}")
            return cut(reflectance, self.mean, self.std)
        values, days = as_stored(reflectance, doy, self.bands, shape)
        mean, std = self.mean.cpu().numpy(), self.std.cpu().numpy()
        if check:
            refuse_implausible(values, days, mean, std)
        try:
            return make_series(values, days, mean, std, self.mean.device)
        except ValueError as error:
            raise SitsError(f"these samples cannot be used: {error}") from None


def _vector(values: npt.ArrayLike | None, size: int, default: float) -> Tensor:
    if values is None:
        return torch.full((size,), default)
    return torch.as_tensor(np.array(values, dtype=np.float32))
