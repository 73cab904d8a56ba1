"""SYNC servers: what the agents of name servers report, and how all of them stand to this source.

Nothing of it is replicated or a commit; a report may come every few seconds from each of them.
"""

from syncd.content.fleet import ServerRow, ServerState, judge, worst_first
from syncd.content.reports import ServerReport, check_server_name
from syncd.content.versions import fingerprint_text
from syncd.errors import IllegalValue
from syncd.logs import EventLog
from syncd.protocol.codes import Code
from syncd.protocol.fields import join_fields
from syncd.server.registry import subject_action
from syncd.server.requests import SyncRequest
from syncd.server.session import Session
from syncd.server.verbs.sync_read import packed_rows, send_blocks
from syncd.store.reports import Fleet
from syncd.types import Role

SERVERS = "servers"
"""Name servers, as their agents report them."""

log = EventLog("syncd.session")


@subject_action(
    SERVERS,
    "SYNC servers|list[|state=state,...][|format=text,msgpack]",
    role=Role.READER,
    summary="how each name server stands to the source, worst first",
    options={"state": "only those in these states"},
    formats=("text", "msgpack"),
)
async def list_(session: Session, request: SyncRequest) -> None:
    if request.values:
        raise IllegalValue(f"it takes no value; syntax: {request.action.syntax}")
    states = _states(request)
    fleet, rows = await session.daemon.in_thread(_rows, session, states)
    heading = (
        f"{fleet.source.head}|{fleet.zones}|{fingerprint_text(fleet.source.fingerprint)}"
        f"|{len(fleet.kept)}"
    )
    if request.format == "msgpack":
        await send_blocks(session, packed_rows(row.cells() for row in rows), heading)
    else:
        await session.listing(heading, (join_fields(row.fields()) for row in rows))


def _states(request: SyncRequest) -> frozenset[ServerState]:
    text = request.options.get("state")
    if text is None:
        return frozenset(ServerState)
    return frozenset(ServerState.parse(name) for name in text.split(","))


def _rows(session: Session, states: frozenset[ServerState]) -> tuple[Fleet, list[ServerRow]]:
    store = session.daemon.store
    fleet = store.fleet()
    now = store.now()
    rows = [judge(kept, fleet.source, now) for kept in fleet.kept]
    return fleet, sorted((row for row in rows if row.state in states), key=worst_first)


@subject_action(
    SERVERS,
    "SYNC servers|report|name|backend=word|state=applied or failed|every=s[|version=text]"
    "[|token=token][|fingerprint=hex][|reason=text][|took=ms][|changed=s][|zones=n][|refused=n]",
    role=Role.REPLICA,
    summary="say how a name server is; its last report is written over",
    options={
        "backend": "what kind of name server, or files",
        "state": "applied or failed: how the last attempt to bring it up to date ended",
        "every": "how often a report is promised, seconds",
        "version": "of the name server, as it says itself",
        "token": "the commit that was applied last",
        "fingerprint": "of the zones that the name server really answers",
        "reason": "why it failed, or what else is worth saying",
        "took": "how long the last change took, milliseconds",
        "changed": "how many seconds ago it was",
        "zones": "how many zones it answers",
        "refused": "how many zones it would not take",
    },
)
async def report(session: Session, request: SyncRequest) -> None:
    said = ServerReport.from_options(request.one_value("name"), request.options)
    session.last_request = None  # one a second and more: the log has those that are new
    assert session.user is not None
    assert session.role is not None
    daemon = session.daemon
    user, may_take_over = session.user, session.role >= Role.OPERATOR
    async with daemon.reporting:
        is_new = await daemon.in_thread(
            lambda: daemon.store.keep_report(said, user, may_take_over=may_take_over)
        )
    if is_new:
        log.info("server_added", session=session.number, user=user, server=said.name)
    session.reply(Code.OK, join_fields([said.name, said.outcome.value]))


@subject_action(
    SERVERS,
    "SYNC servers|forget|name",
    role=Role.OPERATOR,
    summary="take a name server that is gone off the list, and free its name",
)
async def forget(session: Session, request: SyncRequest) -> None:
    name = check_server_name(request.one_value("name"))
    await session.daemon.in_thread(session.daemon.store.forget_server, name)
    log.info("server_forgotten", session=session.number, user=session.user, server=name)
    session.reply(Code.OK, join_fields([f"{name} is forgotten"]))
