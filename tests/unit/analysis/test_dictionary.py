"""The data dictionary and its page say the same."""

from __future__ import annotations

from pathlib import Path

from autodev_lab.analysis.dictionary import COLUMNS, KEY, schema, to_markdown

PAGE = Path(__file__).parents[3] / "docs" / "data-dictionary.md"


def test_the_page_is_the_dictionary() -> None:
    """Write it again with `python -m autodev_lab.analysis.dictionary > docs/data-dictionary.md`."""
    assert PAGE.read_text(encoding="utf-8") == to_markdown()


def test_columns_are_unique_and_explained() -> None:
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)
    assert set(KEY) <= set(names)
    assert all(column.meaning.endswith(".") for column in COLUMNS)
    assert schema().names == names
