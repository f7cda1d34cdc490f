"""Queries that go through a memory's items and links and a graph of code alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from autodev_lab.errors import LabError
from autodev_lab.memory import EmbeddedMemory, HashedEmbedder
from autodev_lab.memory.code_graph import CodeGraph
from autodev_lab.records import Link, MemoryItem
from autodev_lab.testing import check_cypher_memory

pytest.importorskip("ladybug")

DECISIONS_NEAR = """
    MATCH (changed:Module {id: $module})<-[:DEPENDS_ON*1..2]-(:Module)-[:LIES_IN]->(file:File)<-[:CHANGES]-(d:Decision)
    RETURN DISTINCT d.id AS decision, file.id AS file ORDER BY decision
"""


def test_the_embedded_memory_keeps_the_contract(tmp_path: Path) -> None:
    made: list[EmbeddedMemory] = []

    def make() -> EmbeddedMemory:
        made.append(EmbeddedMemory(tmp_path / str(len(made)), embedder=HashedEmbedder()))
        return made[-1]

    check_cypher_memory(make)
    for memory in made:
        memory.close()


def test_decisions_on_files_that_depend_on_a_module_are_one_query(tmp_path: Path) -> None:
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "base.py").write_text("def one(): return 1\n")
    (package / "user.py").write_text("from pkg.base import one\n\ndef two(): return one() + 1\n")
    (package / "other.py").write_text("def three(): return 3\n")
    code = CodeGraph()
    code.update([package])
    paths = {node.id: node.path for node in code.nodes()}
    with EmbeddedMemory(tmp_path / "memory", embedder=HashedEmbedder(), code=code.store) as memory:
        for name, module in (("d1", "pkg.user"), ("d2", "pkg.other")):
            memory.add(MemoryItem("decisions", "decided", {}, task_id="t1", id=name))
            memory.link([Link(name, "CHANGES", paths[module])])
        near = memory.query(DECISIONS_NEAR, {"module": "pkg.base"})
        assert near == ({"decision": "d1", "file": paths["pkg.user"]},)
        (package / "other.py").write_text("from pkg.base import one\n")
        code.update([package])
        assert [one["decision"] for one in memory.query(DECISIONS_NEAR, {"module": "pkg.base"})] == ["d1", "d2"]
        item = memory.add(MemoryItem("codebase", "returns one", {}, id="pkg.base.one"))
        named = memory.query("MATCH (f:Function {id: $id}) RETURN f.path AS path", {"id": item.id})
        assert named == ({"path": paths["pkg.base"]},), "what is code and an item is one node, of code"


def test_a_reader_sees_what_the_writer_adds(tmp_path: Path) -> None:
    with EmbeddedMemory(tmp_path, embedder=HashedEmbedder()) as writer:
        reader = EmbeddedMemory(tmp_path, embedder=HashedEmbedder(), read_only=True)
        assert reader.query("MATCH (p:Pattern) RETURN p.id AS id") == ()
        writer.add(MemoryItem("patterns", "tried", {}, id="p1"))
        assert reader.query("MATCH (p:Pattern) RETURN p.id AS id") == ({"id": "p1"},)
        with pytest.raises(LabError, match="queries only read"):
            reader.query("MATCH (p:Pattern) DELETE p")
        reader.close()
