"""What a catalogue has for a place and a season: an API, a static catalogue, or a file of items."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from sitsformer.config import Stac, expand, is_address
from sitsformer.errors import SitsError, TemporaryError, some
from sitsformer.imagery.rasters.series import Season

if TYPE_CHECKING:
    from pystac_client import Client
    from pystac_client.stac_api_io import StacApiIO

Item = dict[str, Any]
"""A STAC item as JSON, with absolute addresses."""
Bounds = tuple[float, float, float, float]
"""West, south, east, north, degrees; west is above east across the antimeridian."""

PAGE = 100
"""Items that are asked for at once."""
MOST_ITEMS = 20_000
"""More items than any tile has in two years: a server that never ends its answer."""
BUSY = (408, 425, 429, 500, 502, 503, 504)
"""Statuses of answers that may be others a little later."""


def search(settings: Stac, bounds: Bounds, season: Season, where: str) -> list[Item]:
    """Items of a catalogue for a place and a season.

    A static catalogue is read through, and gives its items of any place and time.

    Raises:
        TemporaryError: the server does not answer, or is busy.
        SitsError: the address is none of a catalogue, or it has no such collection.
    """
    with told(settings, where):
        io = _io(settings)
        root = json.loads(io.read_text(address(settings)))
        if not isinstance(root, dict) or "type" not in root:
            raise ValueError("it has no `type`")
        if root["type"] == "FeatureCollection":
            items = [_absolute(item, address(settings)) for item in root["features"]]
            found = _of_collection(items, settings, where)
        elif _searches(root):
            found = _searched(settings, io, bounds, season, where)
        else:
            found = _of_collection(_walked(root, settings, io, where), settings, where)
    return found


def address(settings: Stac) -> str:
    """Where the catalogue is, with variables and `~` expanded."""
    return settings.url if is_address(settings.url) else str(expand(settings.url))


def shown(url: str) -> str:
    """An address for messages, without its query: signatures and keys stand there."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment="")) if is_address(url) else url


def collections(settings: Stac) -> list[str]:
    """Ids of the collections of an API.

    Raises:
        APIError: it does not answer.
    """
    return sorted(found.id for found in _client(settings, _io(settings)).get_collections())


def _io(settings: Stac) -> StacApiIO:
    from pystac_client.stac_api_io import StacApiIO
    from urllib3.util import Retry

    retries = Retry(
        total=settings.attempts - 1,
        backoff_factor=0.5,
        backoff_jitter=0.5,
        status_forcelist=BUSY,
        allowed_methods=None,  # POST, too: a search changes nothing
    )
    return StacApiIO(timeout=settings.timeout, max_retries=retries)


def _client(settings: Stac, io: StacApiIO) -> Client:
    from pystac_client import Client

    return Client.open(address(settings), stac_io=io)


def _searches(root: dict[str, Any]) -> bool:
    """Whether the root of a catalogue says that it can be searched."""
    links = root.get("links", ())
    return any(link.get("rel") == "search" for link in links)


def _searched(
    settings: Stac, io: StacApiIO, bounds: Bounds, season: Season, where: str
) -> list[Item]:
    from pystac_client import ConformanceClasses
    from pystac_client.exceptions import APIError

    client = _client(settings, io)
    if not settings.collections:
        raise SitsError(
            f"{where}.collection: an API is searched by collection; "
            f"{shown(settings.url)} has {some(collections(settings))}"
        )
    client.add_conforms_to(ConformanceClasses.ITEM_SEARCH.name)
    first, last = season
    asked: dict[str, Any] = {
        "collections": list(settings.collections),
        "bbox": list(bounds),
        "datetime": f"{first}T00:00:00Z/{last}T23:59:59Z",
        "limit": PAGE,
        "max_items": MOST_ITEMS,
    }
    try:
        found = list(client.search(**asked, method="POST").items_as_dicts())
    except APIError as error:
        if getattr(error, "status_code", None) != 405:
            raise
        found = list(client.search(**asked, method="GET").items_as_dicts())
    if len(found) >= MOST_ITEMS:
        raise SitsError(
            f"{where}.url: the answer of {shown(settings.url)} does not end: {MOST_ITEMS} items for"
            " one tile and season; is it an API that can be searched by place and time?"
        )
    if {str(item.get("collection")) for item in found} < {*settings.collections}:
        # Of a collection without items here: has it none, or is there no such collection?
        _refuse_unknown(settings, collections(settings), where)
    return [_absolute(item, _self(item) or address(settings)) for item in found]


def _walked(root: dict[str, Any], settings: Stac, io: StacApiIO, where: str) -> list[Item]:
    """Items of a static catalogue and of all catalogues below it, several asked for at once."""
    from pystac_client.exceptions import APIError

    if root["type"] not in ("Catalog", "Collection"):
        raise ValueError(f"its type is {root['type']!r}")
    if any(link.get("rel") == "items" for link in root["links"]):
        raise ValueError("it is a collection of an API: give the API's root and `collection`")

    def read(href: str) -> tuple[str, dict[str, Any]]:
        try:
            return href, json.loads(io.read_text(href))
        except APIError as error:
            # What is wrong is at this address, not at the root's.
            raise _refused(error, settings.model_copy(update={"url": href}), where) from None
        except ValueError as error:
            raise SitsError(
                f"{where}.url: {shown(href)}, which the catalogue links, is no catalogue or item "
                f"({_first_line(error)})"
            ) from None

    found: list[Item] = []
    level = [(address(settings), root)]
    seen = {address(settings)}
    with ThreadPoolExecutor(settings.concurrent) as pool:
        while level:
            links = [
                _joined(base, link["href"])
                for base, node in level
                for link in node["links"]
                if link["rel"] in ("child", "item")
            ]
            new = [href for href in dict.fromkeys(links) if href not in seen]
            seen.update(new)
            read_now = list(pool.map(read, new))
            found += [_absolute(node, base) for base, node in read_now if node["type"] == "Feature"]
            level = [(base, node) for base, node in read_now if node["type"] != "Feature"]
    return sorted(found, key=lambda item: str(item["id"]))


def _of_collection(items: list[Item], settings: Stac, where: str) -> list[Item]:
    if not settings.collections:
        return items
    if items:
        known = sorted({str(item.get("collection")) for item in items})
        _refuse_unknown(settings, known, where)
    return [item for item in items if item.get("collection") in settings.collections]


def _refuse_unknown(settings: Stac, known: list[str], where: str) -> None:
    """Refuse a collection that is not among the known ones."""
    for name in settings.collections:
        if name in known:
            continue
        near = get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise SitsError(
            f"{where}.collection: {shown(settings.url)} has no collection {name!r}; "
            f"it has {some(known)}{hint}"
        )


def _self(item: Item) -> str | None:
    links = item.get("links", ())
    return next((link["href"] for link in links if link.get("rel") == "self"), None)


def _absolute(item: Item, base: str) -> Item:
    """An item with the addresses of its files made absolute; what has none is no file."""
    assets = {
        key: {**asset, "href": _joined(base, asset["href"])}
        for key, asset in item["assets"].items()
        if asset and asset.get("href")
    }
    return {**item, "id": str(item["id"]), "assets": assets}


def _joined(base: str, href: str) -> str:
    if is_address(base):
        return href if "://" in href else urljoin(base, href)
    if href.startswith("file://"):  # a catalogue of this computer names a file of it
        return unquote(urlsplit(href).path)
    return href if "://" in href else str((Path(base).parent / href).resolve())


@contextmanager
def told(settings: Stac, where: str) -> Iterator[None]:
    """What libraries say of a server, as errors for the user.

    Raises:
        TemporaryError, SitsError: as `search` does.
    """
    from pystac import STACError
    from pystac_client.exceptions import APIError
    from pystac_client.warnings import PystacClientWarning

    url = shown(settings.url)
    try:
        with warnings.catch_warnings():
            # Of links and classes of conformance that an API does not name.
            warnings.filterwarnings("ignore", category=PystacClientWarning)
            yield
    except SitsError:
        raise
    except APIError as error:
        raise _refused(error, settings, where) from None
    except FileNotFoundError as error:
        raise SitsError(f"{where}.url: there is no file {error.filename}; check `url`") from None
    except (STACError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise _no_catalogue(url, where, error) from None


def _no_catalogue(url: str, where: str, error: BaseException) -> SitsError:
    """What an address says that answers with something else."""
    why = "bytes, not JSON" if isinstance(error, UnicodeDecodeError) else _first_line(error)
    return SitsError(
        f"{where}.url: {url} is no STAC API, catalogue or file of items ({why}); give the address "
        "of its root, such as https://earth-search.aws.element84.com/v1 or .../catalog.json"
    )


def _refused(error: Exception, settings: Stac, where: str) -> SitsError:
    url, status = shown(settings.url), getattr(error, "status_code", None)
    if isinstance(error.__context__, UnicodeDecodeError):  # an answer, as pystac-client tells it
        return _no_catalogue(url, where, error.__context__)
    if status is None or status in BUSY:
        return TemporaryError(
            f"{where}.url: {url} gives no answer after {settings.attempts} tries "
            f"({status or _cause(error)}); check the address and the way to the internet, or try "
            "again later"
        )
    if status in (401, 403):
        return SitsError(
            f"{where}.url: {url} lets nobody in without an account (status {status}); take a "
            "public catalogue, or save the items that its own client finds to a file and give that"
        )
    if status in (404, 410):
        return SitsError(
            f"{where}.url: there is nothing at {url} (status {status}); give the address of the "
            "catalogue's root, such as https://earth-search.aws.element84.com/v1"
        )
    return SitsError(
        f"{where}.url: {url} refuses the search (status {status}): {_first_line(error)}"
    )


def _cause(error: Exception) -> str:
    """Why a connection failed, without the address, in whose query a key may stand."""
    text = str(error)
    for word, cause in (
        ("too many", "too many answers that it is busy"),
        ("resolve", "no such server is known"),
        ("refused", "the connection is refused"),
        ("timed out", "it takes too long"),
        ("certificate", "its certificate is not valid"),
        ("SSL", "no secure connection"),
    ):
        if word in text:
            return cause
    return "the connection fails"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
