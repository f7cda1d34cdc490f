"""The pattern library: a fold over a memory's log, shared exactly when the memory is."""

from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.learning import PatternLibrary
from autodev_lab.memory import InMemoryMemory
from autodev_lab.records import Change, Outcome, PatternRecord, PatternTrial, Stage, Task, TaskKind

TASK = Task("t1", "toolz", TaskKind.INJECTED, "a test fails")

trials = st.lists(
    st.builds(PatternTrial, st.sampled_from(["negate", "offset", "swap"]), st.integers(1, 9), st.integers(0, 1)),
    max_size=4,
    unique_by=lambda trial: trial.pattern,
)


def _outcome(success, patterns=("negate",)):
    change = Change("t1", (), "", "repair", patterns)
    stage = Stage.HEALTHY if success else Stage.ROLLED_BACK
    return Outcome("t1", stage, True, success, change, None)


@given(st.lists(trials, max_size=8))
def test_counts_add_up_whatever_the_order_of_reading(attempts):
    eager, lazy = InMemoryMemory(), InMemoryMemory()
    reading, waiting = PatternLibrary(eager), PatternLibrary(lazy)
    for attempt in attempts:
        reading.observe(TASK, attempt, agent_id="d", at=0.0)
        reading.records()
        waiting.observe(TASK, attempt, agent_id="d", at=0.0)
    assert dict(reading.records()) == dict(waiting.records())
    for pattern in ("negate", "offset", "swap"):
        tries = sum(trial.tries for attempt in attempts for trial in attempt if trial.pattern == pattern)
        record = reading.records().get(pattern)
        assert (record.tries if record else 0) == tries


def test_libraries_share_exactly_when_memories_do():
    shared, own = InMemoryMemory(), InMemoryMemory()
    writer, reader, hermit = PatternLibrary(shared), PatternLibrary(shared), PatternLibrary(own)
    writer.observe(TASK, [PatternTrial("negate", 2, 1)], agent_id="d1", at=0.0)
    assert reader.records()["negate"] == PatternRecord("negate", 1.0, 2.0)
    assert dict(hermit.records()) == {}


def test_a_rollback_takes_the_success_back_and_health_does_not():
    library = PatternLibrary(InMemoryMemory())
    library.observe(TASK, [PatternTrial("negate", 2, 1)], agent_id="d", at=0.0)
    library.settle(_outcome(True), agent_id="d", at=1.0)
    assert library.records()["negate"].successes == 1.0
    library.settle(_outcome(False), agent_id="d", at=2.0)
    assert library.records()["negate"] == PatternRecord("negate", 0.0, 2.0)


def test_successes_never_become_negative():
    library = PatternLibrary(InMemoryMemory())
    library.settle(_outcome(False), agent_id="d", at=0.0)
    assert library.records()["negate"].successes == 0.0
