"""Code of similar functions, adapted to another place: what a sibling does and this function does not.

Functions that look alike are meant to do alike, so the missing piece of one often stands in the other under other names
(ssFix: Xin and Reiss, ASE 2017; SimFix: Jiang, Xiong, Zhang, Gao and Chen, ISSTA 2018; ARJA's ingredient scopes: Yuan
and Banzhaf, TSE 2018). Two renamings are made: the word in which the two functions' names differ, everywhere, as
systematic edits do (Sydit: Meng, Kim and McKinley, PLDI 2011); then each name that is unknown here, for the variable
in scope that is called most like it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from autodev_lab.solvers.repair.bindings import names_in
from autodev_lab.solvers.repair.names import exchanged, likeness, shared, words_of
from autodev_lab.solvers.repair.site import Site
from autodev_lab.solvers.repair.source import FunctionNode
from autodev_lab.solvers.repair.vocabulary import Donor, Vocabulary, vocabulary_of

__all__ = ["Adapted", "adapted_conditions", "adapted_statements", "siblings"]

_SIBLINGS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Adapted:
    """A donor's text as it would read here, and what stood after it where it comes from."""

    text: str
    kind: type[ast.AST]
    follower: ast.stmt | None


def siblings(site: Site) -> tuple[tuple[Vocabulary, FunctionNode], ...]:
    """Functions most like the one around a statement, by names, parameters, identifiers, class and file."""
    here = site.function
    if here is None:
        return ()
    known: dict[FunctionNode, tuple[tuple[Vocabulary, FunctionNode], ...]] = site.source.__dict__.setdefault(
        "siblings", {}
    )
    if here not in known:
        known[here] = tuple(_ranked(site, here))
    return known[here]


def _ranked(site: Site, here: FunctionNode) -> Iterator[tuple[Vocabulary, FunctionNode]]:
    own_class = site.source.class_of(here)
    scored: list[tuple[float, int, Vocabulary, FunctionNode]] = []
    inside = set(ast.walk(here))
    for source in (site.source, *site.others):
        words = vocabulary_of(source)
        for there in words.functions_defined:
            if there in inside:
                continue
            score = _similarity(site, here, words, there)
            score += 0.3 * (own_class is not None and source.class_of(there) is own_class)
            score -= 0.3 * (source is not site.source)
            scored.append((-score, len(scored), words, there))
    scored.sort(key=lambda entry: entry[:2])
    yield from ((words, there) for score, _, words, there in scored[:_SIBLINGS] if score < -0.2)


def _similarity(site: Site, here: FunctionNode, words: Vocabulary, there: FunctionNode) -> float:
    """Shared words of the names, shared parameters and shared identifiers, each as a share of all."""
    names = shared(frozenset(words_of(here.name)), frozenset(words_of(there.name)))
    one, other = site.words.identifiers(here), words.identifiers(there)
    parameters = shared(_parameters(here), _parameters(there))
    return names + 0.5 * parameters + shared(one, other)


def _parameters(function: FunctionNode) -> frozenset[str]:
    arguments = function.args
    names = {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    return frozenset(names - {"self", "cls"})


def adapted_statements(site: Site, kinds: tuple[type[ast.stmt], ...], limit: int = 10) -> tuple[Adapted, ...]:
    """Simple statements of sibling functions that this function has not, those that stood like this one first."""
    present = {site.source.segment(one) for one in site.own_statements()}
    found: list[tuple[float, int, Adapted]] = []
    seen: set[str] = set()
    for place, (words, there) in enumerate(siblings(site)):
        for donor in words.donors_of(there):
            if not isinstance(donor.statement, kinds):
                continue
            for turn, text in enumerate(islice(_texts(site, donor), 2)):
                if text in present or text in seen:
                    continue
                seen.add(text)
                score = place + 1.5 * turn - 1.5 * _stands_alike(site, donor)
                found.append((score, len(found), Adapted(text, type(donor.statement), donor.follower)))
    found.sort(key=lambda entry: entry[:2])
    return tuple(adapted for _, _, adapted in found[:limit])


def adapted_conditions(site: Site, limit: int = 6) -> tuple[str, ...]:
    """Conditions of sibling functions with the names of this place."""
    found: dict[str, None] = {}
    for words, there in siblings(site):
        for donor in words.conditions_of(there):
            found.update(dict.fromkeys(islice(_texts(site, donor), 2)))
    return tuple(found)[:limit]


def _stands_alike(site: Site, donor: Donor) -> bool:
    """Whether what stood after the donor is of this statement's kind, or the donor itself is."""
    return type(donor.follower) is type(site.statement) or type(donor.statement) is type(site.statement)


def _texts(site: Site, donor: Donor) -> Iterator[str]:
    """The donor as it would read here: with the word exchanged, then as it is, unknown names mapped."""
    assert site.function is not None
    there = donor.function.name if donor.function is not None else ""
    for text in dict.fromkeys((exchanged(donor.text, there, site.function.name), donor.text)):
        for own in _with_own_attributes(site, text):
            yield from _mapped(site, own, donor.binds)


def _with_own_attributes(site: Site, text: str) -> Iterator[str]:
    """The text with an attribute that the class here has not, for one that it has and this function does not use."""
    own_class = site.source.class_of(site.statement)
    used = dict.fromkeys(re.findall(r"\bself\.(\w+)(?![\w(])", text))
    if own_class is not None and used:
        own = site.words.attributes_of(own_class)
        strange = [name for name in used if name not in own]
        if len(strange) == 1 and own:
            present = site.words.identifiers(site.function)
            for name in [one for one in own if one not in present][:2]:
                yield re.sub(rf"\.{strange[0]}\b", f".{name}", text)
            return
    yield text


def _mapped(site: Site, text: str, binds: frozenset[str]) -> Iterator[str]:
    """The text with names that mean nothing here for those most like them; nothing if that leaves an attribute."""
    read = _read(text)
    if read is None or not all(site.knows_attribute(name) for name in read.attributes):
        return
    unknown = sorted(name for name in read.reads if not site.may_use(frozenset((name,)), binds))
    if len(unknown) > 2:
        return
    choices = [name for name in site.locals if name not in ("self", "cls")]
    rows = [sorted(choices, key=lambda name, old=old: -likeness(name, old)) for old in unknown]  # type: ignore[misc]
    if any(not row for row in rows):
        return
    for turn in range(2 if unknown else 1):
        names = {old: row[min(turn, len(row) - 1)] for old, row in zip(unknown, rows, strict=True)}
        if len(set(names.values())) == len(names) and not (set(names.values()) & read.names):
            yield _renamed(text, names)


@dataclass(frozen=True, slots=True)
class _Names:
    """Attributes, names read from around, and all names of a piece of code."""

    attributes: frozenset[str]
    reads: frozenset[str]
    names: frozenset[str]


@lru_cache(maxsize=8192)
def _read(text: str) -> _Names | None:
    """The names in a statement that may stand in a loop, or in an expression; None when it is neither."""
    for whole in (text, f"for _ in ():\n    {text}"):
        try:
            tree = ast.parse(whole)
        except SyntaxError:
            continue
        nodes = tuple(ast.walk(tree))
        return _Names(
            frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute)),
            names_in(tree),
            frozenset(node.id for node in nodes if isinstance(node, ast.Name)),
        )
    return None


def _renamed(text: str, names: dict[str, str]) -> str:
    return re.sub(r"(?<![\w.])[A-Za-z_]\w*", lambda found: names.get(found.group(), found.group()), text)
