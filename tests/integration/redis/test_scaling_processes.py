"""A team of real processes on real Redis servers does all of its work, and each step once."""

from __future__ import annotations

import pytest

from autodev_lab.experiments.teamwork.layout import seats
from autodev_lab.experiments.teamwork.processes import run_processes
from autodev_lab.experiments.teamwork.work import draw_jobs, read_routes, role_shares
from autodev_lab.resources import resource


@pytest.mark.usefixtures("redis_binary")
def test_processes_on_two_shards_do_every_step_once() -> None:
    routes = read_routes(resource("data/routes/learning.json"))["toolz"]
    jobs = draw_jobs(routes, 12, seed=1, scale=0.0005)
    found = run_processes(jobs, seats(role_shares(routes), 3), 2)
    assert found.unfinished == found.lost == found.refused == 0
    for job in jobs:
        times = found.steps[job.task.id]
        assert len(times) == len(job.route) and list(times) == sorted(times)
    assert found.operations >= 2 * sum(len(job.route) for job in jobs)
