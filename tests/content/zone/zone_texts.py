"""Master files as people and programs write them, for property tests: the zone `example.`.

The same few names and values come again and again, so that RRsets with several records, duplicates
and differing TTLs are the rule. But no records of a type differ in the case of a name only: which
of two such neighbours stays is not specified in BIND.
"""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_TIMES = "20300101000000 20200131235959"
_SHA1 = "2bb183af5f22588179a53b0a98631fad1a292118"
_SHA256 = "d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a"
_HASH = "2t7b4g4vsa5smi47k61mv5bv1a22bojr"

FAST_RDATA: dict[str, list[str]] = {
    "A": ["192.0.2.1", "192.0.2.2", "10.0.0.255"],
    "AAAA": ["2001:db8::1", "2001:DB8:0:0::2", "::1.2.3.4", "::ffff:1.2.3.4", "::1:2"],
    "NS": ["ns.other.", "NS2.Other.", "1.2.", "10.ns.other."],
    "PTR": ["host", "Host.other.", "@", "."],
    "MX": ["10 mail", "10 Mail.other.", "0 .", "020 mail"],
    "TXT": ['"a b"', '"A b"', '"x" "y;z"', '""', "plain", r'"q\"q"', '"("', r'"\065"'],
    "SRV": ["0 5 5060 sip", "1 1 1 .", "00 5 5060 sip"],
    "DS": [f"1 8 1 {_SHA1}", f"60485 8 2 {_SHA256}", f"1 8 2 {_SHA256[:32]} {_SHA256[32:]}"],
    "DNSKEY": ["256 3 8 AwEAAQ==", "257 3 13 AAECAwQFBgc=", "256 3 8 AwEA AQ=="],
    "RRSIG": [
        f"A 8 2 300 {_TIMES} 12345 example. AA==",
        f"TXT 8 2 300 {_TIMES} 12345 Example. AA==",
        "A 8 2 300 20300229000000 20200101000000 1 example. AA==",
        f"A 8 0 300 {_TIMES} 12345 . AA==",
        f"A 8 2 300 {_TIMES} 12345 @ AAAA",
        f"A 8 2 300 {_TIMES} 12345 @ aaaa",
        f"NSEC 8 1 300 {_TIMES} 1 a.example. AA==",
        "A 8 2 300 20991231235959 20200101000000 1 example. AA==",
        f"TYPE65400 8 2 300 {_TIMES} 1 example. AA==",
    ],
    "NSEC": ["b A NS", "B.example. NS A RRSIG", "b TYPE65400 A", "b HTTPS A CAA"],
    "NSEC3": [f"1 0 0 - {_HASH} A RRSIG", f"1 1 12 aabb {_HASH}", f"1 0 0 - {_HASH.upper()} A"],
}
OTHER_RDATA: dict[str, list[str]] = {
    "CAA": ['0 issue "ca.example"', "0 issue ca", '0 ISSUE "ca"'],
    "HTTPS": ['1 . alpn="h2,h3"', "0 a.", '1 . alpn=h2 port=443 key9="x;y"'],
    "NAPTR": ['1 1 "u" "s" "" a.', '1 1 "U" "s" "" a.', '1 1 "u" "s" "" B.'],
    "TYPE65400": [r"\# 0", r"\# 2 abcd", r"\# 2 AB CD"],
    "HINFO": ["a b", '"A" "b"'],
    "LOC": ["42 21 54 N 71 06 18 W -24m 30m"],
    "SPF": ['"v=spf1 -all"'],
    "SSHFP": [f"1 1 {_SHA1}"],
    "TLSA": ["3 1 1 abcd EF"],
    "APL": ["1:192.168.32.0/21", ""],
    "KEY": ["256 3 8 AwEAAQ=="],
    "SIG": [f"A 8 2 300 {_TIMES} 1 example. AA==", f"TXT 8 2 300 {_TIMES} 1 Example. AA=="],
}

LABELS = ["a", "b", "c", "A", "*", "x-1", "a_b", "1", "3600", "IN", "NS", "CH", "TYPE1"]
OWNERS = [
    *LABELS, "@", "", "", "", "", "a.b", "A.b", "a.example.", "A.Example.", "b.a.EXAMPLE.",
    "example.",    r"a\.b", r"a\097", r"\000", r"\001", r"\@", "a.sub", "*.b", "other.", "x.other.",
]  # fmt: skip
ALIAS_OWNERS = ["alias", "Alias", "alias.example.", "*.alias"]
TTLS = ["", "", "", "", "300", "10", "20", "0", "1h", "1H1m", "2147483647", "2147483648", "0300"]


@st.composite
def record_lines(draw: st.DrawFn, *, fast_only: bool = False) -> str:
    """One record, in one or several lines."""
    table = FAST_RDATA if fast_only or draw(st.integers(0, 3)) else OTHER_RDATA
    type_text = draw(st.sampled_from(sorted(table)))
    rdata = draw(st.sampled_from(table[type_text]))
    owner = draw(st.sampled_from(OWNERS))
    if draw(st.integers(0, 15)) == 0:
        owner, type_text, rdata = draw(st.sampled_from(ALIAS_OWNERS)), "CNAME", "target"
    if type_text in ("NS", "NSEC3") and "*" in owner and draw(st.integers(0, 30)):
        owner = "w"
    if type_text in ("DS", "NSEC3") and owner.lower() in ("@", "", "example."):
        owner = "d"  # no DS belongs at the apex, and an NSEC3 there is lost in BIND
    class_text = draw(st.sampled_from(["", "", "IN", "in", "CLASS1"]))
    spelled = draw(st.sampled_from([type_text, type_text, type_text, type_text.lower()]))
    middle = [draw(st.sampled_from(TTLS)), class_text]
    if draw(st.booleans()):
        middle.reverse()
    blank = draw(st.sampled_from([" ", " ", "\t", "  ", " \t "]))
    fields = [field for field in (*middle, spelled, rdata) if field]
    line = blank.join([owner, *fields])
    return line + draw(_endings(type_text))


@st.composite
def _endings(draw: st.DrawFn, type_text: str) -> str:
    choice = draw(st.integers(0, 11))
    if choice == 0:
        return ' ; comment ( "\n'
    if choice == 1 and type_text not in ("APL",):
        return " (\n )\n"
    return {2: "\r\n", 3: " \t\n", 4: "\r"}.get(choice, "\n")


DIRECTIVES = [
    "\n", "; comment\n", "   ; comment\n", " \t\n", "$ORIGIN example.\n", "$ORIGIN sub\n",
    "$ORIGIN .\n", "$ORIGIN sub.example.\n", "$TTL 300\n", "$ttl 2h ; comment\n",
    "$GENERATE 1-3 g$ A 192.0.2.$\n",
    "$GENERATE 0-4/2 g${0,2} 20 IN CNAME x$\n", '$GENERATE 1-2 a 30 TXT "x $"\n',
    "$DATE 20200101000000\n", "( a A 192.0.2.9 )\n", "(\n a\n A (\n 192.0.2.7 ) ; x\n)\n",
]  # fmt: skip

SOA_LINES = [
    "@ 3600 IN SOA ns.other. Hostmaster 1 7200 3600 1w 300\n",
    "@ IN SOA ns.other. hostmaster ( 2018020901 2h 1H 604800 ; expire\n 300 )\n",
    "example. 60 SOA ns.other. hostmaster.example. 4294967295 1 2 3 4\n",
]


@st.composite
def zone_texts(draw: st.DrawFn, *, fast_only: bool = False, start_with_ttl: bool = False) -> str:
    """A zone that is mostly taken; its records are in no order."""
    parts = [draw(st.sampled_from(SOA_LINES)), "@ NS ns.other.\n"]
    if start_with_ttl or draw(st.booleans()):
        parts.insert(0, "$TTL 300\n")
    record: SearchStrategy[str] = record_lines(fast_only=fast_only)
    if fast_only:
        parts += draw(st.lists(record, max_size=25))
    else:
        directive = st.sampled_from(DIRECTIVES)
        parts += draw(st.lists(st.one_of(record, record, record, directive), max_size=25))
    return "".join(parts)


@st.composite
def mutated(draw: st.DrawFn, texts: SearchStrategy[str]) -> bytes:
    """A zone in which some bytes or lines were lost, doubled, moved, or replaced."""
    octets = draw(texts).encode("latin-1")
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(octets)))
        length = draw(st.integers(0, 6))
        what = draw(st.integers(0, 3))
        if what == 0:
            octets = octets[:at] + octets[at + length :]
        elif what == 1:
            octets = octets[:at] + draw(st.sampled_from(SPICE)) + octets[at:]
        elif what == 2:
            octets = octets[:at] + draw(st.binary(max_size=3)) + octets[at + length :]
        else:
            lines = octets.split(b"\n")
            first, second = (
                draw(st.integers(0, len(lines) - 1)),
                draw(st.integers(0, len(lines) - 1)),
            )
            lines[first], lines[second] = lines[second], lines[first]
            octets = b"\n".join(lines)
    return octets


SPICE = [
    b'"', b"(", b")", b";", b"\\", b"\n", b"\r", b"\0", b"\x0c", b"\x0b", b" ", b"\t", b"$", b"@",
    b".", b"..", b"\\256", b"\\000", b"\\\n", b"\xef\xbb\xbf", b"\xc3\xa9", b"\xff", b"IN ", b"CH ",
    b"300 ", b"1h30 ", b"4294967296 ", b"\\# 0", b"$TTL", b"$INCLUDE x\n",
    b"$GENERATE 1-2 $ A 1.1.1.1\n",
    b"$ORIGIN a\n", b"SOA", b"CNAME", b"$FOO\n", b"\n ", b"()",
]  # fmt: skip
