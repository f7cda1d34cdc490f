"""YAML as plain data with the place of every key, so that messages can point; keys given twice are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from autodev_lab.config.problems import Place, Problem

__all__ = ["Document", "Key", "key_text", "read_document"]

Key = tuple[str | int, ...]
"""Path of a value: names of keys, and places in lists from 0."""

MOST_NODES = 10_000
"""Keys and values of a document at most; aliases count as often as they are used."""

_PRIVATE = ("integrations", "r2r")
"""Sections whose numbers may be somebody's password."""

_TAGS = "tag:yaml.org,2002:"
_CLOCK = re.compile(r"[-+]?[0-9][0-9_]*:")
_OCTAL = re.compile(r"[-+]?0[0-9_]+\Z")
_QUOTED = re.compile(r"'([^']*)'")
_HINTS = {
    r"'\t'": "indent with spaces",
    "that cannot start any token": "put the text in quotes",
    "mapping values are not allowed": "put a text with a colon in quotes, or mend the indentation",
    "expected <block end>": "mend the indentation",
    "could not find expected ':'": "a colon and a space belong behind each key",
    "while scanning a quoted scalar": "close the quotes",
    "undefined alias": "put the text in quotes",
    "expected a comment or a line break": "put a text that begins with > or | in quotes",
    "another document": "keep one, without ---",
    "flow mapping": "put ${...} in quotes, or mend the braces",
    "flow sequence": "put ${...} in quotes, or mend the brackets",
    "unknown escape": "take single quotes, or double the backslash",
}


def key_text(key: Key) -> str:
    """A path as people write it.

    Examples
    --------
    >>> key_text(("r2r", "collections", 1))
    'r2r.collections[1]'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says.

    Parameters
    ----------
    data
        Mappings, lists and scalars.
    places
        Where each value's key is, or the value itself in a list.
    texts
        Where the characters of a text begin that stands in the file as it is: on one line and without escapes.
    """

    data: Mapping[str, object]
    places: Mapping[Key, Place] = field(default_factory=dict)
    texts: Mapping[Key, Place] = field(default_factory=dict)


class _Refused(Exception):
    """A document that is not walked any further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read_document(text: str, file: str) -> tuple[Document, tuple[Problem, ...]]:
    """Read a YAML document that is one mapping.

    Parameters
    ----------
    text
        Of the file.
    file
        Its name, for messages. They never repeat what stands in the file but for the names of keys.

    Returns
    -------
    tuple
        The document, as far as it could be read, and everything that is wrong with it.

    Examples
    --------
    >>> document, problems = read_document("learning:\\n  learning_rate: 0.1\\n  learning_rate: 0.2\\n", "mine.yaml")
    >>> print(problems[0])
    mine.yaml:3:3: learning.learning_rate is given twice, first in line 2; keep one
    """
    loader: yaml.SafeLoader | None = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            raise _Refused(Problem(file, "", "is empty; give at least one section, like decision_engine"))
        if not isinstance(node, yaml.MappingNode):
            raise _Refused(
                Problem(file, "", "holds no sections; begin with one, like `decision_engine:`", _place(node))
            )
        walker = _Walker(loader, file)
        data = walker.mapping(node, ())
    except yaml.YAMLError as error:
        return Document({}), (_not_yaml(error, file),)
    except _Refused as refused:
        return Document({}), (refused.problem,)
    except RecursionError:
        return Document({}), (Problem(file, "", "is nested too deeply to be a configuration"),)
    finally:
        if loader is not None:
            loader.dispose()
    return Document(data, walker.places, walker.texts), tuple(walker.problems)


class _Walker:
    """Goes through a document once, in the order of the file."""

    def __init__(self, loader: yaml.SafeLoader, file: str) -> None:
        self.places: dict[Key, Place] = {}
        self.texts: dict[Key, Place] = {}
        self.problems: list[Problem] = []
        self._loader = loader
        self._file = file
        self._nodes = 0
        self._open: list[yaml.Node] = []

    def mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, object]:
        found: dict[str, object] = {}
        self._open.append(node)
        for name_node, value_node in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                self._note(key, "has a key that is no name; a key is one word", _place(name_node))
                continue
            name = str(name_node.value)
            inner = (*key, name)
            if name_node.tag == f"{_TAGS}merge":
                self._note(inner, "is YAML's merge, which is not read here; write the keys out", _place(name_node))
            elif name in found:
                first = self.places[inner].line
                self._note(inner, f"is given twice, first in line {first}; keep one", _place(name_node))
            else:
                self.places[inner] = _place(name_node)
                found[name] = self._value(value_node, inner)
        self._open.pop()
        return found

    def _value(self, node: yaml.Node, key: Key) -> object:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _Refused(Problem(self._file, "", f"holds more than {MOST_NODES} values; that is no configuration"))
        if node in self._open:
            raise _Refused(Problem(self._file, key_text(key), "holds itself; write its values out", _place(node)))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            self._open.append(node)
            items: list[object] = []
            for index, item in enumerate(node.value):
                self.places[*key, index] = _place(item)
                items.append(self._value(item, (*key, index)))
            self._open.pop()
            return items
        return self._scalar(node, key)

    def _scalar(self, node: yaml.Node, key: Key) -> object:
        raw = str(node.value)
        plain = node.start_mark.index + len(raw) == node.end_mark.index
        quoted = node.start_mark.index + len(raw) + 2 == node.end_mark.index
        if raw and "\n" not in raw and (plain or quoted):
            self.texts[key] = Place(node.start_mark.line + 1, node.start_mark.column + 1 + quoted)
        number = node.tag in (f"{_TAGS}int", f"{_TAGS}float")
        if number and (_CLOCK.match(raw) or _OCTAL.match(raw)):
            shown = "a number" if key[0] in _PRIVATE else raw
            self._note(
                key, f"is {shown}, which YAML reads as another number than it looks; write it plainly", _place(node)
            )
            return None
        try:
            return self._loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError):
            # a tag of the user's makes the parser read what was never of that kind
            self._note(key, "has a value that YAML cannot read; mend it, or put a text in quotes", _place(node))
            return None

    def _note(self, key: Key, message: str, place: Place) -> None:
        self.problems.append(Problem(self._file, key_text(key), message, place))


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _safe(found: re.Match[str]) -> str:
    """Words of the parser, and single characters of the file; a word of the file may be a secret."""
    return found[0] if len(found[1]) <= 2 or found[1].startswith("<") else "'...'"


def _not_yaml(error: yaml.YAMLError, file: str) -> Problem:
    """What the parser could not read, without the words of the file, which may be a secret's."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        hints = [hint for sign, hint in _HINTS.items() if sign in said]
        safe = _QUOTED.sub(_safe, error.problem or "it cannot be read")
        place = Place(mark.line + 1, mark.column + 1) if mark is not None else None
        return Problem(file, "", f"is not YAML: {safe}{'; ' + hints[0] if hints else '; correct it'}", place)
    if isinstance(error, yaml.reader.ReaderError):
        return Problem(file, "", f"is not YAML: character {error.position + 1} cannot stand in a text; take it out")
    return Problem(file, "", "is not YAML; correct it")
