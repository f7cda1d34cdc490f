"""Conditions made from the values at hand: what could decide whether a piece of code should run.

Condition synthesis in the literature searches expressions over the variables in scope (Nopol: Xuan et al., TSE 2017;
DynaMoth: Durieux and Monperrus, AST 2016) and ranks predicates by the variables they test and by how the code uses
these (ACS: Xiong et al., "Precise condition synthesis for program repair", ICSE 2017; SPR: Long and Rinard 2015). Here
the guarded code itself says what could go wrong in it, and predicates are ranked by how directly they follow.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

from autodev_lab.solvers.repair.site import Site
from autodev_lab.solvers.repair.template import alternated

__all__ = ["predicates"]

_GROWING = ("append", "add", "insert", "setdefault", "appendleft")
_SHRINKING = ("remove", "discard", "pop", "index")


def predicates(site: Site, code: Sequence[ast.stmt], limit: int = 16) -> tuple[str, ...]:
    """Conditions under which some code of the function could be meant to run, most fitting first.

    Parameters
    ----------
    site
        Names in scope are those of this place.
    code
        What the condition guards.
    limit
        At most so many.

    Examples
    --------
    >>> from autodev_lab.solvers.repair.source import SourceFile
    >>> source = SourceFile("m.py", "def f(x, seen):\\n    if True:\\n        seen.add(x)\\n")
    >>> branch = source.tree.body[0].body[0]
    >>> predicates(Site(source, branch, 1.0), branch.body, limit=4)[:2]
    ('x not in seen', 'x is not None')
    """
    nodes = [node for one in code for node in ast.walk(one)]
    names = _names(site, nodes)
    sources = alternated(_membership(site, nodes), _presence(site, names), _types(site, names))
    return tuple(islice(dict.fromkeys((*islice(sources, max(1, 3 * limit // 4)), *_order(site, names))), limit))


def _names(site: Site, nodes: Sequence[ast.AST]) -> tuple[str, ...]:
    """Variables in scope: those the code reads, most often first, then those nothing reads, then parameters."""
    local = {name for name in site.locals if name not in ("self", "cls")}
    used = Counter(
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in local
    )
    near = (name for name in site.near_names if name in local)
    return tuple(dict.fromkeys((*site.unread, *(name for name, _ in used.most_common(4)), *near)))[:5]


def _membership(site: Site, nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Whether a thing is in a collection already, where the code adds it, looks it up or takes it out."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            thing, collection = site.text(node.args[0]), site.text(node.func.value)
            if "\n" in thing + collection or isinstance(node.args[0], ast.Starred | ast.GeneratorExp):
                continue
            if node.func.attr in _GROWING:
                yield f"{thing} not in {collection}"
            elif node.func.attr in _SHRINKING:
                yield f"{thing} in {collection}"
        elif isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice | ast.Tuple):
            key, collection = site.text(node.slice), site.text(node.value)
            if "\n" in key + collection:
                continue
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
                yield collection
            elif isinstance(node.ctx, ast.Store):
                yield f"{key} not in {collection}"
            else:
                yield f"{key} in {collection}"


def _presence(site: Site, names: Sequence[str]) -> Iterator[str]:
    """Whether a variable is there, or is not."""
    for name in names:
        yield f"{name} is not None"
        yield name
        yield f"not {name}"
        yield f"{name} is None"


def _types(site: Site, names: Sequence[str]) -> Iterator[str]:
    """Whether a variable is of a type that the file tests for."""
    for kind in site.words.checked_types[:3]:
        for name in names[:2]:
            yield f"isinstance({name}, {kind})"
    if site.words.checked_types and names:
        yield f"not isinstance({names[0]}, {site.words.checked_types[0]})"


def _order(site: Site, names: Sequence[str]) -> Iterator[str]:
    """How two variables, or a variable and nought, compare; what a method of truth says of one."""
    for one, other in pairwise(names):
        yield f"{one} > {other}"
        yield f"{one} == {other}"
        yield f"{one} in {other}"
        yield f"{other} in {one}"
        yield f"{one} != {other}"
    for name in names[:2]:
        yield f"{name} > 0"
        yield f"{name} < 0"
