"""Two tests of a change against its baseline, valid whenever one looks: is it worse, and is it not much worse.

Both take failures in batches and keep one capital a stream, so that a single rollout and ten thousand simulated ones
run the same code. Within a batch exposures are taken as independent, with one failure probability a side; from batch to
batch both may drift together, as traffic does.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from autodev_lab.decisions.betting import STAKES
from autodev_lab.errors import LabError

__all__ = ["NotMuchWorse", "Worse"]

Floats = npt.NDArray[np.float64]

_RATIOS: Floats = np.array([1.5, 3.0, 20.0])
"""How many times as often the change is thought to fail by those who bet on it; each has one share of the capital."""

_LARGEST = 0.999
_SMALLEST = 1e-6
_ENOUGH = 700.0


class Worse:
    """Evidence that the change fails more often than its baseline.

    An e-process for independent batches of two Bernoulli samples (Turner, Ly and Gruenwald 2024, "Generic e-variables
    for exact sequential k-sample tests that allow for optional stopping", Journal of Statistical Planning and
    Inference 230): the likelihood under failure rates thought of beforehand, over that under their weighted mean. While
    the change fails at most as often as the baseline, its expectation in every batch is at most 1 (by the inequality of
    arithmetic and geometric means, whatever the mean that was thought of). The mean is the share of failures so far,
    the ratio of the two rates is spread over a grid.

    Parameters
    ----------
    streams
        Number of rollouts that run side by side.
    rate, strength
        Failure rate that is expected before there are exposures, and its weight in exposures. They change how soon a
        worse change is found, never how often a good one is blamed.

    Examples
    --------
    >>> test = Worse()
    >>> for _ in range(10):
    ...     capital = test.observe([4], [20], [0], [20])
    >>> bool(capital[0] > 20)
    True
    """

    def __init__(self, streams: int = 1, *, rate: float = 0.02, strength: float = 25.0) -> None:
        if not 0.0 < rate < 1.0 or strength <= 0.0:
            raise LabError("the expected failure rate must lie between 0 and 1, and its strength be positive")
        self._failed = np.full(streams, rate * strength)
        self._seen = np.full(streams, strength)
        self._log = np.zeros((streams, len(_RATIOS)))

    def observe(
        self, failed: npt.ArrayLike, exposed: npt.ArrayLike, baseline_failed: npt.ArrayLike, baseline: npt.ArrayLike
    ) -> Floats:
        """Take note of a batch; each argument has one count a stream. Returns the capital, of shape (streams,)."""
        k, n, j, m = _columns(failed, exposed, baseline_failed, baseline)
        mean = (self._failed / self._seen)[:, np.newaxis]
        total = n + m
        # rates whose weighted mean is `mean`, and whose ratio is that of the grid as far as the larger stays below 1
        low = mean * total / np.maximum(n * _RATIOS + m, _SMALLEST)
        high = np.minimum(low * _RATIOS, _LARGEST)
        low = np.where(m > 0, (mean * total - n * high) / np.maximum(m, _SMALLEST), mean)
        usable = (n > 0) & (m > 0) & (low > 0.0) & (low < mean)
        low, high = np.where(usable, low, mean), np.where(usable, high, mean)
        self._log += (
            k * np.log(high / mean)
            + (n - k) * np.log1p(-(high - mean) / (1.0 - mean))
            + j * np.log(low / mean)
            + (m - j) * np.log1p((mean - low) / (1.0 - mean))
        )
        self._failed = self._failed + (k + j)[:, 0]
        self._seen = self._seen + total[:, 0]
        return np.exp(np.minimum(self.log_capital, _ENOUGH))

    @property
    def log_capital(self) -> Floats:
        """Natural logarithm of the capital, shape (streams,)."""
        held: Floats = np.logaddexp.reduce(self._log, axis=1) - math.log(len(_RATIOS))
        return held


class NotMuchWorse:
    """Evidence that the change does not fail more often than its baseline by a margin or more.

    Every exposure of the change that does not fail, and every one of the baseline that does, wins a little, the others
    lose, by rates a and b with ``a n = b m`` for n and m exposures of the two sides: then the expectation in a batch is
    at most ``(1 - a n (c - r - margin) / (n + m)) ** (n + m)`` with failure rates c and r, by the inequality of means,
    which is at most 1 if the change is worse by the margin. The rates are spread over
    `autodev_lab.decisions.betting.STAKES`; what they are centred on is the baseline's share of failures so far.

    Parameters
    ----------
    margin
        Difference of failure rates that would matter, in (0, 1).
    streams
        Number of rollouts that run side by side.
    rate, strength
        The baseline's failure rate that is expected before there are exposures, and its weight in exposures. They
        change how soon a good change is promoted, never how often a bad one is.

    Examples
    --------
    >>> test = NotMuchWorse(0.05)
    >>> for _ in range(12):
    ...     capital = test.observe([0], [20], [0], [20])
    >>> bool(capital[0] > 20)
    True
    """

    def __init__(self, margin: float, streams: int = 1, *, rate: float = 0.02, strength: float = 25.0) -> None:
        if not 0.0 < margin < 1.0:
            raise LabError(f"margin is {margin}; it is a difference of failure rates and must lie between 0 and 1")
        if not 0.0 < rate < 1.0 or strength <= 0.0:
            raise LabError("the expected failure rate must lie between 0 and 1, and its strength be positive")
        self._margin = margin
        self._failed = np.full(streams, rate * strength)
        self._seen = np.full(streams, strength)
        self._log = np.zeros((streams, len(STAKES)))

    def observe(
        self, failed: npt.ArrayLike, exposed: npt.ArrayLike, baseline_failed: npt.ArrayLike, baseline: npt.ArrayLike
    ) -> Floats:
        """Take note of a batch, as `Worse.observe`."""
        k, n, j, m = _columns(failed, exposed, baseline_failed, baseline)
        centre = np.minimum((self._failed / self._seen)[:, np.newaxis], 1.0 - self._margin - _SMALLEST)
        limit = centre + self._margin
        # no exposure may cost more than the stake: of the change 1 - limit at rate a, of the baseline centre at rate b
        share = n / np.maximum(m, 1.0)
        a = np.where((n > 0) & (m > 0), STAKES / np.maximum(1.0 - limit, share * centre), 0.0)
        b = a * share
        self._log += (
            k * np.log1p(-a * (1.0 - limit))
            + (n - k) * np.log1p(a * limit)
            + j * np.log1p(b * (1.0 - centre))
            + (m - j) * np.log1p(-b * centre)
        )
        self._failed = self._failed + j[:, 0]
        self._seen = self._seen + m[:, 0]
        return np.exp(np.minimum(self.log_capital, _ENOUGH))

    @property
    def log_capital(self) -> Floats:
        """Natural logarithm of the capital, shape (streams,)."""
        held: Floats = np.logaddexp.reduce(self._log, axis=1) - math.log(len(STAKES))
        return held


def _columns(*counts: npt.ArrayLike) -> list[Floats]:
    return [np.asarray(one, dtype=np.float64)[:, np.newaxis] for one in counts]
