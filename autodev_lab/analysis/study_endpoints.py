"""What each study measures: endpoints by name, so that claims, runs and reports mean the same by one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from autodev_lab.analysis.metrics import Endpoint

__all__ = ["DEPLOYED_SUCCESS", "STUDY_ENDPOINTS", "endpoint_of_any_study"]

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

DEPLOYED_SUCCESS = "deployed_success"
"""The endpoint of a claim about the share of successes of what an arm of a study deploys; other items have none."""

_RECORDED = (
    Endpoint("bug_escape", "bug_escaped", "share of changes", "failing changes deployed without a person", (0.0, 1.0)),
    Endpoint("deployed_alone", "deployed_alone", "share of changes", "deployed without a person", (0.0, 1.0)),
    Endpoint(DEPLOYED_SUCCESS, "deployed_success", "share of the deployed", "successes of the deployed", (0.0, 1.0)),
)
_SHARES = (0.0, 1.0)
_IMPACT = (
    Endpoint("recall", "recall", "share", "failing tests chosen, of changes that leave all tests collectable", _SHARES),
    Endpoint("precision", "precision", "share", "chosen tests that fail", _SHARES),
    Endpoint("complete", "complete", "share", "changes all of whose failing tests are chosen", _SHARES),
    Endpoint("noticed", "noticed", "share", "changes a failing test of which is chosen", _SHARES),
    Endpoint("recall_any", "recall_any", "share", "failing or uncollectable tests chosen, of all changes", _SHARES),
    Endpoint("saved_tests", "saved_tests", "share", "tests not run", _SHARES),
)
_HOPS = tuple(
    Endpoint(f"{measure}{tail}", f"{measure}{tail}", "share", f"{label}{words}", _SHARES)
    for measure, label in (
        ("exact", "questions answered exactly"),
        ("ids_recall", "right ids that are given"),
        ("ids_precision", "given ids that are right"),
    )
    for tail, words in (("", ""), *((f"_{hops}", f", {hops} hops") for hops in (2, 3, 4)))
)
_LOCALISATION = tuple(
    Endpoint(f"{level}{name}", f"{level}{column}", "share", f"{label}{tail}", _SHARES)
    for level, tail in (("", ", lines"), ("function_", ", functions"))
    for name, column, label in (
        ("mrr", "reciprocal", "mean reciprocal rank"),
        ("top1", "top1", "bugs at the first place"),
        ("top5", "top5", "bugs at the first five places"),
        ("exam", "exam", "suspects looked at"),
    )
)
_EVIDENCE = (
    Endpoint("moved_risk", "moved_risk", "difference", "risk with and without it, absolute difference", _SHARES),
    Endpoint("moved_confidence", "moved_confidence", "difference", "confidence with and without it, absolute", _SHARES),
    Endpoint("shapley_risk", "shapley_risk", "difference", "Shapley value in risk", _SHARES),
    Endpoint(
        "shapley_confidence", "shapley_confidence", "difference", "Shapley value in confidence, absolute", _SHARES
    ),
    Endpoint("brier", "brier", "squared error", "Brier score of the confidence with all evidence", _SHARES),
    Endpoint("brier_without", "brier_without", "squared error", "Brier score of the confidence without it", _SHARES),
)
_CREDIT = tuple(
    Endpoint(f"{prefix}effect_{name}", f"{prefix}effect_{name}", unit, f"{label}{tail}", bounds)
    for prefix, tail in (("", ", all tasks"), ("found_", ", where it was found"))
    for name, unit, label, bounds in (
        ("correct", "share of tasks", "correct with it less without", (-1.0, 1.0)),
        ("solved", "share of tasks", "solved with it less without", (-1.0, 1.0)),
        ("candidates", "candidates a task", "candidates it saves", (-math.inf, math.inf)),
    )
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
        "impact": _by_name(*_IMPACT),
        "hops": _by_name(*_HOPS),
        "localisation": _by_name(*_LOCALISATION),
        "evidence": _by_name(*_EVIDENCE),
        "credit": _by_name(*_CREDIT),
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
