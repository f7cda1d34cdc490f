"""What each study measures: endpoints by name, so that claims, runs and reports mean the same by one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from autodev_lab.analysis.metrics import Endpoint

__all__ = ["STUDY_ENDPOINTS", "endpoint_of_any_study"]

_SEARCHES = "mean reciprocal rank"
_SHARE = "share of searches"

_PLAIN = (
    Endpoint("mrr10", "reciprocal_rank", _SEARCHES, "MRR@10", (0.0, 1.0)),
    Endpoint("recall10", "found", _SHARE, "recall@10", (0.0, 1.0)),
)
_HARD = (
    Endpoint("hard_mrr10", "hard_reciprocal_rank", _SEARCHES, "MRR@10, own name taken out", (0.0, 1.0)),
    Endpoint("hard_recall10", "hard_found", _SHARE, "recall@10, own name taken out", (0.0, 1.0)),
)
_SHARE_OF_TIME = "share of the agents' time"
_A_TASK = "a task"
_COORDINATION = (
    Endpoint("tasks_per_hour", "tasks_per_hour", "tasks an hour", "throughput, all tasks at once"),
    Endpoint("tasks_per_agent_hour", "tasks_per_agent_hour", "tasks an agent and hour", "throughput a head"),
    Endpoint("resolution_s", "resolution_s", "seconds", "time to resolution, mean"),
    Endpoint("resolution_p95_s", "resolution_p95_s", "seconds", "time to resolution, 95th percentile"),
    Endpoint("messages", "messages", _A_TASK, "messages"),
    Endpoint("operations", "operations", _A_TASK, "operations of the ledger or the store"),
    Endpoint("empty_claims", "empty_claims", _A_TASK, "claims that found nothing"),
    Endpoint("refused", "refused", _A_TASK, "refused completions"),
    Endpoint("idle_saturated", "idle_saturated", _SHARE_OF_TIME, "idle, all tasks at once", (0.0, 1.0), 0.0),
    Endpoint("idle_loaded", "idle_loaded", _SHARE_OF_TIME, "idle, tasks as they arrive", (0.0, 1.0), 0.0),
    Endpoint("kept", "kept", "tasks a run", "tasks finished with a process killed"),
    Endpoint("lost", "lost", "tasks a run", "tasks lost with a process killed"),
    Endpoint("unfinished", "unfinished", "tasks a run", "tasks not finished with a process killed"),
    Endpoint("unfinished_for_good", "unfinished_for_good", "tasks a run", "the same, it never comes back"),
    Endpoint("recovery_s", "recovery_s", "seconds", "longest delay of a step by a process that was killed"),
)
_A_HEAD = "tasks an agent and hour"
_SCALING = (
    Endpoint("rate_measured", "rate_measured", _A_HEAD, "throughput a head, steps as measured"),
    Endpoint("rate_1s", "rate_1s", _A_HEAD, "throughput a head, steps of 1 s"),
    Endpoint("rate_100ms", "rate_100ms", _A_HEAD, "throughput a head, steps of 100 ms"),
    Endpoint("rate_10ms", "rate_10ms", _A_HEAD, "throughput a head, steps of 10 ms"),
    Endpoint("idle", "idle", _SHARE_OF_TIME, "idle, steps as measured", (0.0, 1.0), 0.0),
    Endpoint("operations_a_task", "operations", _A_TASK, "operations of the ledger, steps as measured"),
    Endpoint("empty_claims_a_task", "empty_claims", _A_TASK, "claims that found nothing, steps as measured"),
    Endpoint("step_seconds", "step_seconds", "seconds", "mean of a step, as measured"),
)
_PROCESSES = (Endpoint("predicted_share", "predicted_share", _SHARE_OF_TIME, "at work, as foretold", (0.0, 1.0), 0.0),)

_RECORDED = (
    Endpoint("bug_escape", "bug_escaped", "share of changes", "failing changes deployed without a person", (0.0, 1.0)),
    Endpoint("deployed_alone", "deployed_alone", "share of changes", "deployed without a person", (0.0, 1.0)),
)


def _by_name(*endpoints: Endpoint) -> Mapping[str, Endpoint]:
    return MappingProxyType({endpoint.name: endpoint for endpoint in endpoints})


STUDY_ENDPOINTS: Mapping[str, Mapping[str, Endpoint]] = MappingProxyType(
    {
        "retrieval": _by_name(*_PLAIN, *_HARD),
        "growth": _by_name(*_PLAIN),
        "recorded_changes": _by_name(*_RECORDED),
        "coordination": _by_name(*_COORDINATION),
        "scaling": _by_name(*_SCALING),
        "processes": _by_name(*_PROCESSES),
    }
)
"""Endpoints by study; each is a mean of a column of its outcomes over the rows that have it."""


def endpoint_of_any_study(name: str) -> Endpoint:
    """An endpoint by its name, which means the same in every study that has it.

    Raises
    ------
    KeyError
        If no study has it.
    """
    return {one.name: one for endpoints in STUDY_ENDPOINTS.values() for one in endpoints.values()}[name]
