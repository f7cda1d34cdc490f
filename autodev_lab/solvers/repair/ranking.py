"""Which suspicious statements a repair looks at first: by spectrum, failures' stacks, and failing tests' names.

A spectrum alone leaves long ties: one failing test executes every line of the functions it runs. Learning-to-rank
localisation breaks them with further evidence (Xuan and Monperrus 2014, "Learning to combine multiple ranking metrics
for fault localization", ICSME; Sohn and Yoo 2017, "FLUCCS: using code and change metrics to improve fault
localization", ISSTA). Kinds of statement are no evidence here: they would tell how bugs were injected.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autodev_lab.records import Diagnosis, Suspect
from autodev_lab.solvers.repair.site import Site
from autodev_lab.solvers.repair.source import SourceFile, parse_source

__all__ = ["WEIGHTS", "rank_sites"]

WEIGHTS: Mapping[str, float] = {"spectrum": 3.0, "line": 0.6, "function": 1.5, "name": 0.5, "size": -0.6}
"""Log-odds that a statement is the faulty one, for a unit of each piece of evidence (see `_Evidence`).

Conditional logit fitted to 173 bugs injected into the thirteen packages marked `development`, rounded. Leaving one
package out at a time, the faulty statement is among the first five for 72 % (spectrum and line of failure alone: 67 %).
"""

_DONOR_FILES = 3
"""Other suspicious files that a statement's repair may take code from."""


def rank_sites(read: Callable[[str], str], suspects: Sequence[Suspect], diagnosis: Diagnosis) -> list[Site]:
    """Suspicious statements, the most promising first.

    A statement is as suspicious as its most suspicious line; among equals the order is by path and line. Headers of
    suspicious functions (their defaults run at import, where no test is to blame) and the module-level statements those
    functions read come last.

    Parameters
    ----------
    read
        Text of a source file by its path.
    suspects
        Suspicious lines.
    diagnosis
        Names the failing tests and holds their messages.
    """
    best: dict[ast.stmt, tuple[SourceFile, float]] = {}
    for suspect in suspects:
        source = parse_source(suspect.path, read(suspect.path))
        statement = source.statement_at(suspect.line) if source is not None else None
        if source is None or statement is None:
            continue
        _, score = best.get(statement, (source, 0.0))
        best[statement] = (source, max(score, suspect.suspiciousness))
    sources = tuple(dict.fromkeys(source for source, _ in best.values()))
    sites = [
        Site(source, statement, score, others=tuple(one for one in sources if one is not source)[:_DONOR_FILES])
        for statement, (source, score) in best.items()
    ]
    evidence = _Evidence.of(sites, diagnosis)
    for site in sites:
        site.promise = round(evidence.promise(site), 9)
    sites.sort(
        key=lambda site: (
            -site.promise,
            site.source.path,
            site.statement.lineno,
            site.statement.col_offset,
        )
    )
    return _with_headers(sites)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What is known beside the spectrum.

    ``frames`` are (path, line) that failures name, ``words`` those of the failing tests' names, ``sizes`` the
    suspicious statements of each function: suspicion is shared out among them.
    """

    frames: frozenset[tuple[str, int]]
    words: frozenset[str]
    sizes: Mapping[ast.AST | None, int]

    @classmethod
    def of(cls, sites: Sequence[Site], diagnosis: Diagnosis) -> _Evidence:
        """Gather it for one task."""
        names = (part for test in diagnosis.failing for part in test.partition("[")[0].split("::")[1:])
        return cls(
            frozenset(_frames(diagnosis.messages)),
            frozenset(word for name in names for word in _words(name)),
            Counter(site.function for site in sites),
        )

    def promise(self, site: Site) -> float:
        """Log-odds, up to a constant, that the statement is the faulty one."""
        function, path = site.function, site.source.path
        lines = [line for other, line in self.frames if path == other or path.endswith(f"/{other}")]
        seen = {
            "spectrum": math.log(max(site.suspiciousness, 1e-3)),
            "line": float(site.statement.lineno in lines),
            "function": float(function is not None and any(_holds(function, line) for line in lines)),
            "name": _share(_words(function.name) if function is not None else frozenset(), self.words),
            "size": math.log1p(self.sizes[function]),
        }
        return sum(WEIGHTS[name] * value for name, value in seen.items())


def _holds(function: ast.FunctionDef | ast.AsyncFunctionDef, line: int) -> bool:
    return function.lineno <= line <= (function.end_lineno or function.lineno)


def _words(name: str) -> frozenset[str]:
    """Words of an identifier, in lower case; what every test is called is left out."""
    parts = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower())
    return frozenset(part for part in parts if len(part) > 1 and part not in ("test", "tests"))


def _share(words: frozenset[str], others: frozenset[str]) -> float:
    return len(words & others) / len(words) if words else 0.0


def _with_headers(sites: Sequence[Site]) -> list[Site]:
    """The sites, each function's header after the first few of its statements, module-level statements at the end."""
    result: list[Site] = []
    known = {site.statement for site in sites}
    counts: dict[ast.stmt, int] = {}
    outside: dict[ast.stmt, Site] = {}
    for site in sites:
        result.append(site)
        function = site.function
        if function is None or function is site.statement:
            continue
        counts[function] = counts.get(function, 0) + 1
        if function not in known and _has_defaults(function):
            known.add(function)
            result.append(_lesser(site, function, 2))
        for statement in site.source.tree.body:
            if isinstance(statement, ast.Assign) and statement not in known and statement not in outside:
                names = {
                    node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name)
                }
                if names & set(site.reads):
                    outside[statement] = _lesser(site, statement, 4)
    return [*result, *outside.values()]


def _lesser(site: Site, statement: ast.stmt, times: int) -> Site:
    """A statement that is suspicious because another is, so many times less than that."""
    return Site(
        site.source, statement, site.suspiciousness / times, round(site.promise - math.log(times), 9), site.others
    )


def _has_defaults(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return bool(function.args.defaults or function.args.kw_defaults or function.decorator_list)


_FRAME = re.compile(r"([\w./-]+\.py)(?::|\", line )(\d+)")


def _frames(messages: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Files and lines that failure messages name."""
    for message in messages:
        yield from ((path, int(line)) for path, line in _FRAME.findall(message))
