"""IPSECKEY, AMTRELAY and HIP: what stands between two hosts, named or by address."""

import socket

from syncd.content.zone.rdata_addresses import FAMILIES
from syncd.content.zone.rdata_coding import Reader, Wire
from syncd.content.zone.rdata_fields import Opaque, base64_text


def _read_gateway(reader: Reader, kind: int) -> None:
    if kind == 0:
        if (token := reader.plain("gateway")) != ".":
            reader.fail("gateway", f'"{token}" where the type is 0 must be "."')
    elif kind == 3:
        reader.wire += reader.name("gateway")
    else:
        reader.wire += reader.address("gateway", FAMILIES[kind][0])


def _show_gateway(wire: Wire, kind: int) -> str:
    if kind == 0:
        return "."
    if kind == 3:
        return wire.name("gateway")
    family, size = FAMILIES[kind]
    return socket.inet_ntop(family, wire.take("gateway", size))


def read_ipsec_gateway(reader: Reader) -> None:
    kind = reader.number("gateway type", 3)
    reader.wire += bytes((kind, reader.number("algorithm", 255)))
    _read_gateway(reader, kind)


def show_ipsec_gateway(wire: Wire) -> str:
    kind, number = wire.number("gateway type", 1), wire.number("algorithm", 1)
    if kind > 3:
        wire.fail("gateway type", f"{kind} is out of range")
    return f"{kind} {number} {_show_gateway(wire, kind)}"


def read_relay(reader: Reader) -> None:
    optional, kind = reader.number("discovery", 1), reader.number("relay type", 127)
    if kind > 3:
        reader.fail("relay type", f"{kind} is not known")
    reader.wire.append(optional << 7 | kind)
    _read_gateway(reader, kind)


def show_relay(wire: Wire) -> str:
    octet = wire.number("relay type", 1)
    if octet & 0x7F > 3:
        raise Opaque
    return f"{octet >> 7} {octet & 0x7F} {_show_gateway(wire, octet & 0x7F)}"


def read_host_identity(reader: Reader) -> None:
    number = reader.number("algorithm", 255)
    tag = reader.hex("tag", reader.plain("tag"))
    key = reader.base64("key", reader.plain("key"))
    if len(tag) > 255:
        reader.fail("tag", f"{len(tag)} octets, the limit is 255")
    reader.wire += bytes((len(tag), number)) + len(key).to_bytes(2, "big") + tag + key
    while reader.more:
        reader.wire += reader.name("server")


def show_host_identity(wire: Wire) -> str:
    tag_length, number = wire.number("tag", 1), wire.number("algorithm", 1)
    key_length = wire.number("key", 2)
    if not tag_length or not key_length:
        wire.fail("tag or key", "is missing")
    tag, key = wire.take("tag", tag_length), wire.take("key", key_length)
    shown = [str(number), tag.hex().upper(), base64_text(key)]
    while wire.left:
        shown.append(wire.name("server"))
    return " ".join(shown)
