"""Baselines: the series they see, what they learn, and that they learn nothing from nonsense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import phenology
from sitsformer import decisive, fewshot
from sitsformer.baselines import ShippedBaseline, by_default, series, shipped
from sitsformer.baselines.fitting import run
from sitsformer.baselines.networks.temporal_cnn import regular
from sitsformer.config import FewShot, parse
from sitsformer.errors import SitsError
from sitsformer.evaluation import metrics
from sitsformer.fewshot import Learner, parse_learner
from sitsformer.samples import BandStatistics, load_samples, statistics_of

SETTINGS = FewShot(set="crops", steps=60, batch_size=32, validation=5)


def macro_f1(cell: fewshot.Cell) -> float:
    guess = fewshot.predicted(cell)
    return float(metrics.macro_f1(metrics.confusion(cell.truth, guess, len(phenology.NAMES))))


def test_interpolation_equals_numpy() -> None:
    samples = phenology.make(12)
    made = series.PixelSeries.of(samples)
    regular = made.regular("centre")
    for i in range(len(samples)):
        valid = samples.doy[i] > 0
        for band in range(3):
            expected = np.interp(
                made.calendar.grid,
                made.day[i][valid],
                samples.reflectance[i, valid, band, 0, 0] * 1e-4,
            )
            np.testing.assert_allclose(regular[i, :, band], expected, atol=1e-6)


def test_the_network_interpolates_to_the_same_bits() -> None:
    made = series.PixelSeries.of(phenology.make(12))
    values = np.where(made.day[..., None] < 0, 0, made.values("centre")).astype(np.float32)
    grid = made.calendar.grid
    found = regular(torch.from_numpy(values), *series.between(made.day, grid)).numpy()
    np.testing.assert_array_equal(found, series.interpolate(values, made.day, grid))


def test_seasons_across_new_year_run_on() -> None:
    doy = np.array([[300, 340, 5, 90, 0], [310, 360, 20, 100, 110], [10, 60, 110, 0, 0]])
    days = series.calendar_days(doy)
    np.testing.assert_array_equal(days[0], [300, 340, 370, 455, -1])
    # The sample whose clear dates all lie after New Year stands beside the others.
    np.testing.assert_array_equal(days[2], [375, 425, 475, -1, -1])
    plain = np.array([[100, 200, 300], [120, 0, 0]])
    np.testing.assert_array_equal(series.calendar_days(plain), [[100, 200, 300], [120, -1, -1]])


@pytest.mark.parametrize(
    "doy",
    [
        [[100, 200, 300], [120, 0, 0]],
        [[300, 340, 5, 90, 0], [310, 360, 20, 100, 110], [10, 60, 110, 0, 0]],
        # Most samples start after New Year.
        [[10, 100, 200], [12, 90, 0], [360, 30, 150]],
        [[340, 30, 300, 20, 80], [350, 10, 200, 350, 40]],
    ],
)
def test_a_calendar_counts_a_batch_as_the_whole_store(doy: list[list[int]]) -> None:
    every = np.array(doy)
    days = series.calendar_days(every)
    calendar = series.Calendar.of(every, days)
    for row, expected in zip(every, days, strict=True):
        np.testing.assert_array_equal(calendar.days(row[None])[0], expected)


def test_phenology_finds_the_season() -> None:
    grid = np.arange(0, 365, 10)
    curve = np.exp(-(((grid - 180) / 40) ** 2))[None].astype(np.float32)
    least, greatest, _, _, peak, first, last, length, _ = series.phenology(curve, grid)[0]
    assert (round(float(least), 3), greatest, peak) == (0.0, 1.0, 180)
    # exp(-(d / 40)^2) is above a half for |d| < 33 days.
    assert (first, last, length) == (150, 210, 70)


def test_patch_means_leave_missing_pixels_out() -> None:
    samples = phenology.make(8, side=3)
    samples.reflectance[0, 0, :, 1, 1] = 65535
    made = series.PixelSeries.of(samples)
    expected = np.delete(samples.reflectance[0, 0].reshape(10, 9), 4, axis=1).mean(1) * 1e-4
    np.testing.assert_allclose(made.values("mean")[0, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(made.values("centre")[0, 0], expected, rtol=1e-5)
    assert np.isfinite(made.features("centre")).all()


@pytest.mark.parametrize("side", [1, 3])
def test_series_do_not_depend_on_the_pieces_they_are_made_in(monkeypatch, side: int) -> None:
    samples = phenology.make(50, side=side)
    whole = series.PixelSeries.of(samples)
    expected = {
        (view, made): getattr(whole, made)(view)[:40][::-1]
        for view in whole.views
        for made in ("values", "regular", "features")
    }
    monkeypatch.setattr(series, "CHUNK", 7)
    pieces = series.PixelSeries.of(samples).take(np.arange(40)[::-1])
    for (view, made), values in expected.items():
        np.testing.assert_array_equal(getattr(pieces, made)(view), values)


def test_series_are_the_same_where_patches_are_read_from_their_store(tmp_path: Path) -> None:
    samples = phenology.make(700, side=3)
    samples.reflectance[0, 0, :, 1, 1] = 65535
    store = phenology.write(tmp_path / "made.zarr", samples)
    small = load_samples(store, reflectance=False)
    expected, found = series.PixelSeries.of(samples), series.PixelSeries.of(small, path=store)
    assert found.views == expected.views
    rows = np.random.default_rng(0).permutation(700)[:300]
    for view in expected.views:
        for made in ("values", "regular", "features"):
            one, other = (getattr(some.take(rows), made)(view) for some in (expected, found))
            np.testing.assert_array_equal(one, other)


def test_given_statistics_are_those_of_networks_wherever_patches_are(tmp_path: Path) -> None:
    samples = phenology.make(60)
    store = phenology.write(tmp_path / "made.zarr", samples)
    small = load_samples(store, reflectance=False)
    own = statistics_of(samples)
    given = BandStatistics(own.mean + 0.1, own.std * 2)
    held = series.PixelSeries.of(samples, statistics=given).normalised
    read = series.PixelSeries.of(small, statistics=given, path=store).normalised
    for name in ("mean", "std"):
        one, other = getattr(held, name).numpy(), getattr(read, name).numpy()
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(read.mean.numpy(), given.mean.astype(np.float32))


@pytest.mark.parametrize("name", ["random_forest", "temporal_cnn", "minirocket"])
def test_cells_are_the_same_bytes_where_patches_are_read(name: str, tmp_path: Path) -> None:
    samples = phenology.make(side=3)
    store = phenology.write(tmp_path / "made.zarr", samples)
    small, sweep = load_samples(store, reflectance=False), {"steps": 10, "refine": ("smoothing",)}
    settings = SETTINGS.model_copy(update=sweep)
    (held,) = run(samples, Learner(name), 5, [0], settings)
    (read,) = run(small, Learner(name), 5, [0], settings, store=store)
    np.testing.assert_array_equal(read.probabilities, held.probabilities)
    assert read.choice == held.choice


@pytest.mark.parametrize("name", sorted(by_default()))
def test_every_baseline_learns_and_repeats(name: str) -> None:
    samples = phenology.make()
    cells = run(samples, Learner(name), 10, [0, 1], SETTINGS)
    assert [cell.seed for cell in cells] == [0, 1]
    for cell in cells:
        np.testing.assert_allclose(cell.probabilities.sum(1), 1, atol=1e-5)
        np.testing.assert_array_equal(cell.sample, np.flatnonzero(samples.split == 2))
        assert macro_f1(cell) > 0.6
        assert cell.choice["train"] == 40
        assert cell.choice["chosen"]
    again = run(samples, Learner(name), 10, [1], SETTINGS)
    np.testing.assert_array_equal(again[0].probabilities, cells[1].probabilities)


@pytest.mark.parametrize("name", ["random_forest", "gradient_boosting"])
def test_threads_change_nothing(monkeypatch, name: str) -> None:
    samples, found = phenology.make(), []
    for threads in ("1", "3"):
        monkeypatch.setenv("SITSFORMER_THREADS", threads)
        found += run(samples, Learner(name), 10, [0], SETTINGS)
    np.testing.assert_array_equal(found[0].probabilities, found[1].probabilities)


@pytest.mark.parametrize("name", sorted(by_default()))
def test_shuffled_labels_give_chance(name: str) -> None:
    samples = phenology.shuffled(phenology.make(600))
    found = [macro_f1(cell) for cell in run(samples, Learner(name), 10, range(3), SETTINGS)]
    # Four classes: 0.25 by chance; the mean over 3 draws x 150 samples is this close.
    assert np.mean(found) == pytest.approx(0.25, abs=0.1)


def test_one_shot_works_for_all() -> None:
    samples = phenology.make(side=3)
    for name in ("random_forest", "gradient_boosting", "nearest_centroid"):
        (cell,) = run(samples, Learner(name), 1, [0], SETTINGS)
        assert cell.choice["train"] == 4


def test_test_labels_change_nothing_but_the_truth() -> None:
    samples = phenology.make()
    (cell,) = run(samples, Learner("random_forest"), 5, [0], SETTINGS)
    samples.label[samples.split == 2] = 0
    (other,) = run(samples, Learner("random_forest"), 5, [0], SETTINGS)
    np.testing.assert_array_equal(cell.probabilities, other.probabilities)


USERS = """
import numpy as np
from sitsformer.baselines import Baseline

def fit(task, choice):
    share = np.bincount(task.label, minlength=task.classes) / len(task.label)
    return lambda series: np.tile(share, (len(series), 1))

BASELINES = {"prior": Baseline(lambda task: [{}], fit)}
"""


def test_a_user_adds_one_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(USERS)
    settings = SETTINGS.model_copy(update={"options": {"prior": {"file": str(file)}}})
    (cell,) = run(phenology.make(), Learner("prior"), 5, [0], settings)
    np.testing.assert_allclose(cell.probabilities, 0.25)
    with pytest.raises(SitsError, match="unknown baseline 'prior'"):
        run(phenology.make(), Learner("prior"), 5, [0], SETTINGS)
    settings = SETTINGS.model_copy(update={"options": {"other": {"file": str(file)}}})
    with pytest.raises(SitsError, match="has no baseline 'other'"):
        run(phenology.make(), Learner("other"), 5, [0], settings)


def own(folder: Path, text: str) -> FewShot:
    """Settings of a sweep with the baseline `prior` in a file of that text."""
    file = folder / "mine.py"
    file.write_text(text)
    return SETTINGS.model_copy(update={"options": {"prior": {"file": str(file)}}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("import numpy", "import nowhere_at_all"), r"mine\.py, line 2: ModuleNotFoundError"),
        (("BASELINES = ", "BASELINES = ["), r"mine\.py: SyntaxError"),
        (("BASELINES = {", "BASELINES = 5 or {"), "has no baseline 'prior' in its BASELINES"),
        (("task.label, min", "task.labels, min"), r"line 6: AttributeError.*'labels'"),
        (("(len(series), 1)", "(len(series), 0)"), r"shape \(20, 4\); it gave float64 \(20, 0\)"),
        (("np.tile(share", "np.tile(share * np.nan"), "negative or not finite"),
        (("np.tile(share", "np.tile(share * 2"), "do not sum to 1"),
        (("(len(series), 1)", "(len(nothing), 1)"), r"line 7: NameError"),
        (("return lambda series: ", "return "), r"mine\.py, line 7: NameError"),
        (("lambda task: [{}]", "lambda task: []"), "'prior' has no settings to try; give it one"),
    ],
)
def test_what_is_wrong_in_a_users_file_is_one_message(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    with pytest.raises(SitsError, match=message):
        run(phenology.make(), Learner("prior"), 5, [0], own(tmp_path, USERS.replace(*change)))


def test_a_users_file_may_define_dataclasses_and_take_options(tmp_path: Path) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n" + USERS
    text += "\n@dataclass\nclass Held:\n    kind: str\n"
    text = text.replace("np.tile(share", "np.tile(np.roll(share, task.options['turn'])")
    settings = own(tmp_path, text)
    settings.options["prior"]["turn"] = 2
    (cell,) = run(phenology.make(), Learner("prior"), 5, [0], settings)
    np.testing.assert_allclose(cell.probabilities, 0.25)


def test_options_decide_and_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, trees = phenology.make(), {"trees": 3}
    few = SETTINGS.model_copy(update={"options": {"random_forest": trees}})
    (small,) = run(samples, Learner("random_forest"), 5, [0], few)
    (plain,) = run(samples, Learner("random_forest"), 5, [0], SETTINGS)
    same = SETTINGS.model_copy(update={"options": {"random_forest": {"trees": 200}}})
    (written,) = run(samples, Learner("random_forest"), 5, [0], same)
    np.testing.assert_array_equal(plain.probabilities, written.probabilities)
    assert np.allclose(small.probabilities * 3 % 1, 0, atol=1e-5) or small.choice != plain.choice
    assert not np.array_equal(small.probabilities, plain.probabilities)


def test_what_depends_on_the_steps_of_training(tmp_path: Path) -> None:
    """Only these cells are run again when `fewshot.steps` and their like change."""
    features, file = ({key: str(tmp_path / "x")} for key in ("features", "file"))
    options = {"presto": features, "mine": file, "random_forest": file, "tabpfn": {"weights": "w"}}
    names = [*shipped(), "presto", "mine"]
    config = {
        "sets": {"crops": {"store": "crops.zarr"}},
        "pretrain": {"set": "crops"},
        "fewshot": {"set": "crops", "baselines": names, "options": options},
    }
    parsed = parse(config)
    in_steps = {name for name in names if decisive.in_steps(parsed, Learner(name))}
    assert in_steps == {"temporal_cnn", "ltae", "mine", "random_forest"}
    del config["fewshot"]["options"]["random_forest"]
    assert not decisive.in_steps(parse(config), Learner("random_forest"))
    assert decisive.in_steps(parsed, parse_learner("none-full"))
    assert decisive.in_steps(parsed, parse_learner("dual-p0-linear"))


def test_every_baseline_is_told_apart_in_figures() -> None:
    looks = [(item.colour, item.marker) for item in shipped().values()]
    titles = [item.title for item in shipped().values()]
    for values in (titles, [colour for colour, _ in looks], [marker for _, marker in looks]):
        assert len(set(values)) == len(values)
    assert all(option.meaning for item in shipped().values() for option in item.options.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Forest"}, "a name is a small letter"),
        ({"name": "sitsformer"}, "its name is the network's"),
        ({"title": " "}, "it needs a title"),
        ({"colour": "red"}, "its colour 'red' is not '#rrggbb'"),
        ({"marker": "oo"}, "its marker 'oo' is not one sign"),
        ({"line": "dashed"}, "its line 'dashed' is none of"),
        ({"options": {"file": None}}, "no option of it can be called file or features"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(change, message: str) -> None:
    values = {
        "name": "prior", "title": "prior", "colour": "#000000", "marker": "d", "gradient": False,
        "candidates": lambda task: [{}], "fit": lambda task, choice: None,
    }  # fmt: skip
    assert ShippedBaseline(**values).line == "--"
    with pytest.raises(SitsError, match=message):
        ShippedBaseline(**{**values, **change})


def peer(features: Path) -> FewShot:
    return SETTINGS.model_copy(update={"options": {"peer": {"features": str(features)}}})


def test_a_peer_joins_by_its_features(tmp_path: Path) -> None:
    """Rows belong to samples of the store, not to positions among those that have labels."""
    samples = phenology.make()
    store = np.random.default_rng(0).normal(size=(len(samples) + 50, 6)).astype(np.float32)
    samples.index[:] += 50
    np.save(tmp_path / "peer.npy", store)
    (chance,) = run(samples, Learner("peer"), 10, [0], peer(tmp_path / "peer.npy"))
    store[samples.index, samples.label] += 5
    np.save(tmp_path / "peer.npy", store)
    (cell,) = run(samples, Learner("peer"), 10, [0], peer(tmp_path / "peer.npy"))
    assert macro_f1(cell) > 0.95 > 0.5 > macro_f1(chance)
    assert cell.choice["chosen"]["C"] in (0.01, 0.1, 1.0)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (None, "cannot be read"),
        (np.zeros(5), r"found float64 \(5,\)"),
        (np.zeros((500, 3), np.int32), r"found int32 \(500, 3\)"),
        (np.zeros((7, 3)), "has 7 rows, the store has a sample"),
        (np.full((500, 3), np.nan), "not finite, the first one in row"),
        (np.array([[{}]], dtype=object), "cannot be read"),
    ],
)
def test_features_that_cannot_be_used(tmp_path: Path, features, message: str) -> None:
    path = tmp_path / "peer.npy"
    if features is not None:
        np.save(path, features)
    with pytest.raises(SitsError, match=message):
        run(phenology.make(), Learner("peer"), 5, [0], peer(path))
