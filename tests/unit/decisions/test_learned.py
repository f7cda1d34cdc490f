"""Learned risk: what it looks at, where it starts, what it learns, and how it explains itself."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.decisions import FiveFactorRisk, LearnedRisk, lines_of, measures_of
from autodev_lab.decisions.measures import WORDS
from autodev_lab.records import (
    Change,
    Edit,
    Evidence,
    Inspection,
    Label,
    LabelSource,
    Plan,
    Review,
    Suspect,
    Task,
    TaskKind,
    TestReport,
)
from autodev_lab.testing import check_risk_model


def _evidence(diff="-x = a\n+x = b\n", *, evaluations=3, suspects=(), failing=1, edits=None, **task):
    edits = edits or (Edit("m.py", 4, 5, "x = b\n"),)
    change = Change("t", edits, f"--- a/m.py\n+++ b/m.py\n@@ -4 +4 @@\n{diff}", "repair", ("swap",), evaluations)
    return Evidence(
        Task("t", "toolz", TaskKind.INJECTED, "a test fails", **task),
        change,
        Plan("t", tuple(suspects), 2.5, 10, (), failing),
        TestReport("t", 5, (), 2, 2),
        Review("t", True, 9.0, (), Inspection("t", 0, 0, 0, 3, 3, 1, 2, 1, 0, 0, 4)),
    )


@pytest.mark.parametrize(
    ("diff", "measure", "value"),
    [
        ("-x = a\n+x = b\n", "deletes_only", 0.0),
        ("-x = a\n", "deletes_only", 1.0),
        ("-x = a\n+pass\n", "deletes_only", 1.0),
        ("+x = a\n", "deletes_only", 0.0),
        ("-x = a\n+    return x\n", "early_exit", 1.0),
        ("-    return x\n+    return y\n", "early_exit", 0.0),
        ("+if a:\n+    raise ValueError\n+    break\n", "early_exit", 2.0),
        ("-returned = 1\n+returned = 1\n", "early_exit", 0.0),
        ("-if a > 0:\n+if True:\n", "new_literals", 1.0),
        ("-if a > 0:\n+if 0 < a:\n", "new_literals", 0.0),
        ("-x = a1\n+x = a2\n", "new_literals", 0.0),
        ("-x = y\n+x = 'what the test wants'\n", "new_literals", 1.0),
    ],
)
def test_what_a_diff_tells(diff, measure, value):
    assert measures_of(_evidence(diff))[measure] == value


def test_where_the_change_lies_is_looked_up_among_the_suspects():
    suspects = (Suspect("m.py", 9, 1.0), Suspect("m.py", 5, 0.5), Suspect("other.py", 4, 0.9))
    seen = measures_of(_evidence(suspects=suspects, failing=2))
    assert seen["suspiciousness"] == 0.5
    assert seen["tests_through"] == pytest.approx(math.log1p(2 / 0.25))
    nowhere = measures_of(_evidence(suspects=suspects[:1]))
    assert (nowhere["suspiciousness"], nowhere["tests_through"]) == (0.0, 0.0)
    inserted = _evidence(suspects=suspects, edits=(Edit("m.py", 9, 8, "y = 1\n"),))
    assert measures_of(inserted)["suspiciousness"] == 1.0


def test_tests_through_is_exact_when_every_failing_test_executes_the_line():
    failed, passed = 3, 9
    score = failed / math.sqrt(failed * (failed + passed))
    seen = measures_of(_evidence(suspects=(Suspect("m.py", 4, score),), failing=failed))
    assert math.expm1(seen["tests_through"]) == pytest.approx(failed + passed)


def test_counts_are_logarithms_and_history_counts():
    seen = measures_of(replace(_evidence(evaluations=7, depth=1), reworks=2))
    assert math.expm1(seen["evaluations"]) == pytest.approx(7)
    assert math.expm1(seen["lines_changed"]) == pytest.approx(3) and lines_of(_evidence()) == 3
    assert (seen["reworks"], seen["spread"], seen["edits"]) == (3.0, 2.5, 0.0)


@given(st.text(max_size=200), st.integers(0, 10**6))
def test_any_diff_gives_every_measure(diff, evaluations):
    seen = measures_of(_evidence(diff, evaluations=evaluations))
    assert set(seen) == set(WORDS)
    assert all(math.isfinite(value) for value in seen.values())


def test_it_keeps_the_contract():
    check_risk_model(LearnedRisk)


def test_it_starts_at_the_published_formula_and_leaves_it_by_degrees():
    evidence = _evidence()
    published = FiveFactorRisk().assess(evidence)
    model, slow = LearnedRisk(), LearnedRisk(prior_labels=1e9)
    start = model.assess(evidence)
    assert start.risk == published.risk
    assert "no outcomes yet" in start.reason
    for number in range(30):
        for one in (model, slow):
            one.learn(_label(number, one.assess(evidence), success=False))
    held = FiveFactorRisk()
    for number in range(30):
        held.learn(_label(number, start, success=False))
    assert slow.assess(evidence).risk == pytest.approx(held.assess(evidence).risk, abs=1e-5)
    assert model.assess(evidence).risk > held.assess(evidence).risk + 0.2


def _label(number, score, *, success, patterns=("swap",)):
    return Label(f"t{number}", "toolz", score.factors, score.risk, success, LabelSource.PERSON, 1.0, patterns)


def _taught(n=150, seed=0):
    """Changes found late are wrong more often; nothing else is informative."""
    rng, model = np.random.default_rng(seed), LearnedRisk()
    for number in range(n):
        late = bool(rng.random() < 0.5)
        score = model.assess(_evidence(evaluations=50 if late else 2, failing=int(rng.integers(1, 5))))
        model.learn(_label(number, score, success=bool(rng.random() < (0.4 if late else 0.9))))
    return model


def test_it_learns_what_tells_wrong_from_right_and_says_so():
    model = _taught()
    late, early = (model.assess(_evidence(evaluations=count)) for count in (50, 2))
    assert late.risk > early.risk + 0.1
    assert "candidates tried before this one" in late.reason and "raises" in late.reason
    assert "lowers" in early.reason
    name, weight = model.explained[0]
    assert name == "evaluations" and weight > 0


def test_a_record_of_failures_follows_the_pattern():
    model = LearnedRisk()
    for number in range(4):
        score = model.assess(_evidence())
        model.learn(_label(number, score, success=number % 2 == 0, patterns=("swap",) if number % 2 else ("other",)))
    assert model.assess(_evidence()).factors["pattern_failures"] == pytest.approx(3 / 4)


def test_changes_unlike_any_before_are_not_extrapolated_to():
    model = _taught()
    far, farther = (model.assess(_evidence(evaluations=count)).risk for count in (10**5, 10**9))
    assert far == farther < 1.0


def test_production_that_sees_little_is_not_taken_at_its_word():
    """The same labels, by a check that misses half of the defects and by one that misses none of many."""
    shown = {}
    for source in LabelSource:
        model = LearnedRisk()
        for number in range(60):
            score = model.assess(_evidence(evaluations=2))
            label = replace(_label(number, score, success=number % 5 != 0), source=source)
            model.learn(label)
        shown[source] = model.assess(_evidence(evaluations=2)).risk
    assert shown[LabelSource.PRODUCTION] > shown[LabelSource.PERSON] + 0.05
