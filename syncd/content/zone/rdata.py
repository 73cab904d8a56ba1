"""Any rdata as written in a master file, to its canonical text: the slow and fully general path.

The fields are encoded one by one into wire format, and printed from the wire alone. So two
spellings of one record come out the same, `\\# len hex` needs no path of its own, and the result is
a fixed point: canonical text encodes to the same wire. The fields of each type stand in
`rdata_types`; BIND 9.18 is the judge of what is refused and printed.
"""

from collections.abc import Sequence

from syncd.content.zone.lexer import QuotedValue
from syncd.content.zone.names import BadNameError, origin_wire
from syncd.content.zone.rdata_coding import MAX_RDATA_BYTES, RdataError, Reader, Wire
from syncd.content.zone.rdata_fields import Opaque
from syncd.content.zone.rdata_types import fields_of
from syncd.content.zone.record_types import NOT_IN_ZONES, TYPE_CODES, type_name

_TXT, _SVCB, _HTTPS = (TYPE_CODES[mnemonic] for mnemonic in ("TXT", "SVCB", "HTTPS"))


def canonical_rdata(rdclass: int, rdtype: int, tokens: Sequence[str], origin: str) -> str:
    """The one canonical spelling of a record's rdata.

    `tokens` are its fields as `lex_record` cut them. `origin` completes relative names and must be
    absolute. The result is one line. Raises RdataError for whatever BIND refuses.
    """
    return rdata_text(rdclass, rdtype, _encode(rdclass, rdtype, tokens, origin))


def rdata_text(rdclass: int, rdtype: int, data: bytes) -> str:
    """The canonical spelling of rdata in wire format, in which no name is compressed.

    Raises RdataError for what is not well formed.
    """
    fields = fields_of(rdclass, rdtype)
    if fields is None:
        return _opaque(data)
    wire = Wire(type_name(rdtype), data)
    try:
        parts = [field.show(wire) for field in fields]
    except Opaque:
        return _opaque(data)
    if wire.left:
        raise RdataError(f"{wire.type_name}: {wire.left} bytes are left after the last field")
    return " ".join([part for part in parts if part])


def rdata_wire(rdclass: int, rdtype: int, tokens: Sequence[str]) -> bytes:
    """The wire format of rdata, without compression; its names must be absolute.

    Raises RdataError.
    """
    return _encode(rdclass, rdtype, tokens, ".")


def rdata_size(rdclass: int, rdtype: int, tokens: Sequence[str]) -> int:
    """The octets that canonical rdata has in wire format."""
    return len(_encode(rdclass, rdtype, tokens, "."))


def _encode(rdclass: int, rdtype: int, tokens: Sequence[str], origin: str) -> bytes:
    mnemonic = type_name(rdtype)
    if rdtype in NOT_IN_ZONES:
        raise RdataError(f"{mnemonic}: records of this type do not belong in a zone")
    if any(token > "\xff" and max(token) > "\xff" for token in tokens):
        raise RdataError(f"{mnemonic}: a character that is not one octet")
    try:
        reader = Reader(mnemonic, tokens, origin_wire(origin))
    except BadNameError as error:
        raise RdataError(f"{mnemonic}: the origin {error}") from None
    if rdtype in (_SVCB, _HTTPS):
        reader.tokens = _with_values(tokens)
    fields = fields_of(rdclass, rdtype)
    if reader.generic(is_text=rdtype == _TXT):
        data = reader.generic_bytes()
    elif fields is None:
        raise RdataError(f'{mnemonic}: the data of this type can only be given as "\\# length hex"')
    else:
        for field in fields:
            field.read(reader)
        reader.end()
        data = bytes(reader.wire)
    if len(data) > MAX_RDATA_BYTES:
        raise RdataError(f"{mnemonic}: {len(data)} bytes of rdata, the limit is {MAX_RDATA_BYTES}")
    return data


def _with_values(tokens: Sequence[str]) -> list[str]:
    """Service parameters alone may be half quoted: alpn="h2,h3" is one token."""
    joined: list[str] = []
    for token in tokens:
        key = joined[-1] if joined else ""
        if isinstance(token, QuotedValue) and key and key.find("=") == len(key) - 1:
            joined[-1] = f'{key}"{token}"'
        else:
            joined.append(token)
    return joined


def _opaque(data: bytes) -> str:
    return f"\\# {len(data)} {data.hex().upper()}".rstrip()
