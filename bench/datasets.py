"""The three data sets, made from a fixed seed: the same bytes on every machine.

    one    1 zone, 400,000 records
    large  820 zones, 400,820 records: 20 forward zones, 800 reverse zones
    many   100,000 zones of 7 records

Each is a folder of master files, NAME.zone, that named-compilezone takes with its defaults. A
finished set has a marker beside its folder and is not made again: python -m bench.datasets one DIR
"""

import argparse
import ipaddress
import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

GENERATOR_VERSION = 1
_SEED = 20180209
_ONE_RECORDS = 400_000
_LARGE_FORWARD_ZONES = 20
_LARGE_REVERSE_ZONES = 800
_LARGE_HOSTS = 9_996  # in each forward zone, so that 820 zones come to 400,820 records
_LARGE_POINTERS = 248  # in each reverse zone
_MANY_ZONES = 100_000
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo")
_TOP_LEVELS = ("com", "net", "org", "info", "eu")

Zone = tuple[str, list[str]]  # its name without the final dot, its lines


@dataclass(frozen=True)
class DatasetFile:
    zone: str  # without the final dot
    path: Path


@dataclass(frozen=True)
class Dataset:
    """A finished data set on disk."""

    name: str
    folder: Path
    zones: int
    records: int

    def files(self) -> list[DatasetFile]:
        """Return each zone's name and master file, in the order of the names."""
        return zone_files(self.folder)


def zone_files(folder: Path) -> list[DatasetFile]:
    """Return each zone's name and master file in a folder, in the order of the names."""
    return [
        DatasetFile(path.name.removesuffix(".zone"), path) for path in sorted(folder.glob("*.zone"))
    ]


def dataset(name: str, parent: Path) -> Dataset:
    """Return the named data set below `parent`, made now unless it is there and up to date."""
    folder = parent / name
    marker = parent / f"{name}.made.json"
    if marker.is_file():
        made = json.loads(marker.read_text())
        if made.pop("generator_version") == GENERATOR_VERSION:
            return Dataset(folder=folder, **made)
        marker.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    zones = records = 0
    for zone, lines in GENERATORS[name](random.Random(_SEED)):
        (folder / f"{zone}.zone").write_text("\n".join(lines) + "\n")
        zones += 1
        records += len(lines)
    done = Dataset(name, folder, zones, records)
    facts = {key: value for key, value in asdict(done).items() if key != "folder"}
    marker.write_text(json.dumps({"generator_version": GENERATOR_VERSION, **facts}))
    return done


def _apex(zone: str, servers: tuple[str, str]) -> list[str]:
    soa = f"{servers[0]} hostmaster.{zone}. 2018020901 14400 3600 1209600 3600"
    lines = [f"{zone}. 3600 IN SOA {soa}"]
    return lines + [f"{zone}. 3600 IN NS {server}" for server in servers]


def _ipv4(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _ipv6(network: int, host: int) -> str:
    return str(ipaddress.IPv6Address((0x20010DB8 << 96) + (network << 80) + host))


def _token(source: random.Random) -> str:
    return f"{source.getrandbits(96):024x}"


def _one(source: random.Random) -> Iterator[Zone]:
    """One company's zone: mostly A, and of everything else a little; addresses run upwards."""
    zone = "example.com"
    lines = _apex(zone, (f"ns1.{zone}.", f"ns2.{zone}."))
    lines += [f"ns1.{zone}. 3600 IN A 10.0.0.1", f"ns2.{zone}. 3600 IN A 10.0.0.2"]
    address, host = 10, 0
    while len(lines) < _ONE_RECORDS:
        host += 1
        address += source.randint(1, 16)
        name = f"host-{host}.{zone}."
        lines.append(f"{name} 3600 IN A {_ipv4(address)}")
        extra = source.random()
        if extra < 0.10:
            lines.append(f"{name} 3600 IN AAAA {_ipv6(source.getrandbits(16), host)}")
        elif extra < 0.14:
            lines.append(f"www-{host}.{zone}. 3600 IN CNAME {name}")
        elif extra < 0.17:
            lines.append(f"{name} 3600 IN MX 10 {name}")
        elif extra < 0.20:
            lines.append(f'{name} 300 IN TXT "verify={_token(source)}"')
    yield zone, lines[:_ONE_RECORDS]


def _large(source: random.Random) -> Iterator[Zone]:
    """A company's branches: each host has an address, and each address in use points back."""
    hosts: list[tuple[int, str]] = []
    address = 256
    for branch in range(_LARGE_FORWARD_ZONES):
        zone = f"branch{branch + 1}.example.net"
        servers = (f"ns1.{zone}.", f"ns2.{zone}.")
        lines = _apex(zone, servers)
        lines += [f"{server} 3600 IN A 10.255.{branch}.{n}" for n, server in enumerate(servers, 1)]
        for number in range(_LARGE_HOSTS):
            if address & 255 == _LARGE_POINTERS:
                address = (address | 255) + 1
            address += 1
            kind = source.choice(("pc", "printer", "phone", "vm"))
            name = f"{kind}{number}.{zone}."
            lines.append(f"{name} 3600 IN A {_ipv4(address)}")
            hosts.append((address, name))
        yield zone, lines
    for network in range(_LARGE_REVERSE_ZONES):
        first = hosts[network * _LARGE_POINTERS][0] >> 8
        zone = f"{first & 255}.{first >> 8}.10.in-addr.arpa"
        lines = _apex(zone, ("ns1.branch1.example.net.", "ns2.branch1.example.net."))
        for address, name in hosts[network * _LARGE_POINTERS : (network + 1) * _LARGE_POINTERS]:
            lines.append(f"{address & 255}.{zone}. 3600 IN PTR {name}")
        yield zone, lines


def _many(source: random.Random) -> Iterator[Zone]:
    """A registrar's customers: one small zone each, on the registrar's own name servers."""
    for number in range(_MANY_ZONES):
        word = "".join(source.choices(_SYLLABLES, k=source.randint(2, 4)))
        zone = f"{word}{number}.{source.choice(_TOP_LEVELS)}"
        lines = _apex(zone, ("ns1.registrar.example.", "ns2.registrar.example."))
        lines += [
            f"{zone}. 3600 IN A {_ipv4(source.getrandbits(24))}",
            f"{zone}. 3600 IN AAAA {_ipv6(source.getrandbits(16), number + 1)}",
            f"{zone}. 3600 IN MX 10 mx{source.randint(1, 9)}.registrar.example.",
            f'{zone}. 3600 IN TXT "v=spf1 mx -all {_token(source)}"',
        ]
        yield zone, lines


GENERATORS: dict[str, Callable[[random.Random], Iterator[Zone]]] = {
    "one": _one,
    "large": _large,
    "many": _many,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(GENERATORS))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    made = dataset(arguments.name, arguments.folder)
    print(f"{made.folder}: {made.zones} zones, {made.records} records")


if __name__ == "__main__":
    main()
