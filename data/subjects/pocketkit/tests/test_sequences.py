import pytest

from pocketkit import sequences


def test_chunked():
    assert sequences.chunked([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]


def test_chunked_even():
    assert sequences.chunked([1, 2, 3, 4], 2) == [[1, 2], [3, 4]]


def test_chunked_pad():
    assert sequences.chunked([1, 2, 3, 4], 3, pad=0) == [[1, 2, 3], [4, 0, 0]]


def test_chunked_pad_not_needed():
    assert sequences.chunked([1, 2], 2, pad=0) == [[1, 2]]


def test_chunked_empty():
    assert sequences.chunked([], 3, pad=0) == []


def test_chunked_rejects():
    with pytest.raises(ValueError):
        sequences.chunked([1], 0)


def test_chunked_ones():
    assert sequences.chunked("ab", 1) == [["a"], ["b"]]


def test_windows():
    assert sequences.windows([1, 2, 3, 4], 2) == [[1, 2], [2, 3], [3, 4]]


def test_windows_step():
    assert sequences.windows([1, 2, 3, 4, 5], 2, step=2) == [[1, 2], [3, 4]]


def test_windows_too_large():
    assert sequences.windows([1, 2], 3) == []
    assert sequences.windows([1, 2], 2) == [[1, 2]]


@pytest.mark.parametrize("size, step", [(0, 1), (1, 0), (-1, 2)])
def test_windows_rejects(size, step):
    with pytest.raises(ValueError):
        sequences.windows([1, 2, 3], size, step)


def test_windows_size_one():
    assert sequences.windows([1, 2], 1, 1) == [[1], [2]]


def test_unique():
    assert sequences.unique([3, 1, 3, 2, 1]) == [3, 1, 2]


def test_unique_key():
    assert sequences.unique(["a", "A", "b"], key=str.lower) == ["a", "b"]


def test_unique_empty():
    assert sequences.unique([]) == []


def test_flatten():
    assert sequences.flatten([1, [2, [3, (4,)]]]) == [1, 2, 3, 4]


def test_flatten_depth():
    assert sequences.flatten([1, [2, [3]]], depth=1) == [1, 2, [3]]
    assert sequences.flatten([1, [2, [3, [4]]]], depth=2) == [1, 2, 3, [4]]


def test_flatten_depth_zero():
    assert sequences.flatten([1, [2]], depth=0) == [1, [2]]


def test_flatten_keeps_strings():
    assert sequences.flatten(["ab", ["cd"]]) == ["ab", "cd"]


def test_group_by():
    assert sequences.group_by([1, 2, 3, 4], lambda n: n % 2) == {1: [1, 3], 0: [2, 4]}


def test_group_by_order():
    assert list(sequences.group_by(["bb", "a", "cc"], len)) == [2, 1]


def test_group_by_empty():
    assert sequences.group_by([], len) == {}


def test_partition():
    assert sequences.partition([1, 2, 3, 4], lambda n: n > 2) == ([3, 4], [1, 2])


def test_partition_all_one_side():
    assert sequences.partition([1, 2], lambda n: True) == ([1, 2], [])


def test_partition_none():
    assert sequences.partition([1, 2], lambda n: False) == ([], [1, 2])


def test_run_lengths():
    assert sequences.run_lengths("aabccc") == [("a", 2), ("b", 1), ("c", 3)]


def test_run_lengths_returning_item():
    assert sequences.run_lengths([1, 2, 1]) == [(1, 1), (2, 1), (1, 1)]


def test_run_lengths_empty():
    assert sequences.run_lengths([]) == []


@pytest.mark.parametrize("value, place", [(0, 0), (1, 0), (2, 1), (3, 3), (9, 4)])
def test_bisect_left(value, place):
    assert sequences.bisect([1, 2, 2, 5], value) == place


def test_bisect_right():
    assert sequences.bisect([1, 2, 2, 5], 2, right=True) == 3
    assert sequences.bisect([1, 2, 2, 5], 5, right=True) == 4


def test_bisect_empty():
    assert sequences.bisect([], 1) == 0


def test_bisect_keeps_sorted():
    items = []
    for value in (5, 1, 4, 1, 3):
        items.insert(sequences.bisect(items, value), value)
    assert items == [1, 1, 3, 4, 5]


def test_merge_sorted():
    assert sequences.merge_sorted([1, 4, 6], [2, 3, 7]) == [1, 2, 3, 4, 6, 7]


def test_merge_sorted_stable():
    assert sequences.merge_sorted([1], [1.0]) == [1, 1.0]
    assert isinstance(sequences.merge_sorted([1], [1.0])[0], int)


def test_merge_sorted_reverse():
    assert sequences.merge_sorted([5, 2], [4, 1], reverse=True) == [5, 4, 2, 1]


def test_merge_sorted_one_empty():
    assert sequences.merge_sorted([], [1, 2]) == [1, 2]
    assert sequences.merge_sorted([1, 2], []) == [1, 2]


@pytest.mark.parametrize("amount, expected", [(1, [3, 1, 2]), (-1, [2, 3, 1]), (3, [1, 2, 3]), (4, [3, 1, 2])])
def test_rotate(amount, expected):
    assert sequences.rotate([1, 2, 3], amount) == expected


def test_rotate_default():
    assert sequences.rotate("abc") == ["c", "a", "b"]


def test_rotate_empty():
    assert sequences.rotate([], 2) == []


def test_rotate_and_back():
    assert sequences.rotate(sequences.rotate([1, 2, 3, 4, 5], 2), -2) == [1, 2, 3, 4, 5]


def test_top():
    assert sequences.top([3, 1, 4, 1, 5]) == [5, 4, 3]


def test_top_count():
    assert sequences.top([3, 1, 4], 1) == [4]
    assert sequences.top([3, 1, 4], 0) == []
    assert sequences.top([3, 1, 4], -1) == []


def test_top_key():
    assert sequences.top(["a", "ccc", "bb"], 2, key=len) == ["ccc", "bb"]


def test_top_ties():
    assert sequences.top(["aa", "bb", "c"], 1, key=len) == ["aa"]


def test_moving_average():
    assert sequences.moving_average([1, 2, 3, 4], 2) == [1, 1.5, 2.5, 3.5]


def test_moving_average_one():
    assert sequences.moving_average([4, 8], 1) == [4, 8]


def test_moving_average_long_window():
    assert sequences.moving_average([2, 4, 6], 10) == [2, 3, 4]


def test_moving_average_rejects():
    with pytest.raises(ValueError):
        sequences.moving_average([1], 0)


def test_longest_run():
    assert sequences.longest_run([1, 2, 4, 1, 6], lambda n: n % 2 == 0) == (1, 2)


def test_longest_run_first_wins():
    assert sequences.longest_run("aabaa", lambda c: c == "a") == (0, 2)


def test_longest_run_none():
    assert sequences.longest_run([1, 3], lambda n: n > 5) == (0, 0)


def test_longest_run_at_end():
    assert sequences.longest_run([0, 1, 0, 1, 1, 1], bool) == (3, 3)


def test_difference():
    assert sequences.difference([1, 2, 2, 3], [2]) == [1, 2, 3]


def test_difference_repeats():
    assert sequences.difference([1, 2, 2, 3], [2, 2, 9]) == [1, 3]


def test_difference_leaves_arguments():
    right = [1]
    assert sequences.difference([1, 1], right) == [1]
    assert right == [1]
