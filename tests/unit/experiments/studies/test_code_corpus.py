"""Functions as queries and documents: the docstring is never in the document, and a hard one has no name."""

import sys
import textwrap

import pytest

from autodev_lab.errors import LabError
from autodev_lab.experiments.studies.code_corpus import CodeFunction, as_item, functions_of, links_of
from autodev_lab.memory.words import name_of, searchable

SOURCE = '''
"""A module."""
import os


def parse_date(text):
    """Parse a date from text.  Fails on nothing.

    A longer story.
    """
    # a comment stays
    if not text:
        return parse_date("now")
    return clean(text)


def clean(text):
    r"""Take away spaces and \\d."""
    text = text.strip()
    return text.lower()


def short(text):
    """This has only one line."""
    return text


def undocumented(text):
    text = text.strip()
    return text


def test_something(text):
    """Test that this is left out."""
    text = text.strip()
    return text


class Calendar:
    """A calendar."""

    def __init__(self, days):
        """Make a new calendar."""
        self.days = days
        self.names = []

    @property
    def size(self):
        """Count the days of all months."""
        self.clean = clean
        return len(self.days)

    def twin_one(self):
        """Say the same as another."""
        days = self.days
        return days[0]

    def twin_two(self):
        """Say the same as another."""
        days = self.days
        return days[1]

    if os.name:

        async def fetch(self):
            """Fetch days from the network."""
            days = await self.get()
            return days
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "some_dates"
    (folder / "tests").mkdir(parents=True)
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "core.py").write_text(SOURCE, encoding="utf-8")
    (folder / "copy.py").write_text(textwrap.dedent(SOURCE), encoding="utf-8")
    (folder / "broken.py").write_text("def f(:\n", encoding="utf-8")
    (folder / "tests" / "helpers.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "some_dates"
    sys.modules.pop("some_dates", None)


def test_what_is_taken_and_what_is_left_out(package):
    found = {function.name: function for function in functions_of([package])}
    assert sorted(found) == [
        "some_dates.copy.Calendar.fetch",
        "some_dates.copy.Calendar.size",
        "some_dates.copy.clean",
        "some_dates.copy.parse_date",
    ], "of equal modules the first, without tests, the short, the undocumented and the indistinguishable"
    parse = found["some_dates.copy.parse_date"]
    assert parse.sentence == "Parse a date from text."
    assert parse.code.splitlines()[:2] == ["def parse_date(text):", "    # a comment stays"]
    assert "longer story" not in parse.code
    assert functions_of([package]) == functions_of([package])


def test_a_hard_item_tells_its_name_nowhere(package):
    for function in functions_of([package]):
        own = function.name.rpartition(".")[2]
        assert own in searchable(as_item(function))
        hard = as_item(function, hard=True)
        assert own not in searchable(hard) and hard.id == function.name
        assert name_of(hard) == function.name.rpartition(".")[0]


def test_links_lead_where_only_one_function_can_be_meant(package):
    links = {(link.source, link.relation, link.target) for link in links_of(functions_of([package]))}
    assert ("some_dates.copy.parse_date", "CALLS", "some_dates.copy.clean") in links
    assert ("some_dates.copy.Calendar", "DEFINES", "some_dates.copy.Calendar.size") in links
    twice = [CodeFunction(f"p.{place}.f", "p", "", "", ()) for place in "ab"] + [
        CodeFunction("p.g", "p", "", "", ("f",))
    ]
    assert not [link for link in links_of(twice) if link.relation == "CALLS"]


def test_an_unknown_package_is_told_in_one_sentence():
    with pytest.raises(LabError, match="there is no package 'no_such_package_here'"):
        functions_of(["no_such_package_here"])
    with pytest.raises(LabError, match="there is no package 'no such'"):
        functions_of(["no such"])
