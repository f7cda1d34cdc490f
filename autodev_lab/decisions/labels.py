"""What a label is worth: which check gave it, how that check errs, and how it was selected.

Every change that a gate decided on is labelled by one of two checks. *Production* alone sees a change that was deployed
without a person: what it rolls back is wrong, but what it calls healthy may be wrong unseen. A *person* sees a change
that was sent to review, and production sees it afterwards if the answer was yes: a person errs both ways. Taken as the
truth, the first label makes a gate too sure and the second too unsure, and their mixture changes with the gate itself.
So the model is of the *right* change behind the label: with the error rates of the check stated, a label gives the
probability that the change was right (Magder and Hughes 1997, "Logistic regression when the outcome is measured with
uncertainty", American Journal of Epidemiology 146(2)).
"""

from __future__ import annotations

from dataclasses import dataclass

from autodev_lab.errors import LabError
from autodev_lab.records import Label, LabelSource

__all__ = ["LARGEST_WEIGHT", "PRODUCTION_POWER", "LabelQuality", "Tally", "due", "weight_of"]

PRODUCTION_POWER = 0.17
"""Share of wrong changes that production shows to be wrong: 9 of 54 on six development packages (`docs/gate.md`). An
assumption anywhere else."""

LARGEST_WEIGHT = 10.0
"""Inverse propensities are cut here, so that one rare label cannot outvote all others: a bit of bias for much less
variance (Cole and Hernan 2008, "Constructing inverse probability weights", American Journal of Epidemiology 168(6))."""

_EVERY_LABEL = 10
_GROWTH = 1.1
_STEPS = 50


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """Error rates of the two checks, as stated assumptions.

    Parameters
    ----------
    person_accuracy
        Probability that a person's answer is right, for right and for wrong changes alike.
    production_power
        Probability that production shows that a wrong change is wrong. A right change is never rolled back.

    Raises
    ------
    LabError
        If one is not a probability.

    Examples
    --------
    >>> quality = LabelQuality(person_accuracy=0.9, production_power=0.5)
    >>> declined = Label("t", "p", {}, 0.2, success=False, source=LabelSource.PERSON)
    >>> round(quality.right(declined, 0.8), 3)
    0.296
    >>> quality.right(Label("t", "p", {}, 0.2, success=False), 0.8)
    0.0
    """

    person_accuracy: float = 0.9
    production_power: float = PRODUCTION_POWER

    def __post_init__(self) -> None:
        for name, value in (
            ("person_accuracy", self.person_accuracy),
            ("production_power", self.production_power),
        ):
            if not 0.0 <= value <= 1.0:
                raise LabError(f"{name} is {value}; it is a probability and must lie between 0 and 1")

    def rates(self, source: LabelSource) -> tuple[float, float]:
        """Probability that a right change is shown as a success, and that a wrong one is, under a check."""
        missed = 1.0 - self.production_power
        if source is LabelSource.PERSON:
            return self.person_accuracy, (1.0 - self.person_accuracy) * missed
        return 1.0, missed

    def right(self, label: Label, base: float) -> float:
        """Probability that the labelled change is right, when a share `base` of such changes is (Bayes' rule)."""
        if_right, if_wrong = self.rates(label.source)
        if not label.success:
            if_right, if_wrong = 1.0 - if_right, 1.0 - if_wrong
        both = base * if_right + (1.0 - base) * if_wrong
        return base * if_right / both if both > 0.0 else base


def weight_of(label: Label) -> float:
    """Inverse of the probability with which the change was sent to its check, cut at `LARGEST_WEIGHT`.

    Examples
    --------
    >>> weight_of(Label("t", "p", {}, 0.2, success=True, propensity=0.5))
    2.0
    """
    return min(LARGEST_WEIGHT, 1.0 / label.propensity)


class Tally:
    """Labels added up by what was shown and by which check, and the share of right changes behind them.

    Examples
    --------
    >>> tally = Tally()
    >>> for number in range(8):
    ...     tally.add(Label(f"t{number}", "p", {}, 0.2, success=number > 1))
    >>> round(tally.share(LabelQuality(production_power=1.0), prior=0.5, strength=2.0), 2)
    0.7
    """

    def __init__(self) -> None:
        self._weights: dict[tuple[LabelSource, bool], float] = {}
        self._kinds: dict[tuple[LabelSource, bool], Label] = {}
        self._squares = 0.0

    def add(self, label: Label) -> None:
        """Count one label by its weight."""
        kind, weight = (label.source, label.success), weight_of(label)
        self._weights[kind] = self._weights.get(kind, 0.0) + weight
        self._kinds.setdefault(kind, label)
        self._squares += weight**2

    def share(self, quality: LabelQuality, *, prior: float, strength: float) -> float:
        """Share of right changes, shrunk towards a prior (expectation-maximisation, fifty steps).

        Weighted labels count as many as their weights are worth: the squared sum over the sum of squares (Kish 1965,
        *Survey Sampling*, section 11.7).

        Parameters
        ----------
        quality
            Error rates of the checks.
        prior, strength
            The share before there are labels, and its weight in labels.
        """
        total = sum(self._weights.values())
        if not total:
            return prior
        worth = total**2 / self._squares
        share = prior
        for _ in range(_STEPS):
            right = sum(weight * quality.right(self._kinds[kind], share) for kind, weight in self._weights.items())
            share = (worth * right / total + strength * prior) / (worth + strength)
        return share


def due(count: int) -> int:
    """How many of the first `count` labels a model is fitted on: all of few, and fewer refits as they grow.

    It depends on the number of labels alone and not on when somebody asked, so two deployers who share a memory have
    the same model.

    Examples
    --------
    >>> [due(count) for count in (0, 7, 20, 21, 22, 100)]
    [0, 7, 20, 20, 22, 94]
    """
    if count <= _EVERY_LABEL:
        return count
    step = _EVERY_LABEL
    while (further := max(step + 1, int(step * _GROWTH))) <= count:
        step = further
    return step
