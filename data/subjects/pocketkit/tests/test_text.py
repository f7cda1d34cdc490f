import pytest

from pocketkit import text


def test_slugify_joins_words():
    assert text.slugify("Hello, World!") == "hello-world"


def test_slugify_drops_accents():
    assert text.slugify("Café crème") == "cafe-creme"


def test_slugify_separator():
    assert text.slugify("a b  c", separator="_") == "a_b_c"


def test_slugify_keeps_digits():
    assert text.slugify("Top 10 of 2024") == "top-10-of-2024"


def test_slugify_cuts_at_words():
    assert text.slugify("one two three", max_length=8) == "one-two"


def test_slugify_exact_fit():
    assert text.slugify("one two", max_length=7) == "one-two"


def test_slugify_long_first_word():
    assert text.slugify("extraordinary day", max_length=5) == "extra"


def test_slugify_nothing_left():
    assert text.slugify("?!", max_length=4) == ""
    assert text.slugify("") == ""


def test_slugify_edges():
    assert text.slugify("  --x--  ") == "x"


@pytest.mark.parametrize("length, expected", [(5, "ab..."), (8, "abcdefgh"), (3, "..."), (7, "abcd...")])
def test_truncate_lengths(length, expected):
    assert text.truncate("abcdefgh", length) == expected


def test_truncate_short_text_stays():
    assert text.truncate("abc", 10) == "abc"


def test_truncate_whole_words():
    assert text.truncate("the quick brown fox", 14, whole_words=True) == "the quick..."


def test_truncate_whole_words_at_boundary():
    assert text.truncate("the quick brown fox", 12, whole_words=True) == "the quick..."


def test_truncate_single_long_word():
    assert text.truncate("incomprehensible", 6, whole_words=True) == "inc..."


def test_truncate_own_suffix():
    assert text.truncate("abcdef", 4, suffix="~") == "abc~"


def test_truncate_strips_before_suffix():
    assert text.truncate("ab cdefgh", 6) == "ab..."


def test_truncate_rejects_tiny_length():
    with pytest.raises(ValueError):
        text.truncate("abcdef", 2)


def test_wrap_breaks_lines():
    assert text.wrap("aa bb cc dd", 5) == ["aa bb", "cc dd"]


def test_wrap_indent():
    assert text.wrap("aa bb cc", 6, indent="> ") == ["> aa", "> bb", "> cc"]


def test_wrap_indent_with_room():
    assert text.wrap("aa bb cc", 7, indent="> ") == ["> aa bb", "> cc"]


def test_wrap_long_word_alone():
    assert text.wrap("a incomprehensible b", 4) == ["a", "incomprehensible", "b"]


def test_wrap_empty():
    assert text.wrap("   ") == []


def test_wrap_default_width():
    lines = text.wrap("word " * 40)
    assert max(len(line) for line in lines) <= 72
    assert len(lines) == 3


def test_wrap_rejects_width():
    with pytest.raises(ValueError):
        text.wrap("a", 0)


def test_wrap_width_one():
    assert text.wrap("a b", 1) == ["a", "b"]


@pytest.mark.parametrize(
    "name, words",
    [
        ("snake_case_name", ["snake", "case", "name"]),
        ("camelCaseName", ["camel", "case", "name"]),
        ("HTTPServer", ["http", "server"]),
        ("kebab-case", ["kebab", "case"]),
        ("", []),
        ("__x", ["x"]),
    ],
)
def test_split_words(name, words):
    assert text.split_words(name) == words


def test_split_words_trailing_capitals():
    assert text.split_words("parseJSON") == ["parse", "json"]


def test_split_words_spaces():
    assert text.split_words("Two words") == ["two", "words"]


def test_camel_case():
    assert text.camel_case("some_long_name") == "someLongName"


def test_camel_case_upper_first():
    assert text.camel_case("some_long_name", upper_first=True) == "SomeLongName"


def test_camel_case_empty():
    assert text.camel_case("") == ""


def test_camel_case_one_word():
    assert text.camel_case("name") == "name"
    assert text.camel_case("name", True) == "Name"


def test_snake_case():
    assert text.snake_case("someLongName") == "some_long_name"


def test_snake_case_separator():
    assert text.snake_case("SomeName", separator="-") == "some-name"


def test_case_round_trip():
    assert text.snake_case(text.camel_case("one_two_three", True)) == "one_two_three"


@pytest.mark.parametrize(
    "left, right, distance",
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("same", "same", 0), ("flaw", "lawn", 2)],
)
def test_edit_distance(left, right, distance):
    assert text.edit_distance(left, right) == distance


def test_edit_distance_is_symmetric():
    assert text.edit_distance("saturday", "sunday") == text.edit_distance("sunday", "saturday") == 3


def test_edit_distance_substitution_cost():
    assert text.edit_distance("abc", "axc", substitution=2) == 2
    assert text.edit_distance("abc", "axc") == 1


def test_edit_distance_free_match():
    assert text.edit_distance("xabc", "abc") == 1


def test_closest_finds_near_word():
    assert text.closest("aple", ["pear", "apple", "plum"]) == "apple"


def test_closest_first_wins():
    assert text.closest("cat", ["bat", "hat"]) == "bat"


def test_closest_none_when_far():
    assert text.closest("aaaa", ["zzzzzzzz"]) is None


def test_closest_limit():
    assert text.closest("ab", ["abcde"], limit=2) is None
    assert text.closest("ab", ["abcde"], limit=3) == "abcde"
    assert text.closest("ab", ["abcde"]) == "abcde"
    assert text.closest("a", ["abcde"]) is None


@pytest.mark.parametrize(
    "noun, plural",
    [("cat", "cats"), ("box", "boxes"), ("city", "cities"), ("day", "days"), ("bus", "buses"), ("y", "ys")],
)
def test_pluralize(noun, plural):
    assert text.pluralize(noun) == plural


def test_pluralize_one():
    assert text.pluralize("cat", 1) == "cat"


def test_pluralize_zero():
    assert text.pluralize("cat", 0) == "cats"


def test_pluralize_hissing():
    assert text.pluralize("dish") == "dishes"
    assert text.pluralize("church", 3) == "churches"


def test_pluralize_empty():
    assert text.pluralize("") == ""


def test_pluralize_capital():
    assert text.pluralize("CITY") == "CITies"


def test_render_fields():
    assert text.render("{a} and {b}", {"a": 1, "b": "two"}) == "1 and two"


def test_render_braces():
    assert text.render("{{x}}", {}) == "{x}"


def test_render_spaces_in_field():
    assert text.render("<{ name }>", {"name": "n"}) == "<n>"


def test_render_missing_raises():
    with pytest.raises(KeyError):
        text.render("{gone}", {})


def test_render_default():
    assert text.render("{gone}!", {}, default="?") == "?!"
    assert text.render("{gone}", {}, default="") == ""


def test_render_unclosed():
    with pytest.raises(ValueError, match="unclosed field at 2"):
        text.render("ab{c", {})


def test_render_single_brace():
    with pytest.raises(ValueError, match="single brace at 1"):
        text.render("a}b", {})


def test_render_plain():
    assert text.render("plain", {"plain": 1}) == "plain"


def test_render_neighbouring_fields():
    assert text.render("{a}{a}-{b}", {"a": "x", "b": 0}) == "xx-0"
