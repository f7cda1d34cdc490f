"""compose.yaml is what its comments say: pinned, on this machine only, and .env.example asks for all it needs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "compose.yaml").read_text("utf-8")
COMPOSE = yaml.safe_load(TEXT)


def test_images_are_pinned_by_version():
    for name, service in COMPOSE["services"].items():
        assert re.fullmatch(r"[\w/-]+:\d+\.\d+\.\d+[\w.-]*", service["image"]), name


def test_ports_are_open_to_this_machine_alone():
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_every_variable_is_in_the_example_and_no_secret_has_a_value():
    example = dict(re.findall(r"^#?(\w+)=(.*)$", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)", TEXT)) <= set(example)
    for name, value in example.items():
        assert not value or not re.search("KEY|PASSWORD", name), name


def test_r2rs_configuration_is_toml():
    configuration = tomllib.loads(COMPOSE["configs"]["r2r"]["content"])
    assert configuration["auth"]["require_authentication"] is True
