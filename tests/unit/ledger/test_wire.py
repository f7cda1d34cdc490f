"""Results on the wire: what was escalated and what expired comes back, and so does what an older lab wrote."""

from __future__ import annotations

import json

import pytest

from autodev_lab.ledger.wire import read_state, result_to_json, task_to_json
from autodev_lab.records import (
    Action,
    Decision,
    EscalationLevel,
    HumanAnswer,
    Result,
    RiskAssessment,
    Stage,
    Task,
    TaskKind,
)

SEEN = RiskAssessment("t", {"size": 0.5}, risk=0.4, confidence=0.9)
TASK = task_to_json(Task("t", "toolz", TaskKind.SYNTHETIC, "it fails"))
STATE = json.dumps(["declined", 5, 0, 0, "", "", 0, 0, 0])


def back(result: str) -> Result | None:
    entry = f'["escalated", "deployer-1", 3.0, {result}]'
    return read_state(TASK, STATE, [entry]).history[0].result


@pytest.mark.parametrize(
    "result",
    [
        Decision("t", Action.REQUEST_REVIEW, SEEN, "mine", ("why",), escalation=EscalationLevel.IMMEDIATE),
        Decision("t", Action.AUTO_DEPLOY, SEEN, "mine", ()),
        HumanAnswer("t", False, 60.0, 0.0, "nobody answered within 60 s", expired=True),
        HumanAnswer("t", True, 60.0, 5.0),
    ],
)
def test_what_is_written_is_read(result: Result) -> None:
    assert back(result_to_json(result)) == result


def test_what_an_older_lab_wrote_is_read() -> None:
    answer = HumanAnswer("t", True, 60.0, 5.0)
    fields = json.loads(result_to_json(answer))
    del fields["HumanAnswer"]["expired"]
    assert back(json.dumps(fields)) == answer
    assert read_state(TASK, STATE, []).stage is Stage.DECLINED
