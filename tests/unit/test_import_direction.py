"""Imports go one way: every module of the package is parsed, lazy imports inside functions included."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import autodev_lab

PACKAGE = Path(autodev_lab.__file__).resolve().parent

# Level by room (a sub-package or module directly below autodev_lab). A room may import rooms of lower levels only.
LEVELS = {
    "errors": 0,
    "records": 0,
    "files": 1,
    "workflow": 1,
    "protocols": 1,
    "resources": 1,
    "config": 1,
    "rules": 1,
    "simulation": 2,
    "pattern_rates": 2,
    "kernel": 2,
    "execution": 2,
    "integrations": 2,
    "ledger": 3,
    "streams": 3,
    "mining": 3,
    "memory": 3,
    "environments": 3,
    "solvers": 3,
    "decisions": 3,
    "learning": 3,
    "agents": 4,
    "team_spec": 4,
    "configured": 5,
    "platform": 5,
    "processes": 5,
    "chaos": 6,
    "experiments": 7,
    "cli": 8,
    "__init__": 8,
}

# Rooms with rules of their own: exactly what each may import.
ONLY = {
    "errors": set(),
    "records": set(),
    "files": {"errors"},
    "resources": {"errors"},
    "config": {"errors", "files", "resources", "records", "rules"},
    "rules": {"errors", "records"},
    "workflow": {"records"},
    "protocols": {"records", "workflow"},
    "analysis": {"records", "errors"},
    "testing": {"records", "protocols", "workflow", "errors"},
}

ABOVE_ALL = {"experiments", "cli", "__init__"}  # may use analysis


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if "_resources" not in path.parts)


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(tree, path):
    """Rooms of the lab that a module imports, with the line of each import."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = ("autodev_lab", *path.relative_to(PACKAGE).parent.parts)
                kept = parts[: len(parts) - node.level + 1]
                base = ".".join([*kept, base] if base else kept)
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "autodev_lab" else [base]
        for name in names:
            parts = name.split(".")
            if parts[0] == "autodev_lab" and len(parts) > 1:
                yield parts[1], node.lineno


def complaint(room, target):
    """Why `room` may not import `target`, or None when it may."""
    if target == room or target.startswith("__version"):
        return None
    if room in ONLY:
        return None if target in ONLY[room] else f"{room} may import {sorted(ONLY[room])} only"
    if target == "analysis":
        return None if room in ABOVE_ALL else "analysis is for experiments, cli and the public API"
    if room not in LEVELS:
        return f"{room} has no level; give it one in this test and in the design"
    if target not in LEVELS:
        return f"{target} is not for the lab's own rooms"
    if LEVELS[target] < LEVELS[room]:
        return None
    return f"{target} (level {LEVELS[target]}) is not below {room} (level {LEVELS[room]})"


def test_imports_go_one_way():
    broken = []
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for target, line in imported_rooms(tree, path):
            why = complaint(room_of(path), target)
            if why:
                broken.append(f"{path.relative_to(PACKAGE.parent)}:{line} imports {target}: {why}")
    assert not broken, "\n".join(broken)


def test_every_room_has_a_level():
    rooms = {room_of(path) for path in modules()}
    assert rooms <= set(LEVELS) | set(ONLY), sorted(rooms - set(LEVELS) - set(ONLY))


@pytest.mark.parametrize(
    ("room", "target", "allowed"),
    [
        ("ledger", "kernel", True),
        ("ledger", "memory", False),
        ("kernel", "execution", False),
        ("streams", "environments", False),
        ("agents", "solvers", True),
        ("solvers", "agents", False),
        ("analysis", "experiments", False),
        ("analysis", "records", True),
        ("experiments", "analysis", True),
        ("platform", "analysis", False),
        ("records", "errors", False),
        ("kernel", "testing", False),
        ("newcomer", "records", False),
    ],
)
def test_the_rules_themselves(room, target, allowed):
    assert (complaint(room, target) is None) == allowed


@pytest.mark.parametrize(
    ("text", "rooms"),
    [
        ("import autodev_lab.cli.main", ["cli"]),
        ("def f():\n    from autodev_lab.agents import Agent", ["agents"]),
        ("from autodev_lab import platform", ["platform"]),
        ("from ..agents.base import Agent", ["agents"]),
        ("from .. import cli", ["cli"]),
        ("from .virtual import VirtualRuntime", ["kernel"]),
        ("import json", []),
    ],
)
def test_every_form_of_import_is_seen(text, rooms):
    path = PACKAGE / "kernel" / "somewhere.py"
    assert [room for room, _ in imported_rooms(ast.parse(text), path)] == rooms
