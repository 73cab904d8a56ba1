"""The substitution of NAPTR records (RFC 3402 section 3.2), as far as BIND looks at it."""

import re

from syncd.content.zone.rdata_coding import Wire
from syncd.content.zone.rdata_fields import Field, quoted_text, string

_ERE_ATOM = re.compile(r"\\.|\[\^?\]?[^\]]*\]", re.DOTALL)
# An open bracket, a repetition of nothing or of a repetition, an empty alternative.
_ERE_FAULT = re.compile(r"\[|(?:\A|[(|])[*+?{|]|[*+?}][*+?{]|\|(?:\)|\Z)")


def _is_substitution(text: str) -> bool:
    """Whether a NAPTR regexp is well formed (RFC 3402 section 3.2), as far as BIND looks."""
    if not text:
        return True
    delimiter = text[0]
    if delimiter in "0123456789\\i\0":
        return False
    parts = [""]
    for match in re.finditer(r"\\?.|\\\Z", text[1:], re.DOTALL):
        if match[0] == delimiter:
            parts.append("")
        else:
            parts[-1] += match[0]
    if len(parts) != 3 or not parts[0] or parts[2].strip("i"):
        return False
    # A bracket expression may hold parentheses that do not group.
    bare = _ERE_ATOM.sub("x", parts[0])
    if _ERE_FAULT.search(bare):
        return False
    depth = 0
    for character in bare:
        # A closing parenthesis that nothing opened stands for itself.
        depth = depth + 1 if character == "(" else max(0, depth - (character == ")"))
    groups = bare.count("(")
    references = re.findall(r"\\(.)", parts[0] + parts[1], re.DOTALL)
    return depth == 0 and all(not r.isdigit() or 1 <= int(r) <= groups for r in references)


def substitution(label: str) -> Field:
    shown = string(label)

    def show(wire: Wire) -> str:
        octets = wire.string(label)
        if not _is_substitution(octets.decode("latin-1")):
            wire.fail(label, f"{quoted_text(octets)} is not a substitution expression")
        return quoted_text(octets)

    return Field(shown.read, show)
