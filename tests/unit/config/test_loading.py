"""Configurations: what a user can do wrong, and what is said; origins, variables, secrets that never show."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autodev_lab.config import ConfigError, Configuration, check_config, find_config, load_config
from autodev_lab.config.document import read_document
from autodev_lab.config.schema import keys_of
from autodev_lab.config.variables import VariableError, substituted
from autodev_lab.errors import LabError
from autodev_lab.resources import resource

SECRET = "sekret-4711"
ENVIRONMENT = {"BAD": SECRET, "GOOD": "0.75", "WITH_LINE_END": f"{SECRET}\n", "EMPTY": "", "KEY": SECRET}


def checked(tmp_path: Path, text: str | bytes) -> tuple[Configuration | None, list[str]]:
    """A configuration and its problems without the folder; no problem, and no representation, has the secret."""
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    configuration, problems = check_config(path, environment=ENVIRONMENT)
    told = [f"{one}\n{one.pointed}".strip().replace(f"{tmp_path}/", "") for one in problems]
    assert SECRET not in "".join(told)
    assert SECRET not in repr(configuration)
    assert (configuration is None) == bool(problems)
    for one in problems:
        assert "\n" not in str(one)
        assert one.as_json()["message"] == one.message
    return configuration, told


def engine(lines: str) -> str:
    return "decision_engine:\n" + "".join(f"  {line}\n" for line in lines.split("\n"))


def linear(value: str) -> str:
    return f"integrations:\n  linear:\n    api_key: {value}\n"


def immediate(rule: str) -> str:
    return f"decision_engine:\n  escalation_rules:\n    immediate:\n      - {rule}\n"


BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "empty": ("", ["mine.yaml: is empty"]),
    "comments alone": ("# nothing\n", ["is empty"]),
    "a list": ("- a\n", ["mine.yaml:1:1: holds no sections"]),
    "a text": (SECRET, ["holds no sections"]),
    "two documents": ("learning: {}\n---\na: 1\n", ["mine.yaml:2:1: is not YAML", "keep one"]),
    "a tab": ("learning:\n\tlearning_rate: 0.1\n", ["mine.yaml:2:1: is not YAML", "indent with spaces"]),
    "a colon too many": (engine(f"policy: a: {SECRET}"), ["mine.yaml:2:12: is not YAML", "in quotes"]),
    "an open quote": (linear(f'"{SECRET}'), ["is not YAML", "close the quotes"]),
    "an alias of a secret": (linear(f"*{SECRET}"), ["mine.yaml:3:14: is not YAML", "'...'", "in quotes"]),
    "a tag of a secret": (linear(f"!{SECRET} x"), ["mine.yaml:3:14: integrations.linear.api_key", "quotes"]),
    "an open brace": ("r2r: {base_url: ${A}}\n", ["mine.yaml:1:18: is not YAML", "put ${...} in quotes"]),
    "a bad escape": ('r2r:\n  base_url: "\\q"\n', ["mine.yaml:2:15", "double the backslash"]),
    "Latin 1": ("learning: caf\xe9".encode("latin-1"), ["mine.yaml: is no UTF-8 text (byte 14)"]),
    "a control character": ("learning:\n  a: \x01\n", ["character 16"]),
    "a NUL": (b"\0", ["character 1 "]),
    "nested without end": ("[" * 500, ["nested too deeply"]),
    "a million laughs": (
        "a: &a [x,x,x,x,x,x,x,x]\n"
        + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 8)}]\n" for i in range(9)),
        ["more than 10000 values"],
    ),
    "itself": ("learning: &x\n  learning_rate: *x\n", ["learning.learning_rate holds itself"]),
    "code": ("learning: !!python/object/apply:os.system ['echo']\n", ["mine.yaml:1:1: learning is a list"]),
    "a merge": ("learning:\n  <<: {learning_rate: 1}\n", ["mine.yaml:2:3: learning.<< is YAML's merge"]),
    "a list as a key": ("? [a]\n: 2\n", ["a key that is no name"]),
    "a huge number": (engine("answer_within_seconds: " + "9" * 5000), ["YAML cannot read"]),
    "a clock": (engine("answer_within_seconds: 1:30"), ["1:30, which YAML reads as another number"]),
    "an octal": (engine("answer_within_seconds: 0100"), ["0100, which YAML reads as another number"]),
    "a date that is none": (engine("policy: 2024-13-45"), ["mine.yaml:2:11: decision_engine.policy has a value that"]),
    "a key twice": (
        "learning:\n  learning_rate: 0.1\n  learning_rate: 0.2\n",
        ["mine.yaml:3:3: learning.learning_rate is given twice, first in line 2; keep one"],
    ),
    "a section twice": ("learning: {}\nr2r: {}\nlearning: {}\n", ["mine.yaml:3:1: learning is given twice"]),
    "a misspelt key": (
        engine("auto_deploy_treshold: 0.8"),
        ["mine.yaml:2:3: decision_engine.auto_deploy_treshold is not a key; did you mean 'auto_deploy_threshold'?"],
    ),
    "a key with dashes": (engine("auto-deploy-threshold: 0.8"), ["did you mean 'auto_deploy_threshold'?"]),
    "a misspelt section": ("decison_engine: {}\n", ["mine.yaml:1:1", "did you mean 'decision_engine'?"]),
    "a misspelt role": ("agents:\n  arhitect:\n    max_complexity: 5\n", ["did you mean 'architect'?"]),
    "a key in the wrong place": (
        "auto_deploy_threshold: 0.8\n",
        ["auto_deploy_threshold is not a key here; it is at decision_engine.auto_deploy_threshold"],
    ),
    "a section in the wrong place": ("graphrag: {}\n", ["it is at r2r.graphrag"]),
    "another service's key": (f"integrations:\n  linear:\n    token: {SECRET}\n", ["at integrations.github.token"]),
    "an unknown key": ("learning:\n  colour: red\n", ["learning.colour is not a key; choose among pattern_threshold"]),
    "an unknown service": (f"integrations:\n  slack: {SECRET}\n", ["choose among linear, github, codegen, redis"]),
    "a number as a key": ("1: 2\n", ["1 is not a key; choose among r2r, memory, coordination, agents"]),
    "a misspelt key of a secret": (f"integrations:\n  linear:\n    apikey: {SECRET}\n", ["did you mean 'api_key'?"]),
    "a share above 1": (engine("auto_deploy_threshold: 1.5"), ["is 1.5; allowed is a number from 0 to 1"]),
    "a share below 0": (engine("risk_threshold_high: -0.1"), ["is -0.1; allowed is a number from 0 to 1"]),
    "a percentage": (engine("auto_deploy_threshold: 80%"), ["'80%'; did you mean 0.8? Allowed is a number from 0"]),
    "a percentage without %": (engine("auto_deploy_threshold: 80"), ["80; did you mean 0.8?"]),
    "a decimal comma": (engine("auto_deploy_threshold: 0,8"), ["'0,8'; did you mean 0.8?"]),
    "yes for a number": (engine("auto_deploy_threshold: yes"), ["is true; allowed is a number from 0 to 1"]),
    "no number": (engine("auto_deploy_threshold: .nan"), ["is nan; allowed"]),
    "for ever": (engine("answer_within_seconds: .inf"), ["is inf; allowed is a number above 0 up to 31536000"]),
    "no time at all": (engine("answer_within_seconds: 0"), ["is 0; allowed is a number above 0"]),
    "nothing for a number": (engine("auto_deploy_threshold:"), ["has no value; allowed is a number from 0 to 1"]),
    "half a token": (
        "agents:\n  tester:\n    thinking_budget_tokens: 0.5\n",
        ["agents.tester.thinking_budget_tokens is 0.5; allowed is a whole number from 0 to 1000000"],
    ),
    "thousands of tokens": (
        "agents:\n  tester:\n    thinking_budget_tokens: 8k\n",
        ["'8k'; allowed is a whole number"],
    ),
    "too complex": ("agents:\n  tester:\n    max_complexity: 12\n", ["is 12; allowed is a number from 0 to 10"]),
    "a sandbox nobody has": ("agents:\n  developer:\n    sandbox_provider: moon\n", ["one of codegen, local"]),
    "a sandbox for the architect": (
        "agents:\n  architect:\n    sandbox_provider: local\n",
        ["it is at agents.developer.sandbox_provider"],
    ),
    "everything fades at once": ("learning:\n  memory_decay_rate: 1\n", ["a number from 0 and below 1"]),
    "maybe": ("learning:\n  meta_learning_enabled: maybe\n", ["is 'maybe'; allowed is true or false"]),
    "capital letters": (engine("policy: Learned"), ["did you mean 'learned'? Allowed is one of published, learned"]),
    "a date for a policy": (engine("policy: 2024-01-02"), ["is 2024-01-02; allowed is one of"]),
    "a long text": (engine("policy: " + "x" * 500), ["xxx...; allowed"]),
    "high above critical": (
        engine("risk_threshold_high: 0.9"),
        ["mine.yaml:2:3", "risk_threshold_high is 0.9 (file, line 2)", "which is 0.8 (default)"],
    ),
    "critical below high": (engine("risk_threshold_critical: 0.3"), ["mine.yaml:2:3", "0.5 (default)", "0.3 (file"]),
    "a text for a section": ("agents: all\n", ["agents is 'all'; allowed is a section with architect, developer"]),
    "a list for a section": ("agents: [a]\n", ["agents is a list; allowed is a section"]),
    "a secret for a section": (f"integrations:\n  linear: {SECRET}\n", ["a section with api_key, webhook_secret"]),
    "a text for rules": (engine("escalation_rules: none"), ["a section with immediate, high_priority"]),
    "one rule for a list": (
        engine("escalation_rules:\n  immediate: production_outage"),
        ["is 'production_outage'; allowed is a list"],
    ),
    "a level nobody has": (engine("escalation_rules:\n  high: []"), ["choose among immediate, high_priority"]),
    "a section for a rule": (immediate("outage: yes"), ["immediate[0] is a section; allowed is a rule in quotes"]),
    "a number for a rule": (immediate("5"), ["mine.yaml:4:9", "immediate[0] is 5; allowed is a rule"]),
    "a rule that YAML takes apart": (immediate("> 20%"), ["mine.yaml:4:11: is not YAML", "in quotes"]),
    "a misspelt fact": (
        immediate("production_outge"),
        ["mine.yaml:4:9", "is no rule: there is no fact 'production_outge'", "\nproduction_outge\n^"],
    ),
    "a rule in quotes": (immediate("'lines_changed > 5%'"), ["mine.yaml:4:27", "\n" + " " * 17 + "^"]),
    "a rule on two lines": (immediate(">\n        reworks\n        > 2 %"), ["mine.yaml:4:9", "reworks > 2 %"]),
    "a variable in a rule": (immediate("${KEY}"), ["is no rule: the character '$'"]),
    "a variable nobody set": (
        engine("auto_deploy_threshold: ${NONE}"),
        ["needs NONE, which is not set; export it, or write ${NONE:-value}"],
    ),
    "a variable that is empty": (engine("auto_deploy_threshold: ${EMPTY}"), ["needs EMPTY, which is not set"]),
    "a variable of the wrong kind": (
        engine("auto_deploy_threshold: ${BAD}"),
        ["is taken from BAD; allowed is a number"],
    ),
    "a variable with a line end": (linear("${WITH_LINE_END}"), ["taken from WITH_LINE_END", "without white space"]),
    "a reference without end": ("r2r:\n  base_url: http://${HOST\n", ["mine.yaml:2:3: r2r.base_url has ${ without }"]),
    "a reference without a name": ("r2r:\n  base_url: ${}\n", ["a ${...} that cannot be read"]),
    "a reference in another": ("r2r:\n  base_url: ${A:-${B}}\n", ["none within another"]),
    "a shell's reference": ("r2r:\n  base_url: ${A:?say it}\n", ["cannot be read; write ${NAME} or ${NAME:-text}"]),
    "a number for a secret": (linear("4711"), ["api_key has a value that is not allowed; allowed is a text"]),
    "a list for a secret": (linear(f"[{SECRET}]"), ["api_key has a value that is not allowed"]),
    "a secret with a space": (linear(f"Bearer {SECRET}"), ["api_key has a value that is not allowed"]),
    "a URL for a repository": (
        "integrations:\n  github:\n    repo: https://github.com/a/b\n",
        ["repo has a value that is not allowed; allowed is OWNER/NAME"],
    ),
    "a token for a repository": (f"integrations:\n  github:\n    repo: {SECRET}\n", ["allowed is OWNER/NAME"]),
    "Redis without a scheme": (
        "integrations:\n  redis:\n    url: localhost:6379\n",
        ["allowed is redis://HOST:PORT/N"],
    ),
    "Redis without a port": (f"integrations:\n  redis:\n    url: redis://h:{SECRET}\n", ["allowed is redis://"]),
    "R2R without a scheme": ("r2r:\n  base_url: localhost:7272\n", ["'localhost:7272'; allowed is an http(s) URL"]),
    "R2R with a user": (
        f"r2r:\n  base_url: http://u:{SECRET}@h:1\n",
        ["a value that is not allowed", "without a user"],
    ),
    "R2R without a port": ("r2r:\n  base_url: http://h:99999\n", ["allowed is an http(s) URL"]),
    "a misspelt collection": ("r2r:\n  collections: [taks]\n", ["mine.yaml:2:17: r2r.collections[0]", "mean 'tasks'?"]),
    "a collection twice": ("r2r:\n  collections: [tasks, tasks]\n", ["names something twice"]),
    "no collection": ("r2r:\n  collections: []\n", ["is an empty list; allowed is a list (one of codebase"]),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(case: str, tmp_path: Path) -> None:
    text, says = BAD[case]
    _, told = checked(tmp_path, text)
    assert len(told) == 1 or case in ("a merge", "code"), told
    for word in says:
        assert word in told[0], told[0]


def test_everything_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        engine("auto_deploy_threshold: 1.5\nrisk_threshold_high: 0.9")
        + "learning:\n  foo: 1\n  learning_rate: ${NONE}\n"
    )
    _, told = checked(tmp_path, text)
    assert "contradicts" in told[1], "also where something else is wrong"
    assert [one.split(":")[1] for one in told] == ["2", "3", "5", "6"]
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "mine.yaml", environment={})
    assert len(caught.value.problems) == 4
    assert "(and 3 more; `autodev-lab config check` shows all)" in str(caught.value)


def test_what_ships_is_valid_and_is_the_specifications() -> None:
    shipped = load_config(environment={})
    assert shipped.path == find_config(environment={})
    loaded = shipped.settings
    assert (loaded.decision_engine.auto_deploy_threshold, loaded.decision_engine.risk_threshold_high) == (0.8, 0.5)
    rules = loaded.decision_engine.escalation_rules
    assert [str(rule) for rule in rules.immediate] == ["security_vulnerability_detected", "production_outage"]
    assert [str(rule) for rule in rules.high_priority] == ["test_failure_rate > 20%", "deployment_risk_score > 0.8"]
    assert loaded.agents.developer.sandbox_provider == "codegen"
    assert {str(origin) for origin in shipped.origins.values()} == {"default"}
    text = yaml.safe_load(resource("config/platform_config.yaml").read_text("utf-8"))
    for key, _ in keys_of():
        value: object = text
        for name in key:
            assert isinstance(value, dict)
            value = value[name]  # there is no default but the one that stands there


def test_a_file_lies_over_what_ships_and_every_value_says_where_it_is_from(tmp_path: Path) -> None:
    text = (
        engine("auto_deploy_threshold: ${GOOD}\nescalation_rules:\n  immediate: []") + "learning:\nr2r:\n  graphrag:\n"
    )
    configuration, _ = checked(tmp_path, text)
    assert configuration is not None
    loaded = configuration.settings
    assert loaded.decision_engine.auto_deploy_threshold == 0.75
    assert loaded.decision_engine.escalation_rules.immediate == ()
    assert len(loaded.decision_engine.escalation_rules.high_priority) == 2
    assert loaded.learning.memory_decay_rate == 0.05, "an empty section says nothing"
    origins = {key.removeprefix("decision_engine."): str(one) for key, one in configuration.origins.items()}
    assert origins["auto_deploy_threshold"] == "environment (GOOD)"
    assert origins["escalation_rules.immediate"] == "file, line 4"
    assert origins["escalation_rules.high_priority"] == origins["policy"] == "default"


@pytest.mark.parametrize("number", ["1e-2", "'0.01'", "${NONE:-0.01}", "1.0e-2"])
def test_numbers_as_people_write_them(number: str, tmp_path: Path) -> None:
    configuration, _ = checked(tmp_path, f"learning:\n  learning_rate: {number}\n")
    assert configuration is not None
    assert configuration.settings.learning.learning_rate == 0.01


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b""])
def test_byte_order_marks_and_line_ends_of_windows(start: bytes, tmp_path: Path) -> None:
    configuration, _ = checked(tmp_path, start + b"learning:\r\n  learning_rate: 0.5\r\n")
    assert configuration is not None
    assert configuration.settings.learning.learning_rate == 0.5


def test_services_miss_their_variables_when_they_are_used(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("integrations:\n  redis:\n    url: ${REDIS_URL}\n")
    bare = load_config(path, environment={})
    assert bare.missing["integrations.linear.api_key"] == ("LINEAR_API_KEY",)
    (problem,) = bare.unready("redis")
    assert (
        str(problem)
        == f"{path}:3:5: integrations.redis.url needs REDIS_URL, which is not set; export it, see .env.example"
    )
    assert bare.unready("r2r") == ()
    assert "example's owner/repo" in str(bare.unready("github")[1])
    with pytest.raises(LabError, match=r"integrations\.linear\.api_key needs LINEAR_API_KEY, which is not set"):
        bare.needed("integrations.linear.api_key")
    with pytest.raises(LabError, match="name your repository"):
        bare.needed("integrations.github.repo")
    with pytest.raises(LabError, match=r"there is no key 'integrations\.linear\.api'; did you mean"):
        bare.needed("integrations.linear.api")
    with pytest.raises(LabError, match="did you mean 'linear'"):
        bare.unready("lineer")
    full = load_config(
        path, environment={"LINEAR_API_KEY": SECRET, "LINEAR_WEBHOOK_SECRET": SECRET, "REDIS_URL": "redis://h:1"}
    )
    assert full.unready("linear") == full.unready("redis") == ()
    assert full.needed("integrations.linear.api_key") == SECRET
    assert full.needed("integrations.redis.url") == "redis://h:1"
    assert SECRET not in repr(full)
    assert str(full.origins["integrations.linear.api_key"]) == "environment (LINEAR_API_KEY)"


def test_a_secret_in_the_file_works_and_is_noted(tmp_path: Path) -> None:
    configuration, _ = checked(tmp_path, linear(SECRET))
    assert configuration is not None
    assert configuration.needed("integrations.linear.api_key") == SECRET
    assert configuration.notes == (
        "integrations.linear.api_key is written into the file itself; ${VARIABLE} keeps secrets out of files",
    )
    empty, _ = checked(tmp_path, linear('""'))
    assert empty is not None
    lacks = [str(one) for one in empty.unready("linear")]
    assert lacks[0].startswith(f"{tmp_path / 'mine.yaml'}:3:5: integrations.linear.api_key is not given")
    assert "platform_config.yaml" in lacks[1], "this one is where the lab's own file has it"


def test_which_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("learning: {}\n")
    assert find_config(path, {"AUTODEV_CONFIG": "elsewhere"}) == path
    assert find_config(None, {"AUTODEV_CONFIG": str(path)}) == path
    assert find_config(None, {"AUTODEV_CONFIG": ""}) == resource("config/platform_config.yaml")
    with pytest.raises(LabError, match=r"AUTODEV_CONFIG says gone\.yaml, and gone\.yaml does not exist"):
        find_config(None, {"AUTODEV_CONFIG": "gone.yaml"})
    with pytest.raises(LabError, match="is a folder; name a file"):
        find_config(tmp_path, {})


def test_a_pipe_and_the_file_that_ships_by_its_path(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        stream.write("learning:\n  learning_rate: 0.5\n")
    assert load_config(f"/dev/fd/{reading}", environment={}).settings.learning.learning_rate == 0.5
    os.close(reading)
    link = tmp_path / "link.yaml"
    link.symlink_to(resource("config/platform_config.yaml"))
    assert {one.kind for one in load_config(link, environment={}).origins.values()} == {"default"}


def test_variables() -> None:
    assert substituted("a $${X} $X ${Y:-}b", {}).text == "a ${X} $X b"
    assert substituted("${X:-a}", {"X": ""}).fallen_back == ("X",)
    assert substituted("${X}${X}${Z}", {"X": "${Z}"}).missing == ("Z",), "what a variable holds is not read again"
    assert substituted("${X}", {"X": "${Z}"}).text == "${Z}"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet="${}:-?AB1_ a\n", max_size=25))
def test_any_text_is_substituted_or_refused(text: str) -> None:
    try:
        found = substituted(text, {"A": "x"})
    except VariableError:
        assert "${" in text
    else:
        assert "${" in text or found.text == text


KEYS = ["learning", "decision_engine", "policy", ": ", ":", "- ", "? ", "<<", "---", "\n", "  ", "\t"]
VALUES = ["[", "]", "{", "}", "'", '"', "&a", "*a", "!!int ", ">", "#", "1", "0.5", "yes", "~", "%", "@", "${A}"]
pieces = st.sampled_from([*KEYS, *VALUES])


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(max_size=40), st.lists(pieces, max_size=20).map("".join)))
def test_any_text_is_a_document_or_problems(text: str) -> None:
    document, problems = read_document(text, "mine.yaml")
    assert document.data or problems or yaml.safe_load(text) == {}
    for one in problems:
        assert str(one).startswith("mine.yaml")
