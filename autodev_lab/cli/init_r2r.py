"""`autodev-lab init-r2r`: make the memory's collections on an R2R server, once."""

from __future__ import annotations

from typing import Annotated

import typer

from autodev_lab.cli.settings_from_config import ConfigOption

__all__ = ["init_r2r"]


def init_r2r(
    url: Annotated[str, typer.Option(envvar="AUTODEV_R2R_URL", help="Where R2R listens.")] = "http://localhost:7272",
    prefix: Annotated[str, typer.Option(help="Stands before each collection's name, to share a server.")] = "",
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Make the memory's collections on an R2R server; those it has already stay as they are.

    Credentials are AUTODEV_R2R_API_KEY, or AUTODEV_R2R_EMAIL and AUTODEV_R2R_PASSWORD, else the configuration's.
    """
    from autodev_lab.integrations.r2r import R2RClient
    from autodev_lab.memory.collections import COLLECTIONS
    from autodev_lab.memory.r2r import prepare_collections

    client = R2RClient(url)
    try:
        made = prepare_collections(client, prefix)
    finally:
        client.close()
    names = [prefix + name for name in COLLECTIONS]
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json({"url": client.url, "collections": names, "made": list(made)})
        return
    for name in names:
        typer.echo(f"{name}: {'made' if name in made else 'was there'}")
