"""Quick records are what frozen dataclasses are: signature, defaults, checks, and no way to change them."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.ledger.transition import Renew
from autodev_lab.records import Cost, Lease, Role, TaskState
from autodev_lab.records.quick_init import quick_init


def _plain(cls=None):
    @dataclass(frozen=True, slots=True)
    class Sample:
        """A sample."""

        name: str
        size: int = 3
        parts: list[int] = field(default_factory=list, hash=False)

        def __post_init__(self):
            if self.size < 0:
                raise ValueError("too small")

    return Sample


PLAIN, QUICK = _plain(), quick_init(_plain())


def _told(cls, arguments, named):
    try:
        made = cls(*arguments, **named)
    except (TypeError, ValueError) as error:
        return type(error)
    return [getattr(made, one.name) for one in fields(cls)], repr(made)


@given(
    st.lists(st.one_of(st.integers(-2, 5), st.text(max_size=2)), max_size=4),
    st.dictionaries(st.sampled_from(["name", "size", "parts", "other"]), st.integers(-2, 5), max_size=3),
)
def test_it_takes_and_refuses_what_the_plain_one_does(arguments, named):
    assert _told(QUICK, arguments, named) == _told(PLAIN, arguments, named)


def test_it_looks_the_same_from_outside():
    quick, plain = inspect.signature(QUICK), inspect.signature(PLAIN)
    assert list(quick.parameters) == list(plain.parameters)
    assert [one.annotation for one in quick.parameters.values()] == [
        one.annotation for one in plain.parameters.values()
    ]
    assert QUICK("a").parts is not QUICK("a").parts


def test_records_stay_frozen_and_can_be_copied_and_replaced():
    lease = Lease("tester-1", Role.TESTER, 2, 60.0)
    with pytest.raises(FrozenInstanceError):
        lease.fence = 3
    assert pickle.loads(pickle.dumps(lease)) == copy.copy(lease) == lease
    assert hash(copy.deepcopy(lease)) == hash(lease)
    assert replace(lease, fence=3) == Lease("tester-1", Role.TESTER, 3, 60.0)
    assert Cost(seconds=1.0) + Cost(seconds=2.0) == Cost(seconds=3.0)
    with pytest.raises(ValueError, match="lease_seconds must be more than 0"):
        Renew("t1", 1, "a", 0.0)
    with pytest.raises(TypeError, match="missing 2 required positional arguments"):
        TaskState()


def test_what_has_no_slots_is_refused():
    @dataclass(frozen=True)
    class Loose:
        name: str

    with pytest.raises(TypeError, match=r"Loose\.name is no positional parameter with a slot"):
        quick_init(Loose)
