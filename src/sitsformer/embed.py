"""Embeddings of samples and of tiles: the vectors that a model's classifier reads.

As a Zarr store (with the places of samples, or on the grid of a tile), or as GeoParquet with one
point in degrees a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sitsformer import artefacts
from sitsformer.config import Patches
from sitsformer.errors import SitsError

if TYPE_CHECKING:
    import xarray as xr


KIND = "embeddings"

REMEDY = "say --unchecked"

AT_ONCE = 16_384
"""Samples that are read and embedded together."""

Floats = npt.NDArray[np.floating]


def embed_samples(
    model_path: Path,
    store: Path,
    out: Path,
    batch_size: int = 1024,
    device: str = "cpu",
    check: bool = True,
) -> int:
    """Embed the samples of a store.

    Args:
        model_path: a model, fine-tuned or pretrained.
        store: sample store.
        out: `.zarr` or `.parquet`.
        batch_size: samples embedded at once.
        device: where the model runs, `cpu` or `cuda`.
        check: refuse reflectances that look like another scale, offset or order of bands.

    Returns:
        How many samples there are.

    Raises:
        SitsError: the samples do not fit the model, or the ending is another.
    """
    from sitsformer.model.inputs import refuse_implausible
    from sitsformer.modelstore import load_model
    from sitsformer.samples import SPLITS, about, open_samples, shards

    _check_ending(out)
    dataset = open_samples(store)
    common = about(dataset)
    patch = dataset.sizes["py"]
    model = load_model(
        model_path, bands=common.bands, patch=patch, sensor=common.sensor, device=device
    )
    mean, std = model.mean.cpu().numpy(), model.std.cpu().numpy()
    rows = np.arange(dataset.sizes["sample"])
    doy = dataset.doy.values
    parts = []
    with shards.Reader(store / "reflectance") as reader:
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            values = reader.take(some)
            if check:
                refuse_implausible(values, doy[some], mean, std, REMEDY)
            parts.append(model.embed(values, doy[some], batch_size, check=False))
    vectors = np.concatenate(parts) if parts else np.empty((0, model.width), np.float32)
    names = np.array([*common.classes.names, ""], object)
    columns = {
        "sample": rows,
        "lon": dataset.lon.values,
        "lat": dataset.lat.values,
        # The last name serves label -1.
        "label": names[dataset.label.values],
        "split": np.array(SPLITS, object)[np.minimum(dataset.split.values, len(SPLITS) - 1)],
    }
    if (dataset.split.values >= len(SPLITS)).any():
        del columns["split"]  # of a tile, whose samples have none yet
    _write(out, vectors, columns, {"model": model_path, "samples": store})
    return len(rows)


def embed_tile(
    model_path: Path,
    cube_path: Path,
    out: Path,
    patches: Patches | None = None,
    neighbours: Sequence[Path] = (),
    batch_size: int = 1024,
    device: str = "cpu",
    check: bool = True,
) -> int:
    """Embed the pixels of a tile.

    Args:
        model_path: a model, fine-tuned or pretrained.
        cube_path: of the tile.
        out: `.zarr` ((y, x, feature) float16 on the tile's grid) or `.parquet` (a point a pixel).
        patches: what a sample looks like; None: as the model was made with.
        neighbours: cubes of the tiles around it.
        batch_size: pixels embedded at once.
        device: where the model runs, `cpu` or `cuda`.
        check: refuse reflectances that look like another scale, offset or order of bands.

    Returns:
        How many pixels have an embedding.

    Raises:
        SitsError: the cube does not fit the model, or the ending is another.
    """
    from sitsformer.cube import open_cube
    from sitsformer.grid import to_lonlat
    from sitsformer.maps import predict
    from sitsformer.model.inputs import refuse_means
    from sitsformer.modelfiles import describe
    from sitsformer.modelstore import load_model
    from sitsformer.sensors import recorded

    _check_ending(out)
    settings = patches or own_patches(describe(model_path))
    cube = open_cube(cube_path)
    sensor = recorded(cube.attrs)
    model = load_model(
        model_path, bands=sensor.names, patch=settings.size, sensor=sensor, device=device
    )
    mean, std = model.mean.cpu().numpy(), model.std.cpu().numpy()
    found = predict(
        cube_path,
        settings,
        lambda reflectance, doy: np.ones((len(doy), 1), np.float32),
        batch_size,
        neighbours=neighbours,
        embed=lambda reflectance, doy: model.embed(reflectance, doy, batch_size, check=False),
        features=model.width,
        refuse_means=(lambda means: refuse_means(means, mean, std, REMEDY)) if check else None,
        elsewhere=model.mean.device.type != "cpu",
    )
    assert found.embeddings is not None
    inputs = {"model": model_path, "cube": cube_path}
    row, column = np.nonzero(found.classes)
    if out.suffix == ".zarr":
        _write_grid(out, found.embeddings, found.dates, cube, inputs)
    else:
        x, y = cube.x.values[column], cube.y.values[row]
        lon, lat = to_lonlat(int(cube.spatial_ref.attrs["epsg"]), x, y)
        columns = {"x": x, "y": y, "lon": lon, "lat": lat, "dates": found.dates[row, column]}
        _write(out, found.embeddings[:, row, column].T, columns, inputs)
    return len(row)


def own_patches(described: Mapping[str, Any]) -> Patches:
    """What samples of a described model look like, as it was made with."""
    own = {"size": described["architecture"]["patch"], **described.get("patches", {})}
    return Patches.model_validate(own)


def _check_ending(out: Path) -> None:
    if out.suffix not in (".zarr", ".parquet"):
        raise SitsError(f"{out}: embeddings are written as .zarr or .parquet; end the name so")


def _write(
    out: Path, vectors: Floats, columns: Mapping[str, npt.NDArray[Any]], inputs: Mapping[str, Path]
) -> None:
    """Write a row a place: GeoParquet with a column a feature, or Zarr with an array of them."""
    if out.suffix == ".zarr":
        import xarray as xr

        dataset = xr.Dataset(
            {"embedding": (("sample", "feature"), vectors)}
            | {
                name: ("sample", values.astype(str) if values.dtype == object else values)
                for name, values in columns.items()
            }
        )
        _store(dataset, out, inputs)
        return
    import geopandas
    import pandas as pd

    features = {f"e{k}": vectors[:, k].astype(np.float32) for k in range(vectors.shape[1])}
    frame = geopandas.GeoDataFrame(
        pd.DataFrame({**columns, **features}),
        geometry=geopandas.points_from_xy(columns["lon"], columns["lat"], crs=4326),
    )
    with artefacts.create_file(out, KIND) as partial:
        frame.to_parquet(partial)


def _write_grid(
    out: Path,
    vectors: npt.NDArray[np.float16],
    dates: npt.NDArray[np.uint16],
    cube: xr.Dataset,
    inputs: Mapping[str, Path],
) -> None:
    import xarray as xr

    grid = {"grid_mapping": "spatial_ref"}
    dataset = xr.Dataset(
        {
            "embedding": (("y", "x", "feature"), np.moveaxis(vectors, 0, -1), grid),
            "dates": (("y", "x"), dates, grid),
        },
        coords={name: cube[name] for name in ("y", "x", "spatial_ref")},
        attrs={name: cube.attrs[name] for name in ("area", "tile")},
    )
    _store(dataset, out, inputs)


def _store(dataset: xr.Dataset, out: Path, inputs: Mapping[str, Path]) -> None:
    import warnings

    for variable in dataset.variables.values():
        variable.encoding.clear()
    with (
        artefacts.create(out, KIND, config={}, inputs=inputs) as partial,
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification")
        dataset.to_zarr(partial, mode="w", zarr_format=3, consolidated=True)
