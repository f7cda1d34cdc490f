"""How the command line speaks: strict JSON, one line for a mistake, and never a swallowed failure."""

from __future__ import annotations

import json

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.cli.output import INTERRUPTED, print_json, told
from autodev_lab.errors import LabError


def run(error: BaseException) -> typer.Exit:
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as caught:
        told(command)()
    return caught.value


def test_a_mistake_is_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(LabError("budget is 0;\n  it must be\tat least 1", 7)).exit_code == 7
    assert capsys.readouterr() == ("", "autodev-lab: budget is 0; it must be at least 1\n")
    assert run(LabError("x")).exit_code == 2


def test_an_interrupt_ends_as_shells_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(KeyboardInterrupt()).exit_code == INTERRUPTED == 130
    assert run(KeyboardInterrupt("interrupted after 3 of 9 cells")).exit_code == 130
    assert capsys.readouterr() == ("", "autodev-lab: interrupted\nautodev-lab: interrupted after 3 of 9 cells\n")


def test_a_failure_of_the_lab_itself_is_not_hidden() -> None:
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        told(command)()


def test_a_wrapped_command_keeps_its_name_arguments_and_help() -> None:
    seen = []

    @told
    def command(one: int, *, two: str = "x") -> None:
        """Helps."""
        seen.append((one, two))

    command(3, two="y")
    assert seen == [(3, "y")]
    assert (command.__name__, command.__doc__) == ("command", "Helps.")


@given(st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5) | st.booleans()))
def test_json_survives(data: dict[str, object]) -> None:
    import contextlib
    import io

    sink = io.StringIO()
    with contextlib.redirect_stdout(sink):
        print_json(data)
    assert json.loads(sink.getvalue()) == data


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_json_is_refused(value: float, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        print_json({"value": value})
    assert capsys.readouterr().out == ""
