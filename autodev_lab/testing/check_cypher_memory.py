"""Contract suite for memories that answer openCypher: what is there is found, and queries only read."""

from __future__ import annotations

from collections.abc import Callable

from autodev_lab.errors import LabError
from autodev_lab.protocols import CypherMemory
from autodev_lab.records import Link, MemoryItem

__all__ = ["check_cypher_memory"]

_DECISIONS = "MATCH (d:Decision)-[:CHANGES]->(f {id: $path}) RETURN d.id AS id ORDER BY id"


def check_cypher_memory(make: Callable[[], CypherMemory]) -> None:
    """Check that a memory keeps the promises of queries; the others have suites of their own.

    Parameters
    ----------
    make
        Makes an empty memory with the collections ``codebase, tasks, patterns, decisions``.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.
    """
    _check_reading(make())
    _check_mistakes(make())


def _check_reading(memory: CypherMemory) -> None:
    assert memory.query(_DECISIONS, {"path": "a.py"}) == (), "an empty memory must answer, with no row"
    for name in ("d1", "d2"):
        memory.add(MemoryItem("decisions", f"decision {name}", {}, task_id="t1", id=name))
    memory.link([Link("d1", "CHANGES", "a.py"), Link("d2", "CHANGES", "b.py"), Link("t1", "SUSPECTS", "a.py")])
    assert memory.query(_DECISIONS, {"path": "a.py"}) == ({"id": "d1"},), "what was added must be found by its links"
    of_task = memory.query("MATCH (d:Decision)-[:OF]->(t:Task {id: 't1'}) RETURN d.id AS id ORDER BY id")
    assert of_task == ({"id": "d1"}, {"id": "d2"}), "an item must be linked to its task"
    ways = memory.query(
        "MATCH (d:Decision)-[:OF]->(:Task)-[:SUSPECTS]->(f) RETURN d.id AS id, f.id AS file ORDER BY id"
    )
    assert [(one["id"], one["file"]) for one in ways] == [("d1", "a.py"), ("d2", "a.py")], "paths must be followed"
    memory.link([Link("d2", "CHANGES", "a.py")])
    assert len(memory.query(_DECISIONS, {"path": "a.py"})) == 2, "the next query must see a new link"
    memory.delete("decisions", "d1")
    assert memory.query(_DECISIONS, {"path": "a.py"}) == ({"id": "d2"},), "what was deleted must not be found"


def _check_mistakes(memory: CypherMemory) -> None:
    memory.add(MemoryItem("decisions", "decision", {}, id="d1"))
    for cypher in (
        "MATCH (d:Decision) SET d.id = 'x'",
        "CREATE (d:Decision {id: 'x'})",
        "MATCH (d:Decision) DETACH DELETE d",
        "MATCH (d:Decision) RETURN d.id; MATCH (d) RETURN d",
        "MATCH (d:Decision RETURN d.id",
        "who decided this?",
        "MATCH (d:Decision {id: $missing}) RETURN d.id",
        "",
    ):
        try:
            memory.query(cypher)
        except LabError as error:
            assert "\n" not in str(error), f"a refusal must be one sentence, not {str(error)!r}"
        else:
            raise AssertionError(f"the query {cypher!r} must be refused")
    found = memory.query("MATCH (d:Decision) RETURN d.id AS id")
    assert found == ({"id": "d1"},), "a refused query must change nothing"
