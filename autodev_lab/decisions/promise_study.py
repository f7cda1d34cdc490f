"""How often a certificate breaks its promise, and an audit withdraws a true one: streams whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from autodev_lab.decisions.audit import audit_capital
from autodev_lab.decisions.guarantee import Certificate, FixedSequences, Promise, certify
from autodev_lab.decisions.maturity import DatedOutcomes, certify_mature, certify_observed

__all__ = [
    "DELAYS",
    "AuditStudy",
    "PromiseStudy",
    "study_audit",
    "study_dependence",
    "study_exchangeable",
    "study_maturing",
]

Floats = npt.NDArray[np.float64]

DELAYS: tuple[tuple[float, float], ...] = (
    (0.0, 0.0),
    (90.0, 0.25),
    (180.0, 0.38),
    (365.0, 0.56),
    (730.0, 0.75),
    (2190.0, 1.0),
)
"""Days, and share of failures found by then, in eight Apache projects with dated fixes; the last is an assumption."""

_FEW = FixedSequences(tuple((np.arange(18, 5, -1) / 20).tolist()), (0, 2, 4))


@dataclass(frozen=True, slots=True)
class PromiseStudy:
    """What many resampled streams showed of one way to certify.

    Parameters
    ----------
    runs, certified, broken
        Streams; those with a certificate; those whose certificate does not keep the promise in the population.
    broken_high
        One-sided 95 % upper bound on the share of streams that is broken (Clopper and Pearson 1934).
    coverage
        Mean share of the population that is deployed without a person, nothing counting as 0.
    success
        Mean success of what is deployed, over streams with a certificate; NaN without one.
    """

    runs: int
    certified: int
    broken: int
    broken_high: float
    coverage: float
    success: float


@dataclass(frozen=True, slots=True)
class AuditStudy:
    """What an audit did on many streams: withdrawals, their one-sided 95 % upper bound, and the median delay.

    The delay counts outcomes after the fall of success, over streams that were withdrawn after it; NaN without one.
    """

    runs: int
    withdrawn: int
    withdrawn_high: float
    delay: float


def study_exchangeable(
    *, runs: int = 2000, n: int = 2000, seed: int = 0, promise: Promise | None = None, flat: bool = False
) -> PromiseStudy:
    """Independent changes: confidence c uniform, success ``.8 + .2 c``; or, if flat, just below the promise for all.

    In the first the success above a threshold t is ``.9 + .1 t``, so that half of the thresholds break a promise of
    95 %. In the flat one every certificate is broken.

    Examples
    --------
    >>> study_exchangeable(runs=50).certified > 0
    True
    """
    kept = promise or Promise()
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(runs):
        confidence = rng.random(n)
        chance = np.full(n, kept.success - 1e-4) if flat else 0.8 + 0.2 * confidence
        certificate = certify(confidence, rng.random(n) < chance, kept, sequences=_EVEN)
        found.append((certificate, kept.success - 1e-4 if flat else 0.9 + 0.1 * (certificate.threshold or 0.0)))
    return _summed(found, kept, lambda threshold: 1.0 - threshold)


def study_dependence(
    *, blocks: bool, runs: int = 500, weeks: int = 300, a_week: int = 10, seed: int = 0, promise: Promise | None = None
) -> PromiseStudy:
    """Changes of a week share their luck: in one week in ten everything fails more often. The promise is just broken.

    A week has from one to twice `a_week` changes. Overall success is .0001 below the promise, at every confidence.

    Parameters
    ----------
    blocks
        Whether the certificate is told of the weeks.

    Examples
    --------
    >>> study_dependence(blocks=False, runs=50).broken > study_dependence(blocks=True, runs=50).broken
    True
    """
    kept = promise or Promise()
    rng = np.random.default_rng(seed)
    true = kept.success - 1e-4
    found = []
    for _ in range(runs):
        week = np.repeat(np.arange(weeks), rng.integers(1, 2 * a_week, weeks))
        bad = rng.random(weeks) < 0.1
        fails = np.where(bad, 10.0 * (1.0 - true), 0.0)[week]
        success = rng.random(len(week)) >= fails
        certificate = certify(
            rng.random(len(week)),
            success,
            kept,
            blocks=week if blocks else None,
            sequences=FixedSequences((0.5, 0.0), (0,)),
        )
        found.append((certificate, true))
    return _summed(found, kept, lambda threshold: 1.0 - threshold)


def study_maturing(
    way: str,
    *,
    runs: int = 300,
    n: int = 6000,
    years: float = 2.5,
    horizon: float = 730.0,
    seed: int = 0,
    promise: Promise | None = None,
) -> PromiseStudy:
    """Failures show late (`DELAYS`): success within the horizon is ``.7 + .3 c`` for a confidence c, uniform.

    Parameters
    ----------
    way
        ``immature`` (what is known at 90 days counts as the outcome), ``mature`` or ``observed``.

    Examples
    --------
    >>> study_maturing("immature", runs=20).broken > 5, study_maturing("mature", runs=20).broken <= 1
    (True, True)
    """
    kept = promise or Promise()
    rng = np.random.default_rng(seed)
    now = 365.0 * years
    known_days, known_share = np.array(DELAYS).T
    within = float(np.interp(horizon, known_days, known_share))
    found = []
    for _ in range(runs):
        confidence, committed = rng.random(n), np.sort(rng.uniform(0.0, now, n))
        fails = rng.random(n) < (0.3 - 0.3 * confidence) / within
        delay = np.interp(rng.random(n), known_share, known_days)
        outcomes = DatedOutcomes(committed, np.where(fails, committed + delay, np.nan), now=now, horizon=horizon)
        certificate = _WAYS[way](confidence, outcomes, kept)
        found.append((certificate, 0.85 + 0.15 * (certificate.threshold or 0.0)))
    return _summed(found, kept, lambda threshold: 1.0 - threshold)


def study_audit(
    *, runs: int = 2000, n: int = 1000, failing: float = 0.05, later: float = 0.05, at: int = 0, seed: int = 0
) -> AuditStudy:
    """An audit of 95 % success, of changes that fail with probability `failing`, and `later` from the at-th on.

    Examples
    --------
    >>> study_audit(runs=100, n=300, failing=0.02, later=0.3, at=150).withdrawn
    100
    """
    rng = np.random.default_rng(seed)
    chance = np.where(np.arange(n) < at, failing, later)
    over = audit_capital(rng.random((runs, n)) < chance, failures=0.05) >= 1.0 / 0.05
    withdrawn = over.any(axis=1)
    when = over.argmax(axis=1)[withdrawn]
    delays = when[when >= at] - at + 1
    count = int(withdrawn.sum())
    return AuditStudy(runs, count, _upper(count, runs), float(np.median(delays)) if len(delays) else math.nan)


def _immature(confidence: Floats, outcomes: DatedOutcomes, promise: Promise) -> Certificate:
    """What was known of each change when it was 90 days old, taken for its outcome."""
    early = DatedOutcomes(outcomes.committed, outcomes.failed, outcomes.now, horizon=90.0)
    return certify_mature(confidence, early, promise, sequences=_FEW)


_EVEN = FixedSequences(tuple((np.arange(99, -1, -1) / 100).tolist()), (4, 9, 19, 39))

_WAYS: Mapping[str, Callable[[Floats, DatedOutcomes, Promise], Certificate]] = MappingProxyType(
    {
        "immature": _immature,
        "mature": lambda confidence, outcomes, promise: certify_mature(confidence, outcomes, promise, sequences=_FEW),
        "observed": lambda confidence, outcomes, promise: certify_observed(
            confidence, outcomes, promise, sequences=_FEW
        ),
    }
)


def _summed(
    found: list[tuple[Certificate, float]], promise: Promise, coverage: Callable[[float], float]
) -> PromiseStudy:
    """Count certificates; each comes with the success of what it deploys in the population."""
    issued = [(one.threshold, success) for one, success in found if one.threshold is not None]
    broken = sum(success < promise.success for _, success in issued)
    covered = sum(coverage(threshold) for threshold, _ in issued) / len(found)
    success = float(np.mean([success for _, success in issued])) if issued else math.nan
    return PromiseStudy(len(found), len(issued), broken, _upper(broken, len(found)), covered, success)


def _upper(count: int, runs: int) -> float:
    return float(binomtest(count, runs, alternative="less").proportion_ci(0.95).high)
