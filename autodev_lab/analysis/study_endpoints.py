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

_RECORDED = (
    Endpoint("bug_escape", "bug_escaped", "share of changes", "failing changes deployed without a person", (0.0, 1.0)),
    Endpoint("deployed_alone", "deployed_alone", "share of changes", "deployed without a person", (0.0, 1.0)),
)


def _by_name(*endpoints: Endpoint) -> Mapping[str, Endpoint]:
    return MappingProxyType({endpoint.name: endpoint for endpoint in endpoints})


STUDY_ENDPOINTS: Mapping[str, Mapping[str, Endpoint]] = MappingProxyType(
    {"retrieval": _by_name(*_PLAIN, *_HARD), "growth": _by_name(*_PLAIN), "recorded_changes": _by_name(*_RECORDED)}
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
