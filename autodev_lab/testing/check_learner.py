"""Contract suites for pattern learners: what is learned lives in the memory and only there, or is frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autodev_lab.protocols import Memory, PatternLearner
from autodev_lab.records import (
    Change,
    ContextTally,
    Edit,
    Outcome,
    PatternContext,
    PatternRecord,
    PatternTrial,
    Stage,
    Task,
    TaskKind,
)

__all__ = ["check_frozen_learner", "check_learner"]

_TASK = Task("t", "package", TaskKind.SYNTHETIC, "a test fails")
_HERE = PatternContext("If", "TypeError", "first")
_GOOD = PatternTrial("good", 2, 1, (ContextTally(_HERE, 1, 1),))
_BAD = PatternTrial("bad", 4, 0)


def check_learner(
    make: Callable[[Memory], PatternLearner], memory: Callable[[], Memory], *, forgets: bool = False
) -> None:
    """Check that a learner keeps its promises.

    Parameters
    ----------
    make
        Makes a learner on a memory.
    memory
        Makes an empty memory.
    forgets
        Whether old evidence fades; if not, tries must never become fewer.

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
    _observe(one)
    assert not one.records(), "an attempt that tried nothing must change nothing"
    for _ in range(5):
        before = dict(one.records())
        _observe(one, _GOOD, _BAD)
        _check_growth(before, dict(one.records()), forgets)
    before = dict(one.records())
    _observe(one, _BAD)
    _check_growth(before, dict(one.records()), forgets)
    known = dict(one.records())
    assert set(known) == {"good", "bad"}, f"records must name the patterns that were tried, not {sorted(known)}"
    _check_weights(known)
    assert _rate(known["good"]) > _rate(known["bad"]), "a pattern that worked must look better than one that did not"
    assert dict(other.records()) == known, "two learners that share a memory must know the same"
    assert not alone.records(), "a learner with a memory of its own must not know what others learned"
    assert dict(make(shared).records()) == known, "a learner made later must know what the memory holds"
    _check_outcomes(one, other, forgets)
    assert dict(make(shared).records()) == dict(one.records()), "a learner made later must know of outcomes"


def _check_outcomes(one: PatternLearner, other: PatternLearner, forgets: bool) -> None:
    """What production shows is remembered for all who share the memory."""
    known = dict(one.records())
    other.settle(_outcome(None), agent_id="b", at=1.0)
    assert dict(one.records()) == known, "an outcome that showed nothing must change nothing"
    other.settle(_outcome(True), agent_id="b", at=1.0)
    lasted = dict(one.records())
    _check_weights(lasted)
    assert _rate(lasted["good"]) >= _rate(known["good"]), "a change that lasted must not make its pattern look worse"
    other.settle(_outcome(False), agent_id="b", at=1.0)
    refused = dict(one.records())
    _check_weights(refused)
    assert _rate(refused["good"]) <= _rate(lasted["good"]), "a rollback must not make its pattern look better"
    for _ in range(20):
        one.settle(_outcome(False), agent_id="a", at=2.0)
    _check_weights(one.records())
    _check_growth(known, dict(one.records()), forgets)


def check_frozen_learner(make: Callable[[Mapping[str, PatternRecord]], PatternLearner]) -> None:
    """Check that a learner knows what it was given, and never anything else.

    Parameters
    ----------
    make
        Makes a learner that brings some records.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from autodev_lab.learning import FrozenPatterns
    >>> check_frozen_learner(FrozenPatterns)
    """
    given = {"good": PatternRecord("good", 1.0, 3.0, contexts=(ContextTally(_HERE, 1.0, 2.0),))}
    growing = dict(given)
    learner = make(growing)
    assert dict(learner.records()) == given, "a frozen learner must know what it was given"
    growing["bad"] = PatternRecord("bad", 0.0, 9.0)
    assert dict(learner.records()) == given, "what its giver learns later must not reach a frozen learner"
    _observe(learner, _GOOD, _BAD)
    assert dict(learner.records()) == given, "an attempt must not change a frozen learner"
    for success in (True, False):
        learner.settle(_outcome(success), agent_id="a", at=1.0)
        assert dict(learner.records()) == given, "an outcome must not change a frozen learner"


def _observe(learner: PatternLearner, *trials: PatternTrial) -> None:
    learner.observe(_TASK, trials, agent_id="a", at=0.0)


def _outcome(success: bool | None) -> Outcome:
    change = Change("t", (Edit("m.py", 1, 1, "x\n"),), "", "solver", ("good",), 1)
    stage = {True: Stage.HEALTHY, False: Stage.ROLLED_BACK, None: Stage.ABANDONED}[success]
    return Outcome("t", stage, success is not None, success, change, None)


def _check_growth(before: Mapping[str, PatternRecord], after: Mapping[str, PatternRecord], forgets: bool) -> None:
    for name, record in before.items():
        assert name in after, f"the record of {name!r} was lost"
        assert forgets or after[name].tries >= record.tries, (
            f"tries of {name!r} fell from {record.tries} to {after[name].tries}"
        )


def _check_weights(records: Mapping[str, PatternRecord]) -> None:
    for name, record in records.items():
        assert record.pattern == name, f"the record of {name!r} names {record.pattern!r}"
        assert 0.0 <= record.successes <= record.tries, (
            f"successes must lie between 0 and tries, but {name!r} has {record.successes} of {record.tries}"
        )
        assert min(record.helpful, record.harmful) >= 0, f"{name!r} has fewer helpful or harmful changes than none"
        assert sum(tally.tries for tally in record.contexts) <= record.tries * (1 + 1e-9), (
            f"{name!r} has more tries in its contexts than in all"
        )


def _rate(record: PatternRecord) -> float:
    return record.successes / record.tries if record.tries else 0.0
