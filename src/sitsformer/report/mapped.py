"""The maps of the page: an overview of the tiles of each area, areas, pictures, links to files."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sitsformer import artefacts, mapproducts
from sitsformer.errors import SitsError
from sitsformer.evaluation.areas import COLUMNS
from sitsformer.report.gather import Material
from sitsformer.report.whatnext import link

SIDE = 900
"""Pixels along the longer side of an overview at most."""


def section(m: Material, path: Path, folder: Path) -> dict[str, Any]:
    """What the page shows of the map of an area.

    Args:
        m: of the report.
        path: map of classes.
        folder: that the page will stand in.

    Raises:
        SitsError: a file of the map is missing or altered.
    """
    endings = mapproducts.area_endings(m.config.maps.products)
    files = {name: path.with_name(f"{path.stem}{ending}") for name, ending in endings.items()}
    for one in files.values():
        if not one.is_file():
            raise SitsError(f"{one} is missing: delete {path} too and make the map again")
        artefacts.refuse_altered(one, f"delete {path} too and make the map again")
    products = mapproducts.products(m.config.maps.layers)
    titles = {
        name: product.title
        for known in (products, mapproducts.area_products(m.config.maps.products))
        for name, product in known.items()
    }
    # A class may be called NA or null.
    table = pd.read_csv(files["areas"], dtype={"class": str}, keep_default_na=False)
    numbers = [name for name in COLUMNS if name not in ("class", "basis")]
    table[numbers] = table[numbers].apply(pd.to_numeric)
    return {
        "name": path.stem,
        "drawn": _drawn(path),
        "overview": _overview(path, files["virtual"], folder),
        "picture": _embedded(files["picture"].read_bytes()),
        "pictures": [
            {"title": titles[name], "picture": _embedded(file.read_bytes())}
            for name, file in files.items()
            if file.suffix == ".png" and name != "picture"
        ],
        "files": [
            {"name": file.name, "title": titles[name], "link": link(file, folder)}
            for name, file in files.items()
        ],
        "areas": table.to_dict("records"),
        "basis": table.basis.iloc[0],
        "measured": (measured := bool(table.low_ha[:-1].notna().all())),
        "carried": not measured and bool(table.users_accuracy.notna().any()),
    }


def _drawn(path: Path) -> str:
    """One sentence on who drew a map, and why; empty where nobody said."""
    import rasterio

    with rasterio.open(path) as source:
        tags = source.tags()
    if "LEARNER" not in tags:
        return ""
    refined = f", weighed by {tags['REFINED'].replace('_', ' ')}" if "REFINED" in tags else ""
    # Maps are drawn by the first pretraining run: its number tells nothing here.
    why = re.sub(r"-p\d+(?=-|$|\s)", "", tags["WHY"])
    return f"Drawn by {tags['LEARNER']}{refined}. Why: {why}."


def _overview(path: Path, virtual: Path, folder: Path) -> dict[str, Any]:
    """The map of an area, small, with the frames of its tiles as links to their files.

    Args:
        path: map of classes.
        virtual: the same as a VRT, which names the files of the tiles.
        folder: that the page will stand in.
    """
    import rasterio
    from matplotlib.image import imsave

    from sitsformer.maps.codes import read_codes
    from sitsformer.maps.mosaic import grid_of, read_pieces, thinned

    codes = read_codes(path)
    with rasterio.open(virtual) as source:
        tiles = [Path(name) for name in source.files if Path(name).suffix == ".tif"]
    values = codes.decode(thinned(path, SIDE))
    colours = ["#00000000", *(f"{colour}ff" for colour in codes.classes.colours)]
    table = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5, 7)] for c in colours], np.uint8)
    drawn = io.BytesIO()
    # Without the name and version of who drew it.
    imsave(drawn, table[values], format="png", metadata={"Software": ""})
    pieces = read_pieces(tiles)
    grid = grid_of(pieces)
    frames = []
    for piece in pieces:
        column, row = grid.place(piece)
        with rasterio.open(piece.path) as source:
            small = source.read(1, out_shape=2 * (min(64, piece.size),))
        share = float((codes.decode(small) > 0).mean())
        frames.append(
            {
                "x": column, "y": row, "size": piece.size, "link": link(piece.path, folder),
                "title": f"{piece.about.get('TILE', piece.path.stem)}: {share:.0%} mapped",
            }
        )  # fmt: skip
    present = np.unique(values)
    legend = [
        (name, colour)
        for k, (name, colour) in enumerate(
            zip(codes.classes.names, codes.classes.colours, strict=True), 1
        )
        if k in present
    ]
    return {
        "image": _embedded(drawn.getvalue()), "width": grid.width, "height": grid.height,
        "tiles": frames, "legend": legend,
    }  # fmt: skip


def _embedded(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"
