"""What the studies of teams in virtual time have in common: routes measured on repository work, and what holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory, find_run
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.design import StudyParameters, StudyPlan
from autodev_lab.experiments.studies.study import Progress
from autodev_lab.experiments.studies.tables import write_attrition
from autodev_lab.experiments.teamwork.trial import Conditions
from autodev_lab.experiments.teamwork.work import SCHEMA, Route, parse_routes, read_routes
from autodev_lab.files import write_atomic
from autodev_lab.resources import FOLDERS, resource, runs_directory

__all__ = ["RouteStudy", "TeamParameters", "assemble_routes", "packages_of", "routes_in"]


class TeamParameters(StudyParameters):
    """What `-p key=value` may change."""

    routes: str = Field(
        "data/routes/learning.json", description="what tasks ask for: a file of routes, or a finished run with a team"
    )
    one_way_ms: float = Field(0.15, ge=0, description="milliseconds that a message is under way")
    server_ms: float = Field(0.12, ge=0, description="milliseconds that a command keeps the ledger's server busy")
    decide_ms: float = Field(0.05, ge=0, description="milliseconds that a message keeps the orchestrator busy")
    lease_seconds: float = Field(60.0, gt=0, description="lease, and silence after which an agent is taken for dead")
    poll_seconds: float = Field(30.0, gt=0, description="how often an idle agent looks for itself")
    restart_seconds: float = Field(10.0, ge=0, description="seconds until a killed process is started again")
    retry_seconds: float = Field(1.0, gt=0, description="seconds until what was not answered is sent again")
    person_seconds: float = Field(0.0, ge=0, description="what people take for an answer; no agent waits for it")

    def conditions(self) -> Conditions:
        """What holds for every team."""
        return Conditions(
            one_way=self.one_way_ms / 1e3,
            server_seconds=self.server_ms / 1e3,
            decide_seconds=self.decide_ms / 1e3,
            lease_seconds=self.lease_seconds,
            poll_seconds=self.poll_seconds,
            restart_seconds=self.restart_seconds,
            retry_seconds=self.retry_seconds,
        )


class RouteStudy:
    """What studies on routes share of `Study`: nothing is built, and a run keeps the routes it was given."""

    def to_build(self, plan: StudyPlan, directory: RunDirectory) -> tuple[tuple[str, ...], int]:
        """Nothing is built a package."""
        return (), 0

    def build(
        self, plan: StudyPlan, package: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> None:
        """Nothing is built a package."""

    def assemble(self, plan: StudyPlan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Copy the routes, so that the run stands by itself."""
        assert isinstance(plan.parameters, TeamParameters)
        return assemble_routes(plan.parameters, directory)


def packages_of(parameters: TeamParameters) -> Mapping[str, tuple[Route, ...]]:
    """Routes of the packages that are asked for, or of all there are.

    Raises
    ------
    LabError
        If there are no routes, or none of a package.
    """
    found = read_routes(_place(parameters.routes))
    for package in parameters.packages:
        if package not in found:
            raise LabError(f"{parameters.routes} has no routes of {package!r}; choose among {', '.join(found)}")
    return {package: found[package] for package in parameters.packages or tuple(found)}


def assemble_routes(parameters: TeamParameters, directory: RunDirectory) -> Mapping[str, str]:
    """Copy the routes into a run directory; returns their hash by package."""
    if not directory.tasks.exists():
        found = packages_of(parameters)
        write_attrition(directory, [(package, "routes", len(routes)) for package, routes in found.items()])
        lines = (json.dumps({"package": package, "route": _plain(one)}) for package in found for one in found[package])
        write_atomic(directory.tasks, "".join(f"{line}\n" for line in lines))
    return {
        package: hashlib.sha256(json.dumps([_plain(one) for one in routes]).encode()).hexdigest()[:16]
        for package, routes in routes_in(directory).items()
    }


def routes_in(directory: RunDirectory) -> Mapping[str, tuple[Route, ...]]:
    """The routes of a run directory, by package."""
    kept: dict[str, list[object]] = {}
    for line in directory.tasks.read_text(encoding="utf-8").splitlines():
        data = json.loads(line)
        kept.setdefault(data["package"], []).append(data["route"])
    return parse_routes(json.dumps({"schema": SCHEMA, "packages": kept}))


def _plain(route: Route) -> list[tuple[str, float]]:
    return [(step.stage.value, step.seconds) for step in route]


def _place(routes: str) -> Path:
    if routes.split("/", 1)[0] in FOLDERS and not Path(routes).exists():
        return resource(routes)
    path = Path(routes).expanduser()
    return path if path.exists() else find_run(routes, runs_directory()).path
