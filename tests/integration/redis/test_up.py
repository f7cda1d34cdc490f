"""`up`, `agent` and `status` on a real Redis: work is done though Redis is killed, and who is told to leave, leaves."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time

import pytest
from typer.testing import CliRunner

from autodev_lab.chaos.agent_process import URL_VARIABLE, Order
from autodev_lab.chaos.team import task_of
from autodev_lab.cli.main import app
from autodev_lab.errors import LabError
from autodev_lab.experiments.agent_process import AgentOrder, tasks_for
from autodev_lab.experiments.process_team import count_agents, submit_all
from autodev_lab.integrations.redis_process import RedisProcess
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.processes import Nursery
from autodev_lab.records import Action, Decision, EscalationLevel, Role, Stage, StageTrial, TaskKind


def test_up_finishes_though_redis_is_killed_in_mid_run(redis_binary, tmp_path):
    with RedisProcess(redis_binary, tmp_path, "--appendonly", "yes", "--appendfsync", "always") as redis:

        def disturb():
            while "closed" not in redis.command("HGETALL", "autodev:{0}:counts"):
                time.sleep(0.02)
            redis.kill()
            time.sleep(0.2)
            redis.start()

        disturber = threading.Thread(target=disturb)
        disturber.start()
        arguments = ["up", "--redis", redis.url, "--scripted", "--count", "12", "--max-open", "8", "--lease", "1"]
        ran = CliRunner().invoke(app, [*arguments, "--until-done", "--json"])
        disturber.join()
        assert ran.exit_code == 0, ran.output
        found = json.loads(ran.stdout)
        assert (found["submitted"], found["open"], found["killed"]) == (12, 0, 0)
        assert found["closed"] >= 12
        seen = CliRunner().invoke(app, ["status", "--redis", redis.url, "--json"])
        shown = json.loads(seen.stdout)
        assert shown["alive"] == 0
        assert shown["shards"][0]["counts"]["closed"] == found["closed"]
        assert sum(shown["shards"][0]["stages"].values()) == found["closed"]


def test_an_agent_that_is_told_to_leave_finishes_its_step_or_gives_its_claim_up(redis_server, tmp_path):
    async def told_to_leave(nursery, ledger, name, grace):
        await ledger.submit(task_of(name, 0.0, 0))
        child = nursery.start(Order("architect", 1, pace=1.0, grace_seconds=grace, poll_seconds=0.2).arguments())
        while (await ledger.state(name)).lease is None:
            await asyncio.sleep(0.01)
        child.signal(signal.SIGTERM)
        assert await asyncio.to_thread(child.wait, 30.0)
        state = await ledger.state(name)
        return child.status, state.stage, state.tries, state.lease

    async def main():
        async with RedisServer(redis_server.url) as server:
            ledger = RedisLedger(server)
            await ledger.open()
            environment = {URL_VARIABLE: redis_server.url}
            with Nursery("autodev_lab.chaos.agent_process", environment=environment, log=tmp_path / "log") as nursery:
                # the script lets these two take some .8 seconds, and not fail
                done = await told_to_leave(nursery, ledger, "t2", 30.0)
                return done, await told_to_leave(nursery, ledger, "t1", 0.0)

    assert asyncio.run(main()) == ((0, Stage.PLANNED, 0, None), (0, Stage.FETCHED, 1, None))


def test_a_full_ledger_is_waited_for_and_known_tasks_are_not_repeated(redis_server):
    async def main():
        async with RedisServer(redis_server.url) as server:
            ledger = RedisLedger(server, max_open=2)
            tasks = tasks_for(AgentOrder("", "scripted", count=3))
            submitting = asyncio.create_task(submit_all(ledger, tasks))
            while await ledger.open_count() < 2:
                await asyncio.sleep(0.01)
            assert not submitting.done()
            await RedisLedger(server, max_tries=1).fail(await ledger.claim(*CLAIM), "so that there is room")
            return await submitting, await submit_all(ledger, tasks)

    assert asyncio.run(main()) == ((3, 0), (0, 3))


def test_a_team_of_processes_decides_and_rolls_out_as_the_configuration_says(redis_server, tmp_path):
    configuration = tmp_path / "mine.yaml"
    configuration.write_text(
        "decision_engine:\n"
        "  policy: learned\n"
        "  rollout: sequential\n"
        "  escalation_rules: {immediate: [], high_priority: [lines_changed >= 1]}\n"
    )
    arguments = ["up", "--redis", redis_server.url, "--environment", "simulated", "--count", "6", "--until-done"]
    ran = CliRunner().invoke(app, [*arguments, "--config", str(configuration)])
    assert ran.exit_code == 0, ran.output

    async def states():
        async with RedisServer(redis_server.url) as server:
            return await RedisLedger(server).states()

    results = [entry.result for state in asyncio.run(states()) for entry in state.history]
    decisions = [one for one in results if isinstance(one, Decision)]
    assert decisions
    assert {(one.policy, one.action, one.escalation) for one in decisions} == {
        ("learned", Action.REQUEST_REVIEW, EscalationLevel.HIGH_PRIORITY)
    }
    assert all("lines_changed >= 1" in one.reasons[0] for one in decisions)
    assert any(isinstance(one, StageTrial) and one.traffic for one in results)


CLAIM = (Role.ARCHITECT, "a", 60.0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["agent", "boss"], "there is no role 'boss'"),
        (["up", "--agents", "boss=1"], "'boss', which is no role"),
        (["up", "--agents", "tester"], "give a role and a number"),
        (["up", "--scripted", "--patience", "0"], "cannot reach Redis"),
        (["agent", "tester", "--scripted", "--patience", "0"], "cannot reach Redis"),
        (["up", "--environment", "repository", "--sandbox", "weak"], "needs tasks"),
        (["chaos", "--redis", "own", "--disable", "fence"], "leave --redis and --cycles out"),
        (["chaos", "--cycles", "0"], "must be at least 1"),
    ],
)
def test_mistakes_are_told_in_one_sentence(arguments, sentence):
    redis = [] if arguments[0] == "chaos" else ["--redis", "redis://127.0.0.1:1/0"]
    ran = CliRunner().invoke(app, [*arguments, *redis])
    assert ran.exit_code == 2
    assert sentence in ran.output
    assert "Traceback" not in ran.output


def test_a_team_needs_somebody():
    names = "architect=0,developer=0,tester=0,reviewer=0,deployer=0,monitor=0,human=0"
    with pytest.raises(LabError, match="leaves nobody"):
        count_agents(names)
    assert {task.kind for task in tasks_for(AgentOrder("", "scripted", count=2))} == {TaskKind.SYNTHETIC}
