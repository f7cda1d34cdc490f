"""docs/configuration.md is what the schema says, and .env.example has every variable of the file that ships."""

from __future__ import annotations

import re
from pathlib import Path

from autodev_lab.cli.main import app
from autodev_lab.config import load_config
from autodev_lab.config.reference import fact_table, key_table
from autodev_lab.config.schema import keys_of
from autodev_lab.config.wording import MASK, reads_of, shown
from autodev_lab.resources import resource

ROOT = Path(__file__).parents[3]


def test_the_page_is_the_schema() -> None:
    """Print the tables anew with `python -m autodev_lab.config.reference`."""
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert key_table() in page
    assert fact_table() in page


def test_every_variable_is_in_the_example() -> None:
    example = set(re.findall(r"^#?(\w+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE))
    text = resource("config/platform_config.yaml").read_text("utf-8")
    used = re.findall(r"\$\{(\w+)", re.sub(r"(?m)^#.*", "", text))
    assert set(used) <= example
    assert {"LINEAR_API_KEY", "AUTODEV_R2R_URL"} <= set(used)
    assert "AUTODEV_CONFIG" in example


def test_every_key_has_a_meaning_and_is_read_by_commands_that_exist() -> None:
    commands = {command.name for command in app.registered_commands}
    for key, field in keys_of():
        assert field.description, key
        assert set(reads_of(field)) <= commands, key


def test_secrets_are_stars() -> None:
    from pydantic import SecretStr

    assert shown(SecretStr("lin_api_1")) == MASK
    assert shown(SecretStr("redis://user:pass@h:1/0?password=x")) == f"redis://{MASK}@h:1/0?{MASK}"
    integrations = load_config(environment={"GITHUB_TOKEN": "ghp_1"}).settings.integrations
    assert "ghp_1" not in f"{integrations!r} {integrations.model_dump()} {integrations.model_dump_json()}"
