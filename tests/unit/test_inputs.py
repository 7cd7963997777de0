"""What `predict` and `embed` take: every form of a sample gives one answer, others are refused."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

import phenology
import sitsformer
from sitsformer.errors import SitsError
from sitsformer.model import Architecture, SITSFormer
from sitsformer.model.inputs import refuse_means
from sitsformer.sensors import BANDS
from sitsformer.stored import MISSING


@pytest.fixture(scope="module")
def samples():
    return phenology.make(60, side=3)


@pytest.fixture(scope="module")
def model(samples) -> SITSFormer:
    torch.manual_seed(0)
    steps = samples.reflectance[samples.doy > 0] / 10_000
    shape = Architecture(
        patch=3, embedding="linear", hidden=16, layers=1, heads=2, pooling="mean_max", classes=4
    )
    return SITSFormer(
        shape, steps.mean((0, 2, 3)), steps.std((0, 2, 3)), BANDS, phenology.NAMES
    ).eval()


def as_dates(doy: np.ndarray) -> np.ndarray:
    days = np.datetime64("2021-01-01") + (doy.astype(int) - 1)
    return np.where(doy > 0, days, np.datetime64("NaT")).astype("datetime64[ns]")


def as_floats(reflectance: np.ndarray) -> np.ndarray:
    return np.where(reflectance == MISSING, np.nan, reflectance / 10_000)


DIMS = ("sample", "time", "band", "py", "px")


@pytest.mark.parametrize("method", ["predict", "embed"])
def test_every_form_gives_one_answer(model, samples, method: str) -> None:
    call = getattr(model, method)
    values, doy = samples.reflectance, samples.doy
    wanted = call(values, doy)
    assert wanted.shape == (60, 4 if method == "predict" else 32)
    array = xr.DataArray(as_floats(values), dims=DIMS, coords={"band": list(BANDS)})
    dates = [
        [None if day == 0 else datetime.date(2021, 1, 1) + datetime.timedelta(int(day) - 1)
         for day in row]
        for row in doy
    ]  # fmt: skip
    forms = {
        "int64": (values.astype(np.int64), doy.astype(np.int64)),
        "floats": (as_floats(values), doy),
        "float32": (as_floats(values).astype(np.float32), doy.astype(np.float32)),
        "dates": (values, as_dates(doy)),
        "lists": (as_floats(values).tolist(), dates),
        "stamps": (values, [[pd.NaT if d is None else pd.Timestamp(d) for d in r] for r in dates]),
        "text": (values, as_dates(doy).astype("datetime64[s]").astype(str)),
        "text or none": (values, [["" if d is None else d.isoformat() for d in r] for r in dates]),
        "days or none": (values, [[None if d == 0 else d for d in r] for r in doy.tolist()]),
        "turned": (values, xr.DataArray(doy, dims=DIMS[:2]).transpose()),
        "xarray": (array, xr.DataArray(as_dates(doy), dims=DIMS[:2])),
        "other order": (
            array.isel(band=[*range(9, -1, -1)]).transpose("px", "band", "py", "time", "sample"),
            np.where(doy > 0, doy, np.nan),
        ),
    }
    for name, (reflectance, days) in forms.items():
        np.testing.assert_allclose(call(reflectance, days), wanted, atol=1e-5, err_msg=name)
    masked = np.ma.masked_array(values, values == MISSING, fill_value=0)
    np.testing.assert_array_equal(call(masked, np.ma.masked_equal(doy, 0)), wanted)
    missing = values.copy()
    missing[:, 1, :, 0] = 65535  # of a step that counts
    halves = as_floats(missing).astype(np.float16)
    np.testing.assert_allclose(call(halves, doy), call(missing, doy), atol=0.01)
    assert call(values[:0], doy[:0]).shape == (0, wanted.shape[1])
    # Steps in any place: those without a value are none.
    gap = np.insert(as_floats(values), 1, np.nan, axis=1)
    found = call(gap, np.insert(doy, 1, 100, axis=1))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.astype(float) * 100, "floats are reflectance"),
        (lambda v: v * 100, "floats are reflectance, 0 to about 1; found"),
        (lambda v: v / 10, "10 times too small"),
        (lambda v: v / 100, "100 times too small"),
        (lambda v: np.rint(np.nan_to_num(v) * 100).astype(np.uint8), "100 times too small"),
        (lambda v: [v[0].tolist(), v[1, :3].tolist()], "the lists have different lengths"),
        (lambda v: v / 10_000, "floats are reflectance, 0 to about 1; found 0 to"),
        (lambda v: np.minimum(v * 10, 6.4), "10 times too large"),
        (lambda v: v + 0.1, "offset of 0.1"),
        (lambda v: v[:, :, ::-1], "bands stand in the reverse order"),
        (lambda v: np.where(np.isnan(v), np.inf, v), "infinite"),
        (lambda v: v[:, :, :4], "the model reads"),
        (lambda v: v.astype(str), "must be whole numbers or floats"),
    ],
)
def test_values_that_cannot_be_are_refused(model, samples, change, message: str) -> None:
    values = change(as_floats(samples.reflectance))
    with pytest.raises(SitsError, match=message):
        model.predict(values, samples.doy)


def test_who_knows_better_says_so(model, samples) -> None:
    values = as_floats(samples.reflectance) + 0.1
    assert model.predict(values, samples.doy, check=False).shape == (60, 4)
    stored = np.where(samples.reflectance == MISSING, MISSING, samples.reflectance + 1000)
    with pytest.raises(SitsError, match="1000 in stored integers"):
        model.predict(stored.astype(np.uint16), samples.doy)
    with pytest.raises(SitsError, match="integers are stored reflectance"):
        model.predict(np.full_like(samples.reflectance, -5, np.int32), samples.doy)


def test_unlike_values_are_not_refused(model, samples) -> None:
    """Single classes, a few samples, another season: unlike, and nothing a slip would explain."""
    for k in range(4):
        chosen = samples.label == k
        model.predict(samples.reflectance[chosen], samples.doy[chosen])
    for k in range(60):
        model.predict(samples.reflectance[k : k + 1], samples.doy[k : k + 1])
    mean, std = model.mean.numpy(), model.std.numpy()
    # Water, snow, dry bare soil: reflectances of spectral libraries, roughly.
    for surface in (
        [0.03, 0.03, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01],
        [0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.78, 0.78, 0.1, 0.1],
        [0.1, 0.14, 0.2, 0.22, 0.24, 0.26, 0.27, 0.28, 0.35, 0.32],
    ):
        refuse_means(np.array(surface), mean, std)
    refuse_means(np.full(10, 0.9), np.zeros(10), np.ones(10))  # no statistics, nothing to say


def test_series_and_days_that_cannot_be_are_refused(model, samples) -> None:
    values, doy = samples.reflectance, samples.doy.copy()
    doy[[3, 5]] = 0
    with pytest.raises(SitsError, match=r"2 of 60 samples have no valid time step \(samples 3, 5"):
        model.predict(values, doy)
    for days, message in (
        (np.full(doy.shape, 400), "400, not 0 to 366"),
        (np.full(doy.shape, 3.5), "whole numbers"),
        (doy[:, :3], "days of year are"),
        (np.full(doy.shape, "soon"), "or dates"),
        (np.full(doy.shape, "91"), "text as 2021-04-30; found '91'"),
        (np.full(doy.shape, "20210430"), "text as 2021-04-30; found '20210430'"),
        (np.full(doy.shape, "2021-02-30"), "text as 2021-04-30; found '2021-02-30'"),
        ([["2021-04-30", 91]], "text as 2021-04-30; found '91'"),
        ([[91, 92], [93]], "the lists have different lengths"),
        (doy > 0, "found bool"),
    ):
        with pytest.raises(SitsError, match=message):
            model.predict(values, days)
    other = xr.DataArray(as_floats(values), dims=DIMS, coords={"band": [*BANDS[:-1], "B01"]})
    with pytest.raises(SitsError, match="without B12"):
        model.predict(other, samples.doy)
    with pytest.raises(SitsError, match="reflectance has the dimensions"):
        model.predict(other.rename(px="x"), samples.doy)


def test_load_model_shows_and_embeds_without_a_classifier(model, samples) -> None:
    assert "load_model" in dir(sitsformer)
    shape = Architecture(patch=3, embedding="linear", hidden=16, layers=1, heads=2)
    bare = SITSFormer(shape, model.mean.numpy(), model.std.numpy(), BANDS).eval()
    assert bare.embed(samples.reflectance, samples.doy).shape == (60, 16)
    with pytest.raises(SitsError, match="no classifier"):
        bare.predict(samples.reflectance, samples.doy)
