"""One Python file to its facts: a single pass over its syntax tree."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autodev_lab.memory.code_chains import UNKNOWN, annotation_chains, dotted, literal_strings
from autodev_lab.memory.code_drafts import ScopeDraft
from autodev_lab.memory.code_facts import FileFacts, Import, NodeKind, References, Scope
from autodev_lab.memory.code_operators import BUILTINS, COMPARISONS, OPERATORS

__all__ = ["parse_source"]

_LEAVES = (
    *ast.operator.__subclasses__(), *ast.unaryop.__subclasses__(), *ast.cmpop.__subclasses__(),
    *ast.boolop.__subclasses__(), *ast.expr_context.__subclasses__(), ast.Pass, ast.Break, ast.Continue,
)  # fmt: skip
_BUILT = (ast.JoinedStr, ast.List, ast.Dict, ast.Tuple, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_CLASS_METHODS = frozenset(("__new__", "__init_subclass__", "__class_getitem__"))
_WRAPPERS = frozenset(("staticmethod", "classmethod", "partial"))
"""What they give is called as their first argument is."""

_IMPORTING_CALLS = frozenset(("import_module", "__import__", "importorskip"))


def parse_source(data: bytes, *, is_test: bool = False) -> FileFacts:
    r"""Facts of one file from its bytes, in the encoding that they declare (PEP 263) or UTF-8.

    Parameters
    ----------
    data
        The file's content.
    is_test
        Whether functions and methods named ``test*`` are tests.

    Returns
    -------
    FileFacts
        Of a file that is no Python (or not in this interpreter's version, or cannot be decoded) an empty module with
        the problem.

    Examples
    --------
    >>> facts = parse_source(b"from os import path\ndef f(x):\n    return path.join(x)\n")
    >>> [(scope.kind.value, scope.name) for scope in facts.scopes], facts.references[1].calls
    ([('Module', ''), ('Function', 'f')], ('path.join',))
    >>> parse_source(b"def f(:").problem
    'invalid syntax at line 1'
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the code that is read: invalid escapes and the like
            tree = ast.parse(data)
        reader = _Reader(is_test)
        reader.module(tree)
        return reader.facts(max(1, len(data.splitlines())))
    except SyntaxError as error:
        where = f" at line {error.lineno}" if error.lineno else ""
        return _nothing(f"{error.msg}{where}")
    except (ValueError, LookupError) as error:
        return _nothing(str(error))
    except (RecursionError, MemoryError):
        return _nothing("nested too deeply to be parsed")


def _nothing(problem: str) -> FileFacts:
    return FileFacts((Scope("", NodeKind.MODULE, -1),), (References(),), ((1, 1),), problem=problem)


class _Reader:
    def __init__(self, is_test: bool) -> None:
        self._is_test = is_test
        self._drafts: list[ScopeDraft] = []
        self._stars: dict[Import, None] = {}
        self._exports: list[str] | None = None
        self._type_only = False
        self._current = 0
        self._here = ScopeDraft("", NodeKind.MODULE, -1, (1, 1))
        self._visitors: dict[type[ast.AST], Callable[[Any], None]] = {
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.ClassDef: self._class,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Assign: self._assign,
            ast.AnnAssign: self._annotated,
            ast.AugAssign: self._augmented,
            ast.NamedExpr: self._named,
            ast.For: self._for,
            ast.AsyncFor: self._for,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.If: self._if,
            ast.ExceptHandler: self._handler,
            ast.Return: self._return,
            ast.Yield: self._yield,
            ast.YieldFrom: self._yield,
            ast.Global: self._global,
            ast.Lambda: self._lambda,
            ast.comprehension: self._comprehension,
            ast.MatchAs: self._capture,
            ast.MatchStar: self._capture,
            ast.Name: self._chain_used,
            ast.Attribute: self._chain_used,
            ast.Call: self._chain_used,
            ast.Compare: self._compare,
            ast.BinOp: self._binary,
            ast.Subscript: self._chain_used,
            ast.Constant: self._leaf,
            **dict.fromkeys(_LEAVES, self._leaf),
        }

    def module(self, tree: ast.Module) -> None:
        self._drafts.append(self._here)
        self._visit_all(tree.body)

    def facts(self, last_line: int) -> FileFacts:
        self._drafts[0].lines = (1, last_line)
        return FileFacts(
            scopes=tuple(draft.scope() for draft in self._drafts),
            references=tuple(draft.references() for draft in self._drafts),
            lines=tuple(draft.lines for draft in self._drafts),
            stars=tuple(self._stars),
            exports=None if self._exports is None else tuple(self._exports),
        )

    # ------------------------------------------------------------------------------------------- walking

    def _visit(self, node: ast.AST) -> None:
        visitor = self._visitors.get(type(node))
        if visitor is not None:
            visitor(node)
            return
        for name in node._fields:
            value = getattr(node, name, None)
            if type(value) is list:
                for one in value:
                    if isinstance(one, ast.AST):
                        self._visit(one)
            elif isinstance(value, ast.AST):
                self._visit(value)

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self._visit(node)

    def _leaf(self, node: ast.AST) -> None:
        pass

    def _chain_used(self, node: ast.expr) -> None:
        self._value(node)

    def _value(self, node: ast.expr) -> str:
        """Visit an expression whose value is used, and give its chain."""
        chain = self._chain(node)
        if type(node) is ast.Name or type(node) is ast.Attribute:
            self._here.uses[chain] = None
        return chain

    def _values(self, node: ast.expr) -> list[str]:
        """Chains of what an expression may give; a choice gives more than one."""
        if isinstance(node, ast.BoolOp):
            return [chain for part in node.values for chain in self._values(part)]
        if isinstance(node, ast.IfExp):
            self._visit(node.test)
            return self._values(node.body) + self._values(node.orelse)
        return [self._value(node)]

    def _chain(self, node: ast.expr) -> str:
        """Visit an expression without noting that the whole of it is used."""
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return f"{self._chain(node.value)}.{node.attr}"
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Constant):
            return '"'
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, ast.Await):
            return self._chain(node.value)
        if isinstance(node, ast.NamedExpr):
            self._named(node)
            return node.target.id
        self._visit(node)
        return '"' if isinstance(node, _BUILT) else "?"

    def _subscript(self, node: ast.Subscript) -> str:
        self._visit(node.slice)
        chain = self._value(node.value)
        if type(node.ctx) is not ast.Load:
            self._implied(chain, "__setitem__" if type(node.ctx) is ast.Store else "__delitem__")
            return "?"
        self._implied(chain, "__getitem__")
        return f"{chain}.[]"

    def _implied(self, chain: str, method: str) -> None:
        """Note the call of a method that is not spelled out; of a value without a name nothing is known."""
        if chain[0] not in '?"(':
            self._here.implied[f"{chain}.({method})"] = None

    def _compare(self, node: ast.Compare) -> None:
        chains = [self._value(part) for part in (node.left, *node.comparators)]
        for position, operator in enumerate(node.ops):
            method = COMPARISONS.get(type(operator))
            if method is not None:
                self._implied(chains[position + (method == "__contains__")], method)

    def _binary(self, node: ast.BinOp) -> None:
        left = self._value(node.left)
        self._value(node.right)
        method = OPERATORS.get(type(node.op))
        if method is not None:
            self._implied(left, method)

    def _call(self, node: ast.Call) -> str:
        function = self._chain(node.func)
        if function in BUILTINS and len(node.args) == 1:
            self._implied(self._value(node.args[0]), BUILTINS[function])
        elif function.rpartition(".")[2] in _WRAPPERS and node.args:
            wrapped = self._value(node.args[0])
            self._visit_all((*node.args[1:], *(keyword.value for keyword in node.keywords)))
            return wrapped
        else:
            self._visit_all(node.args)
        for keyword in node.keywords:
            self._visit(keyword.value)
        last = function.rpartition(".")[2]
        if last in _IMPORTING_CALLS and node.args:
            name = literal_strings(node.args[0])
            if len(name) == 1 and not name[0].startswith("."):
                self._here.imports[Import(0, name[0])] = None
                self._here.calls[function] = None
                return f"(module {name[0].replace('.', '/')})"
        if function == "type" and len(node.args) == 1:
            return f"{dotted(node.args[0]) or '?'}.__class__"
        self._here.calls[function] = None
        return "?" if function == "getattr" else f"{function}.()"

    # -------------------------------------------------------------------------------------------- scopes

    def _enter(self, draft: ScopeDraft) -> tuple[int, ScopeDraft]:
        before = (self._current, self._here)
        self._drafts.append(draft)
        self._current, self._here = len(self._drafts) - 1, draft
        return before

    def _open(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, kind: NodeKind) -> ScopeDraft:
        outer = self._here
        number = len(self._drafts)
        self._bind(node.name, f"def|{number}")
        first = min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)
        name = f"{outer.name}.{node.name}" if outer.name else node.name
        return ScopeDraft(name, kind, self._current, (first, node.end_lineno or node.lineno))

    def _class(self, node: ast.ClassDef) -> None:
        decorators = [self._decorator(one) for one in node.decorator_list]
        bases = [self._chain(base) for base in node.bases]
        draft = self._open(node, NodeKind.CLASS)
        draft.decorators, draft.bases = decorators, bases
        before = self._enter(draft)
        for keyword in node.keywords:
            self._visit(keyword.value)
        self._visit_all(getattr(node, "type_params", ()))
        self._visit_all(node.body)
        self._current, self._here = before

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators = [self._decorator(one) for one in node.decorator_list]
        arguments = node.args
        self._visit_all((*arguments.defaults, *arguments.kw_defaults))
        outer = self._here
        is_test = self._is_test and node.name.startswith("test") and self._may_hold_tests(outer)
        fixture = _fixture_name(node, decorators)
        is_test = is_test and not fixture
        draft = self._open(node, NodeKind.TEST if is_test else NodeKind.FUNCTION)
        draft.decorators, draft.fixture = decorators, fixture
        draft.fixtures = tuple(
            name
            for decorator in node.decorator_list
            if isinstance(decorator, ast.Call) and (dotted(decorator.func) or "").endswith("usefixtures")
            for argument in decorator.args
            for name in literal_strings(argument)
        )
        before = self._enter(draft)
        self._parameters(node, outer, before[0], {name.rpartition(".")[2] for name in decorators})
        if is_test:
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call):  # what a test is given by its marks, it uses
                    self._visit_all((*decorator.args, *(keyword.value for keyword in decorator.keywords)))
        if node.returns is not None:
            draft.returns += annotation_chains(node.returns)
        self._visit_all(node.body)
        self._current, self._here = before

    @staticmethod
    def _may_hold_tests(outer: ScopeDraft) -> bool:
        if outer.kind is NodeKind.CLASS:
            return outer.name.rpartition(".")[2].startswith("Test") or bool(outer.bases)
        return outer.kind is NodeKind.MODULE

    def _decorator(self, node: ast.expr) -> str:
        chain = self._chain(node)
        if chain.endswith(".()"):
            return chain
        self._here.calls[chain] = None
        return chain

    def _parameters(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        outer: ScopeDraft,
        outer_number: int,
        decorators: set[str],
    ) -> None:
        draft, arguments = self._here, node.args
        plain = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults))
        pairs = list(zip(plain, [*defaults, *arguments.defaults], strict=True))
        draft.receiver, draft.holder = outer.receiver, outer.holder
        if outer.kind is NodeKind.CLASS:
            draft.receiver, draft.holder = "", -1
            if pairs and "staticmethod" not in decorators:
                first = pairs.pop(0)[0].arg
                of_class = "classmethod" in decorators or node.name in _CLASS_METHODS
                draft.bind(first, "class|" if of_class else "self|")
                draft.receiver, draft.holder = first, outer_number
        pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        for argument, default in pairs:
            chains = annotation_chains(argument.annotation) if argument.annotation is not None else []
            if default is not None:
                chain = dotted(default)
                chains += [chain] if chain else []
            for chain in chains:
                draft.bind(argument.arg, f"is|{chain}")
            if not chains:
                draft.bind(argument.arg, "parameter|")
                draft.parameters.append(argument.arg)
        for rest in (arguments.vararg, arguments.kwarg):
            if rest is not None:
                draft.bind(rest.arg, UNKNOWN)

    def _lambda(self, node: ast.Lambda) -> None:
        arguments = node.args
        self._visit_all((*arguments.defaults, *arguments.kw_defaults))
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        for argument in every:
            if argument is not None:
                self._bind(argument.arg, UNKNOWN)
        self._visit(node.body)

    # ------------------------------------------------------------------------------------------- binding

    def _bind(self, name: str, binding: str) -> None:
        here = self._drafts[0] if name in self._here.globals else self._here
        here.bind(name, binding)

    def _target(self, node: ast.expr, chains: Sequence[str]) -> None:
        if isinstance(node, ast.Name):
            for chain in chains:
                self._bind(node.id, UNKNOWN if chain == "?" else f"is|{chain}")
        elif isinstance(node, ast.Attribute):
            holder = self._here.holder
            if holder >= 0 and isinstance(node.value, ast.Name) and node.value.id == self._here.receiver:
                known = self._drafts[holder].attributes.setdefault(node.attr, [])
                known += [(self._current, chain) for chain in chains if (self._current, chain) not in known]
            else:
                self._chain(node.value)
        elif isinstance(node, ast.Tuple | ast.List):
            for part in node.elts:
                self._target(part, ("?",))
        elif isinstance(node, ast.Starred):
            self._target(node.value, ("?",))
        else:
            self._visit(node)

    def _assign(self, node: ast.Assign) -> None:
        value = node.value
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == "__all__" and self._here.kind is NodeKind.MODULE:
                self._exports = [*(self._exports or ()), *literal_strings(value)]
        if isinstance(value, ast.Tuple) and any(_same_length(target, value) for target in node.targets):
            parts = [self._values(part) for part in value.elts]
            for target in node.targets:
                if _same_length(target, value):
                    for part, chains in zip(target.elts, parts, strict=True):  # type: ignore[attr-defined]
                        self._target(part, chains)
                else:
                    self._target(target, ('"',))
            return
        chains = self._values(value)
        for target in node.targets:
            self._target(target, chains)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if self._here.kind is NodeKind.CLASS and not self._type_only:
            self._visit(node.annotation)  # fields are read by dataclasses and their like
        chains = annotation_chains(node.annotation)
        if node.value is not None:
            chains += self._values(node.value)
        self._target(node.target, chains or ["?"])

    def _augmented(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Name) and target.id == "__all__":
            self._exports = [*(self._exports or ()), *literal_strings(node.value)]
        self._value(node.value)
        if isinstance(target, ast.Name):
            self._here.uses[target.id] = None
            if target.id not in self._here.bindings:
                self._bind(target.id, UNKNOWN)
        else:
            self._visit(target)

    def _named(self, node: ast.NamedExpr) -> None:
        self._target(node.target, self._values(node.value))

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self._implied(self._value(node.iter), "__iter__")
        self._target(node.target, ("?",))
        self._visit_all(node.body)
        self._visit_all(node.orelse)

    def _comprehension(self, node: ast.comprehension) -> None:
        self._implied(self._value(node.iter), "__iter__")
        self._target(node.target, ("?",))
        self._visit_all(node.ifs)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            entered = f"{self._value(item.context_expr)}.(with)"
            self._here.implied[entered] = None
            if item.optional_vars is not None:
                self._target(item.optional_vars, (entered,))
        self._visit_all(node.body)

    def _if(self, node: ast.If) -> None:
        before = self._type_only
        if (dotted(node.test) or "").rpartition(".")[2] == "TYPE_CHECKING":
            self._type_only = True
        else:
            self._visit(node.test)
        self._visit_all(node.body)
        self._type_only = before
        self._visit_all(node.orelse)

    def _handler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self._visit(node.type)
        if node.name:
            self._bind(node.name, UNKNOWN)
        self._visit_all(node.body)

    def _capture(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self._bind(node.name, UNKNOWN)
        if isinstance(node, ast.MatchAs) and node.pattern is not None:
            self._visit(node.pattern)

    def _global(self, node: ast.Global) -> None:
        self._here.globals.update(node.names)

    def _return(self, node: ast.Return) -> None:
        if node.value is not None:
            self._here.returns += [chain for chain in self._values(node.value) if chain not in self._here.returns]

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> None:
        self._here.is_generator = True
        if node.value is not None:
            chains = self._values(node.value)
            if isinstance(node, ast.Yield):
                self._here.yields += [chain for chain in chains if chain not in self._here.yields]

    # ------------------------------------------------------------------------------------------- imports

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if not self._type_only:
                self._here.imports[Import(0, alias.name)] = None
            bound = alias.name if alias.asname else alias.name.partition(".")[0]
            self._bind(alias.asname or bound, f"module|{bound}")

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        for alias in node.names:
            found = Import(node.level, module, alias.name)
            if not self._type_only:
                self._here.imports[found] = None
            if alias.name == "*":
                self._stars[Import(node.level, module)] = None
            else:
                self._bind(alias.asname or alias.name, f"from|{node.level}|{module}|{alias.name}")


def _same_length(target: ast.expr, value: ast.Tuple) -> bool:
    return (
        isinstance(target, ast.Tuple)
        and len(target.elts) == len(value.elts)
        and not any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts))
    )


def _fixture_name(node: ast.FunctionDef | ast.AsyncFunctionDef, decorators: Sequence[str]) -> str:
    for decorator, chain in zip(node.decorator_list, decorators, strict=True):
        if chain.removesuffix(".()").rpartition(".")[2] not in ("fixture", "yield_fixture"):
            continue
        name, everywhere = node.name, False
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            if keyword.arg == "name" and literal_strings(keyword.value):
                name = literal_strings(keyword.value)[0]
            elif keyword.arg == "autouse" and isinstance(keyword.value, ast.Constant):
                everywhere = keyword.value.value is True
        return f"{name}!" if everywhere else name
    return ""
