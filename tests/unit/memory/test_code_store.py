"""The graph's file: written whole or not at all, read by many, and honest about what is wrong with it."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.memory.graph_index import GraphIndex
from autodev_lab.memory.graph_store import GraphNode, GraphStore
from autodev_lab.records import Link

NAMES = st.sampled_from("abcdefgh")
LINKS = st.sets(st.tuples(NAMES, st.sampled_from(["CALLS", "USES"]), NAMES), max_size=25)


def stored(links):
    store = GraphStore()
    with store.writing():
        store.replace(
            "all", [GraphNode(name, "Function", "p", 1, 1) for name in "abcdefgh"], [Link(*one) for one in links]
        )
    return store


@settings(deadline=None)
@given(LINKS, NAMES, st.integers(0, 5), st.sampled_from([None, ["CALLS"], ["CALLS", "USES"], ["NONE"]]))
def test_impact_is_the_shortest_way_back(links, name, hops, relations):
    chosen = {(source, target) for source, relation, target in links if relations is None or relation in relations}
    expected, front = {}, {name}
    for step in range(1, hops + 1):
        front = {source for source, target in chosen if target in front} - {name} - expected.keys()
        expected |= dict.fromkeys(front, step)
    assert dict(GraphIndex(stored(links)).impact(name, hops, relations)) == expected


@given(LINKS, NAMES)
def test_links_are_found_from_both_ends_in_order(links, name):
    store = stored(links)
    assert [(one.source, one.relation, one.target) for one in store.links()] == sorted(links)
    assert {one.target for one in store.links_from(name)} == {target for source, _, target in links if source == name}
    assert {one.source for one in store.links_to(name)} == {source for source, _, target in links if target == name}


def test_an_owners_links_are_replaced_and_removed():
    store = GraphStore()
    with store.writing():
        store.replace("one", [GraphNode("a", "Module", "a.py", 1, 9)], [Link("a", "CALLS", "b")])
        store.replace("two", [], [Link("c", "CALLS", "b")])
        store.replace("one", [], [Link("a", "CALLS", "d")])
        store.remove("two")
    assert list(store.nodes()) == []
    assert list(store.links()) == [Link("a", "CALLS", "d")]


def test_an_exception_within_a_write_undoes_it():
    store = stored({("a", "CALLS", "b")})
    generation = store.generation
    with pytest.raises(ZeroDivisionError), store.writing():
        store.remove("all")
        raise ZeroDivisionError
    assert list(store.links()) == [Link("a", "CALLS", "b")]
    assert store.generation == generation


def test_a_kill_in_the_middle_of_a_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "graph.db"
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from autodev_lab.memory.graph_store import GraphStore; from autodev_lab.records import Link\n"
        "store = GraphStore(Path(sys.argv[1]))\n"
        "with store.writing(): store.replace('one', [], [Link('a', 'CALLS', str(i)) for i in range(9)])\n"
        "with store.writing():\n"
        "    store.replace('one', [], [Link('b', 'CALLS', str(i)) for i in range(50000)])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [link.source for link in GraphStore(path).links()] == ["a"] * 9


def test_readers_see_the_last_write_while_another_is_under_way(tmp_path):
    writer, reader = GraphStore(tmp_path / "graph.db"), GraphStore(tmp_path / "graph.db")
    with writer.writing():
        writer.replace("one", [], [Link("a", "CALLS", "b")])
        assert list(reader.links()) == []
    assert list(reader.links()) == [Link("a", "CALLS", "b")]


def test_a_second_writer_is_told(tmp_path):
    one, two = GraphStore(tmp_path / "graph.db"), GraphStore(tmp_path / "graph.db")
    two.connection.execute("PRAGMA busy_timeout = 1")
    with one.writing(), pytest.raises(LabError, match="written by another process"), two.writing():
        pass


@pytest.mark.parametrize("content", [b"not a database, but long enough to look like one" * 100])
def test_a_file_that_is_no_graph_is_said(tmp_path, content):
    path = tmp_path / "graph.db"
    path.write_bytes(content)
    with pytest.raises(LabError, match="build the graph anew"):
        GraphStore(path)


def test_another_version_is_said(tmp_path):
    path = tmp_path / "graph.db"
    GraphStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE graph_facts SET value = '0' WHERE name = 'version'")
    with pytest.raises(LabError, match="another version"):
        GraphStore(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_leave_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(LabError, match="cannot be used"):
        GraphStore(tmp_path / "graph.db")
