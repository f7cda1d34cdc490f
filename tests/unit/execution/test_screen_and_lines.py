"""The static screen, and text of results that must be equal for equal values."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.execution.inside.calls import canonical, literal
from autodev_lab.execution.screen import Screen
from autodev_lab.records import Candidate, Edit

MODULE = "import os\n\n\ndef size(path):\n    return os.stat(path).st_size\n\n\ndef double(x):\n    return x * 2\n"


@pytest.mark.parametrize(
    ("line", "text", "suspicious"),
    [
        (9, "    return x + 2\n", False),
        (9, "    os._exit(0)\n", True),
        (9, "    return x.__class__\n", True),
        (9, "    return getattr(x, '__gl' + 'obals__')\n", True),
        (9, "    return '\\x5f'\n", True),
        (9, "    ｏｓ._exit(0)\n", True),
        (5, "    return os.stat(path).st_mode\n", False),
        (1, "import os, sys\n", True),
    ],
)
def test_names_that_are_new_to_a_definition_are_suspicious(
    tmp_path: Path, line: int, text: str, suspicious: bool
) -> None:
    (tmp_path / "m.py").write_text(MODULE)
    candidate = Candidate((Edit("m.py", line, line, text),), "x")
    assert Screen(tmp_path).suspicious(candidate) is suspicious


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(_values)
def test_literals_survive_their_text(value: object) -> None:
    if literal(value):
        assert ast.literal_eval(repr(value)) == value


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_a_dict_does_not_show(value: dict[str, int]) -> None:
    items = list(value.items())
    assert canonical(dict(items)) == canonical(dict(reversed(items)))


def test_objects_are_described_without_addresses() -> None:
    class Thing:
        def __init__(self) -> None:
            self.part = {3, 1, 2}

    assert canonical(Thing()) == canonical(Thing())
    assert "0x" not in canonical(Thing())
    assert canonical([1]) != canonical((1,)) != canonical({1})
    assert canonical(True) != canonical(1)
