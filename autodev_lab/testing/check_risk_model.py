"""Contract suite for risk models: a bounded, repeatable, explained score that learns from labels alone."""

from __future__ import annotations

import math
from collections.abc import Callable

from autodev_lab.protocols import RiskModel
from autodev_lab.records import (
    Change,
    Edit,
    Evidence,
    Inspection,
    Label,
    LabelSource,
    Plan,
    Review,
    RiskScore,
    Suspect,
    Task,
    TaskKind,
    TestReport,
)

__all__ = ["check_risk_model"]


def check_risk_model(make: Callable[[], RiskModel]) -> None:
    """Check that a risk model keeps its promises, before and after it has learned.

    Parameters
    ----------
    make
        Makes a model that has learned nothing.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from autodev_lab.decisions import FiveFactorRisk
    >>> check_risk_model(FiveFactorRisk)
    """
    model, twin = make(), make()
    changes = [_evidence(lines, covered) for lines in (0, 1, 5, 400) for covered in (0, 1)]
    first = [_assess(model, evidence) for evidence in changes]
    assert first == [_assess(twin, evidence) for evidence in changes], "two new models must say the same"
    for number in range(30):
        evidence = changes[number % len(changes)]
        score = _assess(model, evidence)
        label = _label(number, evidence, score)
        model.learn(label)
        twin.learn(label)
        again = [_assess(model, evidence) for evidence in changes]
        assert again == [_assess(twin, evidence) for evidence in changes], (
            "two models that learned the same labels must say the same, however often they were asked"
        )
    _learn_strangers(model)


def _learn_strangers(model: RiskModel) -> None:
    """A memory may hold labels of gates with another risk model."""
    model.learn(Label("other", "package", {"another model's factor": 3.0}, 0.4, success=True))
    model.learn(Label("another", "package", {}, 0.4, success=False, source=LabelSource.PERSON, propensity=0.05))
    _assess(model, _evidence(2, 1))


def _assess(model: RiskModel, evidence: Evidence) -> RiskScore:
    score = model.assess(evidence)
    assert 0.0 <= score.risk <= 1.0, f"a risk must lie between 0 and 1, not be {score.risk}"
    assert score.factors, "a score must name the factors it was computed from"
    for name, value in score.factors.items():
        assert math.isfinite(value), f"a factor must be a finite number, but {name!r} is {value}"
    assert score.reason, "a score must say in words what moved the risk most"
    assert model.assess(evidence) == score, "asking twice must give the same score"
    return score


def _label(number: int, evidence: Evidence, score: RiskScore) -> Label:
    """Every kind of label: both outcomes by both checks, some of them rare."""
    return Label(
        f"t{number}",
        evidence.task.package,
        score.factors,
        score.risk,
        success=number % 3 != 0,
        source=LabelSource.PERSON if number % 2 else LabelSource.PRODUCTION,
        propensity=0.05 if number % 5 == 0 else 0.95,
        patterns=evidence.change.patterns,
    )


def _evidence(lines: int, covered: int) -> Evidence:
    task = Task("t", "package", TaskKind.SYNTHETIC, "a test fails")
    diff = f"--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-x = 1\n+x = {lines}\n"
    change = Change("t", (Edit("m.py", 1, 1, f"x = {lines}\n"),), diff, "solver", ("pattern",), 1 + lines)
    plan = Plan("t", (Suspect("m.py", 1, 0.5),), 1.0, 10, (), 1)
    tests = TestReport("t", 5, (), 1, covered)
    inspection = Inspection("t", 0, 0, 0, 3, 3 + lines, lines, lines, 1, 1, 1, 4)
    return Evidence(task, change, plan, tests, Review("t", True, 9.0, (), inspection))
