import pytest

from pocketkit import numerals


@pytest.mark.parametrize(
    "number, numeral", [(1, "I"), (4, "IV"), (9, "IX"), (14, "XIV"), (40, "XL"), (1994, "MCMXCIV"), (3999, "MMMCMXCIX")]
)
def test_to_roman(number, numeral):
    assert numerals.to_roman(number) == numeral


@pytest.mark.parametrize("number", [0, 4000, -3])
def test_to_roman_bounds(number):
    with pytest.raises(ValueError):
        numerals.to_roman(number)


def test_to_roman_repeats():
    assert numerals.to_roman(3888) == "MMMDCCCLXXXVIII"


def test_from_roman():
    assert numerals.from_roman("MCMXCIV") == 1994


def test_from_roman_lower_case():
    assert numerals.from_roman("xlii") == 42


def test_from_roman_round_trip():
    assert all(numerals.from_roman(numerals.to_roman(number)) == number for number in range(1, 4000, 7))


@pytest.mark.parametrize("numeral", ["", "IIII", "VX", "ABC", "IXI"])
def test_from_roman_rejects(numeral):
    with pytest.raises(ValueError):
        numerals.from_roman(numeral)


@pytest.mark.parametrize("number, text", [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (0, "0th")])
def test_ordinal_small(number, text):
    assert numerals.ordinal(number) == text


def test_ordinal_teens():
    assert [numerals.ordinal(n) for n in (11, 12, 13)] == ["11th", "12th", "13th"]


def test_ordinal_later_teens():
    assert numerals.ordinal(111) == "111th"
    assert numerals.ordinal(1013) == "1013th"


def test_ordinal_twenties():
    assert [numerals.ordinal(n) for n in (21, 22, 23, 24)] == ["21st", "22nd", "23rd", "24th"]


def test_ordinal_negative():
    assert numerals.ordinal(-1) == "-1st"


def test_ordinal_hundred_one():
    assert numerals.ordinal(101) == "101st"
    assert numerals.ordinal(110) == "110th"


@pytest.mark.parametrize("number, base, text", [(5, 2, "101"), (255, 16, "ff"), (35, 36, "z"), (0, 2, "0"), (8, 8, "10")])
def test_to_base(number, base, text):
    assert numerals.to_base(number, base) == text


def test_to_base_default_is_binary():
    assert numerals.to_base(6) == "110"


def test_to_base_width():
    assert numerals.to_base(5, 2, 8) == "00000101"


def test_to_base_negative():
    assert numerals.to_base(-10, 16) == "-a"
    assert numerals.to_base(-1, width=3) == "-001"


@pytest.mark.parametrize("base", [1, 37, 0])
def test_to_base_rejects(base):
    with pytest.raises(ValueError):
        numerals.to_base(1, base)


@pytest.mark.parametrize("text, base, number", [("101", 2, 5), ("FF", 16, 255), ("-z", 36, -35), ("1_000", 10, 1000)])
def test_from_base(text, base, number):
    assert numerals.from_base(text, base) == number


def test_from_base_default():
    assert numerals.from_base("1101") == 13


def test_from_base_rejects_digit():
    with pytest.raises(ValueError, match="'2'"):
        numerals.from_base("102", 2)


def test_from_base_rejects_symbols():
    with pytest.raises(ValueError):
        numerals.from_base("1.5", 10)


def test_from_base_rejects_empty():
    for text in ("", "-"):
        with pytest.raises(ValueError):
            numerals.from_base(text)


def test_base_round_trip():
    for number in (-77, -1, 0, 1, 12345):
        for base in (2, 7, 36):
            assert numerals.from_base(numerals.to_base(number, base), base) == number


@pytest.mark.parametrize("number, text", [(1, "1"), (999, "999"), (1000, "1,000"), (1234567, "1,234,567")])
def test_group_digits(number, text):
    assert numerals.group_digits(number) == text


def test_group_digits_negative():
    assert numerals.group_digits(-1234) == "-1,234"


def test_group_digits_size_and_separator():
    assert numerals.group_digits(12345678, size=4, separator=" ") == "1234 5678"


def test_group_digits_zero():
    assert numerals.group_digits(0) == "0"


@pytest.mark.parametrize("size, text", [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1500000, "1.5 MB")])
def test_format_size(size, text):
    assert numerals.format_size(size) == text


def test_format_size_precision():
    assert numerals.format_size(1234, precision=2) == "1.23 kB"


def test_format_size_largest_unit():
    assert numerals.format_size(5 * 10**15) == "5000.0 TB"
    assert numerals.format_size(3 * 10**12) == "3.0 TB"


def test_format_size_rejects_negative():
    with pytest.raises(ValueError):
        numerals.format_size(-1)


@pytest.mark.parametrize("seconds, text", [(0, "0s"), (59, "59s"), (60, "1m"), (3661, "1h 1m"), (90000, "1d 1h")])
def test_format_duration(seconds, text):
    assert numerals.format_duration(seconds) == text


def test_format_duration_parts():
    assert numerals.format_duration(93784, parts=4) == "1d 2h 3m 4s"
    assert numerals.format_duration(93784, parts=1) == "1d"


def test_format_duration_skips_zeros():
    assert numerals.format_duration(86405) == "1d 5s"


def test_format_duration_negative():
    assert numerals.format_duration(-61) == "-1m 1s"
    assert numerals.format_duration(-3661, parts=3) == "-1h 1m 1s"


@pytest.mark.parametrize("text, seconds", [("1h 30m", 5400), ("45", 45), ("2d", 172800), ("", 0), ("1m5s", 65)])
def test_parse_duration(text, seconds):
    assert numerals.parse_duration(text) == seconds


def test_parse_duration_trailing_number():
    assert numerals.parse_duration("1m 10") == 70


def test_parse_duration_several_digits():
    assert numerals.parse_duration("120s") == 120


def test_parse_duration_rejects_unit():
    with pytest.raises(ValueError, match="unknown unit"):
        numerals.parse_duration("3x")


def test_parse_duration_rejects_missing_amount():
    with pytest.raises(ValueError, match="no amount"):
        numerals.parse_duration("h")


def test_duration_round_trip():
    for seconds in (1, 61, 3599, 86400, 100000):
        assert numerals.parse_duration(numerals.format_duration(seconds, parts=4)) == seconds


@pytest.mark.parametrize("value, expected", [(-1, 0), (0, 0), (0.5, 0.5), (1, 1), (7, 1)])
def test_clamp_default_bounds(value, expected):
    assert numerals.clamp(value) == expected


def test_clamp_own_bounds():
    assert [numerals.clamp(v, 3, 5) for v in (2, 3, 4, 5, 6)] == [3, 3, 4, 5, 5]


def test_clamp_equal_bounds():
    assert numerals.clamp(9, 2, 2) == 2


def test_clamp_rejects_bounds():
    with pytest.raises(ValueError):
        numerals.clamp(1, 5, 3)


def test_is_prime_small():
    assert [n for n in range(20) if numerals.is_prime(n)] == [2, 3, 5, 7, 11, 13, 17, 19]


def test_is_prime_squares():
    assert not any(numerals.is_prime(n) for n in (9, 25, 49, 121))


def test_is_prime_large():
    assert numerals.is_prime(7919)
    assert not numerals.is_prime(7917)


def test_is_prime_negative():
    assert not numerals.is_prime(-7)


@pytest.mark.parametrize("number, factors", [(1, []), (2, [2]), (12, [2, 2, 3]), (49, [7, 7]), (97, [97])])
def test_factorize(number, factors):
    assert numerals.factorize(number) == factors


def test_factorize_product():
    product = 1
    for factor in numerals.factorize(360360):
        product *= factor
        assert numerals.is_prime(factor)
    assert product == 360360


def test_factorize_rejects():
    with pytest.raises(ValueError):
        numerals.factorize(0)


def test_factorize_large_prime_left():
    assert numerals.factorize(2 * 7919) == [2, 7919]
