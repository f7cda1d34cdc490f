"""How agents get better: pattern records folded from memory."""

from autodev_lab.learning.frozen import FrozenPatterns
from autodev_lab.learning.patterns import PatternLibrary

__all__ = ["FrozenPatterns", "PatternLibrary"]
