"""Targets of rollouts: an environment, shell commands, and deployments on a small server that answers like GitHub."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from autodev_lab.decisions import (
    CommandTarget,
    EnvironmentTarget,
    GitHubTarget,
    RolloutPlan,
    Ruling,
    StageRule,
    run_rollout,
)
from autodev_lab.errors import LabError
from autodev_lab.integrations.github_deployments import GitHubDeployments
from autodev_lab.records import Change, Cost, ExposureReport, Stage, Task, TaskKind, Traffic

PLAN = RolloutPlan((StageRule(Stage.CANARY, 0.2, 20, 200), StageRule(Stage.PRODUCTION, 0.1, 20, 400)))
TOKEN = "a-token-that-is-nobodys"
STATES = {"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}


class _GitHub(BaseHTTPRequestHandler):
    """Creates and lists deployments, creates statuses; refuses what GitHub refuses."""

    def do_GET(self):
        path, _, query = self.path.partition("?")
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        made = [
            {"id": number, "environment": body["environment"]}
            for number, (at, body) in enumerate(self.server.seen, start=1)
            if at == path and all(body[name] == asked[name] for name in ("ref", "environment"))
        ]
        self._answer(200, made[::-1][: int(asked["per_page"])])

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, body))
        parts = self.path.strip("/").split("/")
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, {"message": "Bad credentials"})
        elif parts[:3] != ["repos", "team", "shop"]:
            self._answer(404, {"message": "Not Found"})
        elif len(parts) == 4 and body.get("ref") == "conflict":
            self._answer(409, {"message": "Conflict merging"})
        elif len(parts) == 4 and body.get("ref") == "merged":
            self._answer(202, {"message": "Auto-merged main into topic"})
        elif len(parts) == 4 and body.get("ref") and len(body["description"]) <= 140:
            self._answer(201, {"id": len(self.server.seen), "environment": body["environment"]})
        elif len(parts) == 6 and body.get("state") in STATES and len(body["description"]) <= 140:
            self._answer(201, {"id": 1, "state": body["state"]})
        else:
            self._answer(422, {"message": "Validation Failed"})

    def _answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def github():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _GitHub)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _url(server):
    return f"http://127.0.0.1:{server.server_address[1]}"


class _Steady:
    def __init__(self, failing):
        self._failing = failing

    def expose(self, stage, exposures):
        return Traffic(exposures if stage is self._failing else 0, exposures, 0, exposures)

    def promote(self, stage): ...

    def roll_back(self, stage, reason): ...


def _statuses(server):
    return [(path.split("/")[5], body["state"]) for path, body in server.seen if path.endswith("statuses")]


def test_github_sees_a_deployment_a_stage_with_its_status(github):
    with GitHubDeployments("team/shop", TOKEN, url=_url(github)) as deployments:
        assert run_rollout(GitHubTarget(_Steady(None), deployments, "v2"), PLAN).ruling is Ruling.PROMOTE
    made = [body for path, body in github.seen if path.endswith("deployments")]
    assert [(one["environment"], one["production_environment"]) for one in made] == [
        ("canary", False),
        ("production", True),
    ]
    assert [state for _, state in _statuses(github)] == ["in_progress", "success"] * 2


def test_a_rollback_fails_the_stage_and_ends_those_before_it(github):
    with GitHubDeployments("team/shop", TOKEN, url=_url(github)) as deployments:
        target = GitHubTarget(_Steady(Stage.PRODUCTION), deployments, "v2")
        assert run_rollout(target, PLAN).ruling is Ruling.ROLL_BACK
    canary, production = (number for number, state in _statuses(github) if state == "in_progress")
    assert _statuses(github)[-2:] == [(canary, "inactive"), (production, "failure")]


def test_a_rollback_ends_the_deployments_of_a_process_that_died(github):
    with GitHubDeployments("team/shop", TOKEN, url=_url(github)) as deployments:
        one = GitHubTarget(_Steady(None), deployments, "v2")
        one.expose(Stage.CANARY, 20)
        one.promote(Stage.CANARY)
        one.expose(Stage.STAGING, 20)
        canary, staging = (number for number, state in _statuses(github) if state == "in_progress")
        GitHubTarget(_Steady(None), deployments, "v1").expose(Stage.PRODUCTION, 20)
        GitHubTarget(_Steady(None), deployments, "v2").roll_back(Stage.STAGING, "a person declined the change")
    assert _statuses(github)[-2:] == [(canary, "inactive"), (staging, "failure")]


@pytest.mark.parametrize(
    ("repository", "token", "ref", "says"),
    [
        ("shop", TOKEN, "v2", "write owner/name"),
        ("team/shop", "wrong", "v2", "must be allowed to write deployments"),
        ("team/other", TOKEN, "v2", "does not know team/other"),
        ("team/shop", TOKEN, "conflict", "409.*Conflict merging"),
        ("team/shop", TOKEN, "merged", "did not make a deployment of merged to canary: Auto-merged"),
        ("team/shop", TOKEN, "", "422.*Validation Failed"),
    ],
)
def test_what_github_refuses_is_one_sentence_without_the_token(github, repository, token, ref, says):
    with pytest.raises(LabError, match=says) as caught, GitHubDeployments(repository, token, url=_url(github)) as found:
        found.create(ref, "canary")
    assert token not in str(caught.value)


def test_a_server_that_is_not_there_is_one_sentence(github):
    url = _url(github)
    github.shutdown()
    github.server_close()
    with pytest.raises(LabError, match="cannot be reached"), GitHubDeployments("team/shop", TOKEN, url=url) as found:
        found.create("v2", "canary")


SCRIPT = """
import json, os, sys
print("deploying", os.environ["AUTODEV_STAGE"])
if os.environ["AUTODEV_ACTION"] != "expose":
    open(sys.argv[1], "a").write(os.environ["AUTODEV_ACTION"] + " " + os.environ["AUTODEV_STAGE"] + "\\n")
n = int(os.environ["AUTODEV_EXPOSURES"])
print(json.dumps({"change": {"exposed": n, "failed": n * int(sys.argv[2])}, "baseline": {"exposed": n, "failed": 0}}))
"""


@pytest.mark.parametrize(("failing", "ruling"), [(0, Ruling.PROMOTE), (1, Ruling.ROLL_BACK)])
def test_a_command_a_stage_deploys_and_tells(tmp_path, failing, ruling):
    (tmp_path / "deploy.py").write_text(SCRIPT, encoding="utf-8")
    log = tmp_path / "log"
    command = f"{sys.executable} {tmp_path / 'deploy.py'} {log} {failing}"
    plan = RolloutPlan((StageRule(Stage.CANARY, 0.3, 40, 400),), batch=40)
    assert run_rollout(CommandTarget({Stage.CANARY: command}), plan).ruling is ruling
    assert log.read_text(encoding="utf-8") == f"{ruling.value} canary\n"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("echo hello", "must print as its last line"),
        ("true", "must print as its last line"),
        ('echo \'{"change": {"exposed": 3}}\'', "must print as its last line"),
        ("echo no space >&2; exit 3", "exit status 3.*no space"),
        ("sleep 5 | cat; true", "more than 0.2 seconds"),
    ],
)
def test_a_command_that_fails_is_one_sentence(command, says):
    with pytest.raises(LabError, match=says):
        CommandTarget({Stage.CANARY: command}, timeout=0.2).expose(Stage.CANARY, 20)


def test_no_command_and_no_traffic():
    with pytest.raises(LabError, match="no command for stage staging"):
        CommandTarget({Stage.CANARY: "true"}).expose(Stage.STAGING, 20)
    assert CommandTarget({Stage.CANARY: "echo null"}).expose(Stage.CANARY, 20) is None


class _Exposing:
    """An environment of seven exposure tests, the fourth of which fails on the change."""

    name = "seven"

    def expose(self, task, change, stage, share):
        sampled = max(1, round(7 * share))
        return ExposureReport(task.id, stage, sampled, ("t3",) if sampled > 3 else ()), Cost()

    def rollback(self, task, change):
        self.rolled_back = True
        return Cost()


def test_an_environment_shows_every_exposure_test_once():
    environment = _Exposing()
    target = EnvironmentTarget(environment, Task("t", "p", TaskKind.SYNTHETIC, "x"), Change("t", (), "", "s"))
    batches = []
    while (traffic := target.expose(Stage.CANARY, 20)) is not None:
        batches.append(traffic)
    assert sum(one.exposed for one in batches) == 7
    assert sum(one.failed for one in batches) == 1
    assert all(one.baseline_failed == 0 for one in batches)
    target.roll_back(Stage.CANARY, "why")
    assert environment.rolled_back
