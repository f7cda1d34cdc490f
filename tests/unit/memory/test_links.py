"""Links in this process: they agree with a plain set of links, whatever is added and forgotten."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.memory.links import Links
from autodev_lab.records import Link

ends = st.sampled_from("abcdef")
links = st.lists(st.builds(Link, ends, st.sampled_from(["CALLS", "TESTS"]), ends), max_size=15)


def distances(model, start, hops):
    """Breadth first over a plain set."""
    found, waiting = {start: 0}, deque([start])
    while waiting:
        at = waiting.popleft()
        for link in model:
            if link.target == at and link.source not in found and found[at] < hops:
                found[link.source] = found[at] + 1
                waiting.append(link.source)
    del found[start]
    return found


@given(links, st.lists(ends, max_size=3), links, st.integers(0, 4))
def test_links_are_a_set(first, forgotten, second, hops):
    ours, model = Links(), set(first)
    ours.add(first)
    for end in forgotten:
        ours.forget(end)
        model = {link for link in model if end not in (link.source, link.target)}
    ours.add(second)
    model.update(second)
    assert len(ours) == len(model)
    for end in "abcdef":
        assert set(ours.neighbours(end)) == {link for link in model if link.source == end}
        assert set(ours.neighbours(end, incoming=True)) == {link for link in model if link.target == end}
        assert dict(ours.impact(end, hops)) == distances(model, end, hops)


def test_relevance_spreads_to_the_near_more_than_to_the_far_and_in_both_directions():
    chain = Links()
    chain.add([Link("a", "CALLS", "b"), Link("c", "CALLS", "b"), Link("c", "CALLS", "d")])
    reached = chain.spread({"a": 1.0, "d": 0.1})
    assert "a" not in reached, "nothing arrives where it starts"
    assert reached["b"] > reached["c"] > 0.0
    assert "d" not in reached, "three steps away, and too irrelevant to start"
    assert max(reached.values()) == 1.0


def test_what_everything_is_linked_to_passes_nothing_on():
    hub = Links()
    hub.add(Link(f"f{number}", "IN", "package") for number in range(500))
    assert "f1" not in hub.spread({"f0": 1.0})
    assert Links().spread({"a": 1.0}) == {}
