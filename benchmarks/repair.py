"""Tasks built and solved by template repair: uniform over templates against random over candidates.

``python benchmarks/repair.py [--json] [--packages NAME,NAME] [--n N] [--budget N] [--seed N] [--details FILE]
[--by-operator]`` injects
bugs into packages (by default those that nobody looked at while the solver was made), and lets the solver search for
each within the budget, localising by itself and confirming every claim on disk. ``ratio`` is the share solved within 20
candidates, uniform over templates to random over candidates. Shares come with 95 % intervals over packages. Beside
them: tasks built a minute, and of each fault operator's bugs the share that the package's own tests noticed. With
``--by-operator`` also: of each operator's tasks how many uniform order solved, and for how many the faulty statement is
among those looked at and the original code among all candidates.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from autodev_lab import __version__
from autodev_lab.analysis.statistics import cluster_rate
from autodev_lab.errors import LabError
from autodev_lab.execution.probing import require
from autodev_lab.execution.subjects import Subject, obtain
from autodev_lab.execution.trees import apply_edits, read_source
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.solving import Solved, solve_items
from autodev_lab.experiments.world_repository import RepositoryWorld, open_repository
from autodev_lab.records import PatternRecord, StreamItem
from autodev_lab.resources import cache_directory, resource
from autodev_lab.solvers.repair import Limits, RepairSolver, UniformOrder, enumerate_candidates, ochiai
from autodev_lab.solvers.repair.ranking import rank_sites
from autodev_lab.solvers.repair.search import Entry, Enumeration
from autodev_lab.solvers.repair.source import quiet
from autodev_lab.streams.bug_injection import Build, build_tasks
from autodev_lab.streams.injected import InjectedTruth

WITHIN = (5, 20, 200)


class RandomOrder:
    """All candidates of the enumeration, each with the same chance to be next: a template's weight is its size."""

    name = "random"

    def arrange(
        self, enumeration: Enumeration, records: Mapping[str, PatternRecord], rng: np.random.Generator
    ) -> Iterator[Entry]:
        """See `CandidateOrder`; the records are not read."""
        entries = []
        for template in range(len(enumeration.patterns)):
            position = 0
            while (entry := enumeration.of(template, position)) is not None:
                entries.append(entry)
                position += 1
        for index in rng.permutation(len(entries)):
            yield entries[int(index)]


def held_out() -> list[str]:
    """Packages the lab pins for judging only."""
    pins = yaml.safe_load(resource("data/subjects.yaml").read_text(encoding="utf-8"))
    return [pin["name"] for pin in pins["packages"] if pin["role"] == "held_out"]


def milestones(budget: int) -> tuple[int, ...]:
    """Numbers of candidates to report, up to the budget."""
    return (*[within for within in WITHIN if within < budget], budget)


def shares(rows: Mapping[str, list[Solved]], budget: int) -> dict[str, object]:
    """Solved within some numbers of candidates, and correct: estimate, interval over packages, tasks."""
    total = [len(group) for group in rows.values()]
    counts = {
        f"solved_at_{within}": [
            sum(one.solved and one.candidates <= within for one in group) for group in rows.values()
        ]
        for within in milestones(budget)
    }
    counts["correct"] = [sum(one.correct for one in group) for group in rows.values()]
    result: dict[str, object] = {}
    for name, count in counts.items():
        found = cluster_rate(count, total)
        result[name] = {
            "share": round(found.value, 3),
            "ci": [round(found.low, 3), round(found.high, 3)],
            "n": sum(total),
        }
    return result


def kills(builds: Mapping[str, Build]) -> dict[str, dict[str, float | int]]:
    """By fault operator: bugs run, and the share that some test noticed."""
    run: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    for build in builds.values():
        for name, count in build.operators.items():
            run[name] += count.run
            killed[name] += count.killed
    return {name: {"run": run[name], "killed": round(killed[name] / run[name], 3)} for name in sorted(run) if run[name]}


def within_reach(item: StreamItem, subject: Subject, world: RepositoryWorld) -> tuple[bool, bool]:
    """Whether the faulty statement is among those looked at, and whether some candidate is the original code again."""
    truth = item.truth
    assert isinstance(truth, InjectedTruth)
    diagnosis, _ = world.environment.diagnose(item.task)
    workspace, _ = world.environment.workspace(item.task)
    suspects = ochiai(diagnosis)
    edit = truth.edits[0]
    first, last = edit.start_line, edit.start_line + max(1, edit.replacement.count("\n")) - 1
    sites = rank_sites(workspace.read, suspects, diagnosis)[: Limits().sites]
    looked_at = any(site.source.path == truth.path and first - 1 <= site.statement.lineno <= last + 1 for site in sites)
    original, faulty = read_source(subject.tree.root / truth.path), workspace.read(truth.path)
    wanted = ast.dump(ast.parse(original))
    for entry in enumerate_candidates(workspace.read, suspects, diagnosis).all():
        edits = entry.candidate.edits
        near = all(one.path == truth.path and abs(one.start_line - first) < 20 for one in edits)
        with quiet():
            if near and ast.dump(ast.parse(apply_edits(faulty, edits))) == wanted:
                return looked_at, True
    return looked_at, False


def by_operator(
    items: Mapping[str, Sequence[StreamItem]],
    rows: Mapping[str, list[Solved]],
    reach: Mapping[str, tuple[bool, bool]],
    budget: int,
) -> dict[str, dict[str, int]]:
    """By fault operator: tasks, solved within some numbers of candidates, correct, and what is within reach."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for name, solved in rows.items():
        for item, row in zip(items[name], solved, strict=True):
            assert isinstance(item.truth, InjectedTruth)
            counts = table[item.truth.operator]
            counts["n"] += 1
            for within in milestones(budget):
                counts[f"solved_at_{within}"] += row.solved and row.candidates <= within
            counts["correct"] += row.correct
            counts["statement_looked_at"] += reach[row.task_id][0]
            counts["original_among_candidates"] += reach[row.task_id][1]
    return {operator: dict(counts) for operator, counts in sorted(table.items())}


def main() -> int:
    """Measure and print one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the object on one line")
    parser.add_argument("--packages", default="", help="names, separated by commas")
    parser.add_argument("--n", type=int, default=15, help="tasks a package")
    parser.add_argument("--budget", type=int, default=200, help="candidates a task")
    parser.add_argument("--seed", type=int, default=7, help="seed of tasks and search")
    parser.add_argument("--peer", choices=["random", "none"], default="random", help="whether to run the peer too")
    parser.add_argument("--details", type=Path, help="file for one JSON line a task: look at no held-out repair there")
    parser.add_argument("--by-operator", action="store_true", help="also say what of each fault operator is solved")
    chosen = parser.parse_args()
    report = require()
    builds: dict[str, Build] = {}
    minutes: dict[str, float] = {}
    reach: dict[str, tuple[bool, bool]] = {}
    orders = [UniformOrder(), *([RandomOrder()] if chosen.peer == "random" else [])]
    rows: dict[str, dict[str, list[Solved]]] = {order.name: {} for order in orders}
    with tempfile.TemporaryDirectory() as fresh:
        # what was evaluated before is not taken: the figures are of this run
        settings = Settings(fresh, "benchmark", False, False)
        for name in [one for one in chosen.packages.split(",") if one] or held_out():
            print(f"{name} ...", file=sys.stderr)
            try:
                subject = obtain(name, cache=cache_directory())
                started = time.perf_counter()
                builds[name] = build_tasks(subject, n=chosen.n, seed=chosen.seed, report=report)
            except LabError as error:
                print(f"{name} left out: {error}", file=sys.stderr)
                continue
            minutes[name] = (time.perf_counter() - started) / 60
            world = open_repository(builds[name].items, settings)
            try:
                for order in orders:
                    result = solve_items(
                        world.items, world, RepairSolver(order), budget=chosen.budget, seed=chosen.seed
                    )
                    rows[order.name][name] = list(result.rows)
                    print(f"  {order.name}: {result.solved} of {result.n}, {result.correct} correct", file=sys.stderr)
                if chosen.by_operator:
                    reach.update({item.task.id: within_reach(item, subject, world) for item in world.items})
            finally:
                world.close()
            if chosen.details:
                with chosen.details.open("a") as stream:
                    stream.writelines(json.dumps(one.as_json()) + os.linesep for one in rows["uniform"][name])
    sides = {name: shares(groups, chosen.budget) for name, groups in rows.items()}
    at = "solved_at_20" if chosen.budget > 20 else f"solved_at_{chosen.budget}"
    result = {
        "benchmark": "repair",
        "ratio": _ratio(sides, at),
        "ours": "uniform over templates",
        "peer": "random over candidates",
        "budget": chosen.budget,
        "seed": chosen.seed,
        "sides": sides,
        "packages": {
            name: {
                "tasks": len(build.items),
                "tasks_per_minute": round(len(build.items) / minutes[name], 1),
                **{order: f"{sum(one.solved for one in groups[name])} solved" for order, groups in rows.items()},
            }
            for name, build in builds.items()
        },
        "operators": kills(builds),
        **(
            {
                "by_operator": by_operator(
                    {name: one.items for name, one in builds.items()}, rows["uniform"], reach, chosen.budget
                )
            }
            if chosen.by_operator
            else {}
        ),
        "versions": {"autodev_lab": __version__, "python": platform.python_version()},
    }
    print(json.dumps(result) if chosen.json else json.dumps(result, indent=2))
    return 0


def _ratio(sides: Mapping[str, Mapping[str, object]], at: str) -> float | None:
    values = [side[at]["share"] for side in sides.values()]  # type: ignore[index]
    return round(values[0] / values[1], 2) if len(values) == 2 and values[1] else None


if __name__ == "__main__":
    raise SystemExit(main())
