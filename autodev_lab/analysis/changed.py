"""What a run's user asked for otherwise than the profile says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

__all__ = ["changed_parameters"]


def changed_parameters(spec: Mapping[str, object]) -> dict[str, str]:
    """Parameters of a run that differ from its experiment's and its profile's, as text.

    Those that neither names have a default that the file does not hold; they are not told. Of a path the last part is.

    Parameters
    ----------
    spec
        The object of `spec.json`.

    Examples
    --------
    >>> experiment = {"parameters": {"budget": 5, "shift": "packages"}, "profiles": {"full": {"budget": 20}}}
    >>> spec = {"experiment": experiment, "profile": "full", "parameters": {"budget": 20.0, "shift": "mix"}}
    >>> changed_parameters(spec)
    {'shift': 'mix'}
    >>> changed_parameters({**spec, "parameters": {"shift": "/somebody/at/home"}})
    {'shift': 'home'}
    """
    experiment, parameters = spec.get("experiment"), spec.get("parameters")
    if not isinstance(experiment, Mapping) or not isinstance(parameters, Mapping):
        return {}
    profiles = experiment.get("profiles")
    profile = profiles.get(spec.get("profile")) if isinstance(profiles, Mapping) else None
    planned = {**(experiment.get("parameters") or {}), **(profile or {})}
    return {
        str(name): _word(parameters[name], shown=True)
        for name, value in planned.items()
        if name in parameters and parameters[name] != value and _word(parameters[name]) != _word(value)
    }


def _word(value: object, *, shown: bool = False) -> str:
    """A value as one types it; lists in any order are the same. What is shown names no folder of this machine."""
    if isinstance(value, list | tuple):
        return ",".join(sorted(_word(one, shown=shown) for one in value))
    return PurePath(str(value)).name if shown else str(value)
