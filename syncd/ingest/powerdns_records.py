"""A record of PowerDNS's database as a line of a master file whose origin is the root.

Names stand there without their final dot and are absolute, the priority of MX and SRV has a column
of its own, and text may lack quotes or be longer than a string can be: PowerDNS's "Supported Record
Types". Nothing that the content holds can become another record, or a comment.
"""

import re

from syncd.errors import InvalidContent

DEFAULT_TTL = 3600
"""PowerDNS's default-ttl: what a record without a TTL gets."""
_OWN_TYPES = frozenset({"ALIAS", "LUA", "URL", "CURL", "MBOXFW", "ADDR"})
"""What only PowerDNS knows how to answer."""
_ENDS_IN_NAME = frozenset({"NS", "CNAME", "PTR", "MX", "SRV", "DNAME", "AFSDB", "KX", "RT"})
_TEXTS = frozenset({"TXT", "SPF"})
_FIELDS_WITH_PRIORITY = {"MX": 2, "SRV": 4}
_SOA_FIELDS = 7
_MAX_STRING = 255

_TYPE = re.compile(r"[A-Z][A-Z0-9-]*")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_*-][A-Za-z0-9_*/.-]*")
_UNSAFE = re.compile(r"(\\(?:[0-9]{3}|[!-/:-~]))|([^A-Za-z0-9_*/.-])", re.DOTALL)
_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_STRINGS = re.compile(r'\s*(?:"(?:[^"\\]|\\.)*"\s*)+', re.DOTALL)
_OCTET = re.compile(r"\\[0-9]{3}|\\.|[^\\]", re.DOTALL)
_BARE_QUOTE = re.compile(r'(\\.)|"', re.DOTALL)
_SPECIAL = re.compile(r'[;()"]')
_STEERING = re.compile(r'(?<!\\)[;()"]')


def owner_text(name: str) -> str:
    """Return a name of the database as a master file has it: absolute, and escaped."""
    if name in ("", "."):
        return "."
    if _PLAIN_NAME.fullmatch(name) is None:
        name = _UNSAFE.sub(lambda found: found[1] or f"\\{ord(found[2]):03d}", name)
    return name if name.endswith(".") and not name.endswith("\\.") else name + "."


def record_line(name: str, kind: str, content: str, ttl: int | None, priority: int | None) -> str:
    """Return a record's line; every character is one octet.

    Raises InvalidContent for types that only PowerDNS has, and content that is not one record.
    """
    owner = owner_text(name)
    kind = kind.upper()
    for number in (ttl, priority):  # SQLite keeps any text where it should be
        if number is not None and not (isinstance(number, int) and number >= 0):
            raise InvalidContent(f"{owner} {kind}: {number!r:.40} is no TTL, or no priority")
    try:
        rdata = _rdata(kind, content, priority)
    except InvalidContent as error:
        raise InvalidContent(f"{owner} {kind}: {error.reason}") from None
    return f"{owner} {DEFAULT_TTL if ttl is None else ttl} IN {kind} {rdata}"


def _rdata(kind: str, content: str, priority: int | None) -> str:
    if kind in _OWN_TYPES:
        raise InvalidContent(
            "only PowerDNS answers this type; put records in its place, or leave its zone out with "
            "--keep-going"
        )
    if kind in _TEXTS:
        return _strings(content)
    if _TYPE.fullmatch(kind) is None:
        raise InvalidContent("is not a record type")
    if _CONTROL.search(content) is not None:
        raise InvalidContent(f"a control character in {content!r:.80}")
    if _SPECIAL.search(content) is not None and _STEERING.search(_STRING.sub("", content)):
        raise InvalidContent(f'one of ;()" outside of quotes in {content!r:.80}')
    if kind == "SOA":
        return _start_of_authority(content)
    if kind in _FIELDS_WITH_PRIORITY:
        content = _with_priority(kind, content, priority)
    if kind == "NAPTR" and content.rstrip().endswith('"'):
        return f"{content} ."
    if kind in _ENDS_IN_NAME and content and content[-1] not in ".\\ ":
        return content + "."
    return content


def _with_priority(kind: str, content: str, priority: int | None) -> str:
    """Put the priority before the content, unless somebody wrote it there already."""
    fields = content.split()
    if len(fields) == _FIELDS_WITH_PRIORITY[kind] and fields[0].isdigit():
        return content
    return f"{priority or 0} {content}"


def _start_of_authority(content: str) -> str:
    fields = content.split()
    if len(fields) != _SOA_FIELDS:
        raise InvalidContent(
            f"{len(fields)} fields and not {_SOA_FIELDS}; PowerDNS fills in what its configuration "
            "says, here they have to be written out"
        )
    local, at, domain = fields[1].partition("@")
    if at:
        local = re.sub(r"(?<!\\)\.", r"\\.", local)
        fields[1] = f"{local}.{domain}"
    for index in (0, 1):
        fields[index] = fields[index] if fields[index].endswith(".") else fields[index] + "."
    return " ".join(fields)


def _strings(content: str) -> str:
    """Return a text's strings, each in quotes and at most 255 octets long."""
    if content.lstrip().startswith('"'):
        if _STRINGS.fullmatch(content) is None:
            raise InvalidContent(f"quotes that do not match in {content!r:.80}")
        texts = _STRING.findall(content)
    else:
        texts = [_BARE_QUOTE.sub(lambda found: found[1] or '\\"', content)]
    pieces: list[str] = []
    for text in texts:
        shown = _CONTROL.sub(lambda found: f"\\{ord(found[0]):03d}", text)
        if len(shown) <= _MAX_STRING:
            pieces.append(shown)
            continue
        octets = _OCTET.findall(shown)
        pieces += [
            "".join(octets[at : at + _MAX_STRING]) for at in range(0, len(octets), _MAX_STRING)
        ]
    return " ".join(f'"{piece}"' for piece in pieces)
