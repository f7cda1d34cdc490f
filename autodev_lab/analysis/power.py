"""Power of the registered test, by simulating whole experiments from a stated model, and the packages it takes.

The model: a package's baseline rate is drawn from a beta distribution; its treatment rate is the baseline rate times
``1 + effect``, times a factor of its own; all outcomes of one task share a latent difficulty (one-factor probit), so
that paired arms, replicates and twins are alike in what is hard.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from autodev_lab.analysis.cluster_inference import DEFAULT_TEST, ClusterTest
from autodev_lab.analysis.effects import resolution
from autodev_lab.analysis.estimates import Floats

__all__ = ["Design", "Experiments", "Power", "packages_needed", "power", "simulate"]

_AT_ONCE = 2_000_000
"""Single outcomes held at one time."""


@dataclass(frozen=True, slots=True)
class Design:
    """How large an experiment is, and how its outcomes vary: what power depends on.

    Parameters
    ----------
    packages
        Clusters, at least 2.
    tasks
        Tasks a package in each replicate.
    replicates
        Streams; they repeat the same tasks.
    baseline
        Share of tasks the baseline gets right, between 0 and 1.
    between
        Correlation of two tasks of one package in the baseline: variance of packages' rates by ``m (1 - m)``.
    pairing
        Latent (tetrachoric) correlation of two outcomes of one task, in other arms or replicates; below 1.
    spread
        Standard deviation over packages of the factor by which the effect differs, at most 0.5.
    """

    packages: int = 22
    tasks: int = 30
    replicates: int = 3
    baseline: float = 0.35
    between: float = 0.1
    pairing: float = 0.5
    spread: float = 0.1


@dataclass(frozen=True, slots=True)
class Experiments:
    """Many simulated experiments: totals per package, each of shape (N, G), and the noise floor of each, shape (N,)."""

    treatment: Floats
    baseline: Floats
    floor: Floats


@dataclass(frozen=True, slots=True)
class Power:
    """Shares of simulated experiments by what their verdict would be.

    ``value`` is the share with the right verdict: supported where the effect is above the threshold, refuted where it
    is below; NaN at the threshold, where any decision is an error.
    """

    effect: float
    threshold: float
    level: float
    supported: float
    refuted: float
    below_noise: float
    simulations: int

    @property
    def value(self) -> float:
        """Share of right verdicts."""
        if self.effect == self.threshold:
            return math.nan
        return self.supported if self.effect > self.threshold else self.refuted

    @property
    def error(self) -> float:
        """Standard error of `value` from simulating."""
        return math.sqrt(self.value * (1 - self.value) / self.simulations)


def simulate(design: Design, *, effect: float, experiments: int, seed: int = 0) -> Experiments:
    """Draw whole experiments, twins included.

    The noise floor is the normal approximation of `noise_floor`: 1.96 times the root of the summed squares of twins'
    differences, relative to their arm's total.

    Parameters
    ----------
    effect
        True relative effect of the treatment.
    experiments
        How many to draw.

    Examples
    --------
    >>> drawn = simulate(Design(packages=8), effect=0.3, experiments=50)
    >>> drawn.treatment.shape, bool(drawn.treatment.sum() > drawn.baseline.sum())
    ((50, 8), True)
    """
    rng = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // (design.packages * design.tasks * design.replicates))
    parts = [_draw(design, effect, min(step, experiments - start), rng) for start in range(0, experiments, step)]
    return Experiments(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def power(
    design: Design,
    *,
    effect: float,
    threshold: float = 0.0,
    level: float = 0.95,
    test: ClusterTest = DEFAULT_TEST,
    simulations: int = 2000,
    seed: int = 0,
) -> Power:
    """How often the verdict would be right, by simulation.

    Parameters
    ----------
    effect
        True relative effect.
    threshold
        Relative effect that the claim promises; 0 asks for any effect.
    level
        Coverage of the verdict's interval; a family of m claims has ``1 - 0.05 / m``.

    Examples
    --------
    >>> found = power(Design(packages=12), effect=0.5, threshold=0.0, simulations=200)
    >>> found.value > 0.9
    True
    """
    drawn = simulate(design, effect=effect, experiments=simulations, seed=seed)
    totals = drawn.baseline.sum(axis=1)
    defined = totals > 0
    if design.packages < test.fewest(level) or not defined.any():
        return Power(effect, threshold, level, 0.0, 0.0, 0.0, simulations)
    half = (1 - level) / 2
    contributions = drawn.treatment - (1 + threshold) * drawn.baseline
    greater, less = test.tails(contributions)
    # an effect within the resolution of the counts is not told from the threshold
    told = np.abs(contributions.sum(axis=1)) >= resolution(level)
    estimate = np.divide(drawn.treatment.sum(axis=1), totals, out=np.ones_like(totals), where=defined) - 1
    heard = np.abs(estimate) >= drawn.floor
    decided = defined & told & heard
    return Power(
        effect,
        threshold,
        level,
        float((decided & (greater <= half)).mean()),
        float((decided & (less <= half)).mean()),
        float((~heard).mean()),
        simulations,
    )


def packages_needed(
    design: Design,
    *,
    effect: float,
    threshold: float = 0.0,
    level: float = 0.95,
    test: ClusterTest = DEFAULT_TEST,
    wanted: float = 0.8,
    most: int = 200,
    simulations: int = 1000,
    seed: int = 0,
) -> int | None:
    """Fewest packages with at least the wanted power, all else as in the design; None when `most` do not suffice.

    Examples
    --------
    >>> packages_needed(Design(tasks=20, replicates=1), effect=1.0, simulations=200) <= 12
    True
    """

    def enough(packages: int) -> bool:
        tried = replace(design, packages=packages)
        found = power(
            tried, effect=effect, threshold=threshold, level=level, test=test, simulations=simulations, seed=seed
        )
        return found.value >= wanted

    if effect == threshold:
        return None
    low, high = test.fewest(level) - 1, test.fewest(level)
    while not enough(high):
        if high == most:
            return None
        low, high = high, min(most, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _draw(design: Design, effect: float, experiments: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    shape = (experiments, design.packages)
    rate = np.full(shape, design.baseline)
    if design.between > 0:
        strength = 1 / design.between - 1
        rate = rng.beta(design.baseline * strength, (1 - design.baseline) * strength, size=shape)
    # uniform, so that the factor has the stated deviation and is never negative
    factor = 1 + design.spread * math.sqrt(3) * rng.uniform(-1, 1, size=shape)
    better = np.clip(rate * (1 + effect) * factor, 0, 1)
    difficulty = math.sqrt(design.pairing) * rng.normal(size=(*shape, design.tasks))
    totals, floors = [], []
    for share in (better, rate):
        chance = special.ndtr((special.ndtri(share)[..., None] + difficulty) / math.sqrt(1 - design.pairing))[..., None]
        first, twin = (
            (rng.random((*shape, design.tasks, design.replicates)) < chance).sum(axis=2, dtype=np.float64)
            for _ in range(2)
        )
        totals.append(first.sum(axis=2))
        mean = (first.sum(axis=(1, 2)) + twin.sum(axis=(1, 2))) / 2
        squares = ((twin - first) ** 2).sum(axis=(1, 2))
        floors.append(np.divide(squares, mean**2, out=np.full(experiments, np.inf), where=mean > 0))
    floor = float(special.ndtri(0.975)) * np.sqrt((floors[0] + floors[1]) / 2)
    return totals[0], totals[1], floor
