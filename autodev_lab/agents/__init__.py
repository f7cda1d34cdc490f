"""The six agents and the human's desk. None of them knows another; all they share is what they are given."""

from autodev_lab.agents.architect import Architect
from autodev_lab.agents.base import Agent, Move, Surroundings, Timing
from autodev_lab.agents.deployer import Deployer
from autodev_lab.agents.developer import Developer
from autodev_lab.agents.human_desk import HumanDesk
from autodev_lab.agents.monitor import Monitor
from autodev_lab.agents.reviewer import Reviewer
from autodev_lab.agents.tester import Tester

__all__ = [
    "Agent",
    "Architect",
    "Deployer",
    "Developer",
    "HumanDesk",
    "Monitor",
    "Move",
    "Reviewer",
    "Surroundings",
    "Tester",
    "Timing",
]
