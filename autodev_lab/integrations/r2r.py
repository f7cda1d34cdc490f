"""A thin typed client of an R2R server, version 3.6: one method a request, no more than the remote memory asks for.

The `r2r` package is not used: it pins old versions of other packages, installs modules called ``core``, ``sdk`` and
``shared``, and does not retry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from autodev_lab.integrations.r2r_transport import (
    Answer,
    Credentials,
    OutcomeUnknown,
    Patience,
    R2RError,
    R2RRefused,
    R2RTransport,
)

__all__ = [
    "PAGE",
    "Chunk",
    "Collection",
    "Credentials",
    "OutcomeUnknown",
    "Patience",
    "R2RClient",
    "R2RError",
    "R2RRefused",
    "Relationship",
]

PAGE = 1000
"""Entries that R2R gives at most in one answer."""

T = TypeVar("T")


class Collection(BaseModel, frozen=True):
    """A collection of documents, and the graph of the same id."""

    id: UUID
    name: str


class Chunk(BaseModel, frozen=True):
    """A piece of text that is searched; `score` is 0 where it was not."""

    id: UUID
    document_id: UUID
    text: str
    metadata: Mapping[str, JsonValue]
    collection_ids: tuple[UUID, ...] = ()
    score: float = 0.0


class Relationship(BaseModel, frozen=True):
    """A directed relation between two names in a graph."""

    id: UUID
    subject: str
    predicate: str
    object: str


class _Document(BaseModel):
    ingestion_status: str


class _Health(BaseModel):
    message: str


_COLLECTIONS = TypeAdapter(tuple[Collection, ...])
_DOCUMENT = TypeAdapter(_Document)
_CHUNKS = TypeAdapter(tuple[Chunk, ...])
_HEALTH = TypeAdapter(_Health)
_RELATIONSHIP = TypeAdapter(Relationship)
_RELATIONSHIPS = TypeAdapter(tuple[Relationship, ...])


class R2RClient:
    """What the remote memory needs of R2R's REST interface.

    Every request but `create_relationship` may be repeated without harm, and is when R2R does not answer. Many threads
    may use one client.

    Parameters
    ----------
    url
        Where R2R listens, for example ``http://localhost:7272``.
    credentials
        Who asks; by default what the environment says.
    patience
        How long to go on when R2R does not answer.

    Raises
    ------
    LabError
        If the URL is none, or has credentials in it. Each method raises one when R2R does not do what it is asked for.
    """

    def __init__(self, url: str, *, credentials: Credentials | None = None, patience: Patience | None = None) -> None:
        self._transport = R2RTransport(url, credentials or Credentials.from_environment(), patience or Patience())
        self.url = self._transport.url

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def check(self) -> None:
        """Ask whether this is R2R and knows us, and do not wait for it.

        Raises
        ------
        LabError
            If nobody listens there, it is another kind of server, or the credentials are wrong.
        """
        health = self._read(_HEALTH, self._transport.ask("GET", "/health", hurry=True, known=False))
        if health.message != "ok":
            raise R2RError(f"R2R at {self.url} is not well: it says {health.message!r}")
        self._transport.ask("GET", "/users/me", hurry=True)

    # ------------------------------------------------------------------------------------------- collections

    def collections(self) -> tuple[Collection, ...]:
        """The user's own collections, in no particular order."""
        found: tuple[Collection, ...] = ()
        while True:
            query: dict[str, str | int] = {"offset": len(found), "limit": PAGE, "owner_only": "true"}
            answer = self._transport.ask("GET", "/collections", query=query)
            page = self._read(_COLLECTIONS, answer)
            found += page
            if not page or len(found) >= answer.total_entries:
                return found

    def create_collection(self, name: str, description: str) -> bool:
        """Make a collection; False when the user has one of this name."""
        try:
            self._transport.ask("POST", "/collections", body={"name": name, "description": description})
        except R2RRefused as refusal:
            if refusal.status == 409:
                return False
            raise
        return True

    def delete_collection(self, collection: UUID) -> None:
        """Delete a collection, its graph and its chunks; the empty documents stay."""
        self._gone(f"/collections/{collection}")

    # --------------------------------------------------------------------------------------------- documents

    def create_document(
        self, document: UUID, text: str, *, collection: UUID, metadata: Mapping[str, JsonValue]
    ) -> bool:
        """Store a document of one chunk and wait until it is searchable; False when there is one of this id.

        R2R assigns only the first of several collections, so there is one here. It is content when it could not store
        the text, too: whoever must know looks at `document_chunks`.
        """
        form = {
            "id": str(document),
            "chunks": json.dumps([text]),
            "metadata": json.dumps(dict(metadata)),
            "collection_ids": json.dumps([str(collection)]),
            "ingestion_mode": "custom",
            "run_with_orchestration": "false",
        }
        try:
            self._transport.ask("POST", "/documents", form=form)
        except R2RRefused as refusal:
            if refusal.status == 409:
                return False
            raise
        return True

    def document_status(self, document: UUID) -> str | None:
        """How far R2R got with storing a document (``success``, ``failed``, or what it is at); None without one."""
        try:
            return self._read(_DOCUMENT, self._transport.ask("GET", f"/documents/{document}")).ingestion_status
        except R2RRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    def document_chunks(self, document: UUID) -> tuple[Chunk, ...]:
        """The chunks of a document; none when there is no such document."""
        try:
            return self._read(_CHUNKS, self._transport.ask("GET", f"/documents/{document}/chunks"))
        except R2RRefused as refusal:
            if refusal.status == 404:
                return ()
            raise

    def delete_document(self, document: UUID) -> bool:
        """Delete a document with its chunks; False when there was none, or a request that broke off deleted it."""
        return self._gone(f"/documents/{document}")

    def add_to_collection(self, collection: UUID, document: UUID) -> None:
        """Make a document and its chunks members of a collection; they may be already."""
        try:
            self._transport.ask("POST", f"/collections/{collection}/documents/{document}")
        except R2RRefused as refusal:
            if refusal.status != 409:
                raise

    # ------------------------------------------------------------------------------------------------ chunks

    def update_chunk(self, chunk: UUID, text: str, metadata: Mapping[str, JsonValue]) -> None:
        """Replace a chunk's text and merge its metadata, in one step.

        The chunk leaves every collection by it; `add_to_collection` brings it back. As with documents, only a look
        tells whether it worked.
        """
        body: JsonValue = {"id": str(chunk), "text": text, "metadata": dict(metadata)}
        self._transport.ask("POST", f"/chunks/{chunk}", body=body)

    def search_text(self, query: str, filters: Mapping[str, JsonValue], limit: int) -> tuple[Chunk, ...]:
        """Chunks by PostgreSQL's full-text search, in web search syntax: all words, or any joined by ``or``."""
        return self._search(query, filters, limit, use_semantic_search=False, use_fulltext_search=True)

    def search_vectors(self, query: str, filters: Mapping[str, JsonValue], limit: int) -> tuple[Chunk, ...]:
        """Chunks by the cosine of their vector with the query's."""
        return self._search(query, filters, limit, use_semantic_search=True, use_fulltext_search=False)

    def search_hybrid(self, query: str, filters: Mapping[str, JsonValue], limit: int) -> tuple[Chunk, ...]:
        """Chunks by R2R's own fusion of both, by reciprocal ranks."""
        return self._search(query, filters, limit, use_hybrid_search=True)

    def _search(self, query: str, filters: Mapping[str, JsonValue], limit: int, **use: bool) -> tuple[Chunk, ...]:
        settings: dict[str, JsonValue] = {
            "filters": dict(filters),
            "limit": limit,
            "hybrid_settings": {"full_text_limit": limit},
            "graph_settings": {"enabled": False},
            **use,
        }
        body: JsonValue = {"query": query, "search_settings": settings}
        return self._read(_CHUNKS, self._transport.ask("POST", "/chunks/search", body=body))

    # ------------------------------------------------------------------------------------------------- graph

    def relationships(self, graph: UUID, offset: int) -> tuple[tuple[Relationship, ...], int]:
        """One page of a graph's relationships, oldest first, and how many there are in all."""
        query = {"offset": offset, "limit": PAGE}
        answer = self._transport.ask("GET", f"/graphs/{graph}/relationships", query=query)
        return self._read(_RELATIONSHIPS, answer), answer.total_entries

    def create_relationship(
        self, graph: UUID, subject: tuple[str, UUID], predicate: str, target: tuple[str, UUID]
    ) -> Relationship:
        """Add a relationship between two names with their ids. R2R gives it an id of its own, so it is never repeated.

        Raises
        ------
        OutcomeUnknown
            If no good answer came: the relationship may be there.
        """
        body: JsonValue = {
            "subject": subject[0],
            "subject_id": str(subject[1]),
            "predicate": predicate,
            "object": target[0],
            "object_id": str(target[1]),
            "description": "",  # of a description R2R would have a vector made, which takes most of the time
        }
        answer = self._transport.ask("POST", f"/graphs/{graph}/relationships", body=body, repeatable=False)
        return self._read(_RELATIONSHIP, answer)

    def delete_relationship(self, graph: UUID, relationship: UUID) -> bool:
        """Delete a relationship; False when there was none, or a request that broke off deleted it."""
        return self._gone(f"/graphs/{graph}/relationships/{relationship}")

    # ----------------------------------------------------------------------------------------------- answers

    def _gone(self, path: str) -> bool:
        try:
            self._transport.ask("DELETE", path)
        except R2RRefused as refusal:
            if refusal.status == 404:
                return False
            raise
        return True

    def _read(self, adapter: TypeAdapter[T], answer: Answer) -> T:
        try:
            return adapter.validate_python(answer.results)
        except ValidationError:
            raise R2RError(
                f"the server at {self.url} answers in a form that R2R 3.6 does not have; see what version it is"
            ) from None
