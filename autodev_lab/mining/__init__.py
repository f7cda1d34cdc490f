"""Change measures and SZZ labels from the history of a local git repository."""

from autodev_lab.mining.headers import FIX_PATTERN
from autodev_lab.mining.history import MinedHistory, mine
from autodev_lab.mining.measures import MEASURE_WORDS, MEASURES, ChangeMeasures
from autodev_lab.mining.table import COLUMNS, DICTIONARY, check_out, read_changes, write_changes

__all__ = [
    "COLUMNS",
    "DICTIONARY",
    "FIX_PATTERN",
    "MEASURES",
    "MEASURE_WORDS",
    "ChangeMeasures",
    "MinedHistory",
    "check_out",
    "mine",
    "read_changes",
    "write_changes",
]
