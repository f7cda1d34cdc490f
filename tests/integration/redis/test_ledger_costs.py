"""What a command of the ledger costs, measured on a redis-server that is started for it."""

from __future__ import annotations

import asyncio

from autodev_lab.experiments.teamwork.ledger_costs import LedgerCosts, measure_ledger_costs


def test_costs_are_measured_in_a_notebook_too(redis_binary: str) -> None:
    async def in_a_notebook() -> LedgerCosts:
        return measure_ledger_costs(blocks=2, cycles=3)  # a loop is running in this thread

    measured = asyncio.run(in_a_notebook())
    assert measured.why_not == ""
    assert len(measured.round_trip_ms) == len(measured.one_way_ms) == 2
    assert all(trip > 0 for trip in measured.round_trip_ms)
