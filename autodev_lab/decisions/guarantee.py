"""A threshold above which changes may be deployed without a person, with a promise that holds in finite samples.

The promise: of what is deployed without a person at least a share ``success`` succeeds; the chance that a certificate
is issued whose threshold does not keep this is at most ``1 - assurance``. Learn-Then-Test (Angelopoulos, Bates, Candes,
Jordan and Lei 2021, "Learn then test: calibrating predictive algorithms to achieve risk control") tests "the threshold
breaks the promise" for thresholds in fixed sequences, the most cautious first, each until the first that is not
rejected; the level is shared among the sequences (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autodev_lab.decisions.betting import betting_p_values
from autodev_lab.errors import LabError

__all__ = ["Certificate", "FixedSequences", "Promise", "certify"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_LOG_ODDS = np.arange(0.0, 7.61, 0.05)
_ODDS_OF_STARTS = (8.0, 4.0, 2.0, 1.0)
_COVERAGES = (0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a certificate promises.

    Parameters
    ----------
    success
        Share of what is deployed without a person that succeeds, at least.
    assurance
        Confidence with which this is promised.

    Raises
    ------
    LabError
        If one is not inside (0, 1).

    Examples
    --------
    >>> Promise().words
    'of what is deployed without a person at least 95 % succeed, with 95 % confidence'
    """

    success: float = 0.95
    assurance: float = 0.95

    def __post_init__(self) -> None:
        for name, value in (("success", self.success), ("assurance", self.assurance)):
            if not 0.0 < value < 1.0:
                raise LabError(f"promised {name} is {value}; it is a share and must lie between 0 and 1, both excluded")

    @property
    def words(self) -> str:
        """The promise as a sentence without its assumption."""
        return (
            f"of what is deployed without a person at least {_percent(self.success)} succeed, with "
            f"{_percent(self.assurance)} confidence"
        )

    @property
    def fewest(self) -> int:
        """Changes, all of them successes, without which exact binomial p values can certify nothing.

        Examples
        --------
        >>> Promise().fewest, Promise(0.99, 0.9).fewest
        (59, 230)
        """
        return math.ceil(math.log1p(-self.assurance) / math.log(self.success))


@dataclass(frozen=True, slots=True)
class FixedSequences:
    """Thresholds to be tested, and where the sequences start; fixed without a look at what certifies.

    Parameters
    ----------
    thresholds
        From the most cautious (highest) to the boldest, strictly falling.
    starts
        Places in `thresholds` where a sequence begins. Each goes on to the last threshold.

    Raises
    ------
    LabError
        If there is nothing to test, the order is wrong, or a start does not exist.
    """

    thresholds: tuple[float, ...]
    starts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.thresholds or not self.starts:
            raise LabError("a certificate needs at least one threshold to test and one start")
        if any(low >= high for high, low in zip(self.thresholds, self.thresholds[1:], strict=False)):
            raise LabError("thresholds must fall strictly, the most cautious first")
        if not all(0 <= start < len(self.thresholds) for start in self.starts):
            raise LabError(f"a sequence must start within the {len(self.thresholds)} thresholds")

    @classmethod
    def over_log_odds(cls, promise: Promise) -> FixedSequences:
        """A grid for confidences that mean something: steps of .05 in log-odds from 1/2 up, and everything.

        Sequences start where a true confidence has 8, 4, 2 and 1 times the odds that are promised.

        Examples
        --------
        >>> grid = FixedSequences.over_log_odds(Promise())
        >>> [round(grid.thresholds[start], 3) for start in grid.starts], grid.thresholds[-1]
        ([0.993, 0.987, 0.975, 0.95], 0.0)
        """
        thresholds = np.concatenate([1.0 / (1.0 + np.exp(-_LOG_ODDS[::-1])), [0.25, 0.0]])
        odds = promise.success / (1.0 - promise.success)
        wanted = [odds * times / (1.0 + odds * times) for times in _ODDS_OF_STARTS]
        starts = tuple(dict.fromkeys(int(np.abs(thresholds - one).argmin()) for one in wanted))
        return cls(tuple(thresholds.tolist()), starts)

    @classmethod
    def of(
        cls, confidence: npt.ArrayLike, *, count: int = 200, coverages: Sequence[float] = _COVERAGES
    ) -> FixedSequences:
        """Thresholds at even steps of coverage on *other* changes than those that certify (training, calibration).

        Parameters
        ----------
        confidence
            Of the other changes, shape (m,); at least one.
        count
            Thresholds; equal ones are taken once.
        coverages
            Share of the other changes that is deployed where each sequence starts.

        Examples
        --------
        >>> grid = FixedSequences.of(np.linspace(0, 1, 101), count=10, coverages=(0.1, 0.5))
        >>> [round(grid.thresholds[start], 2) for start in grid.starts]
        [0.9, 0.5]
        """
        seen = np.asarray(confidence, dtype=np.float64)
        if seen.ndim != 1 or not len(seen) or not np.all(np.isfinite(seen)):
            raise LabError("thresholds need a vector of finite confidences of other changes, and at least one")
        shares = np.arange(1, count + 1) / count
        thresholds = np.unique(np.quantile(seen, 1.0 - shares))[::-1]
        wanted = np.quantile(seen, 1.0 - np.asarray(coverages, dtype=np.float64))
        starts = tuple(sorted({int(np.abs(thresholds - one).argmin()) for one in wanted.tolist()}))
        return cls(tuple(thresholds.tolist()), starts)

    def furthest(self, p_values: Floats, counts: Ints, level: float) -> int | None:
        """Place of the boldest threshold that is rejected by fixed-sequence tests at a level, or None.

        Among rejected thresholds with the same changes above them it is the most cautious: all rejected ones keep the
        promise together, and nothing was seen of changes in between.

        Parameters
        ----------
        p_values
            One a threshold, of "this threshold breaks the promise".
        counts
            Changes at or above each threshold.
        level
            For all sequences together.

        Examples
        --------
        >>> grid = FixedSequences((0.9, 0.8, 0.7, 0.6), starts=(0, 2))
        >>> grid.furthest(np.array([0.01, 0.02, 0.3, 0.01]), np.array([5, 7, 9, 9]), level=0.05)
        1
        """
        rejected: set[int] = set()
        for start in self.starts:
            kept = np.flatnonzero(p_values[start:] > level / len(self.starts))
            rejected |= set(range(start, start + int(kept[0]) if len(kept) else len(self.thresholds)))
        return min((place for place in rejected if counts[place] == counts[max(rejected)]), default=None)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was certified: deploy without a person when the confidence is at least the threshold.

    Parameters
    ----------
    promise
        What was to be promised.
    threshold
        None when no threshold could be certified.
    n, successes
        Changes at or above the threshold among those that certify, and how many of them succeeded; without a
        threshold, of all changes.
    p_value
        Of "the threshold breaks the promise"; without a threshold, the smallest that a sequence began with.
    words
        What is promised, under which assumption, on what; or that nothing is.
    """

    promise: Promise
    threshold: float | None
    n: int
    successes: int
    p_value: float
    words: str

    def deploys(self, confidence: npt.ArrayLike) -> Bools:
        """Which changes may be deployed without a person, by their confidence."""
        seen = np.asarray(confidence, dtype=np.float64)
        nothing: Bools = np.zeros(seen.shape, dtype=np.bool_)
        return nothing if self.threshold is None else seen >= self.threshold


def certify(
    confidence: npt.ArrayLike,
    success: npt.ArrayLike,
    promise: Promise,
    *,
    blocks: npt.ArrayLike | None = None,
    observed: npt.ArrayLike | None = None,
    sequences: FixedSequences | None = None,
    each_block_counts_once: bool = False,
) -> Certificate:
    """Find the lowest threshold for which the promise can be certified.

    The model, its calibrator and `sequences` must be fixed without these changes. Without `blocks` and `observed` p
    values are exact binomial: changes, those to come included, are taken as exchangeable. With `blocks`, whole blocks
    are, and within one anything goes: p values come from bets on a block's successes beyond the promised share, in the
    order given (`autodev_lab.decisions.betting`), with the number deployed in a block taken to be no larger than the
    largest seen. With `observed`, a failure counts for all those that are not yet to be seen: as one over the
    probability that it is.

    Parameters
    ----------
    confidence
        Shape (n,).
    success
        Whether each succeeded, shape (n,). With `observed`: whether no failure has been seen so far.
    promise
        What is to be certified.
    blocks
        Integer labels of dependent groups, such as project-weeks, shape (n,).
    observed
        Probability in (0, 1] that a failure of each change would have been seen by now, shape (n,). Taken as known
        (`autodev_lab.decisions.maturity` estimates it).
    sequences
        Thresholds to be tested; `FixedSequences.over_log_odds` unless given.
    each_block_counts_once
        The promise is on the mean over blocks of their own share of successes, so that a large block counts as much
        as a small one. It can be certified on far fewer blocks when sizes differ much.

    Raises
    ------
    LabError
        If shapes differ, or a value is not allowed. No changes at all certify nothing, and are no error.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> confidence = rng.random(10_000)
    >>> certificate = certify(confidence, rng.random(10_000) < confidence, Promise())
    >>> round(certificate.threshold, 2), certificate.n
    (0.97, 252)
    >>> certify(confidence[:20], np.ones(20, dtype=bool), Promise()).threshold is None
    True
    """
    seen, good, groups, chance = _checked(confidence, success, blocks, observed)
    grid = sequences or FixedSequences.over_log_odds(promise)
    thresholds = np.asarray(grid.thresholds)
    counts, successes = _counted(seen, good, thresholds)
    if groups is None and chance is None:
        p_values = _binomial_p_values(successes, counts, promise.success)
        assumed = "changes are exchangeable, those to come included"
    else:
        assumed = f"{'changes' if groups is None else 'the blocks of changes'} are exchangeable, those to come included"
        if chance is not None:
            assumed += ", and the delays of failures are as estimated"
        if each_block_counts_once:
            assumed += "; success is the mean over blocks"
        groups = np.arange(len(seen)) if groups is None else groups
        chance = np.ones(len(seen)) if chance is None else chance
        gains = np.where(good, 1.0, 1.0 - 1.0 / chance) - promise.success
        p_values = _block_p_values(
            seen, gains, 1.0 / chance - 1.0 + promise.success, groups, thresholds, each_block_counts_once
        )
    return _conclude(promise, grid, thresholds, counts, successes, p_values, assumed)


def _conclude(
    promise: Promise,
    grid: FixedSequences,
    thresholds: Floats,
    counts: Ints,
    successes: Ints,
    p_values: Floats,
    assumed: str,
) -> Certificate:
    furthest = grid.furthest(p_values, counts, 1.0 - promise.assurance)
    if furthest is None:
        n = int(counts.max(initial=0))
        good = int(successes.max(initial=0))
        least = float(min(p_values[start] for start in grid.starts))
        words = (
            f"nothing certified: deploys nothing by itself ({n} labelled changes do not show for any threshold that "
            f"{promise.words})"
        )
        return Certificate(promise, None, n, good, least, words)
    n, good = int(counts[furthest]), int(successes[furthest])
    words = (
        f"{promise.words}, if {assumed}: threshold {thresholds[furthest]:.4f}, above which {good} of {n} labelled "
        "changes succeeded"
    )
    return Certificate(promise, float(thresholds[furthest]), n, good, float(p_values[furthest]), words)


def _percent(share: float) -> str:
    return f"{100.0 * share:.10g} %"


def _binomial_p_values(successes: Ints, counts: Ints, share: float) -> Floats:
    """Probability of at least so many successes when each has the promised share; 1 where there are none."""
    from scipy.special import betainc  # a quarter of a second that only those who certify need

    p: Floats = np.where(successes > 0, betainc(np.maximum(successes, 1), counts - successes + 1, share), 1.0)
    return p


def _counted(seen: Floats, good: Bools, thresholds: Floats) -> tuple[Ints, Ints]:
    """Changes at or above each threshold, and successes among them."""
    order = np.argsort(seen)
    below = np.searchsorted(seen[order], thresholds, side="left")
    passed = np.concatenate([np.cumsum(good[order][::-1], dtype=np.int64)[::-1], [0]])
    return np.asarray(len(seen) - below, dtype=np.int64), passed[below]


def _block_p_values(
    seen: Floats, gains: Floats, losses: Floats, groups: Ints, thresholds: Floats, each_counts_once: bool
) -> Floats:
    """A p value a threshold, from bets on the blocks' total (or mean) gains; a gain is never below ``-losses``."""
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))[member]  # blocks in the order in which they were first seen
    p_values = np.ones(len(thresholds))
    for row, threshold in enumerate(thresholds.tolist()):
        inside = seen >= threshold
        sizes = np.bincount(place[inside], minlength=len(first))
        held = sizes > 0
        if not held.any():
            continue
        divisor = sizes[held].astype(np.float64) if each_counts_once else np.ones(int(held.sum()))
        total = np.bincount(place[inside], weights=gains[inside], minlength=len(first))[held] / divisor
        worst = np.bincount(place[inside], weights=losses[inside], minlength=len(first))[held] / divisor
        p_values[row] = float(betting_p_values(total, float(worst.max())))
    return p_values


def _checked(
    confidence: npt.ArrayLike, success: npt.ArrayLike, blocks: npt.ArrayLike | None, observed: npt.ArrayLike | None
) -> tuple[Floats, Bools, Ints | None, Floats | None]:
    seen, good = np.asarray(confidence, dtype=np.float64), np.asarray(success)
    if seen.ndim != 1 or good.shape != seen.shape:
        raise LabError(
            f"confidences and successes must be two vectors of one length, not {seen.shape} and {good.shape}"
        )
    if not np.all(np.isfinite(seen)):
        raise LabError("a confidence is missing or not finite; leave out the changes that have none")
    if len(good) and not np.all((good == 0) | (good == 1)):
        raise LabError("success must be yes or no for every change; leave out those whose outcome is not known")
    groups = None if blocks is None else np.asarray(blocks)
    chance = None if observed is None else np.asarray(observed, dtype=np.float64)
    for name, given in (("blocks", groups), ("observed", chance)):
        if given is not None and given.shape != seen.shape:
            raise LabError(f"{name} must have one value a change: {given.shape} for {seen.shape}")
    if chance is not None and not np.all((chance > 0.0) & (chance <= 1.0)):
        raise LabError("observed is a probability and must lie in (0, 1]; leave out changes that are too young to tell")
    return seen, good.astype(np.bool_), groups, chance
