"""Quality of searches: ranks are counted from 1, comparisons are paired, packages are the clusters."""

import pytest

from autodev_lab.experiments.studies.code_corpus import CodeFunction
from autodev_lab.experiments.studies.lookups import DEPTH, Found, fill, gain, look_up, quality_of, ratio
from autodev_lab.memory import InMemoryMemory
from autodev_lab.records import SearchMode

FUNCTIONS = [
    CodeFunction("dates.parse", "dates", "Parse a date from text.", "def parse(text):\n    return text.date", ()),
    CodeFunction(
        "tables.render", "tables", "Render a table as text.", "def render(table):\n    return table", ("parse",)
    ),
    CodeFunction("tables.width", "tables", "Quorum of hippopotamuses.", "def width(x):\n    return x", ()),
]


def test_each_function_is_looked_for_by_its_sentence():
    memory = InMemoryMemory()
    assert fill(memory, FUNCTIONS) > 0.0
    found = look_up(memory, FUNCTIONS, SearchMode.KEYWORD)
    assert [(one.name, one.package, one.rank) for one in found] == [
        ("dates.parse", "dates", 1),
        ("tables.render", "tables", 1),
        ("tables.width", "tables", 0),
    ]
    quality = quality_of(found)
    assert (quality.n, quality.mrr10, quality.recall10) == (3, pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert 0.0 < quality.p50_ms <= quality.p95_ms
    assert memory.neighbours("tables") != ()


def test_a_rank_is_the_place_among_the_hits_and_ends_at_the_depth():
    memory = InMemoryMemory()
    same = [CodeFunction(f"p.f{number}", "p", "Common words here.", "common words here", ()) for number in range(12)]
    fill(memory, same)
    ranks = [one.rank for one in look_up(memory, same, SearchMode.KEYWORD)]
    assert ranks == [*range(1, DEPTH + 1), 0, 0]


def searches(ranks):
    return [Found(f"f{place}", f"package {place % 8}", rank, 0.1, 0.1) for place, rank in enumerate(ranks)]


def test_comparisons_are_paired_and_over_packages():
    better, worse = searches([1] * 80), searches([2] * 80)
    assert ratio(better, worse).estimate == pytest.approx(1.0)
    effect = gain(better, worse)
    assert effect.estimate == pytest.approx(0.5) and effect.clusters == 8
    assert effect.low < 0.5 < effect.high
    with pytest.raises(ValueError, match="not paired"):
        gain(better, worse[::-1])
