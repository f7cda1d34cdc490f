"""How often a cluster test errs and how often it finds an effect, in simulated worlds of unlike packages.

`python -m autodev_lab.analysis.error_rates` prints the table of `docs/statistics.md`, by which the default was chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import special

from autodev_lab.analysis.cluster_inference import ClusterTest, SignFlips, StudentT, WildBootstrap
from autodev_lab.analysis.estimates import Floats

__all__ = ["WORLDS", "ErrorRates", "World", "draw", "error_rates", "upper_bound"]


@dataclass(frozen=True, slots=True)
class World:
    """A population of packages to draw experiments from.

    Parameters
    ----------
    tasks
        Mean tasks a package.
    share
        Share of tasks the treatment gets right.
    between
        Correlation of two tasks of a package.
    spread
        Largest relative deviation of a package's own effect; uniform within it.
    unevenness
        Standard deviation of the logarithm of package sizes.
    pairing
        Share of tasks whose luck is the same in both arms.
    """

    tasks: int = 60
    share: float = 0.45
    between: float = 0.1
    spread: float = 0.1
    unevenness: float = 0.0
    pairing: float = 0.5


WORLDS: Mapping[str, World] = MappingProxyType(
    {
        "alike": World(),
        "alike, rare": World(share=0.13),
        "rare, uneven": World(share=0.13, spread=0.23, unevenness=0.8),
        "very unlike, uneven": World(share=0.26, between=0.3, spread=0.23, unevenness=0.8),
        "very unlike, uneven, frequent": World(share=0.52, between=0.3, spread=0.23, unevenness=0.8),
        "one effect, uneven": World(between=0.02, spread=0.0, unevenness=0.8),
    }
)
"""From easy to hard; with a ratio of 1.3 the baseline's share is .10 to .40."""


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """Shares of experiments: wrong verdicts at the threshold by side, and right ones at a larger effect."""

    supported: float
    refuted: float
    power: float
    experiments: int

    @property
    def bound(self) -> float:
        """Exact upper bound (95 %, one-sided) of all wrong verdicts at the threshold."""
        return upper_bound(round((self.supported + self.refuted) * self.experiments), self.experiments)


def upper_bound(errors: int, trials: int, *, level: float = 0.95) -> float:
    """Largest rate that would show so few errors with chance ``1 - level`` (Clopper and Pearson 1934, Biometrika 26).

    Examples
    --------
    >>> round(upper_bound(50, 1000), 4)
    0.0629
    """
    return float(special.betaincinv(errors + 1, trials - errors, level)) if errors < trials else 1.0


def draw(world: World, clusters: int, *, ratio: float, experiments: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Totals of treatment and baseline in many experiments, each of shape (N, G).

    A package's baseline share is its treatment share divided by its own ratio, so that the ratio of expected totals is
    `ratio` exactly and no share needs to be cut at 1.

    Parameters
    ----------
    ratio
        True ratio of totals, at least ``1 + world.spread``.

    Examples
    --------
    >>> treatment, baseline = draw(World(), 6, ratio=1.3, experiments=2000)
    >>> round(float(treatment.sum() / baseline.sum()), 1)
    1.3
    """
    if ratio < 1 + world.spread:
        raise ValueError(f"ratio is {ratio}; with this spread it must be at least {1 + world.spread}")
    rng = np.random.default_rng(seed)
    shape = (experiments, clusters)
    # divided by the mean of the lognormal factor
    factor = np.exp(world.unevenness * rng.normal(size=shape) - world.unevenness**2 / 2)
    sizes = np.clip(np.round(world.tasks * factor), 4, 4 * world.tasks).astype(np.int64)
    strength = 1 / world.between - 1
    right = rng.beta(world.share * strength, (1 - world.share) * strength, size=shape)
    before = right / ratio * (1 + world.spread * rng.uniform(-1, 1, size=shape))
    shared = rng.binomial(sizes, world.pairing)
    # of tasks with the same luck those right before are right after, and some more
    both = rng.binomial(shared, before)
    gained = rng.binomial(shared - both, np.clip((right - before) / (1 - before), 0, 1))
    treatment = both + gained + rng.binomial(sizes - shared, right)
    baseline = both + rng.binomial(sizes - shared, before)
    return treatment.astype(np.float64), baseline.astype(np.float64)


def error_rates(
    test: ClusterTest,
    world: World,
    clusters: int,
    *,
    threshold: float = 0.3,
    effect: float = 1.0,
    level: float = 0.95,
    experiments: int = 4000,
    seed: int = 0,
) -> ErrorRates:
    """Wrong verdicts with the true effect at the threshold, and right ones at a larger effect.

    Parameters
    ----------
    threshold
        Relative effect of the claim.
    effect
        Larger relative effect at which power is measured.

    Examples
    --------
    >>> found = error_rates(SignFlips(), World(), 6, experiments=400)
    >>> found.supported < 0.05, found.power > 0.5
    (True, True)
    """
    half = (1 - level) / 2
    treatment, baseline = draw(world, clusters, ratio=1 + threshold, experiments=experiments, seed=seed)
    greater, less = test.tails(treatment - (1 + threshold) * baseline)
    treatment, baseline = draw(world, clusters, ratio=1 + effect, experiments=experiments, seed=seed + 1)
    found, _ = test.tails(treatment - (1 + threshold) * baseline)
    return ErrorRates(
        float((greater <= half).mean()), float((less <= half).mean()), float((found <= half).mean()), experiments
    )


def _table(experiments: int = 10_000) -> str:
    """The table of the docs page, as markdown."""
    tests: dict[str, ClusterTest] = {
        "sign flips": SignFlips(draws=1999),
        "wild bootstrap": WildBootstrap(draws=999),
        "t": StudentT(),
    }
    lines = [
        "| world | G | " + " | ".join(f"{name}: supported, refuted (bound); power" for name in tests) + " |",
        "|---|---|" + "---|" * len(tests),
    ]
    for name, world in WORLDS.items():
        for clusters in (5, 6, 10, 22):
            cells = []
            for test in tests.values():
                found = error_rates(test, world, clusters, experiments=experiments)
                rates = f"{100 * found.supported:.1f}, {100 * found.refuted:.1f} ({100 * found.bound:.1f}); "
                cells.append(rates + f"{100 * found.power:.0f}")
            lines.append(f"| {name} | {clusters} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(_table())
