"""The worlds an experiment can run in: where tasks come from, what gives evidence, who judges, who solves.

Each world builds its tasks into the run directory first; workers then open it from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from autodev_lab.experiments.design import Plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.platform import TeamSpec
from autodev_lab.protocols import Environment, Oracle, Solver
from autodev_lab.records import StreamItem

__all__ = ["World", "WorldMaker", "maker_of"]


class World(Protocol):
    """A world that is open: evidence, judgement, solvers and the tasks."""

    @property
    def environment(self) -> Environment:
        """Gives evidence to agents."""
        ...

    @property
    def oracle(self) -> Oracle:
        """Judges in the analysis."""
        ...

    @property
    def items(self) -> Sequence[StreamItem]:
        """All tasks that were built, in canonical order."""
        ...

    def solver(self, team: TeamSpec, items: Sequence[StreamItem]) -> Solver:
        """The solver of a team's developers; only the oracle order makes use of the items that will come."""
        ...

    def explore(self, item: StreamItem, budget: int) -> None:
        """See ahead what any team will ask of a task, so that cells find it kept; changes no result."""
        ...

    def close(self) -> None:
        """Let go of processes and files."""
        ...


class WorldMaker(Protocol):
    """How a kind of world is prepared and opened. Preparing is done once a run, opening once a worker."""

    def sandbox(self, settings: Settings) -> str:
        """Isolation of candidate code, in words.

        Raises
        ------
        LabError
            If there is not enough of it and the settings do not allow that.
        """
        ...

    def to_build(self, plan: Plan, directory: RunDirectory) -> tuple[str, ...]:
        """Packages whose tasks are still to be built; checks first what can be checked."""
        ...

    def build(
        self,
        plan: Plan,
        package: str,
        directory: RunDirectory,
        settings: Settings,
        progress: Callable[[int, int], None],
    ) -> None:
        """Build a package's tasks into the directory."""
        ...

    def assemble(self, plan: Plan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Write `tasks.jsonl` and `attrition.csv` unless they are there; returns the content hash of every package."""
        ...

    def to_explore(self, plan: Plan, directory: RunDirectory, replicates: Collection[int]) -> tuple[str, ...]:
        """Ids of the tasks of some replicates that are worth exploring before cells are run, in a good order."""
        ...

    def open(self, plan: Plan, directory: RunDirectory, settings: Settings) -> World:
        """Open the world."""
        ...


def maker_of(plan: Plan) -> WorldMaker:
    """The maker of a plan's world."""
    # a simulated run must not pay for importing the sandbox, nor the other way round
    if plan.parameters.environment == "simulated":
        from autodev_lab.experiments.world_simulated import SimulatedMaker

        return SimulatedMaker()
    from autodev_lab.experiments.world_repository import RepositoryMaker

    return RepositoryMaker()
