"""The runtimes under which agents run: virtual and deterministic, or asyncio and real."""

from autodev_lab.kernel.live import AsyncioRuntime
from autodev_lab.kernel.virtual import DeadlockError, VirtualRuntime

__all__ = ["AsyncioRuntime", "DeadlockError", "VirtualRuntime"]
