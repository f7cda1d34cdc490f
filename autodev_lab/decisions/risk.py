"""The specification's five-factor risk, every factor measured and defined."""

from __future__ import annotations

from collections.abc import Mapping

from autodev_lab.records import Evidence, Label, RiskScore

__all__ = ["FACTOR_WORDS", "WEIGHTS", "FiveFactorRisk"]

WEIGHTS: Mapping[str, float] = {
    "complexity": 0.20,
    "test_coverage": 0.30,
    "dependency": 0.20,
    "historical_stability": 0.15,
    "impact_radius": 0.15,
}
"""The published weights (specification, "Risk-Based Auto-Deployment"): a hypothesis under test, not a fitted model."""

FACTOR_WORDS: Mapping[str, str] = {
    "complexity": "complexity of the code touched",
    "test_coverage": "changed lines that no visible test executes",
    "dependency": "modules that the changed ones rely on",
    "historical_stability": "this package's record of failed changes",
    "impact_radius": "reach of the change",
}
"""Every factor in words, for the reasons of a decision."""

_COMPLEXITY_CEILING = 20.0
_SIZE_CEILING = 50.0


class FiveFactorRisk:
    """Weighted sum of five factors, each in [0, 1].

    ===================== =====================================================================================
    factor                how it is measured
    ===================== =====================================================================================
    complexity            cyclomatic complexity of the functions touched, after the change, over 20: McCabe (1976,
                          §III) calls 10 the reasonable limit, which lands at .5
    test_coverage         share of the changed executable lines that no visible test executes
    dependency            share of the package's other modules that the changed modules import, directly or not
    historical_stability  share of this package's settled changes that failed, with one of each kind added
                          (Laplace's rule of succession): .5 before there is any history
    impact_radius         the larger of: share of the other modules that import the changed ones; changed lines
                          over 50
    ===================== =====================================================================================

    Examples
    --------
    >>> round(sum(WEIGHTS.values()), 6)
    1.0
    """

    def __init__(self) -> None:
        self._settled: dict[str, tuple[int, int]] = {}

    def assess(self, evidence: Evidence) -> RiskScore:
        """Factor scores and their weighted sum."""
        seen, tests = evidence.review.inspection, evidence.tests
        others = max(1, seen.modules - 1)
        failures, total = self._settled.get(evidence.task.package, (0, 0))
        size = (seen.lines_added + seen.lines_removed) / _SIZE_CEILING
        factors = {
            "complexity": min(1.0, seen.complexity_after / _COMPLEXITY_CEILING),
            "test_coverage": 1.0 - tests.coverage,
            "dependency": min(1.0, seen.dependencies / others),
            "historical_stability": (failures + 1) / (total + 2),
            "impact_radius": min(1.0, max(seen.dependents / others, size)),
        }
        parts = {name: WEIGHTS[name] * value for name, value in factors.items()}
        most = max(parts, key=lambda name: parts[name])
        reason = f"largest part of the risk: {FACTOR_WORDS[most]} ({parts[most]:.2f} of {sum(parts.values()):.2f})"
        return RiskScore(sum(parts.values()), factors, reason)

    def learn(self, label: Label) -> None:
        """Count a settled change of the package."""
        failures, total = self._settled.get(label.package, (0, 0))
        self._settled[label.package] = (failures + (not label.success), total + 1)
