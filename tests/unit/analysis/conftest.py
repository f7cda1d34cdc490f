"""Whole experiments with known truth: every arm, replicate, package and task, twins included."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats


@dataclass(frozen=True)
class Drawn:
    """One experiment: right, and deployed without a human, by arm (twins with their suffix), and places in the stream.

    All arrays are of shape (replicates, packages, tasks); positions count from 1.
    """

    right: Mapping[str, np.ndarray]
    alone: Mapping[str, np.ndarray]
    position: np.ndarray

    def frame(self) -> pd.DataFrame:
        """The same as rows of `outcomes.parquet`."""
        replicates, packages, tasks = self.position.shape
        replicate, package, task = (axis.ravel() for axis in np.indices((replicates, packages, tasks)))
        parts = []
        for arm, right in self.right.items():
            deployed = self.alone[arm].ravel() if arm in self.alone else np.zeros(right.size, dtype=bool)
            parts.append(
                pd.DataFrame(
                    {
                        "arm": arm.removesuffix("_twin"),
                        "twin": arm.endswith("_twin"),
                        "replicate": replicate,
                        "package": [f"p{p:02d}" for p in package],
                        "task_id": [f"p{p:02d}-{t}" for p, t in zip(package, task, strict=True)],
                        "index": self.position.ravel() - 1,
                        "depth": 0,
                        "solved": right.ravel(),
                        "correct": right.ravel(),
                        "deployed": deployed,
                        "decision": np.where(deployed, "AUTO_DEPLOY", "REQUEST_REVIEW"),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def experiment() -> Callable[..., Drawn]:
    """Draw one experiment of arms ``a`` (baseline), ``b`` (treatment) and ``gate``, with twins, by the planner's model.

    Every outcome is a normal of its own and one of its task, set against a limit; the planner instead draws from the
    chance given the task. The gate deploys six tasks of ten, and is right on the share `safe` of them.
    """

    def draw(
        rng: np.random.Generator,
        *,
        packages: int,
        tasks: int,
        replicates: int = 1,
        baseline: float = 0.35,
        effect: float = 0.0,
        between: float = 0.1,
        pairing: float = 0.5,
        spread: float = 0.1,
        safe: float = 0.95,
    ) -> Drawn:
        shape = (replicates, packages, tasks)
        strength = 1 / between - 1
        rate = rng.beta(baseline * strength, (1 - baseline) * strength, size=packages)
        factor = rng.uniform(1 - spread * math.sqrt(3), 1 + spread * math.sqrt(3), size=packages)
        rates = {"a": rate, "b": np.minimum(1.0, rate * (1 + effect) * factor)}
        task = math.sqrt(pairing) * rng.normal(size=(1, packages, tasks))
        right = {}
        for arm in ("a", "a_twin", "b", "b_twin"):
            limit = stats.norm.ppf(rates[arm[0]])[None, :, None]
            right[arm] = task + math.sqrt(1 - pairing) * rng.normal(size=shape) < limit
        alone = {arm: rng.random(shape) < 0.6 for arm in ("gate", "gate_twin")}
        chance = rng.beta(safe * strength, (1 - safe) * strength, size=(1, packages, 1))
        right |= {arm: rng.random(shape) < chance for arm in alone}
        position = np.stack([rng.permutation(packages * tasks) + 1 for _ in range(replicates)])
        return Drawn(right, alone, position.reshape(shape))

    return draw
