"""A zone that BIND, Knot or NSD transfers is the zone that importing its file gives."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from syncd.errors import TransferFailed
from syncd.ingest.axfr import Transfer, import_transfers
from syncd.ingest.staging import Imported
from syncd.ingest.tsig import read_key
from syncd.ingest.zones import find_master_files, import_zones
from syncd.store import Store
from tests.databases import on_every_engine
from tests.nameservers.bind import running_bind
from tests.nameservers.knot import running_knot
from tests.nameservers.nsd import running_nsd
from tests.nameservers.server import NameServer
from tests.store.objects import new_store

ZONE, OTHER = "example.com.", "2.0.192.in-addr.arpa."
SOA = "{0} 3600 IN SOA ns1.example.com. hostmaster.example.com. {1} 7200 3600 1209600 300\n"
NS = "{0} 3600 IN NS ns1.example.com.\n"
RECORDS = rf"""
@ 300 MX 10 mail
@ 300 MX 20 mail.other.example.
@ 300 TXT "v=spf1 -all" "a \"quoted\" \\ word" "{"x" * 255}"
@ 300 CAA 0 issue "ca.example; policy=1"
@ 300 TYPE65400 \# 4 c000ff00
@ 300 TYPE65401 \# 0
ns1 300 A 192.0.2.1
ns1 60 AAAA 2001:db8::1
www 300 CNAME ns1
*.wild 300 TXT "wild"
mail 300 A 192.0.2.25
_sip._tcp 300 SRV 0 5 5060 ns1
_sip._tcp 300 SRV 1 5 5060 mail.other.example.
tel 300 NAPTR 10 100 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
tel 300 NAPTR 20 100 "" "" "" mail
old 300 DNAME new.other.example.
host 300 HINFO "a b" "c"
host 300 RP hostmaster txt
host 300 SSHFP 1 1 2bb183af5f22588179a53b0a98631fad1a292118
host 300 LOC 42 21 54.000 N 71 6 18.000 W -24.00m 30m 10000m 10m
_443._tcp.www2 300 TLSA 3 1 1 d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a
odd\.name\032with\000octets 300 A 192.0.2.66
sub 300 NS ns.sub
sub 300 DS 60485 8 2 d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a
ns.sub 300 A 192.0.2.53
""" + "".join(f"h{number} 300 A 198.51.{number >> 8}.{number & 255}\n" for number in range(3000))

Run = Callable[..., AbstractContextManager[NameServer]]
SERVERS = {"bind": running_bind, "knot": running_knot, "nsd": running_nsd}


@pytest.fixture(params=SERVERS)
def server_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def run(server_name: str) -> Run:
    return SERVERS[server_name]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as made:
        yield made


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Two zones: one with many types and over several messages, one small."""
    folder = tmp_path / "files"
    folder.mkdir()
    paths = {ZONE: folder / "example.com.zone", OTHER: folder / "2.0.192.in-addr.arpa.zone"}
    paths[ZONE].write_text(SOA.format("@", 7) + NS.format("@") + RECORDS)
    paths[OTHER].write_text(SOA.format("@", 1) + NS.format("@") + "1 300 PTR ns1.example.com.\n")
    return paths


def digests(store: Store) -> dict[str, str]:
    return {version.name: version.digest.hex() for version in store.view().versions(["zones"])}


def digests_of_files(folder: Path, *paths: Path) -> dict[str, str]:
    with new_store(folder, "of-files") as store:
        import_zones(store, find_master_files(paths), author="test")
        return digests(store)


def transfer(store: Store, port: int, *zones: str, key: Path | None = None) -> Imported:
    return import_transfers(
        store,
        [Transfer(zone, "127.0.0.1", port) for zone in zones],
        key=None if key is None else read_key(key),
        author="test",
    )


@on_every_engine
def test_a_transfer_has_the_digest_of_the_file(
    run: Run, store: Store, files: dict[str, Path], tmp_path: Path
) -> None:
    with run(tmp_path / "server", zones=files) as server:
        result = transfer(store, server.port, ZONE, OTHER)
        assert (result.objects, result.changed, result.warnings) == (2, 2, [])
        assert store.clock().seq == 1
        assert digests(store) == digests_of_files(tmp_path, *files.values())
        assert transfer(store, server.port, ZONE, OTHER).token is None
        assert store.clock().seq == 1


@on_every_engine
@pytest.mark.parametrize("denial", [["-3", "aabb"], []], ids=["nsec3", "nsec"])
def test_so_has_a_signed_zone(
    run: Run, store: Store, files: dict[str, Path], tmp_path: Path, denial: list[str]
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    for flags in ([], ["-f", "KSK"]):
        subprocess.run(
            ["dnssec-keygen", "-K", keys, "-a", "ECDSAP256SHA256", *flags, ZONE],
            check=True,
            capture_output=True,
        )
    signed = tmp_path / "example.com.zone"
    subprocess.run(
        [
            "dnssec-signzone",
            "-d",
            tmp_path,
            "-S",
            "-K",
            keys,
            "-O",
            "full",
            *denial,
            "-o",
            ZONE,
            "-f",
            signed,
            files[ZONE],
        ],
        check=True,
        capture_output=True,
    )
    # Knot and NSD give owners in lower case, and the signer writes hashed ones in upper case.
    signed.write_text(
        "".join(
            f"{owner.lower()} {rest}\n"
            for owner, rest in (line.split(None, 1) for line in signed.read_text().splitlines())
        )
    )
    with run(tmp_path / "server", zones={ZONE: signed}) as server:
        transfer(store, server.port, ZONE)
    assert digests(store) == digests_of_files(tmp_path, signed)
    content = store.view().present("zones", ZONE)
    assert content is not None
    assert content.version.lines > 6000


@on_every_engine
def test_bind_keeps_the_case_of_names(store: Store, files: dict[str, Path], tmp_path: Path) -> None:
    with files[ZONE].open("a") as file:
        file.write(
            "Upper 300 A 192.0.2.9\nalso 300 NS Ns1.Other.Example.\nAlso.UPPER 300 A 192.0.2.9\n"
        )
    with running_bind(tmp_path / "server", zones=files) as server:
        transfer(store, server.port, ZONE)
    assert digests(store)[ZONE] == digests_of_files(tmp_path, files[ZONE])[ZONE]


KEYED = {
    "bind": lambda key, text: {
        "extra_config": text,
        "zone_options": f'type primary; allow-transfer {{ key "{key}"; }};',
    },
    "knot": lambda key, text: {
        "definitions": f"""
key:
  - id: {key}
    algorithm: hmac-sha512
    secret: {text.split('"')[3]}
acl:
  - id: keyed
    key: {key}
    action: transfer
""",
        "zone_options": "acl: keyed",
    },
    "nsd": lambda key, text: {
        "extra_config": f"""
key:
    name: {key}
    algorithm: hmac-sha512
    secret: "{text.split('"')[3]}"
""",
        "zone_options": f"provide-xfr: 127.0.0.1 {key}",
    },
}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return new_key(tmp_path / "transfer.key")


def new_key(path: Path, name: str = "transfer", algorithm: str = "hmac-sha512") -> Path:
    path.touch(mode=0o600)
    with path.open("w") as file:
        subprocess.run(["tsig-keygen", "-a", algorithm, name], check=True, stdout=file)
    return path


@pytest.fixture
def keyed_server(
    server_name: str, run: Run, key: Path, files: dict[str, Path], tmp_path: Path
) -> Iterator[NameServer]:
    """A server that transfers to the holder of the key only."""
    options = KEYED[server_name]("transfer", key.read_text())
    with run(tmp_path / "server", zones=files, **options) as server:
        yield server


@on_every_engine
def test_a_signed_transfer_has_the_digest_of_the_file(
    keyed_server: NameServer, store: Store, files: dict[str, Path], key: Path, tmp_path: Path
) -> None:
    transfer(store, keyed_server.port, ZONE, OTHER, key=key)
    assert digests(store) == digests_of_files(tmp_path, *files.values())


@on_every_engine
def test_without_the_key_it_is_refused(keyed_server: NameServer, store: Store) -> None:
    with pytest.raises(TransferFailed, match=r"REFUSED|NOTAUTH") as caught:
        transfer(store, keyed_server.port, ZONE)
    assert "or give its key" in str(caught.value)
    assert store.clock().seq == 0


@on_every_engine
def test_with_another_secret_it_is_refused(
    keyed_server: NameServer, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(TransferFailed, match=r"finds our signature wrong \(BADSIG\)"):
        transfer(store, keyed_server.port, ZONE, key=new_key(tmp_path / "other.key"))


@on_every_engine
def test_with_another_name_it_is_refused(
    keyed_server: NameServer, store: Store, tmp_path: Path
) -> None:
    other = new_key(tmp_path / "other.key", "other")
    with pytest.raises(TransferFailed, match=r"does not know the key other\. \(BADKEY\)"):
        transfer(store, keyed_server.port, ZONE, key=other)


@on_every_engine
def test_a_clock_that_is_wrong_is_told(
    keyed_server: NameServer,
    store: Store,
    key: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    with pytest.raises(TransferFailed, match=r"of another time|BADTIME"):
        transfer(store, keyed_server.port, ZONE, key=key)


@on_every_engine
def test_a_zone_that_the_server_does_not_have_is_refused(
    run: Run, store: Store, files: dict[str, Path], tmp_path: Path
) -> None:
    with run(tmp_path / "server", zones=files) as server:
        with pytest.raises(TransferFailed, match=r"REFUSED|NOTAUTH"):
            transfer(store, server.port, ZONE, "example.net.")
    assert store.clock().seq == 0
