"""How agents get better: pattern records folded from memory, brought along and frozen, or kept in a file."""

from autodev_lab.learning.exchange import read_patterns, write_patterns
from autodev_lab.learning.frozen import FrozenPatterns
from autodev_lab.learning.patterns import PatternLibrary
from autodev_lab.learning.similar import SimilarFixes

__all__ = ["FrozenPatterns", "PatternLibrary", "SimilarFixes", "read_patterns", "write_patterns"]
