"""An append-only file is cut where no command and no transaction is broken, wherever the kill came."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autodev_lab.integrations.append_only import cut_unfinished

WORDS = st.binary(max_size=12) | st.sampled_from([b"MULTI", b"EXEC", b"*1\r\n$4\r\nEXEC\r\n"])


def command(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


REMARKS = st.integers(0, 2**31).map(lambda second: b"#TS:%d\r\n" % second)
PLAIN = st.lists(WORDS, max_size=3).map(lambda words: command(b"SET", *words)) | REMARKS
UNITS = st.lists(PLAIN, max_size=4).map(lambda inner: command(b"MULTI") + b"".join(inner) + command(b"EXEC")) | PLAIN


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(units=st.lists(UNITS, min_size=1, max_size=6), share=st.floats(0.0, 1.0))
def test_what_is_left_is_the_whole_units_before_the_kill(tmp_path: Path, units: list[bytes], share: float) -> None:
    path = tmp_path / "appendonly.aof"
    written = b"".join(units)[: round(share * len(b"".join(units)))]
    path.write_bytes(written)
    whole = b""
    for unit in units:
        if len(whole) + len(unit) > len(written):
            break
        whole += unit
    assert cut_unfinished(path) == len(written) - len(whole)
    assert path.read_bytes() == whole
    assert cut_unfinished(path) == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"REDIS0009\xfa\tredis-ver",
        b"no such file",
        command(b"SET") + b"REDIS0009" + command(b"SET"),
        command(b"MULTI") + b"*x\r\n" + command(b"EXEC"),
        b"*1\r\n$3\r\nSETTER\r\n",
        b"*1" + b"0" * 40 + b"\r\n",
    ],
)
def test_what_is_no_list_of_commands_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "appendonly.aof"
    path.write_bytes(content)
    assert cut_unfinished(path) == 0
    assert path.read_bytes() == content
