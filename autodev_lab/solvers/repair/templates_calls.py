"""Repair templates for calls: what is called, with what, and calls given to or taken from an expression."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.template import Template, alternated, interleaved, less_promising, template

__all__ = ["CALL_TEMPLATES"]

_FAMILIES: tuple[tuple[str, ...], ...] = (
    ("min", "max", "sum"),
    ("any", "all"),
    ("sorted", "reversed", "list"),
    ("list", "tuple", "set", "frozenset", "dict", "iter"),
    ("int", "float", "round", "str", "repr"),
    ("str", "repr", "bytes"),
    ("isinstance", "issubclass"),
    ("getattr", "hasattr"),
    ("startswith", "endswith"),
    ("lower", "upper", "title", "capitalize", "casefold"),
    ("strip", "lstrip", "rstrip"),
    ("split", "rsplit", "splitlines", "partition"),
    ("partition", "rpartition"),
    ("find", "rfind", "index", "rindex"),
    ("append", "extend", "add", "appendleft", "insert"),
    ("add", "update", "discard", "remove"),
    ("keys", "values", "items"),
    ("get", "pop", "setdefault"),
    ("pop", "popleft", "popitem"),
    ("union", "intersection", "difference", "symmetric_difference"),
    ("issubset", "issuperset"),
    ("match", "search", "fullmatch", "findall"),
    ("floor", "ceil", "trunc"),
    ("isdigit", "isalpha", "isalnum", "isdecimal"),
    ("islower", "isupper"),
    ("encode", "decode"),
    ("zip", "zip_longest"),
    ("map", "filter"),
    ("takewhile", "dropwhile"),
    ("year", "month", "day"),
    ("warn", "error", "info", "debug"),
)
_EVERYDAY_CALLS = ("list", "str", "int", "tuple", "len", "sorted", "abs", "set", "iter", "bool", "dict", "reversed")
_EVERYDAY_METHODS = ("strip", "lower", "copy", "items", "upper", "keys", "values")


def _family(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(other for family in _FAMILIES if name in family for other in family if other != name))


@template("replace-method", "ELIXIR method call templates (Saha 2017); TBar FP10.1; PAR method replacer")
def replace_method(site: Site) -> Iterator[Proposal]:
    """A method for a sister of its family, then for another that the file calls."""
    for node in site.of(ast.Call):
        if isinstance(node.func, ast.Attribute):
            own = node.func.attr
            used = [name for name in site.words.methods if name != own]
            used.sort(key=lambda name: -_common_start(name, own))
            base = site.text(node.func.value)
            for name in dict.fromkeys((*_family(own), *used[:6])):
                yield site.replace(node.func, f"{base}.{name}")


def _common_start(one: str, other: str) -> int:
    shorter = min(len(one), len(other))
    same = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    return same if same >= 3 else 0


@template("replace-function", "PAR method replacer (Kim 2013); TBar FP10.1; ELIXIR (Saha 2017)")
def replace_function(site: Site) -> Iterator[Proposal]:
    """A called or named function or class for a sister of its family, then for another the file uses."""
    known = site.words.module_names | site.words.builtins
    for node in site.of(ast.Name):
        if node.id in known and node.id not in site.locals:
            parent = site.parent(node)
            called = isinstance(parent, ast.Call) and parent.func is node
            family = [name for name in _family(node.id) if name in known]
            used = [name for name in site.words.functions if name != node.id and name in known]
            used.sort(key=lambda name: -_common_start(name, node.id))
            for name in dict.fromkeys((*family, *used[: 6 if called else 4])):
                yield site.replace(node, name)


@template("swap-arguments", "PAR parameter replacer (Kim 2013); TBar FP10.3")
def swap_arguments(site: Site) -> Iterator[Proposal]:
    """Two neighbouring arguments of a call for each other, then the first and the last."""
    for node in site.of(ast.Call):
        plain = [one for one in node.args if not isinstance(one, ast.Starred)]
        plain += [one.value for one in node.keywords if one.arg is not None]
        pairs = list(pairwise(plain))
        if len(plain) > 2:
            pairs.append((plain[0], plain[-1]))
        for one, other in pairs:
            if site.text(one) != site.text(other):
                yield (*site.replace(one, site.text(other)), *site.replace(other, site.text(one)))


def _drop_argument(site: Site) -> Iterator[Proposal]:
    """A call without one of its arguments, the last first."""
    for node in site.of(ast.Call):
        texts = _argument_texts(site, node)
        for index in reversed(range(len(texts))):
            yield _call_with(site, node, texts[:index] + texts[index + 1 :])


@template("add-argument", "PAR parameter adder and remover (Kim 2013); TBar FP10.4")
def add_argument(site: Site) -> Iterator[Proposal]:
    """A call with one more argument: a keyword or an expression other calls pass, or a variable in scope."""
    choices = [list(_additions(site, node)) for node in site.of(ast.Call)]
    for rank in range(max((len(one) for one in choices), default=0)):
        yield from (one[rank] for one in choices if rank < len(one))


def _additions(site: Site, node: ast.Call) -> Iterator[Proposal]:
    texts = _argument_texts(site, node)
    if any("for " in text for text in texts) and len(texts) == 1:
        return
    used = {keyword.arg for keyword in node.keywords}
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    for keyword, value in site.words.keywords.get(name, ())[:4]:
        if keyword not in used:
            yield _call_with(site, node, [*texts, f"{keyword}={value}"])
    signature = site.words.signatures.get(name)
    names = [one for one in site.near_names if one not in ("self", "cls") and one not in texts]
    if signature is not None:
        accepted = [one.arg for one in (*signature.args, *signature.kwonlyargs)]
        for name in [one for one in names if one in accepted and one not in used][:3]:
            yield _call_with(site, node, [*texts, f"{name}={name}"])
    positional = [site.text(one) for one in node.args]
    rest = texts[len(positional) :]
    for text in (*names[:3], "1", "None", "0", "True", "-1"):
        yield _call_with(site, node, [*positional, text, *rest])
    for text in names[:3]:
        if positional:
            yield _call_with(site, node, [text, *positional, *rest])


def _argument_texts(site: Site, node: ast.Call) -> list[str]:
    texts = [site.text(one) for one in node.args]
    return texts + [site.text(one) for one in node.keywords]


def _call_with(site: Site, node: ast.Call, texts: list[str]) -> Proposal:
    """The call with other arguments, its own layout lost."""
    end = site.source.span(node.func)[1]
    return site.raw(end, site.source.span(node)[1], f"({', '.join(texts)})")


def _unpack_argument(site: Site) -> Iterator[Proposal]:
    """An argument for its elements, or elements for the argument."""
    for node in site.of(ast.Call):
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                yield site.replace(argument, site.text(argument.value))
            elif isinstance(argument, ast.Name):
                yield site.replace(argument, f"*{argument.id}")
        for keyword in node.keywords:
            if keyword.arg is None:
                yield site.replace(keyword, site.text(keyword.value))


def _unwrap_call(site: Site) -> Iterator[Proposal]:
    """A call for one of its arguments, or for the object it is made on."""
    for node in site.of(ast.Call):
        for argument in node.args[:3]:
            if not isinstance(argument, ast.Starred):
                yield site.replace(node, site.text(argument))
        if isinstance(node.func, ast.Attribute):
            yield site.replace(node, site.text(node.func.value))


def _wrappable(site: Site) -> list[ast.expr]:
    """Values a call could go around: the statement's value, arguments, iterated things, then their parts."""
    statement = site.statement
    whole = getattr(statement, "value", None) or getattr(statement, "iter", None)
    found: list[ast.expr] = [whole] if isinstance(whole, ast.expr) else []
    for node in site.expressions:
        if isinstance(node, ast.Call):
            found += [one for one in node.args if not isinstance(one, ast.Starred)]
            found += [one.value for one in node.keywords if one.arg is not None]
        elif isinstance(node, ast.Compare):
            found += [node.left, *node.comparators]
        elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp):
            found += [one.iter for one in node.generators]
            found += [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        elif isinstance(node, ast.BinOp):
            found += [node.left, node.right]
        elif isinstance(node, ast.Subscript | ast.Attribute):
            found.append(node.value)
        elif isinstance(node, ast.List | ast.Tuple):
            found += [one for one in node.elts if not isinstance(one, ast.Starred)]
        elif isinstance(node, ast.IfExp):
            found += [node.body, node.orelse]
    dull = (ast.Constant, ast.JoinedStr, ast.Yield, ast.YieldFrom, ast.Await)
    return [node for node in dict.fromkeys(found) if not isinstance(node, dull) and node in site.expressions]


@template(
    "wrap-call",
    "ELIXIR (Saha 2017); SketchFix (Hua 2018); plastic surgery (Barr 2014)",
)
def wrap_call(site: Site) -> Iterator[Proposal]:
    """A value inside a call of one argument: what nothing calls yet, then what the file calls."""
    unused = site.words.uncalled
    used = [name for name in site.words.unary_calls if name not in unused]
    calls = tuple(dict.fromkeys((*unused[:3], *alternated(iter(used[:8]), iter(_EVERYDAY_CALLS)))))
    values = [node for node in _wrappable(site) if not _is_callee_base(site, node)]
    yield from _diagonal(values, calls, lambda node, name: site.replace(node, f"{name}({site.text(node)})"))


def _diagonal(
    nodes: Sequence[ast.expr], names: Sequence[str], make: Callable[[ast.expr, str], Proposal]
) -> Iterator[Proposal]:
    """Pairs of early nodes and early names before pairs of late ones."""
    pairs = sorted(((row + 1) * (column + 1), row, column) for row in range(len(nodes)) for column in range(len(names)))
    for _, row, column in pairs:
        yield make(nodes[row], names[column])


def _chain_method(site: Site) -> Iterator[Proposal]:
    """A value with a method of no argument called on it: those the file uses, then everyday ones."""
    methods = tuple(dict.fromkeys((*site.words.bare_methods[:10], *_EVERYDAY_METHODS)))
    values = [node for node in _wrappable(site) if not isinstance(node, ast.Compare | ast.BoolOp)]
    yield from _diagonal(values, methods, lambda node, name: site.replace(node, f"{_held(site, node)}.{name}()"))


def _held(site: Site, node: ast.expr) -> str:
    atoms = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.List, ast.Dict, ast.ListComp)
    return site.text(node) if isinstance(node, atoms) else f"({site.text(node)})"


def _is_callee_base(site: Site, node: ast.expr) -> bool:
    """Whether a node only names where a method is looked up (a module or `self`)."""
    parent = site.parent(node)
    named = isinstance(node, ast.Name) and (node.id in ("self", "cls") or node.id not in site.locals)
    return isinstance(parent, ast.Attribute) and named


def _default_value(site: Site) -> Iterator[Proposal]:
    """A value for one of two by a condition: itself unless it is None or empty."""
    values = [
        node for node in _wrappable(site) if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    ]
    for rank in range(6):
        for node in values[:6]:
            yield site.replace(node, f"({site.text(node)} or {_empty_values(site, node)[rank]})")
    for test in site.donor_conditions(4):
        for node in values[:3]:
            for other in site.near_names[:3]:
                if other != site.text(node):
                    yield site.replace(node, f"({site.text(node)} if {test} else {other})")


def _empty_values(site: Site, node: ast.expr) -> tuple[str, ...]:
    """What could stand for a missing value, by what is done with it: a text where a method of texts is called."""
    parent = site.parent(node)
    method = parent.attr if isinstance(parent, ast.Attribute) else ""
    if method and hasattr(str, method):
        first: tuple[str, ...] = ("''",)
    elif method and hasattr(dict, method):
        first = ("{}",)
    elif isinstance(parent, ast.BinOp | ast.Compare):
        first = ("0",)
    else:
        first = ("[]",)
    return tuple(dict.fromkeys((*first, "[]", "''", "0", "None", "{}", "()")))


@template("change-exception", "TBar FP (exception handling); PAR (Kim 2013); ELIXIR (Saha 2017)")
def change_exception(site: Site) -> Iterator[Proposal]:
    """The exception raised or caught for another, or a simple statement whose usual exceptions are caught."""
    yield from _other_exception(site)
    yield from less_promising(by=4)
    yield from _catch_exception(site)


def _other_exception(site: Site) -> Iterator[Proposal]:
    """The exception raised or caught for another of the file, then for an everyday one."""
    nodes: list[ast.expr] = []
    if isinstance(site.statement, ast.Raise) and site.statement.exc is not None:
        raised = site.statement.exc
        nodes.append(raised.func if isinstance(raised, ast.Call) else raised)
    elif isinstance(site.statement, ast.Try):
        for handler in site.statement.handlers:
            if isinstance(handler.type, ast.Tuple):
                nodes += handler.type.elts
            elif handler.type is not None:
                nodes.append(handler.type)
    everyday = ("ValueError", "TypeError", "KeyError", "IndexError", "AttributeError", "Exception")
    rarer = ("StopIteration", "RuntimeError", "NotImplementedError", "AssertionError", "OSError", "OverflowError")
    for name in dict.fromkeys((*site.words.exceptions[:8], *everyday, *rarer)):
        for node in nodes:
            if site.text(node) != name:
                yield site.replace(node, name)
    if isinstance(site.statement, ast.Try):
        for name in dict.fromkeys((*everyday, *site.words.exceptions[:4])):
            for handler in site.statement.handlers:
                if handler.type is not None and name not in (own := site.text(handler.type)):
                    yield site.replace(handler.type, f"({own.strip('()')}, {name})")


def _catch_exception(site: Site) -> Iterator[Proposal]:
    """A simple statement whose usual exceptions are caught and passed over, or answered like elsewhere in the file."""
    if not isinstance(site.statement, ast.Assign | ast.Expr | ast.Return | ast.AugAssign):
        return
    lines = site.indented([site.statement], "    ")
    if lines is None:
        return
    answers = ["return None", "pass"] if isinstance(site.statement, ast.Return) else ["pass", "return None"]
    if site.in_loop():
        answers.insert(0, "continue")
    kinds = dict.fromkeys((*site.words.exceptions[:3], "TypeError", "KeyError", "ValueError", "AttributeError"))
    for kind in kinds:
        for answer in answers[:2]:
            yield from site.instead("try:", *lines, f"except {kind}:", f"    {answer}")


def _choose_part(site: Site) -> Iterator[Proposal]:
    """An expression for one of its parts: a branch of a conditional, the base of an item or attribute."""
    for node in site.of(ast.IfExp):
        test, body, other = site.text(node.test), site.text(node.body), site.text(node.orelse)
        yield site.replace(node, f"{other} if {test} else {body}")
        yield site.replace(node, body)
        yield site.replace(node, other)
    for subscript in site.of(ast.Subscript):
        yield site.replace(subscript, site.text(subscript.value))
    for made in site.expressions:
        if isinstance(made, ast.ListComp | ast.GeneratorExp | ast.SetComp) and len(made.generators) == 1:
            yield site.replace(made, site.text(made.generators[0].iter))


@template("reduce-expression", "PAR expression remover (Kim 2013); SketchFix (Hua 2018)")
def reduce_expression(site: Site) -> Iterator[Proposal]:
    """An expression for one of its parts: an argument, the object of a call, a branch, the base of an item."""
    yield from interleaved(_choose_part(site), _unwrap_call(site))


@template("adapt-value", "ELIXIR (Saha 2017); PAR null pointer checker (Kim 2013); SketchFix (Hua 2018)")
def adapt_value(site: Site) -> Iterator[Proposal]:
    """A value with a method of no argument called on it, or another value where it is empty."""
    yield from interleaved(_chain_method(site), _default_value(site))


@template("drop-argument", "PAR parameter adder and remover (Kim 2013); TBar FP10.4")
def drop_argument(site: Site) -> Iterator[Proposal]:
    """A call without one of its arguments, or with the elements of one."""
    yield from interleaved(_drop_argument(site), _unpack_argument(site))


CALL_TEMPLATES: tuple[Template, ...] = (
    reduce_expression,
    adapt_value,
    drop_argument,
    replace_method,
    replace_function,
    swap_arguments,
    add_argument,
    wrap_call,
    change_exception,
)
