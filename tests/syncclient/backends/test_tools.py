"""Tools of a name server: what they say is heard, and nobody waits for what they leave behind."""

import errno
import os
import sys

import pytest
import trio

from syncclient.backends import Stage, tools
from syncclient.backends.tools import Said, ToolTimedOut, run_tool
from syncd.errors import FileFailed, ServerFailed

_LIMIT_S = 10.0


def run(*command: str, timeout_s: float = _LIMIT_S, stdin: bytes = b"") -> Said:
    async def work() -> Said:
        return await run_tool(command, timeout_s=timeout_s, stage=Stage.CHECK, stdin=stdin)

    return trio.run(work)


def test_status_and_words_of_a_tool_are_told() -> None:
    said = run("sh", "-c", "cat; echo wrong >&2; exit 3", stdin=b"first\n")
    assert said == Said(3, "first\nwrong\n")
    assert said.message == "first; wrong"


def test_a_tool_that_starts_a_server_is_not_waited_for_as_long_as_that_runs() -> None:
    said = run("sh", "-c", "sleep 30 & echo $!")
    assert said.status == 0
    run("kill", said.text.strip())


def test_a_tool_that_takes_too_long_is_killed() -> None:
    with pytest.raises(ToolTimedOut, match=r"sleep did not end in 0.2 s"):
        run("sleep", "30", timeout_s=0.2)


def test_a_tool_that_is_not_there_is_named() -> None:
    with pytest.raises(ServerFailed, match="no-such-tool cannot be run"):
        run("no-such-tool")


def test_who_lacks_descriptors_is_not_told_to_install_a_tool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "rndc")

    monkeypatch.setattr(trio, "run_process", refused)
    with pytest.raises(FileFailed, match="rndc: Too many open files; raise the limit"):
        run("rndc")


def test_of_a_tool_that_goes_on_and_on_the_beginning_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tools, "_MAX_OUTPUT_BYTES", 100)
    said = run(sys.executable, "-c", "print('x' * 10000)")
    assert said == Said(0, "x" * 100)
