"""Questions of several hops: the answers are what a slow search says, and every backend gives them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.experiments.studies.answering import R2R_URL, Backend, answering
from autodev_lab.experiments.studies.questions import HOPS, Question, make_questions
from autodev_lab.memory import InMemoryMemory
from autodev_lab.memory.code_graph import CodeGraph
from autodev_lab.records import Link

NAMES = st.sampled_from([f"n{number}" for number in range(9)])
LINKS = st.lists(st.builds(Link, NAMES, st.sampled_from(["CALLS", "USES"]), NAMES), min_size=12, max_size=40)


def slow(links: list[Link], question: Question) -> set[str]:
    """Whatever some walk back of the right length ends at; of a neighbourhood all but the start."""
    relations = question.relations if question.is_path else question.relations * question.hops
    front, seen = {question.start}, set[str]()
    for relation in relations:
        front = {link.source for link in links if link.relation == relation and link.target in front}
        seen |= front
    return front if question.is_path else seen - {question.start}


@settings(deadline=None, max_examples=40)
@given(LINKS, st.integers(0, 5))
def test_answers_are_those_of_a_slow_search(links: list[Link], seed: int) -> None:
    try:
        questions = make_questions(links, 4, seed)
    except LabError as error:
        assert "has no question of" in str(error)
        return
    assert {one.hops for one in questions} == set(HOPS)
    assert len({one.name for one in questions}) == len(questions)
    for question in questions:
        assert question.answer == slow(links, question)
    assert questions == make_questions(list(reversed(links)), 4, seed), "the order of links makes no difference"


def test_r2r_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(R2R_URL, raising=False)
    with pytest.raises(LabError, match=R2R_URL), answering(Backend.R2R, CodeGraph()):
        raise AssertionError("nobody answers")


def test_a_backend_that_misses_something_is_seen() -> None:
    memory = InMemoryMemory()
    memory.link([Link("b", "CALLS", "a")])
    assert set(memory.impact("a", 2, relations=("CALLS",))) != {"b", "c"}
