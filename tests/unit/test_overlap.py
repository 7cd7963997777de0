"""Ground that pretraining learns from and the sweep tests on: refused, or said."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import phenology
from sitsformer.checks.problems import problems
from sitsformer.config import Config, parse
from sitsformer.convert.table import table
from sitsformer.errors import SitsError
from sitsformer.evaluation import seen
from sitsformer.evaluation.seen import Seen, check_seen, seen_in_pretraining, sentence
from sitsformer.samples import open_samples

ROOT = Path(__file__).parents[2]
TINY: dict[str, Any] = yaml.safe_load((ROOT / "tests" / "integration" / "tiny.yaml").read_text())
SOUTH = TINY["areas"]["south"]


def config(
    learned: dict[str, Any] | None = None,
    areas: dict[str, Any] | None = None,
    tested: dict[str, Any] | None = None,
    **pretrain: Any,
) -> Config:
    """The tiny config, whose pretraining set takes other areas or another split."""
    values = deepcopy(TINY)
    values["areas"]["south"]["tiles"]["count"] = "all"
    values["areas"].update(areas or {})
    values["sets"]["landcover"].update(learned or {"areas": ["south"]})
    values["sets"]["crops"].update(tested or {})
    values["pretrain"].update(pretrain)
    return parse(values)


def overlaps(chosen: Config) -> list[str]:
    return [line for line in problems(chosen) if line.startswith("pretrain.overlap: ")]


def moved(metres_east: float, **changes: Any) -> dict[str, Any]:
    """An area as far beside the one that is tested on, all its tiles."""
    degrees = metres_east / 111_320 / np.cos(np.radians(43.1))
    west, south, east, north = SOUTH["bounds"]
    bounds = [west + degrees, south, east + degrees, north]
    return {**SOUTH, "bounds": bounds, "tiles": {"size": 60, "count": "all"}, **changes}


def test_areas_apart_share_nothing() -> None:
    assert not overlaps(parse(TINY))
    assert not overlaps(config({"areas": ["east"]}, {"east": moved(5_000)}))


@pytest.mark.parametrize(
    "east",
    [
        moved(0),
        moved(0, start="2019-03-01", end="2019-10-31"),
        moved(600),
        moved(600, tiles={"size": 30, "count": "all"}),
    ],
    ids=["same", "another year", "beside", "other tiles"],
)
def test_areas_that_overlap_are_refused_and_may_be_allowed(east: dict[str, Any]) -> None:
    learned = {"areas": ["north", "east"]}
    (line,) = overlaps(config(learned, {"east": east}))
    assert "'landcover' would be learned from on ground that 'crops' is tested on" in line
    assert "(areas east and south)" in line
    (line,) = overlaps(config(learned, {"east": east}, overlap="series"))
    assert "pretrain.objectives ['ssl', 'dual'] learn its land cover; leave dual out" in line
    assert not overlaps(config(learned, {"east": east}, overlap="labels"))
    values = config(learned, {"east": east}, overlap="series").model_dump(mode="json")
    values["pretrain"]["objectives"] = values["fewshot"]["inits"] = ["ssl"]
    values["maps"]["init"] = "ssl"
    assert not overlaps(parse(values))


def test_the_labels_of_the_test_are_never_learned() -> None:
    learned = {"areas": ["south"], "label": "cdl"}
    (line,) = overlaps(config(learned, overlap="labels"))
    assert "would learn the labels 'cdl' of ground that is tested on (area south)" in line


def test_areas_meet_across_the_border_of_two_utm_zones() -> None:
    # 90 degrees west is the border of zones 15 and 16; each area lies mostly in its own zone.
    west = {**SOUTH, "bounds": [-90.02, 43.1, -89.999, 43.105], "tiles": {"size": 60}}
    east = {**SOUTH, "bounds": [-90.001, 43.1, -89.98, 43.105], "tiles": {"size": 60}}
    apart = {**SOUTH, "bounds": [-89.98, 43.1, -89.96, 43.105], "tiles": {"size": 60}}
    tested = {"areas": ["west"]}
    areas = {"west": west, "east": east, "apart": apart}
    assert overlaps(config({"areas": ["east"]}, areas, tested))
    assert not overlaps(config({"areas": ["apart"]}, areas, tested))


def test_splits_that_keep_learning_off_the_test(tmp_path: Path) -> None:
    one, two = str(tmp_path / "one.gpkg"), str(tmp_path / "two.gpkg")
    by = {"areas": ["south"], "split": {"by": "polygons", "polygons": one}}
    assert not overlaps(config(by, tested={"split": by["split"]}))
    assert overlaps(config(by, tested={"split": {"by": "polygons", "polygons": two}}))
    lists = {"train": ["north"], "validation": ["east"], "test": ["south"]}
    areas = {"east": moved(5_000)}
    learned = {"areas": ["north", "east", "south"], "split": {"by": "area", **lists}}
    assert not overlaps(config(learned, areas))
    assert not overlaps(config(set="crops"))


def test_one_set_split_by_year_learns_on_the_ground_of_the_test() -> None:
    areas = {
        f"year_{year}": moved(0, start=f"{year}-03-01", end=f"{year}-10-31")
        for year in (2019, 2020, 2021)
    }
    split = {"by": "year", "train": [2019], "validation": [2020], "test": [2021]}
    tested = {"areas": list(areas), "split": split}
    (line,) = overlaps(config({"areas": ["north"]}, areas, tested, set="crops"))
    assert "(areas year_2019 and year_2021)" in line


def test_without_a_pretrained_start_nothing_is_said() -> None:
    values = config(overlap="labels").model_dump(mode="json")
    values["pretrain"]["overlap"] = "none"
    values["fewshot"]["inits"] = ["none"]
    values["maps"] = {}
    assert not overlaps(parse(values))


# --- by the places of the samples ----------------------------------------------------------------


def stores(folder: Path) -> tuple[Path, Path]:
    """A set, and one of the same places whose splits are exchanged."""
    samples = phenology.make(300)
    store = phenology.write(folder / "a.zarr", samples)
    samples.split[:] = (samples.split + 1) % 3
    return store, phenology.write(folder / "b.zarr", samples)


def of_stores(tested: Path, learned: Path, **pretrain: Any) -> Config:
    return parse(
        {
            "sets": {"crops": {"store": str(tested)}, "other": {"store": str(learned)}},
            "pretrain": {"set": "other", **pretrain},
            "fewshot": {"set": "crops"},
        }
    )


def test_samples_on_the_ground_of_the_test_are_counted(tmp_path: Path) -> None:
    store, other = stores(tmp_path)
    tests = int((phenology.make(300).split == 2).sum())
    assert seen_in_pretraining(store, store).count == 0
    assert seen_in_pretraining(store, other).count == tests


def test_samples_of_converted_tables_are_counted_by_longitude_and_latitude(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    count = 40
    values = {
        "x": rng.integers(100, 4000, (count, 8, 10)).astype(np.uint16),
        "lon": np.repeat(np.linspace(-120, -110, 20), 2),
        "lat": np.repeat(np.linspace(35, 40, 20), 2) + np.tile([0, 0.1], 20),
        "dates": np.arange(8) * 10 + np.datetime64("2021-03-01"),
        "label": np.arange(count) % 2,
    }
    for name, kept in (("all", slice(None)), ("even", slice(0, None, 2))):
        columns = {k: v if k == "dates" else v[kept] for k, v in values.items()}
        np.savez(tmp_path / f"{name}.npz", **columns)
        shares = (0.4, 0.2, 0.4) if name == "all" else (0.8, 0.2, 0.0)
        table(tmp_path / f"{name}.npz", tmp_path / f"{name}.zarr", fractions=shares, block=0.2)
    tested = open_samples(tmp_path / "all.zarr")
    even = np.isin(tested.lat.values, values["lat"][::2])
    expected = int(((tested.split.values == 2) & even).sum())
    found = seen_in_pretraining(tmp_path / "all.zarr", tmp_path / "even.zarr")
    assert 1 < expected == found.count < int((tested.split.values == 2).sum())


def test_what_only_the_samples_show_is_refused_too(tmp_path: Path) -> None:
    store, other = stores(tmp_path)
    plain = of_stores(store, other)
    with pytest.raises(SitsError, match=r"pretrain\.overlap: the set 'other' would be learned"):
        check_seen(plain, store, other)
    assert len(seen.store_problems(plain)) == 1
    assert seen.store_problems(of_stores(store, store)) == []
    with pytest.raises(SitsError, match="series allows the reflectances alone"):
        check_seen(of_stores(store, other, overlap="series"), store, other)


def test_what_is_allowed_is_said() -> None:
    allowed = config(overlap="labels")
    text = sentence(allowed, Seen(12))
    assert text == (
        "Pretraining has seen the reflectances and land cover of the ground of 12 test samples "
        "(pretrain.overlap: labels)."
    )
    assert "of the ground that is tested on" in sentence(allowed, Seen(None))
    assert sentence(allowed, Seen(0)) == ""
    assert sentence(parse(TINY), Seen(None)) == ""
