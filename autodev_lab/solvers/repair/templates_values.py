"""Repair templates for constants, variables, attributes, defaults and results."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

from autodev_lab.solvers.repair.names import common_ends
from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.source import FunctionNode
from autodev_lab.solvers.repair.template import Template, interleaved, template

__all__ = ["VALUE_TEMPLATES"]


_BRACKETS: Mapping[type[ast.expr], tuple[str, str]] = {
    ast.List: ("[", "]"),
    ast.Tuple: ("(", ")"),
    ast.Set: ("{", "}"),
}


def _constants(site: Site) -> Iterator[ast.Constant]:
    """Constants of the statement, documentation left out."""
    for node in site.of(ast.Constant):
        if not isinstance(site.parent(node), ast.Expr | ast.FormattedValue | ast.JoinedStr):
            yield node


@template("adjust-number", "TBar FP9 mutate literal (Liu 2019); SketchFix constant holes (Hua 2018)")
def adjust_number(site: Site) -> Iterator[Proposal]:
    """A number one more, one less, negated, doubled or halved."""
    for node in _constants(site):
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        signed = isinstance(site.parent(node), ast.UnaryOp)
        step = 1 if isinstance(value, int) else 1.0
        for other in (value + step, value - step, value * 10, value / 10 if value % 10 else value // 10):
            if other != value:
                yield site.replace(node, repr(other))
        if value and not signed:
            yield site.replace(node, repr(-value))


@template("replace-constant", "TBar FP9.1 and FP4 (Liu 2019); SPR value replacement (Long & Rinard 2015)")
def replace_constant(site: Site) -> Iterator[Proposal]:
    """A constant, or a literal container, for another everyday value."""
    yield from interleaved(_replace_constant(site), _replace_container(site))


def _replace_constant(site: Site) -> Iterator[Proposal]:
    """A constant for one of the everyday values of its kind, then of another kind."""
    for node in _constants(site):
        value = node.value
        if isinstance(value, bool):
            choices: tuple[str, ...] = (repr(not value), "None")
        elif value is None:
            choices = ("True", "False", "0", "''", "[]", "()", "{}")
        elif isinstance(value, int | float):
            choices = ("0", "1", "-1", "2", "None")
        elif isinstance(value, str | bytes):
            prefix = "b" if isinstance(value, bytes) else ""
            choices = (f"{prefix}''", f"{prefix}' '", "None")
        else:
            choices = ("None",)
        for text in choices:
            if text != repr(value):
                yield site.replace(node, text)


def _borrow_constant(site: Site) -> Iterator[Proposal]:
    """A constant for another of its type from the same function, then from the file."""
    pools = [site.words.constants(site.function)] if site.function is not None else []
    pools.append(site.words.constants(site.source.tree))
    for node in _constants(site):
        if isinstance(node.value, bool) or node.value is None:
            continue
        texts = dict.fromkeys(text for pool in pools for text, kind in pool if kind is type(node.value))
        texts.pop(repr(node.value), None)
        if isinstance(node.value, str):
            ordered = sorted(texts, key=lambda text: -_likeness(text[1:-1], str(node.value)))
            texts = dict.fromkeys(ordered)
        for text in tuple(texts)[:8]:
            yield site.replace(node, text)


def _likeness(one: str, other: str) -> float:
    """Share of common leading and trailing characters: strings of one family score high."""
    if not one or not other:
        return 0.0
    return sum(common_ends(one, other)) / max(len(one), len(other))


def _edit_string(site: Site) -> Iterator[Proposal]:
    """A text with a character less, a blank more, or in another case."""
    for node in _constants(site):
        value = node.value
        if not isinstance(value, str) or not value or len(value) > 40:
            continue
        choices = [value[1:], value[:-1], value + " ", value.swapcase(), value.strip(), value + value[-1]]
        for other in dict.fromkeys(choices):
            if other != value:
                yield site.replace(node, repr(other))


@template("replace-variable", "TBar FP13.1 (Liu 2019); PAR; SPR value replacement (Long & Rinard 2015)")
def replace_variable(site: Site) -> Iterator[Proposal]:
    """A variable for another of the enclosing functions: unresolved first, and first for what nothing reads."""
    nodes = [node for node in site.of(ast.Name) if not _is_argument(site, node) and not _is_callee(site, node)]
    nodes.sort(key=lambda node: node.id not in site.unresolved)
    yield from _variables_for(site, nodes)


@template("replace-argument", "PAR parameter replacer (Kim 2013); TBar FP10.2")
def replace_argument(site: Site) -> Iterator[Proposal]:
    """An argument of a call for a variable in scope, one that nothing reads first."""
    counts = Counter(node.id for node in site.of(ast.Name))
    nodes = [node for node in site.of(ast.Name) if _is_argument(site, node)]
    # a name that stands twice in a statement may have been copied by mistake (CP-Miner: Li et al., TSE 2006)
    nodes.sort(key=lambda node: (counts[node.id] < 2, node.id in ("self", "cls")))
    for name in site.unread[:1]:
        yield from (site.replace(node, name) for node in nodes)
    yield from _variables_for(site, nodes)
    for name in site.near_names[:6]:
        for node in nodes:
            if node.id in ("self", "cls") and name not in ("self", "cls"):
                yield site.replace(node, name)
    for call in site.of(ast.Call):
        for argument in call.args:
            if not isinstance(argument, ast.Name | ast.Starred):
                for name in site.near_names[:4]:
                    yield site.replace(argument, name)


def _variables_for(site: Site, nodes: list[ast.Name]) -> Iterator[Proposal]:
    choices = [name for name in site.locals if name not in ("self", "cls")]
    for rank in range(6):
        for node in nodes:
            others = [name for name in choices if name != node.id]
            if rank < len(others) and node.id not in ("self", "cls"):
                yield site.replace(node, others[rank])


def _is_argument(site: Site, node: ast.expr) -> bool:
    parent = site.parent(node)
    return (isinstance(parent, ast.Call) and parent.func is not node) or isinstance(parent, ast.keyword)


def _is_callee(site: Site, node: ast.Name) -> bool:
    parent = site.parent(node)
    return isinstance(parent, ast.Call) and parent.func is node and node.id not in site.locals


def _replace_target(site: Site) -> Iterator[Proposal]:
    """The variable an assignment or a loop binds, for another of the function; targets of a pair exchanged."""
    statement = site.statement
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = list(statement.targets)
    elif isinstance(statement, ast.AugAssign | ast.For):
        targets = [statement.target]
    for target in targets:
        if isinstance(target, ast.Tuple) and len(target.elts) == 2:
            one, other = target.elts
            yield (*site.replace(one, site.text(other)), *site.replace(other, site.text(one)))
        elif isinstance(target, ast.Name):
            for name in (*site.unresolved, *site.all_locals)[:6]:
                if name not in (target.id, "self", "cls"):
                    yield site.replace(target, name)
        elif isinstance(target, ast.Attribute):
            for name in site.words.attributes[:8]:
                if name != target.attr:
                    yield site.replace(target, f"{site.text(target.value)}.{name}")


@template("replace-attribute", "ELIXIR (Saha 2017); TBar FP13; CapGen (Wen 2018)")
def replace_attribute(site: Site) -> Iterator[Proposal]:
    """An attribute for another that the function or file uses; a variable for an attribute of the object."""
    here = site.words.identifiers(site.function)
    ordered = sorted(site.words.attributes, key=lambda name: name not in here)
    for node in site.of(ast.Attribute):
        parent = site.parent(node)
        if isinstance(parent, ast.Call) and parent.func is node:
            continue
        base = site.text(node.value)
        for name in [name for name in ordered if name != node.attr][:8]:
            yield site.replace(node, f"{base}.{name}")
        yield site.replace(node, base)


@template("change-default", "PAR parameter replacer (Kim 2013); TBar FP9")
def change_default(site: Site) -> Iterator[Proposal]:
    """The default of a parameter for another value of everyday use."""
    if not isinstance(site.statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    arguments = site.statement.args
    for node in (*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)):
        yield from _defaults_for(site, node)
    for lambda_node in site.of(ast.Lambda):
        for node in lambda_node.args.defaults:
            yield from _defaults_for(site, node)


def _defaults_for(site: Site, node: ast.expr) -> Iterator[Proposal]:
    own = site.text(node)
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool):
        choices = [repr(not value), "None"]
    elif isinstance(value, int | float):
        choices = [repr(value + 1), repr(value - 1), "None", "0", "1", "-1"]
    elif isinstance(value, str | bytes):
        choices = [repr(value[:0]), "None", repr(value[:-1])]
    else:
        choices = ["None", "False", "True", "()", "0", "1", "''", "[]", "{}"]
    texts = site.words.constants(site.source.tree)
    choices += [text for text, kind in texts if kind is type(value) or value is None][:6]
    for text in dict.fromkeys(choices):
        if text != own:
            yield site.replace(node, text)


@template("change-result", "TBar FP14 and return mutation in SketchFix (Hua 2018); PAR")
def change_result(site: Site) -> Iterator[Proposal]:
    """What a function returns or yields, for a variable, an everyday value, or what it returns elsewhere."""
    statement = site.statement
    value: ast.expr | None = None
    if isinstance(statement, ast.Return):
        value = statement.value
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield):
        value = statement.value.value
    if value is None:
        if isinstance(statement, ast.Return):
            for name in (*site.locals[:4], "None", "True", "False"):
                yield from site.instead(f"return {name}")
        return
    own = site.text(value)
    elsewhere = [
        site.text(one.value)
        for one in site.own_statements()
        if isinstance(one, ast.Return) and one.value is not None and one is not statement
    ]
    made = [*_results(site)] if isinstance(value, ast.Constant) else []
    plain = ("None", "True", "False", "self", "not " + own)
    for text in dict.fromkeys((*made[:2], *elsewhere, *site.near_names[:5], *made[2:], *plain)):
        if text != own and "\n" not in text and (text != "self" or "self" in site.locals):
            yield site.replace(value, text)


def _results(site: Site) -> Iterator[str]:
    """What a function that returns a constant may have been meant to return: what it is named after, or made last."""
    function = site.function
    if function is None:
        return
    name = function.name.strip("_")
    if "self" in site.locals:
        alike = [one for one in site.words.attributes if one.strip("_") == name]
        yield from (f"self.{one}" for one in alike[:2])
    arguments = function.args
    if arguments.vararg is not None and arguments.kwarg is not None:
        rest = f"*{arguments.vararg.arg}, **{arguments.kwarg.arg}"
        outer = site.source.function_of(function)
        yield from (f"{one}({rest})" for one in (site.words.variables(outer) if outer is not None else ())[:2])
    bound = [
        node
        for statement in site.own_statements()
        if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign)
        and statement.lineno < site.statement.lineno
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    bound.sort(key=lambda node: (-node.lineno, node.col_offset))
    yield from dict.fromkeys(node.id for node in bound[:4])
    yield from _composed(site, function)


def _composed(site: Site, function: FunctionNode) -> Iterator[str]:
    """Calls of functions of the file whose parameters have their names from variables here (ELIXIR's method calls)."""
    for name in (*site.words.uncalled[:2], *site.words.functions[:8]):
        signature = site.words.signatures.get(name)
        if signature is None or name == function.name:
            continue
        wanted = [one.arg for one in signature.args][: len(signature.args) - len(signature.defaults)]
        if wanted and all(one in site.locals for one in wanted):
            yield f"{name}({', '.join(wanted)})"


def _replace_container(site: Site) -> Iterator[Proposal]:
    """An empty container for one of another kind; an element dropped or given."""
    for node in site.of(ast.List, ast.Tuple, ast.Dict, ast.Set):
        if isinstance(node, ast.Dict) and not node.keys:
            for text in ("[]", "()", "set()", "None"):
                yield site.replace(node, text)
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            continue
        texts = [site.text(one) for one in node.elts]
        if not texts:
            for text in ("[]", "()", "{}", "set()", "None"):
                if text != site.text(node):
                    yield site.replace(node, text)
            continue
        opening, closing = _BRACKETS[type(node)]
        if isinstance(node, ast.Tuple) and not site.text(node).startswith("("):
            opening = closing = ""
        if len(texts) == 2:
            yield site.replace(node, f"{opening}{texts[1]}, {texts[0]}{closing}")
        for index in range(min(len(texts), 4)):
            rest = texts[:index] + texts[index + 1 :]
            comma = "," if isinstance(node, ast.Tuple) and len(rest) == 1 else ""
            if rest:
                yield site.replace(node, f"{opening}{', '.join(rest)}{comma}{closing}")
        for name in site.near_names[:3]:
            if name not in texts:
                yield site.replace(node, f"{opening}{', '.join([*texts, name])}{closing}")
    if isinstance(site.statement, ast.Assign) and isinstance(site.statement.value, ast.Call):
        call = site.statement.value
        if isinstance(call.func, ast.Name) and call.func.id in ("set", "list", "dict", "tuple") and not call.args:
            for text in ("[]", "{}", "set()", "()"):
                yield site.replace(call, text)


def _augment_assignment(site: Site) -> Iterator[Proposal]:
    """`x = e` for `x += e` and its kin, and the other way round."""
    statement = site.statement
    if isinstance(statement, ast.AugAssign):
        target, value = site.text(statement.target), site.text(statement.value)
        yield from site.instead(f"{target} = {value}")
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1 and _has_value(site, statement.targets[0]):
        target, value = site.text(statement.targets[0]), site.text(statement.value)
        if isinstance(statement.targets[0], ast.Name | ast.Attribute | ast.Subscript) and "\n" not in value:
            for symbol in ("+=", "*=", "|=", "-="):
                yield from site.instead(f"{target} {symbol} {value}")
            yield from site.instead(f"{target} = {target} or {value}")


def _has_value(site: Site, target: ast.expr) -> bool:
    """Whether a target may have a value already, so that adding to it makes sense."""
    return not isinstance(target, ast.Name) or target.id in site.locals or target.id in site.words.module_names


@template("change-assignment", "TBar FP12 and FP13 (Liu 2019); SPR (Long & Rinard 2015)")
def change_assignment(site: Site) -> Iterator[Proposal]:
    """What an assignment binds, or how: another variable, targets exchanged, `=` for `+=` and its kin."""
    yield from interleaved(_augment_assignment(site), _replace_target(site))


@template("borrow-constant", "Plastic surgery (Barr 2014); TBar FP9 mutate literal (Liu 2019); CapGen (Wen 2018)")
def borrow_constant(site: Site) -> Iterator[Proposal]:
    """A constant for another of its type from the function or file; a text with a character less or more."""
    yield from interleaved(_borrow_constant(site), _edit_string(site))


VALUE_TEMPLATES: tuple[Template, ...] = (
    change_assignment,
    borrow_constant,
    adjust_number,
    replace_constant,
    replace_variable,
    replace_argument,
    replace_attribute,
    change_default,
    change_result,
)
