"""The standing judge: what it may judge, how it is kept, and when it is fitted anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autodev_lab.decisions import Promise
from autodev_lab.experiments.assessing.judge import Judge, Question, features_with, fit_judge, table_digest
from autodev_lab.experiments.assessing.sealed import Sealed, Unread, read_judge, write_judge
from autodev_lab.mining import COLUMNS

DAY = 86400
NOW = 3000 * DAY


def past(n: int = 1200) -> pd.DataFrame:
    """Changes two a day whose chance of failing grows with the lines they add."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.integers(1, 50, n).astype(float) for name in COLUMNS})
    table["commit"] = [f"{number:040x}" for number in range(n)]
    table["la"] = np.round(np.expm1(rng.exponential(2.0, n)))
    table["date"] = np.arange(n) * (NOW // n)
    bug = rng.random(n) < 1 / (1 + np.exp(9.0 - 3.0 * np.log1p(table["la"])))
    table["fix_date"] = pd.Series(np.where(bug, table["date"] + 50 * DAY, np.nan)).astype("Int64")
    return table


QUESTION = Question(365.0, "logistic", Promise(0.9))
TABLE = past()
DIGEST = table_digest(TABLE)


@pytest.fixture(scope="module")
def judge() -> Judge:
    found = fit_judge(TABLE, QUESTION, now=float(NOW))
    assert found is not None and found.gate.certificate.threshold is not None
    return found


def kept(judge: Judge, path: Path, **other: str) -> Path:
    assert write_judge(path, judge, QUESTION, table=DIGEST, code="c0de", **other) == ""
    return path


def test_what_was_kept_is_the_same_judge(judge: Judge, tmp_path: Path) -> None:
    found = read_judge(kept(judge, tmp_path / "judge.json"), QUESTION, table=DIGEST, code="c0de")
    assert isinstance(found, Sealed)
    assert (found.judge.gate.certificate, found.judge.gate.worth) == (judge.gate.certificate, judge.gate.worth)
    assert (found.judge.learned_until, found.judge.youngest, found.judge.usual) == (
        judge.learned_until,
        judge.youngest,
        judge.usual,
    )
    features = features_with(TABLE, None)
    assert np.array_equal(found.judge.gate.confidence(features), judge.gate.confidence(features))


def test_it_judges_nothing_that_it_learned_from(judge: Judge) -> None:
    learned = TABLE[TABLE["date"] <= NOW - 365 * DAY]
    assert judge.learned_until == learned["date"].max()
    assert judge.youngest in set(learned["commit"])
    assert not judge.may_judge(judge.learned_until)
    assert judge.may_judge(judge.learned_until + 1)


@pytest.mark.parametrize(
    ("question", "table", "code", "why"),
    [
        (QUESTION, "grown", "c0de", "the table has changed"),
        (QUESTION, DIGEST, "other", "the lab's code has changed"),
        (Question(365.0, "logistic", Promise(0.95)), DIGEST, "c0de", "another question"),
        (Question(180.0, "logistic", Promise(0.9)), DIGEST, "c0de", "another question"),
    ],
)
def test_another_table_code_or_question_needs_another_judge(
    judge: Judge, tmp_path: Path, question: Question, table: str, code: str, why: str
) -> None:
    found = read_judge(kept(judge, tmp_path / "judge.json"), question, table=table, code=code)
    assert isinstance(found, Unread) and why in found.why
    if question != QUESTION:
        assert question.digest != QUESTION.digest


def test_a_file_that_was_changed_or_cut_is_not_used(judge: Judge, tmp_path: Path) -> None:
    path = kept(judge, tmp_path / "judge.json")
    text = path.read_text("utf-8")
    data = json.loads(text)
    data["certificate"]["threshold"] = 0.0
    resealed = dict(data)
    for damaged in (json.dumps(data), text[: len(text) // 2], "[]", "\x80", ""):
        path.write_text(damaged, encoding="latin-1")
        found = read_judge(path, QUESTION, table=DIGEST, code="c0de")
        assert isinstance(found, Unread) and found.why
    # sealed again by hand, it may say anything, and still nothing of it is run
    from autodev_lab.experiments.assessing.sealed import _seal

    resealed["model"] = {"kind": "trees", "projects": [], "typical": {}, "trees": "tree\nnot one"}
    resealed["seal"] = _seal(resealed)
    path.write_text(json.dumps(resealed), encoding="utf-8")
    assert isinstance(read_judge(path, QUESTION, table=DIGEST, code="c0de"), Unread)
    assert read_judge(tmp_path / "none.json", QUESTION, table=DIGEST, code="c0de") == Unread("")


def test_a_place_that_cannot_be_written_is_said(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot write" in write_judge(tmp_path / "file" / "judge.json", judge, QUESTION, table=DIGEST, code="c0de")


def test_what_a_table_says_is_its_digest() -> None:
    assert table_digest(TABLE.sample(frac=1.0, random_state=0)) == DIGEST
    assert table_digest(TABLE.iloc[:-1]) != DIGEST
    later = TABLE.copy()
    later.loc[later.index[0], "fix_date"] = NOW
    assert table_digest(later) != DIGEST


def test_too_little_gives_no_judge() -> None:
    assert fit_judge(past(40), QUESTION, now=float(NOW)) is None
    assert fit_judge(pd.DataFrame(columns=TABLE.columns), QUESTION, now=float(NOW)) is None
