"""The simulated world of an experiment: every package's tasks are drawn again from their seed by each worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict

from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.errors import LabError
from autodev_lab.experiments.design import Plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.files import write_atomic
from autodev_lab.platform import TeamSpec
from autodev_lab.protocols import Environment, Oracle, Solver
from autodev_lab.records import StreamItem
from autodev_lab.simulation import SimulatedTruth, load_parameters
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.streams.synthetic import SyntheticStream

__all__ = ["SimulatedMaker", "SimulatedWorld"]


class SimulatedWorld:
    """The simulated world, open."""

    def __init__(self, items: Sequence[StreamItem]) -> None:
        self._items = tuple(items)
        self._environment = SimulatedEnvironment(self._items)

    @property
    def environment(self) -> Environment:
        """Gives evidence to agents."""
        return self._environment

    @property
    def oracle(self) -> Oracle:
        """Judges in the analysis."""
        return self._environment

    @property
    def items(self) -> Sequence[StreamItem]:
        """All tasks."""
        return self._items

    def solver(self, team: TeamSpec, items: Sequence[StreamItem]) -> Solver:
        """The simulated solver in the team's order."""
        return SimulatedSolver(team.order, chances=_mean_chances(items) if team.order == "oracle" else None)

    def explore(self, item: StreamItem, budget: int) -> None:
        """Nothing is worth keeping."""

    def close(self) -> None:
        """Nothing is held open."""


class SimulatedMaker:
    """Prepares and opens simulated worlds."""

    def sandbox(self, settings: Settings) -> str:
        """No candidate code runs here."""
        return "none needed (simulated)"

    def to_build(self, plan: Plan, directory: RunDirectory) -> tuple[str, ...]:
        """Nothing: drawing the tasks takes no time."""
        if plan.parameters.shift in ("operators", "mix"):
            raise LabError(
                f"a simulated run has no fault operators for shift {plan.parameters.shift!r}; choose packages"
            )
        if plan.parameters.tasks and not plan.parameters.packages:
            raise LabError("a simulated run draws its own tasks; name made-up packages, for example -p packages=a,b,c")
        if not plan.parameters.packages:
            raise LabError("a simulated run needs names for its packages, for example -p packages=a,b,c")
        return ()

    def build(
        self,
        plan: Plan,
        package: str,
        directory: RunDirectory,
        settings: Settings,
        progress: Callable[[int, int], None],
    ) -> None:
        """Nothing is built."""

    def assemble(self, plan: Plan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Write the tasks down, as agents may know them."""
        items = _draw(plan)
        lines = "".join(json.dumps(asdict(item.task), sort_keys=True) + "\n" for item in items)
        packages = plan.parameters.all_packages
        rows = "".join(f"{package},built,{plan.parameters.pool(package)}\n" for package in packages)
        write_atomic(directory.attrition, "package,reason,tasks\n" + rows)
        write_atomic(directory.tasks, lines)
        world = hashlib.sha256(repr(load_parameters()).encode()).hexdigest()
        return dict.fromkeys(packages, f"simulated:{world}")

    def to_explore(self, plan: Plan, directory: RunDirectory, replicates: Collection[int]) -> tuple[str, ...]:
        """None: evidence is drawn faster than it is read."""
        return ()

    def open(self, plan: Plan, directory: RunDirectory, settings: Settings) -> SimulatedWorld:
        """Draw the tasks again."""
        return SimulatedWorld(_draw(plan))


def _draw(plan: Plan) -> tuple[StreamItem, ...]:
    return tuple(
        item
        for package in plan.parameters.all_packages
        for item in SyntheticStream(plan.parameters.pool(package), plan.task_seed(package), packages=[package])
    )


def _mean_chances(items: Sequence[StreamItem]) -> dict[str, float]:
    """For every template, the mean chance over tasks that a candidate of it passes: what only an oracle knows."""
    sums: dict[str, float] = {}
    for item in items:
        if isinstance(item.truth, SimulatedTruth):
            for name, chance in item.truth.plausible:
                sums[name] = sums.get(name, 0.0) + chance
    return {name: total / len(items) for name, total in sums.items()}
