"""What settings make of a team: each threshold changes the part that has it, and no other key changes anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from autodev_lab.config import Settings, load_config
from autodev_lab.configured import gate_of, half_life_of, platform_options, policy_of, rules_of
from autodev_lab.decisions import CertifiedPolicy, LearnedPolicy, PublishedPolicy
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.memory import InMemoryMemory
from autodev_lab.platform import TeamSpec, run_stream
from autodev_lab.records import EscalationLevel, Stage
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.streams.synthetic import SyntheticStream

OTHER = {
    "agents.deployer.max_complexity": "7.5",
    "decision_engine.policy": "learned",
    "decision_engine.auto_deploy_threshold": "0.95",
    "decision_engine.risk_threshold_high": "0.4",
    "decision_engine.risk_threshold_critical": "0.7",
    "decision_engine.answer_within_seconds": "60",
    "decision_engine.escalation_rules.immediate": "[reworks > 2]",
    "decision_engine.escalation_rules.high_priority": "[reworks > 1]",
    "learning.memory_decay_rate": "0.5",
    "learning.pattern_threshold": "0.1",
    "learning.learning_rate": "0.5",
    "learning.meta_learning_enabled": "false",
    "r2r.base_url": "http://elsewhere:1",
    "agents.developer.max_complexity": "1",
    "agents.developer.count": "7",
    "agents.architect.thinking_budget_tokens": "1",
    "decision_engine.promise.success": "0.9",
    "decision_engine.promise.assurance": "0.9",
}
POLICIES = {
    "decision_engine.auto_deploy_threshold": "learned",
    "decision_engine.promise.success": "certified",
    "decision_engine.promise.assurance": "certified",
}
"""The policy that reads a threshold."""

OF_NO_TEAM = {key for key in OTHER if key.startswith(("learning.", "r2r.", "agents."))} - {
    "learning.memory_decay_rate",
    "agents.deployer.max_complexity",
}


def written(tmp_path: Path, values: dict[str, str]) -> Settings:
    lines: dict[str, object] = {}
    for key, value in values.items():
        *sections, name = key.split(".")
        inner = lines
        for section in sections:
            inner = inner.setdefault(section, {})  # type: ignore[assignment]
        inner[name] = value

    def text(level: object, indent: str = "") -> str:
        assert isinstance(level, dict)
        return "".join(
            f"{indent}{name}:\n{text(value, indent + '  ')}"
            if isinstance(value, dict)
            else f"{indent}{name}: {value}\n"
            for name, value in level.items()
        )

    path = tmp_path / "mine.yaml"
    path.write_text(text(lines))
    return load_config(path, environment={}).settings


def parts(settings: Settings) -> tuple[object, ...]:
    options = platform_options(settings)
    library = options["patterns"](InMemoryMemory())
    policy = options["gate"].policy
    told = policy.promise if isinstance(policy, CertifiedPolicy) else policy
    kinds = (type(options["gate"].risk), type(options["gate"].calibrator), told)
    return (*kinds, options["rules"], options["answer_within_seconds"], library._half_life)  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", OTHER)
def test_a_team_has_what_its_settings_say_and_nothing_else(key: str, tmp_path: Path) -> None:
    base = {"decision_engine.policy": POLICIES.get(key, "published")}
    usual = parts(written(tmp_path, base))
    changed = parts(written(tmp_path, {**base, key: OTHER[key]}))
    assert (usual == changed) == (key in OF_NO_TEAM)


def test_the_thresholds_meet_the_rule_as_the_design_says(tmp_path: Path) -> None:
    engine = load_config(environment={}).settings.decision_engine
    assert policy_of(engine) == PublishedPolicy()
    assert policy_of(written(tmp_path, {"decision_engine.policy": "learned"}).decision_engine) == LearnedPolicy()
    low = policy_of(written(tmp_path, {"decision_engine.risk_threshold_high": "0.1"}).decision_engine)
    assert low == PublishedPolicy(risk_low=0.1, risk_high=0.1)
    gate = gate_of(written(tmp_path, {"decision_engine.policy": "learned"}).decision_engine)
    assert type(gate.risk).__name__ == "LearnedRisk"


@pytest.mark.parametrize(("high", "critical"), [("0", "0"), ("0.8", "0.8"), ("1", "1"), ("0", "1")])
def test_thresholds_at_the_edges_make_a_policy(high: str, critical: str, tmp_path: Path) -> None:
    values = {"decision_engine.risk_threshold_high": high, "decision_engine.risk_threshold_critical": critical}
    policy = policy_of(written(tmp_path, values).decision_engine)
    assert isinstance(policy, PublishedPolicy)
    assert (policy.risk_high, policy.risk_critical) == (float(high), float(critical))


def test_a_deployers_limit_is_a_rule(tmp_path: Path) -> None:
    rules = rules_of(written(tmp_path, {"agents.deployer.max_complexity": "7.5"}))
    assert str(rules.high_priority[-1]) == "complexity > 7.5"
    assert (
        str(rules_of(written(tmp_path, {"agents.deployer.max_complexity": "0"})).high_priority[-1]) == "complexity > 0"
    )
    assert len(rules_of(load_config(environment={}).settings).high_priority) == 2


def test_a_decay_rate_of_r_leaves_half_after_its_half_life() -> None:
    half_life = half_life_of(0.05)
    assert half_life is not None
    assert (1 - 0.05) ** half_life == pytest.approx(0.5)
    assert half_life_of(1e-12) == pytest.approx(6.93e11, rel=1e-3)


def test_a_team_runs_by_its_configuration(tmp_path: Path) -> None:
    written_settings = written(
        tmp_path,
        {
            "decision_engine.answer_within_seconds": "60",
            "decision_engine.escalation_rules.high_priority": "[lines_changed > 0]",
        },
    )
    items = list(SyntheticStream(12, seed=3, packages=["ant"]))
    world = SimulatedEnvironment(items)
    spec = TeamSpec(human_latency_seconds=3600.0)
    options = platform_options(written_settings)
    run = run_stream(items, world, spec, solver=SimulatedSolver(), oracle=world, seed=1, **options)
    decided = [one for one in run.records if one.outcome.decision is not None]
    assert decided
    for record in decided:
        decision = record.outcome.decision
        assert decision is not None
        assert decision.escalation is EscalationLevel.HIGH_PRIORITY
        assert record.state.stage is Stage.DECLINED
        assert record.state.reason == "nobody answered within 60 s"
        assert record.outcome.success is None
    assert not any(record.outcome.deployed for record in run.records)
