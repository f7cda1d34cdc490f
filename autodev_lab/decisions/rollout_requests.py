"""A lab environment's production traffic as requests: each calls one exposure test, and some fail for other reasons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from autodev_lab.errors import LabError
from autodev_lab.files import stable_seed
from autodev_lab.protocols import Environment
from autodev_lab.records import Change, Stage, Task, Traffic

__all__ = ["ROLLOUT_SHARES", "RequestTarget"]

ROLLOUT_SHARES: Mapping[Stage, float] = MappingProxyType({Stage.CANARY: 0.1, Stage.STAGING: 0.3, Stage.PRODUCTION: 0.6})
"""Share of exposure tests that traffic has reached by the end of each rollout stage; the monitor sees the rest. An
assumption."""


class RequestTarget:
    """A lab environment as a `autodev_lab.protocols.RolloutTarget` whose traffic does not run out.

    A request of a stage calls one of the exposure tests that the stage reaches, drawn with replacement, so requests are
    independent and fail with the share of these tests that the change breaks. Beside that a share of requests fails on
    either side whatever the change does, as in real traffic; the baseline has no other failures. Draws depend on the
    task, the stage and the number of the batch alone: arms that roll the same change out see the same requests.

    Parameters
    ----------
    environment, task, change
        What is exposed.
    noise
        Share of requests, in [0, 1), that fail whatever the change does.
    shares
        Share of exposure tests that traffic reaches at each stage.

    Raises
    ------
    LabError
        If the noise is not in [0, 1).
    """

    def __init__(
        self,
        environment: Environment,
        task: Task,
        change: Change,
        *,
        noise: float = 0.0,
        shares: Mapping[Stage, float] = ROLLOUT_SHARES,
    ) -> None:
        if not 0.0 <= noise < 1.0:
            raise LabError(f"noise is {noise}; it is a share of requests and must be at least 0 and below 1")
        self._environment = environment
        self._task = task
        self._change = change
        self._noise = noise
        self._shares = shares
        self._reached: dict[Stage, tuple[int, int]] = {}
        self._batches: dict[Stage, int] = {}

    def expose(self, stage: Stage, exposures: int) -> Traffic | None:
        """See `RolloutTarget`; None where there is no exposure test."""
        if stage not in self._reached:
            report, _ = self._environment.expose(self._task, self._change, stage, self._shares[stage])
            self._reached[stage] = report.sampled, len(report.failed)
        tests, broken = self._reached[stage]
        if not tests:
            return None
        batch = self._batches.get(stage, 0)
        self._batches[stage] = batch + 1
        rng = np.random.default_rng(stable_seed("requests", self._task.id, stage.value, batch))
        noise = rng.random((2, exposures)) < self._noise
        failed = noise[0] | (rng.random(exposures) * tests < broken)
        return Traffic(int(failed.sum()), exposures, int(noise[1].sum()), exposures)

    def promote(self, stage: Stage) -> None:
        """See `RolloutTarget`; an environment keeps no stages."""

    def roll_back(self, stage: Stage, reason: str) -> None:
        """See `RolloutTarget`."""
        self._environment.rollback(self._task, self._change)
