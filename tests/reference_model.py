"""SITS-Former as published, plainly: nn.Conv3d, nn.TransformerEncoder, padded batches.

Written from the paper's description (Yuan et al. 2022) and the names of its checkpoints. The tests
compare the package's network with it, and the benchmarks measure against it; torch only.
"""

import math

import torch
from torch import nn


class Position(nn.Module):
    def __init__(self, hidden, days=366):
        super().__init__()
        table = torch.zeros(days + 1, hidden)
        day = torch.arange(days).float()[:, None]
        rate = torch.exp(torch.arange(0, hidden, 2).float() * -(math.log(10000.0) / hidden))
        table[1:, 0::2] = torch.sin(day * rate)
        table[1:, 1::2] = torch.cos(day * rate)
        self.register_buffer("pe", table)

    def forward(self, doy):
        return torch.stack([self.pe.index_select(0, row) for row in doy])


class Embedding(nn.Module):
    def __init__(self, bands, patch, hidden, dropout, kernels):
        super().__init__()
        (depth1, side1), (depth2, side2) = kernels
        self.conv1 = nn.Sequential(
            nn.Conv3d(1, 32, (depth1, side1, side1)), nn.ReLU(), nn.BatchNorm3d(32)
        )
        self.conv2 = nn.Sequential(
            nn.Conv3d(32, 64, (depth2, side2, side2)), nn.ReLU(), nn.BatchNorm3d(64)
        )
        self.linear = nn.Linear(64 * (bands - depth1 - depth2 + 2), hidden)
        self.position = Position(hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, doy):
        batch, time = x.shape[:2]
        flat = x.reshape(batch * time, 1, *x.shape[2:])
        flat = self.linear(self.conv2(self.conv1(flat)).flatten(1))
        return self.dropout(flat.view(batch, time, -1) + self.position(doy))


class Reference(nn.Module):
    """Encoder and heads; `x` (sample, time, band, py, px) float32 normalised, padding last."""

    def __init__(
        self,
        bands=10,
        patch=5,
        hidden=256,
        layers=3,
        heads=8,
        dropout=0.1,
        classes=0,
        kernels=((5, 3), (5, 3)),
        norm_first=False,
    ):
        super().__init__()
        self.embedding = Embedding(bands, patch, hidden, dropout, kernels)
        layer = nn.TransformerEncoderLayer(
            hidden, heads, 4 * hidden, dropout, batch_first=True, norm_first=norm_first
        )
        self.transformer_encoder = nn.TransformerEncoder(
            layer, layers, nn.LayerNorm(hidden), enable_nested_tensor=False
        )
        # The published layers are copies of one; drawn anew here, or a comparison would not
        # notice two layers that were mixed up.
        for copy in self.transformer_encoder.layers:
            for parameter in copy.parameters():
                if parameter.ndim > 1:
                    nn.init.xavier_uniform_(parameter)
        self.reconstruction = nn.Linear(hidden, bands)
        self.classifier = nn.Linear(hidden, classes) if classes else None

    def encode(self, x, doy):
        return self.transformer_encoder(self.embedding(x, doy), src_key_padding_mask=doy == 0)

    def reconstruct(self, x, doy):
        return self.reconstruction(self.encode(x, doy))

    def classify(self, x, doy):
        encoded = self.encode(x, doy) - 1e6 * (doy == 0).unsqueeze(-1)
        return self.classifier(encoded.max(1).values)
