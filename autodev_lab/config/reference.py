"""The tables of `docs/configuration.md`, made of the schema and of the facts; a test compares.

`python -m autodev_lab.config.reference` prints them.
"""

from __future__ import annotations

from autodev_lab.config.loading import load_config
from autodev_lab.config.schema import UNREAD, keys_of
from autodev_lab.config.wording import allowed_at, reads_of, shown
from autodev_lab.rules import FACTS

__all__ = ["fact_table", "key_table"]


def key_table() -> str:
    """One row a key: what is allowed, what holds unless a file says otherwise, what it means, and what reads it."""
    settings = load_config(environment={}).settings
    rows = ["| key | allowed | default | meaning | read by |", "|---|---|---|---|---|"]
    for key, field in keys_of():
        value: object = settings
        for name in key:
            value = getattr(value, name)
        default = "; ".join(f"`{one}`" for one in value) if isinstance(value, tuple) else f"`{shown(value)}`"
        default = default if value is not None else "none"
        read_by = ", ".join(f"`{one}`" for one in reads_of(field)) or UNREAD
        rows.append(f"| `{'.'.join(key)}` | {allowed_at(key)} | {default} | {field.description} | {read_by} |")
    return "\n".join(rows)


def fact_table() -> str:
    """One row a fact of the escalation rules."""
    rows = ["| fact | unit | what it is |", "|---|---|---|"]
    rows += [f"| `{fact.name}` | {fact.unit} | {fact.meaning} |" for fact in FACTS.values()]
    return "\n".join(rows)


if __name__ == "__main__":
    print(f"{key_table()}\n\n{fact_table()}")
