"""Agents as processes on a real Redis: they do the work, are replaced when they die, and leave when told to."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from autodev_lab.chaos.agent_process import URL_VARIABLE, Order
from autodev_lab.chaos.journal import read_journals
from autodev_lab.chaos.team import task_of
from autodev_lab.errors import LabError
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.processes import Backoff, Nursery, Presence, Supervisor
from autodev_lab.records import Role, Stage
from autodev_lab.workflow import TERMINAL_STAGES

MODULE = "autodev_lab.chaos.agent_process"
ROLES = tuple(Role)
PATIENT = """
import os, time

def main(arguments):
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.05)
    return 0
"""


def on(redis, use, prefix):
    async def main():
        async with RedisServer(redis.url, patience=5.0) as server:
            ledger = RedisLedger(server, prefix=prefix)
            await ledger.open()
            return await use(ledger, Presence(server, prefix))

    return asyncio.run(main())


def test_processes_do_the_work_one_that_is_killed_is_replaced_and_orphans_leave(redis_server, tmp_path):
    def order(role):
        return Order(
            role, 1, pace=0.02, lease_seconds=0.5, poll_seconds=0.3, prefix="team", journals=str(tmp_path / "journals")
        ).arguments()

    def nurse():
        nurseries.append(Nursery(MODULE, environment={URL_VARIABLE: redis_server.url}, log=tmp_path / "log"))
        return nurseries[-1]

    nurseries = []

    async def work(ledger, presence):
        while len(await presence.agents()) < len(ROLES):
            team.look()
            await asyncio.sleep(0.02)
        for number in range(4):
            assert await ledger.submit(task_of(f"t{number}", float(number), 0)) is None
        deaths = ()
        killed = False
        while await ledger.open_count():
            if not killed and (child := team.running.get("tester")) is not None:
                killed = child.signal(signal.SIGKILL)
            deaths += team.look()
            await asyncio.sleep(0.02)
        while "tester" not in team.running or len(await presence.agents()) < 8:
            deaths += team.look()
            await asyncio.sleep(0.02)
        return deaths, await presence.agents(), await ledger.states()

    with Supervisor(nurse, {role.value: order(role.value) for role in ROLES}, Backoff(0.01)) as team:
        deaths, agents, states = on(redis_server, work, "team")
        nurseries[0].kill()  # agents whose supervisor is gone leave by themselves

        async def all_gone(ledger, presence):
            while len(left := await presence.agents()) > 1:
                await asyncio.sleep(0.02)
            return left

        silent = on(redis_server, all_gone, "team")
    assert [(death.name, death.status) for death in deaths] == [("tester", -signal.SIGKILL)]
    assert [agent.agent_id for agent in agents if agent.role == "tester"] == ["tester-1", "tester-2"]
    assert all(state.stage in TERMINAL_STAGES for state in states)
    done = [entry for entry in read_journals(tmp_path / "journals") if entry.heard == "done"]
    for state in states:
        seen = [entry.stage for entry in done if entry.task_id == state.task.id and entry.did != "submit"]
        shown = [
            Stage.DECLINED if entry.stage is Stage.WITHDRAWN else entry.stage  # a no is a no to who says it
            for entry in state.history
            if entry.stage is not Stage.DEAD_LETTER
        ]
        assert sorted(seen) == sorted(shown)

    assert [agent.agent_id for agent in silent] == ["tester-1"]  # the others said goodbye


def test_a_process_that_dies_again_and_again_is_given_up_in_one_sentence(tmp_path):
    (tmp_path / "hopeless.py").write_text("def main(arguments):\n    print(*arguments)\n    return 4\n")

    def nurse():
        return Nursery("hopeless", environment={"PYTHONPATH": str(tmp_path)}, log=tmp_path / "log")

    with (
        pytest.raises(LabError, match=r"tester died 3 times in a row, with exit status 4 at last: no luck"),
        Supervisor(nurse, {"tester": ["no luck"]}, Backoff(0.01, most_deaths=3)) as team,
    ):
        while True:
            team.look()
            time.sleep(0.01)


def test_a_nursery_that_is_killed_is_replaced_with_all_its_children(tmp_path):
    (tmp_path / "patient.py").write_text(PATIENT)

    def nurse():
        nurseries.append(Nursery("patient", environment={"PYTHONPATH": str(tmp_path)}, log=tmp_path / "log"))
        return nurseries[-1]

    nurseries = []
    with Supervisor(nurse, {"one": [], "two": []}, Backoff(0.01)) as team:
        nurseries[0].kill()
        dead = []
        while len(dead) < 2 or len(team.running) < 2:
            dead += team.look()
            time.sleep(0.01)
        assert sorted(death.name for death in dead) == ["one", "two"]
        assert team.stop(5.0) == 0
    assert len(nurseries) == 2
