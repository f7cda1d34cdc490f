"""The code graph: all forms of import, calls, inheritance and tests; bringing it up to date equals a fresh build."""

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.memory.code_graph import CodeGraph
from autodev_lab.memory.code_links import ReferenceCounts
from autodev_lab.memory.graph_store import GraphStore


def write(root, files):
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            file.write_bytes(text)
        else:
            file.write_text(text, encoding="utf-8")
    return root


def graph_of(root, files):
    graph = CodeGraph()
    graph.update([write(root, files)])
    return graph


def pairs(graph, relation):
    return {(link.source, link.target) for link in graph.links() if link.relation == relation}


# ------------------------------------------------------------------------------------------------ imports


@pytest.mark.parametrize(
    ("importing", "imported"),
    [
        ("import pkg.b", {"pkg.b"}),
        ("import pkg", {"pkg"}),
        ("from pkg import b", {"pkg.b"}),
        ("from pkg import b, name", {"pkg.b", "pkg"}),
        ("from . import b", {"pkg.b"}),
        ("from .b import g", {"pkg.b"}),
        ("from .sub import deep", {"pkg.sub.deep"}),
        ("from .b import *", {"pkg.b"}),
        ("from .. import pkg", set()),  # leads out of the top
        ("try:\n    from .b import g\nexcept ImportError:\n    from .c import g", {"pkg.b", "pkg.c"}),
        ("def f():\n    from .b import g\n    return g()", {"pkg.b"}),
        ("if TYPE_CHECKING:\n    from .b import g", set()),
        ("import importlib\nm = importlib.import_module('pkg.b')", {"pkg.b"}),
        ("import space.tool", {"space.tool"}),  # a namespace package
        ("from space import tool", {"space.tool"}),
        ("import json", set()),
    ],
)
def test_depends_on(tmp_path, importing, imported):
    graph = graph_of(
        tmp_path,
        {
            "pkg/__init__.py": "name = 1\n",
            "pkg/a.py": importing,
            "pkg/b.py": "def g(): pass\n",
            "pkg/c.py": "def g(): pass\n",
            "pkg/sub/__init__.py": "",
            "pkg/sub/deep.py": "",
            "space/tool.py": "",
        },
    )
    assert {target for source, target in pairs(graph, "DEPENDS_ON") if source == "pkg.a"} == imported


@pytest.mark.parametrize(
    "calling",
    [
        "from pkg.b import g\ndef f(): g()",
        "from pkg import g\ndef f(): g()",  # re-exported by name
        "from pkg import *\ndef f(): g()",
        "from pkg import star\ndef f(): star()",  # re-exported by a star
        "import pkg\ndef f(): pkg.g()",
        "import pkg.b\ndef f(): pkg.b.g()",
        "import pkg.b as b\ndef f(): b.g()",
        "from pkg import b as other\ndef f(): other.g()",
        "from pkg import renamed\ndef f(): renamed()",
        "import pkg\nh = pkg.g\ndef f(): h()",
        "from pkg.b import T\ndef f():\n    t = T()\n    t.go()",
        "from pkg.b import T\ndef f(): T().go()",
        "from pkg.b import T\ndef f(t: T): t.go()",
        "from pkg.b import T\ndef f(t: 'T | None' = None): t.go()",
        "from pkg.b import make\ndef f(): make().go()",
        "from pkg.b import T\nclass U(T):\n    pass\ndef f(): U().go()",
        "from pkg.b import T\nclass Kept:\n    def __init__(self): self.t = T()\ndef f(): Kept().t.go()",
        "from pkg.b import opened\ndef f():\n    with opened() as t:\n        t.go()",
        "import importlib\ndef f(): importlib.import_module('pkg.b').g()",
        "from pkg.b import again\ndef f(): again()",
        "from pkg.b import T\ndef f():\n    t = T()\n    return t.value",  # a property
        "from pkg.b import T\ndef f(): return len(T())",
    ],
)
def test_a_call_reaches_the_function_that_is_defined(tmp_path, calling):
    graph = graph_of(
        tmp_path,
        {
            "pkg/__init__.py": "from .b import g, g as renamed\nfrom .c import *\n",
            "pkg/b.py": (
                "def g(): pass\n"
                "class T:\n    def go(self): g()\n    @property\n    def value(self): g()\n"
                "    def __len__(self): g()\n    def __enter__(self): return self\n    def __exit__(self, *a): pass\n"
                "def make() -> T: ...\ndef opened(): return T()\nagain = g\n"
            ),
            "pkg/c.py": "from .b import g as star\n",
            "user.py": calling,
        },
    )
    reached = graph.impact("pkg.b.g", 3, relations=["CALLS"])
    assert "user.f" in reached


def test_self_super_and_class_methods(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "m.py": (
                "class A:\n    def run(self): pass\n    def step(self): pass\n"
                "class B(A):\n"
                "    def run(self):\n        super().run()\n        self.step()\n        self.__class__.make()\n"
                "    @classmethod\n    def make(cls):\n        cls.look()\n        return cls()\n"
                "    @staticmethod\n    def look(): pass\n"
                "    def __init__(self): pass\n"
            )
        },
    )
    assert pairs(graph, "CALLS") == {
        ("m.B.run", "m.A.run"),
        ("m.B.run", "m.A.step"),
        ("m.B.run", "m.B.make"),
        ("m.B.make", "m.B.look"),
        ("m.B.make", "m.B"),
        ("m.B.make", "m.B.__init__"),
    }
    assert pairs(graph, "INHERITS") == {("m.B", "m.A")}
    assert pairs(graph, "OVERRIDDEN_BY") == {("m.A.run", "m.B.run")}
    assert graph.impact("m.B.run", 1) == {"m.A.run": 1}


def test_dataclasses_inherit_across_modules(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "base.py": (
                "from dataclasses import dataclass\n@dataclass\nclass Base:\n    def __post_init__(self): pass\n"
            ),
            "other.py": (
                "import base\nfrom dataclasses import dataclass\n"
                "@dataclass\nclass Wide(base.Base):\n    part: base.Base\n"
                "    def use(self): return self.part.missing\n"
                "def f(): return Wide(1)\n"
            ),
        },
    )
    assert ("other.Wide", "base.Base") in pairs(graph, "INHERITS")
    assert ("other.f", "base.Base.__post_init__") in pairs(graph, "CALLS")
    assert ("other.Wide", "base.Base") in pairs(graph, "USES")  # the type of a field
    assert graph.summary().references.missing == 1


def test_a_decorator_is_used_and_what_it_puts_in_place_is_called(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "m.py": (
                "def deco(function):\n    def wrapper(): return function()\n    return wrapper\n"
                "@deco\ndef f(): pass\ndef g(): f()\n"
            )
        },
    )
    assert ("m.f", "m.deco") in pairs(graph, "USES")
    assert {("m", "m.deco"), ("m.g", "m.f"), ("m.g", "m.deco.wrapper")} <= pairs(graph, "CALLS")


def test_a_decorator_that_takes_arguments_is_not_called_by_those_who_call(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "m.py": (
                "from functools import partial\ndef deco(function=None, level=1):\n"
                "    if function is None:\n        return partial(deco, level=level)\n"
                "    def wrapper(): return function()\n    return wrapper\n"
                "@deco(level=2)\ndef f(): pass\ndef g(): f()\n"
            )
        },
    )
    assert {target for source, target in pairs(graph, "CALLS") if source == "m.g"} == {"m.f", "m.deco.wrapper"}


def test_a_module_variable_is_used_and_a_function_handed_on(tmp_path):
    graph = graph_of(
        tmp_path, {"a.py": "LIMIT = 3\ndef f(): pass\n", "b.py": "import a\ndef g(): return map(a.f, a.LIMIT)\n"}
    )
    assert pairs(graph, "USES") == {("b.g", "a"), ("b.g", "a.f")}


def test_a_package_may_define_what_a_submodule_is_called(tmp_path):
    graph = graph_of(tmp_path, {"p/__init__.py": "def f(): pass\n", "p/f.py": "", "u.py": "import p\ndef g(): p.f()\n"})
    assert graph.node("p.f").kind == "Module"
    assert graph.node("p.__init__.f").kind == "Function"
    assert ("u.g", "p.__init__.f") in pairs(graph, "CALLS")


def test_import_cycles_end(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "a.py": "from b import *\nfrom b import x as y\ndef f(): y(); z()\n",
            "b.py": "from a import *\nfrom a import y as x\nx = x.go()\nclass C(C): pass\n",
        },
    )
    assert pairs(graph, "DEPENDS_ON") == {("a", "b"), ("b", "a")}


# ---------------------------------------------------------------------------------- what cannot be understood


def test_unresolved_references_are_counted_and_not_invented(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "a.py": "def f(): pass\n",
            "b.py": (
                "import a, json\n"
                "def g(thing, name):\n"
                "    a.f()\n"  # resolved, as is the import, and the use of a below
                "    json.dumps(1)\n    len(name)\n"  # external, as is the import
                "    a.nowhere()\n"  # missing
                "    thing.run()\n    getattr(a, name)()\n"  # unknown (and getattr itself is external)
            ),
        },
    )
    assert pairs(graph, "CALLS") == {("b.g", "a.f")}
    assert graph.summary().references == ReferenceCounts(resolved=3, external=4, missing=1, unknown=2)


def test_broken_files_are_counted_and_the_rest_is_linked(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "bad.py": "def f(:\n",
            "raw.py": b"x = '\xff'\n",
            "old.py": "# coding: latin-1\ndef \xe9t\xe9(): pass\n".encode("latin-1"),
            "good.py": "import bad, raw, old\ndef g():\n    bad.f()\n    old.\xe9t\xe9()\n",
        },
    )
    summary = graph.summary()
    assert set(summary.problems) == {"bad.py", "raw.py"}
    assert summary.files == summary.nodes["Module"] == 4
    assert pairs(graph, "CALLS") == {("good.g", "old.\xe9t\xe9")}
    assert {("good", "bad"), ("good", "raw")} <= pairs(graph, "DEPENDS_ON")


# -------------------------------------------------------------------------------------------------- tests


def test_tests_reach_through_fixtures_helpers_and_setup(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "pkg/__init__.py": "",
            "pkg/core.py": (
                "class Tool:\n    def run(self): pass\n"
                "def a(): pass\ndef b(): pass\ndef c(): pass\ndef d(): pass\ndef unused(): pass\n"
            ),
            "tests/conftest.py": (
                "import pytest\nfrom pkg import core\n"
                "@pytest.fixture\ndef tool():\n    yield core.Tool()\n"
                "@pytest.fixture(autouse=True)\ndef always(): core.d()\n"
            ),
            "tests/helpers.py": "from pkg.core import b\ndef helper(): b()\n",
            "tests/test_core.py": (
                "import pytest\nfrom pkg import core\nfrom helpers import helper\n"
                "CASES = [core.c]\n"
                "def test_fixture(tool): tool.run()\n"
                "def test_helper(): helper()\n"
                "@pytest.mark.parametrize('case', CASES)\ndef test_cases(case): case()\n"
                "class TestGroup:\n    def setup_method(self): core.a()\n    def test_nothing(self): pass\n"
            ),
        },
    )
    tests = pairs(graph, "TESTS")

    def tested(name):
        return {target for source, target in tests if source == f"tests/test_core.py::{name}"}

    assert tested("test_fixture") == {"pkg.core.Tool", "pkg.core.Tool.run", "pkg.core.d"}
    assert tested("test_helper") == {"pkg.core.b", "pkg.core.d"}
    assert tested("test_cases") == {"pkg.core.c", "pkg.core.d"}
    assert tested("TestGroup::test_nothing") == {"pkg.core.a", "pkg.core.d"}
    assert graph.impact("pkg.core.unused", 5) == {}


def test_a_fixture_hides_the_one_it_asks_for(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "conftest.py": "import pytest\n@pytest.fixture\ndef tool(): return 1\n",
            "test_a.py": "import pytest\n@pytest.fixture\ndef tool(tool): return tool\ndef test_it(tool): pass\n",
        },
    )
    assert pairs(graph, "CALLS") == {("test_a.py::test_it", "test_a.tool"), ("test_a.tool", "conftest.tool")}


def test_inherited_tests_have_pytests_ids(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "lib.py": "def f(): pass\n",
            "test_a.py": (
                "import lib, unittest\nclass Mixin:\n    def test_it(self): lib.f()\n"
                "class TestOne(Mixin):\n    pass\n"
                "class Two(Mixin, unittest.TestCase):\n    def test_own(self): pass\n"
                "class Plain(Mixin):\n    pass\n"
            ),
        },
    )
    assert {node.id for node in graph.nodes() if node.kind == "Test"} == {
        "test_a.py::TestOne::test_it",
        "test_a.py::Two::test_it",
        "test_a.py::Two::test_own",
    }
    assert ("test_a.py::Two::test_it", "lib.f") in pairs(graph, "TESTS")


# ------------------------------------------------------------------------------------------------- asking


def test_a_line_belongs_to_the_innermost_definition(tmp_path):
    graph = graph_of(tmp_path, {"m.py": "import os\n\nclass A:\n    x = 1\n    def f(self):\n        return 1\n"})
    assert [graph.node_at("m.py", line).id for line in (1, 4, 5, 6)] == ["m", "m.A", "m.A.f", "m.A.f"]
    assert graph.node_at("other.py", 1) is None


def test_neighbours_and_impact(tmp_path):
    graph = graph_of(tmp_path, {"m.py": "def a(): pass\ndef b(): a()\ndef c(): b()\n"})
    assert [link.target for link in graph.neighbours("m", relation="DEFINES")] == ["m.a", "m.b", "m.c"]
    assert [link.source for link in graph.neighbours("m.a", incoming=True)] == ["m", "m.b"]
    assert graph.impact("m.a", 1) == {"m.b": 1}
    assert graph.impact("m.a", 9) == {"m.b": 1, "m.c": 2}
    assert graph.impact("m.a", 0) == {}
    assert graph.impact("m.a", 1, relations=["DEFINES"]) == {"m": 1}


def test_a_method_called_on_who_knows_what_is_looked_for_where_its_class_is_made(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "lib.py": (
                "class Inner:\n    def deep(self): pass\n"
                "class Tool:\n    def __init__(self, inner): self.inner = inner\n    def run(self): self.inner.deep()\n"
                "def other(): pass\n"
            ),
            "test_lib.py": (
                "import lib\ndef run(tool): tool.run()\n"
                "def test_it(): run(lib.Tool(lib.Inner()))\ndef test_other(): lib.other()\n"
            ),
        },
    )
    assert not [name for name in graph.impact("lib.Inner.deep", 9) if "::" in name]
    assert graph.affected_tests(["lib.Inner.deep"], 9) == {"test_lib.py::test_it": 1}
    assert graph.affected_tests(["lib.other", "test_lib.py::test_it"], 1) == {
        "test_lib.py::test_it": 0,
        "test_lib.py::test_other": 1,
    }
    with pytest.raises(LabError, match="nothing called 'nowhere'"):
        graph.affected_tests(["nowhere"], 1)


def test_affected_tests_follow_an_update(tmp_path):
    graph = graph_of(tmp_path, {"lib.py": "def f(): pass\n", "test_lib.py": "import lib\ndef test_a(): lib.f()\n"})
    assert set(graph.affected_tests(["lib.f"], 3)) == {"test_lib.py::test_a"}
    write(tmp_path, {"test_lib.py": "import lib\ndef test_b(): lib.f()\n"})
    graph.update([tmp_path])
    assert set(graph.affected_tests(["lib.f"], 3)) == {"test_lib.py::test_b"}


def test_what_a_class_of_tests_holds_is_used_by_its_tests(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "lib.py": "class Tool:\n    def run(self): pass\ndef make(): pass\n",
            "test_lib.py": (
                "import lib\nclass Mixin:\n    def test_it(self): self.tool().run()\n"
                "class TestTool(Mixin):\n    tool = lib.Tool\n    make = staticmethod(lib.make)\n"
                "    def test_make(self): self.make()\n"
            ),
        },
    )
    assert ("test_lib.py::TestTool::test_it", "lib.Tool") in pairs(graph, "TESTS")
    assert ("test_lib.py::TestTool::test_make", "lib.make") in pairs(graph, "CALLS")


def test_what_is_not_in_the_graph_is_said(tmp_path):
    graph = graph_of(tmp_path, {"m.py": ""})
    for ask in (graph.node, graph.neighbours, lambda name: graph.impact(name, 1)):
        with pytest.raises(LabError, match=r"nothing called 'm\.nowhere'"):
            ask("m.nowhere")


# ----------------------------------------------------------------------------------------------- updating


def test_only_what_must_be_is_linked_again(tmp_path):
    files = {
        "a.py": "def f(): return 1\n",
        "b.py": "from a import f\ndef g(): f()\n",
        "c.py": "import b\n",
        "d.py": "def h(): pass\n",
    }
    graph = graph_of(tmp_path, files)
    assert graph.update([tmp_path]).linked == ()
    write(tmp_path, {"a.py": "def f():\n    x = 1\n    del x\n    return 2\n"})
    reading = graph.update([tmp_path])
    assert reading.changed == ("a.py",)
    assert set(reading.linked) == {"a.py", "b.py"}  # a name more in the body of f, through which b looked
    write(tmp_path, {"a.py": "def f():\n    x = 1\n    print(del_(x))\n    return 2\n"})
    assert graph.update([tmp_path]).linked == ("a.py",)
    write(tmp_path, {"a.py": "def other(): return 2\n"})
    assert set(graph.update([tmp_path]).linked) == {"a.py", "b.py"}
    assert ("b.g", "a.f") not in pairs(graph, "CALLS")
    (tmp_path / "d.py").unlink()
    reading = graph.update([tmp_path])
    assert (reading.deleted, reading.linked) == (("d.py",), ())


def test_a_module_looked_for_in_vain_is_found_when_it_comes(tmp_path):
    graph = graph_of(tmp_path, {"a.py": "import late\ndef f(): late.g()\n"})
    assert pairs(graph, "CALLS") == set()
    write(tmp_path, {"late.py": "def g(): pass\n"})
    assert set(graph.update([tmp_path]).linked) == {"a.py", "late.py"}
    assert pairs(graph, "CALLS") == {("a.f", "late.g")}


def test_what_a_test_reaches_follows_its_helpers(tmp_path):
    graph = graph_of(
        tmp_path,
        {
            "lib.py": "def f(): pass\ndef g(): pass\n",
            "tests/test_a.py": "from helpers import help\ndef test_it(): help()\n",
            "tests/helpers.py": "import lib\ndef help(): lib.f()\n",
        },
    )
    assert pairs(graph, "TESTS") == {("tests/test_a.py::test_it", "lib.f")}
    write(tmp_path, {"tests/helpers.py": "import lib\ndef help(): lib.g()\n"})
    assert graph.update([tmp_path]).linked == ("tests/helpers.py",)
    assert pairs(graph, "TESTS") == {("tests/test_a.py::test_it", "lib.g")}


BODIES = st.lists(
    st.sampled_from([
        "from p import *", "from p.a import f", "from .b import f as g", "from . import a, b", "import p.a", "import b",
        "from p.sub import thing", "from conftest import tool", "def f(x: 'K' = None):\n    x.m()\n    return K()",
        "def g():\n    from p import a\n    return a.f().m()", "class K:\n    def m(self): return g()",
        "class K(f):\n    def __init__(self): self.q = f()\n    def m(self): self.q.m(); super().m()",
        "from p.b import K as Base\nclass L(Base):\n    def m(self): return f()", "f = g", "K = f()", "def f(: broken",
        "import pytest\n@pytest.fixture\ndef tool(): return K()", "@f\ndef test_one(tool): tool.m()",
        "class TestK(K):\n    def test_m(self): self.m()", "__all__ = ['f']", "if f: from p.a import K\nelse: K = None",
    ]),
    max_size=5,
).map(lambda lines: "\n".join(lines) + "\n")  # fmt: skip
PATHS = st.sampled_from([
    "p/__init__.py", "p/a.py", "p/b.py", "p/f.py", "p/sub/thing.py", "b.py", "conftest.py", "tests/test_a.py",
    "tests/conftest.py", "tests/b.py", "other-p/setup.py", "other-p/p/a.py", "src/p/a.py",
])  # fmt: skip
STATES = st.lists(st.dictionaries(PATHS, BODIES, max_size=7), min_size=2, max_size=4)


def everything(graph):
    summary = graph.summary()
    return list(graph.nodes()), list(graph.links()), summary


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STATES)
def test_bringing_up_to_date_equals_a_fresh_build(tmp_path, states):
    root = tmp_path / "code"
    kept = CodeGraph()
    for files in states:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        kept.update([write(root, files)])
        fresh = CodeGraph()
        fresh.update([root])
        assert everything(kept) == everything(fresh)


def test_a_module_name_may_move_from_one_file_to_another(tmp_path):
    graph = graph_of(tmp_path, {"p/__init__.py": "", "src/p/a.py": "from p import *\n"})
    assert pairs(graph, "DEPENDS_ON") == {("p.a", "p")}
    write(tmp_path, {"p/a.py": "from p import *\n", "src/p/a.py": ""})
    graph.update([tmp_path])
    assert pairs(graph, "DEPENDS_ON") == {("p.a", "p")}
    assert {node.id: node.path for node in graph.nodes()} == {
        "p": "p/__init__.py",
        "p.a": "p/a.py",
        "p.a@src": "src/p/a.py",
    }


def test_a_graph_on_disk_is_found_again_and_brought_up_to_date(tmp_path):
    code, path = tmp_path / "code", tmp_path / "graph.db"
    first = CodeGraph(GraphStore(path))
    first.update([write(code, {"a.py": "def f(): pass\n"})])
    second = CodeGraph(GraphStore(path))
    assert second.node("a.f").kind == "Function"
    write(code, {"b.py": "import a\ndef g(): a.f()\n"})
    assert second.update([code]).linked == ("b.py",)
    assert first.impact("a.f", 1) == {"b.g": 1}  # the first sees what the second wrote


def test_a_failed_update_leaves_the_graph_as_it_was(tmp_path, monkeypatch):
    graph = graph_of(tmp_path, {"a.py": "def f(): pass\n"})
    before = everything(graph)
    write(tmp_path, {"b.py": "def g(): pass\n"})
    monkeypatch.setattr("autodev_lab.memory.code_update.links_of", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        graph.update([tmp_path])
    assert everything(graph) == before
