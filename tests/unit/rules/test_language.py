"""Rules: what is written is what is read, any text is a rule or an error, and errors point at the character."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.rules import FACTS, Rule, RuleError, parse_rule
from autodev_lab.rules.syntax import COMPARISONS, And, Comparison, Flag, Not, Number, Or, Quantity

FLAGS = [name for name, fact in FACTS.items() if fact.is_flag]
SHARES = [name for name, fact in FACTS.items() if fact.is_share]
COUNTS = [name for name, fact in FACTS.items() if not fact.is_flag and not fact.is_share]

signs = st.sampled_from(sorted(COMPARISONS))
inner_shares = st.floats(1e-9, 0.999)
numbers = st.one_of(st.integers(1, 9).map(float), st.floats(1e-6, 9.5))


def turned(left, sign, right, turn):
    return Comparison(right, sign, left) if turn else Comparison(left, sign, right)


comparisons = st.one_of(
    st.builds(turned, st.sampled_from(SHARES).map(Quantity), signs, inner_shares.map(Number), st.booleans()),
    st.builds(
        turned,
        st.sampled_from(SHARES).map(Quantity),
        signs,
        st.floats(1e-6, 99.9).map(lambda written: Number(written, True)),
        st.booleans(),
    ),
    st.builds(turned, st.sampled_from(COUNTS).map(Quantity), signs, numbers.map(Number), st.booleans()),
    st.permutations(SHARES).flatmap(
        lambda order: signs.map(lambda sign: Comparison(Quantity(order[0]), sign, Quantity(order[1])))
    ),
)
expressions = st.recursive(
    st.one_of(st.sampled_from(FLAGS).map(Flag), comparisons),
    lambda parts: st.one_of(st.builds(Not, parts), st.builds(And, parts, parts), st.builds(Or, parts, parts)),
    max_leaves=5,
)
facts = st.fixed_dictionaries(
    {
        **{name: st.booleans() for name in FLAGS},
        **{name: st.floats(0, 1) for name in SHARES},
        **{name: st.floats(0, 20) for name in COUNTS},
    }
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(expressions)
def test_what_is_printed_is_read_as_the_same(expression):
    text = str(Rule(expression))
    if len(text) <= 500:
        assert parse_rule(text).expression == expression


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(expressions, facts)
def test_it_holds_when_python_says_so(expression, values):
    text = str(Rule(expression))
    if len(text) > 500:
        return
    python = " ".join(word.replace("%", "/100") for word in text.split())
    assert parse_rule(text).holds(values) == eval(python, {"__builtins__": {}}, values)


words = st.sampled_from(
    [*FACTS, "and", "or", "not", "(", ")", ">", ">=", "==", "20%", "0.5", "%", "&&", "-", "\n", "x"]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(max_size=40), st.lists(words, max_size=12).map(" ".join), st.lists(words).map("".join)))
def test_any_text_is_a_rule_or_an_error_that_points_into_it(text):
    try:
        rule = parse_rule(text)
    except RuleError as error:
        assert isinstance(error, LabError)
        assert 0 <= error.column <= max(len(text), 500)
        assert "\n" not in str(error)
        shown, caret = error.pointed().split("\n")
        assert caret.strip() == "^"
        assert len(caret) <= len(shown) + 1
    else:
        assert parse_rule(str(rule)) == rule
        assert set(rule.names) <= set(FACTS)


BAD = {
    "": (0, "no rule"),
    "  ": (0, "no rule"),
    "production_outge": (0, "did you mean production_outage?"),
    "Production_Outage": (0, "did you mean production_outage?"),
    "risk > 0.5": (0, "did you mean deployment_risk_score?"),
    "zzz": (0, "choose among security_vulnerability_detected"),
    "test_failure_rate": (17, "is a number (share) and must be compared, as in test_failure_rate > 20%"),
    "test_failure_rate >": (19, "ends where"),
    "> 20%": (0, "expected before '>'"),
    "production_outage and": (21, "ends where"),
    "production_outage AND incident_follow_up": (18, "write 'and' in small letters"),
    "production_outage incident_follow_up": (18, "`and` or `or` is missing"),
    "production_outage && incident_follow_up": (18, "write 'and'"),
    "!production_outage": (0, "write 'not'"),
    "confidence = 0.5": (11, "write '=='"),
    "confidence => 0.5": (11, "write '>='"),
    "confidence > 80": (13, "write 0.8 or 80%"),
    "confidence > 120%": (13, "between 0 and 1"),
    "confidence > 1": (13, "never holds"),
    "1 < confidence": (0, "never holds"),
    "confidence >= 0": (14, "always holds"),
    "lines_changed < 0": (16, "never holds"),
    "lines_changed > 20%": (18, "lines_changed counts lines"),
    "complexity > 8 %": (14, "complexity is in points"),
    "confidence > lines_changed": (13, "in shares and lines_changed in lines"),
    "confidence > confidence": (13, "with itself"),
    "1 > 2": (0, "one side must be a fact"),
    "5": (0, "a number alone"),
    "0.1 < confidence < 0.5": (17, "write `a < b and b < c`"),
    "production_outage == true": (21, "is no fact"),
    "production_outage > 1": (0, "yes or no"),
    "0.5 < production_outage": (6, "yes or no"),
    "(production_outage": (0, "never closed"),
    "production_outage)": (17, "never opened"),
    "confidence > -1": (13, "no arithmetic"),
    "confidence > 0,5": (14, "the character ','"),
    "confidence > 1e999": (13, "too large"),
    "confidence > 0x1": (13, "no number"),
    "%5 < confidence": (0, "behind a number"),
    "__import__('os')": (11, "the character"),
    "\u200bproduction_outage": (0, "U+200B"),
    "(" * 40: (31, "more than 30"),
    "not " * 40: (124, "more than 30"),
    "x" * 501: (500, "may have 500"),
}


@pytest.mark.parametrize("text", BAD)
def test_a_mistake_is_pointed_at_and_explained(text):
    column, says = BAD[text]
    with pytest.raises(RuleError) as caught:
        parse_rule(text)
    assert (caught.value.column, says in caught.value.problem) == (column, True), caught.value.problem


def test_the_caret_stands_under_the_character_also_in_a_long_rule_on_several_lines():
    text = "lines_changed > 100 or\n" * 10 + "$ or\tlines_changed > 100"
    with pytest.raises(RuleError) as caught:
        parse_rule(text)
    shown, caret = caught.value.pointed().split("\n")
    assert shown[len(caret) - 1] == "$"
    assert len(shown) < len(text)


def test_a_percentage_is_its_hundredth_exactly():
    rule = parse_rule("test_failure_rate >= 7%")
    assert rule.holds({"test_failure_rate": 0.07})
    assert not rule.holds({"test_failure_rate": 0.0699999999})
