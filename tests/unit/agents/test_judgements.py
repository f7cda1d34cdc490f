"""What agents conclude from evidence: the review, the estimate, the outcome, the follow-up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.agents.architect import complexity_of
from autodev_lab.agents.outcomes import outcome_of
from autodev_lab.agents.reviewer import review
from autodev_lab.records import (
    Attempt,
    Change,
    Inspection,
    Stage,
    StageResult,
    Suspect,
    Task,
    TaskKind,
    TaskState,
)
from autodev_lab.workflow import NEXT_STAGES, ROLE_OF_STAGE, TERMINAL_STAGES

CLEAN = {
    "lint": 0,
    "security": 0,
    "security_severe": 0,
    "complexity_before": 4,
    "complexity_after": 4,
    "lines_added": 1,
    "lines_removed": 1,
    "files": 1,
    "dependents": 0,
    "dependencies": 0,
    "modules": 3,
}


@pytest.mark.parametrize(
    ("finding", "word"),
    [
        ({"lint": 1}, "linter"),
        ({"security_severe": 1, "security": 1}, "security"),
        ({"complexity_after": 10}, "complexity"),
        ({"lines_added": 80}, "lines"),
    ],
)
def test_a_finding_sends_the_change_back_and_costs_quality(finding, word):
    clean, found = review(Inspection("t", **CLEAN)), review(Inspection("t", **(CLEAN | finding)))
    assert clean.approved and not clean.reasons
    assert not found.approved and word in found.reasons[0]
    assert found.quality < clean.quality


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 900))
def test_quality_stays_on_its_scale(lint, security, lines):
    quality = review(Inspection("t", **(CLEAN | {"lint": lint, "security": security, "lines_added": lines}))).quality
    assert 0.0 <= quality <= 10.0


@given(st.lists(st.floats(0, 1), max_size=60))
def test_complexity_stays_on_its_scale(scores):
    suspects = [Suspect("m.py", line, score) for line, score in enumerate(scores, 1)]
    assert 0.0 <= complexity_of(suspects) <= 10.0


def test_twice_as_many_equal_suspects_cost_one_point_more():
    few = [Suspect("m.py", line, 0.7) for line in range(1, 5)]
    many = [Suspect("m.py", line, 0.7) for line in range(1, 9)]
    assert complexity_of(many) - complexity_of(few) == pytest.approx(1.0)


def _state(stage, *stages):
    change = Change("t", (), "", "repair")
    history = tuple(
        StageResult(entry, "agent", 0.0, Attempt("t", change) if entry is Stage.PROPOSED else None) for entry in stages
    )
    return TaskState(Task("t", "toolz", TaskKind.INJECTED, "a test fails"), stage, history=history)


@pytest.mark.parametrize(
    ("stage", "stages", "deployed", "success"),
    [
        (Stage.HEALTHY, (Stage.PROPOSED, Stage.PRODUCTION), True, True),
        (Stage.ROLLED_BACK, (Stage.PROPOSED, Stage.PRODUCTION), True, False),
        (Stage.ROLLED_BACK, (Stage.PROPOSED, Stage.CANARY), False, False),
        (Stage.DECLINED, (Stage.PROPOSED,), False, False),
        (Stage.ABANDONED, (), False, None),
        (Stage.DEAD_LETTER, (), False, None),
    ],
)
def test_outcomes_hold_what_was_shown(stage, stages, deployed, success):
    outcome = outcome_of(_state(stage, *stages))
    assert (outcome.deployed, outcome.success) == (deployed, success)
    assert (outcome.change is not None) == (Stage.PROPOSED in stages)


@pytest.mark.parametrize("stage", sorted(set(Stage) - TERMINAL_STAGES))
def test_an_open_task_has_no_outcome(stage):
    assert outcome_of(_state(stage)) is None


def test_the_workflow_has_no_dead_ends_and_no_strangers():
    assert set(NEXT_STAGES) == set(ROLE_OF_STAGE)
    reached, frontier = {Stage.FETCHED}, [Stage.FETCHED]
    while frontier:
        for stage in NEXT_STAGES.get(frontier.pop(), ()):
            if stage not in reached:
                reached.add(stage)
                frontier.append(stage)
    assert reached == set(Stage) - {Stage.DEAD_LETTER}
