"""`sitsformer map`: a crop map of one tile and its other products."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("map")
@click.option("--config", "config_path", type=Path, required=True, help="YAML config.")
@click.option("--model", "model_path", type=Path, required=True, help="Fine-tuned model.")
@click.option("--cube", "cube_path", type=Path, required=True, help="Cube of the tile.")
@click.option("--samples", "store", type=Path, required=True, help="Sample store with test split.")
@click.option("--out", type=Path, required=True, help="GeoTIFF of classes.")
def map_command(
    config_path: Path, model_path: Path, cube_path: Path, store: Path, out: Path
) -> None:
    """Predict a whole tile: classes, confidence, a picture, and crop areas with intervals."""
    from sitsformer import mapproducts, maps, modelstore
    from sitsformer.config import load
    from sitsformer.cube import open_cube
    from sitsformer.errors import SitsError
    from sitsformer.evaluation import areas
    from sitsformer.samples import about, load_samples, open_samples, read_manifest
    from sitsformer.sensors import BANDS

    config = load(config_path)
    common = about(open_samples(store))
    classes = common.classes
    if common.bands != BANDS:
        raise SitsError(
            f"{store} has the bands {list(common.bands)}, but cubes have {list(BANDS)}: a map "
            "needs a model that was fine-tuned on samples with the bands of the cubes"
        )
    model = modelstore.load_model(model_path, bands=common.bands, patch=config.patches.size)
    if model.class_names != classes.names:
        raise click.UsageError(
            f"{model_path} knows the classes {list(model.class_names)}, {store} has "
            f"{list(classes.names)}: give the model that was fine-tuned on these samples"
        )

    size = config.maps.batch_size
    found = maps.predict(cube_path, config.patches, lambda r, d: model.predict(r, d, size), size)
    cube = open_cube(cube_path)
    if config.maps.mask == "cropland":
        found = maps.only_cropland(found, cube)
    test = load_samples(store, "test")
    test = test.take(test.label >= 0)
    guess = model.predict(test.reflectance, test.doy, size).argmax(1)
    weight = areas.class_weights(test.label, classes.names, read_manifest(store))[test.label]
    table = areas.estimate(
        found.pixels(len(classes.names)), guess, test.label, weight, classes.names,
        config.evaluation.level,
    )  # fmt: skip
    mapproducts.write(
        mapproducts.Mapped(
            found=found, classes=classes, cube=cube, areas=table, config=config,
            labels=maps.reference(cube, common.label, classes, store),
        ),
        out,
    )  # fmt: skip
    mapped = float((found.classes != maps.NONE).mean())
    click.echo(f"{out}: {mapped:.0%} of the tile has a class", err=True)
