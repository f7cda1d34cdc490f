"""Older code put back into a newer package, one change at a time: as if a fix had never been made.

Two versions of a file are compared function by function, by qualified name. A function whose code changed gives one
reversal: its older text in place of the newer one, together with what the older text needs and the newer file no longer
has (helpers, constants, imports). The whole file's changes together give another, for changes that only make sense
together. Functions that are new have no older code; their absence would be a missing feature, not a bug.
"""

from __future__ import annotations

import ast
import difflib
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autodev_lab.execution.trees import split_lines
from autodev_lab.records import Edit
from autodev_lab.streams.units import Module, Unit, free_names, own_attributes

__all__ = ["MOST_PLACES", "FileChange", "Place", "Reversal", "together"]

Place = tuple[str, str]
"""A file and the qualified name of a function or an assignment in it."""

MOST_PLACES = 5
"""Changed functions and assignments that a joint reversal may have; more is a rewrite, which is no one's bug."""

_METADATA = re.compile(r"__\w+__|(?i:.*version.*)")


@dataclass(frozen=True, slots=True)
class Reversal:
    """A change taken back.

    Parameters
    ----------
    edits
        What to do to the newer package.
    places
        The functions and assignments that get their older code, in source order.
    reach
        Lines of the newer package (path, first, last) that run when one of these functions is called.
    at_import
        Whether more than the insides of functions changes, so that any test may notice.
    interface_changed
        Whether a function takes other parameters than before: more a feature than a fix.
    identity
        Equal for equal changes, whatever release they are in.
    """

    edits: tuple[Edit, ...]
    places: tuple[Place, ...]
    reach: tuple[tuple[str, int, int], ...]
    at_import: bool
    interface_changed: bool
    identity: str


class FileChange:
    r"""What changed in one file between two versions of a package.

    Parameters
    ----------
    path
        The file in the newer package.
    older, newer
        Its texts.

    Raises
    ------
    SyntaxError
        If a text is not Python of this version.

    Examples
    --------
    >>> older = "def low(a, b):\n    return a\n\n\ndef high(a):\n    return a\n"
    >>> newer = "def low(a, b):\n    return min(a, b)\n\n\ndef high(b):\n    return b  # the same\n"
    >>> change = FileChange("m.py", older, newer)
    >>> [unit.qualname for _, unit in change.changed]
    ['low', 'high']
    >>> list(change.reversals())[0].edits
    (Edit(path='m.py', start_line=2, end_line=2, replacement='    return a\n'),)
    """

    def __init__(self, path: str, older: str, newer: str) -> None:
        self.path = path
        self.older = Module(_with_line_ends_of(newer, older))
        self.newer = Module(newer)
        pairs = [
            (before, after)
            for name, after in self.newer.units.items()
            if (before := self.older.units.get(name)) is not None and _is_code(before) and _is_code(after)
        ]
        different = [pair for pair in pairs if self.older.source(pair[0]) != self.newer.source(pair[1])]
        self.changed = [pair for pair in different if pair[0].code != pair[1].code]
        """Functions and assignments whose code differs, (older, newer), in the newer file's order."""
        self.relaid = len(different) - len(self.changed)
        """Functions and assignments whose text differs and whose code does not."""
        self.unresolved = 0
        """Reversals that `reversals` left out: the older code needs what cannot be put back with it."""

    @property
    def size(self) -> int:
        """Functions and assignments that changed, came or went."""
        older, newer = (
            {name for name, unit in module.units.items() if _is_code(unit)} for module in (self.older, self.newer)
        )
        return len(self.changed) + len(older ^ newer)

    def reversals(self) -> Iterator[Reversal]:
        """One reversal a changed function or assignment."""
        self.unresolved = 0
        for before, after in self.changed:
            helpers = self._helpers(before)
            if helpers is None:
                self.unresolved += 1
                continue
            yield self._single(before, after, helpers)

    def _single(self, before: Unit, after: Unit, helpers: Sequence[Unit]) -> Reversal:
        inside = [one for one in helpers if one.owner]
        outside = [one for one in helpers if not one.owner]
        indent = self.newer.indent(after)
        edits = []
        if outside:
            text = "".join(self._text(one, "") + "\n" for one in outside)
            edits.append(Edit(self.path, after.top, after.top - 1, text))
        members = "".join(self._text(one, indent) + "\n" for one in inside)
        edits.append(self._replacement(after, members + self._text(before, indent)))
        return Reversal(
            tuple(edits),
            ((self.path, after.qualname),),
            ((self.path, *after.body_lines),) if after.is_function else (),
            not after.is_function,
            before.interface != after.interface,
            f"1\n{after.qualname}\n{before.code}\n{after.code}",
        )

    def _replacement(self, after: Unit, text: str) -> Edit:
        """The edit that puts a text in a unit's place, without the lines at both ends that stay as they are."""
        new = split_lines(text)
        old = self.newer.lines[after.first - 1 : after.last]
        start = 0
        while start < min(len(old), len(new)) and old[start] == new[start]:
            start += 1
        end = 0
        while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
            end += 1
        return Edit(self.path, after.first + start, after.last - end, "".join(new[start : len(new) - end]))

    def _text(self, unit: Unit, indent: str) -> str:
        """A unit's older text, with the white space before it that it has to have in the newer file."""
        if unit.is_import:
            return _import_of(unit)
        text = self.older.source(unit)
        return text if self.older.indent(unit) == indent else textwrap.indent(textwrap.dedent(text), indent)

    def _helpers(self, unit: Unit) -> list[Unit] | None:
        """Older units that a unit needs and the newer file does not have, with what they need in turn.

        None when something is needed that was bound in a way that cannot be put back alone (by an ``if``, say).
        """
        found: dict[str, Unit] = {}
        waiting = [unit]
        while waiting:
            one = waiting.pop()
            names = [name for name in free_names(one.node) if name in self.older.names - self.newer.names]
            gone = self.older.members.get(one.owner, frozenset()) - self.newer.members.get(one.owner, frozenset())
            names += [f"{one.owner}.{name}" for name in own_attributes(one.node) if name in gone]
            for name in sorted(names):
                helper = self.older.units.get(name)
                if helper is None:
                    return None
                if name not in found and name != unit.qualname:
                    found[name] = helper
                    waiting.append(helper)
        return sorted(found.values(), key=lambda one: (one.first, one.qualname))


def together(changes: Sequence[FileChange]) -> Reversal | None:
    """All changes of some files taken back at once; None when no function changed, or when it is a rewrite.

    Parameters
    ----------
    changes
        The files, in order.
    """
    pairs = [(change.path, before, after) for change in changes for before, after in change.changed]
    size = sum(change.size for change in changes)
    if not any(after.is_function for _, _, after in pairs) or size > MOST_PLACES:
        return None
    return Reversal(
        tuple(edit for change in changes for edit in _hunks(change)),
        tuple((path, after.qualname) for path, _, after in pairs),
        tuple((path, *after.body_lines) for path, _, after in pairs if after.is_function),
        True,
        any(before.interface != after.interface for _, before, after in pairs),
        f"{size}\n" + "\n".join(f"{after.qualname}\n{before.code}\n{after.code}" for _, before, after in pairs),
    )


def _is_code(unit: Unit) -> bool:
    """Whether a unit can be faulty: imports only make names known, and a version number is meant to change."""
    return not unit.is_import and not (not unit.is_function and _METADATA.fullmatch(unit.qualname.rpartition(".")[2]))


def _import_of(unit: Unit) -> str:
    """The import of one name alone: its neighbours in the older file may no longer be there to be imported."""
    node = unit.node
    assert isinstance(node, ast.Import | ast.ImportFrom)
    alias = next(one for one in node.names if unit.qualname in (one.asname, one.name.partition(".")[0]))
    one = ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level)
    return ast.unparse(one) + "\n"


def _hunks(change: FileChange) -> Iterator[Edit]:
    """Edits that turn the newer file into the older one."""
    older, newer = change.older.lines, change.newer.lines
    matcher = difflib.SequenceMatcher(None, newer, older, autojunk=False)
    for tag, first, last, start, end in matcher.get_opcodes():
        if tag != "equal":
            yield Edit(change.path, first + 1, last, "".join(older[start:end]))


def _with_line_ends_of(model: str, text: str) -> str:
    plain = text.replace("\r\n", "\n")
    return plain.replace("\n", "\r\n") if "\r\n" in model else plain
