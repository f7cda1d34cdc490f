"""What a command takes from `platform_config.yaml`: the command line goes before, then variables, then the file.

`ConfigOption` finds and reads the file before all other options are looked at, and gives click what it says as the
command's defaults (`READS`). Services that have no option are told to the libraries as the variables that a user would
have set (`EXPORTS`), for as long as the command runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from autodev_lab.config import Configuration

__all__ = ["EXPORTS", "READS", "ConfigOption", "configuration", "options_from", "variables_from", "with_counts"]

_READ: ContextVar[Configuration | None] = ContextVar("configuration", default=None)
_R2R = "memory.backend"


def _plain(key: str) -> Callable[[Configuration], object]:
    def read(found: Configuration) -> object:
        from pydantic import SecretStr

        value = found.value(key)
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    return read


def _counts(found: Configuration) -> object:
    agents = found.settings.agents
    counts = {name: getattr(agents, name).count for name in type(agents).model_fields}
    return ",".join(f"{name}={count}" for name, count in counts.items() if count is not None)


def _shared_memory(found: Configuration) -> object:
    return found.value("r2r.base_url") if found.value(_R2R) == "r2r" else None


_AGENTS = {
    "redis": _plain("integrations.redis.url"),
    "prefix": _plain("coordination.prefix"),
    "lease": _plain("coordination.lease_seconds"),
    "max_tries": _plain("coordination.max_tries"),
    "r2r": _shared_memory,
}

READS: Mapping[str, Mapping[str, Callable[[Configuration], object]]] = MappingProxyType(
    {
        "run": {},
        "agent": _AGENTS,
        "up": {**_AGENTS, "agents": _counts},
        "status": {name: _AGENTS[name] for name in ("redis", "prefix")},
        "shards": {name: _AGENTS[name] for name in ("redis", "prefix", "max_tries")},
        "assess": {
            "success": _plain("decision_engine.promise.success"),
            "assurance": _plain("decision_engine.promise.assurance"),
        },
        "init-r2r": {"url": _plain("r2r.base_url")},
        "ui": {},
    }
)
"""What each command that has ``--config`` takes for its options; None leaves an option as it is."""

_WHO = {
    "AUTODEV_R2R_API_KEY": _plain("r2r.api_key"),
    "AUTODEV_R2R_EMAIL": _plain("r2r.email"),
    "AUTODEV_R2R_PASSWORD": _plain("r2r.password"),
}
_STORE = {"MLFLOW_TRACKING_URI": _plain("integrations.mlflow.tracking_uri")}

EXPORTS: Mapping[str, Mapping[str, Callable[[Configuration], object]]] = MappingProxyType(
    {
        "run": {**_WHO, **_STORE, "AUTODEV_R2R_URL": _shared_memory},
        "agent": _WHO,
        "up": _WHO,
        "init-r2r": _WHO,
        "ui": _STORE,
    }
)
"""Variables that a command sets for what it starts and for the libraries it uses; None leaves one as it is."""


def options_from(command: str, found: Configuration) -> dict[str, object]:
    """Defaults of a command's options."""
    values = {name: read(found) for name, read in READS[command].items()}
    return {name: value for name, value in values.items() if value not in (None, "")}


def variables_from(command: str, found: Configuration) -> dict[str, str]:
    """Variables that a command sets while it runs."""
    values = {name: read(found) for name, read in EXPORTS.get(command, {}).items()}
    return {name: str(value) for name, value in values.items() if value is not None}


def configuration() -> Configuration:
    """The configuration that the running command has read."""
    found = _READ.get()
    if found is None:
        raise LookupError("the command has no --config")
    return found


def with_counts(context: typer.Context, value: str) -> str:
    """The numbers of agents on the command line, and the configured ones of roles that it does not name."""
    source = context.get_parameter_source("agents")
    found = _READ.get()
    if found is None or source is None or source.name != "COMMANDLINE":
        return value
    named = {part.partition("=")[0].strip() for part in value.split(",")}
    kept = [part for part in str(_counts(found)).split(",") if part and part.partition("=")[0] not in named]
    return ",".join([*(part for part in [value] if part), *kept])


def _read(context: typer.Context, value: str | None) -> str | None:
    """Read the file, and let the command have what it says."""
    if context.resilient_parsing:
        return value
    from autodev_lab.config import load_config
    from autodev_lab.errors import LabError

    command = context.command.name or ""
    try:
        found = load_config(value, command=command)
    except LabError as error:
        print(f"autodev-lab: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from error
    before = _READ.set(found)
    context.call_on_close(lambda: _READ.reset(before))
    values = options_from(command, found)
    if isinstance(servers := values.get("redis"), str):  # of several addresses, an option that takes one has the first
        several = any(one.name == "redis" and getattr(one, "multiple", False) for one in context.command.params)
        values["redis"] = servers.split() if several else servers.split()[0]
    context.default_map = {**(context.default_map or {}), **values}
    if not found.shipped and command != "run":  # a run says it with what the file sets
        print(found.words, file=sys.stderr)
    _export(context, variables_from(command, found))
    return value


def _export(context: typer.Context, variables: Mapping[str, str]) -> None:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)

    def restore() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    context.call_on_close(restore)


ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        is_eager=True,
        callback=_read,
        help="The configuration; else AUTODEV_CONFIG, else platform_config.yaml in this folder.",
    ),
]
