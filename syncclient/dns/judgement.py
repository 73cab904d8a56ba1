"""One answer beside the RRset that it should hold: the same, different in these words, or unseen.

Nothing is taken for the same that was not compared: every record of the RRset, its TTL and its
signatures. Where the answer comes from elsewhere than the zone (a referral, a zone below), only
what it then has to hold is compared.
"""

import secrets
from collections.abc import Collection, Iterable

from syncclient.dns.comparable import comparable_rdata
from syncclient.dns.expectation import Place, Rrset, Unseen, is_below, signature_rrset
from syncclient.dns.messages import (
    CNAME,
    DNAME,
    DS,
    IN,
    NOERROR,
    NS,
    NSEC,
    NXDOMAIN,
    OPT,
    RCODES,
    RRSIG,
    Answer,
    MessageError,
    Record,
    Sections,
)
from syncd.content.zone.lexer import RecordError
from syncd.content.zone.names import MAX_LABEL_BYTES, MAX_NAME_BYTES, name_text, name_wire
from syncd.content.zone.rdata import rdata_text
from syncd.content.zone.record_types import TYPE_CODES, type_name

_ADDRESSES = frozenset({TYPE_CODES["A"], TYPE_CODES["AAAA"]})
_OF_THE_ZONE_ABOVE = frozenset({DS, NSEC})
"""What a zone itself answers at its delegations (RFC 4035 section 2.6)."""
_WILDCARD = b"\1*"
_SHOWN_RECORDS = 3
_SHOWN_CHARACTERS = 100
_LABEL_BYTES = 16

Finding = str | Unseen | Rrset | None
"""A difference in words; why nothing is known; what to ask before more is known; or the same."""


def judge(rrset: Rrset, answer: Answer, *, compare_ttl: bool = True) -> Finding:
    """Compare what was answered to the question for an RRset with what should be."""
    rcode = answer.rcode
    try:
        sections = answer.sections()
        rcode |= _upper_rcode(sections[2])
        if rcode in (NOERROR, NXDOMAIN):
            judged = _judge_answer if answer.authoritative else _judge_referral
            return judged(rrset, answer.message, sections, compare_ttl)
    except MessageError as error:
        if rcode in (NOERROR, NXDOMAIN):
            return f"the answer cannot be read: {error}"
    return RCODES.get(rcode, f"RCODE {rcode}")


def _upper_rcode(additional: Iterable[Record]) -> int:
    """Return the bits of the RCODE that have no room in the header (RFC 6891 section 6.1.3)."""
    for record in additional:
        if record.type == OPT:
            return record.ttl >> 24 << 4
    return 0


def _judge_answer(rrset: Rrset, message: bytes, sections: Sections, compare_ttl: bool) -> Finding:
    records = sections[1] if rrset.asked else sections[0]
    if rrset.gone:
        return _judge_gone(rrset, records, message)
    finding = _compare(rrset, records, message, compare_ttl)
    if not isinstance(finding, str):
        return finding
    if rrset.asked and not any(r.type == NSEC and r.owner == rrset.name.lower() for r in records):
        return Unseen.HIDDEN  # the server takes the zone for unsigned, and proves nothing
    at_cut = rrset.place is Place.AT_CUT and rrset.type not in _OF_THE_ZONE_ABOVE
    if at_cut or rrset.place is Place.BELOW_CUT:
        return Unseen.OTHER_ZONE
    name = rrset.name.lower()
    if any(r.type == DNAME and r.owner != name and is_below(name, r.owner) for r in records):
        return Unseen.HIDDEN
    if any(r.type == CNAME and r.owner == name for r in records) and rrset.type != CNAME:
        return f"the name is an alias there; {finding}"
    return finding


def _judge_referral(rrset: Rrset, message: bytes, sections: Sections, compare_ttl: bool) -> Finding:
    _, authority, additional = sections
    name = rrset.name.lower()
    cut = next((record.owner for record in authority if record.type == NS), None)
    apex = name_wire(rrset.zone, b"").lower()
    if cut is None or cut == apex or not (is_below(name, cut) and is_below(cut, apex)):
        return "not authoritative"
    if rrset.gone:
        return _judge_gone(rrset, [*authority, *additional], message)
    if rrset.place is Place.INSIDE or (rrset.type == DS and name == cut):
        return f"is answered with a referral to {name_text(cut)}"
    if rrset.type == NS and name == cut:
        return _compare(rrset, authority, message, compare_ttl)
    if rrset.type in _ADDRESSES:
        held, nothing = additional, Unseen.GLUE
    else:
        held, nothing = authority, Unseen.HIDDEN
    if not any(record.owner == name and record.type == rrset.type for record in held):
        return _from_behind(rrset) if rrset.type == NSEC else nothing
    return _compare(rrset, held, message, compare_ttl)


def _from_behind(rrset: Rrset) -> Rrset | Unseen:
    """Return what to ask for the NSEC record of a signed delegation, that no referral holds.

    The name right behind its own does not exist, and this record is what proves it.
    """
    length = rrset.name[0]
    if rrset.asked or length == MAX_LABEL_BYTES or len(rrset.name) == MAX_NAME_BYTES:
        return Unseen.HIDDEN
    name = bytes((length + 1,)) + rrset.name[1 : length + 1] + b"\0" + rrset.name[length + 1 :]
    return rrset._replace(asked=name)


def _judge_gone(rrset: Rrset, records: Iterable[Record], message: bytes) -> Finding:
    found, _, _, _ = _matching(rrset, records, message)
    left = found & rrset.rdatas
    if rrset.beside:
        return None if left else f"is still answered: {_shown(rrset.type, rrset.rdatas)}"
    if not left:
        return None
    apex = name_wire(rrset.zone, b"").lower()
    name = rrset.name.lower()
    if name == apex or name.startswith(_WILDCARD):
        return f"is still answered: {_shown(rrset.type, left)}"
    label = secrets.token_hex(_LABEL_BYTES).encode()
    beside = bytes((len(label),)) + label + rrset.name[1 + rrset.name[0] :]
    return rrset._replace(name=beside, rdatas=frozenset(left), beside=True)


def _matching(
    rrset: Rrset, records: Iterable[Record], message: bytes
) -> tuple[set[bytes], set[int], set[bytes], set[int]]:
    """Return of an RRset in a message the data and TTLs, and those of its signatures."""
    name, rdtype, covered = rrset.name.lower(), rrset.type, rrset.covered
    found: set[bytes] = set()
    ttls: set[int] = set()
    signatures: set[bytes] = set()
    signature_ttls: set[int] = set()
    for owner, kind, rdclass, ttl, start, length in records:
        if owner != name or rdclass != IN:
            continue
        if kind == rdtype:
            data = comparable_rdata(message, start, length, kind)
            if not covered or int.from_bytes(data[:2], "big") == covered:
                found.add(data)
                ttls.add(ttl)
        elif kind == RRSIG and rrset.signatures:
            data = comparable_rdata(message, start, length, kind)
            if int.from_bytes(data[:2], "big") == rdtype:
                signatures.add(data)
                signature_ttls.add(ttl)
    return found, ttls, signatures, signature_ttls


def _compare(
    rrset: Rrset, records: Iterable[Record], message: bytes, compare_ttl: bool
) -> str | Rrset | None:
    found, ttls, signatures, signature_ttls = _matching(rrset, records, message)
    if rrset.partial:
        found &= rrset.rdatas
        signatures &= rrset.signatures
    words = _differences(rrset.type, rrset.rdatas, found, rrset.ttl, ttls, compare_ttl)
    if rrset.signatures and found:
        if not signatures and not words:
            # Not every server adds them to an answer; asked for, most show them.
            return signature_rrset(
                rrset.zone, rrset.owner, rrset.name, rrset.type, rrset.signatures,
                rrset.signature_ttl,
            )._replace(partial=rrset.partial)  # fmt: skip
        words += [
            f"RRSIG: {said}"
            for said in _differences(
                RRSIG, rrset.signatures, signatures, rrset.signature_ttl, signature_ttls,
                compare_ttl,
            )
        ]  # fmt: skip
    return "; ".join(words) or None


def _differences(
    rdtype: int,
    expected: frozenset[bytes],
    found: set[bytes],
    ttl: int,
    ttls: set[int],
    compare_ttl: bool,
) -> list[str]:
    words = []
    if found != expected:
        if missing := expected - found:
            words.append(f"missing {_shown(rdtype, missing)}")
        if surplus := found - expected:
            words.append(f"surplus {_shown(rdtype, surplus)}")
    if compare_ttl and ttls and ttls != {ttl}:
        others = ", ".join(map(str, sorted(ttls)))
        words.append(f"TTL {others}, not {ttl}")
    return words


def _shown(rdtype: int, datas: Collection[bytes]) -> str:
    texts = [_text(rdtype, data) for data in sorted(datas)[:_SHOWN_RECORDS]]
    if len(datas) > _SHOWN_RECORDS:
        texts.append(f"and {len(datas) - _SHOWN_RECORDS} more")
    return ", ".join(texts)


def _text(rdtype: int, data: bytes) -> str:
    try:
        text = rdata_text(IN, rdtype, data)
    except RecordError:  # the server may hold what no zone of ours does
        text = f"\\# {len(data)} {data.hex()}".rstrip()
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def type_text(rrset: Rrset) -> str:
    """Return the type of an RRset as it is shown: of signatures with what they cover."""
    if rrset.covered:
        return f"RRSIG {type_name(rrset.covered)}"
    return type_name(rrset.type)
