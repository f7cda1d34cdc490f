"""`autodev-lab ui`: open the MLflow UI on the store that runs are mirrored to."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

from autodev_lab.cli.settings_from_config import ConfigOption

__all__ = ["ui"]


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5000,
    host: Annotated[str, typer.Option(help="Address to listen on; the default is this machine alone.")] = "127.0.0.1",
    config: ConfigOption = None,
) -> None:
    """Open the MLflow UI; Ctrl-C ends it."""
    from autodev_lab.errors import LabError
    from autodev_lab.experiments.tracking import quiet_environment, tracking_uri, without_secrets

    uri = tracking_uri()
    if uri.startswith(("http://", "https://")):
        typer.echo(f"The tracking server has its own UI: {without_secrets(uri)}")
        return
    typer.echo(f"MLflow UI on http://{host}:{port} for {without_secrets(uri)} (Ctrl-C ends it)", err=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", host, "--port", str(port)]
    done = subprocess.run(command, env={**os.environ, **quiet_environment()}, check=False)
    if done.returncode not in (0, 130, -2):
        raise LabError(f"the MLflow UI ended with status {done.returncode}; choose another --port if {port} is in use")
