"""Experiments with a team: how a plan of arms, twins and replicates is carried out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from autodev_lab.experiments.conduct import AnyCell
from autodev_lab.experiments.design import Cell
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.jobs import JobRunner, cell_key
from autodev_lab.experiments.report import write_report
from autodev_lab.experiments.retrievals import write_retrievals
from autodev_lab.experiments.rollouts import write_rollouts
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.workers import Answer, Job
from autodev_lab.experiments.worlds import maker_of

__all__ = ["TeamConduct"]


class TeamConduct:
    """See `conduct.Conduct`.

    Parameters
    ----------
    directory
        A run directory with its `spec.json`.
    settings
        How to run.
    """

    unit = "tasks"
    side_by_side = True

    def __init__(self, directory: RunDirectory, settings: Settings) -> None:
        self._directory = directory
        self._settings = settings
        self._plan = directory.read_plan()
        self._maker = maker_of(self._plan)
        self._runner: JobRunner | None = None

    @property
    def cells(self) -> Sequence[Cell]:
        """See `Conduct`."""
        return self._plan.cells()

    @property
    def schedule(self) -> Sequence[Cell]:
        """See `Conduct`."""
        return self._plan.schedule()

    @property
    def cell_size(self) -> int:
        """See `Conduct`."""
        return self._plan.parameters.tasks_per_package * max(1, len(self._plan.parameters.packages))

    def sandbox(self) -> str:
        """See `Conduct`."""
        return self._maker.sandbox(self._settings)

    def to_build(self) -> tuple[tuple[str, ...], int]:
        """See `Conduct`."""
        packages = self._maker.to_build(self._plan, self._directory)
        return packages, max((self._plan.parameters.pool(package) for package in packages), default=0)

    def assemble(self) -> Mapping[str, str]:
        """See `Conduct`."""
        return self._maker.assemble(self._plan, self._directory, self._settings)

    def to_explore(self, waiting: Collection[AnyCell]) -> tuple[str, ...]:
        """See `Conduct`."""
        names = {cell.name for cell in waiting}
        replicates = {cell.replicate for cell in self._plan.cells() if cell.name in names}
        return self._maker.to_explore(self._plan, self._directory, replicates)

    def key(self, cell: AnyCell, inputs_hash: str) -> str:
        """See `Conduct`."""
        known = {one.name: one for one in self._plan.cells()}
        return cell_key(self._plan, known[cell.name], inputs_hash, self._settings.code_hash)

    def plugins(self) -> dict[str, str]:
        """See `Conduct`."""
        return {name: digest for arm in self._plan.arms for name, digest in self._plan.plugins(arm).items()}

    def run(self, job: Job, progress: Callable[[int, int], None]) -> Answer:
        """See `Conduct`."""
        if self._runner is None:
            self._runner = JobRunner(self._directory, self._plan, self._settings)
        return self._runner.run(job, progress)

    def report(self, done: int, *, draw: bool) -> tuple[dict[str, object], str]:
        """See `Conduct`."""
        if draw:
            write_retrievals(self._plan, self._directory)
            write_rollouts(self._plan, self._directory)
        return write_report(self._plan, self._directory, done=done, draw=draw)

    def mirror(self, summary: Mapping[str, object]) -> None:
        """See `Conduct`."""
        from autodev_lab.experiments.team_tracking import team_page
        from autodev_lab.experiments.tracking import mirror

        mirror(self._plan, self._directory, summary, team_page(self._plan, self._directory, summary))

    def close(self) -> None:
        """See `Conduct`."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None
