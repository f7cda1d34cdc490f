"""What learning is worth to the order of search: candidates are tried once, then any order is replayed for free.

``python benchmarks/patterns.py TASKS.jsonl... --rows FILE [--first N] [--seeds N] [--skip N] [--study NAME]`` evaluates
the first N candidates of every task (unless FILE holds them already) and replays orders over them, leaving one package
out at a time: what is learned, it learns on the others. ``--study`` is ``orders`` (all orders), ``context``,
``threshold`` or ``decay``. Training is a uniform search of 60 candidates a task, or, where it says online, a learned
search of 10. Shares are means over packages, differences have 95 % t intervals over packages. Candidates beyond the
first N count as failures. With ``--skip N`` the first N tasks of a package are learned from and not tried on: defaults
were chosen on these. ``--json`` prints one object. Task files are made by ``autodev-lab tasks build``; take packages
marked ``development``.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from autodev_lab.errors import LabError
from autodev_lab.execution.probing import require
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.world_repository import open_repository
from autodev_lab.files import stable_seed
from autodev_lab.learning import PatternLibrary
from autodev_lab.memory import InMemoryMemory
from autodev_lab.pattern_rates import RatePrior, place_of
from autodev_lab.records import (
    Candidate,
    ContextTally,
    PatternContext,
    PatternRecord,
    PatternTrial,
    Task,
    TaskKind,
)
from autodev_lab.resources import cache_directory
from autodev_lab.solvers.repair import LearnedOrder, OracleOrder, PlaceboOrder, UniformOrder, ochiai
from autodev_lab.solvers.repair.orders import CandidateOrder, StaticOrder
from autodev_lab.solvers.repair.search import Entry, Enumeration, enumerate_candidates
from autodev_lab.streams.injected import InjectedTruth
from autodev_lab.streams.jsonl import read_tasks

WITHIN = (5, 20)
NEVER = 10**9
CHUNK = 40

Known = Mapping[str, PatternRecord]
Hits = dict[str, npt.NDArray[np.float64]]
"""By package: share of its tasks solved within each of `WITHIN`."""


class Replayed:
    """An enumeration whose candidates have been tried already; it stands in for `Enumeration` to an order."""

    def __init__(self, row: Mapping[str, object]) -> None:
        templates = row["templates"]
        assert isinstance(templates, dict)
        self.patterns = tuple(templates)
        self.task = Task(str(row["task"]), str(row["package"]), TaskKind.INJECTED, "a test fails")
        self.operator = str(row["operator"])
        self._entries: list[list[Entry]] = []
        self.plausible: set[int] = set()
        index = 0
        for name, tried in templates.items():
            entries = []
            for position, (plausible, rank, statement) in enumerate(tried):
                context = PatternContext(statement, str(row["failure"]), place_of(rank))
                entries.append(Entry(index, Candidate((), name), position, 1.0, rank, context))
                if plausible:
                    self.plausible.add(index)
                index += 1
            self._entries.append(entries)

    def of(self, pattern: int, position: int) -> Entry | None:
        """As `Enumeration.of`."""
        entries = self._entries[pattern]
        return entries[position] if position < len(entries) else None


@dataclass(frozen=True)
class Search:
    """One search: at which candidate it ended with a change (`NEVER` without), and what it tried."""

    place: int
    trials: tuple[PatternTrial, ...]


def search(task: Replayed, order: CandidateOrder, records: Known, budget: int, seed: int) -> Search:
    """Replay one search."""
    counts: dict[str, dict[PatternContext, list[int]]] = {}
    place = NEVER
    arranged = order.arrange(task, records, np.random.default_rng(seed))  # type: ignore[arg-type]
    for number, entry in zip(range(1, budget + 1), arranged, strict=False):
        count = counts.setdefault(entry.candidate.pattern, {}).setdefault(entry.context, [0, 0])
        count[0] += 1
        if entry.index in task.plausible:
            count[1] += 1
            place = number
            break
    trials = tuple(
        PatternTrial(
            name,
            sum(tries for tries, _ in where.values()),
            sum(good for _, good in where.values()),
            tuple(ContextTally(context, good, tries) for context, (tries, good) in where.items()),
        )
        for name, where in counts.items()
    )
    return Search(place, trials)


def learned(searches: Iterable[tuple[Replayed, Search]], half_life: float | None = None) -> Known:
    """What a library knows after some searches."""
    library = PatternLibrary(InMemoryMemory(), half_life=half_life)
    for task, done in searches:
        library.observe(task.task, done.trials, agent_id="d", at=0.0)
    return dict(library.records())


class WithoutContexts(LearnedOrder):
    """The learned order that reads totals alone: a failure counts as one wherever it was."""

    def arrange(self, enumeration: Enumeration, records: Known, rng: np.random.Generator) -> Iterator[Entry]:
        """See `CandidateOrder`."""
        plain = {name: replace(record, contexts=()) for name, record in records.items()}
        return super().arrange(enumeration, plain, rng)


class Study:
    """Leave-one-package-out replays over some tasks.

    Parameters
    ----------
    tasks
        Tried beforehand.
    seeds
        Repetitions, each with its own training and its own ties.
    skip
        Tasks of each package, the first ones, that are learned from and not tried on.
    """

    def __init__(self, tasks: Sequence[Replayed], seeds: int, skip: int = 0) -> None:
        self.tasks = tasks
        self._skip = skip
        self.seeds = seeds
        self.packages = sorted({task.task.package for task in tasks})
        uniform = UniformOrder()
        self._lessons = [
            [(task, search(task, uniform, {}, 60, stable_seed("lesson", seed, task.task.id))) for task in tasks]
            for seed in range(seeds)
        ]
        self._taught: dict[tuple[str, int, bool], Known] = {}

    def taught(self, package: str, seed: int, *, online: bool) -> Known:
        """What was learned on all packages but one; on all, where the package has no name."""
        key = (package, seed, online)
        if key not in self._taught:
            lessons = [pair for pair in self._lessons[seed] if pair[0].task.package != package]
            self._taught[key] = self._online([task for task, _ in lessons], seed) if online else learned(lessons)
        return self._taught[key]

    def _online(self, tasks: Sequence[Replayed], seed: int) -> Known:
        library = PatternLibrary(InMemoryMemory())
        for place in np.random.default_rng(seed).permutation(len(tasks)).tolist():
            task = tasks[place]
            done = search(task, LearnedOrder(), library.records(), 10, stable_seed("online", seed, place))
            library.observe(task.task, done.trials, agent_id="d", at=0.0)
        return dict(library.records())

    def hits(
        self,
        order: Callable[[str], CandidateOrder],
        *,
        online: bool = False,
        learns: bool = True,
        hindsight: bool = False,
    ) -> Hits:
        """Shares solved; `order` makes the order for a package left out, which is not left out in hindsight."""
        found: Hits = {}
        for package in self.packages:
            own, chosen = [task for task in self.tasks if task.task.package == package][self._skip :], order(package)
            places = np.array(
                [
                    search(
                        task,
                        chosen,
                        self.taught("" if hindsight else package, seed, online=online) if learns else {},
                        max(WITHIN),
                        stable_seed("try", seed, task.task.id),
                    ).place
                    for task in own
                    for seed in range(self.seeds)
                ]
            )
            found[package] = np.array([np.mean(places <= within) for within in WITHIN])
        return found

    def stream(self, half_life: float | None) -> Hits:
        """Shares solved of one stream of all tasks in a random order, learning as it goes, for each budget anew."""
        found: dict[str, list[list[bool]]] = {package: [] for package in self.packages}
        for seed in range(self.seeds):
            libraries = [PatternLibrary(InMemoryMemory(), half_life=half_life) for _ in WITHIN]
            for place in np.random.default_rng(seed).permutation(len(self.tasks)).tolist():
                task, solved = self.tasks[place], []
                for budget, library in zip(WITHIN, libraries, strict=True):
                    ties = stable_seed("stream", seed, place)
                    done = search(task, LearnedOrder(), library.records(), budget, ties)
                    library.observe(task.task, done.trials, agent_id="d", at=0.0)
                    solved.append(done.place < NEVER)
                found[task.task.package].append(solved)
        return {package: np.mean(np.array(shares, dtype=float), axis=0) for package, shares in found.items()}


def difference(hits: Hits, reference: Hits) -> list[tuple[float, float, float]]:
    """Mean over packages and its 95 % t interval, for each of `WITHIN`."""
    gaps = np.array([hits[package] - reference[package] for package in sorted(hits)])
    half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(axis=0, ddof=1) / math.sqrt(len(gaps))
    return [
        (float(mean), float(mean - one), float(mean + one)) for mean, one in zip(gaps.mean(axis=0), half, strict=True)
    ]


def studied(study: Study, name: str) -> Iterator[tuple[str, Hits, str]]:
    """Label, shares, and the label of what it is compared with."""

    def with_prior(prior: RatePrior) -> Callable[[str], CandidateOrder]:
        return lambda package: LearnedOrder(prior)

    if name == "orders":
        mix = {one: sum(task.operator == one for task in study.tasks) / len(study.tasks) for one in _operators(study)}
        yield "uniform", study.hits(lambda package: UniformOrder(), learns=False), "uniform"
        yield "static", study.hits(lambda package: StaticOrder(), learns=False), "uniform"
        yield "placebo", study.hits(lambda package: PlaceboOrder()), "uniform"
        yield "learned from totals alone", study.hits(lambda package: WithoutContexts()), "uniform"
        yield "learned", study.hits(lambda package: LearnedOrder()), "uniform"
        yield "learned, against totals", study.hits(lambda package: LearnedOrder()), "learned from totals alone"
        yield "learned, against placebo", study.hits(lambda package: LearnedOrder()), "placebo"
        yield "learned, against static", study.hits(lambda package: LearnedOrder()), "static"
        yield "placebo, online", study.hits(lambda package: PlaceboOrder(), online=True), "uniform"
        yield "totals alone, online", study.hits(lambda package: WithoutContexts(), online=True), "uniform"
        yield "learned, online", study.hits(lambda package: LearnedOrder(), online=True), "uniform"
        yield (
            "learned online, ag. totals",
            study.hits(lambda package: LearnedOrder(), online=True),
            "totals alone, online",
        )
        yield "learned, in hindsight", study.hits(lambda package: LearnedOrder(), hindsight=True), "uniform"
        yield "oracle", study.hits(lambda package: OracleOrder(mix), learns=False), "uniform"
        yield "oracle, against learned", study.hits(lambda package: OracleOrder(mix), learns=False), "learned"
    elif name == "context":
        yield "totals alone", study.hits(lambda package: WithoutContexts()), "totals alone"
        yield "places", study.hits(with_prior(RatePrior())), "totals alone"
        for feature in ("statement", "failure", "both"):
            for strength in (5.0, 10.0, 20.0, 40.0, 80.0):
                prior = RatePrior(context_strength=strength, feature=feature)
                yield f"{feature}, {strength:g} tries", study.hits(with_prior(prior)), "places"
    elif name == "threshold":
        yield "threshold 0", study.hits(with_prior(RatePrior(threshold=0.0))), "threshold 0"
        for threshold in (1e-4, 1e-3, 0.003, 0.01, 0.03):
            yield f"threshold {threshold:g}", study.hits(with_prior(RatePrior(threshold=threshold))), "threshold 0"
    else:
        yield "never", study.stream(None), "never"
        for half_life in (400.0, 200.0, 100.0, 50.0, 25.0):
            yield f"half-life {half_life:g}", study.stream(half_life), "never"


def _operators(study: Study) -> list[str]:
    return sorted({task.operator for task in study.tasks})


def tried(paths: Sequence[Path], first: int) -> Iterator[dict[str, object]]:
    """The first candidates of every task with what became of them, one row a task."""
    settings = Settings(str(cache_directory()), require(False).level, False, False)
    for path in paths:
        items = read_tasks(path)
        world = open_repository(items, settings)
        try:
            for item in items:
                diagnosis, _ = world.environment.diagnose(item.task)
                workspace, _ = world.environment.workspace(item.task)
                enumeration = enumerate_candidates(workspace.read, ochiai(diagnosis), diagnosis)
                entries = enumeration.upto(first)
                templates: dict[str, list[tuple[int, int, str]]] = {name: [] for name in enumeration.patterns}
                for start in range(0, len(entries), CHUNK):
                    part = entries[start : start + CHUNK]
                    for entry, verdict in zip(part, workspace.evaluate([one.candidate for one in part]), strict=True):
                        passes = verdict.plausible and workspace.confirm(entry.candidate).plausible
                        row = (int(passes), entry.rank, entry.context.statement)
                        templates[entry.candidate.pattern].append(row)
                assert isinstance(item.truth, InjectedTruth)
                yield {
                    "task": item.task.id,
                    "package": item.task.package,
                    "operator": item.truth.operator,
                    "failure": entries[0].context.failure if entries else "",
                    "templates": templates,
                }
        finally:
            world.close()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", type=Path)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--first", type=int, default=420)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--study", choices=["orders", "context", "threshold", "decay"], default="orders")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        if not options.rows.exists():
            lines = [json.dumps(row) + "\n" for row in tried(options.tasks, options.first)]
            options.rows.write_text("".join(lines), encoding="utf-8")
    except LabError as error:
        print(f"patterns: {error}", file=sys.stderr)
        return error.exit_code
    tasks = [Replayed(json.loads(line)) for line in options.rows.read_text(encoding="utf-8").splitlines()]
    study = Study([task for task in tasks if task.patterns], options.seeds, options.skip)
    if len(study.packages) < 2:
        print("patterns: leaving one package out needs tasks of at least two; name more task files", file=sys.stderr)
        return 2
    results: dict[str, Hits] = {}
    report: dict[str, object] = {"tasks": len(study.tasks), "packages": len(study.packages), "study": options.study}
    if not options.json:
        print(f"{len(study.tasks)} tasks of {len(study.packages)} packages, {options.seeds} seeds")
    for label, hits, against in studied(study, options.study):
        results[label] = hits
        means = np.mean(list(hits.values()), axis=0)
        gaps = difference(hits, results[against])
        report[label] = {
            f"within {within}": {"share": float(mean), "against": against, "difference": gap}
            for within, mean, gap in zip(WITHIN, means, gaps, strict=True)
        }
        if not options.json:
            words = (
                f"@{within} {mean:.3f} ({gap[0]:+.3f} [{gap[1]:+.3f}, {gap[2]:+.3f}])"
                for within, mean, gap in zip(WITHIN, means, gaps, strict=True)
            )
            print(f"{label:26s} {'  '.join(words)} against {against}", flush=True)
    if options.json:
        print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
