"""Experiments: a question, its arms and profiles, run into a directory that holds everything that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autodev_lab.experiments.engine import Interrupted, RunResult, compare, load_run, run_experiment

__all__ = ["Interrupted", "RunResult", "compare", "load_run", "run_experiment"]


def __getattr__(name: str) -> object:
    """Import the engine when it is first asked for: the command line must start fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from autodev_lab.experiments import engine

    return getattr(engine, name)
