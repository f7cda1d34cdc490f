"""Small everyday tools without dependencies."""

from pocketkit import calendars, expressions, graphs, intervals, matrices, numerals, sequences, text

__all__ = ["calendars", "expressions", "graphs", "intervals", "matrices", "numerals", "sequences", "text"]
__version__ = "1.0.0"
