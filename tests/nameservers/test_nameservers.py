"""The servers that other tests need start, answer, obey, come back, and leave nothing behind."""

from pathlib import Path

import pytest

from tests.databases import Databases, on_every_engine
from tests.nameservers.bind import running_bind
from tests.nameservers.knot import running_knot
from tests.nameservers.nsd import running_nsd
from tests.nameservers.powerdns import PowerDnsData, running_powerdns
from tests.nameservers.server import ControlFailed, NameServer

ZONE = """\
example.com. 3600 IN SOA ns1.example.com. hostmaster.example.com. {serial} 7200 3600 1209600 3600
example.com. 3600 IN NS ns1.example.com.
ns1.example.com. 3600 IN A 192.0.2.1
"""


def _write(folder: Path, serial: int) -> Path:
    path = folder / "example.com.zone"
    path.write_text(ZONE.format(serial=serial))
    return path


def _assert_comes_back(server: NameServer) -> None:
    server.stop()
    assert server.serial("example.com.") is None
    server.start()
    assert server.serial("example.com.") == 2


def test_bind_answers_reloads_refuses_and_comes_back(tmp_path: Path) -> None:
    with running_bind(tmp_path, zones={"example.com.": _write(tmp_path, 1)}) as server:
        assert server.serial("example.com.") == 1
        _write(tmp_path, 2)
        server.rndc("reload", "example.com")
        server.wait_until(lambda: server.serial("example.com.") == 2)
        with pytest.raises(ControlFailed, match="not found"):
            server.rndc("reload", "example.net")
        _assert_comes_back(server)
    assert not server.run_folder.exists()


def test_knot_answers_reloads_refuses_and_comes_back(tmp_path: Path) -> None:
    with running_knot(tmp_path, zones={"example.com.": _write(tmp_path, 1)}) as server:
        assert server.serial("example.com.") == 1
        _write(tmp_path, 2)
        server.knotc("-b", "zone-reload", "example.com.")
        assert server.serial("example.com.") == 2
        with pytest.raises(ControlFailed, match="no such zone"):
            server.knotc("-b", "zone-reload", "example.net.")
        _assert_comes_back(server)
    assert not server.run_folder.exists()


def test_nsd_answers_reloads_refuses_and_comes_back(tmp_path: Path) -> None:
    with running_nsd(tmp_path, zones={"example.com": _write(tmp_path, 1)}) as server:
        assert server.serial("example.com.") == 1
        _write(tmp_path, 2)
        server.nsd_control("reload", "example.com")
        server.wait_until(lambda: server.serial("example.com.") == 2)
        with pytest.raises(ControlFailed, match="not configured"):
            server.nsd_control("reload", "example.net")
        _assert_comes_back(server)
    assert not server.run_folder.exists()


@on_every_engine
def test_powerdns_answers_purges_refuses_and_comes_back(
    tmp_path: Path, databases: Databases
) -> None:
    if databases.server is None:
        data = PowerDnsData.sqlite(tmp_path)
    else:
        data = PowerDnsData.on(databases.server, databases.url(tmp_path, "powerdns"))
    with running_powerdns(tmp_path, data) as server:
        assert server.serial("example.com.") is None
        server.pdnsutil("load-zone", "example.com", str(_write(tmp_path, 1)))
        server.control("purge", "example.com$")
        assert server.serial("example.com.") == 1
        server.pdnsutil("load-zone", "example.com", str(_write(tmp_path, 2)))
        server.control("purge", "example.com$")
        with pytest.raises(ControlFailed, match="not found"):
            server.pdnsutil("delete-zone", "example.net")
        _assert_comes_back(server)
    assert not server.run_folder.exists()
