"""Which templates repair which kinds of fault: a heat map over operators, with what no template reached."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from autodev_lab.analysis.frames import originals

__all__ = ["operator_figure", "operator_table"]

_TASKS = ["package", "task_id"]
_UNREACHED = "#d55e00"


def operator_table(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Tasks by fault operator and by template that repaired them correctly, in any arm, twin or replicate.

    A task counts once, however often it was run: repeats of it are no new evidence.

    Parameters
    ----------
    outcomes
        Rows by the data dictionary.

    Returns
    -------
    DataFrame
        One row an operator, the most frequent first: ``n`` (tasks), ``repaired`` (tasks some arm repaired correctly),
        ``low`` and ``high`` (95 % Wilson interval of their share), then one column a template with the number of tasks
        it repaired. Empty when no task was made by the injector.
    """
    rows = originals(outcomes)
    rows = rows[rows["operator"].notna()]
    tasks = rows.drop_duplicates(_TASKS).groupby("operator").size()
    right = rows[rows["correct"]]
    repaired = right.drop_duplicates(_TASKS).groupby("operator").size().reindex(tasks.index, fill_value=0)
    table = pd.DataFrame({"n": tasks, "repaired": repaired})
    bounds = [_wilson(int(k), int(n)) for k, n in zip(repaired, tasks, strict=True)]
    table["low"], table["high"] = [low for low, _ in bounds], [high for _, high in bounds]
    used = right.explode("patterns").dropna(subset=["patterns"]).drop_duplicates([*_TASKS, "patterns"])
    if not used.empty:
        cells = pd.crosstab(used["operator"], used["patterns"])
        table = table.join(cells.reindex(table.index, fill_value=0))
    return table.sort_index().sort_values("n", ascending=False, kind="stable")


def operator_figure(outcomes: pd.DataFrame, *, budget: int) -> Figure | None:
    """The table as a heat map: share of an operator's tasks that a template repaired correctly.

    Returns
    -------
    Figure or None
        None when no task was made by the injector.
    """
    table = operator_table(outcomes)
    if table.empty:
        return None
    templates = [name for name in table.columns if name not in ("n", "repaired", "low", "high")]
    totals = table[templates].sum().to_dict() if templates else {}
    templates.sort(key=lambda name: (-totals[name], name))
    counts = table[templates].to_numpy(dtype=np.float64) if templates else np.zeros((len(table), 1))
    shares = counts / table["n"].to_numpy(dtype=np.float64)[:, None]

    figure = Figure(figsize=(3.6 + 0.28 * max(6, counts.shape[1]), 2.2 + 0.24 * len(table)), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(np.where(counts > 0, shares, np.nan), cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(templates)), templates, rotation=90, fontsize=7)
    labels = [
        f"{name}: {row.repaired} of {row.n} [{row.low:.2f}, {row.high:.2f}]"
        for name, row in zip(table.index, table.itertuples(), strict=True)
    ]
    axes.set_yticks(range(len(table)), labels, fontsize=7)
    for label, repaired in zip(axes.get_yticklabels(), table["repaired"], strict=True):
        label.set_color(_UNREACHED if not repaired else "black")
    axes.set_xlabel("template that repaired the task")
    axes.set_ylabel("fault operator: tasks repaired [95 % interval of the share]; orange: none")
    tasks, repaired = int(table["n"].sum()), int(table["repaired"].sum())
    figure.suptitle(
        f"{repaired} of {tasks} tasks repaired correctly by some arm within {budget} candidates", fontsize=9
    )
    figure.colorbar(drawn, ax=axes, label="share of the operator's tasks", shrink=0.8)
    return figure


def _wilson(successes: int, n: int) -> tuple[float, float]:
    from scipy.stats import binomtest  # most of a second that only injected faults need

    interval = binomtest(successes, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
