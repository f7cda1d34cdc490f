"""The deployer: assesses risk, decides, and takes a change through canary and staging to production."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from autodev_lab.agents.base import Agent, Move, Surroundings, last_result
from autodev_lab.agents.escalating import escalated, evidence_of, facts_about
from autodev_lab.agents.labels import COLLECTION, files_of, label_of, read_label, write_label
from autodev_lab.agents.outcomes import outcome_of
from autodev_lab.agents.recalled import RecalledHistory
from autodev_lab.agents.rolling_out import JudgedRollouts, stage_after
from autodev_lab.decisions import ROLLOUT_SHARES, Rollout, lines_of
from autodev_lab.protocols import Calibrator, CertifyingPolicy, LearningPolicy, Policy, RiskModel
from autodev_lab.records import (
    Action,
    Attempt,
    Change,
    Claim,
    Event,
    HealthReport,
    Link,
    Outcome,
    RiskAssessment,
    Role,
    RolloutStep,
    Stage,
    StageTrial,
    Task,
    Withdrawal,
)
from autodev_lab.rules import EscalationRules
from autodev_lab.workflow import TERMINAL_STAGES

__all__ = ["Deployer"]

_DECISIONS = 10


class Deployer(Agent):
    """Decides on each approved change and carries its rollout, one claim a stage.

    Parameters
    ----------
    agent_id, surroundings
        As for every agent.
    risk, calibrator, policy
        How a change is assessed and what follows from it. Labels reach them through the memory's `decisions`
        collection, so deployers who share a memory learn together.
    history
        What became of similar changes, which are looked for in any case, does this to the risk; nothing unless given.
    rules
        What they hold for goes to a person, whatever the policy says; nothing unless given.
    rollout
        How stages are judged, and on what traffic. Unless given a stage shows every exposure test that it reaches once,
        and one that fails is enough.
    """

    role: ClassVar[Role] = Role.DEPLOYER
    listens: ClassVar[frozenset[Stage]] = TERMINAL_STAGES

    def __init__(
        self,
        agent_id: str,
        surroundings: Surroundings,
        *,
        risk: RiskModel,
        calibrator: Calibrator,
        policy: Policy,
        history: RecalledHistory | None = None,
        rules: EscalationRules | None = None,
        rollout: Rollout | None = None,
    ) -> None:
        super().__init__(agent_id, surroundings)
        self._risk = risk
        self._calibrator = calibrator
        self._policy = policy
        self._history = history
        self._rules = rules
        self._rollouts = JudgedRollouts(rollout) if rollout is not None else None
        self._decided: dict[str, None] = {}
        self._cursor = -1

    async def act(self, claim: Claim) -> Move:
        """Decide on an approved change, carry a cleared one one rollout stage further, or take a declined one back."""
        change = last_result(claim.state, Attempt).change
        if change is None:
            raise LookupError(f"task {claim.task.id} reached deployment without a change")
        if claim.state.stage is Stage.APPROVED:
            return await self._decide(claim, change)
        if claim.state.stage is Stage.WITHDRAWN:
            return await self._take_back(claim, change)
        if self._rollouts is not None:
            return await self._rollouts.carry(self, claim, change)
        stage = stage_after(claim.state.stage)
        share = ROLLOUT_SHARES[stage]
        report, _ = await self.call(lambda: self.environment.expose(claim.task, change, stage, share))
        promoted = not report.failed
        if not promoted:
            await self.call(lambda: (None, self.environment.rollback(claim.task, change)))
        return Move(stage if promoted else Stage.ROLLED_BACK, RolloutStep(claim.task.id, promoted, report))

    async def _take_back(self, claim: Claim, change: Change) -> Move:
        """Take back what a person declined in the middle of its rollout, whoever exposed it."""
        stage = last_result(claim.state, StageTrial).stage
        if self._rollouts is not None:
            await self._rollouts.take_back(self, claim, change, stage)
        else:
            await self.call(lambda: (None, self.environment.rollback(claim.task, change)))
        return Move(Stage.DECLINED, Withdrawal(claim.task.id, stage))

    async def _decide(self, claim: Claim, change: Change) -> Move:
        self._catch_up()
        task, state = claim.task, claim.state
        evidence = evidence_of(state, change)
        asking = self.asking(task)
        paths = dict.fromkeys(edit.path for edit in change.edits)
        query = " ".join((task.title, *paths))
        past = asking.search(query, collection=COLLECTION, k=_DECISIONS, filters={"package": task.package})
        score = self._risk.assess(evidence)
        if self._history is not None:
            score = self._history.applied(score, past)
        confidence = self._calibrator.confidence(score.risk)
        assessment = RiskAssessment(task.id, score.factors, score.risk, confidence, lines_of(evidence), score.reason)
        certified = self._policy.threshold if isinstance(self._policy, CertifyingPolicy) else None
        decision = self._policy.decide(assessment, self.rng("decide", task.id, state.reworks))
        reasons = (*decision.reasons, score.reason) if score.reason else decision.reasons
        decision = replace(decision, reasons=reasons, retrieved=asking.noted, certified=certified)
        if self._rules is not None:
            incident = await self._incident(task)
            decision = escalated(decision, self._rules.held(facts_about(state, change, assessment, incident)))
        self._decided[task.id] = None
        asks = decision.action is Action.REQUEST_REVIEW
        return Move(Stage.ESCALATED if asks else Stage.CLEARED, decision)

    async def _incident(self, task: Task) -> HealthReport | None:
        """What the monitor saw of the change whose incident this task follows up."""
        parent = await self.ledger.state(task.parent) if task.parent is not None else None
        reports = [entry.result for entry in parent.history if isinstance(entry.result, HealthReport)] if parent else []
        return reports[-1] if reports else None

    async def perceive(self, event: Event) -> None:
        """Write down what became of a change this deployer decided on."""
        if event.task_id in self._decided:
            await self._settle(event.task_id)
        if self._rollouts is not None:
            await self._rollouts.look_after(self)

    async def look_around(self) -> None:
        """Also ask after one's own decisions: the event that told of them may have been lost."""
        await super().look_around()
        for task_id in tuple(self._decided):
            await self._settle(task_id)
        if self._rollouts is not None:
            await self._rollouts.look_after(self)

    async def _settle(self, task_id: str) -> None:
        state = await self.ledger.state(task_id)
        outcome = outcome_of(state) if state is not None else None
        if state is None or outcome is None or task_id not in self._decided:
            return
        del self._decided[task_id]
        label = label_of(state, outcome)
        if label is not None:
            item = self.memory.add(
                write_label(label, outcome, state.task.title, agent_id=self.agent_id, at=self.runtime.now())
            )
            self.memory.link((Link(item.id, "DECIDES", task_id), *_changes(item.id, outcome)))

    def _catch_up(self) -> None:
        """Learn from every label in memory that has not been seen, whoever wrote it."""
        for item in self.memory.since(COLLECTION, self._cursor):
            self._cursor = item.sequence
            label = read_label(item)
            self._risk.learn(label)
            self._calibrator.learn(label)
            if isinstance(self._policy, LearningPolicy):
                self._policy.learn(label)


def _changes(item_id: str, outcome: Outcome) -> tuple[Link, ...]:
    """Links from a decision to the files of its change."""
    return tuple(Link(item_id, "CHANGES", path) for path in files_of(outcome))
