"""How a study is carried out: one cell an arm, rows that any machine gives, and seconds that this one took."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence

from autodev_lab.experiments.conduct import AnyCell
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.catalogue import study_named
from autodev_lab.experiments.studies.design import StudyCell, read_study_plan
from autodev_lab.experiments.studies.report import write_study_report
from autodev_lab.experiments.studies.study import RunsCode
from autodev_lab.experiments.workers import Answer, Job

__all__ = ["StudyConduct"]


class StudyConduct:
    """See `experiments.conduct.Conduct`.

    Parameters
    ----------
    directory
        A run directory with its `spec.json`.
    settings
        How to run.
    """

    def __init__(self, directory: RunDirectory, settings: Settings) -> None:
        self._directory = directory
        self._settings = settings
        self._plan = read_study_plan(directory)
        self._study = study_named(self._plan.experiment.study)

    @property
    def unit(self) -> str:
        """See `Conduct`."""
        return self._study.unit

    @property
    def cells(self) -> Sequence[StudyCell]:
        """See `Conduct`."""
        return self._plan.cells()

    @property
    def schedule(self) -> Sequence[StudyCell]:
        """See `Conduct`."""
        return self._plan.cells()

    @property
    def cell_size(self) -> int:
        """See `Conduct`."""
        return self._study.size(self._plan)

    @property
    def side_by_side(self) -> bool:
        """See `Conduct`."""
        return self._study.side_by_side

    def sandbox(self) -> str:
        """What isolates the code that the study runs, if it runs any."""
        if isinstance(self._study, RunsCode):
            return self._study.sandbox(self._settings)
        return "none needed: no code of a package is run"

    def to_build(self) -> tuple[tuple[str, ...], int]:
        """See `Conduct`."""
        return self._study.to_build(self._plan, self._directory)

    def assemble(self) -> Mapping[str, str]:
        """See `Conduct`."""
        return self._study.assemble(self._plan, self._directory, self._settings)

    def to_explore(self, waiting: Collection[AnyCell]) -> tuple[str, ...]:
        """Nothing is worth doing ahead."""
        return ()

    def key(self, cell: AnyCell, inputs_hash: str) -> str:
        """See `Conduct`."""
        content = {
            "cell": cell.name,
            "arm": self._plan.experiment.arms[cell.name].options,
            "parameters": self._plan.parameters.model_dump(mode="json", exclude={"arms"}),
            "seed": self._plan.seed,
            "inputs": inputs_hash,
            "code": self._settings.code_hash,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def plugins(self) -> dict[str, str]:
        """A study runs no code of the user's."""
        return {}

    def run(self, job: Job, progress: Callable[[int, int], None]) -> Answer:
        """See `Conduct`."""
        if job.kind == "build":
            self._study.build(self._plan, job.name, self._directory, self._settings, progress)
            return {}
        known = {cell.name: cell for cell in self._plan.cells()}
        measured = self._study.measure(self._plan, job.name, self._directory, self._settings, progress)
        inputs_hash = hashlib.sha256(self._directory.tasks.read_bytes()).hexdigest()
        cell = known[job.name]
        clock = [json.dumps({"clock": {name: list(seconds) for name, seconds in measured.clock.items()}})]
        self._directory.write_cell(cell, self.key(cell, inputs_hash), measured.rows, clock)
        return {"rows": measured.rows.num_rows}

    def report(self, done: int, *, draw: bool) -> tuple[dict[str, object], str]:
        """See `Conduct`."""
        return write_study_report(self._plan, self._study, self._directory, done=done, draw=draw)

    def mirror(self, summary: Mapping[str, object]) -> None:
        """See `Conduct`."""
        from autodev_lab.experiments.studies.tracking import study_page
        from autodev_lab.experiments.tracking import mirror

        mirror(self._plan, self._directory, summary, study_page(self._plan, summary))

    def close(self) -> None:
        """Nothing is held open."""
