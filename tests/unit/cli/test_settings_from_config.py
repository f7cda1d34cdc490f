"""Which command reads which key: what is said is true, key by key; the order of precedence; and no secret anywhere."""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from autodev_lab.cli.main import app
from autodev_lab.cli.settings_from_config import READS, options_from, variables_from
from autodev_lab.config import Configuration, load_config
from autodev_lab.config.schema import keys_of
from autodev_lab.config.wording import reads_of
from autodev_lab.configured import thresholds_of
from autodev_lab.errors import LabError
from autodev_lab.experiments.configuring import configured, governed_team
from autodev_lab.experiments.design import load_experiment, make_plan
from autodev_lab.records import Traffic

SECRET = "sekret-4711"
TINY = ["-p", "environment=simulated", "-p", "packages=ant,bee", "-p", "tasks_per_package=3", "-p", "twins=false"]
VARIABLES = ("AUTODEV_CONFIG", "AUTODEV_REDIS_URL", "AUTODEV_R2R_URL", "AUTODEV_R2R_API_KEY", "AUTODEV_R2R_EMAIL")

OTHER: dict[str, object] = {
    "r2r.base_url": "http://elsewhere:1",
    "r2r.api_key": "another",
    "r2r.email": "me@example.com",
    "r2r.password": "another",
    "r2r.collections": ["tasks"],
    "r2r.graphrag.enabled": False,
    "r2r.graphrag.extraction_model": "another",
    "r2r.graphrag.embedding_model": "another",
    "memory.backend": "in_memory",
    "coordination.lease_seconds": 7,
    "coordination.max_tries": 7,
    "coordination.prefix": "another",
    "agents.developer.sandbox_provider": "local",
    "agents.deployer.max_complexity": 7.5,
    "decision_engine.policy": "learned",
    "decision_engine.auto_deploy_threshold": 0.95,
    "decision_engine.risk_threshold_high": 0.4,
    "decision_engine.risk_threshold_critical": 0.7,
    "decision_engine.promise.success": 0.9,
    "decision_engine.promise.assurance": 0.9,
    "decision_engine.rollout": "sequential",
    "decision_engine.answer_within_seconds": 60,
    "decision_engine.escalation_rules.immediate": ["reworks > 2"],
    "decision_engine.escalation_rules.high_priority": ["reworks > 1"],
    "learning.pattern_threshold": 0.1,
    "learning.learning_rate": 0.5,
    "learning.memory_decay_rate": 0.5,
    "learning.meta_learning_enabled": False,
    "integrations.linear.api_key": "another",
    "integrations.linear.webhook_secret": "another",
    "integrations.github.token": "another",
    "integrations.github.repo": "one/other",
    "integrations.codegen.api_key": "another",
    "integrations.redis.url": "redis://elsewhere:1",
    "integrations.mlflow.tracking_uri": "sqlite:///another.db",
}
for stage in ("canary", "staging", "production"):
    OTHER[f"decision_engine.stages.{stage}.margin"] = 0.03
    OTHER[f"decision_engine.stages.{stage}.minimum"] = 20
    OTHER[f"decision_engine.stages.{stage}.maximum"] = 500
for role in ("architect", "developer", "tester", "reviewer", "deployer", "monitor"):
    OTHER[f"agents.{role}.count"] = 7
    OTHER[f"agents.{role}.thinking_budget_tokens"] = 1
    OTHER.setdefault(f"agents.{role}.max_complexity", 1)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def nested(values: dict[str, object]) -> dict[str, object]:
    data: dict[str, object] = {}
    for key, value in values.items():
        *sections, name = key.split(".")
        inner = data
        for section in sections:
            inner = inner.setdefault(section, {})  # type: ignore[assignment]
        inner[name] = value
    return data


def write(values: dict[str, object], name: str = "platform_config.yaml") -> Path:
    path = Path(name)
    path.write_text(yaml.safe_dump(nested(values)), "utf-8")
    return path


def lab(*words: str) -> Result:
    done = CliRunner().invoke(app, list(words))
    assert SECRET not in done.output
    assert "Traceback" not in done.output
    return done


def footprint(command: str, found: Configuration) -> object:
    """All that a command takes of a configuration."""
    taken: list[object] = [options_from(command, found), variables_from(command, found)]
    if command == "run":
        taken.append(configured(found, "learning").parameters)
    if command in ("up", "agent"):
        taken.append(governed_team(found))
    if command == "assess":
        engine = found.settings.decision_engine
        thresholds = thresholds_of(engine)
        taken += [thresholds.risk_critical, thresholds.policy("published"), engine.escalation_rules.rules]
    return taken


USUAL: dict[str, object] = {
    "memory.backend": "r2r",
    "decision_engine.policy": "certified",
    "decision_engine.rollout": "first_failure",
}
"""Where R2R is the memory, its address and credentials are read; where a policy promises something, the promise; where
stages are judged on traffic, what they have to show."""


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Configuration, dict[str, object]]:
    path = tmp_path_factory.mktemp("usual") / "usual.yaml"
    path.write_text(yaml.safe_dump(nested(USUAL)), "utf-8")
    found = load_config(path, environment={})
    return found, {command: footprint(command, found) for command in READS}


@pytest.mark.parametrize("key", sorted(OTHER))
def test_what_show_says_of_a_key_is_true_of_every_command(
    key: str, usual: tuple[Configuration, dict[str, object]]
) -> None:
    found, before = usual
    other = load_config(write({**USUAL, key: OTHER[key]}), environment={})
    assert found.value(key) != other.value(key)
    changed = {command for command in READS if footprint(command, other) != before[command]}
    (said,) = (reads_of(field) for one, field in keys_of() if ".".join(one) == key)
    assert changed == set(said)


def test_every_key_is_tried_here() -> None:
    assert {".".join(key) for key, _ in keys_of()} == set(OTHER)


def test_options_that_a_configuration_sets_exist_and_have_the_defaults_of_the_file_that_ships() -> None:
    shipped = load_config(environment={})
    for name in READS:
        (command,) = (one for one in app.registered_commands if one.name == name)
        assert command.callback is not None
        defaults = command.callback.__wrapped__.__defaults__ or ()  # type: ignore[attr-defined]
        code = command.callback.__wrapped__.__code__  # type: ignore[attr-defined]
        arguments = code.co_varnames[: code.co_argcount]
        usual = dict(zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True))
        assert "config" in arguments
        for option, value in options_from(name, shipped).items():
            assert option in arguments
            assert option == "redis" or usual[option] == value


# --------------------------------------------------------------------------------------------------- precedence


def plan(*words: str) -> tuple[str, str]:
    """The configuration hash of a planned run, and what is said of the file."""
    done = lab("run", "learning", "--dry-run", "--json", *words)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["configuration_hash"], done.stderr


def test_the_command_line_goes_before_the_file_and_the_file_before_the_experiment() -> None:
    usual, told = plan()
    assert told == ""
    write({"decision_engine.policy": "learned", "agents.developer.count": 6})
    ruled, told = plan()
    assert "platform_config.yaml (in this folder); it sets decision_engine.policy, agents.developer.count" in told
    assert ruled == plan("--config", str(write({}, "none.yaml")), "-p", "policy=learned", "-p", "developers=6")[0]
    half, told = plan("-p", "policy=published")
    assert half == plan("--config", "none.yaml", "-p", "developers=6")[0]
    assert "it sets agents.developer.count" in told
    assert len({usual, ruled, half}) == 3
    assert plan("-p", "policy=published", "-p", "developers=4")[0] == usual


def test_a_file_is_the_one_named_else_the_variables_else_the_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, policy in (("platform_config.yaml", "published"), ("mine.yaml", "learned"), ("named.yaml", "certified")):
        write({"decision_engine.policy": policy}, name)
    assert "platform_config.yaml (in this folder)" in plan()[1]
    monkeypatch.setenv("AUTODEV_CONFIG", "mine.yaml")
    assert "mine.yaml (as AUTODEV_CONFIG says)" in plan()[1]
    assert "named.yaml (as given)" in plan("--config", "named.yaml")[1]
    monkeypatch.setenv("AUTODEV_CONFIG", "gone.yaml")
    done = lab("run", "learning", "--dry-run")
    assert (done.exit_code, "AUTODEV_CONFIG says gone.yaml, and gone.yaml does not exist" in done.stderr) == (2, True)


def test_a_variable_goes_before_the_file_and_an_option_before_both(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["up", "--environment", "scripted", "--patience", "0", "--no-submit", "--agents", "developer=1"]
    write({"integrations.redis.url": f"redis://:{SECRET}@127.0.0.1:1/0"})
    assert "cannot reach Redis at redis://127.0.0.1:1/0" in lab(*words).stderr
    monkeypatch.setenv("AUTODEV_REDIS_URL", f"redis://:{SECRET}@127.0.0.1:2/0")
    assert "cannot reach Redis at redis://127.0.0.1:2/0" in lab(*words).stderr
    assert "redis://********@127.0.0.1:2/0" in lab("config", "show").stdout
    assert "environment (AUTODEV_REDIS_URL)" in lab("config", "show").stdout
    assert "cannot reach Redis at redis://127.0.0.1:3/0" in lab(*words, "--redis", "redis://127.0.0.1:3/0").stderr
    monkeypatch.delenv("AUTODEV_REDIS_URL")
    assert "cannot reach Redis at redis://127.0.0.1:1/0" in lab("agent", "tester", "--environment", "scripted",
                                                                 "--patience", "0").stderr  # fmt: skip


def test_of_several_servers_up_takes_all_and_an_agent_the_first() -> None:
    write({"integrations.redis.url": f"redis://:{SECRET}@127.0.0.1:1/0 redis://:{SECRET}@127.0.0.1:1/0"})
    scripted = ["--environment", "scripted", "--patience", "0"]
    assert "--redis names a server twice" in lab("up", *scripted).stderr
    assert "cannot reach Redis at redis://127.0.0.1:1/0" in lab("agent", "tester", *scripted).stderr
    assert "redis://********@127.0.0.1:1/0 redis://********@127.0.0.1:1/0" in lab("config", "show").stdout


def test_numbers_of_agents_are_counted_role_by_role() -> None:
    found = load_config(write({"agents.tester.count": 2, "agents.developer.count": 3}), environment={})
    assert options_from("up", found)["agents"] == "developer=3,tester=2"
    done = lab("up", "--agents", "developer=x", "--environment", "scripted")
    assert "--agents says 'developer=x'; give a role and a number" in done.stderr
    write({"agents.architect.count": 0, **{f"agents.{role}.count": 0 for role in ("tester", "reviewer")}})
    nobody = "developer=0,deployer=0,monitor=0,human=0"
    assert "--agents leaves nobody" in lab("up", "--agents", nobody, "--environment", "scripted").stderr


class _Asked(http.server.BaseHTTPRequestHandler):
    """A server that knows nobody, and remembers who asked."""

    who: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        health = self.path.endswith("/health")
        if not health:
            self.who.append(self.headers.get("x-api-key") or "nobody")
        self.send_response(200 if health else 401)
        self.end_headers()
        self.wfile.write(b'{"results": {"message": "ok"}}' if health else b"")

    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def r2r() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Asked)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    _Asked.who.clear()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_init_r2r_takes_address_and_key_from_the_file(r2r: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"r2r.base_url": r2r, "r2r.api_key": "${R2R_OF_MINE}"})
    monkeypatch.setenv("R2R_OF_MINE", SECRET)
    done = lab("init-r2r")
    assert done.exit_code != 0
    assert f"R2R at {r2r} does not take these credentials" in done.stderr
    assert set(_Asked.who) == {SECRET}
    assert "AUTODEV_R2R_API_KEY" not in os.environ


def test_ui_goes_where_the_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    write({"integrations.mlflow.tracking_uri": f"https://me:{SECRET}@tracking.example/x"})
    assert "has its own UI: https://tracking.example/x" in lab("ui").stdout
    assert "MLFLOW_TRACKING_URI" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://other.example/")
    assert "has its own UI: https://other.example/" in lab("ui").stdout


def test_a_rollout_is_taken_where_arms_do_not_differ_in_it() -> None:
    found = load_config(write({"decision_engine.rollout": "sequential"}), environment={})
    assert configured(found, "learning").parameters == {"rollout": "sequential"}
    assert configured(found, "rollout_worth").parameters == {}
    plan = make_plan(load_experiment("learning"), profile="quick", overrides={"rollout": "sequential"})
    assert {plan.team(arm).rollout for arm in plan.arms} == {"sequential"}
    with pytest.raises(LabError, match="says itself how its stages are judged"):
        make_plan(load_experiment("rollout_worth"), profile="smoke", overrides={"rollout": "at_once"})


def test_what_a_stage_has_to_show_is_taken_where_stages_are_judged() -> None:
    stages = {"decision_engine.stages.canary.minimum": 10, "decision_engine.stages.production.margin": 0.2}
    found = load_config(write(stages), environment={})
    assert configured(found, "learning").parameters == {}
    assert configured(found, "rollout_worth").parameters == {"canary_minimum": 10, "production_margin": 0.2}
    asked = {"rollout": "first_failure", "canary_minimum": "10"}
    plan = make_plan(load_experiment("learning"), profile="quick", overrides=asked)
    rollout = plan.parameters.governing(plan.team(plan.arms[0]))["rollout"]
    first = make_plan(load_experiment("learning"), profile="quick", overrides={"rollout": "first_failure"})
    usual = first.parameters.governing(first.team(first.arms[0]))["rollout"]
    assert rollout is not None and usual is not None
    judges = rollout.judge(), usual.judge()
    for judge in judges:
        for _ in range(2):
            ruling = judge.observe(Traffic(0, 20, 0, 20))
    assert [judge.stage.value for judge in judges] == ["staging", "canary"] and ruling is None
    assert plan.configuration_hash != first.configuration_hash
    with pytest.raises(LabError, match="canary_minimum is 10, and no arm that runs judges its stages on traffic"):
        make_plan(load_experiment("learning"), profile="quick", overrides={"canary_minimum": "10"})
    with pytest.raises(LabError, match="a minimum of 50 and a maximum of 40 exposures"):
        make_plan(load_experiment("rollout_worth"), profile="smoke", overrides={"canary_maximum": "40"})
    with pytest.raises(LabError, match=r"minimum is 3000 \(file, line .\) and above maximum, which is 2000"):
        load_config(write({"decision_engine.stages.canary.minimum": 3000}), environment={})


# ------------------------------------------------------------------------------------------- mistakes and secrets

COMMANDS = {
    "run": ["run", "learning", "--dry-run"],
    "up": ["up", "--environment", "scripted"],
    "agent": ["agent", "tester", "--environment", "scripted"],
    "status": ["status"],
    "shards": ["shards"],
    "assess": ["assess", ".", "HEAD"],
    "init-r2r": ["init-r2r"],
    "ui": ["ui"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_file_stops_every_command_in_one_sentence(command: str) -> None:
    assert set(COMMANDS) == set(READS)
    Path("platform_config.yaml").write_text(
        f"integrations:\n  github:\n    tokn: {SECRET}\n  redis:\n    url: http://:{SECRET}@h\n"
        f"r2r:\n  password: [{SECRET}]\ndecision_engine:\n  policy: ghp_{SECRET}0123456789\n"
    )
    done = lab(*COMMANDS[command])
    assert (done.exit_code, done.stdout) == (2, "")
    (sentence,) = done.stderr.splitlines()
    assert "platform_config.yaml:3:5: integrations.github.tokn is not a key; did you mean 'token'?" in sentence


def test_a_wrong_file_stops_no_help() -> None:
    Path("platform_config.yaml").write_text("nonsense\n")
    assert lab("config", "check").exit_code == 1
    assert lab("run", "--help").exit_code == 0


def test_a_wrong_variable_is_the_business_of_who_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTODEV_REDIS_URL", f"http://:{SECRET}@h")
    done = lab("status")
    assert done.exit_code == 2
    assert "integrations.redis.url is taken from AUTODEV_REDIS_URL; allowed is redis://HOST:PORT/N" in done.stderr
    assert lab("run", "learning", "--dry-run").exit_code == 0


def test_a_run_shows_what_the_file_set_and_keeps_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LINEAR_API_KEY", f"{SECRET}-linear")
    monkeypatch.setenv("MY_KEY", f"{SECRET}-r2r")
    write(
        {
            "decision_engine.policy": "certified",
            "decision_engine.promise.success": 0.9,
            "decision_engine.risk_threshold_high": 0.4,
            "decision_engine.escalation_rules.high_priority": ["lines_changed > 0"],
            "decision_engine.answer_within_seconds": 600,
            "agents.developer.count": 2,
            "integrations.codegen.api_key": SECRET,
            "integrations.redis.url": f"redis://:{SECRET}@localhost:6379/0",
            "integrations.mlflow.tracking_uri": f"sqlite:///{tmp_path / 'store.db'}",
            "integrations.linear.api_key": "${LINEAR_API_KEY}",
            "r2r.api_key": "${MY_KEY}",
        }
    )
    words = ["--no-notebook", "--no-mlflow", "--workers", "1", "-p", "arms=team_shared", *TINY]
    done = lab("run", "learning", *words, "--json", "--out", "one")
    assert done.exit_code == 0, done.output
    assert "platform_config.yaml (in this folder); it sets decision_engine.policy" in done.stderr
    summary = json.loads(done.stdout)
    assert summary["confirmatory"] is False
    spec = json.loads(Path("one/spec.json").read_text("utf-8"))["parameters"]
    assert (spec["policy"], spec["promise"], spec["developers"]) == ("certified", 0.9, 2)
    assert (spec["risk_threshold_high"], spec["answer_within_seconds"]) == (0.4, 600.0)
    assert spec["escalate_high_priority"] == ["lines_changed > 0"]
    assert "max_complexity" not in spec
    noted = json.loads(Path("one/provenance.json").read_text("utf-8"))["configuration"]
    assert noted["file"] == "platform_config.yaml"
    assert noted["keys"]["decision_engine.policy"] == "certified"
    assert not [key for key in noted["keys"] if key.startswith(("integrations", "r2r"))]
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "platform_config.yaml"]
    assert len(files) > 10
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
    assert not {"AUTODEV_R2R_API_KEY", "MLFLOW_TRACKING_URI"} & set(os.environ)


def test_without_a_file_a_run_is_as_the_experiment_says() -> None:
    sets = configured(load_config(environment={}), "learning")
    assert (sets.parameters, sets.as_json()) == ({}, {"file": "platform_config.yaml", "keys": {}})
    assert "the lab's own (no --config, AUTODEV_CONFIG or platform_config.yaml); no key of it sets" in sets.words
    parameters = make_plan(load_experiment("learning"), profile="quick").as_json()["parameters"]
    assert isinstance(parameters, dict)
    assert not {"risk_threshold_high", "promise", "escalate_immediate", "memory_decay_rate", "rollout"} & set(
        parameters
    )
