"""The studies of teams in virtual time, in small: same seed, same outcomes; what they say; and their reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autodev_lab.analysis.claims import read_claims
from autodev_lab.analysis.dossier import open_dossier
from autodev_lab.analysis.report import make_report
from autodev_lab.errors import LabError
from autodev_lab.experiments import RunResult, run_experiment
from autodev_lab.resources import resource

SMALL: dict[str, dict[str, object]] = {
    "coordination": {"packages": "pocketkit,toolz", "agents": 3, "tasks": 20},
    "scaling": {"packages": "pocketkit,toolz", "tasks": 40, "arms": "agents_1,agents_2,agents_8"},
}


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))


def run(experiment: str, out: Path | None = None, **more: object) -> RunResult:
    overrides = {**SMALL[experiment], **more}
    return run_experiment(experiment, profile="smoke", overrides=overrides, progress="quiet", out=out, workers=1)


def reported(done: RunResult) -> str:
    claims = read_claims(resource("experiments/claims.yaml"))
    made = make_report(claims, [open_dossier(done.path, claims)])
    json.dumps(made.as_json(), allow_nan=False)
    return made.html()


def test_coordination_compares_teams_and_kills_every_process(tmp_path: Path) -> None:
    done = run("coordination")
    arms, details = done.summary["arms"], done.summary["details"]
    assert isinstance(arms, dict) and isinstance(details, dict)
    assert arms["decentralised"]["lost"] == arms["decentralised"]["unfinished"] == 0
    assert arms["orchestrator"]["empty_claims"] == 0 < arms["decentralised"]["empty_claims"]
    assert arms["orchestrator"]["operations"] < arms["decentralised"]["operations"]
    failures = details["failures"]
    assert failures["orchestrator: orchestrator"]["unfinished_if_never_back"] > 0
    assert failures["decentralised: ledger"]["killed"] == 2
    verdicts = {one["id"]: one for one in done.summary["claims"]}  # type: ignore[attr-defined]
    assert set(verdicts) == {"coordination_without_orchestrator", "no_task_lost"}
    assert verdicts["no_task_lost"]["estimate"] == 0.0 and not verdicts["no_task_lost"]["confirmatory"]
    assert "tasks_per_agent_hour" in reported(done)
    again = run("coordination", tmp_path / "again", arms="orchestrator")
    cell = Path("cells", "orchestrator.parquet")
    assert again.path.joinpath(cell).read_bytes() == done.path.joinpath(cell).read_bytes()


def test_scaling_tells_efficiency_by_grain_and_the_law() -> None:
    done = run("scaling")
    details = done.summary["details"]
    assert isinstance(details, dict) and set(details) == {"measured", "1s", "100ms", "10ms", "ledger"}
    ledger = details.pop("ledger")
    assert ledger["assumed"] == {"one_way_ms": 0.15, "server_ms": 0.12}
    if ledger["measured"] is not None:  # there is a redis-server
        assert 0 < ledger["measured"]["script_ms"]["value"] < ledger["measured"]["round_trip_ms"]["value"]
        assert 0.3 < ledger["efficiency"]["10ms"]["8"]["value"] < 1.3
    for told in details.values():
        assert set(told["efficiency"]) == {"2", "8"} and 0.3 < told["efficiency"]["8"]["value"] < 1.3
        assert told["law"]["sigma"] >= 0 and told["law"]["kappa"] >= 0
    assert done.path.joinpath("figures", "scaling.png").is_file()
    assert "scaling_to_twenty" not in {one["id"] for one in done.summary["claims"]}  # type: ignore[attr-defined]
    assert "rate_measured" in reported(done)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"packages": "no_such_package"}, "has no routes of 'no_such_package'; choose among funcy"),
        ({"routes": "data/subjects.yaml"}, "holds no routes"),
        ({"routes": "no-such-run"}, "no-such-run"),
    ],
)
def test_mistakes_are_one_sentence(overrides: dict[str, object], says: str) -> None:
    with pytest.raises(LabError) as caught:
        run_experiment("coordination", profile="smoke", overrides=overrides, progress="quiet")
    assert says in str(caught.value) and "\n" not in str(caught.value)
