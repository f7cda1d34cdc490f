"""The history of a ledger on Redis, read from the log that its script writes in the step it tells of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from autodev_lab.chaos.history import Call, Take
from autodev_lab.chaos.journal import Entry
from autodev_lab.chaos.rules import Rule, Violation
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.transition import Answer, Complete, Fail, Renew, Submit
from autodev_lab.records import Claim, HumanAnswer, Lease, Plan, Result, Role, Stage, Task, TaskKind, TaskState
from autodev_lab.workflow import ROLE_OF_STAGE

__all__ = ["Note", "calls_of", "check_journals", "read_log"]

Note = Mapping[str, str]
"""An entry of the log: at, command, task and what else the command says."""

_PAGE = 5_000


async def read_log(ledger: RedisLedger, after: str) -> tuple[list[Note], str]:
    """Entries after one, and the id of the last; ``"0"`` reads from the beginning."""
    notes: list[Note] = []
    while True:
        answer = await ledger.server.command("XRANGE", ledger.keys.log, f"({after}", "+", "COUNT", _PAGE)
        assert isinstance(answer, list)
        for name, fields in answer:
            after = str(name)
            notes.append(fields)
        if len(answer) < _PAGE:
            return notes, after


def calls_of(notes: Sequence[Note], states: Mapping[str, TaskState]) -> list[Call]:
    """The log as a history for `autodev_lab.chaos.rules.check_history`.

    The log does not repeat tasks and results, so these are taken from the states at the end; what the checker then
    compares are stages, fences, holders, times and counts.
    """
    done: Counter[str] = Counter()
    calls = []
    for note in notes:
        call = _call(note, states, done)
        if call is not None:
            calls.append(call)
    for place, one in enumerate(calls):
        one.next_place = place + 1
    return calls


def _call(note: Note, states: Mapping[str, TaskState], done: Counter[str]) -> Call | None:
    name, at, agent = note["task"], float(note["at"]), note.get("agent", "")
    fence = int(note.get("fence", 0))
    state = states.get(name)
    match note["command"]:
        case "submit":
            task = Task(name, "", TaskKind.SYNTHETIC, "") if state is None else state.task
            return Call(at, agent, Submit(task, tuple(json.loads(note["after"]))), None)
        case "claim":
            stage, expires = Stage(note["stage"]), float(note["expires"])
            claim = _claim(name, stage, agent, fence, expires)
            return Call(at, agent, Take(claim.lease.role, agent, expires - at), claim)
        case "renew":
            # the role plays no part in a renewal
            claim = _claim(name, Stage.FETCHED, agent, fence, float(note["expires"]))
            return Call(at, agent, Renew(name, fence, agent, max(1e-6, claim.lease.expires_at - at)), claim)
        case "complete":
            result = _result(state, name, done)
            return Call(at, agent, Complete(name, fence, agent, Stage(note["stage"]), result), None)
        case "fail":
            return Call(at, agent, Fail(name, fence, agent, ""), None)
        case "answer":
            answer = _result(state, name, done)
            if not isinstance(answer, HumanAnswer):
                answer = HumanAnswer(name, note["stage"] == Stage.CLEARED, 0.0, 0.0)
            return Call(at, agent, Answer(answer), None)
    return None  # a lease ran out, or a task that waited was told: the checker sees it in what follows


def _claim(name: str, stage: Stage, agent: str, fence: int, expires: float) -> Claim:
    lease = Lease(agent, ROLE_OF_STAGE.get(stage, Role.HUMAN), fence, expires)
    task = Task(name, "", TaskKind.SYNTHETIC, "")
    return Claim(TaskState(task, stage, fence, lease), lease)


def _result(state: TaskState | None, name: str, done: Counter[str]) -> Result:
    """The result of the next completed stage of a task, as the state has it."""
    place, done[name] = done[name], done[name] + 1
    result = state.history[place].result if state is not None and place < len(state.history) else None
    return Plan(name, (), 0.0, 0) if result is None else result


def check_journals(entries: Sequence[Entry], notes: Sequence[Note], states: Mapping[str, TaskState]) -> list[Violation]:
    """Hold what agents were told against what the ledger says it did.

    What was answered as done must have been done, once; what was done must have been sent. A task may be escalated
    again, so answers have no fence to tell them apart by: as many may be carried out as were sent. This is the view
    from outside, which a log that forgets cannot deceive.

    Parameters
    ----------
    entries
        Of all journals.
    notes, states
        The ledger's log, and its states at the end, of the same tasks.
    """
    violations = []
    logged: Counter[tuple[str, str, int, str]] = Counter()
    for note in notes:
        if note["command"] in ("complete", "answer", "submit"):
            # an answer needs no fence, whatever the desk that gave it holds
            fence = int(note["fence"]) if note["command"] == "complete" else 0
            stage = note.get("stage", Stage.FETCHED.value)
            if stage == Stage.WITHDRAWN:  # whoever says no does not know whether the change was exposed
                stage = Stage.DECLINED.value
            logged[note["command"], note["task"], fence, stage] += 1
    told: Counter[tuple[str, str, int, str]] = Counter()
    sent: Counter[tuple[str, str, int, str]] = Counter()
    for entry in entries:
        step = (entry.did, entry.task_id, entry.fence, entry.stage)
        sent[step] += entry.heard == "sent"
        told[step] += entry.heard == "done"
    for step, count in logged.items():
        if count > (max(1, sent[step]) if step[0] == "answer" else 1):
            violations.append(_violation(Rule.EFFECT_ONCE, step, f"was carried out {count} times"))
        if not sent[step]:
            violations.append(_violation(Rule.EFFECT_ONCE, step, "was carried out, but nobody asked for it"))
    for step, count in told.items():
        if count > (max(1, logged[step]) if step[0] == "answer" else 1):
            violations.append(_violation(Rule.EFFECT_ONCE, step, f"was confirmed {count} times"))
        if count and step not in logged:
            violations.append(_violation(Rule.NO_LOST_TASK, step, "was confirmed, and the ledger forgot it"))
        if count and step[0] == "submit" and step[1] not in states:
            violations.append(_violation(Rule.NO_LOST_TASK, step, "was confirmed, and the task is gone"))
    return violations


def _violation(rule: Rule, step: tuple[str, str, int, str], what: str) -> Violation:
    did, task_id, fence, stage = step
    return Violation(rule, task_id, 0.0, "", f"{did} of {task_id} under fence {fence} to {stage} {what}")
