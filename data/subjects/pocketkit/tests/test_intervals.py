import pytest

from pocketkit.intervals import (
    Interval,
    coverage,
    first_gap,
    format_ranges,
    max_overlap,
    merge,
    parse_ranges,
    subtract,
)


def spans(intervals):
    return [(interval.start, interval.end) for interval in intervals]


def make(*pairs):
    return [Interval(start, end) for start, end in pairs]


class TestInterval:
    def test_rejects_backwards(self):
        with pytest.raises(ValueError):
            Interval(2, 1)

    def test_empty_is_allowed(self):
        assert Interval(1, 1).length == 0

    def test_equality(self):
        assert Interval(1, 2) == Interval(1, 2)
        assert Interval(1, 2) != Interval(1, 3)
        assert Interval(0, 2) != Interval(1, 2)
        assert Interval(0, 2) != (0, 2)

    def test_hash(self):
        assert len({Interval(1, 2), Interval(1, 2), Interval(2, 3)}) == 2

    def test_repr(self):
        assert repr(Interval(1, 2)) == "Interval(1, 2)"

    def test_contains_start_only(self):
        interval = Interval(1, 3)
        assert 1 in interval and 2 in interval
        assert 3 not in interval and 0 not in interval

    def test_length(self):
        assert Interval(2, 7).length == 5

    def test_overlaps(self):
        assert Interval(0, 5).overlaps(Interval(4, 6))
        assert Interval(4, 6).overlaps(Interval(0, 5))

    def test_overlaps_not_when_meeting(self):
        assert not Interval(0, 5).overlaps(Interval(5, 6))
        assert not Interval(5, 6).overlaps(Interval(0, 5))

    def test_overlaps_inside(self):
        assert Interval(0, 10).overlaps(Interval(3, 4))

    def test_touches_when_meeting(self):
        assert Interval(0, 5).touches(Interval(5, 6))
        assert Interval(5, 6).touches(Interval(0, 5))

    def test_touches_not_when_apart(self):
        assert not Interval(0, 5).touches(Interval(6, 7))
        assert not Interval(6, 7).touches(Interval(0, 5))

    def test_intersection(self):
        assert Interval(0, 5).intersection(Interval(3, 9)) == Interval(3, 5)

    def test_intersection_none(self):
        assert Interval(0, 5).intersection(Interval(5, 9)) is None
        assert Interval(6, 8).intersection(Interval(0, 5)) is None

    def test_intersection_inside(self):
        assert Interval(2, 3).intersection(Interval(0, 9)) == Interval(2, 3)

    def test_shift(self):
        assert Interval(1, 2).shift(3) == Interval(4, 5)

    def test_shift_back(self):
        assert Interval(4, 9).shift(-4) == Interval(0, 5)

    def test_split(self):
        assert Interval(0, 5).split(2) == [Interval(0, 2), Interval(2, 5)]

    def test_split_at_start(self):
        assert Interval(0, 5).split(0) == [Interval(0, 5)]

    def test_split_outside(self):
        assert Interval(0, 5).split(5) == [Interval(0, 5)]
        assert Interval(0, 5).split(-1) == [Interval(0, 5)]


def test_merge_overlapping():
    assert spans(merge(make((0, 3), (2, 5), (7, 8)))) == [(0, 5), (7, 8)]


def test_merge_touching():
    assert spans(merge(make((0, 3), (3, 5)))) == [(0, 5)]


def test_merge_sorts():
    assert spans(merge(make((7, 8), (0, 1)))) == [(0, 1), (7, 8)]


def test_merge_contained():
    assert spans(merge(make((0, 10), (2, 3), (4, 5)))) == [(0, 10)]


def test_merge_gap():
    assert spans(merge(make((0, 1), (3, 4)), gap=2)) == [(0, 4)]
    assert spans(merge(make((0, 1), (3, 4)), gap=1)) == [(0, 1), (3, 4)]


def test_merge_nothing():
    assert merge([]) == []


def test_subtract_middle():
    assert spans(subtract(Interval(0, 10), make((3, 5)))) == [(0, 3), (5, 10)]


def test_subtract_ends():
    assert spans(subtract(Interval(0, 10), make((-5, 2), (8, 20)))) == [(2, 8)]


def test_subtract_everything():
    assert subtract(Interval(0, 10), make((0, 10))) == []


def test_subtract_outside():
    assert spans(subtract(Interval(0, 10), make((-3, 0), (10, 12)))) == [(0, 10)]


def test_subtract_several_unsorted():
    assert spans(subtract(Interval(0, 10), make((6, 7), (1, 2)))) == [(0, 1), (2, 6), (7, 10)]


def test_subtract_nothing():
    assert spans(subtract(Interval(0, 4), [])) == [(0, 4)]


def test_coverage_counts_once():
    assert coverage(make((0, 5), (3, 8), (10, 12))) == 10


def test_coverage_empty():
    assert coverage([]) == 0


def test_coverage_single():
    assert coverage(make((4, 9))) == 5


def test_max_overlap():
    assert max_overlap(make((0, 5), (1, 3), (2, 4), (6, 7))) == 3


def test_max_overlap_half_open():
    assert max_overlap(make((0, 5), (5, 9))) == 1


def test_max_overlap_ignores_empty():
    assert max_overlap(make((1, 1), (1, 1))) == 0


def test_max_overlap_identical():
    assert max_overlap(make((0, 2), (0, 2))) == 2


def test_first_gap_finds_earliest():
    assert first_gap(make((0, 3), (5, 6)), Interval(0, 20), 2) == Interval(3, 5)


def test_first_gap_needs_room():
    assert first_gap(make((0, 3), (5, 6)), Interval(0, 20), 4) == Interval(6, 10)


def test_first_gap_none():
    assert first_gap(make((0, 9)), Interval(0, 10), 2) is None


def test_first_gap_exact():
    assert first_gap([], Interval(2, 4), 2) == Interval(2, 4)


@pytest.mark.parametrize("text, numbers", [("1-3,7", [1, 2, 3, 7]), ("", []), ("5", [5]), ("3,1,2-2", [1, 2, 3])])
def test_parse_ranges(text, numbers):
    assert parse_ranges(text) == numbers


def test_parse_ranges_spaces_and_repeats():
    assert parse_ranges(" 1 - 2 , 2 , ,4") == [1, 2, 4]


def test_parse_ranges_backwards():
    with pytest.raises(ValueError, match="runs backwards"):
        parse_ranges("1,5-3")


def test_format_ranges():
    assert format_ranges([1, 2, 3, 7]) == "1-3,7"


def test_format_ranges_unsorted():
    assert format_ranges([9, 1, 2, 2, 8]) == "1-2,8-9"


def test_format_ranges_empty():
    assert format_ranges([]) == ""


def test_ranges_round_trip():
    numbers = [1, 3, 4, 5, 9, 10, 20]
    assert parse_ranges(format_ranges(numbers)) == numbers
