"""What agents remember, shared or each for itself, and how it is found again: memories and what searches them."""

from autodev_lab.memory.embedded import EmbeddedMemory
from autodev_lab.memory.embedders import MiniLmEmbedder
from autodev_lab.memory.hashed_embedder import HashedEmbedder
from autodev_lab.memory.in_memory import InMemoryMemory
from autodev_lab.memory.rebuild import rebuild_memory
from autodev_lab.memory.sealed import SealedMemory

__all__ = ["EmbeddedMemory", "HashedEmbedder", "InMemoryMemory", "MiniLmEmbedder", "SealedMemory", "rebuild_memory"]
