"""What a key takes, in words, and how a value is shown: for messages, for `config show` and for the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin
from urllib.parse import urlsplit, urlunsplit

import annotated_types
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from autodev_lab.config.document import Key
from autodev_lab.config.problems import did_you_mean
from autodev_lab.config.schema import Settings, section_at
from autodev_lab.config.values import Allowed

__all__ = [
    "MASK",
    "allowed_at",
    "field_at",
    "given",
    "is_optional",
    "is_secret",
    "meant_by",
    "reads_of",
    "shown",
    "variable_of",
]

MASK = "********"
"""Stands for a secret."""

_LONGEST = 40

_TOKEN = re.compile(r"(?=[^\s]*[0-9])(?=[^\s]*[A-Za-z])[^\s]{16,}|(?:gh[a-z]|sk|lin|xox[a-z]|hf|glpat)[_-]\S{8,}")
"""What is long, without a space, of letters and digits: a key that slipped into a wrong line, most often."""


def field_at(key: Key) -> FieldInfo | None:
    """The schema's field of a path; of the whole list for a place in it."""
    names = tuple(part for part in key if isinstance(part, str))
    section = section_at(names[:-1])
    return section.model_fields.get(names[-1]) if section is not None and names else None


def allowed_at(key: Key) -> str:
    """What is allowed at a path.

    Examples
    --------
    >>> allowed_at(("decision_engine", "auto_deploy_threshold"))
    'a number from 0 to 1'
    >>> allowed_at(("r2r", "collections", 0))
    'one of codebase, tasks, patterns, decisions'
    """
    field = field_at(key)
    if field is None:
        return f"a section with {_keys(section_at(()) or Settings)}"
    words, inner = _words(field.annotation, field.metadata)
    return inner if isinstance(key[-1], int) and inner else words


def is_secret(key: Key) -> bool:
    """Whether the value of a key is never shown."""
    field = field_at(key)
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def reads_of(field: FieldInfo) -> tuple[str, ...]:
    """The commands that read a key."""
    reads = _about(field, "reads")
    return tuple(str(one) for one in reads) if isinstance(reads, list) else ()


def variable_of(field: FieldInfo) -> str:
    """The environment's variable whose value goes before that of every file; empty if there is none."""
    return str(_about(field, "variable") or "")


def is_optional(field: FieldInfo) -> bool:
    """Whether what uses the key does without it."""
    return bool(_about(field, "optional"))


def shown(value: object) -> str:
    """A value as the file would have it; a secret as stars, and a URL without its password."""
    if isinstance(value, SecretStr):
        return " ".join(map(_without_password, value.get_secret_value().split(" ")))
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, tuple):
        return "[" + ", ".join(str(one) for one in value) + "]"
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, int | float) else str(value)


def given(value: object) -> str:
    """A value that is not allowed, as short as it takes to recognise it."""
    if value == []:
        return "an empty list"
    if isinstance(value, str) and _TOKEN.fullmatch(value.strip()):
        return "something that looks like a secret"
    text = repr(value) if isinstance(value, str) else "empty" if value is None else shown(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def meant_by(value: object, allowed: str) -> str:
    """What was meant instead of a value that is not allowed; empty if nobody knows.

    Examples
    --------
    >>> meant_by("80%", "a number from 0 to 1"), meant_by("Learned", "one of published, learned")
    ('0.8', "'learned'")
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    if allowed.startswith("one of "):
        near = did_you_mean(value, allowed.removeprefix("one of ").split(", ")) if isinstance(value, str) else ""
        return near.removeprefix("; did you mean ").removesuffix("?")
    if not allowed.startswith("a number"):
        return ""
    text = str(value).strip()
    try:
        number = float(text.removesuffix("%").replace(",", "."))
    except ValueError:
        return ""
    share = allowed.endswith("from 0 to 1") and 2 <= number <= 100
    return f"{number / 100:g}" if text.endswith("%") or share else f"{number:g}" if "," in text else ""


def _about(field: FieldInfo, what: str) -> object:
    extra = field.json_schema_extra
    return extra.get(what) if isinstance(extra, dict) else None


def _without_password(text: str) -> str:
    """Stars, but for URLs, which keep all that is no secret in them."""
    if "://" not in text:
        return MASK
    parts = urlsplit(text)
    _, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, f"{MASK}@{host}" if at else host, parts.path, MASK if parts.query else "", ""))


def _words(annotation: object, metadata: Iterable[object]) -> tuple[str, str]:
    """What is allowed, and what is in each place of a list."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _words(inner, (*_flat(more), *metadata))
    if get_origin(annotation) in (Union, UnionType):
        (inner,) = (one for one in get_args(annotation) if one is not NoneType)
        return _words(inner, metadata)
    marks = [one.words for one in metadata if isinstance(one, Allowed)]
    if get_origin(annotation) is tuple:
        each, _ = _words(get_args(annotation)[0], ())
        return f"a list ({'; '.join([each, *marks])})", each
    if marks:
        return marks[-1], ""
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(map(str, get_args(annotation)))}", ""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a section with {_keys(annotation)}", ""
    if annotation is bool:
        return "true or false", ""
    return f"{'a whole number' if annotation is int else 'a number'}{_range(metadata)}", ""


def _flat(metadata: Iterable[object]) -> Iterator[object]:
    for one in metadata:
        if isinstance(one, FieldInfo):
            yield from one.metadata
        else:
            yield one


def _range(metadata: Iterable[object]) -> str:
    low = high = ""
    for one in metadata:
        match one:
            case annotated_types.Ge(ge):
                low = f"from {ge:g}" if isinstance(ge, int | float) else ""
            case annotated_types.Gt(gt):
                low = f"above {gt:g}" if isinstance(gt, int | float) else ""
            case annotated_types.Le(le):
                high = f"to {le:g}" if (isinstance(le, int) and le < 10**6) or isinstance(le, float) else f"to {le}"
            case annotated_types.Lt(lt):
                high = f"below {lt:g}" if isinstance(lt, int | float) else ""
    if low.startswith("above") and high.startswith("to"):
        high = f"up {high}"
    joined = " and ".join((low, high)) if high.startswith("below") else f"{low} {high}"
    return f" {joined}".rstrip()


def _keys(section: type[BaseModel]) -> str:
    return ", ".join(section.model_fields)
