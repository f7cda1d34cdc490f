"""How a run reads: virtual time, who, what, the answer, and the place where a rule broke."""

from __future__ import annotations

from collections.abc import Iterator

from autodev_lab.chaos.history import Call, Pending, Reply, Request, Sweep, Take
from autodev_lab.chaos.world import Incident, ScheduleRun
from autodev_lab.ledger.transition import Answer, Complete, Fail, Renew, Submit
from autodev_lab.records import Claim, Refusal

__all__ = ["timeline"]


def timeline(run: ScheduleRun, *, everything: bool = False) -> Iterator[str]:
    """Lines that tell a run in order.

    Parameters
    ----------
    run
        What to tell.
    everything
        Also tell of looks that found nothing and of leases renewed in time.
    """
    broken = {violation.call: violation for violation in reversed(run.violations)}
    incidents = list(run.incidents)
    for place, call in enumerate(run.history):
        while incidents and incidents[0].place <= place:
            yield _incident(incidents.pop(0))
        if everything or place in broken or _tells(call):
            told = f"{_asked(call.request):<44} {_answered(call.reply, call.request)}"
            yield f"{call.at:>9.2f} s  {call.caller:<16} {told}"
        if place in broken:
            yield _mark(broken[place].rule, broken[place].sentence)
    for incident in incidents:
        yield _incident(incident)
    yield f"{run.ended_at:>9.2f} s  {'the end':<16} " + "; ".join(
        f"{state.task.id} {state.stage}" for state in run.states
    )
    if None in broken:
        yield _mark(broken[None].rule, broken[None].sentence)


def _tells(call: Call) -> bool:
    """Whether a call is part of the story: idle looks and timely renewals are not."""
    if isinstance(call.request, Take | Sweep):
        return bool(call.reply)
    return not (isinstance(call.request, Renew) and isinstance(call.reply, Claim))


def _incident(incident: Incident) -> str:
    return f"{incident.at:>9.2f} s  {incident.who:<16} * {incident.what}"


def _mark(rule: str, sentence: str) -> str:
    return f"{'':>13}>>> {rule}: {sentence}"


def _asked(request: Request) -> str:
    match request:
        case Submit(task):
            return f"submits {task.id}"
        case Take(role):
            return f"asks for work as {role}"
        case Renew(task_id, fence):
            return f"renews {task_id} under fence {fence}"
        case Complete(task_id, fence, _, stage, _, follow_up):
            more = "" if follow_up is None else f", then {follow_up.id}"
            return f"completes {task_id} under fence {fence}: {stage}{more}"
        case Fail(task_id, fence):
            return f"gives up {task_id} under fence {fence}"
        case Answer(answer):
            return f"answers {answer.task_id}: {'yes' if answer.approve else 'no'}"
        case Sweep():
            return "frees what ran out"


def _answered(reply: Reply, request: Request) -> str:
    if isinstance(reply, Claim):
        return f"{reply.task.id} ({reply.state.stage}), fence {reply.lease.fence} until {reply.lease.expires_at:.2f}"
    if isinstance(reply, Refusal):
        return f"refused: {reply.reason}"
    if isinstance(reply, Pending):
        return reply.value
    if reply is None:
        return "nothing waits" if isinstance(request, Take) else "done"
    return f"{reply} lease(s)"
