"""What the remote memory does beyond the contract: several clients at once, long lists, credentials, its command."""

from __future__ import annotations

import json
import uuid

import pytest
from typer.testing import CliRunner

import autodev_lab.integrations.r2r as integration
import autodev_lab.memory.r2r as remote
from autodev_lab.cli.main import app
from autodev_lab.errors import LabError
from autodev_lab.integrations.r2r import Credentials, Patience, R2RClient
from autodev_lab.memory.r2r import R2RMemory, prepare_collections
from autodev_lab.records import Link, MemoryItem, SearchMode

SOME_WORD = "correct-horse-battery"


@pytest.fixture
def pair(client):
    """Two memories on the same collections."""
    prefix = f"{uuid.uuid4().hex}-"
    prepare_collections(client, prefix)
    return R2RMemory(client, prefix=prefix), R2RMemory(client, prefix=prefix)


def test_what_one_client_writes_the_other_sees(pair):
    one, other = pair
    first = one.add(MemoryItem("tasks", "parser fails", {}, id="shared"))
    second = other.add(MemoryItem("tasks", "renderer fails", {}))
    assert second.sequence > first.sequence
    assert one.since("tasks", -1) == other.since("tasks", -1) == (first, second)
    with pytest.raises(LabError, match="already"):
        other.add(MemoryItem("patterns", "another", {}, id="shared"))
    changed = other.change(MemoryItem("tasks", "cache forgets", {}, id="shared"))
    assert [hit.item for hit in one.search("cache", collection="tasks")] == [changed]
    one.delete("tasks", "shared")
    assert other.since("tasks", -1) == (second,)


def test_the_links_held_here_follow_what_others_do(pair, monkeypatch):
    """Adding, deleting, and both at once, which leaves their number as it was."""
    monkeypatch.setattr(integration, "PAGE", 3)
    one, other = pair
    chain = [Link(f"n{number}", "CALLS", f"n{number + 1}") for number in range(8)]
    one.link(chain[:4])
    assert len(other.impact("n4", 9)) == 4
    other.link(chain)
    assert len(one.impact("n8", 99)) == 8
    one.add(MemoryItem("codebase", "function", {}, id="n2"))
    one.delete("codebase", "n2")
    assert dict(other.impact("n8", 99)) == {"n7": 1, "n6": 2, "n5": 3, "n4": 4, "n3": 5}
    one.add(MemoryItem("codebase", "function", {}, id="n8"))
    one.delete("codebase", "n8")
    one.link([Link("x", "CALLS", "n7")])
    assert dict(other.impact("n7", 1)) == {"n6": 1, "x": 1}
    assert other.neighbours("n7") == ()
    rows = sorted(one._client.relationships(one._memory, 0)[0], key=lambda row: row.id)
    assert len(rows) == 3, "a page has what PAGE says"


def test_more_items_than_one_answer_holds(make, monkeypatch):
    memory = make()
    items = tuple(memory.add(MemoryItem("tasks", f"item {number}", {})) for number in range(11))
    monkeypatch.setattr(remote, "PAGE", 4)
    assert memory.since("tasks", -1) == items
    assert memory.since("tasks", items[5].sequence) == items[6:]


def test_several_items_are_added_at_once_in_their_order(make):
    memory = make()
    items = memory.add_all(MemoryItem("tasks", f"item {number}", {}, id=f"n{number}") for number in range(20))
    assert memory.since("tasks", -1) == items
    assert [item.id for item in items] == [f"n{number}" for number in range(20)]
    with pytest.raises(LabError, match="2 items have the id 'same'"):
        memory.add_all([MemoryItem("tasks", "one", {}, id="same"), MemoryItem("tasks", "two", {}, id="same")])
    with pytest.raises(LabError, match="has an item 'n3' already"):
        memory.add_all([MemoryItem("tasks", "another", {}), MemoryItem("tasks", "three", {}, id="n3")])
    assert memory.add_all([]) == ()


def test_age_brings_up_what_the_server_ranks_low(make):
    """R2R ranks without age, so more is asked for than the items wanted."""
    memory = make()
    for number in range(12):
        memory.add(MemoryItem("tasks", "parser parser parser fails", {"number": number}, at=0.0, half_life=1.0))
    fresh = memory.add(MemoryItem("tasks", "a parser among many other words of a text", {}, at=20.0))
    for mode in (SearchMode.KEYWORD, SearchMode.VECTOR):
        assert memory.search("parser", collection="tasks", mode=mode, k=1)[0].item != fresh
        assert memory.search("parser", collection="tasks", mode=mode, k=1, at=20.0)[0].item == fresh


def test_a_clock_behind_the_newest_item_does_not_go_back(make, monkeypatch):
    memory = make()
    ahead = memory.add(MemoryItem("tasks", "from a clock ahead", {}))
    monkeypatch.setattr(remote.time, "time_ns", lambda: (ahead.sequence - 3_600_000_000) * 1000)
    late = R2RMemory(memory._client, prefix=prefix_of(memory)).add(MemoryItem("tasks", "from a clock behind", {}))
    assert late.sequence > ahead.sequence


def prefix_of(memory: R2RMemory) -> str:
    (name,) = (one.name for one in memory._client.collections() if one.id == memory._memory)
    return name.removesuffix("codebase")


def test_something_else_in_a_collection_is_not_the_memorys(client, make):
    memory = make()
    client.create_document(uuid.uuid4(), "parser of a stranger", collection=memory._ids["tasks"], metadata={"a": "b"})
    item = memory.add(MemoryItem("tasks", "parser", {}))
    assert memory.since("tasks", -1) == (item,)
    for mode in SearchMode:
        assert [hit.item for hit in memory.search("parser", collection="tasks", mode=mode)] == [item]


def test_without_collections_the_command_that_makes_them_is_named(client, stack):
    with pytest.raises(LabError, match=f"run: autodev-lab init-r2r --url {stack.url} --prefix nobody-") as caught:
        R2RMemory(client, prefix="nobody-")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "who",
    [
        {"api_key": f"public.{SOME_WORD}"},
        {"api_key": SOME_WORD},
        {"email": "lab@example.com", "password": SOME_WORD},
        {"email": "nobody@example.com", "password": SOME_WORD},
        {},
    ],
)
def test_wrong_credentials_are_one_sentence(stack, who):
    client = R2RClient(stack.url, credentials=Credentials(**who), patience=Patience(seconds=1.0))
    with pytest.raises(LabError, match="does not take these credentials; set AUTODEV_R2R_API_KEY") as caught:
        prepare_collections(client)
    assert SOME_WORD not in str(caught.value)
    client.close()


def test_init_r2r_makes_the_collections_once(stack, client, monkeypatch):
    monkeypatch.delenv("AUTODEV_R2R_API_KEY", raising=False)
    monkeypatch.setenv("AUTODEV_R2R_EMAIL", stack.credentials.email)
    monkeypatch.setenv("AUTODEV_R2R_PASSWORD", stack.credentials.password)
    prefix = f"{uuid.uuid4().hex}-"
    names = [prefix + name for name in ("codebase", "tasks", "patterns", "decisions")]
    command = ["init-r2r", "--url", f"{stack.url}/", "--prefix", prefix]
    first = CliRunner().invoke(app, [*command, "--json"])
    assert first.exit_code == 0, first.stderr
    assert json.loads(first.stdout) == {"url": stack.url, "collections": names, "made": names}
    second = CliRunner().invoke(app, command)
    assert second.stdout.splitlines() == [f"{name}: was there" for name in names]
    assert sorted(one.name for one in client.collections() if one.name.startswith(prefix)) == sorted(names)
    item = R2RMemory(client, prefix=prefix).add(MemoryItem("decisions", "deploy", {}))
    assert item.sequence > 0


def test_a_user_who_is_no_superuser_stays_within_the_collection(stack, plain_user):
    """For such users R2R drops its own filter by collection; links need a superuser, which the sentence says."""
    client = R2RClient(stack.url, credentials=plain_user)
    prepare_collections(client)
    memory = R2RMemory(client)
    item = memory.add(MemoryItem("tasks", "parser of dates", {}))
    memory.add(MemoryItem("patterns", "parser of tables", {}))
    for mode in (SearchMode.KEYWORD, SearchMode.VECTOR, SearchMode.HYBRID):
        assert [hit.item for hit in memory.search("parser", collection="tasks", mode=mode)] == [item]
    with pytest.raises(LabError, match="Only superusers can create relationships"):
        memory.link([Link("a", "CALLS", "b")])
    client.close()


@pytest.fixture
def plain_user(http):
    """A user of R2R's without rights."""
    who = {"email": f"{uuid.uuid4().hex}@example.com", "password": f"Aa1!{SOME_WORD}"}
    assert http.post("/users", json=who).status_code == 200
    return Credentials(**who)


def test_init_r2r_tells_a_mistake_in_one_sentence(stack, monkeypatch):
    monkeypatch.setenv("AUTODEV_R2R_API_KEY", SOME_WORD)
    wrong = CliRunner().invoke(app, ["init-r2r", "--url", stack.url])
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr.count("\n") == 1
    assert SOME_WORD not in wrong.stderr
