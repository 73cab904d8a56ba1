"""The data of a record in the one form in which it can be compared: names uncompressed and in
lower case (RFC 4034 section 6.2), all else octet by octet.

What a zone holds and what a message holds go through the same function, so that neither how a
server compresses nor how it spells a name makes a difference; a TXT's case does.
"""

from typing import NamedTuple

from syncclient.dns.messages import MessageError, read_name
from syncd.content.zone.record_types import TYPE_CODES


class _Layout(NamedTuple):
    """Where names stand in rdata; what follows them is compared as it is."""

    octets: int = 0
    strings: int = 0
    names: int = 1


_LAYOUTS: dict[str, _Layout] = {
    **dict.fromkeys(("NS", "CNAME", "PTR", "DNAME", "MB", "MG", "MR", "NSAP-PTR"), _Layout()),
    **dict.fromkeys(("NSEC", "NXT"), _Layout()),
    **dict.fromkeys(("SOA", "MINFO", "RP", "TALINK"), _Layout(names=2)),
    **dict.fromkeys(("MX", "AFSDB", "RT", "KX", "LP", "SVCB", "HTTPS"), _Layout(2)),
    **dict.fromkeys(("RRSIG", "SIG"), _Layout(18)),
    "PX": _Layout(2, names=2),
    "SRV": _Layout(6),
    "NAPTR": _Layout(4, 3),
}
_BY_TYPE = {TYPE_CODES[mnemonic]: layout for mnemonic, layout in _LAYOUTS.items()}


def comparable_rdata(message: bytes, start: int, length: int, rdtype: int) -> bytes:
    """Return the data of a record that lies in a message (or alone: `start` 0).

    Raises MessageError if it is not what its type has.
    """
    layout = _BY_TYPE.get(rdtype)
    if layout is None:
        return message[start : start + length]
    end = start + length
    at = start + layout.octets
    try:
        for _ in range(layout.strings):
            at += 1 + message[at]
    except IndexError:
        raise MessageError("it ends inside a string") from None
    parts = [message[start:at]]
    for _ in range(layout.names):
        if at >= end:
            raise MessageError("a record in it is too short")
        name, at = read_name(message, at)
        parts.append(name)
    if at > end:
        raise MessageError("a record in it is too short")
    parts.append(message[at:end])
    return b"".join(parts)
