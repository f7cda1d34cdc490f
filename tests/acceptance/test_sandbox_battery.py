"""Hostile candidates: whatever they do, no pass is forged, nothing outside changes, and the next verdict is right."""

from __future__ import annotations

import os
import socket
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from autodev_lab.execution.nursery import Nursery
from autodev_lab.execution.plain import run_plain
from autodev_lab.execution.probing import probe
from autodev_lab.execution.runs import CandidateRun
from autodev_lab.execution.sandbox import Isolation, Limits
from autodev_lab.execution.trees import SourceTree
from autodev_lab.execution.zygote import Zygote
from autodev_lab.records import Candidate, CandidateStatus, Edit

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(probe().level is not Isolation.STRONG, reason="this machine has no isolation"),
]

MODULE = """\
def add(a, b):
    return a - b


def twice(x):
    return x * 2
"""
TESTS = """\
from prey.core import add, twice


def test_add():
    assert add(2, 3) == 5


def test_twice():
    assert twice(4) == 8
"""
ORDER = ("tests/test_core.py::test_add", "tests/test_core.py::test_twice")
FIX = Candidate((Edit("prey/core.py", 2, 2, "    return a + b\n"),), "fix")
HARMLESS = Candidate((Edit("prey/core.py", 2, 2, "    return b - a\n"),), "harmless")
LIMITS = Limits(memory_bytes=512 << 20, cpu_seconds_total=20.0)


@dataclass(frozen=True)
class Den:
    """A faulty package, and things outside that nobody may touch."""

    tree: SourceTree
    outside: Path
    port: int
    zygote: Zygote
    server: socket.socket


@pytest.fixture(scope="module")
def den(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Den]:
    root = tmp_path_factory.mktemp("prey")
    outside = tmp_path_factory.mktemp("outside")
    for folder in [outside, *outside.parents]:  # open to everyone: the sandbox alone keeps candidates out
        if folder.owner() == outside.owner() and folder != Path("/tmp") and "pytest" in str(folder):
            folder.chmod(0o777)
    (outside / "oracle.py").write_text("SECRET = 'oracle'\n")
    (outside / "oracle.py").chmod(0o666)
    (root / "prey").mkdir()
    (root / "prey" / "__init__.py").write_text("")
    (root / "prey" / "core.py").write_text(MODULE)
    (root / "tests").mkdir()
    (root / "tests" / "test_core.py").write_text(TESTS)
    (root / "leak.txt").symlink_to(outside / "oracle.py")
    tree = SourceTree(root, "prey", "", "prey", ("tests",))
    with socket.create_server(("127.0.0.1", 0)) as server, Zygote(tree, report=probe(), limits=LIMITS) as zygote:
        server.setblocking(False)
        yield Den(tree, outside, server.getsockname()[1], zygote, server)


def hostile(den: Den, body: str) -> Candidate:
    text = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"
    text = text.replace("@OUT", str(den.outside)).replace("@PORT", str(den.port)).replace("@PID", str(os.getpid()))
    return Candidate((Edit("prey/core.py", 2, 2, text + "    return a - b\n"),), "hostile")


def judged(den: Den, candidate: Candidate) -> CandidateRun:
    """The verdict as the lab reaches it: a claimed pass counts only when the plain run confirms it."""
    (run,) = den.zygote.evaluate([candidate], tests=ORDER)
    if run.status is CandidateStatus.PLAUSIBLE:
        plain = run_plain(den.tree, tests=ORDER, edits=candidate.edits, report=probe(), limits=LIMITS)
        if not plain.passed:
            return CandidateRun(run.candidate_id, CandidateStatus.FORGED, run.test_executions, run.failing)
    return run


def survivors(mark: str) -> list[int]:
    """Processes whose command line or name holds a mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "comm").read_bytes() + (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


# Each body runs inside `add`, which stays wrong: whatever comes out must not be a pass.
CASES = {
    "infinite_loop": "while True:\n    pass",
    "swallowed_alarm": """
        import signal
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_PROF, 0)
        while True:
            pass
        """,
    "swallowed_exceptions": """
        while True:
            try:
                while True:
                    pass
            except BaseException:
                continue
        """,
    "endless_sleep": "import time\nwhile True:\n    time.sleep(3600)",
    "fork_bomb": """
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """,
    "thread_bomb": """
        import threading, time
        while True:
            threading.Thread(target=time.sleep, args=(3600,)).start()
        """,
    "memory_bomb": "held = []\nwhile True:\n    held.append(bytearray(1 << 24))",
    "output_flood": """
        import os
        for _ in range(2000):
            for fd in (1, 2):
                os.write(fd, b'x' * 65536)
        """,
    "file_flood": """
        import os, tempfile
        for number in range(100000):
            with open(os.path.join(tempfile.gettempdir(), str(number)), 'wb') as stream:
                stream.write(b'x' * 65536)
        """,
    "exit": "import os\nos._exit(0)",
    "system_exit": "raise SystemExit(0)",
    "keyboard_interrupt": "raise KeyboardInterrupt",
    "pytest_skip": "import pytest\npytest.skip('nothing to see')",
    "pytest_exit": "import pytest\npytest.exit('done', returncode=0)",
    "pytest_xfail": "import pytest\npytest.xfail('as expected')",
    "closed_descriptors": "import os\nos.closerange(0, 1024)",
    "killed_parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(1, signal.SIGKILL)",
    "killed_everything": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "killed_lab": "import os, signal\nos.kill(@PID, signal.SIGKILL)",
    "stopped_itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "deep_recursion": "import sys\nsys.setrecursionlimit(10**9)\ndef down():\n    return down()\nreturn down()",
    "crash": "import ctypes\nctypes.string_at(1)",
    "deleted_folder": "import shutil\nshutil.rmtree('.', ignore_errors=True)\nshutil.rmtree('/', ignore_errors=True)",
    "write_outside": "open('@OUT/written', 'w').write('x')",
    "rewritten_oracle": "open('@OUT/oracle.py', 'a').write('x')",
    "symlink_escape": """
        import os, tempfile
        link = os.path.join(tempfile.gettempdir(), 'link')
        os.symlink('@OUT', link)
        open(link + '/written', 'w').write('x')
        """,
    "network": "import socket\nsocket.create_connection(('127.0.0.1', @PORT), timeout=2).close()\nreturn a + b",
    "read_oracle": "return a + b if 'SECRET' in open('@OUT/oracle.py').read() else 0",
    "read_through_link": "return a + b if 'SECRET' in open('leak.txt').read() else 0",
    "read_home": """
        import os, pathlib
        found = [path for path in ('/root', '/home', '/etc/shadow') if os.access(path, os.W_OK)]
        return a + b if found else 0
        """,
    "read_site_packages": """
        import importlib
        return a + b if any(importlib.util.find_spec(name) for name in ('numpy', 'pandas', 'autodev_lab')) else 0
        """,
    "read_lab_process": "return a + b if open('/proc/@PID/environ', 'rb').read() is not None else 0",
    "parent_memory": """
        import os
        with open(f'/proc/{os.getppid()}/mem', 'r+b', buffering=0) as memory:
            memory.seek(4096)
        return a + b
        """,
    "ptrace": """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        return a + b if libc.ptrace(16, os.getppid(), 0, 0) == 0 else 0
        """,
    "new_namespaces": """
        import ctypes
        return a + b if ctypes.CDLL(None).unshare(0x10000000) == 0 else 0
        """,
    "forged_records": """
        import os
        for fd in range(3, 64):
            for record in ('end ["passed", 2, []]', 'done null'):
                for number in range(8):
                    try:
                        os.write(fd, f'{"0" * 24} {number} {record}\\n'.encode())
                    except OSError:
                        break
        os._exit(0)
        """,
    "forged_with_token": """
        import gc, os
        for thing in gc.get_objects():
            if type(thing).__name__ == 'Reporter':
                thing('end', ['passed', 1, []])
                thing('done')
        os._exit(0)
        """,
    "forged_to_the_letter": """
        import gc, os
        for thing in gc.get_objects():
            if type(thing).__name__ == 'Reporter':
                thing('test', [1, 1.0])
                thing('end', ['passed', 2, []])
                thing('control', ['failed', 'passed'])
                thing('done')
        os._exit(0)
        """,
    "patched_runner": """
        import _pytest.python, _pytest.runner, sys
        _pytest.python.Function.runtest = lambda self: None
        for module in list(sys.modules.values()):
            if getattr(module, '__name__', '').endswith('.work'):
                module._one = lambda *args: ('passed', None)
                module.execute = lambda *args: ('passed', None)
        """,
    "replaced_test": """
        import sys
        for module in list(sys.modules.values()):
            if hasattr(module, 'test_add'):
                module.test_add.__code__ = (lambda: None).__code__
        """,
    "equal_to_everything": """
        class Always(int):
            def __eq__(self, other):
                return False
            __hash__ = int.__hash__
        return Always(5)
        """,
    "patched_frames": """
        import sys
        frame = sys._getframe()
        while frame is not None:
            if 'report' in frame.f_locals:
                frame.f_locals['report']('end', ['passed', 2, []])
            frame = frame.f_back
        """,
    "leftovers": """
        import atexit, os, threading, time
        atexit.register(os._exit, 0)
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        if os.fork() == 0:
            os.setsid()
            time.sleep(3600)
        """,
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_hostile_code_is_contained(den: Den, case: str) -> None:
    candidate = hostile(den, CASES[case])
    before = sorted(path.name for path in den.outside.iterdir())
    run = judged(den, candidate)
    assert run.status is not CandidateStatus.PLAUSIBLE, run
    assert sorted(path.name for path in den.outside.iterdir()) == before
    assert (den.outside / "oracle.py").read_text() == "SECRET = 'oracle'\n"
    assert (den.tree.root / "prey" / "core.py").read_text() == MODULE
    with pytest.raises(BlockingIOError):
        den.server.accept()
    # what comes next is judged right: the candidate left nothing behind
    fixed, harmless = den.zygote.evaluate([FIX, HARMLESS], tests=ORDER)
    assert (fixed.status, harmless.status) == (CandidateStatus.PLAUSIBLE, CandidateStatus.FAILED)


def test_the_fix_is_confirmed_by_the_plain_run(den: Den) -> None:
    assert judged(den, FIX).status is CandidateStatus.PLAUSIBLE


@pytest.mark.parametrize("place", ["first", "last"])
def test_state_left_for_the_next_candidate_changes_no_verdict(den: Den, place: str) -> None:
    body = "import prey.core, builtins\nprey.core.twice = lambda x: 8\nbuiltins.saved = True\nadd.__defaults__ = (1, 2)"
    leaver = hostile(den, body)
    order = [leaver, FIX, HARMLESS] if place == "first" else [FIX, HARMLESS, leaver]
    runs = {run.candidate_id: run.status for run in den.zygote.evaluate(order, tests=ORDER)}
    assert runs[FIX.id] is CandidateStatus.PLAUSIBLE
    assert runs[HARMLESS.id] is CandidateStatus.FAILED
    assert runs[leaver.id] is not CandidateStatus.PLAUSIBLE


@pytest.mark.parametrize("case", ["pytest_skip", "patched_runner", "exit", "pytest_exit", "system_exit"])
def test_the_plain_run_is_not_fooled(den: Den, case: str) -> None:
    candidate = hostile(den, CASES[case])
    plain = run_plain(den.tree, tests=ORDER, edits=candidate.edits, report=probe(), limits=LIMITS)
    assert not plain.passed


def test_a_blanket_patch_is_seen_as_forgery(den: Den) -> None:
    plain = run_plain(
        den.tree, tests=ORDER, edits=hostile(den, CASES["patched_runner"]).edits, report=probe(), limits=LIMITS
    )
    assert plain.forged


def test_a_file_with_hostile_module_level_is_contained(den: Den) -> None:
    hostile_import = Candidate((Edit("prey/core.py", 1, 0, "import os\nos._exit(0)\n"),), "hostile")
    endless = Candidate((Edit("prey/core.py", 1, 0, "while True: pass\n"),), "hostile")
    crashed, stuck, fixed = den.zygote.evaluate([hostile_import, endless, FIX], tests=ORDER)
    assert crashed.status is CandidateStatus.CRASHED
    assert stuck.status is CandidateStatus.TIMEOUT
    assert fixed.status is CandidateStatus.PLAUSIBLE


def test_nursery_is_reusable_after_hostile_zygotes(den: Den) -> None:
    with Nursery() as nursery:
        for _ in range(2):
            with Zygote(den.tree, report=probe(), limits=LIMITS, pool=nursery) as zygote:
                (run,) = zygote.evaluate([hostile(den, CASES["fork_bomb"])], tests=ORDER)
                assert run.status is not CandidateStatus.PLAUSIBLE
