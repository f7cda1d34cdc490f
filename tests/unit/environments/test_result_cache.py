"""The results kept on disk: keys, sharing between processes, and damage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.environments.cache import Json, ResultCache, key_of
from autodev_lab.errors import LabError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)

WRITER = """
import sys
from pathlib import Path
from autodev_lab.environments.cache import ResultCache
cache = ResultCache(Path(sys.argv[1]))
number = 0
while True:
    cache.put(f"{sys.argv[2]}-{number}", [number, "x" * 500])
    number += 1
    print(number, flush=True)
"""

MAKER = """
import sys
from pathlib import Path
from autodev_lab.environments.cache import ResultCache

def make():
    if sys.argv[2] == "second":
        raise SystemExit("made twice")
    print("making", flush=True)
    sys.stdin.readline()
    return [sys.argv[2]]

print("asking", flush=True)
print(ResultCache(Path(sys.argv[1])).remember("k", make), flush=True)
"""


@given(JSON, JSON)
def test_keys_differ_exactly_when_what_they_stand_for_differs(one: Json, other: Json) -> None:
    same = repr(one) == repr(other)
    assert (key_of("k", one) == key_of("k", other)) or not same
    if not same and one != other:
        assert key_of("k", one) != key_of("k", other)
    assert key_of("a", one) != key_of("b", one)


def test_what_is_kept_first_stays(tmp_path: Path) -> None:
    with ResultCache(tmp_path / "deep" / "r.sqlite") as cache:
        assert cache.get("k") is None
        cache.put("k", {"a": [1, None]})
        cache.put("k", "other")
        assert cache.get("k") == {"a": [1, None]}
        assert cache.remember("k", lambda: 1 / 0) == {"a": [1, None]}
        assert cache.remember("n", lambda: [2]) == [2]
    with ResultCache(tmp_path / "deep" / "r.sqlite") as cache:
        assert cache.get("n") == [2]


def test_processes_share_the_file_and_a_killed_one_leaves_it_valid(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE) for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None
        for _ in range(30):
            writer.stdout.readline()
    for writer in writers:
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
    with ResultCache(path) as cache:
        for name in "ab":
            assert all(cache.get(f"{name}-{number}") == [number, "x" * 500] for number in range(30))
        cache.put("after", 1)
        assert cache.get("after") == 1


def test_a_file_that_is_no_cache_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    path.write_text("not a database " * 100)
    with pytest.raises(LabError, match="cannot open the cache"):
        ResultCache(path)


def _ask(path: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", MAKER, str(path), name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_result_that_is_being_made_is_waited_for(tmp_path: Path) -> None:
    with _ask(tmp_path / "r.sqlite", "first") as first:
        assert first.stdout is not None
        assert [first.stdout.readline() for _ in range(2)] == ["asking\n", "making\n"]
        with _ask(tmp_path / "r.sqlite", "second") as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "asking\n"
            assert first.communicate("go\n")[0] == "['first']\n"
            assert second.communicate()[0] == "['first']\n"


def test_a_process_that_dies_while_making_holds_nobody_up(tmp_path: Path) -> None:
    with _ask(tmp_path / "r.sqlite", "first") as first:
        assert first.stdout is not None
        assert [first.stdout.readline() for _ in range(2)] == ["asking\n", "making\n"]
        first.kill()
    with ResultCache(tmp_path / "r.sqlite") as cache:
        assert cache.remember("k", lambda: ["mine"]) == ["mine"]
