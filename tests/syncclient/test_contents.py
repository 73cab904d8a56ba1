"""Zones laid by: what comes out is what the source listed, or an error."""

from collections.abc import Iterator

import pytest

from syncclient import contents
from syncclient.client import Client
from syncclient.contents import ZoneContents
from syncd.errors import VerificationFailed
from tests.running import EXAMPLE_COM, EXAMPLE_NET, PASSWORD, RunningDaemon
from tests.syncclient.link import in_trio


@pytest.fixture(params=[0, 200], ids=["everything", "one by one"], autouse=True)
def _few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to fetch."""
    monkeypatch.setattr(contents, "_FEW_ZONES", request.param)


@pytest.fixture
def laid_by() -> Iterator[list[ZoneContents]]:
    """What a test lays by; closed with it."""
    made: list[ZoneContents] = []
    yield made
    for one in made:
        one.close()


def fetched(
    daemon: RunningDaemon, laid_by: list[ZoneContents], changed: dict[str, int] | None = None
) -> list[tuple[str, bytes]]:
    """Fetch all zones listed; `changed` are CRC-32s that the list shall state instead."""

    async def work() -> list[tuple[str, bytes]]:
        async with Client.connect(f"syncd://bob@127.0.0.1:{daemon.port}", PASSWORD) as client:
            info = await client.info("zones")
            crc32s = {row["zone"]: int(row["crc32"], 16) for row in info.rows}
            for zone, crc32 in (changed or {}).items():
                crc32s[zone] = crc32
            laid_by.append(ZoneContents(crc32s))
            await laid_by[0].fetch(client, info.proof.token.seq)
        return list(laid_by[0].pieces())

    return in_trio(work)


def test_the_zones_come_whole_in_lines_and_as_often_as_wanted(
    running_daemon: RunningDaemon, laid_by: list[ZoneContents]
) -> None:
    for pieces in (fetched(running_daemon, laid_by), list(laid_by[0].pieces())):
        texts: dict[str, bytes] = {}
        for zone, text in pieces:
            assert text.endswith(b"\n")
            texts[zone] = texts.get(zone, b"") + text
        assert texts == {
            "example.com.": EXAMPLE_COM.encode(), "example.net.": EXAMPLE_NET.encode(),
        }  # fmt: skip


@pytest.mark.parametrize("zone", ["example.com.", "example.net."])
def test_a_zone_that_is_not_what_was_listed_is_refused(
    running_daemon: RunningDaemon, laid_by: list[ZoneContents], zone: str
) -> None:
    with pytest.raises(VerificationFailed, match=f"{zone}: CRC-32 is not the one listed"):
        fetched(running_daemon, laid_by, {zone: 5})


def test_a_zone_that_does_not_come_is_missed(
    running_daemon: RunningDaemon,
    laid_by: list[ZoneContents],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contents, "_FEW_ZONES", 0)
    with pytest.raises(VerificationFailed, match=r"example\.org\.: is listed, and does not come"):
        fetched(running_daemon, laid_by, {"example.org.": 5})
