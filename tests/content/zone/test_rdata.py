"""Canonical rdata against BIND itself: every type, as named-compilezone prints it.

One zone holds all records of the table; what BIND splits by blanks is joined, then the texts must
be equal token for token. The refused records are put to BIND one by one.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import pytest
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncd.content.zone.lexer import RecordError, lex_record
from syncd.content.zone.rdata import canonical_rdata, rdata_size
from syncd.content.zone.rdata_coding import RdataError
from syncd.content.zone.record_types import (
    NOT_IN_ZONES,
    TYPE_NAMES,
    class_code,
    type_name,
    type_number,
)

ORIGIN = "Example."
LABEL_63 = "l" * 63
# With the origin this is a name of 255 octets.
LONGEST_NAME = f"{LABEL_63}.{LABEL_63}.{LABEL_63}.{'l' * 53}"
KEY = "AwEAAcUlFV1vhmqx6NSOUOq2R/dsR7Xm3upJj7IommWSpJABVfW8Q0rOvXdM6kzt+TAu92L9AbsUdblMFin8CVF3n4s="
SHA1 = "2bb183af5f22588179a53b0a98631fad1a292118"
SHA256 = "d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a"
SHA384 = SHA256 + SHA256[:32]
HASH = "2t7b4g4vsa5smi47k61mv5bv1a22bojr"
TIMES = "20300101000000 20200101000000"

NAMES = [
    "a", "Ns.Foo.", ".", "@", "@a", "a.@", "( a )", "(\n a ; comment\n )", "a;comment",
    r"a\.b\@c\$d\(x\"y\;z\032w\\v", r"\000\127\255", "é", r"'`{}[]!#%&*+,/:<=>?^_|~-",
    LABEL_63, LONGEST_NAME, r"\# 1 00", r"\# 5 03 46 6f6f 00",
]  # fmt: skip
STRINGS = [
    "foo", '"b;ar" a@b', r'"q\"q" \065\;x', '"tab\tx"', r'"\200" ""', r'a\ b "a\\b"',
    "$x (c)", '"é" a\\(b', '"x" ( "y" ; comment\n "z" )', 'a"b"c', '"a"b', r"\a\b", r"\000\127",
    '"' + "x" * 255 + '"', " ".join(['"' + "y" * 255 + '"'] * 5), r"\# 3 026162", '"a\\\nb"',
]  # fmt: skip
PREFERENCES = ["10 a", "010 Mail.Foo.", "0 .", "65535 @", r"\# 7 000a 03666f6f 00"]
TWO_NAMES = ["a b", "A. B.", ". @", r"\# 2 0000"]
DIGESTS = [
    f"60485 5 1 {SHA1}", f"60485 RSASHA1 SHA-1 {SHA1[:7]} {SHA1[7:]}", f"1 8 2 {SHA256}",
    f"65535 255 4 {SHA384}", "1 8 GOST 00", "1 ED25519 255 abcd", f"1 8 sha256 {SHA256}",
    rf"\# 24 0001 08 01 {SHA1}",
]  # fmt: skip
KEYS = [f"257 3 ECDSAP256SHA256 {KEY[:20]} {KEY[20:]}", "zone|ksk dnssec 8 AA==",
        "0x100 ALL 08 AQAB", "10a 3 8 AA==", "256 3 253 aGVs", r"\# 6 01000308 aabb"]  # fmt: skip
TLSA = ["3 1 1 abcd EF", f"0 0 0 {SHA384 * 4}", "255 255 255 00", r"\# 4 03010100"]
SIGNATURES = [
    f"A 8 2 300 {TIMES} 12345 Example. {KEY}", f"type1234 RSASHA256 0 0 {TIMES} 0 . AA==",
    f"TYPE0 255 255 4294967295 20300101235960 19700101000000 65535 foo {KEY[:8]} {KEY[8:]}",
    r"\# 20 0001 08 02 00000000 80000000 f0000000 0001 00 00",
]  # fmt: skip
NSEC3 = ["1 0 0 -", "SHA-1 1 65535 aabbccdd", f"1 255 12 {'ab' * 255}"]
SERVICES = [
    "0 Foo", "0 .", "0 . alpn=h2", '1 "."', "65535 a port=080",
    "1 . alpn=h2,h3 port=8443 mandatory=port,alpn ipv4hint=1.2.3.4,5.6.7.8 "
    "ipv6hint=2001:DB8::1 ech=aGVsbG8= key667=hello no-default-alpn",
    r'1 foo alpn="f\\\\oo\\,bar,h2" key667="hello\210qoo" key9999', r'1 foo key3="\000\080"',
    '1 . alpn="h2"port=1', '1 . port="80"', "1 . key3=80", "1 . PORT=80", "1 . ipv6hint=::1,::2",
    "1 . ech= key65535=ab", "1 . ech", 'ech="aGVs"'.join(("1 . ", "")),
    "1 . mandatory=ALPN,key3 alpn=h2 port=1", "1 . mandatory=key667,port port=1 key667=a",
    r'1 . key1="\002h2"', r'1 . key0="\000\001" alpn=h2', "1 . key2= alpn=h2", "1 . key2 alpn=h2",
    r'1 . key4="\001\002\003\004"', '1 . key5="abc"', r'1 . alpn="a\"b,c\\\"d,\200\001 x"',
    r"1 . alpn=a\\\\b", r"1 . alpn=a\\b", r"1 . alpn=a\,b", r"1 . alpn=a\\044b",
    "1 . dohpath=/x{?dns}", '1 . key7="/dns-query{?dns}" alpn=h2', "1 . key9=a=b",
    '1 . key9="a;(b"', "1 . key9=a;b", r'1 . key667="a b\"c\\d\,e"', r"1 . key667=a\"b\\c\032d",
    "1 . ( port=1\n alpn=h2 )", r"\# 9 0001 00 0003 0002 0050",
    *(f'1 . dohpath="{template}"' for template in (
        "/{dns}", "/q{+dns}", "/{#dns}", "/{.dns}", "/{/dns}", "/{;dns}", "/x{&dns}", "/{?a}{dns}",
        "/{dns:3}", "/{dns*}", "/{x,dns}", "/dns-query?{dns}", "/%41{?dns}", "/{?a*,%42,dns:9999}",
        "/{?a:3,b,dns}", "/{?dns}{x_1}?y",
    )),
]  # fmt: skip

ACCEPTED: Mapping[str, list[str]] = {
    "A": ["192.0.2.1", "0.0.0.0", "255.255.255.255", "( 192.0.2.1 ) ; x", r"\# 4 0A 00 0001"],
    "TYPE1": ["192.0.2.1", r"\# 4 0A000001"],
    "AAAA": [
        "::", "::1", "::ffff:1.2.3.4", "::1.2.3.4", "1:0:2:0:3:0:4:0", "2001:DB8:0:0:1::",
        "::1:2", "1:2:3:4:5:6:7::", "1::0:0:0:0:0:2", "1:0:0:2:0:0:0:3", "::ffff:0:1.2.3.4",
        r"\# 16 20010db8000000000000000000000001",
    ],
    **dict.fromkeys(("NS", "PTR", "MB", "MG", "MR", "NSAP-PTR", "CNAME", "DNAME"), NAMES),
    **dict.fromkeys(("MINFO", "RP", "TALINK"), TWO_NAMES),
    "TXT": [
        *STRINGS, r"\#", r"\# foo", r'"\#" 1 00', r'\# "1" 00', r"\# 4294967296 00",
        r"\# 00000000000000000001 00",
    ],
    **dict.fromkeys(("SPF", "AVC", "NINFO", "RESINFO", "WALLET"), STRINGS),
    **dict.fromkeys(("MX", "AFSDB", "RT", "KX", "LP"), PREFERENCES),
    "PX": ["10 a B.", "0 . @"],
    "NULL": [r"\# 0", r"\# 2 abcd"], "UINFO": [r"\# 1 01"], "UID": [r"\# 1 01"],
    "GID": [r"\# 1 01"], "UNSPEC": [r"\# 1 01"],
    "WKS": [
        "10.0.0.1 6 25", "10.0.0.1 tcp smtp 80 25 21", "10.0.0.1 17", "10.0.0.1 UDP domain 65535",
        r"\# 5 0a00000106",
    ],
    "HINFO": ['a "b c"', '"" ""', r"PC\"x Linux", r"\# 2 0000"],
    "X25": ["311061700956", '"1234"'], "ISDN": ["150862028003217 004", "1", '"" ""', r"\# 1 00"],
    "GPOS": ["-32.6882 116.8652 10.0", '"" a "é"'],
    "NSAP": ["0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00", "0X12", "0x1.2", "0x12."],
    "LOC": [
        "42 21 54 N 71 06 18 W -24m 30m", "42 N 71 W 0", "42 21 54 S 71 06 18 E -0.5",
        "42 21 54.123 N 71 6 18.1 W 1.25m 1.5 90000000.99 0.01", "90 N 180 E 42849672.95m",
        "42 21 N 71 06 W -100000.00m", "42 21 1. N 71 06 W 1.", "42 21 .5 N 71 06 W .5",
        "42 21 1 N 71 06 W 1.5m 0.1 0.12 0.99", "42 021 001 N 071 00006 W +05m 0 9.99 19m",
        "0 0 0 S 0 0 0 W -0m", "59 59 59.999 S 179 59 59.999 W -1.05m",
        r"\# 16 00000000 80000000 80000000 00989680", r"\# 16 00123013 80000000 80000000 ffffffff",
        r"\# 16 01121613 80000000 80000000 ffffffff",
    ],
    "NXT": ["a A MX NXT", "a", "a 1 2 TYPE127", r"\# 2 00 40"],
    "EID": ["ab CD", "e32c6f78163a9348"], "NIMLOC": ["32251a030067", "00"],
    "SRV": ["0 5 5060 sip", "65535 65535 65535 ."],
    "ATMA": ["39.246f.123456", "+1234.5678", r"\# 2 0131", r"\# 2 02ff", "AB"],
    "NAPTR": [
        '100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .', '100 10 u E2U+sip "" a',
        '0 0 "" "" "" B.', r'1 1 "u" "s" "!(a)!\\1!" .', '1 1 u s "!a!!i" .',
        r'1 1 "" "" "/^(.*)$/sip:\\1@x/" .', r'1 1 "" "" "!^\\+44(.*)$!tel:+44\\1!" .',
        r'1 1 "" "" "!(a|b)[(]\\)!b\\!!" .', '1 1 "" "é" "!^[^]x]*$!foo!" .',
    ],
    "CERT": [
        "PKIX 1 RSASHA256 aGVs bG8=", f"65535 65535 0 {KEY}", "URI 1 253 AA==", "9 0 99 AA==",
        "oid 1 rsamd5 AA==", *(f"{number} 1 {number} AA==" for number in range(17)),
    ],
    "A6": ["0 ::1", "128 foo", "48 0::1:2:3:4:5 foo", "5 ffff::1 Foo.", "127 ::1 foo",
           r"\# 10 40 ff00000000000001 00"],
    "SINK": ["1 1 1", "64 0 255 aGVs bG8="],
    "APL": [
        "1:192.168.32.0/21 !1:192.168.38.0/28 2:FF00:0:0:0:0:0:0:0/8", "", "1:0.0.0.0/0 !2:::/0",
        "1:192.168.32.1/8 2:::ffff:1.2.3.4/128", r"\# 4 03080100", r"\# 6 000108020102",
    ],
    "DS": DIGESTS, "DLV": DIGESTS, "TA": DIGESTS, "CDS": [*DIGESTS, "0 0 0 00"],
    "DNSKEY": KEYS, "CDNSKEY": [*KEYS, "0 3 0 AA=="], "RKEY": [f"0 3 8 {KEY}", "user 0 0 AA=="],
    "KEY": [*KEYS, "49152 3 8", "NOKEY|FLAG2 tls RSASHA1", f"ntyp3|SIG15 255 1 {KEY}",
            "NOCONF|HOST|FLAG8 email 1 AQAB", r"\# 4 c0000308"],
    "KEYDATA": [f"20200101000000 {TIMES} 256 3 8 AA==", r"\# 4 00000000"],
    "SSHFP": [f"1 1 {SHA1}", f"4 2 {SHA256[:40]} {SHA256[40:]}", "1 3 00", "1 0"],
    "IPSECKEY": [
        f"10 1 2 192.0.2.38 {KEY}", "10 0 2 . AQNR", "10 2 2 2001:DB8::1 AQ NR",
        "255 3 255 MyGw AQNR", r"\# 9 0a0102 c0000201 aabb",
    ],
    "RRSIG": [*SIGNATURES, f"1 8 2 300 1893456000 0 12345 . {KEY}",
              "A 8 2 300 4294967295 22000101000000 1 . AA=="],
    "SIG": [*SIGNATURES, f"A 8 0 1 {TIMES} 1 a.b.c AA=="],
    "NSEC": ["a A NS TYPE1234 mx RRSIG", "a TYPE0", "a ANY OPT TYPE65535 TYPE128 a a",
             "a TYPE00255 TYPE256", r"\# 4 00 0101 40",
        "a " + " ".join(f"TYPE{number}" for number in range(300))],
    "NSEC3": [f"{parameters} {HASH}{types}" for parameters in NSEC3
              for types in ("", " A RRSIG TYPE65280")],
    "NSEC3PARAM": [*NSEC3, r"\# 5 01 00 0000 00"],
    "CSYNC": ["66 3 A NS AAAA", "4294967295 65535", r"\# 6 000000000000"],
    "DHCID": ["AAIBY2/AuCccgoJbsaxcQc9TUapptP69l OjxfNuVAA2kjEA="],
    "TLSA": TLSA, "SMIMEA": TLSA,
    "HIP": [f"2 200100107b1a74df365639cc39f1d578 {KEY} rvs Rvs2.", "2 20 AwE=", "0 20 AwEA ."],
    "OPENPGPKEY": [f"{KEY[:10]} {KEY[10:]}", "AA=="], "HHIT": ["aGVsbG8="], "BRID": [KEY],
    "ZONEMD": [f"1 1 1 {SHA384}", f"4294967295 255 2 {SHA256 * 2}", "1 1 250 " + "aB" * 12],
    "SVCB": SERVICES, "HTTPS": SERVICES,
    "DSYNC": ["CDS NOTIFY 53 foo", "59 1 53 Foo.", "TYPE999 255 65535 .", "ANY notify 0 @"],
    "NID": ["10 0014:4FFF:ff20:ee64", "0 14:f:f:e", "65535 0:0:0:0:"],
    "L64": ["10 2001:0DB8:1140:1000"], "L32": ["10 10.1.2.0"],
    "EUI48": ["00-00-5E-00-53-2A", "0-0-5e-0-53-2a"], "EUI64": ["00-00-5e-ef-10-00-00-2A"],
    "URI": ['10 1 "ftp://ftp1.example.com/public"', '0 65535 ""', r'1 1 "a\"b\\c\200 é"',
            '1 1 "' + "u" * 3000 + '"', r"\# 4 00010001"],
    "CAA": [r'0 issue "letsencrypt.org; x=\"y"', "128 ISSUE abc", '255 iodef "mailto:a@b"',
            '0 issue ""', r"0 issue a\;b\200", '0 x1 "' + "v" * 3000 + '"', r"\# 3 000161"],
    "DOA": ['1 2 3 "text/plain" aGVsbG8=', '4294967295 0 255 "" -', r'0 0 0 "a\"b" aG Vs',
            r"\# 10 00000000 00000000 00 00"],
    "AMTRELAY": ["10 0 0 .", "10 0 1 203.0.113.15", "10 1 2 2001:DB8::15", "128 1 3 AmtRelays",
                 r"\# 3 0a84ab", r"\# 2 0a00"],
    "TYPE65280": [r"\# 0", r"\# 3 abcdef", r"\# 2 a bc d", r"\# 60 " + "0a" * 60, "\\# 1 (\n ab )"],
    "TYPE32769": [rf"\# 24 0001 08 01 {SHA1}"],
}  # fmt: skip
CASES = [(mnemonic, text) for mnemonic, texts in ACCEPTED.items() for text in texts]

# Where the trailing fields are one blob, which BIND cuts into pieces of 56 characters.
BLOB_FIELD = {
    "DNSKEY": 3, "CDNSKEY": 3, "KEY": 3, "RKEY": 3, "RRSIG": 8, "SIG": 8, "DS": 3, "CDS": 3,
    "DLV": 3, "TA": 3, "SSHFP": 2, "TLSA": 3, "SMIMEA": 3, "ZONEMD": 3, "CERT": 3, "DHCID": 0,
    "OPENPGPKEY": 0, "HHIT": 0, "BRID": 0, "EID": 0, "NIMLOC": 0, "IPSECKEY": 4, "SINK": 3,
    "DOA": 4,
}  # fmt: skip

SOA_ACCEPTED = {
    "a b 1 2 3 4 5": "a.Example. b.Example. 1 2 3 4 5",
    "Ns. Host\\.master 4294967295 1h30m 1D 1w2d3h4m5s 0": (
        "Ns. Host\\.master.Example. 4294967295 5400 86400 788645 0"
    ),
    "@ . ( 0 ; serial\n 4294967295 0\n 0 1s1h )": "Example. . 0 4294967295 0 0 3601",
    "\\# 22 00 00 00000001 00000001 00000001 00000001 00000001": ". . 1 1 1 1 1",
}

REFUSED = [
    *((mnemonic, "a") for mnemonic in ("MD", "MF")),
    *((mnemonic, r"\# 0") for mnemonic in ("OPT", "TSIG", "IXFR", "TYPE0", "TYPE200", "TYPE255")),
    ("A", "10.0.0.300"), ("A", "192.000.002.001"), ("A", "1.2.3"), ("A", '"1.2.3.4"'), ("A", ""),
    ("A", "1.2.3.4 x"), ("A", r"\# 5 0A00000101"), ("A", r"\# 4 0A0000"), ("A", r"\# x 00"),
    ("AAAA", "fe80::1%eth0"), ("AAAA", "1::2::3"), ("AAAA", "1.2.3.4"),
    ("NS", "a b"), ("NS", '"a"'), ("NS", ".a"), ("NS", "a..b"), ("NS", "a\\"), ("NS", r"\25"),
    ("NS", r"\256"), ("NS", r"\1a2"), ("NS", r"\[x"), ("NS", "a)"), ("NS", "(a"), ("NS", "a\0b"),
    ("NS", LABEL_63 + "l"), ("NS", LONGEST_NAME + "l"), ("NS", f"{LONGEST_NAME}.Example.x."),
    ("NS", r"\# 2 c000"), ("NS", r"\# foo"), ("NS", r"\#"),
    ("MX", "a"), ("MX", "65536 a"), ("MX", "-1 a"), ("MX", "1"), ("MX", "1.0 a"), ("MX", "0x1 a"),
    ("TXT", ""), ("TXT", '"a'), ("TXT", "a\\"), ("TXT", r'"\25"'), ("TXT", r"\256"),
    ("TXT", "x" * 256), ("TXT", '"a\nb"'), ("TXT", r"\# 0"), ("TXT", r"\# 1 ab"),
    ("SPF", r"\# foo"),
    ("HINFO", "a"), ("HINFO", "a b c"), ("X25", "123"), ("X25", "abcd"), ("ISDN", "a b c"),
    ("GPOS", "1 2"), ("NSAP", "4700"), ("NSAP", "0x"), ("NSAP", "0x1"), ("NULL", "abc"),
    ("LOC", "91 N 180 E 0"), ("LOC", "90 0 0.001 N 180 E 0"), ("LOC", "42 60 N 71 W 1"),
    ("LOC", "42 21 54.1239 N 71 W 1"), ("LOC", "42 n 71 w 1"), ("LOC", "1 N 1 E 1.555"),
    ("LOC", "1 N 1 E -100000.01"), ("LOC", "1 N 1 E 42849672.96"), ("LOC", "1 N 1 E 1 90000001"),
    ("LOC", "1 N 1 E 5M"), ("LOC", "1 N 1 E 1 1 1 1 1"), ("LOC", "1 N 1 E"),
    ("LOC", "1 N 1 E 1 -1"),
    ("WKS", "10.0.0.1 256"), ("WKS", "10.0.0.1 6 65536"), ("WKS", "10.0.0.1 6 nosuch"),
    ("NXT", "a TYPE128"), ("NXT", "a TYPE0"), ("EID", "ABC"), ("EID", '"ab"'), ("EID", ""),
    ("ATMA", "12."), ("ATMA", "1..2"), ("ATMA", "+12a"), ("ATMA", "123"), ("ATMA", "+"),
    ("NAPTR", '1 1 "" "" "!a!b" .'), ("NAPTR", '1 1 "" "" "!a!b!x" .'),
    ("NAPTR", '1 1 "" "" "" "a"'),
    ("NAPTR", r'1 1 "" "" "!(a)!\\2!" .'), ("NAPTR", '1 1 "" "" "1a1b1" .'),
    ("NAPTR", '1 1 "" "" "!a**!b!" .'), ("NAPTR", '1 1 "" "" "!(!b!" .'),
    ("CERT", "FOO 1 8 AA=="), ("CERT", "1 1 8"), ("A6", "129 ::"), ("A6", "0 ::1 foo"),
    ("APL", "1:1.2.3.4/33"), ("APL", "3:1.2.3.4/8"), ("APL", "1:1.2.3.4"), ("APL", "1:1.2.3/8"),
    ("APL", r"\# 6 00010802 0a00"), ("DS", "1 8 1 abcd"), ("DS", f"1 8 1 {SHA1}00"),
    ("DS", "1 8 99 000"), ("DS", "1 8 99"), ("DS", "1 FOO 99 00"), ("CDS", "0 0 1 00"),
    ("DNSKEY", "256 3 8"), ("DNSKEY", "65536 3 8 AA=="), ("DNSKEY", "256 3 256 AA=="),
    ("DNSKEY", "256 3 8 aGVsbG9="), ("DNSKEY", "256 3 8 aGVsbG8"), ("DNSKEY", "256 3 8 aGV=sbG8"),
    ("DNSKEY", "256 3 8 aGVs===="), ("DNSKEY", '256 3 8 "aGVs"'), ("DNSKEY", "256 3 8 aGVs-_=="),
    ("DNSKEY", "ZONE|SEP 3 8 AA=="), ("KEY", "NOKEY 3 8 AA=="), ("RKEY", "256 3 8 AA=="),
    ("SSHFP", "1 1 dd465d1c"), ("SSHFP", "4 2 00"), ("TLSA", "3 1 1"), ("OPENPGPKEY", ""),
    ("IPSECKEY", "10 4 2 . AQNR"), ("IPSECKEY", "10 0 2 a AQNR"), ("IPSECKEY", "10 3 0 gw"),
    ("RRSIG", f"A 8 2 1h {TIMES} 1 . AA=="), ("RRSIG", f"A 8 2 1 {TIMES} 1 ."),
    ("RRSIG", "A 8 2 1 20301301000000 0 1 . AA=="), ("RRSIG", "A 8 2 1 20300230000000 0 1 . AA=="),
    ("RRSIG", "A 8 2 1 4294967296 0 1 . AA=="), ("RRSIG", "A 8 2 1 2030010100000 0 1 . AA=="),
    ("RRSIG", f"A 8 2 1 {TIMES} 1 a.b.c. AA=="), ("RRSIG", f"A 8 0 1 {TIMES} 1 @ AA=="),
    ("RRSIG", r"\# 24 0001 08 00 00000000 80000000 f0000000 0001 03 666f6f 00 00"),
    ("DS", "1 8 4 00"), ("A", "1.2.3.4\\\0"), ("WKS", "1.2.3.4 6 smtp\\\0"),
    ("WKS", "1.2.3.4 tcp\\\0"), ("SIG", "A 8 2 1 1893456000 0 1 . AA=="), ("NSEC", "a"),
    ("NSEC", "a TYPE65536"),
    ("NSEC", "a 1 2"), ("NSEC", "a FOO"), ("NSEC", r"\# 7 00 010140 000140"),
    ("NSEC3", f"1 0 0 a {HASH}"), ("NSEC3", "1 0 0 - 28"), ("NSEC3", f"1 0 0 - {HASH[:-1]}"),
    ("NSEC3", f"1 0 65536 - {HASH}"), ("NSEC3PARAM", "1 0 0"), ("DHCID", ""),
    ("HIP", "2 200 AwEA"), ("HIP", r"\# 4 00020000"), ("ZONEMD", "1 1 1 abcd"),
    ("ZONEMD", "1 1 3 " + "00" * 11), ("SVCB", "1"), ("SVCB", "1 . alpn"), ("SVCB", "1 . alpn=h2,"),
    ("SVCB", "1 . no-default-alpn"), ("SVCB", "1 . port=65536"), ("SVCB", "1 . port=1 port=2"),
    ("SVCB", "1 . key03=ab"), ("SVCB", "1 . KEY9=ab"), ("SVCB", "1 . ohttp"),
    *(("HTTPS", f'1 . dohpath="{template}"') for template in (
        "q{?dns}", "/x", "/{?dns:0}", "/{?dns:01}", "/{?dns:10000}", "/{?dns:}", "/{?dns**}",
        "/{?dns*:1}", "/{?dns,}", "/{?,dns}", "/{?a-b,dns}", "/{?}{?dns}", "/{?dns}{", "/{{?dns}",
        "/%4{?dns}", "/%zz{?dns}", "/{?a:3,dns}", "/{?x.y,dns}", "/{=x}{?dns}", "/{?dnsx}",
        "/{?xdns}",
    )),
    ("SVCB", "1 . key7=x"), ("SVCB", '1 key9="a"'), ("DNSKEY", "1000A 3 8 AA=="),
    ("SVCB", "1 . ipv4hint=1.2.3.4,"), ("SVCB", "1 . mandatory=alpn"), ("SVCB", '1 . "alpn=h2"'),
    ("SVCB", "1 . mandatory=alpn,alpn alpn=h2"), ("SVCB", "1 . mandatory=mandatory alpn=h2"),
    ("SVCB", '1 . key9=a"b"'), ("SVCB", '1 . key9="a"b'), ("SVCB", '1 . key9="a'),
    ("SVCB", "1 . =a"),
    ("SVCB", r"\# 15 0001 00 0004 0002 0050 0003 0002 0050"), ("HTTPS", "1 . alpn=,h2"),
    ("DSYNC", "CDS FOO 53 a"), ("DSYNC", "CDS 256 53 a"), ("NID", "10 0014::ff20:ee64"),
    ("NID", "10 00014:0:ff20:ee64"), ("L32", "10 10.1.2"), ("EUI48", "00:00:5E:00:53:2A"),
    ("EUI48", "00-00-5E-00-53"), ("URI", "10 1 abc"), ("URI", '1 1 "a" "b"'),
    ("CAA", "256 issue x"), ("CAA", "0 is_sue x"), ("CAA", '0 "issue" x'), ("CAA", "0 issue a b"),
    ("DOA", '0 0 0 ""'), ("DOA", '0 0 0 "" - a'), ("AMTRELAY", "10 2 0 ."),
    ("AMTRELAY", "10 0 4 ."),
    ("AMTRELAY", "10 0 0 a"), ("TYPE65280", "abc"), ("TYPE65280", r"\# 2 a"),
    ("TYPE65280", r"\# 2 abcdef"), ("TYPE65280", r"\# 65536 ab"), ("TYPE65280", r'"\#" 1 ab'),
    ("TYPE65280", r'\# 1 "ab"'), ("CH", "a 1"), ("A", "1.2.3.4\n5.6.7.8"),
]  # fmt: skip


def compile_zone(
    directory: Path, records: str, zone_class: str = "IN", soa: str = "a b 1 2 3 4 5"
) -> list[list[str]] | None:
    """The fields of BIND's own text of a zone, a list for each record; None if it is refused."""
    zone_file, result = directory / "zone", directory / "compiled"
    text = f"@ 1 SOA {soa}\n@ 1 NS ns.test.\n{records}"
    zone_file.write_bytes(text.encode("utf-8", "surrogateescape"))
    result.unlink(missing_ok=True)
    command = ["named-compilezone", "-c", zone_class, "-s", "full", "-o", result.name, "-i", "none"]
    for check in "knrmMSW":
        command += ["-" + check, "ignore"]
    done = subprocess.run(
        [*command, "Example", zone_file.name], cwd=directory, capture_output=True, check=False
    )
    if done.returncode:
        return None
    lines = result.read_text().splitlines()
    return [line.split(None, 4) for line in lines if not line.startswith(";")]


def tokens_of(text: str) -> tuple[str, ...]:
    """The fields of rdata as they come from a file, one character an octet."""
    octets = text.encode("utf-8", "surrogateescape").decode("latin-1") + "\n"
    record = lex_record(octets, 0, final=True)
    if record.end < len(octets):
        raise RecordError("text after the end of the record")
    return record.fields


def canonical(mnemonic: str, text: str, rdclass: int = RdataClass.IN) -> str:
    return canonical_rdata(rdclass, type_number(mnemonic), tokens_of(text), ORIGIN)


def joined(mnemonic: str, rdata: str) -> str:
    """BIND's rdata with single blanks between fields and none within blobs."""
    start = 2 if rdata.startswith("\\#") else BLOB_FIELD.get(mnemonic)
    if start is None:
        # A6 without an address leaves an empty field behind.
        return rdata.replace("128  ", "128 ") if mnemonic == "A6" else rdata
    tokens = rdata.split(" ")
    return " ".join([*tokens[:start], *(["".join(tokens[start:])] if tokens[start:] else [])])


@pytest.fixture(scope="module")
def printed_by_bind(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[str, str]]:
    """For each owner rN the type and rdata that BIND prints for case N."""
    lines = [f"r{at} 1 IN {mnemonic} {text}\n" for at, (mnemonic, text) in enumerate(CASES)]
    records = compile_zone(tmp_path_factory.mktemp("bind"), "".join(lines))
    assert records is not None, "BIND refuses a record that this table says it accepts"
    return {
        fields[0].partition(".")[0]: (fields[3], fields[4] if len(fields) > 4 else "")
        for fields in records
    }


@pytest.mark.parametrize("at", range(len(CASES)), ids=lambda at: f"{CASES[at][0]}-{at}")
def test_rdata_is_what_bind_prints(at: int, printed_by_bind: Mapping[str, tuple[str, str]]) -> None:
    mnemonic, text = CASES[at]
    bind_type, bind_rdata = printed_by_bind[f"r{at}"]
    assert type_name(type_number(mnemonic)) == bind_type
    assert canonical(mnemonic, text) == joined(bind_type, bind_rdata)


@pytest.mark.parametrize(("mnemonic", "text"), CASES)
def test_canonical_rdata_stays_as_it_is(mnemonic: str, text: str) -> None:
    once = canonical(mnemonic, text)
    assert canonical(mnemonic, once) == once
    assert "\n" not in once
    assert once.isascii()


# Canonical rdata, by how it begins, that dnspython refuses or (ISDN) reads with a loss.
DNSPYTHON_DIFFERS = {
    **dict.fromkeys(("DS", "CDS", "DLV"), ("1 8 3 00",)),
    **dict.fromkeys(("TLSA", "SMIMEA"), ("3 1 1 ",)),
    **dict.fromkeys(("SVCB", "HTTPS"), (
        '0 . alpn="h2"', '1 . mandatory=alpn,port alpn="h2,h3"', "1 . ech",
    )),
    "ISDN": ('"" ""',), "GPOS": ('"" "a"',), "LOC": ("\\#",), "AMTRELAY": ("\\#",),
    "CERT": ("IPGP 1 NSEC3DSA", "ACPKIX 1 NSEC3RSASHA1"), "SSHFP": ("1 0",), "URI": (
        '0 65535 ""', '1 1 ""'), "NID": ("",), "L64": ("",), "NSEC": ("a.Example. TYPE0",),
    "RRSIG": ("A 8 2 0 2038", "A 8 2 300 1969"), "SIG": ("A 8 2 0 2038", "1234 ", "0 "),
}  # fmt: skip


def through_dnspython(mnemonic: str, rdata: str) -> str | None:
    """Canonical rdata read by dnspython and handed back in wire format; None if it cannot."""
    try:
        read = dns.rdata.from_text(
            RdataClass.IN,
            RdataType(type_number(mnemonic)),
            rdata,
            dns.name.from_text(ORIGIN),
            relativize=False,
        )
    except dns.exception.DNSException:
        return None
    return canonical(mnemonic, read.to_generic().to_text())


def known_to_dnspython(mnemonic: str) -> bool:
    look_up: Any = dns.rdata.get_rdata_class  # it says nothing of its types
    found = look_up(RdataClass.IN, RdataType(type_number(mnemonic)))
    return found is not dns.rdata.GenericRdata


KNOWN_TO_DNSPYTHON = [case for case in CASES if known_to_dnspython(case[0])]


@pytest.mark.parametrize(("mnemonic", "text"), KNOWN_TO_DNSPYTHON)
def test_dnspython_reads_the_same_wire_format(mnemonic: str, text: str) -> None:
    once = canonical(mnemonic, text)
    differs = once.startswith(DNSPYTHON_DIFFERS.get(mnemonic, ()))
    assert (through_dnspython(mnemonic, once) != once) == differs


def test_every_type_of_bind_is_in_the_table() -> None:
    tested = {type_number(mnemonic) for mnemonic in ACCEPTED}
    assert set(TYPE_NAMES) - NOT_IN_ZONES - tested == {RdataType.SOA}


@pytest.mark.parametrize("text", SOA_ACCEPTED)
def test_soa_is_what_bind_prints(text: str, tmp_path: Path) -> None:
    records = compile_zone(tmp_path, "", soa=text)
    assert records is not None
    assert canonical("SOA", text) == SOA_ACCEPTED[text] == records[0][4]
    assert canonical("SOA", SOA_ACCEPTED[text]) == SOA_ACCEPTED[text]


@pytest.mark.parametrize(
    "text",
    ["a b 4294967296 2 3 4 5", "a b -1 2 3 4 5", "a b 1h 2 3 4 5", "a b 1 4294967296 3 4 5",
     "a b 1 7102w 3 4 5", "a b 1 1h1 3 4 5", "a b 1 2 3 4", "a b 1 2 3 4 5 6", "a b 0x1 2 3 4 5"],
)  # fmt: skip
def test_bad_soa_is_refused_as_by_bind(text: str, tmp_path: Path) -> None:
    assert compile_zone(tmp_path, "", soa=text) is None
    with pytest.raises(RdataError, match="SOA"):
        canonical("SOA", text)


@pytest.mark.parametrize(
    ("zone_class", "mnemonic", "text"),
    [("CH", "A", "foo 0123"), ("CH", "A", r"\# 3 00 0001"), ("CH", "AAAA", r"\# 1 00"),
     ("CH", "TXT", "version"), ("CH", "SRV", r"\# 0"), ("HS", "A", "1.2.3.4"),
     ("HS", "LP", "1 a"), ("CLASS9", "NAPTR", '1 1 a a "" .'), ("CLASS9", "A", r"\# 1 00")],
)  # fmt: skip
def test_other_classes_have_their_own_types(
    zone_class: str, mnemonic: str, text: str, tmp_path: Path
) -> None:
    records = compile_zone(tmp_path, f"r 1 {mnemonic} {text}\n", zone_class)
    assert records is not None
    rdclass = class_code(zone_class)
    assert rdclass is not None
    assert canonical(mnemonic, text, rdclass) == records[-1][4]


@pytest.mark.parametrize(("mnemonic", "text"), [("AAAA", "::1"), ("SRV", "1 1 1 ."), ("A", "x 8")])
def test_other_classes_refuse_what_is_only_for_the_internet(mnemonic: str, text: str) -> None:
    with pytest.raises(RdataError):
        canonical(mnemonic, text, RdataClass.CH)


@pytest.mark.parametrize(("mnemonic", "text"), REFUSED)
def test_what_bind_refuses_is_refused(mnemonic: str, text: str, tmp_path: Path) -> None:
    assert compile_zone(tmp_path, f"r 1 IN {mnemonic} {text}\n") is None
    with pytest.raises(RecordError) as caught:
        canonical(mnemonic, text)
    assert str(caught.value)


@pytest.mark.parametrize(
    ("mnemonic", "text", "message"),
    [
        ("A", "10.0.0.300", 'A address: "10.0.0.300" is not an IPv4 address'),
        ("MX", "65536 a", "MX preference: 65536 is out of range, the maximum is 65535"),
        ("MX", "1 a..b", 'MX name: "a..b" has an empty label'),
        ("MX", "1 a b", 'MX: "b" is one field too many'),
        ("SRV", "1 2", "SRV port: is missing"),
        ("TXT", '"a', 'a quoted string is not closed on its line: "a'),
        ("RRSIG", "FOO 8 2 300", 'RRSIG type covered: "FOO" is not a record type'),
        ("SVCB", "1 . mandatory", "SVCB mandatory: names no key"),
        ("SVCB", "1 . mandatory=mandatory", "SVCB mandatory: names itself"),
        ("SVCB", "1 . mandatory=alpn,port port=1", "SVCB mandatory: alpn is missing"),
        ("DS", "1 8 1 XX", 'DS digest: "XX" is not hexadecimal digits, two an octet'),
    ],
)
def test_an_error_says_which_field_and_why(mnemonic: str, text: str, message: str) -> None:
    with pytest.raises(RecordError) as caught:
        canonical(mnemonic, text)
    assert str(caught.value) == message


def test_rdata_longer_than_a_record_can_be_is_refused() -> None:
    string = '"' + "x" * 255 + '" '
    assert canonical("TXT", string * 255)
    with pytest.raises(RdataError, match="65510"):
        canonical("TXT", string * 256)


@pytest.mark.parametrize(("size", "accepted"), [(65510, True), (65511, False)])
def test_the_limit_is_that_of_bind(size: int, accepted: bool, tmp_path: Path) -> None:
    text = f"\\# {size} {'00' * size}"
    assert (compile_zone(tmp_path, f"r 1 IN TYPE65400 {text}\n") is not None) == accepted
    if accepted:
        assert rdata_size(RdataClass.IN, 65400, tokens_of(text)) == size
    else:
        with pytest.raises(RdataError):
            canonical("TYPE65400", text)


def test_bytes_that_are_not_utf8_survive() -> None:
    assert canonical("TXT", b"\xff".decode("utf-8", "surrogateescape")) == r'"\255"'
    with pytest.raises(RdataError):
        canonical_rdata(RdataClass.IN, RdataType.TXT, ["\u0100"], ORIGIN)


def test_an_unclosed_quote_is_refused_at_once() -> None:
    with pytest.raises(RecordError, match="not closed"):
        canonical("TXT", '"' + "x" * 100_000)
    with pytest.raises(RecordError, match="not closed"):
        canonical("SVCB", '1 . alpn="' + "x" * 100_000)


def test_origins_are_not_confused() -> None:
    for origin in ("one.", "Two.", "two.", "one."):
        assert canonical_rdata(RdataClass.IN, RdataType.NS, ["a"], origin) == f"a.{origin}"


@pytest.mark.parametrize("origin", ["a", "", "@", "a.b"])
def test_a_relative_origin_is_refused(origin: str) -> None:
    with pytest.raises(RdataError):
        canonical_rdata(RdataClass.IN, RdataType.NS, ["a"], origin)


SPICE = st.sampled_from([
    "\\#", "\\# 4", '"', "(", ")", ";", "\n", "\\", "\\256", " ", "\t", "\0", "@", ".", "..", "-",
    "0", "1", "3 8", "255", "65535", "4294967296", "9" * 5000, "ab", "AA==", "A", "TYPE1",
    "1.2.3.4", "::1", "alpn=", "mandatory=", "key1=", "ipv4hint=", "!a!b!", "N", "E", "é", "²",
    "\udcff", "+",
    "20300101000000", "00000101000000", "0x", "0x1", "1:1.2.3.4/8", "a" * 64, "00-00",
])  # fmt: skip
ALL_TYPES = [*TYPE_NAMES, 0, 128, 65280, 65533, 65535]
CLASSES = st.sampled_from([1, 3, 4, 9])


@pytest.mark.parametrize("rdtype", ALL_TYPES, ids=type_name)
@given(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.lists(SPICE).map(" ".join),
        st.lists(SPICE).map("".join),
        st.binary(max_size=60).map(lambda data: f"\\# {len(data)} {data.hex()}"),
    ),
    CLASSES,
)
@example("\\# 65535 " + "00" * 65535, 1)
@settings(deadline=None)
def test_any_text_gives_a_result_or_a_record_error(rdtype: int, text: str, rdclass: int) -> None:
    try:
        once = canonical_rdata(rdclass, rdtype, tokens_of(text), ORIGIN)
    except RecordError:
        return
    assert canonical_rdata(rdclass, rdtype, tokens_of(once), ORIGIN) == once


@given(st.integers(0, 65535))
def test_types_are_read_as_they_are_printed(code: int) -> None:
    assert type_number(type_name(code)) == code
    assert type_number(type_name(code).lower()) == code
    assert type_number(f"TYPE{code}") == code


@given(st.text())
def test_any_text_is_a_type_or_a_record_error(text: str) -> None:
    class_code(text)
    try:
        code = type_number(text)
    except RecordError:
        return
    assert 0 <= code <= 65535


@pytest.mark.parametrize("text", ["", "TYPE", "TYPE65536", "TYPE-1", "TYPEx", "FOO", "TYPE²", "IN"])
def test_other_words_are_not_types(text: str) -> None:
    with pytest.raises(RecordError):
        type_number(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [("IN", 1), ("in", 1), ("CHAOS", 3), ("ch", 3), ("HS", 4), ("Hesiod", 4), ("NONE", 254),
     ("ANY", 255), ("CLASS1", 1), ("class65535", 65535), ("CLASS65536", None), ("3600", None),
     ("A", None), ("", None)],
)  # fmt: skip
def test_classes(text: str, code: int | None) -> None:
    assert class_code(text) == code
