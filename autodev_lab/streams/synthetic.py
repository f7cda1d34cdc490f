"""The synthetic stream: tasks drawn from the simulated world's generative model."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from statistics import NormalDist

from autodev_lab.errors import LabError
from autodev_lab.files import stable_seed
from autodev_lab.records import StreamItem, Task, TaskKind
from autodev_lab.simulation import SimulatedTruth, SimulationParameters, chance, load_parameters

__all__ = ["SyntheticStream"]

_PACKAGES = tuple(f"package-{number}" for number in range(1, 9))
_LARGEST = 0.95


class SyntheticStream:
    """`n` tasks of the simulated world; iterating twice gives the same items.

    A task's *ease* is gamma-distributed (times its package's), and a candidate of template p passes the visible tests
    of a task of kind f with probability ease * relevance(p) * relevance(p, f), at most .95. Relevances are log-normal
    with mean 1 and depend on names alone: they are the world, not the stream, so every seed has the same ones.

    Parameters
    ----------
    n
        Number of tasks, 1 or more.
    seed
        Seed of the tasks.
    packages
        Names to draw the packages from; eight made-up ones unless given.
    parameters
        The world; the shipped one unless given.

    Raises
    ------
    LabError
        If `n` is not positive or there is no package.

    Examples
    --------
    >>> stream = SyntheticStream(3, seed=1)
    >>> [item.task.id for item in stream]
    ['synthetic-1-0', 'synthetic-1-1', 'synthetic-1-2']
    >>> list(stream) == list(stream)
    True
    """

    def __init__(
        self,
        n: int,
        seed: int,
        packages: Sequence[str] | None = None,
        parameters: SimulationParameters | None = None,
    ) -> None:
        self._n = n
        self._seed = seed
        self._packages = _PACKAGES if packages is None else tuple(packages)
        self._parameters = load_parameters() if parameters is None else parameters
        if n < 1:
            raise LabError(f"a synthetic stream of {n} tasks is empty; ask for at least 1")
        if not self._packages:
            raise LabError("a synthetic stream needs at least one package name")
        self._patterns = self._parameters.pattern_names()
        self._relevance = _relevances(self._parameters)
        self._mix = [1.0 / (family + 1) for family in range(self._parameters.families)]

    @property
    def name(self) -> str:
        """Short name for logs and reports."""
        return "synthetic"

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[StreamItem]:
        return (self._item(index) for index in range(self._n))

    def _item(self, index: int) -> StreamItem:
        p = self._parameters
        rng = random.Random(stable_seed("synthetic", self._seed, index))
        package = self._packages[int(rng.random() * len(self._packages))]
        mix = self._mix[::-1] if rng.random() < p.drift * index else self._mix
        family = rng.choices(range(p.families), mix)[0]
        draw = rng.gammavariate(p.ease_shape, 1.0)
        # Near zero the gamma distribution function is x**a / gamma(1 + a): close enough to make difficulty uniform.
        difficulty = 1.0 - min(1.0, draw**p.ease_shape / math.gamma(1.0 + p.ease_shape))
        ease = draw * p.ease_scale * _lognormal(f"package\x1f{package}", p.package_spread)
        relevance = self._relevance[family]
        plausible = tuple(
            (pattern, min(_LARGEST, ease * relevance[number]))
            for number, pattern in enumerate(self._patterns)
            if rng.random() < p.applicability
        )
        task = Task(
            id=f"synthetic-{self._seed}-{index}",
            package=package,
            kind=TaskKind.SYNTHETIC,
            title=f"A test of {package} fails ({index})",
            arrival=index * p.interarrival_seconds,
        )
        different = min(1.0, p.different * (0.5 + difficulty))
        reveal = min(1.0, 2.0 * p.exposure_power * rng.random())
        truth = SimulatedTruth(task.id, f"{self._seed}\x1f{index}", family, difficulty, plausible, different, reveal)
        return StreamItem(task, truth)


def _relevances(parameters: SimulationParameters) -> list[list[float]]:
    """Relevance of every template for every kind of bug; rows are kinds."""
    names = parameters.pattern_names()
    common = [_lognormal(f"pattern\x1f{name}", parameters.pattern_spread) for name in names]
    return [
        [
            common[number] * _lognormal(f"family\x1f{family}\x1f{name}", parameters.family_spread)
            for number, name in enumerate(names)
        ]
        for family in range(parameters.families)
    ]


def _lognormal(key: str, spread: float) -> float:
    """A log-normal number with mean 1 that depends on `key` alone."""
    if spread == 0.0:
        return 1.0
    normal = NormalDist().inv_cdf(min(max(chance(key), 1e-12), 1.0 - 1e-12))
    return math.exp(spread * normal - spread * spread / 2.0)
