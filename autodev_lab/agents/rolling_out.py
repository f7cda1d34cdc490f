"""A deployer's rollouts whose stages are judged on traffic: one claim a stage, and the ledger knows what was seen."""

from __future__ import annotations

from functools import partial

from autodev_lab.agents.base import Agent, Move
from autodev_lab.decisions import Rollout, StageJudge
from autodev_lab.protocols import RolloutTarget
from autodev_lab.records import Change, Claim, Cost, Ruling, Stage, StageTrial, TaskState, Traffic
from autodev_lab.workflow import TERMINAL_STAGES

__all__ = ["JudgedRollouts", "stage_after"]

_NEXT = {Stage.CLEARED: Stage.CANARY, Stage.CANARY: Stage.STAGING, Stage.STAGING: Stage.PRODUCTION}


def stage_after(stage: Stage) -> Stage:
    """The rollout stage that a change at a stage is to be exposed at."""
    return _NEXT[stage]


class JudgedRollouts:
    """Carries changes through stages that a judge rules on.

    All that a stage's ruling rests on is in its result, so whoever claims the next stage goes on with the same
    evidence. An inconclusive stage goes to a person. Who says yes lets that stage pass, and is not asked again: later
    stages that are inconclusive pass as well, and one that shows the change to be worse still rolls it back. After a no
    the change is taken back.

    Parameters
    ----------
    rollout
        Judges and targets.
    """

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout
        self._targets: dict[str, RolloutTarget] = {}

    async def carry(self, agent: Agent, claim: Claim, change: Change) -> Move:
        """Carry a change one stage further, back, or to a person."""
        task_id, stage = claim.task.id, stage_after(claim.state.stage)
        trials = _trials(claim.state)
        target = self._target(agent, claim, change)
        before = {trial.stage: trial.ruling for trial in trials}
        if before.get(stage) is Ruling.PROMOTE:
            return Move(stage, StageTrial(task_id, stage, Ruling.PROMOTE, (), "passed before"))
        asked = any(trial.ruling is Ruling.INCONCLUSIVE for trial in trials)
        seen: list[Traffic] = []
        if before.get(stage) is Ruling.INCONCLUSIVE:
            ruling, words = Ruling.PROMOTE, "a person let it pass"
        else:
            ruling, words = await self._judge(agent, target, stage, trials, seen)
        if ruling is Ruling.INCONCLUSIVE and asked:
            ruling, words = Ruling.PROMOTE, f"a person had let an earlier stage pass; {words}"
        result = StageTrial(task_id, stage, ruling, tuple(seen), words)
        match ruling:
            case Ruling.PROMOTE:
                await agent.call(partial(_promote, target, stage))
                return Move(stage, result)
            case Ruling.ROLL_BACK:
                await agent.call(partial(_roll_back, target, stage, words))
                return Move(Stage.ROLLED_BACK, result)
            case Ruling.INCONCLUSIVE:
                return Move(Stage.ESCALATED, result)

    async def _judge(
        self, agent: Agent, target: RolloutTarget, stage: Stage, trials: tuple[StageTrial, ...], seen: list[Traffic]
    ) -> tuple[Ruling, str]:
        """How a stage ends, and why; adds the batches that were looked at to `seen`."""
        judge = _resumed(self._rollout.judge(), trials)
        while wanted := judge.wanted:
            traffic, _ = await agent.call(partial(self._shown, target, stage, wanted))
            if traffic is None:
                return Ruling.INCONCLUSIVE, f"no traffic is left; {judge.words}"
            seen.append(traffic)
            ruling = judge.observe(traffic)
            if ruling is not None:
                return ruling, judge.words
        return Ruling.PROMOTE, judge.words

    def _shown(self, target: RolloutTarget, stage: Stage, wanted: int) -> tuple[Traffic | None, Cost]:
        traffic = target.expose(stage, wanted)
        return traffic, Cost(seconds=self._rollout.seconds * (traffic.exposed if traffic is not None else 0))

    async def take_back(self, agent: Agent, claim: Claim, change: Change, stage: Stage) -> None:
        """Take a change back from a stage, whoever exposed it there."""
        await agent.call(partial(_roll_back, self._target(agent, claim, change), stage, "a person declined the change"))

    def _target(self, agent: Agent, claim: Claim, change: Change) -> RolloutTarget:
        target = self._targets.get(claim.task.id)
        if target is None:
            target = self._targets[claim.task.id] = self._rollout.target(agent.environment, claim.task, change)
        return target

    async def look_after(self, agent: Agent) -> None:
        """Let go of what has ended."""
        for task_id in tuple(self._targets):
            state = await agent.ledger.state(task_id)
            if state is not None and state.stage in TERMINAL_STAGES:
                del self._targets[task_id]


def _promote(target: RolloutTarget, stage: Stage) -> tuple[None, Cost]:
    target.promote(stage)
    return None, Cost()


def _roll_back(target: RolloutTarget, stage: Stage, reason: str) -> tuple[None, Cost]:
    target.roll_back(stage, reason)
    return None, Cost()


def _trials(state: TaskState) -> tuple[StageTrial, ...]:
    return tuple(entry.result for entry in state.history if isinstance(entry.result, StageTrial))


def _resumed(judge: StageJudge, trials: tuple[StageTrial, ...]) -> StageJudge:
    """The judge after all that was seen; a stage that a person let pass, or that nobody looked at, is passed too."""
    for trial in trials:
        for batch in trial.traffic:
            judge.observe(batch)
        if judge.stage is trial.stage:
            judge.let_pass()
    return judge
