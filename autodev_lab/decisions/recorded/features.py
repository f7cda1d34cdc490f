"""Features of recorded changes, each from the change itself and from what was there before it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from autodev_lab.decisions.recorded.reading import MEASURES

__all__ = ["FEATURE_WORDS", "NUMBERS", "features_of"]

Floats = npt.NDArray[np.float64]

FEATURE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "ns": "subsystems touched",
        "nd": "directories touched",
        "nf": "files touched",
        "entropy": "spread of the change over its files",
        "la": "lines added",
        "ld": "lines deleted",
        "lt": "size of the files before the change",
        "ndev": "developers who changed these files before",
        "age": "days since these files were last changed",
        "nuc": "earlier changes of these files",
        "exp": "the author's experience",
        "rexp": "the author's recent experience",
        "sexp": "the author's experience with the subsystem",
        "fix": "whether the change is a fix",
        "churn": "lines added and deleted",
        "relative_churn": "lines changed against the size of the files",
        "added_share": "share of added lines",
        "lines_a_file": "lines added a file",
        "changes_a_file": "earlier changes a file",
        "even_spread": "how evenly the change is spread over its files",
        "subsystem_share": "share of the author's experience that is with the subsystem",
        "recent_share": "share of the author's experience that is recent",
        "developers_a_change": "developers for each earlier change of the files",
        "relative_size": "lines added against the project's last 200 changes",
        "relative_files": "size of the files against the project's last 200 changes",
        "relative_experience": "the author's experience against the project's last 200 changes",
        "project": "the project",
    }
)
"""Every feature in words."""

NUMBERS: tuple[str, ...] = tuple(name for name in FEATURE_WORDS if name != "project")
"""Features that are numbers: all but the project."""

_PLAIN = ("entropy", "fix")
_WINDOW, _LEAST = 200, 20


def features_of(changes: pd.DataFrame) -> pd.DataFrame:
    """Features, one row a change, and the project.

    Counts are taken by their logarithm (one added), differences of logarithms stand for ratios. Relative churn is of
    Nagappan and Ball 2005, "Use of relative code churn measures to predict system defect density" (ICSE). No label is
    used, and nothing of a later change: what a project's changes are like is a mean over those before. A feature that
    cannot be had is NaN.

    Parameters
    ----------
    changes
        `RecordedChanges.frame`: in the order of time.

    Examples
    --------
    >>> one = {name: 1.0 for name in MEASURES} | {"fix": 0.0, "project": "p", "time": 0.0}
    >>> found = features_of(pd.DataFrame([one, one | {"la": 3.0, "time": 86400.0}]))
    >>> round(float(found["la"].iloc[1]), 3), set(found.columns) == set(FEATURE_WORDS)
    (1.386, True)
    """
    found = pd.DataFrame(index=changes.index)
    for name in (*MEASURES, "fix"):
        values = changes[name].astype(np.float64)
        found[name] = values if name in _PLAIN else np.log1p(values)
    added, deleted, files = (changes[name].to_numpy(dtype=np.float64) for name in ("la", "ld", "nf"))
    found["churn"] = np.log1p(added + deleted)
    found["relative_churn"] = found["churn"] - found["lt"]
    found["added_share"] = (added + 1.0) / (added + deleted + 2.0)
    found["lines_a_file"] = np.log1p(added / np.maximum(files, 1.0))
    found["changes_a_file"] = np.log1p(changes["nuc"].to_numpy(dtype=np.float64) / np.maximum(files, 1.0))
    found["even_spread"] = np.where(files > 1.0, found["entropy"] / np.log2(np.maximum(files, 2.0)), 0.0)
    found["subsystem_share"] = found["sexp"] - found["exp"]
    found["recent_share"] = found["rexp"] - found["exp"]
    found["developers_a_change"] = found["ndev"] - found["nuc"]
    for name, of in (("relative_size", "la"), ("relative_files", "lt"), ("relative_experience", "exp")):
        found[name] = found[of] - _before(found[of], changes["project"])
    found["project"] = changes["project"]
    return found[list(FEATURE_WORDS)]


def _before(values: pd.Series, project: pd.Series) -> pd.Series:
    """Mean over the project's changes before each, of the last `_WINDOW`; NaN with fewer than `_LEAST`."""
    return values.groupby(project, sort=False).transform(
        lambda one: one.rolling(_WINDOW, min_periods=_LEAST).mean().shift()
    )
