"""What a master file may look like: each line of these tables is put to BIND as well.

BIND says what is taken and what is refused. That both refuse a file can have different reasons, so
what is to be refused stands beside what is nearly the same and taken.
"""

import re
import tracemalloc
from contextlib import AbstractContextManager
from io import BytesIO
from typing import IO

import pytest

from syncd.content.zone import generate
from syncd.content.zone.master_file import MasterFile
from syncd.errors import InvalidContent
from tests.content.zone.bind_judge import Reading, by_bind, by_us, our_lines, outcome

HEAD = b"$TTL 300\n@ SOA ns.other. hm 1 2 3 4 5\n@ NS ns.other.\n"
"""Four lines into which a body is put; what is refused in it is refused from line 4 on."""

FILES = {
    "f": b"inc A 2.2.2.2\n",
    "owner": b" A 3.3.3.3\n",
    "owner-ttl": b" 30 A 3.3.3.3\n",
    "nothing": b"",
    "no-end": b"inc A 2.2.2.2",
    "nested": b"in1 A 1.1.1.1\n$INCLUDE f deeper\n A 1.1.1.2\n",
    "origin": b"$ORIGIN below\nin A 1.1.1.1\n$TTL 77\n",
    "open": b"in A ( 1.1.1.1\n",
    "bad": b"\nin A 1.1.1.1.1\n",
    "directive": b"$FOO\n",
    'q"f': b"quoted A 2.2.2.3\n",
}

LEXING = [
    b"a TXT x\rb TXT y\n", b"a TXT x ; c\rb TXT y\nc TXT z\n", b"a TXT ( x\ry )\n",
    b'a TXT "x\ry"\n', b"a TXT x\r\n\rb TXT y\r", b"a TXT x\r\r\nb TXT y\n", b"a TXT x\r TXT y\n",
    b"a TXT x\\\rb TXT y\n", b"a TXT x\\\ny\n", b'a TXT "x\\\ny"\n', b'a TXT "x\\\r\ny"\n',
    b'a TXT "x\ny"\n', b'a TXT ( "x\n" )\n', b"a TXT x\x0cy\n", b"a\x0b TXT y\n", b"\x0ca TXT y\n",
    b"\x0c\na TXT x\n", b"a TXT x\0y\n", b'a TXT "x\0y"\n', b"; \0\na TXT x\n", b"a\\\0 TXT x\n",
    b"a TXT \\\0x\n", b'a TXT "\\\0"\n', b"a\0 TXT x\n", b"\0", b'"a\0" TXT x\n',
    b"a CNAME b\\\0c\n",
    b'a CAA 0 issue "\0"\n', b'a URI 1 1 "\\\0"\n', b"a TXT \xff\xfe\n", b"a\xff TXT x\n",
    b"a CNAME \xe9\n", b"\xc3\xa9 TXT \xc3\xa9\n", b"a TXT x", b'a TXT "x', b"a TXT (x",
    b"a TXT x)",
    b"a TXT x\\", b'a TXT "x\\', b"a TXT \x7f\x01\x1a\n", b"a TX\xd4 x\n", b" \r\na TXT x\n",
    b"\t\n \n  ; x\na TXT x\n", b"a TXT ( x ; foo ) \n y ) z\n", b'a TXT ( "x" ; foo\n\n\n"y" )\n',
    b"a TXT (x\n) b TXT y\n", b"a TXT a\\b\\c\n", b'a TXT "\\"\n', b'a TXT "a\\\\"\n',
    b'a TXT "a" "b"c d"e"\n', b"a TXT\n", b"a TXT ;\n", b"a TXT \\;\n", b"a A 1.1.1.1\\\n",
    b"(a) A 1.1.1.1\n", b"( a A 1.1.1.1 )\n", b"(\n a A 1.1.1.1\n)\n", b" ( a A 1.1.1.1 )\n",
    b"a(A)1.1.1.1\n", b"a A 1.1.1.1(\n", b"a A )1.1.1.1\n", b"a ( ( A ) 1.1.1.1 )\n", b"()\n",
    b"(\n)\n", b" (\n)\n", b"a A 1.1.1.1;x\n", b"a A 1.1.1.1 (\n\n\n)\n", b"a;x\n",
    b"a TXT " + b"x " * 32_000 + b"\n", b"a ( TXT" + b" \n" * 50_000 + b"x )\n",
]  # fmt: skip

OWNERS = [
    b'"a" A 1.1.1.1\n', b'"" A 1.1.1.1\n', b'"a b" A 1.1.1.1\n', b'"a\\"b" A 1.1.1.1\n',
    b'"a;b" A 1.1.1.1\n', b'"a\\.b" A 1.1.1.1\n', b'"a"b A 1.1.1.1\n', b'a"b" A 1.1.1.1\n',
    b'"a" "A" 1.1.1.1\n', b'a "300" A 1.1.1.1\n', b'a 300 "IN" A 1.1.1.1\n', b'a A "1.1.1.1"\n',
    b"a\n", b"a 300\n", b"a IN\n", b"a IN 300\n", b"a A\n", b" A\n", b"a\\ A 1.1.1.1\n",
    b"a\\ b A 1.1.1.1\n", b"a\\;b A 1.1.1.1\n", b"a\\(b A 1.1.1.1\n", b"a\\000b A 1.1.1.1\n",
    b"a\\256 A 1.1.1.1\n", b"a\\1 A 1.1.1.1\n", b"a\\[x A 1.1.1.1\n", b"\\[x A 1.1.1.1\n",
    b".. A 1.1.1.1\n", b". A 1.1.1.1\n", b"a. A 1.1.1.1\n", b"@ A 1.1.1.1\n", b"@a A 1.1.1.1\n",
    b"\\@ A 1.1.1.1\n", b"a..b A 1.1.1.1\n", b".a A 1.1.1.1\n", b"*a A 1.1.1.1\n",
    b"a$b A 1.1.1.1\n",
    b"\\$a A 1.1.1.1\n", b"3600 A 1.1.1.1\n", b"NS NS a.\n", b"IN IN A 1.1.1.1\n", b"A A 1.1.1.1\n",
    b"CH A 1.1.1.1\n", b"TYPE1 A 1.1.1.1\n", b"CLASS3 A 1.1.1.1\n", b"1h A 1.1.1.1\n",
    b"a A 1.1.1.1\n 3600 TXT x\n", b"a A 1.1.1.1\n NS a.x.\n", b"a A 1.1.1.1\n NS NS a.x.\n",
    b"_a A 1.1.1.1\n-b A 1.1.1.1\na.*.b A 1.1.1.1\n", b"* A 1.1.1.1\n*.b A 1.1.1.1\n",
    b"l" * 63 + b" A 1.1.1.1\n", b"l" * 64 + b" A 1.1.1.1\n",
    b".".join([b"l" * 61] * 4) + b" A 1.1.1.1\n", b".".join([b"l" * 62] * 4) + b" A 1.1.1.1\n",
    b"x.other. A 1.1.1.1\n A 2.2.2.2\na A 3.3.3.3\n", b"x.other. MD foo\n", b"x.other. FOO x\n",
    b"x.other. A 300.1.1.1\n", b"x.other. CH A 1.1.1.1\n", b"x.other. NS 10.0.0.1\n",
    b"*.other. NS a.\n", b"x.other. 20 A 1.1.1.1\nb A 1.1.1.1\n", b"x.Example. A 1.1.1.1\n",
]  # fmt: skip

TTLS_AND_CLASSES = [
    *(b"a %b A 1.1.1.1\n" % ttl for ttl in (
        b"0h30", b"1h30", b"30h0", b"0w0", b"0", b"00000000000000000000000000000300", b"1h" * 31,
        b"1h" * 32, b"4294967295", b"4294967296", b"2147483648", b"2147483647", b"7102w",
        b"4294967295w", b"1w1w", b"1H1m", b"1s1h", b"h", b"1hh", b"-1", b"+5", b"0x10", b"1.5",
        b"1y",
        b"IN 10", b"10 IN", b"IN IN", b"10 10", b"10 IN 10", b"IN 10 IN", b"any", b"none", b"CH",
        b"HS", b"reserved0", b"reserved0 IN", b"reserved0 CH", b"class1", b"CLASS1 300", b"class01",
        b"CLASS3", b"CLASS65536", b"\\I\\N", b"30\\\0", b"300 in 7",
    )),
    *(b"a %b\n" % record for record in (
        b"type1 1.1.1.1", b"TYPE01 1.1.1.1", b"TYPE65536 \\# 0", b"TYPE0 \\# 0", b"ANY \\# 0",
        b"TYPE255 \\# 0", b"TYPE65535 \\# 0", b"TYPE1 \\# 4 01010101", b"\\A 1.1.1.1", b"a 1.1.1.1",
        b"MD b", b"MF b", b"OPT \\# 0", b"FOO x", b"AXFR x", b"TYPE1\\\0 1.1.1.1",
    )),
    *(b"$TTL %b\na A 1.1.1.1\n" % ttl for ttl in (
        b"77", b"1h", b"1h1", b"0", b"3000000000", b"4294967296", b"77 x", b"", b'"77"', b"( 77 )",
        b"77 ; x", b"30\\\0", b"-1",
    )),
    b"$ttl 7\na A 1.1.1.1\n$TtL 8\nb A 1.1.1.1\n", b" $TTL 7\na A 1.1.1.1\n",
    b"( $TTL 77 )\na A 1.1.1.1\n", b'"$TTL" 77\na A 1.1.1.1\n',
    *(b"$DATE %b\na A 1.1.1.1\n" % date for date in (
        b"20200101000000", b"20200101", b"20201301000000", b"99990101000000", b"19000101000000",
        b"20200101000060", b"20200101000000 x", b'"20200101000000"', b"",
    )),
]  # fmt: skip

DIRECTIVES = [
    *(line + b"\na A 1.1.1.1\n" for line in (
        b"$ORIGIN sub", b"$ORIGIN\tsub", b"$origin sub.example.", b"$ORIGIN @", b"$ORIGIN .",
        b"$ORIGIN sub.", b'$ORIGIN "sub"', b"$ORIGIN", b"$ORIGIN ..", b"$ORIGIN a b",
        b'$ORIGIN "x"y',
        b"$ORIGIN a\\\0", b"$ORIGIN ( sub )", b"$ORIGIN sub\n$ORIGIN sub", b"$ORIGINx y",
        b"$INCLUDE f", b'$INCLUDE "f"', b"$include f sub", b"$INCLUDE f sub.example.",
        b'$INCLUDE "f"x', b'$INCLUDE "q\\"f"', b"$INCLUDE q\\\"f", b'$INCLUDE "\\f"',
        b'$INCLUDE f "sub"', b"$INCLUDE", b"$INCLUDE nofile", b"$INCLUDE f a b", b"$INCLUDE f a..b",
        b'$INCLUDE ""', b"$INCLUDE f ; x", b"$INCLUDE ( f )", b"$INCLUDE f (", b"$INCLUDE nothing",
        b"$INCLUDE no-end", b"$INCLUDE nested", b"$INCLUDE nested below", b"$INCLUDE origin",
        b"$INCLUDE origin b", b"$INCLUDE open", b"$INCLUDE bad", b"$INCLUDE directive",
        b"x A 1.1.1.1\n$INCLUDE owner\n A 4.4.4.4", b"x 10 A 1.1.1.1\n$INCLUDE owner-ttl",
        b"x 10 A 1.1.1.1\n$INCLUDE owner sub\n 20 A 4.4.4.4",
        b"x 10 A 1.1.1.1\n$INCLUDE nothing\n 20 A 4.4.4.4", b"x A 1.1.1.1\n$INCLUDE f\n A 4.4.4.4",
        b"$DATE 20200101000000\n$INCLUDE f",
        b"$FOO", b"$", b'"$"', b'"$FOO"', b"$GENERATEx", b"$TT\\L 30", b" $ORIGIN sub",
    )),
    b"a A 1.1.1.1\n$ORIGIN sub\n A 2.2.2.2\n", b"a A 1.1.1.1\n; c\n\n   \n A 2.2.2.2\n",
]  # fmt: skip

GENERATE = [
    b"$GENERATE " + line + b"\n" for line in (
        b"1-2 a${5}-$ A 1.1.1.$", b"1-3x a$ A 1.1.1.$", b"1-3/2x a$ A 1.1.1.$",
        b"+1-3 a$ A 1.1.1.$",
        b"1-1 a$ TXT ${-5,0,x}", b"1-1 a$ TXT ${-5,0,o}", b"1-1 a$ TXT ${-5,4,n}",
        b"1-1 a$ TXT ${+5}",
        b"1-1 a$ TXT ${5,-1}", b"1-1 a$ TXT ${5,127}", b"1-1 a$ TXT ${5,128}",
        b"1-1 a$ TXT ${0,127,n}",
        b"1-1 a$ TXT ${0,128,n}", b"1-1 a$ TXT ${0,7,n}", b"1-1 a$ TXT ${0,8,n}",
        b"9-11 a$ TXT ${0,0,N}",
        b'1-1 a$ TXT "( x $ )"', b'1-1 a$ TXT "x ; $"', b'1-1 a$ TXT "x $', b"1-1 a$ TXT x\\;$",
        b'1-1 a$ TXT "\\"a b\\" $"', b'1-1 a$ TXT "a\\\\$"', b"1-1 a$ TXT a\\\\$",
        b"1-1 a\\$$ A 1.1.1.$",
        b"1-1 a$$$ A 1.1.1.$", b"1-1 $ A 1.1.1.$", b"1-1 @ A 1.1.1.$", b"1-1 a$ IN 10 A 1.1.1.$",
        b"1-1 a$ 10 IN A 1.1.1.$", b"1-1 a$ 1h A 1.1.1.$", b"1-1 a$ CH A 1.1.1.$",
        b'1-1 a$ SOA "a b 1 2 3 4 5"', b"1-1 x.other. A 1.1.1.$", b'1-1 "a$" A 1.1.1.$',
        b'1-1 a$ "A" 1.1.1.$', b'1-1 a$ TXT ""', b"1-1 a$ TXT $ ; x", b"1-1 a$ TXT ${0,3,d",
        b"1-1 a$ TXT ${0", b"1-1 a$ TXT ${0}}", b"1-1 a$ TXT ${0,3,d}x", b"1-1 a$ TXT ${0,2,dx}",
        b"1-1 a$ TXT ${0,2,D}", b"1-1 a$ TXT ${}", b"1-1 a$ TXT ${,1}", b"1-1 a$ TXT ${1,2,}",
        b'1-1 a$ TXT "${ 1, 2}"', b"1-1 a$ TXT ${2147483647}",
        b"2147483647-2147483647 a$ A 1.1.1.1",
        b"1-2147483647/2147483647 a$ A 1.1.1.1", b"2147483646-2147483648 a$ A 1.1.1.1",
        b"1-1 a$ 4000000000 A 1.1.1.1", b"1-1 a$ 1h30 A 1.1.1.1", b"1-1 a$ A", b"1-1 a$", b"1-1",
        b"",
        b"1 a$ A 1.1.1.1", b"1- a$ A 1.1.1.1", b"3-1 a$ A 1.1.1.1", b"1-3/0 a$ A 1.1.1.1",
        b'1-1 a$ SVCB "1 . alpn=\\"h2\\""', b'1-1 a$ A "1.1.1.1 ; foo"', b'1-1 a$ A "1.1.1.1 2"',
        b"1-1 * NS x.", b"1-1 a..b A 1.1.1.1", b'1-1 a$ TYPE65400 "\\# 1 0$"', b"1-1 a$ AXFR x",
        b'1-1 a$ MX "10 h$"', b"1-1 a$ MX 10 h$", b"1-1 a$ TXT \\$\\{0\\}", b"1-1 a$ TXT a\\010b",
        b'1-1 a$ TXT "a\\"$"', b"01-03 a$ A 1.1.1.$", b"0x1-3 a$ A 1.1.1.1", b"1-2,2 a$ A 1.1.1.$",
        b"1-3/ a$ A 1.1.1.$", b"1-3/-1 a$ A 1.1.1.$", b'1-1 a$ TXT "a\\\nb"', b'1-1 a$ TXT "a\rb"',
        b'1-1 a$ TXT "a\tb"', b"1-2 a$ CNAME a$.other.", b"1-2 a CNAME a$",
        b"1-1 b 20 A 2.2.2.$\n TXT y", b"0-5/5 a A 1.1.1.$\n$GENERATE 0-5 a AAAA ::$",
    )
]  # fmt: skip
GENERATE += [b"x 10 A 1.1.1.1\n" + GENERATE[-1] + b" TXT x\n"]

SIGNED = b"8 2 300 20300101000000 20200101000000 1 example. AA=="
DS = b"1 8 2 d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a"
CONTENT = [
    b"sub SOA ns.other. hm 1 2 3 4 5\n", b"x.other. SOA a b 1 2 3 4 5\n",
    b"@ SOA NS.other. HM 2 2 3 4 5\n", b"@ SOA ns.other. hm 1 2 3 4 5\n",
    b"@ 10 SOA ns.other. hm 1 2 3 4 5\n",
    b"b TXT x\n@ 10 SOA ns.other. hm 1 2 3 4 5\n", b"a NS 10.0.0.1\n", b"a NS 10.0.0.1.\n",
    b"a NS ::1\n",
    b"a NS 1\n", b"a NS 1.2\n", b"a NS 0x10.1.1.1\n", b"a NS 010.1.1.1\n", b"* NS a.\n",
    b"*.x NS a.\n",
    b"x.* NS a.\n", b"\\042 NS a.\n", b"\\** NS a.\n", b"* DNAME x.\n", b"* DS " + DS + b"\n",
    b"@ DS " + DS + b"\n",
    b"a DS " + DS + b"\n", b"* NSEC3 1 0 0 - " + b"2t7b" * 8 + b" A\n",
    b"* RRSIG NS " + SIGNED + b"\n",
    b"@ NSEC3PARAM 2 0 0 -\n", b"@ NSEC3PARAM 2 0 0 -\n@ NSEC3PARAM 1 0 0 -\n",
    b"a NSEC3PARAM 2 0 0 -\n",
    b"@ NSEC3PARAM 1 1 500 -\n", b"@ CNAME x\n", b"@ DNAME x.\na A 1.1.1.1\n",
    b"a DNAME x.\nb.a A 1.1.1.1\n",
    b"a DNAME x\na DNAME y\n", b"a CNAME x\na CNAME y\n", b"a CNAME x\nb A 1.1.1.1\na CNAME y\n",
    b"a DNAME x\na CNAME y\n", b"sub NS ns.sub\nns.sub A 1.1.1.1\nsub NS ns2.sub\nx.sub TXT x\n",
    b"a NSEC b A\na NSEC c A\n", b"@ CDS 0 0 0 00\n", b"@ DNSKEY 256 3 8 AA==\n", b"@ NXT a A\n",
    b"a NAPTR 1 1 u s \"\" x.\na NAPTR 1 1 U s \"\" x.\n",
    b"a RRSIG A " + SIGNED + b"\na RRSIG TXT " + SIGNED + b"\n",
    b"a SIG A " + SIGNED + b"\na SIG TXT " + SIGNED + b"\n", b"a SIG TYPE999 " + SIGNED + b"\n",
    b"a AAAA ::1:2\na AAAA ::1.2.3.4\na AAAA ::ffff:1.2.3.4\n", b'a HTTPS 1 . alpn="h2,h3"\n',
    b'a HTTPS 1 . alpn="h2"port=1\n', b'a HTTPS 1 . alpn= "h2"\n', b'a HTTPS 1 "." key9="a;(b"\n',
    b'a SVCB"1" .\n',
    b'a SVCB 1 . key\\055="a"\n', b'a SVCB 1 . key9="a"="b"\n', b'a SVCB 1 . key9=a"b"\n',
    b'a SVCB 1 . ="b"\n', b'a SVCB 1 a="b"\n', b'a SVCB 1 . key9="a""b"\n',
    b'a SVCB 1 . key9="a"key10="b"\n',
    b"a TYPE65400 \\# 3 ab\n", b"a TYPE65400 \\# 0\na TYPE65400 \\# 1 00\n", b"a APL\n",
    b"a A 1.1.1.1 x\n",
    b"a A 1.1.1.1\na A 1.1.1.1\n",
    b"a RRSIG A 8 1 300 20300101000000 20200101000000 1 a.example. AA==\n",
]  # fmt: skip

WHOLE_FILES = [
    b"", b"\n;x\n", b"$TTL 1\n@ NS a.\n", b"$TTL 1\n@ SOA a b 1 2 3 4 5\n",
    b"@ SOA a. hm 1 2 3 4 5\n@ NS a.\na A 1.1.1.1\na 10 TXT x\nb TXT y\n",
    b"@ SOA a. hm 1 2 3 4 3000000000\n@ NS a.\n", b"@ SOA a. hm 1 2 3 4 1h\n@ 20 NS a.\nb TXT y\n",
    b"@ 10 SOA a. hm 1 2 3 4 5\n@ NS a.\na 20 TXT x\nb TXT y\n",
    b"@ 10 SOA a. hm 1 2 3 4 5\n@ 20 NS a.\n@ 10 SOA a. hm 1 2 3 4 5\n@ A 1.1.1.1\n",
    b"a 10 TXT x\n@ SOA a. hm 1 2 3 4 5\n@ NS a.\n", b"a TXT x\n@ 1 SOA a. hm 1 2 3 4 5\n@ NS a.\n",
    b"x.other. 10 TXT x\n@ SOA a. hm 1 2 3 4 5\n@ NS a.\n",
    *(b"@ 31 SOA a. hm 1 2 3 4 5\n@ NS a.\n%b 31 A 1.1.1.1\n%b 6 A 1.1.1.2\n%b 7 A 1.1.1.3\n"
      b"y A 1.1.1.4\n" % (owner, owner, owner) for owner in (b"x", b"x.other.")),
    b"$TTL 1\na TXT x\n@ NS a.\n@ SOA a. b 1 2 3 4 5\n",
    b"$TTL 1\nsub SOA a. b 1 2 3 4 5\nsub NS a.\n",
    b" A 1.1.1.1\n" + HEAD, b"$TTL 300\n A 1.1.1.1\n" + HEAD, b"$ORIGIN a\n A 1.1.1.1\n" + HEAD,
    b"\n" + HEAD, b" \n" + HEAD, b" \x0c\n" + HEAD, b"\x0c" + HEAD, b"\xef\xbb\xbf" + HEAD,
    b"\xef\xbb\xbf;x\n" + HEAD, HEAD.replace(b"\n", b"\r\n"), HEAD.replace(b"\n", b"\r"), HEAD[:-1],
    b"$INCLUDE head\n", b"$INCLUDE head\n A 1.1.1.1\n", b"@ 1 SOA a. b 1 2 3 4 5 6\n",
    b"@ 1 SOA a. b 1h 2 3 4 5\n",
    b"@ 1 SOA a. b 4294967296 2 3 4 5\n", b"@ CH SOA a. b 1 2 3 4 5\n@ CH NS a.\n",
]  # fmt: skip

TABLES = {
    "lexing": LEXING, "owners": OWNERS, "ttls and classes": TTLS_AND_CLASSES,
    "directives": DIRECTIVES, "generate": GENERATE, "content": CONTENT,
}  # fmt: skip
BODIES = [body for bodies in TABLES.values() for body in bodies]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:60])[2:-1])
def test_a_file_gives_the_records_that_bind_reads_in_it(body: bytes) -> None:
    assert by_us(HEAD + body, files=FILES) == by_bind(HEAD + body, files=FILES)


@pytest.mark.parametrize("text", WHOLE_FILES, ids=lambda text: repr(text[:60])[2:-1])
def test_a_whole_file_gives_the_records_that_bind_reads_in_it(text: bytes) -> None:
    files = {"head": HEAD}
    assert by_us(text, files=files) == by_bind(text, files=files)


@pytest.mark.parametrize("table", TABLES)
def test_of_each_table_part_is_taken_and_part_refused(table: str) -> None:
    taken = [body for body in TABLES[table] if by_us(HEAD + body, files=FILES) is not None]
    assert 0.25 < len(taken) / len(TABLES[table]) < 0.75


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:60])[2:-1])
def test_neither_windows_nor_runs_nor_paths_make_a_difference(body: bytes) -> None:
    result = outcome(HEAD + body, files=FILES)
    assert outcome(HEAD + body, files=FILES, fast=False, run_rrsets=2) == result
    if len(body) < 1000:
        assert outcome(HEAD + body, files=FILES, window_bytes=3, run_rrsets=1) == result
    if isinstance(result, str):
        assert re.match(r"(zone|[a-z]+):([0-9]+:)? .", result)


# On purpose otherwise than BIND; the list is that of `reader`.


@pytest.mark.parametrize(
    ("body", "we_take_it"),
    [
        (b"@ NS in.the.zone\n", True),
        (b"@ NS in.the.zone\nin.the.zone CNAME a.\n", True),
        (b"@ CDS " + DS + b"\n", True),
        (b"$GENERATE 1-1 ( a$ A 1.1.1.$ )\n", True),
        (b"$TTL 7", True),
        (b"$GENERATE 1-1 a$ MD b\n", False),
        (b"$GENERATE 1-1 a$ NS 10.0.0.1\n", False),
        (b'$GENERATE 1-1 @ DS "' + DS + b'"\n', False),
        (b"$GENERATE 1-1 a$ TXT ${99999999999}\n", False),
        (b"$DATE 99990101000000\n", False),
    ],
)
def test_some_files_we_take_and_bind_does_not_or_the_reverse(body: bytes, we_take_it: bool) -> None:
    assert (by_us(HEAD + body) is not None) == we_take_it
    if b"9999" not in body:
        assert (by_bind(HEAD + body) in (None, "excused")) == we_take_it


def test_leaving_a_name_for_its_glue_is_leaving_it() -> None:
    body = b"sub 10 NS ns.sub\nns.sub 10 A 1.1.1.1\nsub 20 NS ns2.sub\n"
    ours, bound = by_us(HEAD + body), by_bind(HEAD + body)
    assert ours is not None
    assert isinstance(bound, list)
    assert {record[1] for record in set(ours) - set(bound)} == {"20"}
    assert {record[1] for record in set(bound) - set(ours)} == {"10"}


def test_a_byte_order_mark_is_refused_by_its_name() -> None:
    for text in (b"\xef\xbb\xbf" + HEAD, b"\xef\xbb\xbfa 300 TXT x\n" + HEAD):
        with pytest.raises(InvalidContent, match=r"^zone:1: .*byte order mark"):
            our_lines(text, window_bytes=1)


# Errors


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a A 1.1.1.1\n\na MX 65536 b\n", "zone:6: MX preference: 65536 is out of range, "),
        (b"a ( A\n 1.1.1.1\n )\nb A ( 1\n )\n", 'zone:7: A address: "1" is not an IPv4 address'),
        (b'a TXT "x\\\ny"\nb FOO x\n', 'zone:6: "FOO" is not a record type'),
        (b"a A 1.1.1.1\r\nb. A 1.1.1.1\r\nc..d A 1.1.1.1\r\n", "zone:6: the name 'c..d' has an "),
        (b"$INCLUDE bad\n", 'bad:2: A address: "1.1.1.1.1" is not an IPv4 address'),
        (b"$INCLUDE open\n", "open:1: an opening parenthesis is not closed before the file ends"),
        (b"\n$INCLUDE f\n$INCLUDE nofile\n", "zone:6: $INCLUDE nofile: No such file or directory"),
        (b"a\n", "zone:4: the line ends before the type of a record"),
        (b'a "A" 1.1.1.1\n', 'zone:4: "A" must not be quoted'),
        (b"a CH A 1.1.1.1\n", "zone:4: the class of a zone is IN"),
        (b"$TTL 1h30\n", "zone:4: $TTL: '1h30' is not a TTL"),
        (b"$FOO\n", "zone:4: $FOO is not known"),
        (b"$ORIGIN a b\n", "zone:4: $ORIGIN is given 2, not the arguments of: $ORIGIN name"),
        (b"$GENERATE 1-1 a$ MX 1 b\n", "zone:4: $GENERATE takes one field of rdata, quoted if need "
         "be, not 2: 1 b"),
        (b"$GENERATE 1-3/0 a$ A 1.1.1.1\n", "zone:4: $GENERATE: the range 1-3/0 has a step of 0"),
        (b"a TXT \0\n", "zone:4: a NUL character outside of quotes"),
        (b'a TXT "x\n', 'zone:4: a quoted string is not closed on its line: "x'),
        (b"a NS 10.0.0.1\n", "zone:4: a.example. NS: 10.0.0.1 is an address"),
        (b"*.a NS b\n", "zone:4: *.a.example.: a wildcard cannot own NS"),
        (b"a CNAME b\na A 1.1.1.1\n", "zone: a.example.: a CNAME cannot stand beside other data"),
        (b"a CNAME b\na CNAME c\n", "zone: a.example.: 2 different CNAME records, one can be"),
        (b"sub SOA a. b 1 2 3 4 5\n", "zone: SOA records at several names: example., sub.example."),
        (b"@ DS " + DS + b"\n", "zone: example. has DS records: they belong to the zone above"),
    ],
)  # fmt: skip
def test_an_error_says_where_and_why(body: bytes, message: str) -> None:
    for how in (
        Reading(files=FILES),
        Reading(files=FILES, fast=False),
        Reading(files=FILES, window_bytes=3),
    ):
        result = outcome(HEAD + body, **how)
        assert isinstance(result, str)
        assert result.startswith(message)


def test_a_record_that_never_ends_is_refused_before_it_fills_the_memory() -> None:
    class Endless(BytesIO):
        """A parenthesis that is opened and never closed, and blanks as long as somebody reads."""

        given = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert size > 0
            self.given += size
            assert self.given < 20 << 20
            return b"a (".ljust(size) if self.given == size else b" " * size

    with pytest.raises(InvalidContent, match=r"^endless:1: .*never closed"):
        MasterFile("example.", None).read(Endless(), "endless")


def test_a_file_that_includes_itself_is_refused() -> None:
    with pytest.raises(InvalidContent, match=r"^loop:1: .*nested more than 16 deep"):
        our_lines(HEAD + b"$INCLUDE loop\n", files={"loop": b"$INCLUDE loop\n"})


def test_what_the_includer_may_not_open_is_refused_at_its_line() -> None:
    def refuse(name: str, path: str) -> AbstractContextManager[IO[bytes]]:
        raise InvalidContent(f"{name} is outside of the folder of {path}")

    file = MasterFile("example.", refuse)
    with pytest.raises(InvalidContent, match=r"^zone:4: x is outside of the folder of zone$"):
        file.read(BytesIO(HEAD + b"$INCLUDE x\n"), "zone")
    with pytest.raises(InvalidContent, match=r"^z:1: .*only from files on this machine"):
        MasterFile("example.", None).read(BytesIO(b"$INCLUDE x\n"), "z")


def test_a_name_of_a_file_is_utf8() -> None:
    asked: list[str] = []

    def note(name: str, path: str) -> AbstractContextManager[IO[bytes]]:
        asked.append(name)
        return BytesIO()

    file = MasterFile("example.", note)
    file.read(BytesIO("$INCLUDE ü\n".encode() + b'$INCLUDE "a\xff b"\n'), None)
    assert asked == ["ü", "a\udcff b"]
    with pytest.raises(InvalidContent, match="NUL"):
        file.read(BytesIO(b'$INCLUDE "a\0"\n'), None)


def test_of_many_warnings_the_rest_are_counted_out() -> None:
    file = MasterFile("example.", None)
    file.read(BytesIO(b"a 4000000000 A 1.1.1.1\n" * 500), "zone")
    assert len(file.warnings) == 101
    assert file.warnings[0].startswith("zone:1: TTL 4000000000 is over")
    assert file.warnings[-1].startswith("more than 100 warnings")


@pytest.mark.parametrize(
    ("limit", "lines"), [("MAX_GENERATED", 10), ("MAX_GENERATED_CHARACTERS", 10 * 30)]
)
def test_all_generate_lines_of_a_zone_share_one_limit(
    monkeypatch: pytest.MonkeyPatch, limit: str, lines: int
) -> None:
    monkeypatch.setattr(generate, limit, lines)
    head = b"$TTL 300\n@ SOA a. b 1 2 3 4 5\n@ NS a.\n"
    within = head + b"$GENERATE 0-4 a$ A 192.0.2.$\n$GENERATE 5-9 a$ A 192.0.2.$\n"
    assert len(our_lines(within)) == 12
    beyond = outcome(within + b"$GENERATE 1-1 b$ A 192.0.2.255\n")
    assert isinstance(beyond, str)
    assert ":6: $GENERATE makes over" in beyond


def test_a_long_rrset_that_is_generated_costs_no_memory() -> None:
    """It is packed away, or its duplicates dropped, as often as one that stands in the file."""
    head = b"$TTL 300\n@ SOA a. b 1 2 3 4 5\n@ NS a.\na A 192.0.2.1\n"
    tracemalloc.start()
    try:
        assert len(our_lines(head + b"$GENERATE 1-99999 a A 192.0.2.1\n")) == 3
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()
