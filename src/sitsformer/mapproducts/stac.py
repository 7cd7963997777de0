"""The map of an area as an item of a SpatioTemporal Asset Catalog.

Written as plain JSON after STAC 1.1.0 and its extensions projection 2.0.0 and classification 2.0.0
(https://github.com/radiantearth/stac-spec, https://stac-extensions.github.io).
"""

from typing import TYPE_CHECKING, Any

from sitsformer.mapproducts.product import AreaProduct

if TYPE_CHECKING:
    from sitsformer.maps.area import MappedArea
    from sitsformer.maps.codes import MapCodes

COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"

TYPES = {
    ".tif": COG_TYPE,
    ".csv": "text/csv",
    ".gpkg": "application/geopackage+sqlite3",
    ".png": "image/png",
    ".vrt": "application/x-gdal-vrt",
    ".xml": "application/xml",
    ".qml": "application/xml",
}
"""Media types of assets; a file without one of these is none."""


def _make(mapped: "MappedArea") -> bytes:
    import json

    return (json.dumps(_item(mapped), indent=1, ensure_ascii=False) + "\n").encode()


def _item(mapped: "MappedArea") -> dict[str, Any]:
    import numpy as np
    from rasterio.warp import transform_bounds
    from shapely.geometry import Polygon, mapping

    from sitsformer import mapproducts
    from sitsformer.grid import to_lonlat
    from sitsformer.maps.mosaic import DRAWN

    grid, (start, end) = mapped.grid, mapped.season
    west, south, east, north = grid.bounds
    corners = np.array([(west, south), (east, south), (east, north), (west, north)], float)
    outline = Polygon(np.column_stack(to_lonlat(grid.epsg, *corners.T)))
    files = dict(mapproducts.products()) | dict(mapproducts.area_products(mapped.endings))
    assets: dict[str, Any] = {}
    for name, ending in mapped.endings.items():
        media = next((TYPES[last] for last in TYPES if ending.endswith(last)), None)
        if media is None:
            continue
        title = files[name].title if name in files else name
        assets[name] = {"href": f"./{mapped.out.stem}{ending}", "type": media, "title": title}
        assets[name]["roles"] = {
            COG_TYPE: ["data"], "image/png": ["overview"], "text/csv": ["metadata"],
        }.get(media, ["metadata"])  # fmt: skip
    assets["classes"] |= {
        "nodata": mapped.codes.nodata,
        "data_type": mapped.pieces[0].dtype,
        "classification:classes": _classes(mapped.codes),
    }
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
        ],
        "id": mapped.name,
        "geometry": mapping(outline),
        "bbox": list(transform_bounds(f"EPSG:{grid.epsg}", "EPSG:4326", *grid.bounds)),
        "properties": {
            "title": f"Crop map of {mapped.name}",
            "datetime": None,
            "start_datetime": f"{start}T00:00:00Z",
            "end_datetime": f"{end}T23:59:59Z",
            "gsd": grid.pixel,
            "proj:code": f"EPSG:{grid.epsg}",
            "proj:shape": [grid.height, grid.width],
            "proj:transform": [grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north],
            **{
                f"sitsformer:{key.lower()}": mapped.pieces[0].about[key]
                for key in DRAWN
                if key in mapped.pieces[0].about
            },
        },
        "links": [],
        "assets": assets,
    }


def _classes(codes: "MapCodes") -> list[dict[str, Any]]:
    """Names are words of letters, digits and `_`; the class's own name is its title."""
    from sitsformer.classes import Legend

    classes = codes.classes
    legend = Legend("map", codes.values, classes.names, classes.colours, codes.nodata)
    words = str(legend.flags()["flag_meanings"]).split()
    return [
        {"value": value, "name": word, "title": name, "description": name,
         "color_hint": colour.removeprefix("#").upper()}
        for value, word, name, colour in zip(
            codes.values, words, classes.names, classes.colours, strict=True
        )
    ]  # fmt: skip


PRODUCT = AreaProduct(
    name="stac", title="item of a STAC catalogue", ending="_stac.json", kind="stac", make=_make,
    order=8,
)  # fmt: skip
