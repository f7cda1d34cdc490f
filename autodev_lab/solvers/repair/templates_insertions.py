"""Repair templates that insert statements: guards, donors from the file, branches."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from autodev_lab.solvers.repair.names import exchanged
from autodev_lab.solvers.repair.numbers import numbers_of
from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.source import Splice
from autodev_lab.solvers.repair.template import Template, alternated, interleaved, less_promising, template

__all__ = ["INSERTION_TEMPLATES"]


def _around(site: Site, texts: Sequence[str]) -> Iterator[Proposal]:
    """Each text before the statement, and after it where nothing follows in its block."""
    ends = site.is_last and not isinstance(site.statement, ast.Return | ast.Raise | ast.Continue | ast.Break)
    for text in texts:
        yield from site.before(text)
        if ends:
            yield from site.after(text)


@template("insert-guard", "PAR null pointer and range checkers (Kim 2013); TBar FP2; SPR (Long & Rinard 2015)")
def insert_guard(site: Site) -> Iterator[Proposal]:
    """A test before the statement that leaves the function, or the round of the loop, early."""
    if site.function is None or isinstance(site.statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    exits = list(_exits(site))
    tests = [text for name in site.near_names[:4] if name not in ("self", "cls") for text in _guards(name)]
    donors = list(site.donor_conditions(8))
    mixed = [text for pair in zip(donors, tests, strict=False) for text in pair]
    tests = list(dict.fromkeys((*mixed, *donors, *tests)))
    pairs = sorted(((row + 1) * (column + 1), row, column) for row in range(len(tests)) for column in range(len(exits)))
    for _, row, column in pairs:
        yield from site.before(f"if {tests[row]}:", f"    {exits[column]}")


def _guards(name: str) -> tuple[str, ...]:
    return (f"{name} is None", f"not {name}", name)


def _exits(site: Site) -> Iterator[str]:
    """Ways out, most usual first: those the function takes elsewhere, then of a loop, then plain returns."""
    found: dict[str, None] = {}
    if site.in_loop():
        found["continue"] = None
    for text in site.donors((ast.Return, ast.Raise), 5):
        found[text] = None
    for name in site.near_names[:2]:
        found[f"return {name}"] = None
    for text in ("return None", "return False", "return True"):
        found[text] = None
    if site.in_loop():
        found["break"] = None
    yield from found


def _insert_return(site: Site) -> Iterator[Proposal]:
    """A return before or after the statement: one of the file, or of a variable here."""
    texts = [*site.donors((ast.Return,), 6), *(f"return {name}" for name in site.near_names[:4]), "return None"]
    statement = site.statement
    if isinstance(statement, ast.Assign) and site.is_last:
        texts = [f"return {site.text(statement.targets[0])}", *texts]
    for text in dict.fromkeys(texts):
        if site.is_last and not isinstance(statement, ast.Return | ast.Raise):
            yield from site.after(text)
        yield from site.before(text)


def _insert_assignment(site: Site) -> Iterator[Proposal]:
    """An assignment before or after the statement: what binds a missing name first, then donors, then plain ones."""
    made: list[str] = []
    for name in site.unresolved[:2]:
        made += [f"{name} = {value}" for value in ("[]", "None", "0", "{}", "''", "False", "True", "1", "set()")]
        made += [f"{name} = {other}" for other in site.near_names[:3]]
    donors = site.donors((ast.Assign, ast.AugAssign), 12)
    yield from _around(site, tuple(dict.fromkeys((*made, *donors))))


def _update_variable(site: Site) -> Iterator[Proposal]:
    """A variable brought up to date: counted on, normalised by a call or method of the file, or kept on the object."""
    names = [name for name in site.near_names if name not in ("self", "cls")][:4]
    everyday = alternated(iter(site.words.unary_calls[:5]), iter(("int", "str", "list", "abs")))
    calls = tuple(dict.fromkeys((*site.words.uncalled[:2], *everyday)))
    methods = tuple(dict.fromkeys((*site.words.bare_methods[:4], "strip", "lower")))
    owner = site.source.class_of(site.statement)
    kept = site.words.attributes_of(owner) if owner is not None and "self" in site.locals else ()
    rows: list[list[str]] = []
    for name in names:
        counts = name in numbers_of(site)
        mixed = [*([f"{name} += 1"] if counts else []), f"{name} = {calls[0]}({name})"]
        mixed = [f"self.{one} = {name}" for one in kept if one.strip("_") == name.strip("_")] + mixed
        mixed += [f"{name} = {call}({name})" for call in calls[1:]]
        mixed += [f"{name} = {name}.{method}()" for method in methods]
        mixed += [*([f"{name} -= 1"] if counts else []), f"{name} = None"]
        mixed += [f"{name} = {other}" for other in names if other != name]
        rows.append(mixed)
    order = sorted((row + column, row, column) for row, one in enumerate(rows) for column in range(len(one)))
    yield from _around(site, [rows[row][column] for _, row, column in order])


@template("insert-call", "GenProg append (Le Goues 2012); TBar FP4 (Liu 2019); CapGen")
def insert_call(site: Site) -> Iterator[Proposal]:
    """A call for its effect before or after the statement: donors, then the same calls on variables here."""
    texts = [f"{name}({other})" for name in site.unread[:2] for other in site.near_names[:3] if other != name]
    texts = [*site.donors((ast.Expr,), 2), *texts, *site.donors((ast.Expr,), 8)]
    collections = [name for name in site.locals if name not in ("self", "cls")]
    values = [node.id for node in site.of(ast.Name) if node.id in collections] or collections
    for method in ("append", "add", "pop", "update", "extend"):
        if method in site.words.methods:
            for name in collections[:4]:
                if method == "pop":
                    texts.append(f"{name}.pop()")
                else:
                    texts += [f"{name}.{method}({value})" for value in values[:2] if value != name]
    yield from _around(site, tuple(dict.fromkeys(texts)))


def _insert_raise(site: Site) -> Iterator[Proposal]:
    """A raise before or after the statement, like others of the file; in a handler, the exception again."""
    texts = list(site.donors((ast.Raise,), 5))
    tests = site.donor_conditions(4)
    if isinstance(site.parent(site.statement), ast.ExceptHandler):
        texts.insert(0, "raise")
    yield from _around(site, texts)
    for text in texts[:2]:
        for test in tests:
            yield from site.before(f"if {test}:", f"    {text}")


def _insert_jump(site: Site) -> Iterator[Proposal]:
    """`break` or `continue` after the last statement of a block in a loop, or before the statement."""
    if site.in_loop():
        for text in ("break", "continue"):
            if site.is_last and not isinstance(site.statement, ast.Return | ast.Raise | ast.Break | ast.Continue):
                yield from site.after(text)
            yield from site.before(text)
        for test in (*site.donor_conditions(3), *site.simple_conditions(2)):
            for text in ("break", "continue"):
                yield from site.before(f"if {test}:", f"    {text}")


@template("insert-block", "GenProg append (Le Goues 2012); plastic surgery (Barr 2014); CapGen")
def insert_block(site: Site) -> Iterator[Proposal]:
    """A whole branch or loop of the file (several lines), those of similar functions first."""
    here = site.words.identifiers(site.function)
    ranked: list[tuple[float, int, list[str]]] = []
    if site.function is None or isinstance(site.statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    for number, donor in enumerate(site.words.blocks):
        if donor.statement is site.statement or not site.may_use(donor.reads, donor.binds):
            continue
        there = site.words.identifiers(donor.function)
        score = len(here & there) / max(1, len(here | there))
        if donor.follower is not None:
            alike = site.words.shape(donor.follower) == site.words.shape(site.statement)
            score += 1.0 if alike else 0.2 * (type(donor.follower) is type(site.statement))
        assert isinstance(donor.statement, ast.stmt)
        lines = site.indented([donor.statement], "")
        if lines is not None:
            ranked.append((-score, number, lines))
    ranked.sort(key=lambda entry: entry[:2])
    seen: set[str] = set()
    for _, _, lines in ranked[:12]:
        if "\n".join(lines) not in seen:
            seen.add("\n".join(lines))
            yield from site.before(*lines)
            if site.is_last:
                yield from site.after(*lines)


@template("add-else", "SPR (Long & Rinard 2015); ELIXIR (Saha 2017); TBar FP4")
def add_else(site: Site) -> Iterator[Proposal]:
    """An `else` or `elif` branch, filled with a donor, for an `if`; what follows an `if` becomes its `else`."""
    statement = site.statement
    if not isinstance(statement, ast.If):
        return
    kinds = (ast.Assign, ast.AugAssign, ast.Expr, ast.Return, ast.Raise)
    fillings = list(site.donors(kinds, 6))
    fillings += [f"return {name}" for name in site.near_names[:2]]
    indent = site.source.indent_of(statement)
    if indent is None or not site.source.owns_lines(statement):
        return
    bottom = site.source.line_start((statement.end_lineno or statement.lineno) + 1)
    if not site.source.data[:bottom].endswith(b"\n"):
        return
    if not _last_branch(statement).orelse:
        for text in fillings:
            yield (Splice(bottom, bottom, f"{indent}else:\n{indent}    {text}\n"),)
    own = site.text(statement.test)
    for test in (text for text in site.donor_conditions(6) if text != own):
        for text in fillings[:3]:
            if not _last_branch(statement).orelse:
                yield (Splice(bottom, bottom, f"{indent}elif {test}:\n{indent}    {text}\n"),)


def _last_branch(statement: ast.If) -> ast.If:
    """The last `elif` of a chain, or the `if` itself."""
    while len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If):
        statement = statement.orelse[0]
    return statement


@template("insert-exit", "TBar FP4 and FP14 (Liu 2019); GenProg append (Le Goues 2012); SPR (Long & Rinard 2015); PAR")
def insert_exit(site: Site) -> Iterator[Proposal]:
    """A return, raise, `break` or `continue` before the statement, or after the last of a block."""
    yield from interleaved(_insert_return(site), _insert_jump(site), _insert_raise(site))


@template("insert-assignment", "GenProg append (Le Goues 2012); CapGen (Wen 2018); plastic surgery (Barr 2014); ELIXIR")
def insert_assignment(site: Site) -> Iterator[Proposal]:
    """An assignment before or after the statement: from the file, this one for another variable, or an update."""
    yield from _repeated(site)
    if not site.unresolved:
        yield from less_promising(by=1)
    yield from interleaved(_insert_assignment(site), _update_variable(site))


def _repeated(site: Site) -> Iterator[Proposal]:
    """The statement once more for a variable that is treated alike: what was done to one and forgotten for another."""
    statement = site.statement
    if not isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr) or site.function is None:
        return
    own = site.text(statement)
    present = {site.text(one) for one in site.own_statements()}
    mates = site.words.bound_together(site.function)
    bound = [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and node.id in site.all_locals]
    for name in tuple(dict.fromkeys(bound))[:2]:
        for other in [one for one in site.kin(name) if frozenset((one, name)) in mates][:2]:
            text = exchanged(own, name, other)
            if text not in present and "\n" not in text:
                yield from site.before(text)
                yield from site.after(text)


INSERTION_TEMPLATES: tuple[Template, ...] = (
    insert_exit,
    insert_assignment,
    insert_guard,
    insert_call,
    insert_block,
    add_else,
)
