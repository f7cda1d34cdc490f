"""`autodev-lab show`: the story of one task in one cell: change, candidates, evidence, decision, timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from autodev_lab.errors import LabError

__all__ = ["show"]

Entry = Mapping[str, object]


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory, id or 'last'.")],
    task: Annotated[str, typer.Argument(metavar="TASK", help="Id of the task.")],
    arm: Annotated[str | None, typer.Option(help="Arm, or ARM_twin; the first that has the task unless given.")] = None,
    replicate: Annotated[int | None, typer.Option(min=0, help="Replicate; the first that has the task.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Show all that happened to a task: diff, candidates, evidence, decision, timeline."""
    from autodev_lab.experiments.design import TWIN_SUFFIX
    from autodev_lab.experiments.directory import find_run
    from autodev_lab.resources import runs_directory

    directory = find_run(run, runs_directory())
    plan = directory.read_plan()
    names = [f"{cell.arm}{TWIN_SUFFIX if cell.twin else ''}" for cell in plan.cells()]
    if arm is not None and arm not in names:
        raise LabError(f"run {directory.id} has no arm {arm!r}; choose among {', '.join(dict.fromkeys(names))}")
    known: list[str] = []
    for cell, name in zip(plan.cells(), names, strict=True):
        if arm not in (None, name) or replicate not in (None, cell.replicate):
            continue
        if not (directory.cells / f"{cell.name}.json").exists():
            continue
        for trace in directory.read_trace(cell):
            facts = _mapping(trace["task"])
            known.append(str(facts["id"]))
            if facts["id"] == task:
                if as_json:
                    from autodev_lab.cli.output import print_json

                    print_json({"run_id": directory.id, "arm": name, "replicate": cell.replicate, **trace})
                else:
                    typer.echo(_story(name, cell.replicate, trace))
                return
    hint = f"for example {known[0]}" if known else "no cell that was asked for is finished"
    raise LabError(f"run {directory.id} has no task {task!r} there; its ids are in tasks.jsonl ({hint})")


def _story(arm: str, replicate: int, trace: Entry) -> str:
    task, history = _mapping(trace["task"]), _entries(trace["history"])
    lines = [
        f"{task['id']}: {task['title']}",
        f"package {task['package']}, arm {arm}, replicate {replicate}, place {trace['index']} in the stream",
        f"ended {trace['stage']}" + (f" ({trace['reason']})" if trace["reason"] else ""),
    ]
    for entry in history:
        result = _mapping(entry["result"]) if entry["result"] is not None else {}
        lines += ["", f"{float(str(entry['at'])):>10.1f} s  {entry['stage']:<12} {entry['agent']}"]
        lines += [f"              {line}" for line in _evidence(str(entry["kind"]), result)]
    judgement = trace["judgement"]
    if judgement is not None:
        verdict = _mapping(judgement)
        lines += ["", f"truth: {'correct' if verdict['correct'] else 'not correct'}"]
        checks = {"oracle_passed": "oracle tests", "exposure_passed": "exposure tests"}
        checks["differential_agreed"] = "differential inputs"
        lines += [f"  {label}: {_word(verdict[name])}" for name, label in checks.items()]
    return "\n".join(lines)


def _evidence(kind: str, result: Entry) -> list[str]:
    """What a completed stage has to show."""
    if kind == "Plan":
        suspects = _entries(result["suspects"])[:3]
        shown = ", ".join(f"{one['path']}:{one['line']} ({float(str(one['suspiciousness'])):.2f})" for one in suspects)
        return [f"complexity {float(str(result['complexity'])):.1f}, budget {result['budget']}", f"suspects {shown}"]
    if kind == "Attempt":
        cost = _mapping(result["cost"])
        lines = [f"{cost['candidates']} candidates, {cost['test_executions']} tests"]
        trials = _entries(result["trials"])
        lines += [f"  {one['pattern']}: {one['tries']} tried, {one['successes']} worked" for one in trials]
        if result["change"] is None:
            return [*lines, "no change found within the budget"]
        return [*lines, *str(_mapping(result["change"])["diff"]).splitlines()]
    if kind == "TestReport":
        failed = result["failed"]
        assert isinstance(failed, list)
        return [
            f"{result['passed']} visible tests passed, {len(failed)} failed; "
            f"{result['covered_lines']} of {result['changed_lines']} changed lines covered"
        ]
    if kind == "Review":
        reasons = result["reasons"]
        assert isinstance(reasons, list)
        return [f"quality {float(str(result['quality'])):.1f} of 10", *(f"- {reason}" for reason in reasons)]
    if kind == "Decision":
        assessment, reasons = _mapping(result["assessment"]), result["reasons"]
        assert isinstance(reasons, list)
        scores = _mapping(assessment["factors"])
        factors = ", ".join(f"{name} {float(str(value)):.2f}" for name, value in scores.items())
        return [
            f"{result['action']} (risk {float(str(assessment['risk'])):.2f}, "
            f"confidence {float(str(assessment['confidence'])):.2f}, policy {result['policy']})",
            factors,
            *(f"- {reason}" for reason in reasons),
        ]
    if kind in ("RolloutStep", "HealthReport"):
        report = _mapping(result["report"])
        failed = report["failed"]
        assert isinstance(failed, list)
        return [f"{report['sampled']} exposure tests, {len(failed)} failed", *(f"- {test}" for test in failed[:5])]
    if kind == "StageTrial":
        return [f"{result['ruling']}: {result['words']}"]
    if kind == "Withdrawal":
        return [f"taken back from {result['stage']}"]
    if kind == "HumanAnswer":
        if result.get("expired"):
            return [f"nobody answered within {float(str(result['seconds'])):.0f} s; not deployed"]
        answer = "approved" if result["approve"] else "declined"
        return [f"{answer} after {float(str(result['seconds'])):.0f} s, {result['cost']} person-minutes"]
    return []


def _mapping(value: object) -> Entry:
    assert isinstance(value, dict)
    return value


def _entries(value: object) -> list[Entry]:
    assert isinstance(value, list)
    return value


def _word(value: object) -> str:
    return "nothing to run" if value is None else "passed" if value else "failed"
