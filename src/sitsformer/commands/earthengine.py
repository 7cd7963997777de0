"""`sitsformer auth | doctor | cache | view`: everything about Earth Engine by hand."""

from __future__ import annotations

from pathlib import Path

import click

_CONFIG = click.argument(
    "config_path", metavar="[CONFIG]", type=click.Path(path_type=Path), required=False
)


@click.command()
@click.option(
    "--mode",
    type=click.Choice(["notebook", "localhost", "gcloud"]),
    default=None,
    help="notebook (any browser, paste a code), localhost (a browser on this computer) or gcloud; "
    "default: as Google's client chooses.",
)
@click.option("--force", is_flag=True, help="Log in anew although credentials are there.")
def auth(mode: str | None, force: bool) -> None:
    """Log in to Google Earth Engine, once a computer."""
    from sitsformer.imagery.earthengine.session import authenticate

    there = authenticate(mode, force)
    click.echo("credentials were there already (--force for new ones)" if there else "logged in")


@click.command()
@_CONFIG
def doctor(config_path: Path | None) -> None:
    """Test what images come from: Earth Engine, and the catalogues of CONFIG.

    Credentials, project, collections and pixels of Earth Engine with the section, labels and
    embeddings of CONFIG, or with the defaults and every product; items and pixels of its `stac`
    areas.
    """
    from sitsformer.config import load
    from sitsformer.errors import SitsError, TemporaryError
    from sitsformer.imagery.earthengine import doctor as earthengine
    from sitsformer.imagery.findings import Finding, screen
    from sitsformer.imagery.stac import doctor as stac

    findings: list[Finding] = []
    labels, layers, asked = None, None, {"earthengine"}
    if config_path is not None:
        config = load(config_path)
        areas = config.areas.values()
        labels = {name for area in areas if area.source == "earthengine" for name in area.labels}
        layers = {name for name, layer in config.embeddings.items() if not layer.rasters}
        # A config of synthetic areas or files alone asks for Earth Engine, as none does.
        used = {area.source for area in areas} | ({"earthengine"} if layers else set())
        asked = used & {"earthengine", "stac"} or asked
        if "stac" in asked:
            findings += stac.examine(config)
    if "earthengine" in asked:
        findings += earthengine.examine(_settings(config_path), labels, layers)
    click.echo(screen(findings))
    if failed := [finding for finding in findings if not finding.well]:
        kind = TemporaryError if all(finding.may_pass for finding in failed) else SitsError
        topics = ", ".join(finding.topic for finding in failed)
        who = "Earth Engine" if asked == {"earthengine"} else "what images come from"
        raise kind(f"{who} does not answer fully: {topics}")


@click.group()
def cache() -> None:
    """Show or empty the finished requests of Earth Engine exports."""


@cache.command()
@_CONFIG
def show(config_path: Path | None) -> None:
    """List what the cache holds, the longest unused first."""
    import time

    from sitsformer.config import expand
    from sitsformer.imagery.earthengine.cache import entries

    settings = _settings(config_path)
    found = entries(expand(settings.cache))
    for entry in found:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
        click.echo(
            f"{entry.size / 1e6:>9,.1f} MB  {entry.requests:>5} requests  {used}  {entry.name}"
        )
    total = sum(entry.size for entry in found) / 1e9
    click.echo(f"{total:.2f} GB of at most {settings.cache_gb:g} GB in {settings.cache}")


@cache.command()
@_CONFIG
def clear(config_path: Path | None) -> None:
    """Remove everything that no running export uses."""
    from sitsformer.config import expand
    from sitsformer.imagery.earthengine.cache import entries, trim

    path = expand(_settings(config_path).cache)
    removed = trim(path, -1.0)
    click.echo(f"{removed / 1e6:,.1f} MB removed")
    if left := entries(path):
        click.echo(f"kept, in use by running exports: {', '.join(entry.name for entry in left)}")


@click.command()
@click.argument("config_path", metavar="CONFIG", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--area", default=None, help="Area to show; default: all.")
@click.option(
    "--online",
    is_flag=True,
    help="An area of Earth Engine before any cube is there, over its imagery: asks Earth Engine, "
    "and the page asks the web.",
)
def view(config_path: Path, out: Path, area: str | None, online: bool) -> None:
    """Draw areas, tiles, imagery, labels and maps of CONFIG: OUT is an HTML page.

    What is there is shown: cubes, labels, points of surveys, finished maps. The page stands by
    itself and opens without a network.
    """
    from sitsformer.config import load

    config = load(config_path)
    if online:
        from sitsformer.imagery.earthengine.view import write_page

        write_page(config, area, out)
    else:
        from sitsformer import viewpage

        viewpage.write(config, out, area)
    click.echo(f"{out}: open it in a browser")


def _settings(config_path: Path | None):  # type: ignore[no-untyped-def]
    from sitsformer.config import EarthEngine, load

    return EarthEngine() if config_path is None else load(config_path).earthengine
