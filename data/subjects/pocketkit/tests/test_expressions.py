import pytest

from pocketkit.expressions import ExpressionError, Parser, evaluate, free_names, tokenize


def test_tokenize_numbers():
    assert tokenize("1 2.5") == [("number", 1, 0), ("number", 2.5, 2)]


def test_tokenize_leading_point():
    assert tokenize(".5") == [("number", 0.5, 0)]


def test_tokenize_names():
    assert tokenize("a_1 b") == [("name", "a_1", 0), ("name", "b", 4)]


def test_tokenize_operators():
    assert [token[1] for token in tokenize("+-*/%^")] == list("+-*/%^")


def test_tokenize_punctuation():
    assert [token[0] for token in tokenize("(,)")] == ["punctuation"] * 3


def test_tokenize_number_types():
    assert isinstance(tokenize("7")[0][1], int)
    assert isinstance(tokenize("7.0")[0][1], float)


@pytest.mark.parametrize("text", ["1.2.3", ".", "1 .. 2"])
def test_tokenize_bad_number(text):
    with pytest.raises(ExpressionError, match="bad number"):
        tokenize(text)


def test_tokenize_unexpected():
    with pytest.raises(ExpressionError, match="at 2") as caught:
        tokenize("1 ?")
    assert caught.value.position == 2


@pytest.mark.parametrize(
    "text, value", [("1+2*3", 7), ("(1+2)*3", 9), ("2^3^2", 512), ("10-4-3", 3), ("7%4", 3), ("8/4/2", 1)]
)
def test_precedence(text, value):
    assert evaluate(text) == value


def test_division_is_true_division():
    assert evaluate("7/2") == 3.5


def test_unary_minus():
    assert evaluate("-3") == -3
    assert evaluate("2--3") == 5


def test_unary_plus():
    assert evaluate("+3") == 3
    assert evaluate("2*+4") == 8


def test_unary_binds_weaker_than_power():
    assert evaluate("-2^2") == -4


def test_unary_binds_stronger_than_times():
    assert evaluate("-2*3") == -6
    assert evaluate("-4%3") == 2


def test_power_right_side_sign():
    assert evaluate("2^-1") == 0.5


def test_names():
    assert evaluate("a*b+1", {"a": 2, "b": 5}) == 11


def test_unknown_name():
    with pytest.raises(ExpressionError, match="unknown name x"):
        evaluate("x+1", {"y": 1})


def test_names_default_to_none():
    with pytest.raises(ExpressionError):
        evaluate("x")


def test_functions():
    assert evaluate("max(1, 5, 3)") == 5
    assert evaluate("min(4, 2)") == 2
    assert evaluate("abs(-3)") == 3


def test_round_function():
    assert evaluate("round(2.567, 1)") == 2.6
    assert evaluate("round(2.4)") == 2


def test_nested_calls():
    assert evaluate("max(abs(-7), min(9, 8)) + 1") == 9


def test_unknown_function():
    with pytest.raises(ExpressionError, match="unknown function sin"):
        evaluate("sin(1)")


def test_too_few_arguments():
    with pytest.raises(ExpressionError, match="needs 2 arguments"):
        evaluate("max(1)")


def test_no_arguments():
    with pytest.raises(ExpressionError, match="needs 1 arguments"):
        evaluate("abs()")


@pytest.mark.parametrize("text", ["1/0", "5%0", "1/(2-2)"])
def test_division_by_zero(text):
    with pytest.raises(ExpressionError, match="division by zero"):
        evaluate(text)


@pytest.mark.parametrize("text", ["", "1+", "(", "max(1,"])
def test_unexpected_end(text):
    with pytest.raises(ExpressionError, match="unexpected end"):
        evaluate(text)


def test_left_over_tokens():
    with pytest.raises(ExpressionError, match="unexpected 2 at 2"):
        evaluate("1 2")


def test_misplaced_operator():
    with pytest.raises(ExpressionError, match="at 2"):
        evaluate("1+*2")


def test_missing_parenthesis():
    with pytest.raises(ExpressionError, match="expected"):
        evaluate("(1 2")


def test_position_of_closing():
    with pytest.raises(ExpressionError) as caught:
        evaluate("1)")
    assert caught.value.position == 1


def test_error_without_position():
    assert ExpressionError("bad").position == -1
    assert str(ExpressionError("bad")) == "bad"
    assert str(ExpressionError("bad", 0)) == "bad at 0"


def test_digits():
    assert evaluate("1/3", digits=2) == 0.33
    assert evaluate("10/4", digits=0) == 2


def test_parser_tree():
    assert Parser(tokenize("1+x")).parse() == ("binary", "+", ("number", 1), ("name", "x"))


def test_parser_call_tree():
    assert Parser(tokenize("f(1, a)")).parse() == ("call", "f", [("number", 1), ("name", "a")])


def test_parser_empty_call_tree():
    assert Parser(tokenize("f()")).parse() == ("call", "f", [])


def test_parser_left_associative():
    tree = Parser(tokenize("1-2-3")).parse()
    assert tree[2][0] == "binary"
    assert tree[3] == ("number", 3)


def test_free_names():
    assert free_names("b + a*max(c, 1) + a") == ["a", "b", "c"]


def test_free_names_none():
    assert free_names("1+2") == []


def test_free_names_at_end():
    assert free_names("max(1, 2) + max") == ["max"]


def test_free_names_suffice():
    text = "x^2 + 2*y"
    assert evaluate(text, dict.fromkeys(free_names(text), 3)) == 15
