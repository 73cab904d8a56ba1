"""TSIG (RFC 8945): the key's file, and the proof that every message of a transfer is the server's.

A secret is never an argument, as process lists show those. Its file has the syntax of BIND, which
`tsig-keygen` prints; who else may read the file could sign as well, so that is refused.
"""

import re
import time
from base64 import b64decode
from contextlib import suppress
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.tsig

from syncd.content.zone.wire import Message, Signature
from syncd.errors import ConfigError, TransferFailed
from syncd.secretfiles import refuse_shared

_MAX_FILE_BYTES = 64 * 1024
_MAX_UNSIGNED = 99
"""Messages between two that are signed (RFC 8945 section 5.3.1)."""
_QUOTED_OR_COMMENT = re.compile(r'("[^"]*")|/\*.*?\*/|//[^\n]*|#[^\n]*', re.DOTALL)
"""A secret may hold // within its quotes."""
_KEY = re.compile(r"""\s*key\s+("[^"]*"|[^\s"{};]+)\s*\{([^{}]*)\}\s*;?\s*""")
_STATEMENT = re.compile(r"""\s*([a-z-]+)\s+("[^"]*"|[^\s"{};]+)\s*;\s*""")
_ALGORITHMS = {
    "hmac-md5": dns.tsig.HMAC_MD5,
    "hmac-sha1": dns.tsig.HMAC_SHA1,
    "hmac-sha224": dns.tsig.HMAC_SHA224,
    "hmac-sha256": dns.tsig.HMAC_SHA256,
    "hmac-sha256-128": dns.tsig.HMAC_SHA256_128,
    "hmac-sha384": dns.tsig.HMAC_SHA384,
    "hmac-sha384-192": dns.tsig.HMAC_SHA384_192,
    "hmac-sha512": dns.tsig.HMAC_SHA512,
    "hmac-sha512-256": dns.tsig.HMAC_SHA512_256,
}
_PEER_ERRORS: dict[int, str] = {
    dns.rcode.BADSIG: "finds our signature wrong (BADSIG): the secret or the algorithm there is "
    "another",
    dns.rcode.BADKEY: "does not know the key {key} (BADKEY): its name or algorithm there is "
    "another",
    dns.rcode.BADTIME: "finds our time wrong (BADTIME): set both clocks",
    dns.rcode.BADTRUNC: "finds our signature too short (BADTRUNC)",
}


def read_key(path: Path) -> dns.tsig.Key:
    """Return the key of a file. Raises ConfigError, which never shows what is in the file."""
    try:
        with path.open("rb") as stream:
            refuse_shared(path, "key", descriptor=stream.fileno())
            text = stream.read(_MAX_FILE_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise ConfigError(f"{path}: no TSIG key to be read: {error.strerror}") from None
    return parse_key(text, str(path))


def parse_key(text: str, where: str) -> dns.tsig.Key:
    """Return the key that a text in BIND's syntax states. Raises ConfigError."""
    found = _KEY.fullmatch(_QUOTED_OR_COMMENT.sub(lambda part: part[1] or " ", text))
    if found is None:
        raise ConfigError(f"{where}: is not one `key NAME {{ ... }};`, as `tsig-keygen` prints it")
    statements: dict[str, str] = {}
    at = 0
    while at < len(found[2]):
        statement = _STATEMENT.match(found[2], at)
        if statement is None:
            if not found[2][at:].strip():
                break
            raise ConfigError(f"{where}: in the key there is more than `algorithm` and `secret`")
        statements[statement[1]] = statement[2].strip('"')
        at = statement.end()
    if statements.keys() != {"algorithm", "secret"}:
        raise ConfigError(f"{where}: a key states `algorithm` and `secret`, and nothing else")
    algorithm = _ALGORITHMS.get(statements["algorithm"].lower().removesuffix("."))
    if algorithm is None:
        known = ", ".join(_ALGORITHMS)
        raise ConfigError(f"{where}: the algorithm is not known; there are {known}")
    try:
        name = dns.name.from_text(found[1].strip('"'))
        secret = b64decode(statements["secret"], validate=True)
    except (dns.exception.DNSException, UnicodeError):
        raise ConfigError(f"{where}: the key's name is no domain name") from None
    except ValueError:
        raise ConfigError(f"{where}: the secret is not base64") from None
    if not secret:
        raise ConfigError(f"{where}: the secret is empty")
    return dns.tsig.Key(name, secret, algorithm)


class Signatures:
    """Checks the messages of one answer, in order."""

    def __init__(self, key: dns.tsig.Key, query_mac: bytes, server: str) -> None:
        self._key, self._query_mac, self._server = key, query_mac, server
        self._context: dns.tsig.HMACTSig | dns.tsig.GSSTSig | None = None
        self._unsigned = 0

    def check_refusal(self, message: Message) -> None:
        """Raise TransferFailed if a message that refuses says that the key is why."""
        found = message.signature()
        if found is not None:
            with suppress(dns.exception.DNSException):  # what is refused is refused all the same
                self._check_peer(self._rdata(message, found).error)

    def check(self, message: Message) -> None:
        """Take the next message. Raises TransferFailed if its signature is wrong or missing."""
        found = message.signature()
        if found is None:
            if self._context is None:
                raise TransferFailed(f"{self._server}: the answer is not signed, as the query was")
            self._unsigned += 1
            if self._unsigned > _MAX_UNSIGNED:
                raise TransferFailed(f"{self._server}: over {_MAX_UNSIGNED} messages are unsigned")
            self._context.update(message.wire)  # type: ignore[no-untyped-call]  # dnspython's own gap
            return
        try:
            rdata = self._rdata(message, found)
            self._check_peer(rdata.error)
            self._context = dns.tsig.validate(  # type: ignore[no-untyped-call]  # the same
                message.wire, self._key, dns.name.from_text(found.owner), rdata, int(time.time()),
                self._query_mac, found.start, self._context, True,
            )  # fmt: skip
        except dns.tsig.BadTime:
            raise TransferFailed(
                f"{self._server}: its signature is of another time: set both clocks"
            ) from None
        except dns.exception.DNSException as error:
            raise TransferFailed(
                f"{self._server}: its signature is not that of the key {self._key.name}: "
                f"{error or type(error).__name__}"
            ) from None
        self._unsigned = 0

    def check_end(self) -> None:
        """Raise TransferFailed unless the last message was signed."""
        if self._unsigned:
            raise TransferFailed(f"{self._server}: the last message is not signed")

    @staticmethod
    def _rdata(message: Message, found: Signature) -> dns.rdtypes.ANY.TSIG.TSIG:
        rdata = dns.rdata.from_wire(
            dns.rdataclass.ANY, dns.rdatatype.TSIG, message.wire, found.rdata_start,
            found.rdata_bytes,
        )  # fmt: skip
        assert isinstance(rdata, dns.rdtypes.ANY.TSIG.TSIG)
        return rdata

    def _check_peer(self, error: int) -> None:
        if error == 0:
            return
        said = _PEER_ERRORS.get(error, f"reports TSIG error {error}")
        raise TransferFailed(f"{self._server} {said.format(key=self._key.name)}")
