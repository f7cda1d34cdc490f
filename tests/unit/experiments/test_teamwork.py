"""Teams in virtual time: layouts in proportion, routes read back from traces, and no task lost whoever is killed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.experiments.teamwork.decentralised import run_decentralised
from autodev_lab.experiments.teamwork.layout import seats
from autodev_lab.experiments.teamwork.orchestrated import run_orchestrated
from autodev_lab.experiments.teamwork.trial import LEDGER, ORCHESTRATOR, Conditions, Kill, Trial, recovery_seconds
from autodev_lab.experiments.teamwork.work import (
    Job,
    Route,
    draw_jobs,
    mean_step_seconds,
    read_routes,
    role_shares,
    routes_of,
)
from autodev_lab.records import Role
from autodev_lab.resources import resource

CONDITIONS = Conditions(
    one_way=0.00015,
    server_seconds=0.00012,
    decide_seconds=0.00005,
    lease_seconds=60.0,
    poll_seconds=30.0,
    restart_seconds=10.0,
    retry_seconds=1.0,
)
TEAMS: dict[str, Callable[..., Trial]] = {"claims": run_decentralised, "orchestrator": run_orchestrated}


@pytest.fixture(scope="module")
def routes() -> tuple[Route, ...]:
    return read_routes(resource("data/routes/learning.json"))["toolz"]


def jobs_of(routes: tuple[Route, ...], count: int, agents: int) -> tuple[Job, ...]:
    """Tasks that arrive at 70 % of the time of so many agents."""
    work = sum(step.seconds for route in routes for step in route if step.role is not Role.HUMAN) / len(routes)
    return draw_jobs(routes, count, seed=3, interarrival=work / agents / 0.7)


@settings(deadline=None)
@given(
    st.lists(st.floats(0.01, 1.0), min_size=6, max_size=6),
    st.integers(1, 60),
)
def test_every_role_has_its_share_of_the_agents_time(parts: list[float], agents: int) -> None:
    roles = [role for role in Role if role is not Role.HUMAN]
    shares = {role: part / sum(parts) for role, part in zip(roles, parts, strict=True)}
    team = seats(shares, agents)
    assert len(team) == agents == len({seat.name for seat in team})
    for role, share in shares.items():
        assert sum(seat.shares.get(role, 0.0) for seat in team) == pytest.approx(share, abs=1e-6)
    assert all(sum(seat.shares.values()) == pytest.approx(1 / agents, abs=1e-6) for seat in team)


def test_routes_are_read_back_from_traces_where_tasks_waited_for_an_agent() -> None:
    def trace(*entries: tuple[str, str, float]) -> dict[str, object]:
        history = [{"stage": stage, "agent": agent, "at": at} for stage, agent, at in entries]
        return {"task": {"arrival": 0.0}, "history": history}

    found = routes_of(
        [
            trace(("planned", "architect-1", 9.0), ("abandoned", "developer-1", 49.0)),
            trace(("planned", "architect-1", 19.0), ("abandoned", "developer-1", 80.0)),  # waited from 19 to 49
            trace(("planned", "architect-1", 30.0)),  # was never closed
        ]
    )
    assert [[step.seconds for step in route] for route in found] == [[9.0, 40.0], [10.0, 31.0]]
    assert [step.role for step in found[0]] == [Role.ARCHITECT, Role.DEVELOPER]


@pytest.mark.parametrize("team", TEAMS)
def test_a_team_does_all_of_the_work_once_and_in_order(team: str, routes: tuple[Route, ...]) -> None:
    jobs = jobs_of(routes, 60, 6)
    found = TEAMS[team](jobs, seats(role_shares(routes), 6), CONDITIONS, seed=1)
    assert found.unfinished == found.lost == found.refused == 0
    for job in jobs:
        times = found.steps[job.task.id]
        assert len(times) == len(job.route) and list(times) == sorted(times)
        assert times[-1] - job.task.arrival >= sum(step.seconds for step in job.route)
    assert found == TEAMS[team](jobs, seats(role_shares(routes), 6), CONDITIONS, seed=1)


@pytest.mark.parametrize("team", TEAMS)
def test_with_work_at_hand_hardly_anybody_idles(team: str, routes: tuple[Route, ...]) -> None:
    jobs, shares = draw_jobs(routes, 200, seed=3), role_shares(routes)
    one, six = (TEAMS[team](jobs, seats(shares, agents), CONDITIONS, seed=1) for agents in (1, 6))
    assert one.idle_share < 0.001
    assert six.work_share == pytest.approx(1.0, abs=0.05)  # steps across the ends of the span count whole
    assert six.throughput / 6 == pytest.approx(one.throughput, rel=0.08)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(sorted(TEAMS)), st.integers(0, 5), st.floats(0.0, 400.0))
def test_no_task_is_lost_whoever_is_killed_and_when(team: str, victim: int, at: float) -> None:
    routes = read_routes(resource("data/routes/learning.json"))["toolz"]
    jobs, places = jobs_of(routes, 30, 4), seats(role_shares(routes), 4)
    names = [*(seat.name for seat in places), LEDGER, ORCHESTRATOR if team == "orchestrator" else LEDGER]
    calm = TEAMS[team](jobs, places, CONDITIONS, seed=1)
    kill = Kill(names[victim], at, 10.0)
    found = TEAMS[team](jobs, places, CONDITIONS, seed=1, kill=kill, patience=calm.ended_at + 3600.0)
    assert found.unfinished == found.lost == 0
    assert all(len(found.steps[job.task.id]) == len(job.route) for job in jobs)
    assert recovery_seconds(calm, found, at) < 60.0 + 10.0 + 3 * max(step.seconds for job in jobs for step in job.route)


def test_what_never_comes_back_leaves_work_undone_and_that_is_noticed(routes: tuple[Route, ...]) -> None:
    jobs, places = jobs_of(routes, 40, 4), seats(role_shares(routes), 4)
    at = jobs[20].task.arrival
    found = run_orchestrated(jobs, places, CONDITIONS, seed=1, kill=Kill(ORCHESTRATOR, at, math.inf), patience=9000.0)
    assert found.unfinished >= 15
    calm = run_orchestrated(jobs, places, CONDITIONS, seed=1)
    assert recovery_seconds(calm, found, at) == math.inf


@pytest.mark.parametrize("team", TEAMS)
def test_without_leases_a_kill_leaves_work_undone(team: str, routes: tuple[Route, ...]) -> None:
    jobs, places = jobs_of(routes, 40, 4), seats(role_shares(routes), 4)
    for_ever = replace(CONDITIONS, lease_seconds=1e9)
    calm = TEAMS[team](jobs, places, for_ever, seed=1)
    kill = Kill(places[1].name, calm.moment(places[1].name), 10.0)
    assert TEAMS[team](jobs, places, for_ever, seed=1, kill=kill, patience=calm.ended_at + 3600.0).unfinished == 1
    assert TEAMS[team](jobs, places, CONDITIONS, seed=1, kill=kill, patience=calm.ended_at + 3600.0).unfinished == 0


def test_a_slow_server_holds_everybody_up(routes: tuple[Route, ...]) -> None:
    jobs = draw_jobs(routes, 150, seed=3, scale=0.01 / mean_step_seconds(routes))
    slow = replace(CONDITIONS, server_seconds=0.005)
    fast, held = (run_decentralised(jobs, seats(role_shares(routes), 12), one, seed=1) for one in (CONDITIONS, slow))
    assert held.throughput < 0.5 * fast.throughput
    assert held.throughput <= 3600.0 / (0.005 * 2.0)  # a claim and a completion at least for every task


def test_files_that_hold_no_routes_are_one_sentence(tmp_path: Path) -> None:
    for text in ("{}", "not JSON", '{"schema": "autodev_lab.routes/1", "packages": {"p": [[["healthy", 1.0]]]}}'):
        path = tmp_path / "routes.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(LabError, match="holds no routes") as caught:
            read_routes(path)
        assert "\n" not in str(caught.value)


def test_scaled_routes_keep_the_mix(routes: tuple[Route, ...]) -> None:
    whole, tenth = (draw_jobs(routes, 50, seed=2, scale=scale) for scale in (1.0, 0.1))
    for one, other in zip(whole, tenth, strict=True):
        assert [step.stage for step in one.route] == [step.stage for step in other.route]
        assert [step.seconds / 10 for step in one.route] == pytest.approx([step.seconds for step in other.route])
