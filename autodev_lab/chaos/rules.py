"""The checker: holds the history of a ledger, and the states it ended in, against what the protocol promises.

It shares no code with the ledgers: what it knows of the protocol is the workflow table and the rules below, so that a
mistake in `autodev_lab.ledger.transition` cannot hide itself. `autodev_lab.chaos.model` holds the same history against
the transition, as a second opinion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from autodev_lab.chaos.history import Call, Pending, Request, Take
from autodev_lab.ledger.transition import Answer, Complete, Fail, Renew, Submit
from autodev_lab.records import Claim, Stage, StageResult, Task, TaskState
from autodev_lab.workflow import NEXT_STAGES, ROLE_OF_STAGE, TERMINAL_STAGES, answered

__all__ = ["Rule", "Violation", "check_history"]


class Rule(StrEnum):
    """What the protocol promises."""

    MUTUAL_EXCLUSION = "mutual exclusion"
    EFFECT_ONCE = "effect once"
    STAGE_ORDER = "stage order"
    NO_LOST_TASK = "no lost task"
    DEAD_LETTER = "dead letter only after all tries"
    DEPENDENCIES = "dependencies first"
    PROGRESS = "progress once faults stop"
    TRANSITION = "answers as the transition has them"


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was not kept.

    Parameters
    ----------
    rule
        Which.
    task_id, agent_id
        Of which task, and by whom.
    at
        When, in seconds of the ledger's clock.
    sentence
        What happened.
    call
        Place in the history of the call that broke it; None when only the end shows it.
    """

    rule: Rule
    task_id: str
    at: float
    agent_id: str
    sentence: str
    call: int | None = None


def check_history(
    history: Sequence[Call], states: Iterable[TaskState], ended_at: float, *, max_tries: int
) -> tuple[Violation, ...]:
    """Check all promises.

    Parameters
    ----------
    history
        Every call, in the order in which the ledger carried them out.
    states
        What the ledger says of all tasks at the end.
    ended_at
        When that was. Faults had stopped long enough before for every task to have ended.
    max_tries
        Tries that make a dead letter.

    Returns
    -------
    tuple of Violation
        In the order in which the history shows them.
    """
    checker = _Checker(max_tries, ended_at, {state.task.id: state for state in states})
    for place, call in enumerate(history):
        reply = call.reply
        if (reply is None and type(call.request) is not Take) or type(reply) is Claim or reply is Pending.PENDING:
            checker.hear(place, call)
    checker.end()
    return tuple(checker.violations)


@dataclass(slots=True)
class _Known:
    """What the history has shown of one task so far."""

    stage: Stage = Stage.FETCHED
    fence: int = 0
    holder: str = ""
    expires_at: float = 0.0
    held: bool = False
    tries: int = 0
    mover: str = "whoever submitted it"
    after: tuple[str, ...] = ()
    done: list[tuple[Stage, object]] = field(default_factory=list)


class _Checker:
    """One pass over a history."""

    def __init__(self, max_tries: int, ended_at: float, states: dict[str, TaskState]) -> None:
        self.violations: list[Violation] = []
        self._max_tries = max_tries
        self._ended_at = ended_at
        self._states = states
        self._known: dict[str, _Known] = {}
        self._place: int | None = None
        self._at = 0.0

    def _broken(self, rule: Rule, task_id: str, agent_id: str, sentence: str) -> None:
        self.violations.append(Violation(rule, task_id, self._at, agent_id, sentence, self._place))

    # ------------------------------------------------------------------------------------ during the history

    def hear(self, place: int, call: Call) -> None:
        """Take note of a call that may have taken effect."""
        self._place, self._at = place, call.at
        request, reply = call.request, call.reply
        if reply is Pending.PENDING and not self._took_effect(request):
            return
        match request:
            case Take():
                if isinstance(reply, Claim):
                    self._granted(reply)
            case Submit(task, after):
                self._submitted(task, call.caller, after)
            case Renew(task_id, fence, agent_id):
                known = self._holding(task_id, fence, agent_id, "renewed")
                if known is not None and isinstance(reply, Claim):
                    known.expires_at = reply.lease.expires_at
            case Complete():
                self._completed(request)
            case Fail(task_id, fence, agent_id):
                known = self._holding(task_id, fence, agent_id, "gave up")
                if known is not None:
                    known.held = False
                    known.tries += 1
            case Answer(answer):
                self._answered(answer.task_id, call.caller, answer.approve, answer)

    def _took_effect(self, request: Request) -> bool:
        """Whether a call without an answer shows in the states at the end."""
        if isinstance(request, Submit):
            return request.task.id in self._states
        if not isinstance(request, Complete | Answer) or request.task_id not in self._states:
            return False
        result = request.result if isinstance(request, Complete) else request.answer
        return any(
            entry.result is not None and entry.result == result for entry in _history(self._states[request.task_id])
        )

    def _submitted(self, task: Task, agent_id: str, after: tuple[str, ...] = ()) -> None:
        if task.id in self._known:
            self._broken(
                Rule.EFFECT_ONCE,
                task.id,
                agent_id,
                f"{task.id} was accepted as a new task a second time, from {agent_id}",
            )
        self._known[task.id] = _Known(after=after)

    def _granted(self, claim: Claim) -> None:
        lease, task_id = claim.lease, claim.task.id
        known = self._known.get(task_id)
        if known is None:
            self._broken(
                Rule.NO_LOST_TASK,
                task_id,
                lease.agent_id,
                f"{lease.agent_id} was given {task_id}, which nobody submitted",
            )
            return
        if lease.fence <= known.fence:
            self._broken(
                Rule.MUTUAL_EXCLUSION,
                task_id,
                lease.agent_id,
                f"{lease.agent_id} was given {task_id} under fence {lease.fence}, but {known.holder} had {known.fence}",
            )
        elif known.held and self._at < known.expires_at:
            self._broken(
                Rule.MUTUAL_EXCLUSION,
                task_id,
                lease.agent_id,
                f"{lease.agent_id} was given {task_id} while {known.holder} held it until {known.expires_at:.2f}",
            )
        if claim.state.stage is not known.stage or ROLE_OF_STAGE.get(known.stage) is not lease.role:
            was = f"{known.mover} had brought it to {known.stage}"
            self._broken(
                Rule.STAGE_ORDER,
                task_id,
                lease.agent_id,
                f"{task_id} was given to the {lease.role} {lease.agent_id} as {claim.state.stage}, but {was}",
            )
        for waited_for in known.after:
            if self._healthy(waited_for):
                continue
            self._broken(
                Rule.DEPENDENCIES,
                task_id,
                lease.agent_id,
                f"{lease.agent_id} was given {task_id}, which waits for {waited_for}, and that is not healthy yet",
            )
            break
        if known.held:
            known.tries += 1  # the lease before ran out
        known.fence, known.holder, known.held = lease.fence, lease.agent_id, True
        known.expires_at = lease.expires_at

    def _healthy(self, task_id: str) -> bool:
        """Whether a task, or the follow-up that took its place, was closed as healthy."""
        known = self._known.get(task_id)
        if known is None or known.stage is Stage.HEALTHY:
            return known is not None
        return known.stage in TERMINAL_STAGES and self._healthy(_follow_up(task_id))

    def _holding(self, task_id: str, fence: int, agent_id: str, did: str) -> _Known | None:
        """What is known of a task for its holder; who acts on it without holding it breaks mutual exclusion."""
        known = self._known.get(task_id)
        if known is None:
            self._broken(Rule.NO_LOST_TASK, task_id, agent_id, f"{agent_id} {did} {task_id}, which nobody submitted")
            return None
        if fence != known.fence or agent_id != known.holder:
            self._broken(
                Rule.MUTUAL_EXCLUSION,
                task_id,
                agent_id,
                f"{agent_id} {did} {task_id} under fence {fence}, but the newest is {known.fence} of {known.holder}",
            )
        elif not known.held:
            self._broken(
                Rule.EFFECT_ONCE, task_id, agent_id, f"{agent_id} {did} {task_id} under fence {fence} a second time"
            )
        elif self._at >= known.expires_at:
            self._broken(
                Rule.MUTUAL_EXCLUSION,
                task_id,
                agent_id,
                f"{agent_id} {did} {task_id} though its lease ran out at {known.expires_at:.2f}",
            )
        return known

    def _completed(self, request: Complete) -> None:
        known = self._holding(request.task_id, request.fence, request.agent_id, "completed")
        if known is None:
            return
        self._advanced(known, request.task_id, request.agent_id, request.stage, request.result)
        if request.follow_up is not None:
            self._submitted(request.follow_up, request.agent_id)

    def _answered(self, task_id: str, agent_id: str, approve: bool, answer: object) -> None:
        known = self._known.get(task_id)
        if known is None:
            self._broken(Rule.NO_LOST_TASK, task_id, agent_id, f"{agent_id} answered {task_id}, which nobody submitted")
            return
        before = known.done[-2][0] if len(known.done) > 1 else known.stage
        self._advanced(known, task_id, agent_id, answered(before, approve), answer)

    def _advanced(self, known: _Known, task_id: str, agent_id: str, stage: Stage, result: object) -> None:
        if stage not in NEXT_STAGES.get(known.stage, ()):
            self._broken(
                Rule.STAGE_ORDER, task_id, agent_id, f"{agent_id} brought {task_id} from {known.stage} to {stage}"
            )
        known.stage, known.mover, known.held, known.tries = stage, agent_id, False, 0
        known.done.append((stage, result))

    # ------------------------------------------------------------------------------------------- at the end

    def end(self) -> None:
        """Hold the states at the end against what the history promised."""
        self._place, self._at = None, self._ended_at
        for task_id, known in self._known.items():
            state = self._states.get(task_id)
            if state is None:
                self._broken(Rule.NO_LOST_TASK, task_id, "", f"{task_id} was accepted, but the ledger does not know it")
            else:
                self._ended(task_id, known, state)
        for task_id in self._states.keys() - self._known.keys():
            self._broken(Rule.EFFECT_ONCE, task_id, "", f"the ledger holds {task_id}, which nobody submitted")

    def _given_up(self, task_id: str, known: _Known) -> None:
        """A task was abandoned because of one that it waited for: one of them must have ended otherwise."""
        if known.fence or not any(self._failed(name) for name in known.after):
            self._broken(
                Rule.DEPENDENCIES,
                task_id,
                "",
                f"{task_id} was abandoned because of what it waits for, {', '.join(known.after)}, but none has failed",
            )

    def _failed(self, task_id: str) -> bool:
        """Whether a task ended otherwise than healthy and nothing took its place, or what did failed, too."""
        state, follow_up = self._states.get(task_id), _follow_up(task_id)
        if state is None or state.stage not in TERMINAL_STAGES or state.stage is Stage.HEALTHY:
            return False
        return follow_up not in self._states or self._failed(follow_up)

    def _ended(self, task_id: str, known: _Known, state: TaskState) -> None:
        entries = _history(state)
        if known.after and entries and state.stage is Stage.ABANDONED and entries[-1].result is None:
            self._given_up(task_id, known)
            entries = entries[:-1]
        shown = [(entry.stage, entry.result) for entry in entries]
        if shown != known.done:
            self._broken(
                Rule.EFFECT_ONCE,
                task_id,
                "",
                f"{task_id} went through {_named(shown)}, but what was reported and accepted is {_named(known.done)}",
            )
        if state.stage is Stage.DEAD_LETTER:
            tries = known.tries + known.held
            if tries < self._max_tries or known.stage in TERMINAL_STAGES or known.stage is Stage.ESCALATED:
                self._broken(
                    Rule.DEAD_LETTER,
                    task_id,
                    known.holder,
                    f"{task_id} became a dead letter at {known.stage} after {tries} of {self._max_tries} tries",
                )
        elif state.stage not in TERMINAL_STAGES:
            lease = state.lease
            held = "nobody holds it" if lease is None else f"{lease.agent_id} holds it until {lease.expires_at:.2f}"
            self._broken(
                Rule.PROGRESS,
                task_id,
                "" if lease is None else lease.agent_id,
                f"{task_id} is still {state.stage} at {self._ended_at:.0f}, long after the last fault, and {held}",
            )


def _follow_up(task_id: str) -> str:
    """Id of the task that may follow a task up."""
    root, _, depth = task_id.partition("~")
    return f"{root}~{int(depth or 0) + 1}"


def _history(state: TaskState) -> Sequence[StageResult]:
    """What was completed of a task, without the ledger's own mark of a dead letter."""
    history = state.history
    return history[:-1] if history and history[-1].stage is Stage.DEAD_LETTER else history


def _named(steps: Iterable[tuple[Stage, object]]) -> str:
    return " → ".join(stage.value for stage, _ in steps) or "nothing"
