"""What holds a freeze and what follows a source: commands that go on until they are interrupted."""

import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import pytest
import trio

from syncclient import Client
from syncclient.access import Access
from syncclient.address import Address
from syncclient.cli import watching
from syncclient.cli.replication import _frozen
from syncclient.tls import ClientTls
from syncd.errors import ConfigError, ConnectionFailed, NoSuchUser, NotTrusted, SyncError
from syncd.store import Store
from tests.cli.commands import (
    Serving,
    assert_replicates,
    finish,
    refused,
    run,
    start,
    zone_text,
)
from tests.databases import on_every_engine
from tests.running import PASSWORD, PASSWORD_HASH, wait_until
from tests.running import put as put_object
from tests.store.objects import store_url

pytestmark = on_every_engine


def test_a_frozen_source_is_released_by_ctrl_c(source: str, server: Serving) -> None:
    holding = start("syncclient", "freeze", server.url(), "--wait", "0", "--expire", "30")
    assert holding.stdout is not None
    assert holding.stdout.readline().startswith("the source stands still at ")
    line = refused("syncclient", "put", server.url(), "example.org.", stdin=zone_text(1), status=6)
    assert "frozen by root from 127.0.0.1" in line
    assert "frozen by root" in refused(
        "syncd", "user", "remove", "root", "--store", source, status=6
    )
    holding.send_signal(signal.SIGINT)
    done = finish(holding)
    assert (done.status, done.out) == (130, "released\n")
    assert "Traceback" not in done.err
    run("syncclient", "put", server.url(), "example.org.", stdin=zone_text(1))


def test_who_holds_a_freeze_is_told_when_it_ends(server: Serving) -> None:
    holding = start("syncclient", "freeze", server.url(), "--expire", "3000")
    assert holding.stdout is not None
    assert holding.stdout.readline().startswith("the source stands still at ")
    run("syncclient", "shell", server.url(), stdin="ESNG\n")
    done = finish(holding)
    assert done.status == 6
    assert "the source stands still no longer: root from 127.0.0.1:" in done.err


def test_a_copy_is_whole_although_its_freeze_has_ended(
    server: Serving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def copy() -> str:
        async with Client.connect(server.url(), PASSWORD) as client:
            async with _frozen(client, (0, 60)):
                async with Client.connect(server.url(), PASSWORD) as other:
                    await other.release()
                return "whole"

    assert trio.run(copy) == "whole"
    assert "the freeze ended before it was released: 512 the source is not frozen" in (
        capsys.readouterr().err
    )


def test_a_watch_whose_login_was_taken_away_logs_in_again_before_it_gives_up(
    source: str,
    server: Serving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(watching, "_POLL_S", 0.2)
    monkeypatch.setattr(watching, "_RETRY_S", 1.0)
    monkeypatch.setenv("SYNC_PASSWORD", PASSWORD)
    access = Access(Address.parse(server.url("ns2")), ClientTls())
    replica = store_url(tmp_path, "replica")

    def watch() -> None:
        watching.watch_source(
            access=access, store_url=replica, zones_dir=None, types="zones",
            allow_large_change=False, verify=False, as_json=False,
        )  # fmt: skip

    with Store.open(source) as store, Store.create(replica) as copy, ThreadPoolExecutor(1) as pool:

        def add() -> None:
            put_object(store, "users", "ns2", PASSWORD_HASH, role="replica")

        def wait_until_in_step() -> None:
            wait_until(lambda: copy.clock().token == store.clock().token)

        add()
        watched = pool.submit(watch)
        wait_until_in_step()
        store.remove("users", "ns2", author="test")
        wait_until(lambda: "520 SYNC needs a login" in capsys.readouterr().err)
        add()
        wait_until_in_step()
        store.remove("users", "ns2", author="test")
        with pytest.raises(NoSuchUser):
            watched.result(30)


@pytest.mark.parametrize(
    "trouble", [NotTrusted("its certificate has expired"), ConfigError("no key in PEM")]
)
def test_a_watch_outlives_certificates_that_are_being_renewed(
    server: Serving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trouble: SyncError,
) -> None:
    monkeypatch.setattr(watching, "_POLL_S", 0.1)
    monkeypatch.setattr(watching, "_RETRY_S", 0.1)
    access = Access(Address.parse(server.url()), ClientTls())
    connects: list[SyncError | None] = [None, trouble, trouble, None, ConnectionFailed("enough")]
    connect = Client.connect

    def maybe(*arguments: Any, **options: Any) -> Any:
        if (error := connects.pop(0)) is not None:
            raise error
        return connect(*arguments, **options)

    async def leave(client: Client, *arguments: Any) -> None:
        if len(connects) == 1:
            connects.insert(0, NoSuchUser("enough"))
        raise ConnectionFailed("the connection ended")

    monkeypatch.setattr(Client, "connect", maybe)
    monkeypatch.setattr(Client, "wait_for_commit", leave)
    with Store.create(store_url(tmp_path, "replica")) as store:
        watch = watching.Watching(
            store=store, access=access, password=PASSWORD, zones_dir=None, types="zones",
            allow_large_change=False, verify=False, as_json=False,
        )  # fmt: skip
        with pytest.raises(NoSuchUser):
            trio.run(watch.stay)
    assert capsys.readouterr().err.count(str(trouble)) == 1


def start_following(
    server: Serving, replica: str
) -> tuple["subprocess.Popen[str]", IO[str], IO[str]]:
    """A replica that follows, bootstrapped by now, and what it prints."""
    following = start("syncclient", "resync", server.url(), "--store", replica, "--watch")
    assert following.stdout is not None
    assert following.stderr is not None
    assert following.stdout.readline().startswith("bootstrap: at ")
    return following, following.stdout, following.stderr


def test_a_replica_follows_every_commit_until_it_is_interrupted(
    tmp_path: Path, source: str, server: Serving
) -> None:
    replica = store_url(tmp_path, "replica")
    following, out, _ = start_following(server, replica)
    for name in ("a.example.", "b.example."):
        run("syncclient", "put", server.url(), name, stdin=zone_text(1))
        assert out.readline().startswith("delta: at ")
    following.send_signal(signal.SIGINT)
    done = finish(following)
    assert done.status == 130
    assert "Traceback" not in done.err
    assert_replicates(replica, source)


def test_a_replica_that_follows_outlives_a_restart_of_its_source(
    tmp_path: Path, source: str, server: Serving
) -> None:
    replica = store_url(tmp_path, "replica")
    following, out, err = start_following(server, replica)
    server.end()
    assert "531 the server is stopping" in err.readline()
    assert "; trying again every 5 s" in err.readline()
    with Serving(source, "--port", str(server.port)) as again:
        assert out.readline().startswith("nothing to do: at ")
        run("syncclient", "put", again.url(), "a.example.", stdin=zone_text(1))
        assert out.readline().startswith("delta: at ")
        following.send_signal(signal.SIGINT)
        done = finish(following)
        assert (done.status, done.err.strip()) == (130, "syncclient: interrupted")
    assert_replicates(replica, source)


def test_a_replica_that_a_frozen_source_turns_away_says_so_and_ends(
    tmp_path: Path, source: str, server: Serving
) -> None:
    with Store.open(source) as store:
        store.freeze("somebody from 192.0.2.1:9", 60)
    replica = store_url(tmp_path, "replica")
    watch = ("resync", server.url(), "--store", replica, "--watch")
    assert "552 frozen by somebody" in refused("syncclient", *watch, status=6)
