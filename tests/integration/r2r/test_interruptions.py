"""R2R is killed, or answers get lost on their way: nothing of the memory is lost or doubled."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from autodev_lab.errors import LabError
from autodev_lab.integrations.r2r import Patience, R2RClient
from autodev_lab.memory.r2r import R2RMemory, prepare_collections
from autodev_lab.records import Link, MemoryItem, SearchMode

PATIENT = Patience(seconds=300.0, first_pause=0.1, longest_pause=1.0)


class LossyWay(ThreadingHTTPServer):
    """Carries requests to a server and answers back, but loses the answers to the kinds of request named in `lose`."""

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Carrier)
        self.server_url = url
        self.lose: list[tuple[str, str]] = []
        self.lost: list[tuple[str, str]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Carrier(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LossyWay

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        answer = httpx.request(self.command, self.server.server_url + self.path, content=body, headers=kept, timeout=60)
        for kind in self.server.lose:
            if (self.command, self.path.split("/")[2].split("?")[0]) == kind:
                self.server.lose.remove(kind)
                self.server.lost.append(kind)
                self.close_connection = True
                return
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_POST = do_DELETE = do_PUT = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def way(stack) -> Iterator[LossyWay]:
    with LossyWay(stack.url) as server:
        yield server
        server.shutdown()


@pytest.fixture
def memory(way, stack) -> Iterator[R2RMemory]:
    """A memory that talks to R2R by the lossy way."""
    client = R2RClient(way.url, credentials=stack.credentials, patience=PATIENT)
    prefix = f"{uuid.uuid4().hex}-"
    prepare_collections(client, prefix)
    yield R2RMemory(client, prefix=prefix)
    client.close()


def test_an_added_item_whose_answer_is_lost_is_there_once(way, memory):
    way.lose = [("POST", "documents")]
    item = memory.add(MemoryItem("tasks", "parser fails", {}, id="one"))
    assert way.lost == [("POST", "documents")]
    assert memory.since("tasks", -1) == (item,)
    with pytest.raises(LabError, match="has an item 'one' already"):
        memory.add(item)


def test_a_change_whose_answer_is_lost_is_made_once(way, memory):
    item = memory.add(MemoryItem("tasks", "parser fails", {}))
    way.lose = [("POST", "chunks"), ("POST", "collections")]
    changed = memory.change(replace(item, text="cache forgets"))
    assert way.lost == [("POST", "chunks"), ("POST", "collections")]
    assert memory.since("tasks", -1) == (changed,)
    assert memory.search("parser", collection="tasks") == ()


def test_a_deletion_whose_answer_is_lost_is_no_error(way, memory):
    item = memory.add(MemoryItem("tasks", "parser fails", {}))
    memory.link([Link(item.id, "FIXES", "x")])
    way.lose = [("DELETE", "documents"), ("DELETE", "graphs")]
    memory.delete("tasks", item.id)
    assert len(way.lost) == 2
    assert memory.since("tasks", -1) == ()
    assert memory.neighbours(item.id) == ()


def test_a_link_whose_answer_is_lost_is_not_doubled(way, memory):
    way.lose = [("POST", "graphs")]
    memory.link([Link("a", "CALLS", "b"), Link("b", "CALLS", "c")])
    assert way.lost == [("POST", "graphs")]
    assert len(memory._client.relationships(memory._memory, 0)[0]) == 2
    assert dict(memory.impact("c", 2)) == {"b": 1, "a": 2}


def test_collections_whose_answers_are_lost_are_there_once(way, stack):
    client = R2RClient(way.url, credentials=stack.credentials, patience=PATIENT)
    way.lose = [("POST", "collections")] * 2
    prefix = f"{uuid.uuid4().hex}-"
    made = prepare_collections(client, prefix)
    assert len(made) == 4
    assert prepare_collections(client, prefix) == ()
    names = [one.name for one in client.collections() if one.name.startswith(prefix)]
    assert sorted(names) == sorted(made)
    client.close()


def test_r2r_killed_in_the_middle_of_a_series_of_adds_loses_and_doubles_nothing(stack):
    """It dies while it has taken an item and not stored it, and is started again; the series goes on by itself."""
    client = R2RClient(stack.url, credentials=stack.credentials, patience=PATIENT)
    prefix = f"{uuid.uuid4().hex}-"
    prepare_collections(client, prefix)
    memory = R2RMemory(client, prefix=prefix)
    memory.link([Link("a", "CALLS", "b")])
    killed = threading.Event()

    def watch(texts: list[str]) -> None:
        if not killed.is_set() and any("item number 7" in text for text in texts):
            stack.kill()
            killed.set()

    added: list[MemoryItem] = []
    failed: list[BaseException] = []

    def series() -> None:
        try:
            added.extend(memory.add(MemoryItem("tasks", f"item number {n}", {"number": n})) for n in range(15))
        except BaseException as error:
            failed.append(error)

    stack.watch = watch
    try:
        writer = threading.Thread(target=series)
        writer.start()
        assert killed.wait(120)
        impatient = R2RClient(stack.url, credentials=stack.credentials, patience=Patience(seconds=0.5))
        with pytest.raises(LabError, match="cannot be reached; see that it is running"):
            impatient.collections()
        impatient.close()
        stack.start()
        writer.join(300)
    finally:
        stack.watch = None
    assert not failed
    assert not writer.is_alive()
    assert len(added) == 15
    assert memory.since("tasks", -1) == tuple(added)
    for mode in SearchMode:
        found = [hit.item for hit in memory.search("item number", collection="tasks", mode=mode, k=50)]
        assert sorted(found, key=lambda item: item.sequence) == added, mode
    documents = {
        chunk.document_id for chunk in client.search_text("item", {}, 1000) if chunk.text.startswith("item number")
    }
    assert len(documents) == 15
    assert memory.neighbours("a") == (Link("a", "CALLS", "b"),)
    client.close()


def test_the_database_below_r2r_is_restarted(stack, make):
    memory = make()
    before = memory.add(MemoryItem("tasks", "parser fails", {}))
    stack.database.stop()
    stack.database.start()
    after = memory.add(MemoryItem("tasks", "renderer fails", {}))
    changed = memory.change(replace(before, text="cache forgets"))
    assert memory.since("tasks", -1) == (after, changed)


def test_the_service_of_vectors_refuses_r2rs_key(stack, make):
    """Nothing is stored by halves, the sentence does not repeat the key, and all is well when the service is."""
    memory = make()

    def refuse(texts: list[str]) -> None:
        raise PermissionError("Incorrect API key provided: sk-nobody-pays-for-this")

    item = MemoryItem("tasks", "parser fails", {}, id="one")
    stack.watch = refuse
    try:
        with pytest.raises(LabError, match="Incorrect API key") as caught:
            memory.add(item)
    finally:
        stack.watch = None
    assert "nobody-pays" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert memory.since("tasks", -1) == ()
    stored = memory.add(item)
    assert memory.since("tasks", -1) == (stored,)
