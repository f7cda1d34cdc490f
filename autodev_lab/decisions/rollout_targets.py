"""Where changes are rolled out: the lab's environments, a shell command a stage, and GitHub's deployments."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autodev_lab.decisions.rollout_requests import ROLLOUT_SHARES
from autodev_lab.errors import LabError
from autodev_lab.protocols import Environment, RolloutTarget
from autodev_lab.records import Change, Stage, Task, Traffic

if TYPE_CHECKING:  # httpx is loaded by those who use it
    from autodev_lab.integrations.github_deployments import GitHubDeployments

__all__ = ["CommandTarget", "EnvironmentTarget", "GitHubTarget"]

_SHOWN = 300


class EnvironmentTarget:
    """A lab environment: exposure tests are the traffic; the baseline, on which they are known to pass, never fails.

    Parameters
    ----------
    environment, task, change
        What is exposed.
    step
        Share of all traffic by which each batch grows the sample. A test once shown is not shown again.
    """

    def __init__(self, environment: Environment, task: Task, change: Change, *, step: float = 0.1) -> None:
        if not 0.0 < step <= 1.0:
            raise LabError(f"step is {step}; it is a share of traffic and must lie above 0 and be at most 1")
        self._environment = environment
        self._task = task
        self._change = change
        self._step = step
        self._batches = 0
        self._shown = 0
        self._failed: set[str] = set()

    def expose(self, stage: Stage, exposures: int) -> Traffic | None:
        """See `RolloutTarget`; grows the sample until there is at least one new test."""
        while self._batches * self._step < 1.0:
            self._batches += 1
            share = min(1.0, self._batches * self._step)
            report, _ = self._environment.expose(self._task, self._change, stage, share)
            new = report.sampled - self._shown
            if new > 0:
                failed = set(report.failed) - self._failed
                self._shown, self._failed = report.sampled, self._failed | failed
                return Traffic(min(len(failed), new), new, 0, new)
        return None

    def promote(self, stage: Stage) -> None:
        """See `RolloutTarget`; an environment keeps no stages."""

    def roll_back(self, stage: Stage, reason: str) -> None:
        """See `RolloutTarget`."""
        self._environment.rollback(self._task, self._change)


class _Side(BaseModel):
    model_config = ConfigDict(extra="forbid")
    exposed: int = Field(ge=0)
    failed: int = Field(ge=0)
    seconds: tuple[float, ...] = ()


class _Shown(BaseModel):
    model_config = ConfigDict(extra="forbid")
    change: _Side
    baseline: _Side


class CommandTarget:
    """A shell command a stage, which deploys as it likes and prints what it saw.

    The command is run once a batch, with ``AUTODEV_STAGE``, ``AUTODEV_EXPOSURES`` (how many are asked for) and
    ``AUTODEV_ACTION`` (``expose``, ``promote`` or ``roll_back``) in its environment. When it exposes, its last line is
    JSON: ``{"change": {"exposed": 20, "failed": 0, "seconds": [...]}, "baseline": {...}}``, or ``null`` when no traffic
    is left; seconds may be left out. Commands are the user's own and run with the user's rights, in a shell.

    Parameters
    ----------
    commands
        By stage.
    timeout
        Seconds a command may take.
    """

    def __init__(self, commands: Mapping[Stage, str], *, timeout: float = 600.0) -> None:
        self._commands = dict(commands)
        self._timeout = timeout

    def expose(self, stage: Stage, exposures: int) -> Traffic | None:
        """See `RolloutTarget`.

        Raises
        ------
        LabError
            If there is no command for the stage, it fails or takes too long, or does not print what is asked for.
        """
        printed = self._run(stage, "expose", exposures).strip()
        last = printed.splitlines()[-1] if printed else ""
        try:
            if json.loads(last) is None:
                return None
            shown = _Shown.model_validate_json(last)
        except (ValueError, ValidationError) as error:
            raise LabError(
                f"the command of stage {stage} must print as its last line "
                '{"change": {"exposed": N, "failed": N}, "baseline": {"exposed": N, "failed": N}}, or null; it printed '
                f"{last[:_SHOWN]!r}"
            ) from error
        change, baseline = shown.change, shown.baseline
        return Traffic(
            change.failed, change.exposed, baseline.failed, baseline.exposed, change.seconds, baseline.seconds
        )

    def promote(self, stage: Stage) -> None:
        """See `RolloutTarget`."""
        self._run(stage, "promote", 0)

    def roll_back(self, stage: Stage, reason: str) -> None:
        """See `RolloutTarget`."""
        self._run(stage, "roll_back", 0)

    def _run(self, stage: Stage, action: str, exposures: int) -> str:
        command = self._commands.get(stage)
        if command is None:
            raise LabError(f"there is no command for stage {stage}; give one for each stage of the plan")
        given = {"AUTODEV_STAGE": stage.value, "AUTODEV_ACTION": action, "AUTODEV_EXPOSURES": str(exposures)}
        process = subprocess.Popen(
            command,
            shell=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **given},
            start_new_session=True,
        )
        with process:
            try:
                printed, complaint = process.communicate(timeout=self._timeout)
            except BaseException as error:  # an interrupted rollout must not leave a deployment running on its own
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    taken = f"the command of stage {stage} took more than {self._timeout:g} seconds"
                    raise LabError(taken) from error
                raise
        if process.returncode != 0:
            raise LabError(
                f"the command of stage {stage} failed to {action} (exit status {process.returncode}): "
                f"{complaint.strip()[-_SHOWN:] or 'it said nothing'}"
            )
        return printed


class GitHubTarget:
    """GitHub's deployments around another target that has the traffic: a deployment a stage, with its status.

    Parameters
    ----------
    traffic
        Shows the traffic, and does the work.
    deployments
        Of the repository.
    ref
        Commit, branch or tag that is deployed.
    """

    def __init__(self, traffic: RolloutTarget, deployments: GitHubDeployments, ref: str) -> None:
        self._traffic = traffic
        self._deployments = deployments
        self._ref = ref
        self._ids: dict[Stage, int] = {}

    def expose(self, stage: Stage, exposures: int) -> Traffic | None:
        """See `RolloutTarget`; the first batch of a stage creates its deployment."""
        self._deployment(stage)
        return self._traffic.expose(stage, exposures)

    def promote(self, stage: Stage) -> None:
        """See `RolloutTarget`."""
        self._traffic.promote(stage)
        self._deployments.set_status(self._deployment(stage), "success", "no worse than its baseline by the margin")

    def roll_back(self, stage: Stage, reason: str) -> None:
        """See `RolloutTarget`: the stage at hand failed, those before it are no longer active.

        Deployments that another process made of the same `ref` before it died are found and ended, too.
        """
        self._traffic.roll_back(stage, reason)
        for one in ROLLOUT_SHARES:
            if one not in self._ids and (made := self._deployments.find(self._ref, one.value)) is not None:
                self._ids[one] = made
        self._deployment(stage)
        for known, deployment in self._ids.items():
            self._deployments.set_status(deployment, "failure" if known is stage else "inactive", reason)

    def _deployment(self, stage: Stage) -> int:
        """The stage's deployment, which is created where this object has not seen it before."""
        if stage not in self._ids:
            production = stage is Stage.PRODUCTION
            self._ids[stage] = self._deployments.create(self._ref, stage.value, production=production)
            self._deployments.set_status(self._ids[stage], "in_progress")
        return self._ids[stage]
