"""Zones: any bytes are a canonical zone or a located error, by both paths, in time by the byte."""

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

from syncd.content.chunks import cut_lines, recut
from syncd.content.textdiff import parse_diff
from syncd.content.zone import generate
from syncd.content.zone.patch import ZonePatch
from syncd.content.zone.reader import read_zone
from syncd.errors import InvalidContent, MovedOn
from tests.content.zone.test_patch import Content
from tests.fuzz.target import Target

_ORIGIN = "example.com."
_MAX_GENERATED = 64
"""Enough to see what $GENERATE does, few enough to see it often."""
_TIME_S, _TIME_S_PER_BYTE = 2.0, 0.001
"""A hundred times what it takes under the fuzzer; whatever grows with the square gets there."""
_TEXT_OF_AN_ERROR = 1100
_REPOSITORY = Path(__file__).parents[2]
_ZONE_FOLDERS = ("examples/zones", "tests/content/zone/collected")

_BASE = b"""\
example.com. 300 IN SOA ns.example.com. hm.example.com. 1 2 3 4 5
example.com. 300 IN NS ns.example.com.
example.com. 300 IN MX 10 mail.example.com.
a.example.com. 300 IN CNAME b.example.com.
b.example.com. 60 IN A 192.0.2.1
b.example.com. 60 IN A 192.0.2.2
b.example.com. 60 IN TXT "one" "two"
"""
_BASE += b"".join(b"host%02d.example.com. 300 IN A 192.0.2.%d\n" % (n, n) for n in range(90))
_BASE += b"ns.example.com. 300 IN A 192.0.2.3\n"


def _read(data: bytes, *, fast: bool, window_bytes: int = 1 << 20) -> list[bytes] | str:
    """Return the canonical lines, or what is wrong."""
    warnings: list[str] = []
    try:
        zone = read_zone(
            BytesIO(data), origin=_ORIGIN, fast=fast, window_bytes=window_bytes, run_rrsets=5
        )
        lines = list(zone.lines())
        warnings = zone.warnings
    except InvalidContent as error:
        assert len(str(error)) < _TEXT_OF_AN_ERROR
        assert str(error).isprintable()
        return str(error)
    assert all(len(warning) < 2 * _TEXT_OF_AN_ERROR for warning in warnings)
    return lines


def _check_zone(data: bytes) -> None:
    with patch.object(generate, "MAX_GENERATED", _MAX_GENERATED):
        began = time.thread_time()
        result = _read(data, fast=True)
        taken_s = time.thread_time() - began
        assert taken_s < _TIME_S + _TIME_S_PER_BYTE * len(data), f"{taken_s:.1f} s"
        assert _read(data, fast=False) == result
        assert _read(data, fast=True, window_bytes=17) == result
        if isinstance(result, list):
            assert _read(b"".join(result), fast=True) == result
            assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in result)


def _zone_files() -> Iterator[bytes]:
    for folder in _ZONE_FOLDERS:
        for path in sorted((_REPOSITORY / folder).glob("*.zone")):
            yield path.read_bytes()


def _zone_seeds() -> Iterator[bytes]:
    head = b"$TTL 300\n@ SOA a b 1 2 3 4 5\n@ NS a\n"
    yield _BASE[:700]
    yield head + b'$GENERATE 1-10/3 h${1,3,x} A 192.0.2.$\n$ORIGIN sub\na 5 IN TXT ( ; c\n "x" )\n'
    yield head + b"a 2147483647 A 192.0.2.1\na 2147483648 A 192.0.2.2\nb 4294967296 A 192.0.2.3\n"
    yield head + b'\\097.b\\. TXT "\\"\\065" un\\ quoted\n  1h AAAA ::1\n* TYPE99 \\# 2 0 041\n'
    for text in _zone_files():
        lines = text.splitlines(keepends=True)
        yield text[:3000]
        for at in range(0, len(lines), 10):
            yield head + b"".join(lines[at : at + 10])


def _check_patch(data: bytes) -> None:
    content = Content(list(cut_lines(_BASE.splitlines(keepends=True), head_lines=1)))
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    try:
        patched = ZonePatch(_ORIGIN, parse_diff(lines), content)
        text = b"".join(recut(patched.parts(), head_lines=1))
    except (InvalidContent, MovedOn) as error:
        assert len(str(error)) < 8 * len(data) + _TEXT_OF_AN_ERROR
        return
    assert b"".join(_as_read(text)) == text
    assert patched.soa.encode("ascii") + b"\n" == text.splitlines(keepends=True)[0]


def _as_read(text: bytes) -> list[bytes]:
    result = _read(text, fast=False)
    assert isinstance(result, list), result
    return result


def _patch_seeds() -> Iterator[bytes]:
    yield b"-b.example.com. 60 IN A 192.0.2.1\n+b 60 A 192.0.2.9\n"
    yield b"@@ head\n-@ SOA ns hm 1 2 3 4 5\n+@ 300 SOA ns hm 2 2 3 4 5\n\n+new MX 5 a\n"
    yield b"-a CNAME b\n+a A 192.0.2.1\n+c CNAME d\n-host07 A 192.0.2.7\n-host80 A 192.0.2.80\n"
    yield b'+b TXT "three"\n-b TXT "one" "two"\n+ b AAAA ::1\n+h\\079st07 AAAA ::2\n'
    yield b"--- a\n+++ b\n" + b"".join(b"-" + line for line in _BASE.splitlines(keepends=True)[2:9])


TARGETS = [
    Target("zone", _check_zone, _zone_seeds),
    Target("patch", _check_patch, _patch_seeds, max_bytes=1024),
]
