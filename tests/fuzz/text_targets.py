"""Short texts: addresses, tokens, fields, requests, names. What is taken is written the same."""

import re
from collections.abc import Callable, Iterator

from syncclient.address import Address
from syncclient.answers import parse_proof
from syncclient.client import sync_request
from syncd import server as server  # registers the verbs and actions
from syncd.content.buckets import buckets_text, parse_buckets
from syncd.content.fleet import ServerRow
from syncd.content.reports import ServerReport
from syncd.content.tokens import Token
from syncd.errors import ConfigError, ProtocolViolation, Refused
from syncd.protocol.fields import (
    join_fields,
    number_argument,
    split_fields,
    split_options,
    value_field,
)
from syncd.server.requests import parse_request
from syncd.types import Role, all_types
from tests.fuzz.target import Target
from tests.server.transcripts import read_transcripts


def _address(text: str) -> None:
    address = Address.parse(text)
    assert 0 <= address.port <= 65535
    assert address.host
    assert Address.parse(str(address)) == address


def _token(text: str) -> None:
    assert str(Token.parse(text)) == text
    assert 0 <= Token.parse(text).seq < 1 << 63


def _fields(text: str) -> None:
    fields = split_fields(text)
    assert split_fields(join_fields(fields)) == fields
    assert not re.search(r"[\r\n\0]", join_fields(fields))


def _options(text: str) -> None:
    values, options = split_options(text.split("|"))
    again = [value_field(value) for value in values]
    assert split_options(again)[0] == values
    assert all(re.fullmatch("[a-z]+", key) for key in options)


def _request(text: str) -> None:
    request = parse_request(text, Role.ADMIN)
    argument = sync_request(request.about, request.action.name, request.values, **request.options)
    assert parse_request(argument, Role.ADMIN) == request


def _report(text: str) -> None:
    values, options = split_options(text.split("|"))
    report = ServerReport.from_options(values[-1] if values else "", options)
    assert ServerReport.from_options(report.name, report.to_options()) == report
    assert f"{report.name}{report.version}{report.reason}".isprintable()


def _server_row(text: str) -> None:
    row = ServerRow.from_fields(split_fields(text))
    assert ServerRow.from_fields(split_fields(join_fields(row.fields()))) == row


def _buckets(text: str) -> None:
    buckets = parse_buckets(text, 12)
    assert parse_buckets(buckets_text(sorted(buckets)), 12) == buckets


def _proof(text: str) -> None:
    proof = parse_proof(text)
    assert 0 <= proof.count < 1 << 63
    assert 0 <= proof.fingerprint < 1 << 256


def _number(text: str) -> None:
    assert 3 <= number_argument(text, "a number", 3, 1 << 60) <= 1 << 60


def _names(text: str) -> None:
    for kind in all_types():
        try:
            name = kind.check_name(text)
        except Refused:
            continue
        assert kind.check_name(name) == name
        assert name.isprintable()
        assert ".." not in name.split("/")


_CHECKS: tuple[Callable[[str], None], ...] = (
    _address, _token, _fields, _options, _request, _buckets, _proof, _number, _names,
    _report, _server_row,
)  # fmt: skip


def _check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for check in _CHECKS:
        try:
            check(text)
        except (ConfigError, Refused, ProtocolViolation):
            continue


def _seeds() -> Iterator[bytes]:
    yield from (
        b"syncd://alice@ns1.example.com:5040", b"syncd://[2001:db8::1]:53/", b"syncd://host",
        b"5eed5eed5eed5eed:7",
        b"5eed5eed5eed5eed:999999999999999999",
        b"a|b%7Cc|%25", b"3,7-9,11", b"example.com.", b"etc/motd", b"alice",
        b"5eed5eed5eed5eed:7|3|4a58e80398fd242aa7ca6203c15717e05e20e50070176f67b6df3a6422f8ef1b",
        b"12345", "b\u00fccher.example".encode(), b"a\\.b.example.",
    )  # fmt: skip
    for transcript in read_transcripts():
        for step in transcript.steps:
            if step.startswith("C: SYNC "):
                yield step.removeprefix("C: SYNC ").encode()
            elif step.startswith("S2: ns"):
                yield step.removeprefix("S2: ").encode()


TARGETS = [Target("texts", _check, _seeds, max_bytes=512)]
