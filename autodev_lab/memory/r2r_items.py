"""How an item lies in R2R: a document of one chunk, whose text is what is searched and whose metadata are the rest.

PostgreSQL's full-text search splits text in its own way: it takes ``package.module.f`` for a host name and leaves
``leapYear`` whole. The words of such identifiers are therefore written behind the text, and a query is split alike.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields
from uuid import UUID, uuid5

from pydantic import BaseModel, JsonValue

from autodev_lab.errors import LabError
from autodev_lab.integrations.r2r import Chunk
from autodev_lab.memory.words import name_of, tokenize
from autodev_lab.records import MemoryItem

__all__ = [
    "EVERYTHING",
    "document_id",
    "filters_for",
    "id_filter",
    "item_of",
    "metadata_of",
    "newer_than",
    "text_of",
    "text_query",
    "write_of",
]

EVERYTHING = "-autodevlabmatchesnothing"
"""A query of PostgreSQL's full-text search that every text answers: all that do not have this word."""

_LONGEST_SEARCHED = 20_000
_NAME_WEIGHT = 2
_ENDLESS = 1e300
_RUN = re.compile(r"[^\W_]+(?:[._/:@+-]*[^\W_]+)*")
_SPLIT_ALIKE = re.compile(r"(?:[a-z]+|\d+|[A-Z]+|[A-Z][a-z]+)(?:_+(?:[a-z]+|\d+|[A-Z]+|[A-Z][a-z]+))*")
_WORD = re.compile(r"[^\W_]+")


class _Stored(BaseModel):
    autodev_item: str
    autodev_text: tuple[int, int]


def document_id(memory: UUID, item_id: str) -> UUID:
    """The id of an item's document: it follows from the item's, so that R2R refuses to store an item twice."""
    return uuid5(memory, item_id.encode("utf-8", "surrogatepass").hex())


def text_of(item: MemoryItem) -> str:
    """What R2R searches of an item: name, text, and the words of identifiers that PostgreSQL does not split.

    Examples
    --------
    >>> text_of(MemoryItem("codebase", "def leapYear(year): ...", {"name": "calendar.leapYear"}))
    'calendar.leapYear\\ndef leapYear(year): ...\\nleap year calendar leap year calendar leap year'
    """
    name, text = _storable(name_of(item)), _storable(item.text)
    words = [*_hidden_words(text), *_NAME_WEIGHT * tokenize(name)]
    return "\n".join(part for part in (name, text, " ".join(words)) if part.strip()) or "."


def _storable(text: str) -> str:
    # PostgreSQL takes no NUL, UTF-8 no half of a surrogate pair, and a text index no more than a megabyte
    return text[:_LONGEST_SEARCHED].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _hidden_words(text: str) -> list[str]:
    words: list[str] = []
    for run in _RUN.findall(text):
        if not _SPLIT_ALIKE.fullmatch(run):
            words.extend(tokenize(run))
    return words


def text_query(query: str) -> str:
    """A query for PostgreSQL's web search: any of its words, split as those of items are; empty without words.

    Examples
    --------
    >>> text_query("leapYear or calendar_date?")
    'leap or year or calendar or date'
    """
    words = [word for run in _WORD.findall(query) for word in (tokenize(run) if run.isascii() else (run.lower(),))]
    return " or ".join(word for word in dict.fromkeys(words) if word != "or")


def metadata_of(item: MemoryItem, collection: UUID, write: str) -> dict[str, JsonValue]:
    """What R2R keeps of an item beside its text: the item itself, and what it is filtered by.

    Parameters
    ----------
    write
        Names this act of writing, so that a writer who got no answer knows its own item again.
    """
    content = {one.name: getattr(item, one.name) for one in fields(item) if getattr(item, one.name) != one.default}
    content["facts"] = dict(item.facts)
    place = text_of(item).find(item.text)
    if place >= 0:
        del content["text"]  # R2R has it; every search reads the metadata of all chunks, so they had better be short
    return {
        "autodev_collection": str(collection),
        "autodev_id": json.dumps(item.id),
        "autodev_sequence": item.sequence,
        "autodev_write": write,
        "autodev_facts": [_fact(key, str(value)) for key, value in item.facts.items()],
        "autodev_valid_from": _finite(item.valid_from),
        "autodev_valid_until": _finite(item.valid_until),
        "autodev_text": [place, place + len(item.text)],
        "autodev_item": json.dumps(content),  # as a text: JSON in PostgreSQL knows neither NUL nor infinity
    }


def item_of(chunk: Chunk) -> MemoryItem:
    """The item that a chunk is.

    Raises
    ------
    LabError
        If something else wrote into the chunk's metadata.
    """
    try:
        stored = _Stored.model_validate(chunk.metadata)
        start, end = stored.autodev_text
        return MemoryItem(**{"text": chunk.text[start:end], **json.loads(stored.autodev_item)})
    except (ValueError, TypeError) as error:
        raise LabError(
            f"something else wrote into R2R's document {chunk.document_id}, which was an item of the lab's; delete it"
        ) from error


def write_of(chunk: Chunk) -> str:
    """The act of writing that a chunk comes from."""
    return str(chunk.metadata.get("autodev_write", ""))


def filters_for(collection: UUID, facts: Mapping[str, str], at: float | None) -> dict[str, JsonValue]:
    """R2R's filters for items of a collection with these facts, valid at a time.

    The collection is filtered by metadata: without any filter R2R searches every collection, its own filter by
    collection is dropped for users who are no superusers, and a chunk that is being changed is in no collection for a
    moment. Facts are filtered as values, because R2R writes the keys of its filters into its SQL as they are.
    """
    filters: dict[str, JsonValue] = {"metadata.autodev_collection": {"$eq": str(collection)}}
    if facts:
        filters["metadata.autodev_facts"] = {"$contains": [_fact(key, value) for key, value in facts.items()]}
    if at is not None:
        filters["metadata.autodev_valid_from"] = {"$lte": _finite(at)}
        filters["metadata.autodev_valid_until"] = {"$gt": _finite(at)}
    return filters


def newer_than(sequence: int, up_to: int | None = None) -> dict[str, JsonValue]:
    """R2R's filter for items with a sequence number greater than one, and at most another."""
    if up_to is None:
        return {"metadata.autodev_sequence": {"$gt": sequence}}
    return {
        "$and": [
            {"metadata.autodev_sequence": {"$gt": sequence}},
            {"metadata.autodev_sequence": {"$lte": up_to}},
        ]
    }


def id_filter(ids: tuple[str, ...]) -> dict[str, JsonValue]:
    """R2R's filter for items by their ids."""
    return {"metadata.autodev_id": {"$in": [json.dumps(one) for one in ids]}}


def _fact(key: str, value: str) -> str:
    return json.dumps([key, value])


def _finite(seconds: float) -> float:
    return math.copysign(_ENDLESS, seconds) if math.isinf(seconds) else seconds
