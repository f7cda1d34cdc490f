"""`platform_config.yaml`: read, checked as a whole, and turned into frozen settings that say where each came from."""

from autodev_lab.config.configuration import SERVICES, Configuration, Origin
from autodev_lab.config.loading import check_config, find_config, load_config
from autodev_lab.config.problems import ConfigError, Problem
from autodev_lab.config.schema import (
    Agents,
    AgentSettings,
    DecisionEngine,
    DeveloperSettings,
    Integrations,
    Learning,
    Settings,
)

__all__ = [
    "SERVICES",
    "AgentSettings",
    "Agents",
    "ConfigError",
    "Configuration",
    "DecisionEngine",
    "DeveloperSettings",
    "Integrations",
    "Learning",
    "Origin",
    "Problem",
    "Settings",
    "check_config",
    "find_config",
    "load_config",
]
