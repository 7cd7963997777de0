"""`sitsformer map`: a crop map of one tile; `sitsformer mosaic`: that of an area."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sitsformer.commands import names

if TYPE_CHECKING:
    from sitsformer.config import Config, Patches
    from sitsformer.maps import Predictor

PATH = click.Path(path_type=Path)


@click.command("map")
@click.option("--config", "config_path", type=PATH, help="YAML config; default: the model's own.")
@click.option("--model", "model_path", type=PATH, required=True, help="Fine-tuned model.")
@click.option("--cube", "cube_path", type=PATH, required=True, help="Cube of the tile.")
@click.option(
    "--neighbour", "neighbours", type=PATH, multiple=True,
    help="Cube of a tile around it: maps of both then meet without a seam.",
)  # fmt: skip
@click.option(
    "--layer", "layers", type=click.Choice(["probabilities", "embeddings"]), multiple=True,
    help="A layer beside classes, confidence, margin and dates; default: of the config.",
)  # fmt: skip
@click.option(
    "--embeddings", "embedded", type=PATH, multiple=True,
    help="Embeddings of others over the tile, for a model that reads them; others are left alone.",
)  # fmt: skip
@names.device
@click.option("--out", type=PATH, required=True, help="GeoTIFF of classes.")
def map_command(
    config_path: Path | None,
    model_path: Path,
    cube_path: Path,
    neighbours: tuple[Path, ...],
    layers: tuple[str, ...],
    embedded: tuple[Path, ...],
    device: str,
    out: Path,
) -> None:
    """Predict a whole tile: classes as codes of the legend, confidence, margin, dates."""
    from sitsformer import mapproducts, maps
    from sitsformer.config import Maps, load
    from sitsformer.cube import open_cube
    from sitsformer.embedded.store import TILE_KIND, given_layer
    from sitsformer.sensors import recorded, refuse_other

    mapproducts.refuse_name(out)
    config = None if config_path is None else load(config_path)
    settings = Maps() if config is None else config.maps
    predictor = maps.load_predictor(model_path, settings.batch_size, device, settings.precision)
    sensor = recorded(open_cube(cube_path).attrs)
    refuse_other(model_path, predictor.sensor, sensor)
    if predictor.bands != sensor.names:
        raise click.UsageError(
            f"{model_path} reads the bands {list(predictor.bands)}, and cubes of {sensor.title} "
            f"have {list(sensor.names)}: "
            "a map needs a model that was fine-tuned on samples with the bands of the cubes"
        )
    patches = _patches(config, predictor, model_path)
    layers = layers or settings.layers
    if "embeddings" in layers and predictor.embed is None:
        raise click.UsageError(
            f"{model_path} is no network and has no embeddings: leave that layer out"
        )
    if predictor.about:
        click.echo(f"drawn by {predictor.about['LEARNER']}: {predictor.about['WHY']}", err=True)
    vectors = None
    if predictor.layer_read:
        over = given_layer(embedded, TILE_KIND, predictor.layer_read, str(model_path))
        vectors = maps.vectors_of(over, cube_path, predictor.axes)
    inside = None if config is None else maps.mask_of_config(config)
    probabilities = len(predictor.classes.names) if "probabilities" in layers else 0
    if vectors is not None and predictor.alone:
        found = maps.predict_embedded(
            cube_path,
            predictor.predict,
            vectors,
            settings.batch_size,
            inside=inside,
            probabilities=probabilities,
        )
    else:
        found = maps.predict(
            cube_path,
            patches,
            predictor.predict,
            settings.batch_size,
            neighbours=neighbours,
            inside=inside,
            refuse_means=predictor.refuse_means if settings.check_values else None,
            probabilities=probabilities,
            embed=predictor.embed if "embeddings" in layers else None,
            features=predictor.features if "embeddings" in layers else 0,
            vectors=vectors,
            elsewhere=predictor.elsewhere,
        )
    mapped = mapproducts.Mapped(
        found=found,
        classes=predictor.classes,
        cube=open_cube(cube_path),
        patches=patches,
        about=predictor.about,
    )
    mapproducts.write(mapped, out, layers)
    share = float((found.classes != maps.NONE).mean())
    click.echo(f"{out}: {share:.0%} of the tile has a class", err=True)


def _patches(config: Config | None, predictor: Predictor, path: Path) -> Patches:
    """What samples look like: as the config says, else as the model was made with.

    Raises:
        UsageError: the model reads other patches.
    """
    from sitsformer.config import Patches

    if config is None:
        # A model of before it knew more has the defaults.
        own: Mapping[str, Any] = {"size": predictor.patch, **predictor.patches}
        return Patches.model_validate(own)
    if config.patches.size != predictor.patch:
        raise click.UsageError(
            f"{path} reads patches of {predictor.patch} pixels, and patches.size is "
            f"{config.patches.size}: set it to {predictor.patch}, or give another model"
        )
    return config.patches


@click.command()
@click.option("--config", "config_path", type=PATH, help="YAML config: level, layers, seasons.")
@click.option("--model", "model_path", type=PATH, help="The model that drew the map.")
@click.option("--samples", "store", type=PATH, help="Sample store with a test split.")
@click.option("--cube", "cubes", type=PATH, multiple=True, help="Cube of a tile, for its labels.")
@click.option(
    "--embeddings", "embedded", type=PATH, multiple=True,
    help="Embeddings of the samples, for a model that reads them.",
)  # fmt: skip
@click.option("--out", type=PATH, required=True, help="GeoTIFF of classes of the area.")
@click.argument("tiles", nargs=-1, required=True, type=PATH)
def mosaic(
    config_path: Path | None,
    model_path: Path | None,
    store: Path | None,
    cubes: tuple[Path, ...],
    embedded: tuple[Path, ...],
    out: Path,
    tiles: tuple[Path, ...],
) -> None:
    """Put the maps of TILES together: one map of the area, its areas and its picture.

    With SAMPLES the areas are corrected by its test samples, where these are a sample of the area;
    elsewhere the table says what the model reached there, and that it is not valid here.
    """
    from sitsformer import maps
    from sitsformer.config import Evaluation, Maps, expand, load
    from sitsformer.maps.area import make_area
    from sitsformer.maps.mosaic import read_pieces

    config = None if config_path is None else load(config_path)
    settings = Maps() if config is None else config.maps
    level = Evaluation().level if config is None else config.evaluation.level
    season = None
    if config is not None:
        area = config.areas.get(read_pieces(tiles[:1])[0].about.get("AREA", ""))
        season = None if area is None else area.start.year
    predictor = None
    if model_path is not None:
        predictor = maps.load_predictor(model_path, settings.batch_size)
    mapped = make_area(
        tiles,
        out,
        level=level,
        layers=settings.layers,
        store=store,
        predictor=predictor,
        season=season,
        cubes=cubes,
        visits=settings.visits,
        parcels=None if settings.parcels is None else expand(settings.parcels),
        embedded=embedded,
    )
    click.echo(f"{out}: {len(tiles)} tiles; {mapped.table.basis.iloc[0]}", err=True)
