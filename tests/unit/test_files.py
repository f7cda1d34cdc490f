"""Atomic writes and stable seeds."""

import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.files import stable_seed, write_atomic

parts = st.lists(st.one_of(st.text(max_size=5), st.integers(), st.floats(allow_nan=False)), max_size=4)


def test_a_write_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    write_atomic(target, "first, and longer")
    write_atomic(target, b"second")
    assert target.read_bytes() == b"second"
    assert list(target.parent.iterdir()) == [target]


def test_others_may_read_what_the_mask_lets_them(tmp_path):
    target = tmp_path / "file.txt"
    write_atomic(target, "x")
    (tmp_path / "plain.txt").write_text("x", "utf-8")
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE((tmp_path / "plain.txt").stat().st_mode)


def test_a_place_that_cannot_be_written_gets_one_sentence(tmp_path):
    (tmp_path / "file").write_text("not a folder", "utf-8")
    with pytest.raises(LabError, match="cannot write"):
        write_atomic(tmp_path / "file" / "below.txt", "x")


def test_a_full_disk_leaves_no_half_written_file(tmp_path, monkeypatch):
    target = tmp_path / "file.txt"
    write_atomic(target, "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LabError, match="No space left"):
        write_atomic(target, "new")
    assert target.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


@given(parts, parts)
def test_seeds_depend_on_all_parts_and_their_borders(first, second):
    same = [(type(part), part) for part in first] == [(type(part), part) for part in second]
    assert (stable_seed(*first) == stable_seed(*second)) == (same or str(first) == str(second))
    assert 0 <= stable_seed(*first) < 2**63
