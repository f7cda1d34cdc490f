"""What a user of a Redis that is away, refuses us, is full or is somebody else's gets: recovery, or one sentence."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import threading
import time

import pytest

from autodev_lab.errors import LabError
from autodev_lab.integrations.redis_process import RedisProcess
from autodev_lab.ledger.archive import append_states, read_states
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer, without_password
from autodev_lab.ledger.sharded import ShardedLedger
from autodev_lab.ledger.sharded_bus import ShardedEventBus
from autodev_lab.records import Attempt, Plan, RefusalReason, Role, Stage, StageResult, Task, TaskKind, TaskState
from autodev_lab.workflow import stages_of

PLAN = Plan("t", (), 0.0, 1)


def task(name="t", body=""):
    return Task(name, "p", TaskKind.LIVE, name, body=body)


def with_ledger(url, use, *, patience=0.2, **settings):
    async def main():
        async with RedisServer(url, patience=patience) as server:
            ledger = RedisLedger(server, **settings)
            await ledger.open()
            return await use(ledger)

    return asyncio.run(main())


async def submit_one(ledger):
    return await ledger.submit(task())


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_server_that_is_not_there_is_told_after_the_patience_is_over():
    with pytest.raises(LabError) as error:
        with_ledger("redis://127.0.0.1:1/0", submit_one)
    assert "cannot reach Redis at redis://127.0.0.1:1/0 for 0.2 seconds" in one_sentence(error)


@pytest.mark.parametrize("url", ["", "localhost", "http://localhost", "redis://localhost:port"])
def test_what_is_no_address_is_told_at_once(url):
    with pytest.raises(LabError, match="is no address of a Redis"):
        RedisServer(url)


def test_passwords(redis_binary, tmp_path):
    with RedisProcess(redis_binary, tmp_path) as server:
        server.command("CONFIG", "SET", "requirepass", "hunter2")
        server.password = "hunter2"
        with pytest.raises(LabError) as error:
            with_ledger(server.url, submit_one)
        assert "asks for a password" in one_sentence(error)
        with pytest.raises(LabError) as error:
            with_ledger(server.url.replace("//", "//:guess99@"), submit_one)
        assert "refuses the user or password" in one_sentence(error)
        assert "guess99" not in str(error.value)
        right = server.url.replace("//", "//:hunter2@")
        assert with_ledger(right, submit_one) is None
        assert "hunter2" not in without_password(right)


def test_a_user_may_be_confined_to_the_labs_prefix(own_redis):
    rules = ["on", ">secret", "~mine:*", "resetchannels", "&mine:*", "+@all", "-@dangerous", "+info"]
    assert own_redis.command("ACL", "SETUSER", "lab", *rules).startswith("+OK")
    url = own_redis.url.replace("//", "//lab:secret@")
    assert with_ledger(url, submit_one, prefix="mine") is None
    with pytest.raises(LabError) as error:
        with_ledger(url, submit_one, prefix="other")
    assert "does not let this user do that" in one_sentence(error)


def test_an_older_redis_is_refused():
    """Redis 5 cannot be had as a wheel: a socket that answers as it would."""
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve():
        while not ended.is_set():
            connection, _ = listening.accept()
            with connection:
                while data := connection.recv(4096):
                    about = b"redis_version:5.0.14\r\n"
                    known = b"$%d\r\n%s\r\n" % (len(about), about)
                    count = len(re.findall(rb"\*\d+\r\n", data))
                    connection.sendall(known if b"\r\nINFO\r\n" in data else b"+OK\r\n" * count)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = listening.getsockname()[1]
    with pytest.raises(LabError) as error:
        with_ledger(f"redis://127.0.0.1:{port}/0", submit_one)
    ended.set()
    socket.create_connection(("127.0.0.1", port)).close()
    thread.join()
    listening.close()
    assert "is Redis 5.0.14; the ledger needs 6.2 or newer" in one_sentence(error)


def test_keys_of_something_else_are_left_alone(redis_server):
    redis_server.command("SET", "autodev:{0}:states", "mine")
    with pytest.raises(LabError) as error:
        with_ledger(redis_server.url, submit_one)
    assert "holds a key 'autodev:{0}:states' that no ledger made" in one_sentence(error)
    assert "mine" in redis_server.command("GET", "autodev:{0}:states")


def test_a_ledger_of_another_version_is_left_alone(redis_server):
    redis_server.command("SET", "autodev:{0}:schema", "autodev_lab.ledger/99")
    with pytest.raises(LabError, match=r"autodev_lab\.ledger/99"):
        with_ledger(redis_server.url, submit_one)


@pytest.mark.parametrize("name", ["", "a:b", "{x}", "a b"])
def test_a_prefix_that_would_break_the_hash_tag_is_refused(redis_server, name):
    with pytest.raises(LabError, match="is no name for Redis keys"):
        with_ledger(redis_server.url, submit_one, prefix=name)


def test_a_full_server_takes_no_new_task_and_lets_those_it_has_go_on(own_redis):
    async def fill(ledger):
        await ledger.submit(task("first"))
        own_redis.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(LabError) as error:
            await ledger.submit(task("second"))
        claim = await ledger.claim(Role.ARCHITECT, "a", 60.0)
        assert await ledger.claim(Role.ARCHITECT, "a", 60.0) is None, "to find nothing needs no memory"
        return error, await ledger.complete(claim, Stage.PLANNED, PLAN), await ledger.states()

    error, done, states = with_ledger(own_redis.url, fill)
    assert "is full" in one_sentence(error)
    assert done is None
    assert [(state.task.id, state.stage) for state in states] == [("first", Stage.PLANNED)]


def test_a_replica_is_told(own_redis, redis_binary, tmp_path):
    following = ("--replicaof", "127.0.0.1", str(own_redis.port))
    with RedisProcess(redis_binary, tmp_path, *following) as replica, pytest.raises(LabError) as error:
        with_ledger(replica.url, submit_one)
    assert "is a read-only replica" in one_sentence(error)


def test_a_restart_in_mid_run_loses_nothing_that_was_acknowledged(redis_binary, tmp_path):
    options = ("--appendonly", "yes", "--appendfsync", "always")
    with RedisProcess(redis_binary, tmp_path, *options) as server:

        async def use(ledger):
            for number in range(20):
                await ledger.submit(task(f"t{number}"))
            claim = await ledger.claim(Role.ARCHITECT, "a", 60.0)
            server.kill()
            later = asyncio.get_running_loop().run_in_executor(None, server.start)
            done = await ledger.complete(claim, Stage.PLANNED, PLAN)  # waits until the server is back
            await later
            return done, await ledger.states()

        done, states = with_ledger(server.url, use, patience=30.0)
    assert done is None
    assert [state.task.id for state in states] == [f"t{number}" for number in range(20)]
    assert states[0].stage is Stage.PLANNED


def test_a_server_that_stands_still_is_waited_for(own_redis):
    async def use(ledger):
        own_redis.send_signal(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(0.3, own_redis.send_signal, signal.SIGCONT)
        return await ledger.submit(task())

    assert with_ledger(own_redis.url, use, patience=30.0) is None


class Cutting:
    """A proxy that hands a request on and cuts the connection before its answer, for requests that are due."""

    def __init__(self, port, due):
        self.port, self.due, self.seen, self.cut = port, due, 0, 0

    async def serve(self, reader, writer):
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            with contextlib.suppress(ConnectionError):  # the client may hang up first
                while data := await reader.read(65536):
                    self.seen += b"EVALSHA" in data
                    up_writer.write(data)
                    answer = await up_reader.read(65536)
                    if b"EVALSHA" in data and self.due(self.seen):
                        self.cut += 1
                        return
                    writer.write(answer)
                    await writer.drain()
        finally:
            writer.close()
            up_writer.close()


def test_commands_whose_answers_are_lost_take_effect_once(redis_server):
    async def main():
        proxy = Cutting(redis_server.port, lambda number: number % 2 == 1)
        listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        async with listening, RedisServer(f"redis://127.0.0.1:{port}/0", patience=10.0) as server:
            ledger = RedisLedger(server)
            await ledger.open()
            answers = [await ledger.submit(task("t1")), await ledger.submit(task("t2"))]
            claims = [await ledger.claim(Role.ARCHITECT, "a", 60.0) for _ in range(2)]
            follow_up = task("t1~1")
            answers.append(await ledger.complete(claims[0], Stage.PLANNED, PLAN, follow_up))
            answers.append(await ledger.fail(claims[1], "why"))
            again = await ledger.complete(claims[0], Stage.PLANNED, PLAN)
            return proxy.cut, answers, claims, again, await ledger.states(), await ledger.counts()

    cut, answers, claims, again, states, counts = asyncio.run(main())
    assert cut >= 6
    assert answers == [None] * 4
    assert [claim.task.id for claim in claims] == ["t1", "t2"]
    assert [claim.lease.fence for claim in claims] == [1, 1]
    assert again.reason is RefusalReason.STALE_FENCE  # another completion, not the same one sent again
    assert [(state.task.id, state.stage, state.tries) for state in states] == [
        ("t1", Stage.PLANNED, 0),
        ("t2", Stage.FETCHED, 1),
        ("t1~1", Stage.FETCHED, 0),
    ]
    assert counts == {"submitted": 3, "open": 3, "closed": 0}


def test_on_a_cluster_a_shards_keys_live_on_one_node(redis_binary, tmp_path):
    with RedisProcess(redis_binary, tmp_path, "--cluster-enabled", "yes") as server:
        slots = [str(slot) for slot in range(16384)]
        assert server.command("CLUSTER", "ADDSLOTS", *slots).startswith("+OK")
        while "cluster_state:ok" not in server.command("CLUSTER", "INFO"):
            time.sleep(0.05)

        async def use(ledger):
            answers = [await ledger.submit(task("t1")), await ledger.submit(task("t2"), ["t1"])]
            claim = await ledger.claim(Role.ARCHITECT, "a", 60.0)
            answers.append(await ledger.complete(claim, Stage.PLANNED, PLAN))
            return answers, await ledger.states(), await ledger.expire()

        url = server.url.replace("redis://", "redis+cluster://").removesuffix("/0")
        answers, states, expired = with_ledger(url, use, patience=10.0)

        async def use_shards():
            async with ShardedLedger(url, {"0": "", "1": ""}, prefix="sharded") as ledger:
                subscription = ShardedEventBus(ledger, role=Role.ARCHITECT).subscribe(
                    (*stages_of(Role.ARCHITECT), Stage.ABANDONED)
                )
                await subscription.next(0.1)  # a group and a channel of each shard are there from here on
                for number in range(4):
                    await ledger.submit(task(f"t{number}"))
                heard = {(await subscription.next(5.0)).task_id for _ in range(4)}
                places = len(ledger.places())
                subscription.close()
                return heard, places

        heard, places = asyncio.run(use_shards())
    assert answers == [None] * 3
    assert [(state.stage, state.after) for state in states] == [(Stage.PLANNED, ()), (Stage.FETCHED, ("t1",))]
    assert expired == 0
    assert heard == {"t0", "t1", "t2", "t3"}
    assert places == 2, "one command reads the keys of one shard"


def test_closed_tasks_move_to_a_file_and_their_ids_stay_taken(redis_server, tmp_path):
    path = tmp_path / "archive.jsonl"

    async def use(ledger):
        for name in ("t1", "t2", "t3"):
            await ledger.submit(task(name))
        for name in ("t1", "t2"):
            claim = await ledger.claim(Role.ARCHITECT, "a", 60.0)
            await ledger.complete(claim, Stage.PLANNED, PLAN)
            claim = await ledger.claim(Role.DEVELOPER, "d", 60.0)
            await ledger.complete(claim, Stage.ABANDONED, Attempt(name, None))
        before = await ledger.states()
        moved = await ledger.archive(path)
        again = await ledger.archive(path)
        taken = await ledger.submit(task("t1"))
        waiting = await ledger.submit(task("t4"), ["t2"])
        return before, moved, again, taken, waiting, await ledger.states(), await ledger.counts()

    before, moved, again, taken, waiting, after, counts = with_ledger(redis_server.url, use)
    assert (moved, again) == (2, 0)
    assert tuple(read_states(path)) == before[:2]
    assert taken.reason is RefusalReason.DUPLICATE_TASK
    assert waiting is None
    assert [(state.task.id, state.stage) for state in after] == [("t3", Stage.FETCHED), ("t4", Stage.ABANDONED)]
    assert counts == {"submitted": 4, "open": 1, "closed": 3}


def test_an_archive_that_a_kill_cut_short_or_doubled_is_read_once(redis_server, tmp_path):
    path = tmp_path / "archive.jsonl"
    state = TaskState(task("t"), Stage.ABANDONED, 3, None, 0, 1, (StageResult(Stage.ABANDONED, "d", 0.1, None),), "so")
    append_states(path, [state])
    append_states(path, [state])
    with path.open("a") as file:
        file.write('["{')
    assert list(read_states(path)) == [state]
    with pytest.raises(LabError, match="cannot read the archive"):
        list(read_states(tmp_path / "nothing"))
    path.write_text("{\n")
    with pytest.raises(LabError, match="line 1, is no task of an archive"):
        list(read_states(path))
    path.write_bytes(b"\xff\n")
    with pytest.raises(LabError, match="is no archive of tasks"):
        list(read_states(path))


def test_what_is_no_task_of_ours_is_told(redis_server):
    async def use(ledger):
        await ledger.submit(task())
        redis_server.command("HSET", ledger.keys.key("tasks"), "t", '{"id": 1}')
        with pytest.raises(LabError, match="cannot read") as error:
            await ledger.state("t")
        return error

    one_sentence(with_ledger(redis_server.url, use))


def test_clients_that_count_tries_otherwise_are_refused(redis_server):
    assert with_ledger(redis_server.url, submit_one, max_tries=3) is None
    with pytest.raises(LabError) as error:
        with_ledger(redis_server.url, submit_one, max_tries=4)
    assert 'was made with {"max_tries": 3}, and this client has {"max_tries": 4}' in one_sentence(error)
