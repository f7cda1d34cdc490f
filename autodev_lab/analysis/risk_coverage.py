"""Risk-coverage curves: how much of what is deployed is wrong, when the changes that look best go first.

A gate orders changes; deploying more of them (*coverage*) lets more wrong ones through (*risk*, here the share of
wrong among the covered, so that it is not confused with the risk a model records). Curves and the area under them are
those of El-Yaniv and Wiener 2010, "On the foundations of noise-free selective classification" (JMLR 11), and of Geifman
and El-Yaniv 2017, "Selective classification for deep neural networks" (NeurIPS). An order is worth something only
against others *at the same coverage*: at random, and the smallest change first.

The reading: only original tasks with a change that reached the gate count. A change is wrong when the oracle says
so; the gate has never seen that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from autodev_lab.analysis.frames import originals
from autodev_lab.analysis.weighted import weighted_intervals
from autodev_lab.errors import LabError
from autodev_lab.records import Action

__all__ = [
    "CONTROLS",
    "ORDERS",
    "BlindSpots",
    "Gated",
    "Matched",
    "area",
    "blind_spots",
    "compare_orders",
    "covering",
    "curve",
    "gate_rows",
    "judge_gate",
    "wrong_band",
    "wrong_share",
]

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Score = Callable[[pd.DataFrame], Floats]

ORDERS: Mapping[str, Score] = MappingProxyType(
    {
        "risk": lambda rows: rows["risk"].to_numpy(dtype=np.float64),
        "confidence": lambda rows: -rows["confidence"].to_numpy(dtype=np.float64),
        "random": lambda rows: np.zeros(len(rows)),
        "smallest_first": lambda rows: rows["lines_changed"].to_numpy(dtype=np.float64),
        "perfect": lambda rows: _wrong(rows),
    }
)
"""Scores by which changes are deployed, the lowest first. Ties are taken in random order, exactly in expectation; so
one score for all *is* the random order."""

CONTROLS: tuple[str, ...] = ("random", "smallest_first")
"""Orders that a gate must beat at matched coverage."""


@dataclass(frozen=True, slots=True)
class Matched:
    """An order against a control at one coverage; the difference is of shares of wrong among the covered.

    Negative is better than the control. ``low`` and ``high`` bound it over packages; infinite with fewer than two.
    """

    order: str
    control: str
    coverage: float
    wrong: float
    wrong_control: float
    difference: float
    low: float
    high: float
    n: int
    clusters: int


@dataclass(frozen=True, slots=True)
class Gated:
    """What a gate itself let through without a person, and what a control lets through at the same coverage.

    ``wrong`` and ``wrong_control`` are shares of wrong among the deployed, NaN when nothing was deployed; ``escaped``
    is the share of all changes that is wrong and was deployed.
    """

    control: str
    coverage: float
    wrong: float
    wrong_control: float
    difference: float
    low: float
    high: float
    escaped: float
    n: int
    clusters: int


@dataclass(frozen=True, slots=True)
class BlindSpots:
    """Where the rollout cannot see: changes whose task has no exposure test that fails on the bug.

    ``unknown`` counts changes whose truth does not say; ``wrong_blind`` those blind ones that are wrong, and
    ``escaped_blind`` those of them that reached production. ``wrong`` and ``shown`` count all wrong changes and those
    of them that an exposure test fails on: their ratio is the power that production has to show a defect.
    """

    changes: int
    blind: int
    unknown: int
    wrong: int
    shown: int
    wrong_blind: int
    escaped_blind: int

    @property
    def production_power(self) -> float:
        """Share of wrong changes that all exposure tests together show; NaN without wrong changes."""
        return self.shown / self.wrong if self.wrong else float("nan")


def gate_rows(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Rows of original tasks with a change that reached the gate.

    Raises
    ------
    LabError
        If there is none.
    """
    tasks = originals(outcomes)
    rows = tasks[tasks["decision"].notna()]
    if rows.empty:
        raise LabError("no change reached the gate, so there is no order to judge; take more tasks or a larger budget")
    return rows


def curve(score: npt.ArrayLike, wrong: npt.ArrayLike) -> pd.DataFrame:
    """The risk-coverage curve of a score.

    Parameters
    ----------
    score
        One a change, the lowest deployed first; of shape (n,).
    wrong
        Whether each change is wrong, of shape (n,).

    Returns
    -------
    DataFrame
        One row a number of changes deployed, 1 to n: ``covered`` (changes), ``coverage`` (share) and ``wrong`` (share
        of wrong among the covered, in expectation over the order of ties).

    Examples
    --------
    >>> curve([0.1, 0.2, 0.2, 0.9], [0, 1, 0, 1])["wrong"].round(2).tolist()
    [0.0, 0.25, 0.33, 0.5]
    """
    expected = _expected_wrong(np.asarray(score, dtype=np.float64), np.asarray(wrong, dtype=np.float64))
    covered = np.arange(1, len(expected) + 1)
    return pd.DataFrame(
        {"covered": covered, "coverage": covered / len(expected), "wrong": expected / covered.astype(np.float64)}
    )


def area(score: npt.ArrayLike, wrong: npt.ArrayLike) -> float:
    """Area under the risk-coverage curve: the mean of ``wrong`` over all coverages (Geifman and El-Yaniv 2017).

    Examples
    --------
    >>> area([1, 2, 3, 4], [0, 0, 1, 1]) < area([1, 1, 1, 1], [0, 0, 1, 1]) < area([4, 3, 2, 1], [0, 0, 1, 1])
    True
    """
    return float(curve(score, wrong)["wrong"].mean())


def wrong_share(score: npt.ArrayLike, wrong: npt.ArrayLike, coverage: float) -> float:
    """Expected share of wrong among the covered at a coverage in (0, 1]; part of a change counts in part.

    Raises
    ------
    LabError
        If the coverage is not in (0, 1].

    Examples
    --------
    >>> wrong_share([1, 2, 3, 4], [0, 0, 1, 1], 0.75)
    0.3333333333333333
    """
    return float(covering(np.asarray(score, dtype=np.float64), coverage) @ np.asarray(wrong, dtype=np.float64))


def compare_orders(
    rows: pd.DataFrame,
    order: str = "confidence",
    *,
    controls: Sequence[str] = CONTROLS,
    coverages: Sequence[float] = (0.25, 0.5, 0.75),
    level: float = 0.95,
) -> tuple[Matched, ...]:
    """An order against controls at matched coverages, with intervals over packages (`weighted_intervals`).

    Parameters
    ----------
    rows
        From `gate_rows`, of one arm.
    order, controls
        Names in `ORDERS`.

    Raises
    ------
    LabError
        If a name or a coverage is not allowed.
    """
    for name in (order, *controls):
        if name not in ORDERS:
            raise LabError(f"{name!r} is not an order; choose among {', '.join(ORDERS)}")
    wrong = _wrong(rows)
    scores = {name: ORDERS[name](rows) for name in dict.fromkeys((order, *controls))}
    pairs = [(control, coverage) for control in controls for coverage in coverages]

    def weigh(places: Places) -> Floats:
        return np.array(
            [
                covering(scores[order][places], coverage) - covering(scores[control][places], coverage)
                for control, coverage in pairs
            ]
        )

    _, low, high = weighted_intervals(weigh, wrong, rows["package"].tolist(), bounds=(-1.0, 1.0), level=level)
    return tuple(
        Matched(
            order,
            control,
            coverage,
            ours := wrong_share(scores[order], wrong, coverage),
            theirs := wrong_share(scores[control], wrong, coverage),
            ours - theirs,
            float(low[place]),
            float(high[place]),
            len(rows),
            rows["package"].nunique(),
        )
        for place, (control, coverage) in enumerate(pairs)
    )


def wrong_band(rows: pd.DataFrame, order: str, coverages: Sequence[float], *, level: float = 0.95) -> pd.DataFrame:
    """An order's share of wrong at some coverages, each with an interval over packages (as in `compare_orders`).

    Returns
    -------
    DataFrame
        ``coverage``, ``wrong``, ``low`` and ``high``; the intervals hold point by point. Ends are infinite with fewer
        than two packages.
    """
    score = ORDERS[order](rows)

    def weigh(places: Places) -> Floats:
        return np.array([covering(score[places], coverage) for coverage in coverages])

    shares, low, high = weighted_intervals(
        weigh, _wrong(rows), rows["package"].tolist(), bounds=(0.0, 1.0), level=level
    )
    return pd.DataFrame({"coverage": list(coverages), "wrong": shares, "low": low, "high": high})


def judge_gate(
    rows: pd.DataFrame, *, controls: Sequence[str] = (*CONTROLS, "perfect"), level: float = 0.95
) -> tuple[Gated, ...]:
    """What the gate's own decisions let through without a person, against controls at that coverage.

    A control at that coverage is the expectation over its order of ties, so nothing is drawn: the random control is the
    mean of all random gates that let as many through. A gate that lets everything through differs from none, for sure.

    Parameters
    ----------
    rows, level
        As for `compare_orders`.
    controls
        Names in `ORDERS`.
    """
    wrong = _wrong(rows)
    deployed = (rows["decision"] != Action.REQUEST_REVIEW.value).to_numpy(dtype=np.float64)
    scores = {name: ORDERS[name](rows) for name in controls}

    def ours(places: Places) -> Floats:
        out = deployed[places]
        return out / out.sum() if out.any() else np.full(len(out), np.nan)

    def theirs(places: Places, control: str) -> Floats:
        out = deployed[places]
        return covering(scores[control][places], float(out.mean())) if out.any() else np.full(len(out), np.nan)

    def weigh(places: Places) -> Floats:
        return np.array([ours(places) - theirs(places, control) for control in controls])

    differences, low, high = weighted_intervals(weigh, wrong, rows["package"].tolist(), bounds=(-1.0, 1.0), level=level)
    everything = np.arange(len(rows))
    return tuple(
        Gated(
            control,
            float(deployed.mean()),
            float(ours(everything) @ wrong),
            float(theirs(everything, control) @ wrong),
            float(differences[place]),
            float(low[place]),
            float(high[place]),
            float((wrong * deployed).mean()),
            len(rows),
            rows["package"].nunique(),
        )
        for place, control in enumerate(controls)
    )


def blind_spots(rows: pd.DataFrame) -> BlindSpots:
    """Count the changes that the rollout cannot judge, from rows of `gate_rows`.

    Tasks without a killing test on the exposure side are blind: what production shows of them says nothing of the bug.
    """
    wrong = _wrong(rows).astype(bool)
    known = rows["exposure_killable"].notna().to_numpy()
    blind = known & ~rows["exposure_killable"].fillna(True).astype(bool).to_numpy()
    shown = wrong & rows["exposure_passed"].eq(False).fillna(False).to_numpy(dtype=bool)
    return BlindSpots(
        changes=len(rows),
        blind=int(blind.sum()),
        unknown=int((~known).sum()),
        wrong=int(wrong.sum()),
        shown=int(shown.sum()),
        wrong_blind=int((wrong & blind).sum()),
        escaped_blind=int((blind & rows["escaped"].to_numpy(dtype=bool)).sum()),
    )


def _wrong(rows: pd.DataFrame) -> Floats:
    return 1.0 - rows["correct"].to_numpy(dtype=np.float64)


def _expected_wrong(score: Floats, wrong: Floats) -> Floats:
    """Expected number of wrong changes among the first k, for k from 1 to n; ties are taken in random order."""
    order = np.argsort(score, kind="stable")
    _, first, size = np.unique(score[order], return_index=True, return_counts=True)
    per_group = np.add.reduceat(wrong[order], first)
    # the first j of a group of m with e wrong ones hold e * j / m of them on average, so each counts e / m
    expected: Floats = np.cumsum(np.repeat(per_group / size, size))
    return expected


def covering(score: Floats, coverage: float) -> Floats:
    """Weights of the changes that a coverage takes, the lowest scores first, of sum 1; ties share what is left."""
    if not 0.0 < coverage <= 1.0:
        raise LabError(f"coverage is {coverage}; it is a share of the changes above 0 and at most 1")
    _, group, size = np.unique(score, return_inverse=True, return_counts=True)
    taken = coverage * len(score)
    before = np.cumsum(size) - size
    weights: Floats = np.clip((taken - before) / size, 0.0, 1.0)[group] / taken
    return weights
