"""The specification's five-factor risk, every factor measured and defined."""

from __future__ import annotations

from collections.abc import Mapping

from autodev_lab.records import Change, Outcome, Review, Task, TestReport

__all__ = ["WEIGHTS", "FiveFactorRisk"]

WEIGHTS: Mapping[str, float] = {
    "complexity": 0.20,
    "test_coverage": 0.30,
    "dependency": 0.20,
    "historical_stability": 0.15,
    "impact_radius": 0.15,
}
"""The published weights (specification, "Risk-Based Auto-Deployment"): a hypothesis under test, not a fitted model."""

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

    def assess(
        self, task: Task, change: Change, tests: TestReport, review: Review
    ) -> tuple[Mapping[str, float], float]:
        """Factor scores and their weighted sum."""
        seen = review.inspection
        others = max(1, seen.modules - 1)
        failures, total = self._settled.get(task.package, (0, 0))
        size = (seen.lines_added + seen.lines_removed) / _SIZE_CEILING
        factors = {
            "complexity": min(1.0, seen.complexity_after / _COMPLEXITY_CEILING),
            "test_coverage": 1.0 - tests.coverage,
            "dependency": min(1.0, seen.dependencies / others),
            "historical_stability": (failures + 1) / (total + 2),
            "impact_radius": min(1.0, max(seen.dependents / others, size)),
        }
        return factors, sum(WEIGHTS[name] * value for name, value in factors.items())

    def learn(self, task: Task, outcome: Outcome) -> None:
        """Count a settled change of the package; an outcome that showed nothing is not counted."""
        if outcome.success is None:
            return
        failures, total = self._settled.get(task.package, (0, 0))
        self._settled[task.package] = (failures + (not outcome.success), total + 1)
