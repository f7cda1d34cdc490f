"""The canonical enumeration: every candidate for one task, in one fixed order that depends on the evidence alone.

Orders of search (`autodev_lab.solvers.repair.orders`) are permutations of this list, so that candidates can be
evaluated in fixed chunks of it and kept by content, whatever order asks for them.
"""

from __future__ import annotations

import ast
import hashlib
import math
import textwrap
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from autodev_lab.pattern_rates import place_of
from autodev_lab.records import Candidate, Diagnosis, Edit, PatternContext, Suspect
from autodev_lab.solvers.repair.failures import failure_of
from autodev_lab.solvers.repair.ranking import rank_sites
from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.source import SourceFile, Splice, quiet
from autodev_lab.solvers.repair.template import Template
from autodev_lab.solvers.repair.templates import TEMPLATES

__all__ = ["Entry", "Enumeration", "Limits", "enumerate_candidates"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the space of repairs is enumerated.

    Parameters
    ----------
    sites
        Suspicious statements looked at, the most suspicious first (S).
    per_site
        Proposals taken from one template at one site.
    per_template
        Candidates of one template.
    candidates
        Candidates in all.
    """

    sites: int = 30
    per_site: int = 24
    per_template: int = 60
    candidates: int = 2000


@dataclass(frozen=True, slots=True)
class Entry:
    """One candidate of the enumeration.

    Parameters
    ----------
    index
        Its place in the canonical enumeration, from 0.
    candidate
        What it does.
    position
        Its place among the candidates of its template, from 0.
    suspiciousness
        Of the statement where it acts.
    rank
        That statement's place among the suspicious ones, from 0.
    context
        The kind of statement, the failure and the bucket of the rank: what is remembered of where it was tried.
    """

    index: int
    candidate: Candidate
    position: int
    suspiciousness: float
    rank: int
    context: PatternContext


@dataclass(frozen=True, slots=True)
class _Offer:
    """A proposal at a site, and the site's place among the suspicious ones."""

    rank: int
    site: Site
    proposal: Proposal


class Enumeration:
    """The candidates of one task, made as they are asked for.

    The canonical order goes in rounds: the most promising candidate of every template in catalogue order, then the
    second of every template, and so on. No two candidates are the same program, none is the program as it is, all
    compile. What a caller asks for first never changes what the enumeration is.

    Parameters
    ----------
    open_sites
        Gives the suspicious statements, most suspicious first; asked again after `rest`.
    templates
        Ways of changing, in catalogue order.
    limits
        How much is enumerated.
    failure
        Class of the first failing test's exception, part of every candidate's context.
    """

    def __init__(
        self,
        open_sites: Callable[[], Sequence[Site]],
        templates: Sequence[Template],
        limits: Limits,
        failure: str = "",
    ) -> None:
        self.patterns: tuple[str, ...] = tuple(one.name for one in templates)
        self._open_sites = open_sites
        self._templates = tuple(templates)
        self._limits = limits
        self._failure = failure
        self._queues: list[list[Entry]] = [[] for _ in templates]
        self._exhausted = [False] * len(templates)
        self._seen: set[bytes] = set()
        self._entries: list[Entry] = []
        self._rounds = 0
        self._offers: list[Iterator[_Offer]] | None = None

    def of(self, pattern: int, position: int) -> Entry | None:
        """The candidate of one template (its index) at a position, or None beyond its last."""
        while len(self._queues[pattern]) <= position and not self._exhausted[pattern]:
            self._round()
        queue = self._queues[pattern]
        return queue[position] if position < len(queue) else None

    def upto(self, count: int) -> tuple[Entry, ...]:
        """The first `count` candidates in canonical order, or all if there are fewer."""
        while len(self._entries) < count and not all(self._exhausted):
            self._round()
        return tuple(self._entries[:count])

    def all(self) -> tuple[Entry, ...]:
        """Every candidate in canonical order."""
        return self.upto(self._limits.candidates)

    def rest(self) -> None:
        """Let go of syntax trees, which take most of the memory; what is asked for later makes them again."""
        self._offers = None
        self._seen = set()

    def _opened(self) -> list[Iterator[_Offer]]:
        """Every template's offers, at the place where the last round left them."""
        if self._offers is None:
            sites = tuple(self._open_sites())
            self._offers = [self._ranked(one, sites) for one in self._templates]
            if self._rounds:
                rounds, self._rounds = self._rounds, 0
                self._queues = [[] for _ in self._templates]
                self._exhausted = [False] * len(self._templates)
                self._entries = []
                for _ in range(rounds):
                    self._round()
        return self._offers

    def _ranked(self, one: Template, sites: Sequence[Site]) -> Iterator[_Offer]:
        """A template's offers: early ones at very suspicious sites first.

        A proposal at place `turn` of its site's list is taken to be as likely as 1 / (turn + 2): offers go by the odds
        that the statement is at fault times that. An empty proposal only takes its place.
        """
        offers = [
            (round(math.log(turn + 2) - site.promise, 9), rank, turn, proposal)
            for rank, site in enumerate(sites)
            for turn, proposal in enumerate(islice(one.propose(site), self._limits.per_site))
            if proposal
        ]
        offers.sort(key=lambda offer: offer[:3])
        for _, rank, _, proposal in offers:
            yield _Offer(rank, sites[rank], proposal)

    def _round(self) -> None:
        with quiet():
            self._quiet_round()

    def _quiet_round(self) -> None:
        offers = self._opened()
        self._rounds += 1
        for number, pattern in enumerate(self.patterns):
            if self._exhausted[number]:
                continue
            queue = self._queues[number]
            found = self._next(offers[number])
            full = len(queue) >= self._limits.per_template or len(self._entries) >= self._limits.candidates
            if found is None or full:
                self._exhausted[number] = True
                continue
            offer, edits = found
            kind = type(offer.site.statement).__name__
            entry = Entry(
                len(self._entries),
                Candidate(edits, pattern),
                len(queue),
                offer.site.suspiciousness,
                offer.rank,
                PatternContext(kind, self._failure, place_of(offer.rank)),
            )
            queue.append(entry)
            self._entries.append(entry)

    def _next(self, offers: Iterator[_Offer]) -> tuple[_Offer, tuple[Edit, ...]] | None:
        for offer in offers:
            edits = _checked(offer.site, offer.proposal, self._seen)
            if edits is not None:
                return offer, edits
        return None


def enumerate_candidates(
    read: Callable[[str], str],
    suspects: Sequence[Suspect],
    diagnosis: Diagnosis,
    *,
    templates: Sequence[Template] = TEMPLATES,
    limits: Limits | None = None,
) -> Enumeration:
    """The canonical enumeration for one task.

    Parameters
    ----------
    read
        Text of a source file by its path.
    suspects
        Suspicious lines, the most suspicious first.
    diagnosis
        Its failure messages help to rank statements that are equally suspicious.
    templates
        Which ways of changing to use.
    limits
        How many; the defaults unless given.
    """
    limits = limits or Limits()
    most = limits.sites
    return Enumeration(
        lambda: rank_sites(read, suspects, diagnosis)[:most], templates, limits, failure_of(diagnosis.messages)
    )


# ------------------------------------------------------------------------------------------------------- checking


def _checked(site: Site, proposal: Proposal, seen: set[bytes]) -> tuple[Edit, ...] | None:
    """Edits of a proposal, or None when it does not compile, changes nothing, or is known already."""
    unit = site.source.unit_of(site.statement)
    try:
        edits = site.source.edits(proposal)
    except ValueError:
        return None
    before = _unit_key(site.source, unit)
    after = _compiled(_spliced(site.source, unit, proposal))
    if after is None or after == before:
        return None
    place = f"{site.source.path}:{site.source.first_line(unit)}\n"
    key = hashlib.sha256((place + after).encode("utf-8", "surrogatepass")).digest()
    if key in seen:
        return None
    seen.add(key)
    return edits


def _unit_key(source: SourceFile, unit: ast.stmt) -> str | None:
    cache: dict[ast.stmt, str | None] = source.__dict__.setdefault("unit_keys", {})
    if unit not in cache:
        cache[unit] = _compiled(_spliced(source, unit, ()))
    return cache[unit]


def _spliced(source: SourceFile, unit: ast.stmt, proposal: Sequence[Splice]) -> str:
    """The unit's own lines after the splices; a splice right below the unit belongs to it."""
    start = source.line_start(source.first_line(unit))
    end = source.line_start((unit.end_lineno or unit.lineno) + 1)
    pieces: list[str] = []
    cursor = start
    for splice in sorted(proposal):
        pieces += [source.between(cursor, splice.start), splice.text]
        cursor = splice.end
    pieces.append(source.between(cursor, max(end, cursor)))
    return "".join(pieces)


def _compiled(text: str) -> str | None:
    """What a unit compiles to, as a text without positions; None when it does not compile."""
    block = "class _:\n" + textwrap.indent(text, " ", lambda line: True) if text[:1] in " \t" else text
    try:
        code = compile(block, "<unit>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, OverflowError):
        return None
    return "\n".join(_code_parts(code))


def _code_parts(code: types.CodeType) -> Iterator[str]:
    yield repr((code.co_name, code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
    yield code.co_exceptiontable.hex()
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code_parts(constant)
        elif isinstance(constant, frozenset):
            yield repr(sorted(map(repr, constant)))
        else:
            yield f"{type(constant).__name__} {constant!r}"
