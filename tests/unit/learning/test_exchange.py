"""A library as a file: what is written is what is read, and no other file is taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.learning import FrozenPatterns, read_patterns, write_patterns
from autodev_lab.learning.exchange import PatternFile
from autodev_lab.records import ContextTally, PatternContext, PatternRecord

words = st.text(st.characters(codec="utf-8"), max_size=8)
weights = st.floats(0, 1e6, allow_nan=False)
shares = st.floats(0, 1)


@st.composite
def records(draw):
    """Records whose weights may have faded."""
    found = {}
    for name in draw(st.lists(words, max_size=4, unique=True)):
        places = draw(st.lists(st.builds(PatternContext, words, words, words), max_size=3, unique=True))
        tallies = []
        for place in sorted(places):
            tries = draw(weights)
            tallies.append(ContextTally(place, tries * draw(shares), tries))
        tries = sum(tally.tries for tally in tallies) + draw(weights)
        found[name] = PatternRecord(name, tries * draw(shares), tries, draw(weights), draw(weights), tuple(tallies))
    return found


@given(records(), words)
def test_what_is_written_is_what_is_read(known, origin):
    text = PatternFile.of(known, origin).model_dump_json()
    again = PatternFile.model_validate_json(text)
    assert again.records() == known
    assert again.origin == origin


KNOWN = {
    "wrap-call": PatternRecord(
        "wrap-call", 2.0, 9.0, 1.0, 0.0, (ContextTally(PatternContext("Return", "TypeError", "first"), 2.0, 4.0),)
    ),
    "negate-condition": PatternRecord("negate-condition", 0.0, 3.5),
}


def test_a_file_makes_a_frozen_learner_and_equal_libraries_are_equal_bytes(tmp_path):
    one, other = tmp_path / "one.json", tmp_path / "sub" / "other.json"
    write_patterns(one, KNOWN, origin="a test")
    write_patterns(other, dict(reversed(KNOWN.items())), origin="a test")
    assert one.read_bytes() == other.read_bytes()
    assert dict(FrozenPatterns(read_patterns(one).records()).records()) == KNOWN


def _changed(**changes):
    data = PatternFile.of(KNOWN, "a test").model_dump(mode="json")
    data["patterns"][1].update(changes.pop("pattern", {}))
    return json.dumps({**data, **changes})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is no JSON; make it anew"),
        ("[1]", "is no file of patterns"),
        ('{"format": "mlflow"}', "is no file of patterns"),
        (_changed(version=2), "has version 2 and this lab reads up to 1; update the lab"),
        (_changed(version=0), "is damaged at version"),
        (_changed(more=1), "is damaged at more"),
        (_changed(pattern={"tries": -1}), "is damaged at patterns.1.tries"),
        (_changed(pattern={"tries": "many"}), "is damaged at patterns.1.tries"),
        (_changed(pattern={"successes": 10}), "more successes than tries"),
        (_changed(pattern={"tries": 3}), "more tries in its contexts than in all"),
        (_changed(pattern={"pattern": "negate-condition"}), "a pattern is named twice"),
    ],
)
def test_another_file_is_refused_in_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "patterns.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LabError) as caught:
        read_patterns(path)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(LabError, match="cannot read"):
            read_patterns(path)
