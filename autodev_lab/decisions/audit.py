"""The audit of a certificate: it may look after every outcome, and withdraws what is shown to be broken.

A bettor puts money on failures among what was deployed without a person. While every change fails with at most the
promised probability, given all that came before, the capital is a supermartingale, so it ever reaches 1/level with
probability at most `level` (Ville's inequality; Waudby-Smith and Ramdas 2023): no more than that share of true promises
is ever withdrawn, however long the audit runs. The capital is spread over stakes, and over the times at which success
may have begun to fall: half of it is staked at the start, and of the other half all but ``1 / log2(s + 2)`` by the s-th
outcome; so a drift that comes late is not hidden behind a long good record (a mean of e-processes is one; Shin, Ramdas
and Rinaldo 2024, "E-detectors", New England Journal of Statistics in Data Science 2(2)).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from autodev_lab.decisions.betting import STAKES
from autodev_lab.errors import LabError

__all__ = ["PromiseAudit", "audit_capital"]

Floats = npt.NDArray[np.float64]


class PromiseAudit:
    """Watches outcomes of what was deployed without a person.

    Parameters
    ----------
    failures
        Largest share of failures that keeps the promise, in (0, 1); .05 for a promise of 95 %. Where a check shows only
        some failures, the share of failures *shown*.
    level
        Chance of ever withdrawing a promise that is kept.

    Raises
    ------
    LabError
        If one is not inside (0, 1).

    Examples
    --------
    >>> audit = PromiseAudit(failures=0.05)
    >>> for _ in range(400):
    ...     audit.observe(success=True)
    >>> for _ in range(6):
    ...     audit.observe(success=False)
    >>> audit.withdrawn, audit.n, audit.failed
    (True, 406, 6)
    """

    def __init__(self, *, failures: float, level: float = 0.05) -> None:
        for name, value in (("share of failures", failures), ("level", level)):
            if not 0.0 < value < 1.0:
                raise LabError(f"an audit's {name} is {value}; it must lie between 0 and 1, both excluded")
        self._limit = failures
        self._level = level
        self._running = np.zeros((1, len(STAKES)))
        self._highest = 1.0
        self.n = 0
        self.failed = 0

    def observe(self, *, success: bool) -> None:
        """Take note of one outcome, in the order in which outcomes become known."""
        self._running = _step(self._running, self.n, np.array([not success]), self._limit)
        self.n += 1
        self.failed += not success
        self._highest = max(self._highest, float(_total(self._running, self.n)[0]))

    @property
    def e_value(self) -> float:
        """Highest capital so far, from 1."""
        return self._highest

    @property
    def withdrawn(self) -> bool:
        """Whether the promise has been shown to be broken; it stays so."""
        return self._highest >= 1.0 / self._level

    @property
    def words(self) -> str:
        """What the audit has seen, as a sentence."""
        seen = f"{self.failed} of {self.n} changes deployed without a person failed, {100 * self._limit:.3g} % allowed"
        if self.withdrawn:
            return f"certificate withdrawn: {seen} (e-value {self._highest:.0f}, limit {1.0 / self._level:.0f})"
        return f"certificate stands: {seen} (e-value {self._highest:.1f}, limit {1.0 / self._level:.0f})"


def audit_capital(failed: npt.ArrayLike, *, failures: float) -> Floats:
    """Capital after every outcome of many streams at once, for simulations.

    Parameters
    ----------
    failed
        Whether each outcome is a failure, shape (streams, n).
    failures
        As for `PromiseAudit`.

    Returns
    -------
    Floats
        Shape (streams, n).

    Examples
    --------
    >>> capital = audit_capital([[False, True, True, True]], failures=0.05)
    >>> [round(float(one), 1) for one in capital[0]]
    [0.8, 2.5, 17.2, 205.2]
    """
    shown = np.asarray(failed, dtype=np.bool_)
    running = np.zeros((len(shown), len(STAKES)))
    capital = np.empty(shown.shape)
    for place in range(shown.shape[1]):
        running = _step(running, place, shown[:, place], failures)
        capital[:, place] = _total(running, place + 1)
    return capital


def _step(running: Floats, seen: int, failed: npt.NDArray[np.bool_], limit: float) -> Floats:
    """Money at stake, shape (streams, stakes), after one more outcome: what has begun before, and what begins now."""
    begins = (1.0 if seen == 0 else _aside(seen)) - _aside(seen + 1)
    factor = np.where(failed[:, np.newaxis], 1.0 + STAKES / limit * (1.0 - limit), 1.0 - STAKES)
    grown: Floats = np.minimum((running + begins) * factor, math.sqrt(np.finfo(np.float64).max))
    return grown


def _total(running: Floats, seen: int) -> Floats:
    """All the money of each stream: that at stake, and that put aside for later outcomes."""
    total: Floats = running.mean(axis=1) + _aside(seen)
    return total


def _aside(seen: int) -> float:
    """Capital that is not at stake yet after so many outcomes."""
    return 0.5 / math.log2(seen + 2)
