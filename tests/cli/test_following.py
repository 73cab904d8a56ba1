"""`syncclient follow` as a process: signals, its folder, its configuration."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.store import Store
from tests.cli.commands import Serving, finish, refused, run, start
from tests.databases import on_every_engine
from tests.running import PASSWORD

TIMEOUT_S = 30


@pytest.fixture
def config(tmp_path: Path, server: Serving) -> Path:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    file = tmp_path / "replica.toml"
    file.write_text(
        f'[agent]\nname = "ns2"\nfolder = "{tmp_path / "agent"}"\n'
        f'[[source]]\nurl = "{server.url()}"\npassword_file = "{tmp_path / "password"}"\n'
        "[files]\n[replica]\npoll_s = 0.2\n"
    )
    return file


def come(happened: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + TIMEOUT_S
    while not happened():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)


@contextmanager
def following(
    config: Path, variables: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """An agent that runs while the block does, unless it is ended before."""
    process = start("syncclient", "follow", "--config", config, password=None, variables=variables)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@on_every_engine
def test_it_follows_until_it_is_told_to_stop(config: Path, source: str, tmp_path: Path) -> None:
    zones = tmp_path / "agent" / "zones"
    with following(config) as process:
        come(lambda: len([*zones.glob("*.zone")]) == 3)
        with Store.open(source) as store:
            store.remove("zones", "example.net.", author="test")
        come(lambda: len([*zones.glob("*.zone")]) == 2)
        process.send_signal(signal.SIGTERM)
        done = finish(process)
    assert done.status == 0
    assert "following" in done.err
    assert PASSWORD not in done.err


@on_every_engine
def test_it_ends_the_same_however_often_it_is_told(config: Path, tmp_path: Path) -> None:
    with following(config) as process:
        come((tmp_path / "agent" / "active.json").exists)
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
            time.sleep(0.001)
        done = finish(process)
    assert done.status == 0
    assert done.err.splitlines()[-1].endswith("INFO stopped")


@on_every_engine
def test_two_agents_do_not_use_one_folder(config: Path, tmp_path: Path) -> None:
    with following(config) as process:
        come((tmp_path / "agent" / "active.json").exists)
        said = refused("syncclient", "follow", "--config", config, status=6)
        assert "another agent uses" in said
        process.terminate()
        assert finish(process).status == 0


@on_every_engine
def test_a_changed_configuration_is_taken_with_sighup_and_a_broken_one_is_not(
    config: Path, tmp_path: Path
) -> None:
    active, marker = tmp_path / "agent" / "active.json", tmp_path / "loaded"
    with following(config) as process:
        come(active.exists)
        assert process.stderr is not None
        right = config.read_text()
        config.write_text(right + "[nonsense]\n")
        process.send_signal(signal.SIGHUP)
        while "config_refused" not in process.stderr.readline():
            pass
        config.write_text(
            right.replace("[files]", f'[files]\ncommand = ["/usr/bin/touch", "{marker}"]')
        )
        active.write_text("")  # so that all is loaded again
        process.send_signal(signal.SIGHUP)
        come(marker.exists)
        process.terminate()
        assert finish(process).status == 0


@on_every_engine
def test_systemd_is_told_when_the_zones_are_served(config: Path, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(TIMEOUT_S)
        with following(config, {"NOTIFY_SOCKET": address}) as process:
            assert listener.recv(100) == b"READY=1"
            assert len([*(tmp_path / "agent" / "zones").glob("*.zone")]) == 3
            process.terminate()
            while listener.recv(100) != b"STOPPING=1":
                pass
            assert finish(process).status == 0


@on_every_engine
def test_an_agent_that_was_killed_goes_on(config: Path, source: str, tmp_path: Path) -> None:
    zones = tmp_path / "agent" / "zones"
    with following(config):
        come(lambda: len([*zones.glob("*.zone")]) == 3)
    with Store.open(source) as store:
        store.remove("zones", "example.net.", author="test")
    with following(config) as process:
        come(lambda: len([*zones.glob("*.zone")]) == 2)
        process.terminate()
        assert finish(process).status == 0


def test_without_a_configuration_it_says_how_to_get_one() -> None:
    assert "--print-config" in refused("syncclient", "follow", status=2)


def test_the_configuration_of_each_backend_is_printed() -> None:
    assert "\n[bind]\n" in run("syncclient", "follow", "--print-config", "bind").out
    assert "bind" in refused("syncclient", "follow", "--print-config", "tinydns", status=2)
