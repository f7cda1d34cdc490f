"""The first process of a room: answers the lab's requests, one at a time, until the lab goes away."""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Callable, Mapping
from types import ModuleType

from . import calls, work
from .codes import Codes
from .room import RoomSpec
from .running import Collected, Plan, Prepared, collect, prepare
from .state import State
from .supervise import Ended, Reporter, supervise
from .swap import Swapper
from .wire import Closed, receive, send

__all__ = ["serve"]


class Server:
    """State of one room: its tests once they are collected, and how to fork for work."""

    def __init__(self, channel: socket.socket, spec: RoomSpec, runner: tuple[str, ...]) -> None:
        self._channel = channel
        self._spec = spec
        self._runner = runner if spec.namespaces else (f"{spec.home}/runner",)
        self._collected: Collected | None = None
        self._swapper: Swapper | None = None
        self._state: State | None = None
        self._codes: Codes | None = None
        self._prepared: Prepared | None = None

    def answer(self, request: Mapping[str, object]) -> dict[str, object]:
        """Do what a request asks and return the reply."""
        handlers: dict[str, Callable[[Mapping[str, object]], dict[str, object]]] = {
            "collect": self._collect,
            "run": self._run,
            "chunk": self._chunk,
            "fresh": self._fresh,
            "call": self._call,
            "record": self._record,
        }
        return handlers[str(request["op"])](request)

    def _plan(self, request: Mapping[str, object], trace: bool) -> Plan:
        root = f"{self._spec.home}/tree"
        paths = request["paths"]
        only = request["only"]
        tests = request["test_paths"]
        assert isinstance(paths, list) and isinstance(tests, list)
        first = os.path.join(root, str(request["import_root"])).rstrip("/")  # noqa: PTH118
        dependencies = self._spec.dependencies_inside
        return Plan(
            root=root,
            import_path=(first, dependencies) if dependencies else (first,),
            runner_path=self._runner,
            package_path=str(request["package_path"]),
            paths=tuple(str(path) for path in paths),
            only=frozenset(str(one) for one in only) if isinstance(only, list) else None,
            trace=trace,
            tests=tuple(str(path) for path in tests),
        )

    def _collect(self, request: Mapping[str, object]) -> dict[str, object]:
        plan = self._plan(request, trace=True)
        codes = Codes()
        codes.load(request.get("codes"))
        new = codes.compile_tree(plan)
        codes.install()
        try:
            collected = collect(plan)
        except (Exception, SystemExit) as error:
            return {"tests": [], "errors": [["", f"{type(error).__name__}: {error}"[:2000]]]}
        ours: list[ModuleType] = []
        files: list[str] = []
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and file.startswith(plan.root + "/"):
                ours.append(module)
                if plan.owns(file) and file.endswith(".py"):
                    files.append(file[len(plan.root) + 1 :])
        self._collected = collected
        self._swapper = Swapper(plan.root, files, collected.imported, ours)
        self._swapper.prepare()
        self._state = State(ours)
        gc.collect()
        gc.freeze()
        return {"tests": list(collected.items), "errors": [list(one) for one in collected.errors[:20]], "codes": new}

    def _supervise(self, function: Callable[[Reporter], None], request: Mapping[str, object]) -> Ended:
        total = request["cpu_total"]
        assert isinstance(total, int | float)
        return supervise(
            function,
            close=[self._channel.fileno()],
            alone=self._spec.namespaces,
            cpu_total=float(total),
            allowance=work.allowance,
            lifeline=self._channel.fileno(),
            scratch=f"{self._spec.home}/tmp",
        )

    def _ready(self) -> tuple[Collected, Swapper, State]:
        assert self._collected is not None and self._swapper is not None and self._state is not None
        return self._collected, self._swapper, self._state

    def _chunk(self, request: Mapping[str, object]) -> dict[str, object]:
        collected, swapper, state = self._ready()
        job = work.Job.from_json(request)
        swapper.expect(edit for edits in job.candidates for edit in edits)
        ended = self._supervise(lambda report: work.chunk(job, collected, swapper, state, report), request)
        return {"how": ended.how, "records": [list(one) for one in ended.records]}

    def _fresh(self, request: Mapping[str, object]) -> dict[str, object]:
        plan = self._plan(request, trace=False)
        job = work.Job.from_json(request)
        if self._codes is None:
            self._codes = Codes()
            self._codes.load(request.get("codes"))
            self._codes.compile_tree(plan)
            self._codes.install()
            self._prepared = prepare(plan)
            gc.collect()
            gc.freeze()
        codes, prepared = self._codes, self._prepared
        codes.expect(plan.root, (edit for edits in job.candidates for edit in edits))
        ended = self._supervise(lambda report: work.fresh(plan, job, codes, prepared, report), request)
        return {"how": ended.how, "records": [list(one) for one in ended.records]}

    def _run(self, request: Mapping[str, object]) -> dict[str, object]:
        collected, _, _ = self._ready()
        order = work.TestOrder.from_json(request["order"])
        coverage = bool(request["coverage"])
        results: list[object] = []
        while len(results) < len(order.ids):
            first = len(results)

            def baseline(report: Reporter, first: int = first) -> None:
                work.baseline(order, collected, first, coverage, report)

            ended = self._supervise(baseline, request)
            results += [body for kind, body in ended.records if kind == "result"][: len(order.ids) - first]
            if ended.how != "complete" and len(results) < len(order.ids):
                results.append([ended.how, 0.0, 0.0, f"the test's process {ended.how}", {}])
            elif ended.how == "complete" and len(results) < len(order.ids):
                return {"how": "garbled", "results": results}
        return {"how": "complete", "results": results}

    def _call(self, request: Mapping[str, object]) -> dict[str, object]:
        plan = self._plan(request, trace=False)
        ended = self._supervise(lambda report: calls.call(plan, request, report), request)
        return {"how": ended.how, "records": [list(one) for one in ended.records]}

    def _record(self, request: Mapping[str, object]) -> dict[str, object]:
        collected, _, _ = self._ready()
        ended = self._supervise(lambda report: calls.record(collected, request, report), request)
        return {"how": ended.how, "records": [list(one) for one in ended.records]}


def serve(descriptor: int, spec: RoomSpec, runner: tuple[str, ...]) -> int:
    """Answer requests until the lab closes the channel."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    os.close(quiet)
    with socket.socket(fileno=descriptor) as channel:
        server = Server(channel, spec, runner)
        try:
            send(channel, {"ready": True})
            while True:
                request = receive(channel)
                try:
                    reply = server.answer(request)
                except Exception as error:
                    reply = {"error": f"{type(error).__name__}: {error}"}
                send(channel, reply)
        except Closed:
            return 0
