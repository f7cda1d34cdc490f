"""autodev_lab: a laboratory for research on autonomous software development.

Everything a researcher needs by name; each name is imported when it is first used, so that `import autodev_lab` and
the command line start fast.

Examples
--------
>>> import autodev_lab
>>> autodev_lab.TeamSpec(developers=4, budget=10).memory
'shared'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autodev_lab.environments.simulated import SimulatedEnvironment
    from autodev_lab.errors import LabError
    from autodev_lab.execution.subjects import obtain
    from autodev_lab.experiments.engine import RunResult, compare, load_run, run_experiment
    from autodev_lab.experiments.workbench import open_tasks, to_frame, try_solver
    from autodev_lab.kernel.live import AsyncioRuntime
    from autodev_lab.kernel.virtual import VirtualRuntime
    from autodev_lab.platform import Platform, StreamRun, TeamSpec, run_stream
    from autodev_lab.records import (
        Attempt,
        Candidate,
        Change,
        Cost,
        Edit,
        PatternTrial,
        StreamItem,
        Task,
        TaskContext,
        Truth,
    )
    from autodev_lab.solvers.repair import RepairSolver
    from autodev_lab.solvers.scripted import ScriptedSolver
    from autodev_lab.streams.bug_injection import build_tasks
    from autodev_lab.streams.jsonl import read_tasks, write_tasks
    from autodev_lab.streams.synthetic import SyntheticStream

__version__ = "0.1.0"

__all__ = [
    "AsyncioRuntime",
    "Attempt",
    "Candidate",
    "Change",
    "Cost",
    "Edit",
    "LabError",
    "PatternTrial",
    "Platform",
    "RepairSolver",
    "RunResult",
    "ScriptedSolver",
    "SimulatedEnvironment",
    "StreamItem",
    "StreamRun",
    "SyntheticStream",
    "Task",
    "TaskContext",
    "TeamSpec",
    "Truth",
    "VirtualRuntime",
    "__version__",
    "build_tasks",
    "compare",
    "load_run",
    "obtain",
    "open_tasks",
    "read_tasks",
    "run_experiment",
    "run_stream",
    "to_frame",
    "try_solver",
    "write_tasks",
]

_HOMES = {
    "AsyncioRuntime": "kernel.live",
    "LabError": "errors",
    "Platform": "platform",
    "RepairSolver": "solvers.repair",
    "RunResult": "experiments.engine",
    "ScriptedSolver": "solvers.scripted",
    "SimulatedEnvironment": "environments.simulated",
    "StreamRun": "platform",
    "SyntheticStream": "streams.synthetic",
    "TeamSpec": "platform",
    "VirtualRuntime": "kernel.virtual",
    "build_tasks": "streams.bug_injection",
    "compare": "experiments.engine",
    "load_run": "experiments.engine",
    "obtain": "execution.subjects",
    "open_tasks": "experiments.workbench",
    "read_tasks": "streams.jsonl",
    "run_experiment": "experiments.engine",
    "run_stream": "platform",
    "to_frame": "experiments.workbench",
    "try_solver": "experiments.workbench",
    "write_tasks": "streams.jsonl",
}


def __getattr__(name: str) -> object:
    """Import a public name from the room it lives in; what has no room of its own is a record."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'records')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, for completion in a notebook."""
    return sorted(__all__)
