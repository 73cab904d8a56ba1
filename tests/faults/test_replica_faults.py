"""What a replica's machine may run into: a read-only disk, a full one, a locked store, no file
descriptors. A single run says so, and the next is in step; what runs for long outlives it.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.commands import Serving, finish, refused, run, start
from tests.databases import on_every_engine
from tests.databaseservers import SERVERS
from tests.disks import SmallDisk
from tests.faults.replicas import (
    PROGRAMS,
    Replica,
    full,
    locked,
    out_of_descriptors,
    read_only,
)

IN_STEP = "^bootstrap: | applied "
"""What a program says when it is in step for the first time."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, what is said of it, and the exit status of a single run."""

    of: Callable[[Replica], AbstractContextManager[None]]
    says: str
    status: int = 8


FAULTS = {
    "store read-only": Fault(
        lambda replica: read_only(replica.data),
        r"(readonly database; make the file|Permission denied; give this user the right)",
    ),
    "zones read-only": Fault(
        lambda replica: read_only(replica.zones), "Permission denied; give this user the right"
    ),
    "zones full": Fault(lambda replica: full(replica.disk), "No space left on device; make room"),
    "store locked": Fault(
        lambda replica: locked(replica.database), "another process keeps it locked", 6
    ),
}


on_every_database = pytest.mark.parametrize(
    ("fault", "databases"),
    [*((name, "sqlite") for name in FAULTS), *(("store locked", server) for server in SERVERS)],
    indirect=True,
)


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    return FAULTS[request.param]


@pytest.fixture
def replica(source: str, mounted: SmallDisk, tmp_path: Path) -> Iterator[Replica]:
    (tmp_path / "data").mkdir()
    with Serving(source) as serving:
        made = Replica(serving, source, tmp_path / "data", mounted)
        made.put(1)
        yield made


@on_every_database
def test_a_single_run_says_what_is_wrong_and_the_next_is_in_step(
    replica: Replica, fault: Fault
) -> None:
    command = replica.once()
    run(*command, within=replica.within)
    replica.put(2)
    with fault.of(replica):
        said = refused(*command, status=fault.status, within=replica.within)
        assert re.search(fault.says, said)
    run(*command, within=replica.within)
    replica.assert_in_step()


@on_every_database
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_runs_for_long_outlives_it_and_says_so_once(
    replica: Replica, fault: Fault, program: str
) -> None:
    with replica.start(program) as running:
        running.wait_until(lambda: running.says(IN_STEP))
        with fault.of(replica):
            replica.put(2)
            running.wait_until(lambda: running.says(fault.says))
            running.tries_again()
        running.wait_until(lambda: replica.is_at(2))
        assert "Traceback" not in "".join(running.said)
        said = [line for line in running.says(fault.says) if "not_collected" not in line]
        assert len(said) == 1, running.said
    replica.assert_in_step()


def test_an_agent_whose_zones_folder_was_never_writable_says_so(replica: Replica) -> None:
    """Nothing could be staged, so there is nothing to be put away either."""
    replica.zones.mkdir()
    fault = ExitStack()
    fault.enter_context(read_only(replica.zones))
    with fault, replica.start("follow") as running:
        running.wait_until(lambda: running.says(" failed "))
        assert "Permission denied; give this user the right" in running.says(" failed ")[0]
        fault.close()
        running.wait_until(lambda: replica.is_at(1))
        replica.assert_in_step()


@on_every_engine
def test_a_single_run_that_lacks_descriptors_says_so_and_the_next_is_in_step(
    replica: Replica,
) -> None:
    """However many it has: what needs the next one is another thing each time."""
    said = []
    for limit in range(6, 60, 2):
        within = [*replica.within, shutil.which("prlimit") or "prlimit", f"--nofile={limit}"]
        done = finish(start(*replica.once(), within=within))
        if done.status == 0:
            break
        said.append(done.err)
        assert done.status == 8, done
        assert re.fullmatch(r"syncclient: .*(ulimit -n).*\n", done.err)
    assert said
    replica.assert_in_step()


@on_every_engine
@pytest.mark.parametrize("spare", [0, 1, 2])
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_runs_for_long_outlives_a_lack_of_descriptors(
    replica: Replica, program: str, spare: int
) -> None:
    with replica.start(program) as running:
        running.wait_until(lambda: running.says(IN_STEP))
        with out_of_descriptors(running.process.pid, spare):
            replica.put(2)
            running.tries_again()
        running.wait_until(lambda: replica.is_at(2))
        assert "Traceback" not in "".join(running.said)
        said = running.says("ulimit -n")
        assert said or spare, running.said
        assert len(said) <= 1 + (spare > 0), running.said  # the next attempt may come further
    replica.assert_in_step()


@on_every_engine
@pytest.mark.parametrize("spare", [0, 1, 4])
def test_an_agent_that_lacks_descriptors_begins_once_it_has_them(
    replica: Replica, source: str, spare: int
) -> None:
    """None to dial with; one, and none for its store; none for who writes its zones folder."""
    port = ("--port", str(replica.serving.port))
    replica.serving.end()
    with replica.start("follow") as running:
        running.wait_until(lambda: running.says("source_failed"))
        with out_of_descriptors(running.process.pid, spare):
            with Serving(source, *port):
                running.wait_until(lambda: running.says("ulimit -n"))
                running.tries_again()
        with Serving(source, *port) as replica.serving:
            running.wait_until(lambda: replica.is_at(1))
            replica.assert_in_step()
        assert "Traceback" not in "".join(running.said)
        assert len(running.says("ulimit -n")) == 1, running.said
