"""The data dictionary of a run's tables: every column, its type, unit and meaning, with a version.

The engine writes by it, the analysis reads by it, and `docs/data-dictionary.md` is `to_markdown()` (a test compares).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

__all__ = [
    "COLUMNS",
    "KEY",
    "RETRIEVAL_COLUMNS",
    "ROLLOUT_COLUMNS",
    "VERSION",
    "Column",
    "Kind",
    "schema",
    "to_markdown",
    "version_of",
]

VERSION = 2
"""Grows when a column is added, removed or changes its meaning."""


_VERSION_KEY = "autodev_lab.dictionary"


class Kind(StrEnum):
    """Type of a column, as a reader would call it."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    YES_NO = "yes/no"
    TEXTS = "list of texts"


_ARROW: Mapping[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.YES_NO: pa.bool_(),
    Kind.TEXTS: pa.list_(pa.string()),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, type, unit ("" when it has none), meaning, and whether it may be missing."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    optional: bool = False


COLUMNS: tuple[Column, ...] = (
    Column("arm", Kind.TEXT, "", "Name of the arm, without the suffix of a twin."),
    Column("replicate", Kind.INTEGER, "", "Replicate, from 0; all its arms see the same tasks in one order."),
    Column("twin", Kind.YES_NO, "", "Whether this cell is the twin: the same arm with another agent seed."),
    Column("package", Kind.TEXT, "", "Package the task is in; the cluster of the analysis."),
    Column("task_id", Kind.TEXT, "", "Id of the task; pairs rows across arms and twins."),
    Column("index", Kind.INTEGER, "", "Position of the task in the replicate's stream, from 0."),
    Column("kind", Kind.TEXT, "", "Where the task comes from: synthetic, injected, historical or live."),
    Column("parent", Kind.TEXT, "", "Task that this one follows up.", optional=True),
    Column("depth", Kind.INTEGER, "", "Follow-ups between this task and an original one; the analysis uses depth 0."),
    Column("operator", Kind.TEXT, "", "Operator that injected the bug; truth, for the analysis only.", optional=True),
    Column("exposure_killable", Kind.YES_NO, "", "Whether an exposure test fails on the bug; truth.", optional=True),
    Column("oracle_killable", Kind.YES_NO, "", "Whether an oracle test fails on the bug; truth.", optional=True),
    Column("solved", Kind.YES_NO, "", "All visible tests passed on disk under the last change that was tested."),
    Column("correct", Kind.YES_NO, "", "Solved, and the change is right on all that was held out."),
    Column("identical", Kind.YES_NO, "", "The change restores the original code.", optional=True),
    Column("oracle_passed", Kind.YES_NO, "", "All oracle tests passed.", optional=True),
    Column("exposure_passed", Kind.YES_NO, "", "All exposure tests passed.", optional=True),
    Column("differential_agreed", Kind.YES_NO, "", "The patched function agreed with the pristine one.", optional=True),
    Column("deployed", Kind.YES_NO, "", "The change reached production."),
    Column("escaped", Kind.YES_NO, "", "The change reached production and is not correct."),
    Column("observed_success", Kind.YES_NO, "", "What production or a person showed; no truth in it.", optional=True),
    Column("stage", Kind.TEXT, "", "Last stage of the task."),
    Column("candidates", Kind.INTEGER, "candidates", "Candidates evaluated; a replay from a cache counts in full."),
    Column("test_executions", Kind.INTEGER, "tests", "Single test cases executed."),
    Column("tokens", Kind.INTEGER, "tokens", "Language-model tokens, prompt and completion together."),
    Column("evaluations", Kind.INTEGER, "candidates", "Candidates up to and including the last change.", optional=True),
    Column("developer", Kind.TEXT, "", "Agent that made the last attempt.", optional=True),
    Column("patterns", Kind.TEXTS, "", "Patterns used by the last change."),
    Column("complexity", Kind.NUMBER, "0 to 10", "The architect's estimate of how hard the task is.", optional=True),
    Column("coverage", Kind.NUMBER, "share", "Changed executable lines that visible tests execute.", optional=True),
    Column("quality", Kind.NUMBER, "0 to 10", "The reviewer's mark.", optional=True),
    Column("reworks", Kind.INTEGER, "", "Times the task was sent back to a developer."),
    Column("lines_changed", Kind.INTEGER, "lines", "Lines that the change adds and removes.", optional=True),
    Column("risk", Kind.NUMBER, "0 to 1", "Risk of the change as assessed before deployment.", optional=True),
    Column("confidence", Kind.NUMBER, "0 to 1", "Calibrated probability that the change is right.", optional=True),
    Column("decision", Kind.TEXT, "", "What the deployer decided.", optional=True),
    Column("policy", Kind.TEXT, "", "Policy that decided.", optional=True),
    Column("explored", Kind.YES_NO, "", "Sent to review by the recorded random share.", optional=True),
    Column(
        "propensity",
        Kind.NUMBER,
        "0 to 1",
        "Probability, given the assessment, of the path taken: review, or deployment of either kind.",
        optional=True,
    ),
    Column(
        "label_source",
        Kind.TEXT,
        "",
        "Check that gave `observed_success`: person (production came after a yes) or production alone.",
        optional=True,
    ),
    Column("factors", Kind.TEXT, "", "What the risk was computed from: a JSON object of numbers.", optional=True),
    Column("human_seconds", Kind.NUMBER, "virtual s", "Latency of the person's answer, 0 without one."),
    Column("human_minutes", Kind.NUMBER, "person-min", "Cost of the person's answer, 0 without one."),
    Column("opened_at", Kind.NUMBER, "virtual s", "When the task became known."),
    Column("closed_at", Kind.NUMBER, "virtual s", "When its last stage was completed."),
    Column("cell_finished_at", Kind.NUMBER, "virtual s", "When the cell was finished; the same in all its rows."),
    Column(
        "cell_busy_seconds",
        Kind.NUMBER,
        "virtual agent-s",
        "Time the cell's agents were busy; same in all its rows.",
    ),
)

RETRIEVAL_COLUMNS: tuple[Column, ...] = (
    Column("arm", Kind.TEXT, "", "Name of the arm, without the suffix of a twin."),
    Column("twin", Kind.YES_NO, "", "Whether this cell is the twin."),
    Column("replicate", Kind.INTEGER, "", "Replicate, from 0."),
    Column("package", Kind.TEXT, "", "Package of the task that was worked on."),
    Column("task_id", Kind.TEXT, "", "The task that was worked on."),
    Column("depth", Kind.INTEGER, "", "Follow-ups between this task and an original one."),
    Column("stage", Kind.TEXT, "", "Stage whose result the answer went into."),
    Column("agent", Kind.TEXT, "", "Agent that asked."),
    Column("role", Kind.TEXT, "", "Its role."),
    Column("at", Kind.NUMBER, "virtual s", "When it asked."),
    Column("question", Kind.INTEGER, "", "Number of the question within the task, from 0."),
    Column("collection", Kind.TEXT, "", "Collection that was searched; empty where links were followed."),
    Column("mode", Kind.TEXT, "", "Search mode, or impact where links were followed back from an id."),
    Column("query", Kind.TEXT, "", "Words that were looked for, or that id."),
    Column("k", Kind.INTEGER, "items", "Most that was wanted."),
    Column("rank", Kind.INTEGER, "", "Place of the item in the answer, from 1; 0 in the one row of an empty answer."),
    Column("item", Kind.TEXT, "", "Id of the item, within the memory of `memory`.", optional=True),
    Column("item_task", Kind.TEXT, "", "Task that the item was remembered of.", optional=True),
    Column("score", Kind.NUMBER, "", "Score of the hit in the unit of its mode; of links 1 / steps.", optional=True),
    Column("memory", Kind.TEXT, "", "Whose memory was asked: shared, or the agent's own by its id."),
    Column("solved", Kind.YES_NO, "", "Outcome of the task: see above."),
    Column("correct", Kind.YES_NO, "", "Outcome of the task: see above."),
    Column("candidates", Kind.INTEGER, "candidates", "Outcome of the task: see above."),
)
"""Of `retrievals.parquet`: one row an item that an agent's question to its memory brought up."""

ROLLOUT_COLUMNS: tuple[Column, ...] = (
    Column("arm", Kind.TEXT, "", "Name of the arm, without the suffix of a twin."),
    Column("twin", Kind.YES_NO, "", "Whether this cell is the twin."),
    Column("replicate", Kind.INTEGER, "", "Replicate, from 0."),
    Column("package", Kind.TEXT, "", "Package of the task."),
    Column("task_id", Kind.TEXT, "", "The task whose change was rolled out."),
    Column("depth", Kind.INTEGER, "", "Follow-ups between this task and an original one."),
    Column("rollout", Kind.TEXT, "", "How its stages were judged."),
    Column("correct", Kind.YES_NO, "", "Outcome of the task: see above."),
    Column("promoted", Kind.YES_NO, "", "The change passed all stages and reached production."),
    Column("rolled_back", Kind.YES_NO, "", "A stage rolled it back."),
    Column("asked", Kind.YES_NO, "", "A stage was inconclusive, so that a person was asked."),
    Column("exposures", Kind.INTEGER, "exposures", "Exposures of the change at all stages."),
    Column("failed", Kind.INTEGER, "exposures", "How many of them failed."),
    Column("baseline_failed", Kind.INTEGER, "exposures", "How many of the baseline's failed, of as many."),
    Column(
        "production_failing",
        Kind.NUMBER,
        "share",
        "Exposure tests that failed when the monitor looked at production; missing where it did not.",
        optional=True,
    ),
)
"""Of `rollouts.parquet`: one row a change that was rolled out."""

KEY: tuple[str, ...] = ("arm", "twin", "replicate", "task_id")
"""Columns that identify a row."""


def schema(columns: Sequence[Column] = COLUMNS) -> pa.Schema:
    """Arrow schema of `outcomes.parquet`, in order, with the dictionary's version as metadata.

    Examples
    --------
    >>> schema().field("candidates").type
    DataType(int64)
    """
    return pa.schema(
        [pa.field(column.name, _ARROW[column.kind], nullable=column.optional) for column in columns],
        metadata={_VERSION_KEY: str(VERSION)},
    )


def version_of(written: pa.Schema) -> int | None:
    """Version of the dictionary that a file was written by, or None when the lab did not write it.

    Examples
    --------
    >>> version_of(schema()) == VERSION
    True
    """
    text = (written.metadata or {}).get(_VERSION_KEY.encode(), b"").decode(errors="replace")
    return int(text) if text.isdecimal() else None


def to_markdown(columns: Sequence[Column] = COLUMNS) -> str:
    """The dictionary as the page `docs/data-dictionary.md`."""
    lines = [
        "# Data dictionary",
        "",
        f"Columns of `outcomes.parquet`, version {VERSION}: one row a task a cell. The page is generated from",
        "`autodev_lab/analysis/dictionary.py`; a test holds the two together.",
        "",
        "No wall time, run id or path is in this file: the same seed gives the same bytes. A row is identified by",
        f"{', '.join(f'`{name}`' for name in KEY)}. Columns marked *truth* are never seen by an agent.",
        "",
        "| column | type | unit | may be missing | meaning |",
        "|---|---|---|---|---|",
    ]
    lines += _rows(columns)
    lines += [
        "",
        "## `retrievals.parquet`",
        "",
        "What agents asked their memories while they worked on a task, one row an item that came back, with the task's",
        "outcome: the tasks in which an item was retrieved, and how many of them succeeded, are one `groupby` away",
        "(`autodev_lab.analysis.credit.observed_credit`). Sorted by cell, task, question and rank; the same seed gives",
        "the same bytes. Made from the cells' traces, so it can be made again.",
        "",
        "| column | type | unit | may be missing | meaning |",
        "|---|---|---|---|---|",
        *_rows(RETRIEVAL_COLUMNS),
        "",
        "## `rollouts.parquet`",
        "",
        "How changes were rolled out, one row a change, in runs whose arms differ in their rollouts. Made from the",
        "cells' traces, so it can be made again.",
        "",
        "| column | type | unit | may be missing | meaning |",
        "|---|---|---|---|---|",
        *_rows(ROLLOUT_COLUMNS),
    ]
    return "\n".join(lines) + "\n"


def _rows(columns: Sequence[Column]) -> list[str]:
    return [
        f"| `{column.name}` | {column.kind} | {column.unit} | {'yes' if column.optional else ''} | {column.meaning} |"
        for column in columns
    ]


if __name__ == "__main__":
    print(to_markdown(), end="")
