"""From the text of a rule to a rule that was checked, or to an error that points at the character that is wrong.

The grammar, from what binds least to what binds most, as in Python::

    rule       = either
    either     = both {"or" both}
    both       = negated {"and" negated}
    negated    = "not" negated | "(" either ")" | flag | number (">" | ">=" | "<" | "<=" | "==" | "!=") number
    number     = a fact's name | digits, with a point or an exponent if need be, and "%" behind it if it is a percentage

It is parsed here because no library that was looked at reads it and says what is wrong: to Python's parser, on which
simpleeval stands, and to rule-engine `20%` is half a remainder; pyparsing and lark can be taught the percentage, but an
error of theirs tells which token did not fit where, and what helps a user is most often something else: a name that is
misspelt, a percentage of lines, a share above 1, `&&` for `and`.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from autodev_lab.errors import LabError
from autodev_lab.rules.facts import FACTS, Fact
from autodev_lab.rules.syntax import (
    And,
    Comparison,
    Expression,
    Flag,
    Not,
    Number,
    Operand,
    Or,
    Quantity,
    holds,
    names_in,
)

__all__ = ["Rule", "RuleError", "parse_rule"]

LONGEST = 500
"""Characters of a rule at most."""

DEEPEST = 30
"""Parentheses and `not`s within one another at most."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?P<percent>\s*%)?(?![\w.])"
    r"|(?P<name>[^\W\d]\w*)|(?P<comparison>[<>]=?|[=!]=)|(?P<open>\()|(?P<close>\)))"
)
_WORDS = ("and", "or", "not")
_INSTEAD = {
    "&&": "and",
    "&": "and",
    "||": "or",
    "|": "or",
    "!": "not",
    "=": "==",
    "≥": ">=",
    "≤": "<=",
    "=>": ">=",
    "=<": "<=",
    "<>": "!=",
}
_SHOWN = 60


class RuleError(LabError):
    """A rule that cannot be read.

    Parameters
    ----------
    text
        The rule.
    column
        Place of what is wrong, from 0.
    problem
        What is wrong, and what would be right.
    """

    def __init__(self, text: str, column: int, problem: str) -> None:
        self.text, self.column, self.problem = text, column, problem
        shown, _ = self._window()
        super().__init__(f"rule {shown!r}, column {column + 1}: {problem}")

    def pointed(self) -> str:
        """Two lines: the rule, and a caret under what is wrong.

        Examples
        --------
        >>> try:
        ...     parse_rule("test_failure_rat > 20%")
        ... except RuleError as error:
        ...     print(error.pointed())
        test_failure_rat > 20%
        ^
        """
        shown, column = self._window()
        return f"{shown}\n{' ' * column}^"

    def _window(self) -> tuple[str, int]:
        """The rule on one line, cut to the surroundings of what is wrong, and its column there."""
        line = "".join(one if one.isprintable() else " " if one.isspace() else "?" for one in self.text)
        first = max(0, self.column - _SHOWN) if len(line) > 2 * _SHOWN else 0
        cut = line[first : first + 2 * _SHOWN]
        head, tail = ("..." if first else ""), ("..." if first + 2 * _SHOWN < len(line) else "")
        return f"{head}{cut}{tail}", self.column - first + len(head)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that was checked; its text is another way to write the same.

    Examples
    --------
    >>> rule = parse_rule("((test_failure_rate > 20 %) and not incident_follow_up)")
    >>> str(rule)
    'test_failure_rate > 20% and not incident_follow_up'
    >>> rule.holds({"test_failure_rate": 0.25, "incident_follow_up": False})
    True
    """

    expression: Expression

    def __str__(self) -> str:
        return str(self.expression)

    @property
    def names(self) -> tuple[str, ...]:
        """Facts it speaks of, each once."""
        return tuple(dict.fromkeys(names_in(self.expression)))

    def holds(self, facts: Mapping[str, float | bool]) -> bool:
        """Whether it holds.

        Parameters
        ----------
        facts
            A value for each of `names`.
        """
        return holds(self.expression, facts)


def parse_rule(text: str, facts: Mapping[str, Fact] = FACTS) -> Rule:
    """Read and check a rule.

    Parameters
    ----------
    text
        The rule.
    facts
        What it may speak of.

    Raises
    ------
    RuleError
        If it is none, speaks of something unknown, compares what cannot be compared, or can never or only hold.

    Examples
    --------
    >>> parse_rule("lines_changed > 20%")
    Traceback (most recent call last):
        ...
    autodev_lab.rules.language.RuleError: rule 'lines_changed > 20%', column 19: lines_changed counts lines, and a \
percentage is for shares; write a number without %
    """
    if len(text) > LONGEST:
        raise RuleError(text, LONGEST, f"it has {len(text)} characters and may have {LONGEST}; make several of it")
    parser = _Parser(text, facts)
    return Rule(parser.whole())


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int
    percent: bool = False


class _Parser:
    """One function a line of the grammar; the token to be read next is `self._at`."""

    def __init__(self, text: str, facts: Mapping[str, Fact]) -> None:
        self._text = text
        self._facts = facts
        self._tokens = self._split()
        self._at = 0

    def whole(self) -> Expression:
        if self._next.kind == "end":
            raise self._error(self._next.column, f"there is no rule; write one like {_example(self._facts)}")
        found = self._either(0)
        token = self._next
        if token.kind == "close":
            raise self._error(token.column, "this parenthesis was never opened; take it out")
        if token.kind == "comparison":
            raise self._error(token.column, "only two numbers are compared at a time; write `a < b and b < c`")
        if token.kind == "name" and token.text.lower() in _WORDS:
            raise self._error(token.column, self._unknown(token.text))
        if token.kind != "end":
            raise self._error(token.column, f"`and` or `or` is missing before {token.text!r}")
        return found

    def _either(self, depth: int) -> Expression:
        found = self._both(depth)
        while self._takes("or"):
            found = Or(found, self._both(depth))
        return found

    def _both(self, depth: int) -> Expression:
        found = self._negated(depth)
        while self._takes("and"):
            found = And(found, self._negated(depth))
        return found

    def _negated(self, depth: int) -> Expression:
        token = self._next
        if depth > DEEPEST:
            raise self._error(token.column, f"more than {DEEPEST} parentheses and `not`s stand within one another")
        if self._takes("not"):
            return Not(self._negated(depth + 1))
        if token.kind == "open":
            self._at += 1
            found = self._either(depth + 1)
            if self._next.kind != "close":
                raise self._error(token.column, "this parenthesis is never closed; put ) behind its part")
            self._at += 1
            return found
        return self._simple()

    def _simple(self) -> Expression:
        first = self._next
        left = self._operand()
        sign = self._next
        if sign.kind != "comparison":
            return self._alone(first, left)
        self._at += 1
        second = self._next
        right = self._operand()
        for token, side in ((first, left), (second, right)):
            if isinstance(side, Flag):
                raise self._error(
                    token.column, f"{side.name} is yes or no and has no size; write it alone, or `not` before it"
                )
        assert not isinstance(left, Flag)
        assert not isinstance(right, Flag)
        self._check(first, left, sign, second, right)
        return Comparison(left, sign.text, right)

    def _alone(self, token: _Token, part: Operand | Flag) -> Flag:
        if isinstance(part, Flag):
            return part
        if isinstance(part, Quantity):
            unit = self._facts[part.name].unit
            than = "20%" if self._facts[part.name].is_share else "5"
            behind = self._next.column if self._next.kind == "end" else token.column
            raise self._error(
                behind, f"{part.name} is a number ({unit}) and must be compared, as in {part.name} > {than}"
            )
        raise self._error(token.column, "a number alone says nothing; compare a fact with it")

    def _operand(self) -> Operand | Flag:
        token = self._next
        if token.kind == "number":
            self._at += 1
            written = float(token.text)
            if not math.isfinite(written):
                raise self._error(token.column, "this number is too large")
            return Number(written, token.percent)
        if token.kind == "name":
            self._at += 1
            fact = self._facts.get(token.text)
            if fact is None:
                raise self._error(token.column, self._unknown(token.text))
            return Flag(fact.name) if fact.is_flag else Quantity(fact.name)
        if token.kind == "end":
            raise self._error(token.column, "the rule ends where a fact or a number is expected")
        raise self._error(token.column, f"a fact or a number is expected before {token.text!r}")

    def _check(self, first: _Token, left: Operand, sign: _Token, second: _Token, right: Operand) -> None:
        """Refuse comparisons that mean nothing: of two numbers, of unlike units, or decided before they are made."""
        if isinstance(left, Number) and isinstance(right, Number):
            raise self._error(first.column, "two numbers are compared with each other; one side must be a fact")
        if isinstance(left, Quantity) and isinstance(right, Quantity):
            one, other = self._facts[left.name], self._facts[right.name]
            if one.name == other.name:
                raise self._error(second.column, f"{one.name} is compared with itself")
            if one.unit != other.unit:
                raise self._error(second.column, f"{one.name} is in {_units(one)} and {other.name} in {_units(other)}")
            return
        if isinstance(left, Quantity) and isinstance(right, Number):
            self._check_number(self._facts[left.name], sign.text, second, right)
        elif isinstance(left, Number) and isinstance(right, Quantity):
            turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(sign.text, sign.text)
            self._check_number(self._facts[right.name], turned, first, left)

    def _check_number(self, fact: Fact, sign: str, token: _Token, number: Number) -> None:
        highest = math.inf if fact.highest is None else fact.highest
        if number.percent and not fact.is_share:
            column = token.column + len(token.text)
            what = f"counts {fact.unit}" if math.isinf(highest) else f"is in {fact.unit}"
            raise self._error(column, f"{fact.name} {what}, and a percentage is for shares; write a number without %")
        if number.value > highest:
            hint = (
                f"; write {number.written / 100:g} or {number.written:g}%"
                if number.value <= 100 and fact.is_share and not number.percent
                else ""
            )
            raise self._error(token.column, f"{fact.name} lies between 0 and {highest:g}{hint}")
        edge = {">": highest, "<": 0.0}.get(sign)
        if number.value == edge:
            raise self._error(token.column, f"{fact.name} lies between 0 and {highest:g}, so this never holds")
        if number.value == {">=": 0.0, "<=": highest}.get(sign):
            raise self._error(token.column, f"{fact.name} lies between 0 and {highest:g}, so this always holds")

    def _unknown(self, name: str) -> str:
        if name.lower() in _WORDS:
            return (
                f"write {name.lower()!r} in small letters" if name not in _WORDS else f"{name!r} has nothing before it"
            )
        near = _near(name, self._facts)
        if near:
            return f"there is no fact {_short(name)!r}; did you mean {' or '.join(near)}?"
        return f"there is no fact {_short(name)!r}; choose among {', '.join(self._facts)}"

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _takes(self, word: str) -> bool:
        token = self._next
        if token.kind == "word" and token.text == word:
            self._at += 1
            return True
        return False

    def _error(self, column: int, problem: str) -> RuleError:
        return RuleError(self._text, column, problem)

    def _split(self) -> list[_Token]:
        tokens: list[_Token] = []
        at, end = 0, len(self._text.rstrip())
        while at < end:
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise self._error_of_character(at + len(self._text[at:]) - len(self._text[at:].lstrip()))
            group = "number" if found.lastgroup == "percent" else str(found.lastgroup)
            text, column = found[group], found.start(group)
            if self._text[column : column + 2] in ("=>", "=<", "<>"):
                raise self._error_of_character(column)
            kind = "word" if text in _WORDS else group
            tokens.append(_Token(kind, text, column, found["percent"] is not None))
            at = found.end()
        tokens.append(_Token("end", "", end))
        return tokens

    def _error_of_character(self, column: int) -> RuleError:
        rest = self._text[column:]
        for wrong, right in sorted(_INSTEAD.items(), key=lambda pair: -len(pair[0])):
            if rest.startswith(wrong):
                return self._error(column, f"{wrong!r} is not of this language; write {right!r}")
        if rest[0] in "+-*/":
            return self._error(
                column, f"{rest[0]!r} is not of this language: there is no arithmetic, and no number is negative"
            )
        if rest[0].isdigit() or rest[0] == ".":
            return self._error(column, "this is no number; write one like 5, 0.2, 1e-3 or 20%")
        if rest[0] == "%":
            return self._error(column, "a percent sign stands behind a number, as in 20%")
        shown = repr(rest[0]) if rest[0].isprintable() else f"U+{ord(rest[0]):04X}"
        return self._error(
            column, f"the character {shown} is not of this language; use names, numbers, comparisons, and, or, not"
        )


def _near(name: str, facts: Mapping[str, Fact]) -> list[str]:
    """Up to three names that may be meant: alike in letters, or with a word in common."""
    alike = difflib.get_close_matches(name.lower(), list(facts), n=3, cutoff=0.75)
    if alike:
        return alike
    words = {word for word in name.lower().split("_") if len(word) > 3}
    return [fact for fact in facts if words & set(fact.split("_"))][:3]


def _units(fact: Fact) -> str:
    return "shares" if fact.is_share else fact.unit


def _short(name: str) -> str:
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."


def _example(facts: Mapping[str, Fact]) -> str:
    return next((name for name, fact in facts.items() if fact.is_flag), "test_failure_rate > 20%")
