"""Zones that take room, and what programs say of a store."""

import random
from pathlib import Path

from tests.cli.commands import run, zone_text

ZONES = ("example.com", "example.net", "example.org")


def write_zones(folder: Path, *, serial: int, records: int = 1000) -> Path:
    """Write master files that do not get smaller by compression; return their folder."""
    folder.mkdir(exist_ok=True)
    noise = random.Random(serial)
    for name in ZONES:
        texts = (f'r{at} 3600 IN TXT "{noise.randbytes(60).hex()}"' for at in range(records))
        (folder / f"{name}.zone").write_text(zone_text(serial, *texts))
    return folder


def token_of(store: str, within: list[str]) -> str:
    """A store's token, once fsck has found it sound; both from programs of their own."""
    return run("syncd", "fsck", "--store", store, within=within).out.rsplit(" ", 1)[1].strip()
