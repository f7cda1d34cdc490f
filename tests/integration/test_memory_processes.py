"""A memory among processes: a writer that is killed at any moment, and readers that see what it wrote."""

import json
import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from autodev_lab.memory import EmbeddedMemory, HashedEmbedder
from autodev_lab.records import Link, SearchMode

pytest.importorskip("Stemmer", reason="keyword search needs PyStemmer: pip install 'autodev-lab[memory]'")

WRITER = textwrap.dedent(
    """
    import sys
    from autodev_lab.memory import EmbeddedMemory, HashedEmbedder
    from autodev_lab.records import Link, MemoryItem, SearchMode

    memory = EmbeddedMemory(sys.argv[1], embedder=HashedEmbedder(32))
    for number in range(int(sys.argv[2]), 10**9):
        three = [MemoryItem("tasks", f"item {number} part {part}", {}, id=f"{number}.{part}") for part in range(3)]
        memory.add_all(three)
        print("added", number, flush=True)
        memory.link(Link(item.id, "NEAR", f"centre {number}") for item in three)
        print("linked", number, flush=True)
        memory.change(MemoryItem("tasks", f"changed {number}", {}, id=f"{number}.0"))
        print("changed", number, flush=True)
        memory.delete("tasks", f"{number}.1")
        print("deleted", number, flush=True)
        if number % 5 == 0:
            memory.search("item", collection="tasks", mode=SearchMode.VECTOR)
    """
)
STEPS = ("added", "linked", "changed", "deleted")


def expected(number, steps):
    """Texts by id, and linked ids, after so many steps of a number."""
    texts = {f"{number}.{part}": f"item {number} part {part}" for part in range(3)} if steps > 0 else {}
    linked = {f"{number}.{part}" for part in range(3)} if steps > 1 else set()
    if steps > 2:
        texts[f"{number}.0"] = f"changed {number}"
    if steps > 3:
        del texts[f"{number}.1"]
        linked.discard(f"{number}.1")
    return texts, linked


def test_what_a_killed_writer_had_acknowledged_is_there_and_nothing_is_half_there(tmp_path):
    draw, start, finished = random.Random(4), 0, []
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(start)], stdout=subprocess.PIPE, text=True
        ) as writer:
            told = [writer.stdout.readline() for _ in range(draw.randrange(1, 60))]
            time.sleep(draw.random() * 0.02)
            writer.send_signal(signal.SIGKILL)
            told += writer.stdout.readlines()
        acknowledged = [line.split() for line in told if line.endswith("\n")]
        step, number = acknowledged[-1][0], int(acknowledged[-1][1])
        done = STEPS.index(step) + 1
        with EmbeddedMemory(tmp_path, embedder=HashedEmbedder(32)) as memory:
            found = {item.id: item.text for item in memory.since("tasks", -1)}
            finished += range(start, number)
            for earlier in finished:
                texts, linked = expected(earlier, 4)
                assert {item_id: found.get(item_id) for item_id in texts} == texts
                ends = {link.source for link in memory.neighbours(f"centre {earlier}", incoming=True)}
                assert ends == linked
            # the step after the last that was acknowledged is there whole, or not at all
            now, after = (number, done + 1) if done < 4 else (number + 1, 1)
            states = [
                {**expected(number, done)[0]},
                {**(expected(number, 4)[0] if now > number else {}), **expected(now, after)[0]},
            ]
            latest = {item_id: text for item_id, text in found.items() if int(item_id.split(".")[0]) >= number}
            assert latest in states
            assert memory.search("item part", collection="tasks", mode=SearchMode.HYBRID)
        start = number + 2


READER = textwrap.dedent(
    """
    import json, sys
    from autodev_lab.memory import EmbeddedMemory, HashedEmbedder
    from autodev_lab.records import SearchMode

    memory = EmbeddedMemory(sys.argv[1], embedder=HashedEmbedder(32), read_only=True)
    for line in sys.stdin:
        hits = [
            [hit.item.text for hit in memory.search(line, collection="tasks", mode=mode, k=3)] for mode in SearchMode
        ]
        print(json.dumps([hits, memory.impact("target", 2)]), flush=True)
    """
)


def test_readers_in_other_processes_see_a_change_at_their_next_search(tmp_path):
    from autodev_lab.records import MemoryItem

    with EmbeddedMemory(tmp_path, embedder=HashedEmbedder(32)) as memory:
        readers = [
            subprocess.Popen(
                [sys.executable, "-c", READER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]

        def ask(query):
            for reader in readers:
                reader.stdin.write(query + "\n")
                reader.stdin.flush()
                yield json.loads(reader.stdout.readline())

        try:
            assert all(hits == [[]] * 5 for hits, _ in ask("parse the date"))
            item = memory.add(MemoryItem("tasks", "parse the date", {}))
            memory.link([Link(item.id, "NEAR", "target")])
            assert all(
                hits == [["parse the date"]] * 5 and impact == {item.id: 1} for hits, impact in ask("parse the date")
            )
            memory.change(MemoryItem("tasks", "parse the time", {}, id=item.id))
            assert all(hits == [["parse the time"]] * 5 for hits, _ in ask("parse the time"))
            memory.delete("tasks", item.id)
            assert all(hits == [[]] * 5 and impact == {} for hits, impact in ask("parse the time"))
        finally:
            for reader in readers:
                reader.stdin.close()
                reader.wait(timeout=60)
                reader.stdout.close()
