"""What records say of patterns: rates by shrinkage, intervals, and the best patterns for a context.

Solvers order their search by these numbers and agents look patterns up by them, so both see the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from autodev_lab.errors import LabError
from autodev_lab.records import PatternContext, PatternRecord

__all__ = ["PLACES", "PatternOffer", "PatternRates", "RatePrior", "place_of", "rank_promise"]

RANK_DECAY = 0.65
"""Exponent of `rank_promise`, fitted (logistic regression with one level a template) to the 21,500 first candidates,
186 of them plausible, for 81 bugs injected into the packages marked `development`."""

LEVEL = 0.95
"""Of the intervals."""


def rank_promise(rank: int) -> float:
    """How likely a candidate at a statement is to pass, relative to one at the most suspicious statement.

    Parameters
    ----------
    rank
        The statement's place among the suspicious ones, from 0.
    """
    return float((1 + rank / 2) ** -RANK_DECAY)


def _bucket(first: int, last: int, name: str) -> tuple[str, float]:
    return name, sum(rank_promise(rank) for rank in range(first, last + 1)) / (last + 1 - first)


PLACES: Mapping[str, float] = dict(
    [
        _bucket(0, 0, "first"),
        _bucket(1, 2, "next 2"),
        _bucket(3, 6, "next 4"),
        _bucket(7, 14, "next 8"),
        _bucket(15, 29, "later"),
    ]
)
"""Buckets of ranks, each about twice as wide as the one before, and the mean promise of a rank in them."""


def place_of(rank: int) -> str:
    """The bucket of a rank.

    Examples
    --------
    >>> place_of(0), place_of(4), place_of(100)
    ('first', 'next 4', 'later')
    """
    return tuple(PLACES)[min((rank + 1).bit_length() - 1, len(PLACES) - 1)]


@dataclass(frozen=True, slots=True)
class PatternOffer:
    """A pattern that is worth trying, and why.

    Parameters
    ----------
    pattern
        Its name.
    mean, low, high
        Mean of the posterior of its success a try at the most suspicious statement, and its 95 % interval.
    record
        All that was seen of it.
    successes_here, tries_here
        Those in the context that was asked for.
    """

    pattern: str
    mean: float
    low: float
    high: float
    record: PatternRecord
    successes_here: float
    tries_here: float

    @property
    def why(self) -> str:
        """One sentence for people."""
        record = self.record
        return (
            f"{record.successes:g} of {record.tries:g} tries worked, "
            f"{self.successes_here:g} of {self.tries_here:g} here; "
            f"{record.helpful:g} changes lasted, {record.harmful:g} were refused; "
            f"rate {self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"
        )


@dataclass(frozen=True, slots=True)
class RatePrior:
    """How records are read.

    Parameters
    ----------
    strength
        Weight of the rate of all patterns together, in tries, against a pattern's own.
    context_strength
        Weight of a pattern's own rate, in tries, against its rate in one context; infinite when context tells nothing.
    feature
        Which part of a context that is: ``"statement"``, ``"failure"`` or ``"both"``. The place is always used: see
        `PatternRates`. On the packages marked `development` places helped, statements did not and failures did harm:
        docs/patterns.md has the figures behind every default.
    threshold
        A pattern is offered when its quality, the lower end of the interval of its rate, is not below this.

    Raises
    ------
    LabError
        If a strength is not above 0 or the threshold is no share.
    """

    strength: float = 10.0
    context_strength: float = math.inf
    feature: Literal["statement", "failure", "both"] = "statement"
    threshold: float = 0.0

    def __post_init__(self) -> None:
        for name in ("strength", "context_strength"):
            if not getattr(self, name) > 0:
                raise LabError(f"{name} is {getattr(self, name)}; it counts tries and must be above 0")
        if not 0 <= self.threshold < 1:
            raise LabError(f"threshold is {self.threshold}; it is a share of tries and must lie in [0, 1)")

    def of(self, records: Mapping[str, PatternRecord]) -> PatternRates:
        """Read some records."""
        return PatternRates(records, self)

    def key(self, context: PatternContext) -> tuple[str, ...]:
        """What of a context counts."""
        statement, failure = context.statement, context.failure
        return {"statement": (statement,), "failure": (failure,), "both": (statement, failure)}[self.feature]


@dataclass(slots=True)
class _Evidence:
    """Successes, and failures by how much each says."""

    successes: float = 0.0
    failures: float = 0.0

    def mean(self, prior: float, strength: float) -> float:
        return (strength * prior + self.successes) / (strength + self.successes + self.failures)


_NOTHING = _Evidence()


class PatternRates:
    r"""Rates of patterns under a prior: each shrunk towards that of all patterns, in a context towards its own.

    A rate is that of a try at the most suspicious statement. A failure at a statement of rank r says less against a
    pattern: it counts as `rank_promise` of r of a failure, by the mean of its bucket; where nobody knows the place, as
    one. With successes `s` and failures `f`, so counted, the posterior is Beta(k m + s, k (1 - m) + f): `m` is the mean
    of the level above and `k` its strength. The first level's `m` is ``(S + 1) / (S + F + 50)`` over all patterns.

    Parameters
    ----------
    records
        What is known.
    prior
        How it is read.

    Notes
    -----
    The posterior is the beta-binomial model of Gelman et al. 2013, "Bayesian data analysis", section 5.3, with the
    means of the upper level plugged in (empirical Bayes: Efron and Morris 1975, "Data analysis using Stein's estimator
    and its generalizations", JASA). Counting a try by what it could have shown follows the expected counts of Clayton
    and Kaldor 1987, "Empirical Bayes estimates of age-standardized relative risks", Biometrics, section 2.

    Examples
    --------
    >>> rates = RatePrior().of({"wrap-call": PatternRecord("wrap-call", 5.0, 20.0)})
    >>> rates.rate("wrap-call") > rates.rate("never-tried")
    True
    """

    def __init__(self, records: Mapping[str, PatternRecord], prior: RatePrior) -> None:
        self._records = records
        self._prior = prior
        self._evidence = {name: _evidence_of(record) for name, record in records.items()}
        successes = math.fsum(one.successes for one in self._evidence.values())
        failures = math.fsum(one.failures for one in self._evidence.values())
        self._base = (successes + 1.0) / (successes + failures + 50.0)
        self._local: dict[tuple[str, tuple[str, ...]], _Evidence] = {}
        if prior.context_strength < math.inf:
            for name, record in records.items():
                for key, evidence in _local_evidence(record, prior):
                    self._local[name, key] = evidence

    def rate(self, pattern: str, context: PatternContext | None = None) -> float:
        """Posterior mean of a pattern's success a try, in a context or anywhere."""
        mean = self._evidence.get(pattern, _NOTHING).mean(self._base, self._prior.strength)
        local = self._here(pattern, context)
        return mean if local is None else local.mean(mean, self._prior.context_strength)

    def interval(self, pattern: str, context: PatternContext | None = None) -> tuple[float, float]:
        """Ends of the central 95 % interval of the posterior."""
        from scipy.special import betaincinv  # a quarter of a second that only those who want intervals need

        evidence, centre, strength = self._evidence.get(pattern, _NOTHING), self._base, self._prior.strength
        local = self._here(pattern, context)
        if local is not None:
            evidence, centre, strength = local, evidence.mean(centre, strength), self._prior.context_strength
        first = strength * centre + evidence.successes
        second = strength * (1 - centre) + evidence.failures
        tail = (1 - LEVEL) / 2
        low, high = betaincinv(first, second, (tail, 1 - tail))
        return float(low), float(high)

    def is_offered(self, pattern: str, context: PatternContext | None = None) -> bool:
        """Whether a pattern's quality reaches the threshold; what is not offered may still be tried, last."""
        return self._prior.threshold == 0 or self.interval(pattern, context)[0] >= self._prior.threshold

    def offers(self, context: PatternContext | None = None, k: int = 5) -> tuple[PatternOffer, ...]:
        """The `k` best of the patterns that are known and offered, best first; equal ones by name.

        Parameters
        ----------
        context
            Where a change is sought; None for anywhere.
        k
            Patterns to return at most.
        """
        found = [self._offer(name, context) for name in self._records if self.is_offered(name, context)]
        return tuple(sorted(found, key=lambda offer: (-offer.mean, offer.pattern))[:k])

    def _offer(self, pattern: str, context: PatternContext | None) -> PatternOffer:
        record = self._records[pattern]
        here = [
            tally
            for tally in record.contexts
            if context is None or self._prior.key(tally.context) == self._prior.key(context)
        ]
        low, high = self.interval(pattern, context)
        return PatternOffer(
            pattern,
            self.rate(pattern, context),
            low,
            high,
            record,
            math.fsum(tally.successes for tally in here),
            math.fsum(tally.tries for tally in here),
        )

    def _here(self, pattern: str, context: PatternContext | None) -> _Evidence | None:
        """Evidence in a context; None when context is not asked for or does not count."""
        if context is None or self._prior.context_strength == math.inf:
            return None
        return self._local.get((pattern, self._prior.key(context)), _NOTHING)


def _evidence_of(record: PatternRecord) -> _Evidence:
    """All that was seen of a pattern; tries in no known context count whole."""
    failures = record.tries - record.successes
    for tally in record.contexts:
        failures -= (1 - PLACES.get(tally.context.place, 1.0)) * (tally.tries - tally.successes)
    return _Evidence(record.successes, max(0.0, failures))


def _local_evidence(record: PatternRecord, prior: RatePrior) -> Iterator[tuple[tuple[str, ...], _Evidence]]:
    found: dict[tuple[str, ...], _Evidence] = {}
    for tally in record.contexts:
        evidence = found.setdefault(prior.key(tally.context), _Evidence())
        evidence.successes += tally.successes
        evidence.failures += PLACES.get(tally.context.place, 1.0) * (tally.tries - tally.successes)
    yield from found.items()
