"""Agents as processes of their own on one Redis: started, watched over, counted, and told to leave."""

from __future__ import annotations

from autodev_lab.processes.nursery import Child, Nursery
from autodev_lab.processes.presence import Heartbeat, Presence
from autodev_lab.processes.serving import Station, serve
from autodev_lab.processes.supervisor import Backoff, Supervisor

__all__ = ["Backoff", "Child", "Heartbeat", "Nursery", "Presence", "Station", "Supervisor", "serve"]
