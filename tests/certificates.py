"""Certificates made for the tests: a CA, a server that is called localhost, users, and some that
are not to be trusted."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import trustme

from syncclient import ClientTls
from syncd.server.tls import TlsSettings

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass
class Certificates:
    """A CA of the tests' own, and files in PEM with what it issued."""

    folder: Path

    @cached_property
    def ca(self) -> trustme.CA:
        return trustme.CA()

    @cached_property
    def ca_file(self) -> Path:
        return self._ca_file("ca", self.ca)

    @cached_property
    def other_ca_file(self) -> Path:
        """Of a CA that issued none of these."""
        return self._ca_file("other-ca", trustme.CA())

    @cached_property
    def server(self) -> Path:
        return self.issue("server", "localhost", "127.0.0.1", "::1")

    @cached_property
    def misnamed(self) -> Path:
        return self.issue("misnamed", "ns1.example.com", "192.0.2.1")

    @cached_property
    def expired(self) -> Path:
        return self.issue("expired", "localhost", "127.0.0.1", not_after=LONG_AGO)

    def issue(
        self,
        name: str,
        *identities: str,
        common_name: str | None = None,
        not_after: datetime | None = None,
        ca: trustme.CA | None = None,
    ) -> Path:
        """Issue a certificate; its file has the key too, and is named after `name`."""
        leaf = (ca or self.ca).issue_cert(
            *identities,
            common_name=common_name,
            not_before=datetime(2000, 1, 1, tzinfo=UTC),
            not_after=not_after,
        )
        path = self.folder / f"{name}.pem"
        path.touch(0o600)
        path.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
        return path

    def settings(self, server: Path | None = None, **others: Any) -> TlsSettings:
        """What a server of the tests is set to: users' certificates are taken, on any port."""
        defaults: dict[str, Any] = {"listen": "127.0.0.1:0", "client_ca_file": self.ca_file}
        return TlsSettings(server or self.server, **(defaults | others))

    def trusting(self, **others: Any) -> ClientTls:
        """What a client demands that trusts the CA."""
        return ClientTls(**({"ca_file": self.ca_file} | others))

    def context(self, certificate: Path | None = None) -> ssl.SSLContext:
        """What a client that is no syncclient uses."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if certificate is not None:
            context.load_cert_chain(certificate)
        return context

    def _ca_file(self, name: str, ca: trustme.CA) -> Path:
        path = self.folder / f"{name}.pem"
        ca.cert_pem.write_to_path(path)
        return path


def pin_of(path: Path) -> str:
    """Return the pin of the first certificate in a file."""
    text = path.read_text()
    begin = text.index("-----BEGIN CERTIFICATE-----")
    end = text.index("-----END CERTIFICATE-----", begin) + len("-----END CERTIFICATE-----")
    return f"sha256:{sha256(ssl.PEM_cert_to_DER_cert(text[begin:end])).hexdigest()}"
