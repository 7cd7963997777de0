"""The section `stac` of an area: what it refuses, what it takes, what of it decides cubes."""

from typing import Any

import pytest

from sitsformer import decisive, userfiles
from sitsformer.config import Config, ConfigError, parse
from sitsformer.legends import legend_of

LABELS = {"cover": {"path": "https://example.org/map.tif", "legend": "worldcover"}}


def config(**stac: Any) -> Config:
    area = {
        "source": "stac",
        "bounds": [5.0, 50.0, 5.02, 50.01],
        "start": "2021-03-01",
        "end": "2021-10-31",
        "tiles": {"size": 30},
        "stac": {"url": "https://example.org/v1", "labels": LABELS, **stac},
    }
    return parse(
        {
            "areas": {"farm": area},
            "sets": {"one": {"areas": ["farm"], "label": "cover", "split": {"block": 300.0}}},
            "pretrain": {"set": "one"},
            "fewshot": {"set": "one"},
        }
    )


def test_label_layers_are_those_of_the_section() -> None:
    area = config().areas["farm"]
    assert area.labels == ("cover",)
    assert legend_of(area, "cover").names[0] == "Tree cover"
    assert userfiles.watched_of(area) == []  # what lies on a server is no file of the user's


def test_clouds_are_told_by_the_scene_classification_unless_said() -> None:
    section = config(clouds={"scl_clear": [4, 5]}).areas["farm"].stac
    assert section is not None
    assert (section.clouds.by, section.clouds.band, section.clouds.scl_clear) == (
        "scl",
        "SCL",
        (4, 5),
    )


@pytest.mark.parametrize(
    ("key", "value", "decides"),
    [
        ("url", "https://example.org/v2", True),
        ("collection", "other", True),
        ("max_cloud", 50, True),
        ("exclude", ["one"], True),
        ("assets", {"red": "r"}, True),
        ("scale", 0.1, True),
        ("offset", -0.1, True),
        ("nodata", 7, True),
        ("on_broken", "skip", True),
        ("clouds", {"scl_clear": [4]}, True),
        ("clouds", {"blue_max": 0.5}, False),  # of another way
        ("sign", "planetary_computer", False),
        ("cache", "elsewhere", False),
        ("concurrent", 3, False),
        ("attempts", 2, False),
        ("timeout", 5, False),
    ],
)
def test_what_of_it_makes_cubes_anew(key: str, value: Any, decides: bool) -> None:
    changed = decisive.cube(config(**{key: value}), "farm")
    assert (changed != decisive.cube(config(), "farm")) == decides


@pytest.mark.parametrize(
    ("stac", "message"),
    [
        ({"assets": {"thermal": "B10"}}, "'THERMAL' is no band; these are B02"),
        ({"offset": []}, "an empty list"),
        ({"sign": "aws"}, "stac.sign"),
        ({"max_cloud": 101}, "stac.max_cloud"),
        ({"path": "x"}, "stac.path: unknown key"),
        (
            {"url": "https://example.org/T31UES/B04.tif?sig=secret"},
            r"stac.url: .*B04\.tif is a raster, not a catalogue; give the root of the catalogue",
        ),
        (
            {"collection": "sentinel-2-l1c"},
            r"stac: collection: sentinel-2-l1c is named .* of level 1C: .* of level 2A",
        ),
        ({"collection": ["sentinel-2-l2a", "COPERNICUS/S2_HARMONIZED"]}, "level 1C"),
        ({"url": "items/farm.zarr/"}, "a raster, not a catalogue.*`source: rasters`"),
    ],
)
def test_a_wrong_section_is_refused(stac: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**stac)


def test_collections_of_surface_reflectance_are_taken() -> None:
    for name in ("sentinel-2-l2a", "COPERNICUS/S2_SR_HARMONIZED", ["hls2-l30", "hls2-s30"]):
        assert config(collection=name)
