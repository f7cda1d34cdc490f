"""Confidence from past outcomes only: a Beta posterior per risk bin, shrunk towards all outcomes."""

from __future__ import annotations

__all__ = ["BinnedBetaCalibrator"]


class BinnedBetaCalibrator:
    """Probability that a change of a given risk succeeds.

    Outcomes are counted in equal-width bins of risk. A bin's estimate is its own success share shrunk towards the
    share over all bins, which in turn starts from a uniform Beta(1, 1) prior: with no outcomes at all the confidence
    is .5, and everything goes to review.

    Parameters
    ----------
    bins
        Number of risk bins over [0, 1].
    strength
        Weight of the overall share in each bin, in outcomes.

    Examples
    --------
    >>> calibrator = BinnedBetaCalibrator()
    >>> calibrator.confidence(0.1)
    0.5
    >>> for _ in range(40):
    ...     calibrator.learn(0.1, True)
    >>> round(calibrator.confidence(0.1), 3)
    0.998
    """

    def __init__(self, bins: int = 10, strength: float = 4.0) -> None:
        if bins < 1 or strength <= 0:
            raise ValueError("bins must be at least 1 and strength positive")
        self._strength = strength
        self._successes = [0] * bins
        self._counts = [0] * bins

    def _bin(self, risk: float) -> int:
        return min(len(self._counts) - 1, max(0, int(risk * len(self._counts))))

    def confidence(self, risk: float) -> float:
        """Posterior mean of the success probability at this risk."""
        overall = (sum(self._successes) + 1) / (sum(self._counts) + 2)
        place = self._bin(risk)
        return (self._successes[place] + self._strength * overall) / (self._counts[place] + self._strength)

    def learn(self, risk: float, success: bool) -> None:
        """Count one labelled outcome."""
        place = self._bin(risk)
        self._counts[place] += 1
        self._successes[place] += int(success)
