"""What the rdata of each record type consists of, as one table of fields.

Letter case and refusals are those of BIND 9.18; what a field does stands with its kind.
"""

from syncd.content.zone.rdata_addresses import (
    atm_address,
    hyphened,
    locator,
    nsap,
    read_a6,
    read_prefixes,
    read_services,
    show_a6,
    show_prefixes,
    show_services,
    x25_address,
)  # fmt: skip
from syncd.content.zone.rdata_dnssec import (
    ALGORITHM_ALIASES,
    ALGORITHMS,
    CERTIFICATES,
    DIGESTS,
    PROTOCOLS,
    algorithm,
    hashed_owner,
    key_flags,
    moment,
    old_key,
    old_type_name,
    old_types,
    salt,
    signature,
    signer_name,
    types,
)  # fmt: skip
from syncd.content.zone.rdata_fields import (
    Field,
    base64,
    caa_tag,
    coded,
    digest,
    hexadecimal,
    ipv4,
    ipv6,
    long_text,
    name,
    octal,
    optional_string,
    read_object,
    record_type,
    refuse,
    show_object,
    show_opaque,
    string,
    strings,
    ttl,
    u8,
    u16,
    u32,
    zero,
)  # fmt: skip
from syncd.content.zone.rdata_gateways import (
    read_host_identity,
    read_ipsec_gateway,
    read_relay,
    show_host_identity,
    show_ipsec_gateway,
    show_relay,
)  # fmt: skip
from syncd.content.zone.rdata_location import read_location, show_location
from syncd.content.zone.rdata_services import read_parameters, show_parameters
from syncd.content.zone.rdata_substitution import substitution
from syncd.content.zone.record_types import TYPE_CODES

_IN, _CH, _HS = 1, 3, 4

_NAME, _TWO_NAMES, _TEXT = (name("name"),), (name("first name"), name("second name")), (
    strings("text"),
)  # fmt: skip
_PREFERENCE_AND_NAME = (u16("preference"), name("name"))
_KEY = (key_flags("flags"), coded("protocol", 1, PROTOCOLS), algorithm())
_DIGEST_LENGTHS = {1: 20, 2: 32, 4: 48}
_DS = (
    u16("key tag"), algorithm(), coded("digest type", 1, DIGESTS),
    digest("digest", _DIGEST_LENGTHS, least=1),
)  # fmt: skip
_TLSA = (u8("usage"), u8("selector"), u8("matching type"), hexadecimal("certificate data"))
_NSEC3 = (
    coded("hash algorithm", 1, {"SHA-1": 1}), u8("flags"), u16("iterations"), salt("salt"),
)  # fmt: skip
_SERVICE = (
    u16("priority"), name("target", quoted=True), Field(read_parameters, show_parameters),
)  # fmt: skip
_GENERIC_ONLY = (Field(refuse, show_opaque),)


_ANY_CLASS: dict[str, tuple[Field, ...]] = {
    "NS": _NAME, "MD": _NAME, "MF": _NAME, "CNAME": _NAME, "MB": _NAME, "MG": _NAME,
    "MR": _NAME, "PTR": _NAME, "DNAME": _NAME,
    "MINFO": _TWO_NAMES, "RP": _TWO_NAMES, "TALINK": _TWO_NAMES,
    "TXT": _TEXT, "SPF": _TEXT, "AVC": _TEXT, "NINFO": _TEXT, "RESINFO": _TEXT, "WALLET": _TEXT,
    "MX": _PREFERENCE_AND_NAME, "AFSDB": _PREFERENCE_AND_NAME, "RT": _PREFERENCE_AND_NAME,
    "LP": _PREFERENCE_AND_NAME,
    "SOA": (
        name("primary"), name("contact"), u32("serial"), ttl("refresh"), ttl("retry"),
        ttl("expire"), ttl("minimum"),
    ),
    "HINFO": (string("cpu"), string("os")),
    "X25": (x25_address("address"),),
    "ISDN": (string("address"), optional_string("subaddress")),
    "GPOS": (string("longitude"), string("latitude"), string("altitude")),
    "LOC": (Field(read_location, show_location),),
    "NAPTR": (
        u16("order"), u16("preference"), string("flags"), string("services"),
        substitution("regexp"), name("replacement"),
    ),
    "CERT": (
        coded("certificate type", 2, CERTIFICATES, CERTIFICATES), u16("key tag"),
        coded("algorithm", 1, ALGORITHM_ALIASES, ALGORITHMS), base64("certificate"),
    ),
    "CAA": (u8("flags"), caa_tag("tag"), long_text("value", must_be_quoted=False)),
    "URI": (u16("priority"), u16("weight"), long_text("target", must_be_quoted=True)),
    "DS": _DS, "CDS": _DS, "DLV": _DS, "TA": _DS,
    "DNSKEY": (*_KEY, base64("key")), "CDNSKEY": (*_KEY, base64("key")),
    "KEY": (*_KEY, old_key("key")),
    "RKEY": (zero(_KEY[0], "flags"), *_KEY[1:], base64("key")),
    "KEYDATA": (
        Field(moment("refresh", seconds_allowed=False).read, show_opaque),
        moment("add", seconds_allowed=False), moment("remove", seconds_allowed=False),
        *_KEY, base64("key"),
    ),
    "RRSIG": signature(record_type("type covered"), signer_name("signer"), seconds_allowed=True),
    "SIG": signature(
        record_type("type covered", old_type_name), name("signer"), seconds_allowed=False
    ),
    "NSEC": (name("next name"), types("types", least=1)),
    "NSEC3": (*_NSEC3, hashed_owner("next owner"), types("types")),
    "NSEC3PARAM": _NSEC3,
    "NXT": (name("next name"), old_types("types")),
    "CSYNC": (u32("serial"), u16("flags"), types("types")),
    "SSHFP": (u8("algorithm"), u8("type"), digest("fingerprint", {1: 20, 2: 32}, least=0)),
    "TLSA": _TLSA, "SMIMEA": _TLSA,
    "ZONEMD": (
        u32("serial"), u8("scheme"), u8("hash algorithm"),
        digest("digest", {1: 48, 2: 64}, least=12),
    ),
    "OPENPGPKEY": (base64("key"),), "HHIT": (base64("data"),), "BRID": (base64("data"),),
    "IPSECKEY": (
        u8("precedence"), Field(read_ipsec_gateway, show_ipsec_gateway), base64("key"),
    ),
    "AMTRELAY": (u8("precedence"), Field(read_relay, show_relay)),
    "HIP": (Field(read_host_identity, show_host_identity),),
    "NID": (u16("preference"), locator("node")), "L64": (u16("preference"), locator("locator")),
    "L32": (u16("preference"), ipv4("locator")),
    "EUI48": (hyphened("address", 6),), "EUI64": (hyphened("address", 8),),
    "SINK": (u8("meaning"), u8("coding"), u8("subcoding"), base64("data", least=0)),
    "DOA": (
        u32("enterprise"), u32("type"), u8("location"), string("media type"),
        Field(read_object, show_object),
    ),
    "DSYNC": (
        record_type("type"), coded("scheme", 1, {"NOTIFY": 1}, {"NOTIFY": 1}), u16("port"),
        name("target"),
    ),
    "NULL": _GENERIC_ONLY, "UINFO": _GENERIC_ONLY, "UID": _GENERIC_ONLY, "GID": _GENERIC_ONLY,
    "UNSPEC": _GENERIC_ONLY,
}  # fmt: skip

_IN_ONLY: dict[str, tuple[Field, ...]] = {
    "A": (ipv4("address"),), "AAAA": (ipv6("address"),),
    "A6": (Field(read_a6, show_a6),),
    "WKS": (ipv4("address"), Field(read_services, show_services)),
    "SRV": (u16("priority"), u16("weight"), u16("port"), name("target")),
    "SVCB": _SERVICE, "HTTPS": _SERVICE,
    "KX": _PREFERENCE_AND_NAME,
    "PX": (u16("preference"), name("map822"), name("mapx400")),
    "APL": (Field(read_prefixes, show_prefixes),),
    "NSAP": (nsap("address"),), "NSAP-PTR": _NAME,
    "ATMA": (atm_address("address"),),
    "EID": (hexadecimal("endpoint"),), "NIMLOC": (hexadecimal("locator"),),
    "DHCID": (base64("data"),),
}  # fmt: skip

_FIELDS: dict[tuple[int | None, int], tuple[Field, ...]]
_FIELDS = {(None, TYPE_CODES[mnemonic]): fields for mnemonic, fields in _ANY_CLASS.items()}
_FIELDS |= {(_IN, TYPE_CODES[mnemonic]): fields for mnemonic, fields in _IN_ONLY.items()}
_FIELDS[_CH, 1] = (name("domain"), octal("address"))
_FIELDS[_HS, 1] = (ipv4("address"),)


def fields_of(rdclass: int, rdtype: int) -> tuple[Field, ...] | None:
    """The fields of a type in a class; None where the rdata has no known form."""
    return _FIELDS.get((None, rdtype)) or _FIELDS.get((rdclass, rdtype))
