"""The pattern library: a fold over a memory's log, shared exactly when the memory is."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.learning import FrozenPatterns, PatternLibrary
from autodev_lab.learning.exchange import PatternFile
from autodev_lab.memory import InMemoryMemory
from autodev_lab.pattern_rates import RatePrior
from autodev_lab.records import (
    Change,
    ContextTally,
    Outcome,
    PatternContext,
    PatternRecord,
    PatternTrial,
    Stage,
    Task,
    TaskKind,
)
from autodev_lab.testing import check_frozen_learner, check_learner

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


def test_a_change_that_is_refused_gives_its_success_back_and_is_counted_as_harmful():
    library = PatternLibrary(InMemoryMemory())
    library.observe(TASK, [PatternTrial("negate", 2, 1)], agent_id="d", at=0.0)
    library.settle(_outcome(False), agent_id="d", at=1.0)
    assert library.records()["negate"] == PatternRecord("negate", 0.0, 2.0, harmful=1.0)


def test_a_change_that_lasts_keeps_its_success_and_is_counted_as_helpful():
    library = PatternLibrary(InMemoryMemory())
    library.observe(TASK, [PatternTrial("negate", 2, 1)], agent_id="d", at=0.0)
    library.settle(_outcome(True), agent_id="d", at=1.0)
    assert library.records()["negate"] == PatternRecord("negate", 1.0, 2.0, helpful=1.0)


def test_where_nothing_was_shown_nothing_is_counted():
    library = PatternLibrary(InMemoryMemory())
    library.observe(TASK, [PatternTrial("negate", 2, 1)], agent_id="d", at=0.0)
    library.settle(_outcome(None), agent_id="d", at=1.0)
    assert library.records()["negate"] == PatternRecord("negate", 1.0, 2.0)


def test_a_success_that_was_never_seen_is_not_taken_back():
    library = PatternLibrary(InMemoryMemory())
    library.settle(_outcome(False), agent_id="d", at=0.0)
    library.observe(TASK, [PatternTrial("negate", 4, 1)], agent_id="d", at=1.0)
    assert library.records()["negate"] == PatternRecord("negate", 1.0, 4.0, harmful=1.0)


def test_a_success_is_taken_back_where_it_was_made():
    library = PatternLibrary(InMemoryMemory())
    here, there = PatternContext("If", "TypeError", "first"), PatternContext("Return", "TypeError", "later")
    trial = PatternTrial("negate", 5, 1, (ContextTally(there, 0, 3), ContextTally(here, 1, 2)))
    library.observe(TASK, [trial], agent_id="d", at=0.0)
    assert library.records()["negate"].contexts == (ContextTally(here, 1.0, 2.0), ContextTally(there, 0.0, 3.0))
    library.settle(_outcome(False), agent_id="d", at=1.0)
    assert library.records()["negate"].contexts == (ContextTally(here, 0.0, 2.0), ContextTally(there, 0.0, 3.0))


# ------------------------------------------------------------------------------------------------------- the fold

words = st.text(st.characters(codec="utf-8"), max_size=6)
contexts = st.one_of(
    st.builds(PatternContext, st.sampled_from(["If", "Return"]), st.just("TypeError"), st.sampled_from(["first", ""])),
    st.builds(PatternContext, words, words, words),
)


@st.composite
def located_trials(draw):
    """Trials of an attempt whose contexts add up to no more than the trial."""
    found = []
    for pattern in draw(st.lists(st.one_of(st.sampled_from(["negate", "swap"]), words), max_size=3, unique=True)):
        places = draw(st.lists(contexts, max_size=3, unique=True))
        tallies = []
        for place in places:
            tries = draw(st.integers(1, 5))
            tallies.append(ContextTally(place, draw(st.integers(0, tries)), tries))
        elsewhere = draw(st.integers(0, 3))
        tries = sum(int(tally.tries) for tally in tallies) + elsewhere
        successes = sum(int(tally.successes) for tally in tallies) + draw(st.integers(0, elsewhere))
        if tries:
            found.append(PatternTrial(pattern, tries, successes, tuple(tallies)))
    return found


@st.composite
def shifts(draw):
    """What several agents do, each on tasks of its own: attempts, and what became of the last change."""
    agents = []
    for name in ("a", "b", "c"):
        moves = []
        for number in range(draw(st.integers(0, 3))):
            task = Task(f"{name}{number}", "toolz", TaskKind.INJECTED, "a test fails")
            tried = draw(located_trials())
            moves.append((name, task, tried, None))
            won = tuple(trial.pattern for trial in tried if trial.successes)[:1]
            if won:
                moves.append((name, task, [], (won, draw(st.sampled_from([True, False, None])))))
        agents.append(moves)
    return agents


def _play(moves, half_life=None):
    memory = InMemoryMemory()
    libraries = {}
    for name, task, tried, shown in moves:
        library = libraries.setdefault(name, PatternLibrary(memory, half_life=half_life))
        if shown is None:
            library.observe(task, tried, agent_id=name, at=0.0)
        else:
            change = Change(task.id, (), "", "repair", shown[0])
            library.settle(Outcome(task.id, Stage.HEALTHY, True, shown[1], change, None), agent_id=name, at=0.0)
        if len(moves) % 2:
            library.records()
    return libraries, PatternLibrary(memory, half_life=half_life)


@given(shifts(), st.randoms(use_true_random=False))
def test_any_interleaving_of_several_agents_gives_the_same_records(agents, random):
    one_after_another = [move for moves in agents for move in moves]
    left = [list(moves) for moves in agents if moves]
    mixed = []
    while left:
        moves = random.choice(left)
        mixed.append(moves.pop(0))
        left = [moves for moves in left if moves]
    assert dict(_play(mixed)[1].records()) == dict(_play(one_after_another)[1].records())


@given(shifts(), st.sampled_from([None, 0.5, 7.0]))
def test_all_who_share_a_memory_know_the_same_and_weights_are_possible(agents, half_life):
    libraries, late = _play([move for moves in agents for move in moves], half_life)
    known = dict(late.records())
    for library in libraries.values():
        assert dict(library.records()) == known
    for record in known.values():
        assert 0 <= record.successes <= record.tries
        assert sum(tally.tries for tally in record.contexts) <= record.tries * (1 + 1e-9)
        assert all(0 <= tally.successes <= tally.tries for tally in record.contexts)


# -------------------------------------------------------------------------------------------------------- fading


def _attempt(library, number, **tried):
    task = Task(f"t{number}", "toolz", TaskKind.INJECTED, "a test fails")
    trials = [PatternTrial(name, tries, successes) for name, (tries, successes) in tried.items()]
    library.observe(task, trials, agent_id="d", at=float(number))
    return task


def test_evidence_counts_half_after_the_half_life():
    library = PatternLibrary(InMemoryMemory(), half_life=4)
    _attempt(library, 0, negate=(8, 1))
    for number in range(1, 5):
        _attempt(library, number, swap=(1, 0))
    assert library.records()["negate"].tries == pytest.approx(4.0)
    assert library.records()["negate"].successes == pytest.approx(0.5)


def test_a_success_that_has_faded_is_taken_back_at_what_is_left_of_it():
    library = PatternLibrary(InMemoryMemory(), half_life=4)
    _attempt(library, 0, negate=(8, 1))
    _attempt(library, 1, negate=(8, 1))
    for number in range(2, 6):
        _attempt(library, number, swap=(1, 0))
    change = Change("t0", (), "", "repair", ("negate",))
    library.settle(Outcome("t0", Stage.ROLLED_BACK, True, False, change, None), agent_id="d", at=9.0)
    assert library.records()["negate"].successes == pytest.approx(0.5)


def test_fading_helps_where_the_truth_turns_round():
    """Two patterns, one of which works; after 300 tasks it is the other."""

    def hits(half_life):
        rng = np.random.default_rng(5)
        library = PatternLibrary(InMemoryMemory(), half_life=half_life)
        count = 0
        for number in range(600):
            rates = RatePrior().of(library.records())
            # one try in ten goes to the other one, as a search that fails with the best goes on to the next
            first, second = sorted(("a", "b"), key=lambda name: (-rates.rate(name), name))
            chosen = second if rng.random() < 0.1 else first
            works = rng.random() < (0.5 if (chosen == "a") == (number < 300) else 0.05)
            count += works and number >= 300
            _attempt(library, number, **{chosen: (1, int(works))})
        return count

    assert hits(50) > hits(None) + 40


@pytest.mark.parametrize("half_life", [0, -3, math.nan, math.inf])
def test_a_half_life_must_count_attempts(half_life):
    with pytest.raises(LabError, match="half_life is"):
        PatternLibrary(InMemoryMemory(), half_life=half_life)


# ------------------------------------------------------------------------------------------------------ retrieval


def test_the_best_patterns_come_first_and_say_why():
    library = PatternLibrary(InMemoryMemory())
    _attempt(library, 0, negate=(10, 6), swap=(10, 1), wrap=(10, 3))
    first, second = library.retrieve(k=2)
    assert (first.pattern, second.pattern) == ("negate", "wrap")
    assert first.low < first.mean < first.high
    assert first.why.startswith("6 of 10 tries worked")


# ------------------------------------------------------------------------------------------------------- variants


def test_every_variant_keeps_the_promises_of_learners():
    check_learner(PatternLibrary, InMemoryMemory)
    check_learner(lambda memory: PatternLibrary(memory, half_life=30), InMemoryMemory, forgets=True)
    check_frozen_learner(FrozenPatterns)
    # what another library knows may be brought along as it is
    check_frozen_learner(lambda records: FrozenPatterns(PatternFile.of(records, "elsewhere").records()))
