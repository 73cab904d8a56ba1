"""Deltas as text: what they say is the change, however large it is."""

from pathlib import Path

import pytest

from syncd.content.textdiff import parse_diff
from syncd.server import deltas
from syncd.server.deltas import delta_lines
from syncd.store import Store
from tests.databases import on_every_engine
from tests.running import put
from tests.store.objects import new_store

pytestmark = on_every_engine

HEAD = "@ 60 IN SOA a a {serial} 1 1 1 1\n@ 60 IN NS a\n"


def records(store: Store) -> set[str]:
    view = store.view()
    content = b"".join(view.content(view.version("zones", "example.")))
    return set(content.decode().splitlines())


def put_hosts(store: Store, serial: int, hosts: range) -> None:
    text = "".join(f"h{host} 60 IN A 192.0.2.{host % 200}\n" for host in hosts)
    put(store, "zones", "example.", HEAD.format(serial=serial) + text)


@pytest.mark.parametrize("text_chunks", [1, 3, 64])
@pytest.mark.parametrize("hosts", [range(2000), range(500, 2500), range(3000, 5000), range(1)])
def test_a_large_change_comes_in_parts_that_make_the_new_content_of_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text_chunks: int, hosts: range
) -> None:
    monkeypatch.setattr(deltas, "TEXT_CHUNKS", text_chunks)
    with new_store(tmp_path, "source") as store:
        put_hosts(store, 1, range(2000))
        since, old = store.view().token, records(store)
        put_hosts(store, 2, hosts)
        view = store.view()
        changes = store.changes(since, view, ["zones"])
        diff = parse_diff(delta_lines(changes, since, view))
        gone = {line for _, line in diff.removed}
        come = {line for _, line in diff.added}
        assert gone <= old
        assert (old - gone) | come == records(store)
