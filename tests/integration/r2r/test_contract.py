"""The remote memory keeps the promises of every memory, against a real server."""

from __future__ import annotations

from autodev_lab.testing import check_linked_memory, check_memory


def test_it_is_a_memory(make):
    check_memory(make)


def test_its_links_are_links(make):
    check_linked_memory(make)
