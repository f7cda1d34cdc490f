"""One file to its facts: encodings, broken files, and what names are bound to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.memory.code_facts import FileFacts, Import, NodeKind
from autodev_lab.memory.code_parsing import parse_source


def scope(facts, name):
    return facts.scopes[[one.name for one in facts.scopes].index(name)]


def references(facts, name):
    return facts.references[[one.name for one in facts.scopes].index(name)]


def test_a_declared_encoding_is_honoured():
    facts = parse_source("# -*- coding: latin-1 -*-\ndef caf\xe9(): return 'na\xefve'\n".encode("latin-1"))
    assert facts.problem == ""
    assert facts.scopes[1].name == "caf\xe9"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"def f(:\n    pass\n", "at line 1"),
        (b"x = '\xff\xfe'\n", "decode byte 0xff"),
        (b"# coding: no-such-thing\nx = 1\n", "no-such-thing"),
        (b"x = 1\0\n", "null bytes"),
        (b"print 'old'\n", "print"),
        (b"x = " + b"(" * 500 + b")" * 500, "too many nested parentheses"),
        (b"x = " + b"-" * 100_000 + b"1\n", "too deeply"),
    ],
)
def test_what_cannot_be_parsed_is_an_empty_module_with_the_reason(data, said):
    facts = parse_source(data)
    assert [one.kind for one in facts.scopes] == [NodeKind.MODULE]
    assert said in facts.problem


def test_warnings_of_the_code_read_are_its_own():
    assert parse_source(b"x = '\\d'\nassert (x, 'never false')\n").problem == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import a.b", {Import(0, "a.b")}),
        ("import a.b as c", {Import(0, "a.b")}),
        ("from . import x", {Import(1, "", "x")}),
        ("from ..a import x as y, z", {Import(2, "a", "x"), Import(2, "a", "z")}),
        ("from a import *", {Import(0, "a", "*")}),
        ("import importlib\nimportlib.import_module('a.b')", {Import(0, "importlib"), Import(0, "a.b")}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a", {Import(0, "typing", "TYPE_CHECKING")}),
        ("if not debug:\n    import a\nelse:\n    import b", {Import(0, "a"), Import(0, "b")}),
        ("try:\n    import a\nexcept ImportError:\n    import b", {Import(0, "a"), Import(0, "b")}),
    ],
)
def test_forms_of_import(line, expected):
    assert set(parse_source(line.encode()).references[0].imports) == expected


def test_a_type_only_import_still_says_what_its_name_means():
    facts = parse_source(
        b"import typing\nif typing.TYPE_CHECKING:\n    from a import C\ndef f(c: 'C'): return c.run()\n"
    )
    assert facts.scopes[0].bindings["C"] == ("from|0|a|C",)
    assert scope(facts, "f").bindings["c"] == ("is|C.()",)
    assert references(facts, "f").calls == ("c.run",)


def test_a_lazy_import_belongs_to_its_function():
    facts = parse_source(b"def f():\n    import json\n    return json\n")
    assert facts.references[0].imports == ()
    assert references(facts, "f").imports == (Import(0, "json"),)


def test_what_methods_keep_in_their_instance():
    facts = parse_source(b"class A:\n    def __init__(self):\n        self.tool = Tool()\n        self.tool.on = 1\n")
    assert scope(facts, "A").attributes == {"tool": ((2, "Tool.()"),)}
    assert scope(facts, "A.__init__").bindings["self"] == ("self|",)


def test_first_and_last_lines_take_decorators_in():
    facts = parse_source(b"import a\n\n@a.b\n@a.c\ndef f():\n    pass\n\nclass C:\n    pass\n")
    assert facts.lines == ((1, 9), (3, 6), (8, 9))


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("def test_a(): pass", ["Test"]),
        ("def helper(): pass", ["Function"]),
        ("class TestA:\n    def test_b(self): pass\n    def other(self): pass", ["Class", "Test", "Function"]),
        ("class Case(unittest.TestCase):\n    def test_b(self): pass", ["Class", "Test"]),
        ("class Plain:\n    def test_b(self): pass", ["Class", "Function"]),
        ("def outer():\n    def test_b(): pass", ["Function", "Function"]),
        ("@pytest.fixture\ndef test_data(): pass", ["Function"]),
    ],
)
def test_what_is_a_test_in_a_file_of_tests(source, kinds):
    assert [one.kind.value for one in parse_source(source.encode(), is_test=True).scopes[1:]] == kinds
    assert "Test" not in [one.kind.value for one in parse_source(source.encode()).scopes]


@pytest.mark.parametrize(
    ("decorator", "name"),
    [
        ("@pytest.fixture", "tool"),
        ("@pytest.fixture()", "tool"),
        ("@fixture(name='other')", "other"),
        ("@pytest.fixture(autouse=True)", "tool!"),
        ("@functools.cache", ""),
    ],
)
def test_fixtures(decorator, name):
    assert parse_source(f"{decorator}\ndef tool(): pass".encode()).scopes[1].fixture == name


SNIPPETS = st.lists(
    st.sampled_from([
        "import a.b as c", "from . import d", "from e import *", "x = y = d.f()", "a, b = d, c.g", "x[0] = y.z",
        "def f(a, *, b: 'C' = c, **d) -> C: return a.x(b) or b",
        "class K(c.B, metaclass=M):\n  z: d.T = 1\n  def m(self):\n   self.q = self.m()",
        "with c.o() as w, d: w.go()", "for i in d: i.j()", "try:\n  import n\nexcept (E, c.F) as e:\n  n = None",
        "l = lambda u=d: u.v()", "@c.deco(d)\nasync def g(): await c.h(); yield d",
        "match x:\n  case c.P(y) as z: z.a()",
        "__all__ = ['x'] + c.__all__", "__all__ += ['k']", "if (k := d.r()): k.s()", "q = [t.u for t in d.v if t]",
        "global_ = c[d].e().f", "x += len(d) + c.y", "del d.a, c[0]", "def h():\n global x\n x = c.d()",
    ]),
    max_size=12,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(SNIPPETS)
def test_facts_come_back_from_json_as_they_were(lines):
    facts = parse_source("\n".join(lines).encode())
    assert facts.problem == ""
    assert FileFacts.from_interface(facts.interface()).with_body(facts.body()) == facts
    assert FileFacts.from_interface(facts.interface()).interface() == facts.interface()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_facts(data):
    facts = parse_source(data)
    assert len(facts.scopes) == len(facts.references) == len(facts.lines)
    if facts.problem:
        assert len(facts.scopes) == 1


def test_a_change_inside_a_body_does_not_show_outside():
    before = parse_source(b"import a\ndef f(x):\n    return a.g(x)\n")
    after = parse_source(b"import a\n\n\ndef f(x):\n    a.h(x)\n    return a.g(x)\n")
    assert before.interface() == after.interface()
    assert before.body() != after.body()
