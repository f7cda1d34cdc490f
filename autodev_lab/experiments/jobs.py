"""The three jobs of a run, done in this process: build a package's tasks, explore a task, and run a cell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from autodev_lab.analysis.dictionary import VERSION
from autodev_lab.experiments.design import Cell, Plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.governance import Governing
from autodev_lab.experiments.lessons import Part, parts_of
from autodev_lab.experiments.rows import cell_table, trace_line
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.workers import Answer, Job
from autodev_lab.experiments.worlds import World, maker_of
from autodev_lab.files import stable_seed
from autodev_lab.learning import FrozenPatterns
from autodev_lab.platform import StreamRun, TeamSpec, run_stream
from autodev_lab.protocols import Memory, PatternLearner

__all__ = ["JobRunner", "cell_key"]


class JobRunner:
    """Does jobs for one run directory; keeps its world open between cells."""

    def __init__(self, directory: RunDirectory, plan: Plan, settings: Settings) -> None:
        self._directory = directory
        self._plan = plan
        self._settings = settings
        self._cells = {cell.name: cell for cell in self._plan.cells()}
        self._world: World | None = None
        self._tasks_hash = ""

    def run(self, job: Job, progress: Callable[[int, int], None]) -> Answer:
        """Build a package's tasks (``build``), explore a task (``task``) or run a cell (``cell``)."""
        if job.kind == "build":
            maker_of(self._plan).build(self._plan, job.name, self._directory, self._settings, progress)
            return {}
        if job.kind == "task":
            world = self._opened()
            item = next(item for item in world.items if item.task.id == job.name)
            world.explore(item, self._plan.parameters.budget)
            return {}
        return self._run_cell(self._cells[job.name], progress)

    def close(self) -> None:
        """Close the world."""
        if self._world is not None:
            self._world.close()
            self._world = None

    def _opened(self) -> World:
        if self._world is None:
            self._world = maker_of(self._plan).open(self._plan, self._directory, self._settings)
            self._tasks_hash = hashlib.sha256(self._directory.tasks.read_bytes()).hexdigest()
        return self._world

    def _run_cell(self, cell: Cell, progress: Callable[[int, int], None]) -> Answer:
        world = self._opened()
        team, seed = self._plan.team(cell.arm), self._plan.agent_seed(cell)
        parts = parts_of(world.items, self._plan, cell.replicate)
        total = sum(len(part.stream) for part in parts)
        runs: list[StreamRun] = []
        for number, part in enumerate(parts):
            before = sum(len(one.stream) for one in parts[:number])

            def advanced(done: int, of: int, before: int = before) -> None:
                progress(before + done, total)

            # the seed of a cell's only part is the cell's own
            part_seed = stable_seed(seed, number) if number else seed
            runs.append(_run_part(world, team, part, part_seed, self._plan.parameters.governing, advanced))
        run = _joined(runs)
        table = cell_table(cell, run)
        key = cell_key(self._plan, cell, self._tasks_hash, self._settings.code_hash)
        self._directory.write_cell(cell, key, table, (trace_line(record) for record in run.records))
        return {"rows": table.num_rows, "correct": sum(table.column("correct").to_pylist())}


def _run_part(
    world: World,
    team: TeamSpec,
    part: Part,
    seed: int,
    governing: Callable[[TeamSpec], Governing],
    progress: Callable[[int, int], None],
) -> StreamRun:
    """Lessons, if the team takes them, and the stream."""
    governed = governing(team)
    if team.patterns == "frozen":
        pupil = replace(team, developers=1, memory="shared", order="learned", patterns="learning")
        lessons = run_stream(
            part.lessons,
            world.environment,
            pupil,
            solver=world.solver(pupil, part.lessons),
            oracle=world.oracle,
            seed=stable_seed(seed, "lessons"),
            **governing(pupil),
        )

        def frozen(memory: Memory) -> PatternLearner:
            return FrozenPatterns(lessons.patterns)

        governed["patterns"] = frozen
    return run_stream(
        part.stream,
        world.environment,
        team,
        solver=world.solver(team, part.stream),
        oracle=world.oracle,
        seed=seed,
        progress=progress,
        **governed,
    )


def _joined(runs: Sequence[StreamRun]) -> StreamRun:
    """Runs one after the other as one: positions and times go on where the last one ended."""
    first, *others = runs
    for run in others:
        start, place = first.finished_at, 1 + max((record.index for record in first.records), default=-1)
        later = tuple(
            replace(
                record,
                index=record.index + place,
                opened_at=record.opened_at + start,
                closed_at=record.closed_at + start,
            )
            for record in run.records
        )
        busy = {name: first.busy.get(name, 0.0) + seconds for name, seconds in run.busy.items()}
        first = StreamRun(
            first.records + later,
            start + run.finished_at,
            busy,
            first.human_minutes + run.human_minutes,
            run.patterns,
        )
    return first


def cell_key(plan: Plan, cell: Cell, tasks_hash: str, code_hash: str) -> str:
    """Content address of a cell: everything its rows depend on.

    Parameters
    ----------
    tasks_hash
        SHA-256 of the run's tasks.
    code_hash
        Of the lab's code; that of the user's own parts is looked up.
    """
    content = {
        "team": asdict(plan.team(cell.arm)),
        "agent_seed": plan.agent_seed(cell),
        "stream_seed": plan.stream_seed(cell.replicate),
        "cell": asdict(cell),
        "parameters": plan.parameters.model_dump(mode="json", exclude={"arms", "twins", "replicates"}),
        "tasks": tasks_hash,
        "code": code_hash,
        "dictionary": VERSION,
        "plugins": plan.plugins(cell.arm),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
