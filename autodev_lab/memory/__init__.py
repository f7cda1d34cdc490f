"""What agents remember, shared or each for itself: the in-memory twin of every memory the lab can use."""

from autodev_lab.memory.in_memory import InMemoryMemory

__all__ = ["InMemoryMemory"]
