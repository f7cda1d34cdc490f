"""openCypher over the code graph: the specification's query as it stands, reading only, one sentence for mistakes."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.memory import cypher as engine
from autodev_lab.memory.code_graph import CodeGraph
from autodev_lab.memory.cypher import CypherIndex, check_reads_only
from autodev_lab.memory.graph_store import GraphNode, GraphStore
from autodev_lab.records import Link

SPECIFIED = "MATCH (changed:Module {id: $module_id})-[:DEPENDS_ON*1..3]->(affected:Module) RETURN affected"
REVERSE = (
    "MATCH (affected:Module)-[:DEPENDS_ON*1..3]->(changed:Module {id: $module_id}) RETURN DISTINCT affected.id AS id"
)


@pytest.fixture
def graph(tmp_path):
    pytest.importorskip("ladybug", reason="openCypher needs the extra memory")
    code = tmp_path / "code"
    code.mkdir()
    for name, text in {
        "a": "import b, c\n", "b": "import d\n", "c": "import d\n", "d": "import e\n", "e": "import f\n", "f": "",
    }.items():  # fmt: skip
        (code / f"{name}.py").write_text(text)
    graph = CodeGraph(GraphStore(tmp_path / "graph.db"))
    graph.update([code])
    return graph


def test_the_specified_query_runs_as_it_stands(graph):
    rows = graph.query(SPECIFIED, {"module_id": "a"})
    assert sorted(row["affected"]["id"] for row in rows) == ["b", "c", "d", "d", "e", "e"]  # one row for each path
    assert {"affected": {"label": "Module", "id": "b", "path": "b.py", "first": 1, "last": 1}} in rows


def test_its_reverse_agrees_with_the_fast_path(graph):
    for name in "abcdef":
        found = {row["id"] for row in graph.query(REVERSE, {"module_id": name})}
        assert found == set(graph.impact(name, 3, relations=["DEPENDS_ON"]))
    assert found == {"b", "c", "d", "e"}


def test_paths_and_relations_come_without_the_engines_numbers(graph):
    (row,) = graph.query("MATCH p = (:Module {id: 'e'})-[r:DEPENDS_ON]->(:Module) RETURN p, r")
    assert row["r"] == {"label": "DEPENDS_ON"}
    assert [node["id"] for node in row["p"]["nodes"]] == ["e", "f"]


def test_labels_that_no_node_has_give_no_rows(graph):
    assert graph.query("MATCH (t:Test)-[:TESTS]->(f) RETURN f") == ()


@pytest.mark.parametrize(
    "cypher",
    [
        "CREATE (:Module {id: 'x'})",
        "MATCH (m:Module) SET m.path = ''",
        "MATCH (m:Module) DETACH DELETE m",
        "MATCH (m) DELETE m",
        "MERGE (:Module {id: 'x'})",
        "DROP TABLE Module",
        "MATCH (m:Module) create (:Module {id: 'x'})",
        "COPY (MATCH (m:Module) RETURN m.id) TO '{out}'",
        "/* MATCH */ COPY Module FROM '{out}'",
        "LOAD FROM '{out}' RETURN *",
        "MATCH (m:Module) WITH m LOAD FROM '{out}' RETURN *",
        "CALL show_tables() RETURN *",
        "INSTALL vector",
        "ATTACH '{out}' AS other (DBTYPE sqlite)",
        "EXPORT DATABASE '{out}'",
        "MATCH (m) RETURN m; MATCH (n) RETURN n",
        "MATCH (m) RETURN m; CREATE (:Module {id: 'x'})",
        "",
        "// nothing",
    ],
)
def test_anything_but_one_reading_query_is_refused_in_one_sentence(graph, tmp_path, cypher):
    before = list(graph.nodes())
    out = tmp_path / "out.csv"
    with pytest.raises(LabError) as caught:
        graph.query(cypher.replace("{out}", str(out)))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(("the query has", "a query starts with"))
    assert not out.exists()
    assert list(graph.nodes()) == before


@pytest.mark.parametrize(
    "cypher", ["MATCH (a RETURN a", "MATCH (a:Nowhere) RETURN a", "MATCH (a:Module) RETURN b", "RETURN 1 +", "MATCH 'x"]
)
def test_a_malformed_query_is_one_sentence(graph, cypher):
    with pytest.raises(LabError) as caught:
        graph.query(cypher)
    assert "\n" not in str(caught.value)
    assert "cannot be answered" in str(caught.value)


def test_a_parameter_that_is_not_given_is_said(graph):
    with pytest.raises(LabError, match=r"\$module_id"):
        graph.query(SPECIFIED, {"module": "a"})


def test_a_parameter_is_never_read_as_cypher(graph):
    assert graph.query(REVERSE, {"module_id": "a'}) RETURN 1 //"}) == ()


@pytest.mark.parametrize(
    ("cypher", "rows"),
    [
        ("MATCH (m:Module) WHERE m.path = 'CREATE' RETURN m.path AS created", 0),
        ("MATCH (m:Module) RETURN m.id // SET m.id", 6),
        ("OPTIONAL MATCH (m:Module {id: $a}) RETURN m.first;", 1),
        ("UNWIND [1, 2] AS x WITH x RETURN x /* DELETE */", 2),
        ("MATCH (`set`:Module) RETURN `set`.id", 6),
    ],
)
def test_reading_queries_pass(graph, cypher, rows):
    assert len(graph.query(cypher, {"a": "a"})) == rows


@given(st.text(alphabet="MATCHset() '\"`/*\n$;.:{}=x1", max_size=40))
def test_no_text_breaks_the_check(text):
    try:
        check_reads_only(text)
    except LabError as error:
        assert "\n" not in str(error)


def test_more_different_queries_are_answered_than_a_connection_has_memory_for(graph, tmp_path, monkeypatch):
    """The engine keeps a plan for every text, and these run out of memory without a new connection."""
    monkeypatch.setattr(engine, "_BUFFER_BYTES", 32 * 2**20)
    calls = "def one():\n    return 1\n\n\ndef two():\n    return one()\n\n\ndef three():\n    return two()\n"
    (tmp_path / "code" / "calls.py").write_text(calls)
    graph.update([tmp_path / "code"])
    for number in range(60):
        path = f"(:Function {{id: $id}})<-[:CALLS]-()<-[:CALLS]-(x{number})"
        (row,) = graph.query(f"MATCH {path} RETURN DISTINCT x{number}.id AS id", {"id": "calls.one"})
        assert row["id"] == "calls.three"


def test_the_index_follows_the_store_and_leaves_one_file(graph, tmp_path):
    assert graph.query(REVERSE, {"module_id": "a"}) == ()
    (tmp_path / "code" / "z.py").write_text("import a\n")
    graph.update([tmp_path / "code"])
    assert graph.query(REVERSE, {"module_id": "a"}) == ({"id": "z"},)
    assert len(list((tmp_path / "graph.db.cypher").iterdir())) == 1


def test_many_processes_may_ask(graph, tmp_path):
    graph.query(SPECIFIED, {"module_id": "a"})
    script = (
        "import sys; from pathlib import Path; from autodev_lab.memory.code_graph import CodeGraph\n"
        "from autodev_lab.memory.graph_store import GraphStore\n"
        "print(len(CodeGraph(GraphStore(Path(sys.argv[1]))).query(sys.argv[2], {'module_id': 'a'})))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "graph.db"), SPECIFIED]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "6\n"
    assert len(graph.query(SPECIFIED, {"module_id": "a"})) == 6


def test_a_query_that_takes_too_long_is_stopped():
    pytest.importorskip("ladybug", reason="openCypher needs the extra memory")
    index = CypherIndex(GraphStore(), timeout=0.05)
    with pytest.raises(LabError, match=r"longer than 0\.05 s"):
        index.query(
            "UNWIND range(1, 3000) AS a UNWIND range(1, 3000) AS b UNWIND range(1, 99) AS c RETURN sum(a * b * c)"
        )
    assert index.query("RETURN 1 AS one") == ({"one": 1},)


def test_an_index_that_was_broken_is_said(graph, tmp_path):
    graph.query("RETURN 1")
    (file,) = (tmp_path / "graph.db.cypher").iterdir()
    file.write_bytes(b"broken" * 1000)
    again = CodeGraph(GraphStore(tmp_path / "graph.db"))
    with pytest.raises(LabError, match="delete it, it is made again"):
        again.query("RETURN 1")
    file.unlink()
    assert again.query(REVERSE, {"module_id": "f"}) != ()


def test_without_ladybug_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ladybug", None)
    with pytest.raises(LabError, match=r"pip install 'autodev-lab\[memory\]'"):
        CypherIndex(GraphStore())


def test_awkward_ids_are_kept_as_they_are():
    pytest.importorskip("ladybug", reason="openCypher needs the extra memory")
    ids = ["a,b", 'say "x"', "line\nbreak", "back\\slash", "'quote'", "ümlaut", "tests/a.py::T::t[1-{}]", " space "]
    store = GraphStore()
    with store.writing():
        store.replace("o", [GraphNode(name, "Function", "p", 1, 2) for name in ids], [Link(ids[0], "CALLS", "outside")])
    index = CypherIndex(store)
    assert sorted(row["n.id"] for row in index.query("MATCH (n:Function) RETURN n.id")) == sorted(ids)
    assert index.query("MATCH (:Function)-[:CALLS]->(t:Thing) RETURN t.id AS id") == ({"id": "outside"},)
    index.close()
