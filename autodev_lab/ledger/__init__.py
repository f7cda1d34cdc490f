"""Tasks, stages, claims and results: one pure transition function, and the ledgers and buses that apply it."""

from autodev_lab.ledger.bus import InMemoryEventBus
from autodev_lab.ledger.in_memory import InMemoryLedger
from autodev_lab.ledger.recorded import HistoryEntry, RecordedLedger, replay
from autodev_lab.ledger.transition import Transition, transition

__all__ = [
    "HistoryEntry",
    "InMemoryEventBus",
    "InMemoryLedger",
    "RecordedLedger",
    "Transition",
    "replay",
    "transition",
]
