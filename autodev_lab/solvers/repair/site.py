"""One place where a template may act: a suspicious statement, and the words its surroundings offer.

What a template may put in comes from the program itself (the plastic surgery hypothesis: Barr et al., FSE 2014):
variables in scope, constants, calls, conditions and statements of the same function and file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from autodev_lab.solvers.repair.bindings import own_nodes
from autodev_lab.solvers.repair.names import likeness
from autodev_lab.solvers.repair.source import FunctionNode, SourceFile, Splice, header_expressions
from autodev_lab.solvers.repair.vocabulary import Vocabulary, vocabulary_of

__all__ = ["Proposal", "Site"]

Proposal = tuple[Splice, ...]
"""What one candidate does to its file."""

_Expr = TypeVar("_Expr", bound=ast.expr)

_OBJECTS = ("self", "cls")

_LOOSE = (
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.Attribute,
    ast.Starred,
    ast.Await,
    ast.IfExp,
    ast.Call,
    ast.Subscript,
    ast.comprehension,
    ast.NamedExpr,
)


@dataclass(eq=False)
class Site:
    """A suspicious statement.

    Parameters
    ----------
    source
        Its file.
    statement
        The statement; of a compound one, templates change the header or the whole.
    suspiciousness
        Of its most suspicious line, in (0, 1].
    promise
        Log-odds, up to a constant, that the statement is the faulty one.
    others
        The other suspicious files, whose functions may hold what is missing here.
    """

    source: SourceFile
    statement: ast.stmt
    suspiciousness: float
    promise: float = 0.0
    others: tuple[SourceFile, ...] = ()

    # --------------------------------------------------------------------------------------- what is here

    @cached_property
    def function(self) -> FunctionNode | None:
        """The function the statement is in (a function's own header belongs to the function)."""
        if isinstance(self.statement, ast.FunctionDef | ast.AsyncFunctionDef):
            return self.statement
        return self.source.function_of(self.statement)

    @cached_property
    def words(self) -> Vocabulary:
        """Calls, constants, conditions and statements of the file."""
        return vocabulary_of(self.source)

    @cached_property
    def expressions(self) -> tuple[ast.expr, ...]:
        """Expressions of the statement itself that are read, outer before inner."""
        found = list(header_expressions(self.statement))
        if isinstance(self.statement, ast.Try):
            for handler in self.statement.handlers:
                if handler.type is not None:
                    found.extend(node for node in ast.walk(handler.type) if isinstance(node, ast.expr))
        return tuple(node for node in found if isinstance(getattr(node, "ctx", ast.Load()), ast.Load))

    def of(self, *kinds: type[_Expr]) -> Iterator[_Expr]:
        """The statement's expressions of some kinds."""
        for node in self.expressions:
            if isinstance(node, kinds):
                yield node

    @cached_property
    def conditions(self) -> tuple[ast.expr, ...]:
        """Expressions whose truth decides: tests, filters, and truth values that are returned or assigned."""
        found: list[ast.expr] = []
        statement = self.statement
        if isinstance(statement, ast.If | ast.While | ast.Assert):
            found.append(statement.test)
        for node in self.expressions:
            if isinstance(node, ast.IfExp):
                found.append(node.test)
            elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
                found.extend(test for part in node.generators for test in part.ifs)
            elif isinstance(node, ast.Lambda) and isinstance(node.body, ast.Compare | ast.BoolOp):
                found.append(node.body)
        value = getattr(statement, "value", None)
        negated = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
        decides = negated or isinstance(value, ast.Compare | ast.BoolOp)
        if isinstance(statement, ast.Return | ast.Assign) and statement.value is not None and decides:
            found.append(statement.value)
        return tuple(dict.fromkeys(found))

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node around a node."""
        return self.source.parents.get(node)

    # ------------------------------------------------------------------------------------- what may be used

    @cached_property
    def locals(self) -> tuple[str, ...]:
        """Variables that have a value here: never read ones first, then parameters, then assigned ones."""
        return tuple(name for name in self.all_locals if name not in self._later)

    @cached_property
    def _later(self) -> frozenset[str]:
        """Variables of the innermost function that get their first value here or below: to read one here would fail."""
        function, statement = self.function, self.statement
        if function is None or function is statement or self.in_loop():
            return frozenset()
        line = statement.lineno
        return frozenset(name for name, first in self.words.first_bound(function).items() if first >= line)

    @cached_property
    def all_locals(self) -> tuple[str, ...]:
        """Variables of the enclosing functions: never read ones first, then parameters, then assigned ones."""
        if self.function is None:
            return ()
        names: dict[str, None] = {}
        current: FunctionNode | None = self.function
        while current is not None:
            names.update(dict.fromkeys(self.words.variables(current)))
            current = self.source.function_of(current)
        own = self.words.variables(self.function)
        unread = [name for name in own if name not in self.reads and name not in ("self", "cls", "_")]
        return (*unread, *(name for name in names if name not in unread))

    @cached_property
    def reads(self) -> Mapping[str, int]:
        """How often the enclosing function reads each name."""
        if self.function is None:
            return {}
        return self.words.reads(self.function)

    @cached_property
    def unresolved(self) -> tuple[str, ...]:
        """Names the function reads that nothing visible in the file defines: something is missing."""
        if self.function is None or self.words.has_star_import:
            return ()
        known = {*self.all_locals, *self.words.module_names, *self.words.builtins}
        bound = {
            node.id
            for node in ast.walk(self.function)
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        }
        bound |= {node.arg for node in ast.walk(self.function) if isinstance(node, ast.arg)}
        bound |= {
            node.name
            for node in ast.walk(self.function)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        bound |= {node.name for node in ast.walk(self.function) if isinstance(node, ast.ExceptHandler) and node.name}
        return tuple(name for name in self.reads if name not in known and name not in bound)

    def knows_attribute(self, name: str) -> bool:
        """Whether some suspicious file, or the everyday types, have an attribute or a method of that name."""
        everyday = any(hasattr(kind, name) for kind in (str, list, dict, set, int))
        return everyday or any(name in vocabulary_of(one).attribute_names for one in (self.source, *self.others))

    def may_use(self, reads: frozenset[str], binds: frozenset[str] = frozenset()) -> bool:
        """Whether code that reads some names, and binds others itself, could stand here."""
        return reads - binds <= self._scope

    @cached_property
    def _scope(self) -> frozenset[str]:
        return frozenset((*self.locals, *self.words.module_names, *self.words.builtins, *self.unresolved))

    def donors(self, kinds: tuple[type[ast.stmt], ...], limit: int = 12) -> tuple[str, ...]:
        """Simple statements of the file that could stand here, most fitting first (CapGen's contexts: Wen et al. 2018).

        A donor must read only names in scope. It fits better the more its function shares names with this one, when
        what stands after it there looks like the statement here, and when it binds a name that is missing here.
        """
        ranked: list[tuple[float, int, str]] = []
        here = self.words.identifiers(self.function)
        mine = self.words.shape(self.statement)
        missing = set(self.unresolved)
        for number, donor in enumerate(self.words.donors):
            if not isinstance(donor.statement, kinds) or not donor.reads <= self._scope:
                continue
            if isinstance(donor.statement, ast.Return) and self.function is None:
                continue
            there = self.words.identifiers(donor.function)
            score = 3.0 * len(here & there) / max(1, len(here | there))
            score += 1.0 if donor.function is self.function else 0.0
            if donor.follower is not None:
                score += (
                    2.0
                    if self.words.shape(donor.follower) == mine
                    else 0.5 * (type(donor.follower) is type(self.statement))
                )
            score += 4.0 if missing & donor.binds else 0.0
            score += 0.3 if donor.binds and donor.binds <= set(self.locals) else 0.0
            score += 0.2 * donor.nested
            ranked.append((-score, number, donor.text))
        ranked.sort()
        texts = dict.fromkeys(text for _, _, text in ranked)
        texts.pop(self.source.segment(self.statement), None)
        return tuple(texts)[:limit]

    def donor_conditions(self, limit: int = 10) -> tuple[str, ...]:
        """Conditions of the file that could stand here: of this function, of variables tested here, of similar ones."""
        here = self.words.identifiers(self.function)
        tested = {node.id for test in self.conditions for node in ast.walk(test) if isinstance(node, ast.Name)}
        tested &= set(self.locals)
        ranked: list[tuple[float, int, str]] = []
        for number, donor in enumerate(self.words.conditions):
            if not donor.reads <= self._scope or not donor.reads & set(self.locals):
                continue
            there = self.words.identifiers(donor.function)
            score = len(here & there) / max(1, len(here | there)) + (0.5 if donor.function is self.function else 0.0)
            score += 0.5 if tested & donor.reads else 0.0
            ranked.append((-score, number, donor.text))
        ranked.sort()
        return tuple(dict.fromkeys(text for _, _, text in ranked))[:limit]

    def simple_conditions(self, limit: int = 12) -> tuple[str, ...]:
        """Plain tests of the variables here: truth and None (PAR's checkers: Kim et al. 2013)."""
        names = [name for name in self.near_names if name not in ("self", "cls")]
        found = [text for name in names for text in (name, f"{name} is not None")]
        return tuple(found)[:limit]

    @cached_property
    def near_names(self) -> tuple[str, ...]:
        """Local variables, those of this statement first."""
        here = [node.id for node in self.of(ast.Name) if node.id in self.locals]
        return tuple(dict.fromkeys((*self.unread, *here, *self.locals)))

    @cached_property
    def unread(self) -> tuple[str, ...]:
        """Variables of the innermost function that have a value here and that nothing in it reads."""
        own = frozenset(self.words.variables(self.function)) if self.function is not None else frozenset()
        return tuple(one for one in self.locals if one in own and one not in self.reads and one not in _OBJECTS)

    def kin(self, name: str) -> tuple[str, ...]:
        """Other variables of the function that are likely to be treated alike: bound together, then named alike."""
        if self.function is None or name in _OBJECTS:
            return ()
        known = [one for one in self.words.variables(self.function) if one in self.locals and one not in _OBJECTS]
        if name not in known:
            return ()
        mates = self.words.bound_together(self.function)
        place = known.index(name)
        others = [one for one in known if one != name]
        return tuple(
            sorted(
                others,
                key=lambda one: (
                    frozenset((one, name)) not in mates,
                    -likeness(one, name),
                    abs(known.index(one) - place),
                ),
            )
        )

    # ---------------------------------------------------------------------------------------- how to change

    def text(self, node: ast.AST) -> str:
        """A node's text."""
        return self.source.segment(node)

    def replace(self, node: ast.AST, text: str) -> Proposal:
        """Put an expression in the place of a node, in parentheses where the place needs them."""
        start, end = self.source.span(node)
        return (Splice(start, end, self.fitted(node, text)),)

    def fitted(self, node: ast.AST, text: str) -> str:
        """`text` in parentheses if an operator next to `node` could take it apart."""
        parent = self.parent(node)
        if not isinstance(parent, _LOOSE) or _is_atom(text):
            return text
        if isinstance(parent, ast.Call) and parent.func is not node:
            return text
        if isinstance(parent, ast.Subscript) and parent.value is not node:
            return text
        return f"({text})"

    def fitted_operand(self, node: ast.expr) -> str:
        """An operand's text, in parentheses where an operator of another kind could take it apart."""
        text = self.text(node)
        loose = isinstance(node, ast.BoolOp | ast.IfExp | ast.NamedExpr | ast.Lambda | ast.BinOp)
        return f"({text})" if loose else text

    def raw(self, start: int, end: int, text: str) -> Proposal:
        """Replace a stretch of bytes."""
        return (Splice(start, end, text),)

    def before(self, *lines: str) -> Iterator[Proposal]:
        """Insert lines before the statement, at its indentation."""
        indent = self.source.indent_of(self.statement)
        if indent is not None:
            at = self.source.line_start(self.source.first_line(self.statement))
            yield (Splice(at, at, _block(lines, indent)),)

    def after(self, *lines: str) -> Iterator[Proposal]:
        """Insert lines after the statement, at its indentation."""
        indent = self.source.indent_of(self.statement)
        if indent is not None and self.source.owns_lines(self.statement):
            at = self.source.line_start((self.statement.end_lineno or self.statement.lineno) + 1)
            lead = "" if self.source.data[:at].endswith((b"\n", b"\r")) else "\n"
            yield (Splice(at, at, lead + _block(lines, indent)),)

    def instead(self, *lines: str) -> Iterator[Proposal]:
        """Put lines in the place of the whole statement, at its indentation."""
        indent = self.source.indent_of(self.statement)
        if indent is not None and self.source.owns_lines(self.statement):
            start, end = self.whole_lines(self.statement)
            yield (Splice(start, end, _block(lines, indent)),)

    def whole_lines(self, statement: ast.stmt) -> tuple[int, int]:
        """Byte offsets of all lines of a statement."""
        start = self.source.line_start(self.source.first_line(statement))
        return start, self.source.line_start((statement.end_lineno or statement.lineno) + 1)

    @cached_property
    def is_last(self) -> bool:
        """Whether the statement is the last of its block."""
        block, index = self.source.block_of(self.statement)
        return index == len(block) - 1

    def indented(self, statements: Sequence[ast.stmt], by: str) -> list[str] | None:
        """Lines of whole statements, re-indented by `by` in place of their own; None when a string would change."""
        first, last = statements[0], statements[-1]
        own = self.source.indent_of(first)
        if own is None or not self.source.owns_lines(last):
            return None
        if any(_spans_lines(node) for statement in statements for node in ast.walk(statement)):
            return None
        lines: list[str] = []
        for number in range(self.source.first_line(first), (last.end_lineno or last.lineno) + 1):
            text = self.source.line_text(number).rstrip("\r\n")
            if text.strip() and not text.startswith(own):
                return None
            lines.append(by + text[len(own) :] if text.strip() else "")
        return lines

    def in_loop(self) -> bool:
        """Whether the statement is inside a loop of its own function."""
        current = self.parent(self.statement)
        while current is not None and not isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if isinstance(current, ast.For | ast.While | ast.AsyncFor):
                return True
            current = self.parent(current)
        return False

    def own_statements(self) -> tuple[ast.stmt, ...]:
        """All statements of the enclosing function."""
        if self.function is None:
            return ()
        return tuple(node for node in own_nodes(self.function) if isinstance(node, ast.stmt))


def _block(lines: Sequence[str], indent: str) -> str:
    return "".join(f"{indent}{line}\n" if line else "\n" for line in lines)


def _spans_lines(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno != node.lineno


def _is_atom(text: str) -> bool:
    """Whether a text is one name, literal, call or item that no neighbouring operator takes apart."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, int | float) or isinstance(node.value, bool)
    if isinstance(node, ast.Tuple | ast.GeneratorExp):
        return text.startswith("(") and text.endswith(")")
    return isinstance(
        node,
        ast.Name
        | ast.Attribute
        | ast.Call
        | ast.Subscript
        | ast.List
        | ast.Dict
        | ast.Set
        | ast.ListComp
        | ast.JoinedStr,
    )
