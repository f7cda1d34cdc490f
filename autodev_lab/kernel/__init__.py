"""The runtimes under which agents run: virtual and deterministic, or asyncio and real."""
