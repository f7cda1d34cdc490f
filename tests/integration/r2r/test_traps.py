"""What R2R 3.6.6 does and one would not expect, each against a real server: the remote memory is written around these.

When one of these fails with a newer R2R, the work-around that it names may go.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid

import pytest
from processes import end

from autodev_lab.errors import LabError
from autodev_lab.integrations.r2r import OutcomeUnknown
from autodev_lab.memory.r2r_items import EVERYTHING
from autodev_lab.records import Link, MemoryItem, SearchMode


@pytest.fixture
def collections(client):
    """Two empty collections."""
    names = [uuid.uuid4().hex for _ in range(2)]
    assert all(client.create_collection(name, "") for name in names)
    found = {one.name: one.id for one in client.collections()}
    return tuple(found[name] for name in names)


def search(http, query, **settings):
    switches = {"use_semantic_search": False, "use_fulltext_search": True, "graph_settings": {"enabled": False}}
    answer = http.post("/chunks/search", json={"query": query, "search_settings": {**switches, **settings}})
    assert answer.status_code == 200, answer.text
    return [chunk["text"] for chunk in answer.json()["results"]]


def within(collection):
    return {"collection_ids": {"$overlap": [str(collection)]}}


def test_creating_an_entity_with_metadata_raises_and_inserts(http, collections):
    """So nothing that R2R gives its id is sent again blindly."""
    entities = f"/graphs/{collections[0]}/entities"
    answer = http.post(entities, json={"name": "a", "description": "b", "metadata": {"line": 1}})
    assert answer.status_code == 500
    assert [one["name"] for one in http.get(entities).json()["results"]] == ["a"]


def test_a_relationship_whose_outcome_is_unknown_is_looked_for_before_it_is_sent_again(client, make, monkeypatch):
    memory = make()
    sent = []
    create = client.create_relationship

    def breaks_off(*arguments):
        sent.append(arguments)
        made = create(*arguments)
        if len(sent) == 1:
            raise OutcomeUnknown("the connection broke off")
        return made

    monkeypatch.setattr(client, "create_relationship", breaks_off)
    links = [Link("a", "CALLS", "b"), Link("b", "CALLS", "c")]
    memory.link(links)
    assert len(sent) == 2
    assert len(client.relationships(memory._memory, 0)[0]) == 2
    assert dict(memory.impact("c", 2)) == {"b": 1, "a": 2}


def test_only_the_first_of_several_collections_is_assigned(http, collections):
    document = str(uuid.uuid4())
    form = {
        "id": document,
        "raw_text": uuid.uuid4().hex,
        "collection_ids": json.dumps([str(one) for one in collections]),
    }
    form["run_with_orchestration"] = "false"
    assert http.post("/documents", files={key: (None, value) for key, value in form.items()}).status_code == 202
    assert http.get(f"/documents/{document}").json()["results"]["collection_ids"] == [str(collections[0])]
    assert http.post(f"/collections/{collections[1]}/documents/{document}").status_code == 200
    assert len(http.get(f"/documents/{document}").json()["results"]["collection_ids"]) == 2


def test_the_same_text_is_refused_without_an_id(http, collections):
    text = f"the same text {uuid.uuid4().hex}"
    form = {"raw_text": text, "collection_ids": json.dumps([str(collections[0])]), "run_with_orchestration": "false"}
    files = {key: (None, value) for key, value in form.items()}
    assert [http.post("/documents", files=files).status_code for _ in range(2)] == [202, 409]


def test_the_same_text_is_two_items_of_the_memory(make):
    memory = make()
    first, second = (memory.add(MemoryItem("tasks", "the same text", {})) for _ in range(2))
    assert memory.since("tasks", -1) == (first, second)


def test_a_collection_of_the_same_name_is_refused(client):
    """So preparing the collections can be repeated, and be done by two at a time."""
    name = uuid.uuid4().hex
    assert [client.create_collection(name, "") for _ in range(2)] == [True, False]


def test_a_document_of_chunks_is_refused_the_second_time_with_500(client, collections):
    """The client tells it from a fault: False, and no retries."""
    document = uuid.uuid4()
    stored = [client.create_document(document, "a text", collection=collections[0], metadata={}) for _ in range(2)]
    assert stored == [True, False]
    assert len(client.document_chunks(document)) == 1


def test_metadata_are_filtered_by_their_prefix(client, collections):
    """Without it, words that are columns mean the column and not the metadata."""
    metadata = {"status": "open", "kind": "function"}
    client.create_document(uuid.uuid4(), "a text", collection=collections[0], metadata=metadata)
    here = within(collections[0])
    assert len(client.search_text("text", {**here, "metadata.status": {"$eq": "open"}}, 10)) == 1
    with pytest.raises(LabError):
        client.search_text("text", {**here, "status": {"$eq": "open"}}, 10)


def test_keys_of_filters_get_into_the_servers_sql(client, make, collections):
    """So facts are filtered as values, and a fact may have any name."""
    with pytest.raises(LabError):
        client.search_text("text", {"metadata.it's": {"$eq": "x"}}, 10)
    memory = make()
    item = memory.add(MemoryItem("tasks", "a text", {"it's a.key": "x", "other": "y"}))
    hits = memory.search("text", collection="tasks", filters={"it's a.key": "x"})
    assert [hit.item for hit in hits] == [item]
    assert memory.search("text", collection="tasks", filters={"it's a.key": "z"}) == ()


def test_limits_of_graph_searches_have_plural_names_and_other_names_are_passed_over(http, client, collections):
    for number in range(5):
        body = {"name": f"entity {number}", "description": f"the entity number {number}"}
        assert http.post(f"/graphs/{collections[0]}/entities", json=body).status_code == 200

    def found(**limits):
        settings = {
            "filters": within(collections[0]),
            "chunk_settings": {"enabled": False},
            "graph_settings": {"enabled": True, **limits},
        }
        body = {"query": "entity", "search_mode": "custom", "search_settings": settings}
        answer = http.post("/retrieval/search", json=body)
        return len(answer.json()["results"]["graph_search_results"])

    assert found(limits={"entities": 2}) == 2
    assert found(limits={"entity": 2}) == 5
    assert found(limit=2) == 5


def test_building_communities_needs_a_service_of_clustering(http, collections):
    """So graph search walks along links here."""
    graph = f"/graphs/{collections[0]}"
    for name in "ab":
        assert http.post(f"{graph}/entities", json={"name": name, "description": name}).status_code == 200
    ends = {"subject_id": str(uuid.uuid4()), "object_id": str(uuid.uuid4())}
    link = {"subject": "a", "predicate": "CALLS", "object": "b", "description": "a calls b", **ends}
    assert http.post(f"{graph}/relationships", json=link).status_code == 200
    body = {"run_type": "run", "run_with_orchestration": False}
    answer = http.post(f"/graphs/{collections[0]}/communities/build", json=body)
    assert answer.status_code == 500, answer.text
    assert "CLUSTERING_SERVICE_URL" in answer.text


def test_relationships_need_no_entities_and_outlive_documents(client, make):
    """So the memory takes away the links of what it deletes."""
    memory = make()
    memory.add(MemoryItem("codebase", "function a", {}, id="a"))
    memory.link([Link("a", "CALLS", "nowhere"), Link("b", "CALLS", "c")])
    (chunk,) = client.search_text("function", within(memory._ids["codebase"]), 10)
    client.delete_document(chunk.document_id)
    assert memory.neighbours("a") == (Link("a", "CALLS", "nowhere"),)
    memory.add(MemoryItem("codebase", "function a", {}, id="a"))
    memory.delete("codebase", "a")
    assert memory.neighbours("a") == ()
    assert memory.neighbours("b") == (Link("b", "CALLS", "c"),)


def test_a_search_without_filters_spans_every_collection(http, client, make, collections):
    word = f"w{uuid.uuid4().hex}"
    for collection in collections:
        client.create_document(uuid.uuid4(), f"{word} once", collection=collection, metadata={})
    assert len(search(http, word)) == 2
    assert len(search(http, word, filters=within(collections[0]))) == 1
    assert make().search(word, collection="tasks") == ()


def test_all_words_of_a_query_must_occur(http, make):
    """So the memory asks for any of them."""
    memory = make()
    word = f"w{uuid.uuid4().hex}"
    item = memory.add(MemoryItem("tasks", f"{word} parser", {}))
    assert search(http, f"{word} renderer") == []
    assert [hit.item for hit in memory.search(f"{word} renderer", collection="tasks")] == [item]


def test_the_full_text_search_does_not_split_identifiers(http, make):
    """So their words are written behind the text."""
    memory = make()
    memory.add(MemoryItem("tasks", "call package.calendar.leapYear(2000)", {}))
    for query in ("leap year", "calendar", "leap_year", "package.calendar.leapYear"):
        assert len(memory.search(query, collection="tasks")) == 1, query


def test_a_changed_chunk_leaves_its_collections(client, make, collections):
    """So items are filtered by metadata, and changed ones are put back."""
    document = uuid.uuid4()
    client.create_document(document, "old text", collection=collections[0], metadata={"a": "b"})
    (chunk,) = client.document_chunks(document)
    assert chunk.collection_ids == (collections[0],)
    client.update_chunk(chunk.id, "new text", {})
    assert client.document_chunks(document)[0].collection_ids == ()
    assert client.search_text("text", within(collections[0]), 10) == ()
    memory = make()
    item = memory.add(MemoryItem("tasks", "old text", {}))
    memory.change(item)
    assert len(client.search_text("text", within(memory._ids["tasks"]), 10)) == 1


def test_a_text_that_cannot_be_stored_is_accepted(client, make, collections):
    """So every write is looked at, and texts are made storable."""
    document = uuid.uuid4()
    assert client.create_document(document, "with a \0 in it", collection=collections[0], metadata={})
    assert client.document_status(document) == "success"
    assert client.document_chunks(document) == ()
    memory = make()
    texts = ("with a \0 in it", "half a \ud83d", "word " * 5000 + "end", "", "\n")
    items = tuple(memory.add(MemoryItem("tasks", text, {"fact\0": "v\0"}, id=f"{n}\0")) for n, text in enumerate(texts))
    assert memory.since("tasks", -1) == items
    assert [hit.item for hit in memory.search("word", collection="tasks", filters={"fact\0": "v\0"})] == [items[2]]


def test_there_is_no_cypher_and_no_endpoint_of_neighbours(http, collections):
    """So links are read page by page and walked along here."""
    graph = f"/graphs/{collections[0]}"
    for call in ("query", "cypher", "traverse", "neighbors", "neighbours"):
        assert http.post(f"{graph}/{call}", json={}).status_code in (404, 405), call
    assert http.get(f"{graph}/relationships", params={"limit": 1001}).status_code == 422
    assert http.get(f"{graph}/relationships", params={"limit": 1000}).status_code == 200


def test_a_process_that_ignores_sigterm_is_killed():
    """As R2R does now and then; the stack waits eight seconds for it."""
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", ignore], stdout=subprocess.PIPE)
    process.stdout.readline()
    assert end(process, grace=0.2)
    assert process.returncode == -9
    process.stdout.close()
    gentle = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert not end(gentle)


def test_everything_is_found_by_the_word_that_no_text_has(client, make):
    memory = make()
    items = tuple(memory.add(MemoryItem("tasks", text, {})) for text in ("one", "two", "and or not", "."))
    assert memory.since("tasks", -1) == items
    assert memory.search(EVERYTHING, collection="tasks", mode=SearchMode.KEYWORD) == ()
