"""The named regressions of work queues, on a real Redis: the same tests as in memory, in another world."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import pytest

from autodev_lab.kernel import AsyncioRuntime
from autodev_lab.ledger.redis_bus import RedisEventBus
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.records import Role

PREFIXES = itertools.count()
SAME = Path(__file__).parents[2] / "unit" / "ledger" / "test_regressions.py"


def loaded(path):
    """A test module by its path."""
    spec = importlib.util.spec_from_file_location("regressions_in_memory", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class SteppedRuntime(AsyncioRuntime):
    """asyncio, with a clock that moves when somebody sleeps; opens a ledger before it runs, closes its server after."""

    def __init__(self, server):
        super().__init__()
        self.at = 0.0
        self.server = server
        self.ledger = None

    def now(self):
        return self.at

    async def sleep(self, seconds):
        self.at += seconds

    def run(self, main):
        async def opened():
            async with self.server:
                await self.ledger.open()
                return await main

        return super().run(opened())


@pytest.fixture
def world(redis_server):
    server = RedisServer(redis_server.url)
    runtime = SteppedRuntime(server)
    runtime.ledger = RedisLedger(server, prefix=f"regressions{next(PREFIXES)}", clock=runtime.now)
    bus = RedisEventBus(server, runtime.ledger.keys, role=Role.ARCHITECT, agent_id="woken late")
    return runtime, bus, runtime.ledger


globals().update({name: one for name, one in vars(loaded(SAME)).items() if name.startswith("test_")})
