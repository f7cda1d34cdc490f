"""A process that runs every n-th batch of a campaign: ``python -m autodev_lab.chaos.worker``, one line of JSON a batch.

It reads what to do from its first argument. When whoever started it is gone, its next line has nowhere to go and it
ends, so that no worker outlives a campaign.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields

from autodev_lab.chaos.batch import Tally, run_batch
from autodev_lab.chaos.schedule import Mechanism

__all__ = ["BATCH", "Share", "batches"]

BATCH = 50
"""Schedules a batch."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one of `workers` workers does of a campaign."""

    seed: int
    schedules: int
    disable: str | None
    worker: int
    workers: int


def batches(share: Share) -> Iterator[range]:
    """The schedules of a share, a batch at a time.

    Examples
    --------
    >>> list(batches(Share(1, 120, None, 0, 2)))
    [range(0, 50), range(100, 120)]
    """
    for start in range(share.worker * BATCH, share.schedules, share.workers * BATCH):
        yield range(start, min(start + BATCH, share.schedules))


def vars_of(tally: Tally) -> dict[str, object]:
    """A tally as JSON has it; `dataclasses.asdict` would copy a Counter wrongly."""
    return {field.name: getattr(tally, field.name) for field in fields(tally)}


def main() -> None:
    """Do a share."""
    share = Share(**json.loads(sys.argv[1]))
    disable = None if share.disable is None else Mechanism(share.disable)
    for indices in batches(share):
        print(json.dumps(vars_of(run_batch(share.seed, indices, disable))), flush=True)


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        sys.stderr.close()
        raise SystemExit(1) from None
