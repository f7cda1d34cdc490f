"""Equivalence and non-inferiority of paired arms: two one-sided tests over packages."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy.typing as npt

from autodev_lab.analysis.cluster_inference import DEFAULT_TEST, ClusterTest
from autodev_lab.analysis.effects import p_value

__all__ = ["Equivalence", "equivalence"]


@dataclass(frozen=True, slots=True)
class Equivalence:
    """What two one-sided tests say.

    Parameters
    ----------
    p_not_worse
        Against "the treatment is worse than the baseline by the margin or more".
    p_not_better
        Against "the treatment is better than the baseline by the margin or more".
    margin
        Relative effect that would matter.
    alpha
        Level of each test.
    """

    p_not_worse: float
    p_not_better: float
    margin: float
    alpha: float

    @property
    def p(self) -> float:
        """p value of equivalence: the larger of the two."""
        return max(self.p_not_worse, self.p_not_better)

    @property
    def not_inferior(self) -> bool:
        """Whether the treatment is shown to be no worse than the margin allows."""
        return self.p_not_worse <= self.alpha

    @property
    def equivalent(self) -> bool:
        """Whether the two are shown to differ by less than the margin."""
        return self.p <= self.alpha


def equivalence(
    treatment: npt.ArrayLike,
    baseline: npt.ArrayLike,
    *,
    margin: float,
    alpha: float = 0.05,
    test: ClusterTest = DEFAULT_TEST,
) -> Equivalence:
    """Two one-sided tests of a relative effect against plus and minus a margin.

    Schuirmann 1987, "A comparison of the two one-sided tests procedure and the power approach", J. Pharmacokinetics and
    Biopharmaceutics 15(6). Each test is a cluster test, so an absent difference is not taken for evidence of absence.

    Parameters
    ----------
    treatment, baseline
        Totals of the endpoint per cluster over the same tasks, each of shape (G,).
    margin
        Relative effect that would matter, between 0 and 1; to be chosen before the run.
    alpha
        Level of each test.

    Raises
    ------
    ValueError
        If the margin is not between 0 and 1.

    Examples
    --------
    >>> found = equivalence([50, 61, 40, 55, 47, 52], [51, 60, 41, 54, 48, 51], margin=0.1)
    >>> found.equivalent, round(found.p, 3)
    (True, 0.016)
    """
    if not 0 < margin < 1:
        raise ValueError(f"margin is {margin}; it is a relative effect between 0 and 1")
    better = p_value(treatment, baseline, -margin, test=test)
    # "at most margin better" is "the baseline falls short of the treatment by at most that": swap the two
    worse = p_value(baseline, treatment, 1 / (1 + margin) - 1, test=test)
    # an arm that never succeeded shows nothing about a ratio
    better, worse = (1.0 if math.isnan(p) else p for p in (better, worse))
    return Equivalence(better, worse, margin, alpha)
