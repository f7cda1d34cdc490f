"""Contract suite for pattern learners: what is learned lives in the memory, and only there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autodev_lab.protocols import Memory, PatternLearner
from autodev_lab.records import Change, Edit, Outcome, PatternRecord, PatternTrial, Stage, Task, TaskKind

__all__ = ["check_learner"]

_TASK = Task("t", "package", TaskKind.SYNTHETIC, "a test fails")


def check_learner(make: Callable[[Memory], PatternLearner], memory: Callable[[], Memory]) -> None:
    """Check that a learner keeps its promises.

    Parameters
    ----------
    make
        Makes a learner on a memory.
    memory
        Makes an empty memory.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from autodev_lab.learning import PatternLibrary
    >>> from autodev_lab.memory import InMemoryMemory
    >>> check_learner(PatternLibrary, InMemoryMemory)
    """
    shared = memory()
    one, other, alone = make(shared), make(shared), make(memory())
    assert not one.records(), "a learner on an empty memory must know nothing"
    for _ in range(5):
        _observe(one, PatternTrial("good", 2, 1), PatternTrial("bad", 4, 0))
    known = dict(one.records())
    assert set(known) == {"good", "bad"}, f"records must name the patterns that were tried, not {sorted(known)}"
    _check_weights(known)
    assert _rate(known["good"]) > _rate(known["bad"]), "a pattern that worked must look better than one that did not"
    assert dict(other.records()) == known, "two learners that share a memory must know the same"
    assert not alone.records(), "a learner with a memory of its own must not know what others learned"
    assert dict(make(shared).records()) == known, "a learner made later must know what the memory holds"

    before = _rate(known["good"])
    other.settle(_outcome(False), agent_id="b", at=1.0)
    after = dict(one.records())
    _check_weights(after)
    assert _rate(after["good"]) <= before, "a rollback must not make the pattern of its change look better"
    for _ in range(20):
        one.settle(_outcome(False), agent_id="a", at=2.0)
    _check_weights(one.records())


def _observe(learner: PatternLearner, *trials: PatternTrial) -> None:
    learner.observe(_TASK, trials, agent_id="a", at=0.0)


def _outcome(success: bool) -> Outcome:
    change = Change("t", (Edit("m.py", 1, 1, "x\n"),), "", "solver", ("good",), 1)
    return Outcome("t", Stage.HEALTHY if success else Stage.ROLLED_BACK, True, success, change, None)


def _check_weights(records: Mapping[str, PatternRecord]) -> None:
    for name, record in records.items():
        assert record.pattern == name, f"the record of {name!r} names {record.pattern!r}"
        assert 0.0 <= record.successes <= record.tries, (
            f"successes must lie between 0 and tries, but {name!r} has {record.successes} of {record.tries}"
        )


def _rate(record: PatternRecord) -> float:
    return record.successes / record.tries if record.tries else 0.0
