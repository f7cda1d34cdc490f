"""Mirrors a run directory to MLflow: a parent run an experiment, a child a cell.

Written by the parent process alone, after the run directory is complete: MLflow is a view, the directory the truth.
Honours ``MLFLOW_TRACKING_URI`` and an active run; otherwise a SQLite store beside the runs.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autodev_lab.errors import LabError
from autodev_lab.experiments.conduct import AnyPlan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.resources import runs_directory

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["Child", "Page", "Point", "as_text", "mirror", "quiet_environment", "tracking_uri", "without_secrets"]

_BATCH = 1000
"""MLflow's limit of metrics a call."""

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


def quiet_environment() -> dict[str, str]:
    """Environment variables that keep MLflow from phoning home; the user's own settings win."""
    return {name: os.environ.get(name, value) for name, value in _QUIET.items()}


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI``, or the store beside the runs."""
    chosen = os.environ.get("MLFLOW_TRACKING_URI")
    return chosen or f"sqlite:///{runs_directory() / 'mlflow.db'}"


@dataclass(frozen=True, slots=True)
class Point:
    """A metric's value at a step."""

    name: str
    value: float
    step: int = 0


@dataclass(frozen=True, slots=True)
class Child:
    """What is told of one cell."""

    name: str
    parameters: Mapping[str, str] = field(hash=False)
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What is told of a run.

    Parameters
    ----------
    parameters
        Of the run.
    metrics
        Of the run as a whole.
    children
        Its cells; made only when the store does not know them yet.
    """

    parameters: Mapping[str, str] = field(hash=False)
    metrics: Mapping[str, float] = field(hash=False)
    children: Mapping[str, Callable[[], Child]] = field(hash=False)


def mirror(plan: AnyPlan, directory: RunDirectory, summary: Mapping[str, object], page: Page) -> dict[str, str]:
    """Write a finished (or partial) run to MLflow and note where, in ``mlflow.json``.

    Parameters
    ----------
    page
        What is told of it.

    Returns
    -------
    dict
        ``tracking_uri`` and ``run_id`` of the parent run.

    Raises
    ------
    LabError
        If the store cannot be written; the run directory is not affected.
    """
    with _quiet():
        import mlflow
        from mlflow.exceptions import MlflowException

        # a run of the caller's is nested under where it lies. MLflow's own store is never set: that would also set
        # MLFLOW_TRACKING_URI, and send the caller's next run elsewhere
        uri = tracking_uri() if mlflow.active_run() is None else mlflow.get_tracking_uri()
        try:
            run_id = _write(plan, directory, summary, page, uri)
        except (MlflowException, OSError) as error:
            reason = str(error).splitlines()[0][:300]
            raise LabError(
                f"MLflow at {without_secrets(uri)} cannot be written ({reason}); "
                "set MLFLOW_TRACKING_URI or use --no-mlflow"
            ) from error
    note = {"tracking_uri": without_secrets(uri), "run_id": run_id}
    directory.write_json(directory.path / "mlflow.json", note)
    return note


def _write(plan: AnyPlan, directory: RunDirectory, summary: Mapping[str, object], page: Page, uri: str) -> str:
    import mlflow
    from mlflow import MlflowClient
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    client = MlflowClient(uri)
    active = mlflow.active_run()
    experiment_id = active.info.experiment_id if active is not None else _experiment(client, plan, uri)
    tags = {
        "autodev_lab.run_id": directory.id,
        "autodev_lab.configuration_hash": plan.configuration_hash,
        "autodev_lab.confirmatory": str(summary["confirmatory"]).lower(),
    }
    known = _runs_by_tag(client, experiment_id, directory.id)
    parent_id = known.pop("", None)
    if parent_id is None:
        parent_tags = {**tags, **({MLFLOW_PARENT_RUN_ID: active.info.run_id} if active is not None else {})}
        parent_id = client.create_run(
            experiment_id, run_name=f"{plan.name}-{plan.profile}-s{plan.seed}", tags=parent_tags
        ).info.run_id
        _log_params(client, parent_id, page.parameters)
    _log_points(client, parent_id, [Point(name, value) for name, value in page.metrics.items()])
    _artifacts(client, parent_id, directory)
    for name, tell in page.children.items():
        if name in known:
            continue
        told = tell()
        child_tags = {**tags, MLFLOW_PARENT_RUN_ID: parent_id, "autodev_lab.cell": name}
        child = client.create_run(experiment_id, run_name=name, tags=child_tags).info.run_id
        _log_params(client, child, told.parameters)
        _log_points(client, child, told.points)
        client.set_terminated(child, "FINISHED")
    client.set_terminated(parent_id, "FINISHED" if summary["complete"] else "KILLED")
    return str(parent_id)


def _experiment(client: MlflowClient, plan: AnyPlan, uri: str) -> str:
    name = f"autodev_lab/{plan.name}"
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    # a local store keeps its artifacts beside itself and not in the working directory
    location = (runs_directory() / "mlartifacts").as_uri() if uri.startswith("sqlite:") else None
    return str(client.create_experiment(name, artifact_location=location))


def _runs_by_tag(client: MlflowClient, experiment_id: str, run_id: str) -> dict[str, str]:
    """Runs of an earlier mirroring, by cell name; the parent under the empty name."""
    runs: dict[str, str] = {}
    token: str | None = None
    while True:
        page = client.search_runs(
            [experiment_id], f"tags.`autodev_lab.run_id` = '{run_id}'", max_results=1000, page_token=token
        )
        for run in page:
            runs[run.data.tags.get("autodev_lab.cell", "")] = run.info.run_id
        token = page.token
        if not token:
            return runs


def _log_params(client: MlflowClient, run_id: str, values: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    client.log_batch(run_id, params=[Param(name, value[:500]) for name, value in values.items()])


def _log_points(client: MlflowClient, run_id: str, points: Sequence[Point]) -> None:
    from mlflow.entities import Metric

    # a fixed time stamp: virtual time has no place on a calendar, and the step says the order
    metrics = [Metric(one.name, one.value, one.step, one.step) for one in points]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])


def _artifacts(client: MlflowClient, run_id: str, directory: RunDirectory) -> None:
    for path in (
        directory.outcomes,
        directory.summary,
        directory.path / "summary.txt",
        directory.spec,
        directory.provenance,
        directory.attrition,
    ):
        if path.exists():
            client.log_artifact(run_id, str(path))
    for folder in (directory.figures, directory.notebook):
        if folder.is_dir():
            client.log_artifacts(run_id, str(folder), folder.name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's and its store's chatter off the terminal, and its telemetry off the network."""
    for name, value in quiet_environment().items():
        os.environ.setdefault(name, value)
    # importing sets the level of its logger, so it comes first
    import mlflow  # noqa: F401

    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "sqlalchemy")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def without_secrets(uri: str) -> str:
    """A URI without user and password.

    Examples
    --------
    >>> without_secrets("https://me:secret@host/x")
    'https://host/x'
    """
    scheme, separator, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def as_text(value: object) -> str:
    """A parameter's value as MLflow shows it; lists are joined by commas.

    Examples
    --------
    >>> as_text(["a", "b"]), as_text(True), as_text("word")
    ('a,b', 'true', 'word')
    """
    return ",".join(str(part) for part in value) if isinstance(value, list) else json.dumps(value).strip('"')
