"""The parameters of SVCB and HTTPS (RFC 9460)."""

import re
import socket
from itertools import pairwise

from syncd.content.zone.rdata_coding import Reader, Wire
from syncd.content.zone.rdata_fields import STRING_ESCAPES, base64_text, quoted_text

# Service parameters, RFC 9460 section 14.3.2. BIND 9.18 has no name for those after ipv6hint, but
# it reads "dohpath", and checks it.
_MANDATORY, _ALPN, _NO_DEFAULT_ALPN, _PORT, _IPV4HINT, _ECH, _IPV6HINT, _DOHPATH = range(8)
_PARAMETERS = ("mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint")
_PARAMETER_CODES = {text: code for code, text in enumerate(_PARAMETERS)}
_KEY_NUMBER = re.compile("key(0|[1-9][0-9]{0,9})")
_LIST_ESCAPES = STRING_ESCAPES | {
    ord(" "): "\\032", ord("\\"): "\\\\\\\\", ord(","): "\\\\,",
}  # fmt: skip

# A URI template (RFC 6570) as BIND takes it: no dots in names, and a variable right behind one with
# a prefix length is not seen.
_OCTET = "%[0-9A-Fa-f]{2}"
_MODIFIER = r"(?:\*|:[1-9][0-9]{0,3})?"
_VARIABLE = f"(?:[A-Za-z0-9_]|{_OCTET})++{_MODIFIER}"
_EXPRESSION = r"\{[+#./;?&]?"
_DOH_TEMPLATE = re.compile(
    rf"/(?:[^{{%]|{_OCTET}|{_EXPRESSION}{_VARIABLE}(?:,{_VARIABLE})*+\}})*+", re.DOTALL
)
_DOH_VARIABLE = re.compile(
    rf"{_EXPRESSION}(?:{_VARIABLE},)*?"
    rf"{''.join(f'(?<!:[0-9]{{{digits}}},)' for digits in range(1, 5))}dns{_MODIFIER}[,}}]"
)


def _parameter_code(reader: Reader, text: str) -> int:
    match = _KEY_NUMBER.fullmatch(text)
    if match is None or int(match[1]) > 65535:
        reader.fail("parameter", f'"{text}" is not known')
    return int(match[1])


def _parameter_value(reader: Reader, code: int, value: str) -> bytes:
    what = _PARAMETERS[code]
    if code == _PORT:
        return reader.number(what, 65535, value).to_bytes(2, "big")
    if code == _ECH:
        return reader.base64(what, value)
    if code in (_IPV4HINT, _IPV6HINT):
        family = socket.AF_INET if code == _IPV4HINT else socket.AF_INET6
        return b"".join([reader.address(what, family, item) for item in value.split(",")])
    if code == _MANDATORY:
        if not value:
            reader.fail(what, "names no key")
        codes = [
            _PARAMETER_CODES[item.lower()] if item.lower() in _PARAMETER_CODES
            else _parameter_code(reader, item)
            for item in value.split(",")
        ]  # fmt: skip
        return b"".join([item.to_bytes(2, "big") for item in sorted(codes)])
    if code == _ALPN:
        items = _split_list(reader, value)
        return b"".join([bytes((len(item),)) + item for item in items])
    return reader.unescape(what, value)


def _split_list(reader: Reader, value: str) -> list[bytes]:
    items = [b""]
    octets = reader.unescape("alpn", value)
    for match in re.finditer(rb"(,)|\\(.)|([^\\])|\\\Z", octets, re.DOTALL):
        if match[1]:
            items.append(b"")
        elif match[0] == b"\\":
            reader.fail("alpn", f'"{value}" ends in an escape')
        else:
            items[-1] += match[2] or match[3]
    if not all(0 < len(item) < 256 for item in items):
        reader.fail("alpn", f'"{value}" has an item of no octets or more than 255')
    return items


def read_parameters(reader: Reader) -> None:
    found: dict[int, bytes] = {}
    while reader.more:
        token = reader.plain("parameter")
        key, _, value = token.partition("=")
        if value[:1] == '"':
            value = value[1:-1]
        code = _PARAMETER_CODES.get(key, _DOHPATH if key == "dohpath" else None)
        if code is None:
            lower = key.lower()
            # By its name in another case a key is known, but its value is read as that of keyN.
            code = _PARAMETER_CODES.get(lower, _DOHPATH if lower == "dohpath" else None)
            code = _parameter_code(reader, key) if code is None else code
            octets = reader.unescape(key, value)
        elif code == _DOHPATH:
            octets = reader.unescape(key, value)
        else:
            octets = _parameter_value(reader, code, value)
        if code in found:
            reader.fail("parameter", f"{key} is given twice")
        found[code] = octets
    for code, octets in sorted(found.items()):
        reader.wire += code.to_bytes(2, "big") + len(octets).to_bytes(2, "big") + octets


def _show_alpn(wire: Wire, octets: bytes) -> str:
    shown, at = [], 0
    while at < len(octets):
        end = at + 1 + octets[at]
        if end > len(octets) or end == at + 1:
            wire.fail("alpn", "a malformed list")
        shown.append(octets[at + 1 : end].decode("latin-1").translate(_LIST_ESCAPES))
        at = end
    return f'alpn="{",".join(shown)}"'


def _show_parameter(wire: Wire, code: int, octets: bytes) -> str:
    if code > _IPV6HINT:
        if code == _DOHPATH and not _is_doh_path(octets):
            wire.fail("key7", f"{quoted_text(octets)} is not a path template with the variable dns")
        return f"key{code}" + (f"={quoted_text(octets)}" if octets else "")
    what = _PARAMETERS[code]
    unit = {_MANDATORY: 2, _PORT: 2, _IPV4HINT: 4, _IPV6HINT: 16}.get(code, 1)
    wrong_length = len(octets) % unit or (not octets and code != _ECH)
    if code == _NO_DEFAULT_ALPN:
        wrong_length = bool(octets)
    if wrong_length or (code == _PORT and len(octets) != 2):
        wire.fail(what, f"{len(octets)} octets do not make a value")
    if code == _ALPN:
        return _show_alpn(wire, octets)
    items = [octets[at : at + unit] for at in range(0, len(octets), unit)]
    if code == _MANDATORY:
        value = ",".join(_show_mandatory(wire, items))
    elif code == _PORT:
        value = str(int.from_bytes(octets, "big"))
    elif code == _ECH:
        value = base64_text(octets)
    else:
        family = socket.AF_INET if code == _IPV4HINT else socket.AF_INET6
        value = ",".join(socket.inet_ntop(family, item) for item in items)
    return f"{what}={value}" if value else what


def _show_mandatory(wire: Wire, items: list[bytes]) -> list[str]:
    if any(one >= other for one, other in pairwise(items)):
        wire.fail("mandatory", "its keys are not in order, or one is there twice")
    codes = [int.from_bytes(item, "big") for item in items]
    return [_parameter_name(code) for code in codes]


def _parameter_name(code: int) -> str:
    return _PARAMETERS[code] if code <= _IPV6HINT else f"key{code}"


def _is_doh_path(octets: bytes) -> bool:
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return False
    return _DOH_TEMPLATE.fullmatch(text) is not None and _DOH_VARIABLE.search(text) is not None


def show_parameters(wire: Wire) -> str:
    shown: dict[int, str] = {}
    mandatory: list[int] = []
    while wire.left:
        code = wire.number("parameter", 2)
        octets = wire.take("parameter", wire.number("parameter", 2))
        if shown and code <= max(shown):
            wire.fail("parameter", "the keys are not in order")
        shown[code] = _show_parameter(wire, code, octets)
        if code == _MANDATORY:
            mandatory = [
                int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)
            ]
    if _MANDATORY in mandatory:
        wire.fail("mandatory", "names itself")
    for code in mandatory:
        if code not in shown:
            wire.fail("mandatory", f"{_parameter_name(code)} is missing")
    if _NO_DEFAULT_ALPN in shown and _ALPN not in shown:
        wire.fail("no-default-alpn", "is only allowed beside alpn")
    return " ".join(shown.values())
