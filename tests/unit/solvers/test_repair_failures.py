"""The word for how a task fails means the same in every package."""

from __future__ import annotations

import pytest

from autodev_lab.solvers.repair.failures import failure_of


@pytest.mark.parametrize(
    ("messages", "word"),
    [
        ((), ""),
        (("AssertionError: assert 1 == 2 at tests/test_m.py:4", "TypeError: no"), "AssertionError"),
        (("KeyError: 'a: b'",), "KeyError"),
        (("Failed: DID NOT RAISE ValueError at tests/test_m.py:9",), "Failed"),
        (("MultipleInvalid: required key not provided",), "own"),
        (("json.decoder.JSONDecodeError: no",), "own"),
        (("builtins.OSError: gone",), "OSError"),
        (("print: a builtin that is no exception",), "own"),
        (("",), "own"),
    ],
)
def test_the_first_message_names_it(messages, word):
    assert failure_of(messages) == word
