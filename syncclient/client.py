"""The typed client: one method per verb.

    async with Client.connect("syncd://alice@ns1.example.com", password) as client:
        for zone in (await client.info("zones")).rows:
            print(zone["zone"], zone["serial"])

Methods raise the errors of syncd.errors: Refused (what the server refused, by code),
ConnectionFailed, ProtocolViolation.
"""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import trio

from syncclient.address import Address
from syncclient.answers import (
    Frozen,
    parse_proof,
    parse_row,
    parse_server_row,
    parse_written,
    understood,
)
from syncclient.connection import Connection
from syncclient.dialling import open_connection
from syncclient.tls import ClientTls
from syncd.content.fleet import ServerRow, ServerState
from syncd.content.reports import ServerReport
from syncd.content.tokens import Proof, Token
from syncd.errors import IllegalValue, PasswordRequired, ProtocolViolation, Refused
from syncd.protocol import codes
from syncd.protocol.events import Reply
from syncd.protocol.fields import escape, split_fields, unescape, value_field

MAX_LISTING_BYTES = 256 * 1024 * 1024
"""Longest listing that is held in memory: two million zones."""

_LINE_OVERHEAD_BYTES = 64
"""What a line takes in memory besides its characters."""


@dataclass(frozen=True, slots=True)
class Info:
    """Answer of `SYNC type|info`: the proof of the view, and a mapping per object."""

    proof: Proof
    rows: list[dict[str, str]]


class Client:
    """A session with a server; see the module's top."""

    def __init__(self, connection: Connection, user: str | None, password: str) -> None:
        self.connection = connection
        self._replies_before = 0 if connection.greeted else 1
        """Replies to be read before the next command's own: greeting and login."""
        self._watches = False
        self.logged_in = False
        self.turned_away = False
        """Whether the server refused the login: there is nothing to ask on this connection."""
        if user is not None:
            connection.send("USER", user)
            connection.send("PASS", password)
            self._replies_before += 2

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        address: str | Address,
        password: str = "",
        *,
        tls: ClientTls = ClientTls(),  # noqa: B008 (it is frozen)
    ) -> AsyncIterator["Client"]:
        """Dial and log in; to other machines under TLS, unless `tls` says otherwise.

        The login's result is seen with the first command; with a certificate, here. Raises
        ConnectionFailed, NotTrusted, TlsRequired, ConfigError, IllegalValue.
        """
        where = Address.parse(address) if isinstance(address, str) else address
        _check_password(password)
        connection = await open_connection(where, tls)
        try:
            if tls.cert_file is None or where.user is None:
                yield cls(connection, where.user, password)
            else:
                client = cls(connection, None, "")
                await client._log_in_by_certificate(where.user, password)
                yield client
        finally:
            with trio.CancelScope(shield=True):
                await connection.aclose()

    async def _log_in_by_certificate(self, user: str, password: str) -> None:
        """Log in without a password, if the certificate has the user's name; else with it."""
        reply = await self.command("USER", user)
        if reply.code // 100 == codes.MORE:
            if not password:
                raise PasswordRequired(
                    f"the certificate does not log in {user}: its name is another, or the server "
                    "does not trust its CA; give a password, or the certificate of that user"
                )
            await self.command("PASS", password)
        self.logged_in = True

    async def log_in(self) -> None:
        """Read the greeting and the login's replies, if they were not yet. Raises Refused."""
        while self._replies_before:
            self._replies_before -= 1
            try:
                reply = await self.connection.reply()
            except Refused:
                self.turned_away = True
                raise
            self.logged_in = reply.code // 100 == codes.DONE and "|" in reply.text

    async def command(self, verb: str, argument: str = "") -> Reply:
        """Send one command and return its reply line. Raises Refused."""
        self.connection.send(verb, argument)
        await self.log_in()
        return await self.connection.reply()

    async def listing(self, verb: str, argument: str = "") -> tuple[str, list[str]]:
        """Send a command that answers with a listing; return its heading and lines.

        Raises ProtocolViolation for a listing of over 256 MiB, which may well have no end.
        """
        reply = await self.command(verb, argument)
        if reply.code // 100 != codes.LISTING:
            raise ProtocolViolation(f"{verb} answered {reply.code} {reply.text:.60}, no listing")
        lines: list[str] = []
        size_bytes = 0
        async with aclosing(self.connection.lines()) as received:
            async for line in received:
                size_bytes += len(line) + _LINE_OVERHEAD_BYTES
                if size_bytes > MAX_LISTING_BYTES:
                    raise ProtocolViolation(f"{verb} answers with over {MAX_LISTING_BYTES} bytes")
                lines.append(line)
        return reply.text, lines

    async def blocks(self, verb: str, argument: str = "") -> AsyncGenerator[bytes | Reply, None]:
        """Send a command with a long answer; yield its blocks, and last the line that ends it."""
        self.connection.send(verb, argument)
        await self.log_in()
        async with aclosing(self.connection.answer()) as parts:
            async for part in parts:
                yield part

    # Looking around

    async def noop(self) -> None:
        """NOOP: keep the session, and its freeze, alive."""
        await self.command("NOOP")

    async def echo(self, text: str) -> str:
        """ECHO: return what the server sends back, `text`."""
        return (await self.command("ECHO", text)).text

    async def time(self) -> int:
        """TIME: the server's clock, seconds since 1970."""
        text = (await self.command("TIME")).text
        return understood("TIME", text, lambda: int(text.split("|")[0]))

    async def server_info(self) -> list[str]:
        """INFO: Citadel's 25 lines, then key=value."""
        return (await self.listing("INFO"))[1]

    async def help(self, verb: str = "") -> list[str]:
        """HELP: return the lines about a verb, or about all."""
        return (await self.listing("HELP", verb))[1]

    async def who(self) -> list[list[str]]:
        """RWHO: of each session Citadel's 12 columns, then role and since; see protocol.md."""
        return [split_fields(line) for line in (await self.listing("RWHO"))[1]]

    async def info(
        self, type_name: str, pattern: str | None = None, *, at: int | None = None
    ) -> Info:
        """SYNC type|info. `pattern` is a name or has wildcards; `at` is a commit."""
        from syncd.types import data_type

        argument = sync_request(type_name, "info", [pattern] if pattern else [], at=at)
        heading, lines = await self.listing("SYNC", argument)
        columns = data_type(type_name).columns
        rows = [understood("info", line, partial(parse_row, columns, line)) for line in lines]
        return Info(parse_proof(heading), rows)

    async def names(self, type_name: str) -> list[str]:
        """SYNC type|list."""
        lines = (await self.listing("SYNC", sync_request(type_name, "list")))[1]
        return [split_fields(line)[0] for line in lines]

    async def get(
        self, type_name: str, name: str, *, at: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """SYNC type|get: yield an object's content. Raises NoSuchObject."""
        request = sync_request(type_name, "get", [name], at=at)
        async with aclosing(self.blocks("SYNC", request)) as parts:
            async for part in parts:
                if isinstance(part, bytes):
                    yield part

    async def delta_text(self, types: str, token: Token) -> list[str]:
        """SYNC types|delta as text: `@` lines name objects, `-` and `+` lines follow."""
        return (await self.listing("SYNC", sync_request(types, "delta", [str(token)])))[1]

    async def verify(self, types: str, *, at: int | None = None) -> Proof:
        """SYNC types|verify: have the server count and add up anew."""
        return parse_proof((await self.command("SYNC", sync_request(types, "verify", at=at))).text)

    # Changing

    async def put(
        self,
        type_name: str,
        name: str,
        content: Sequence[bytes],
        **options: str | int | None,
    ) -> tuple[Token | None, list[str]]:
        """SYNC type|put: return the commit's token (None: nothing changed) and warnings.

        Options: digest, serial, comment, and those of the type (role, mode, mtime).
        """
        return await self._send_content(type_name, "put", name, content, options)

    async def patch(
        self,
        type_name: str,
        name: str,
        diff: Sequence[bytes],
        **options: str | int | None,
    ) -> tuple[Token | None, list[str]]:
        """SYNC type|patch: `diff` is -/+ lines; give digest= or serial=. Raises MovedOn."""
        return await self._send_content(type_name, "patch", name, diff, options)

    async def _send_content(
        self,
        type_name: str,
        action: str,
        name: str,
        content: Sequence[bytes],
        options: dict[str, str | int | None],
    ) -> tuple[Token | None, list[str]]:
        size = sum(len(part) for part in content)
        reply = await self.command(
            "SYNC", sync_request(type_name, action, [name], size=size, **options)
        )
        if reply.code // 100 != codes.WANT_BLOCK or reply.size != size:
            raise ProtocolViolation(f"{action} answered {reply.code} {reply.text:.60}")
        await self.connection.send_body(content)
        return parse_written((await self.connection.reply()).text)

    async def delete(
        self, type_name: str, name: str, **options: str | int | None
    ) -> tuple[Token | None, list[str]]:
        """SYNC type|delete. Raises NoSuchObject, MovedOn."""
        argument = sync_request(type_name, "delete", [name], **options)
        return parse_written((await self.command("SYNC", argument)).text)

    # Name servers

    async def report(self, report: ServerReport) -> None:
        """SYNC servers|report: say how a name server is; also between notices.

        Raises HigherAccessRequired if the name is another user's, TooBig for too many servers.
        """
        argument = sync_request("servers", "report", [report.name], **report.to_options())
        await self.command("SYNC", argument)

    async def servers(self, states: Iterable[ServerState] = ()) -> list[ServerRow]:
        """SYNC servers|list: those in `states` (none given: all), worst first."""
        chosen = ",".join(state.value for state in states) or None
        _, lines = await self.listing("SYNC", sync_request("servers", "list", state=chosen))
        return [understood("servers", line, partial(parse_server_row, line)) for line in lines]

    async def forget_server(self, name: str) -> None:
        """SYNC servers|forget. Raises NoSuchObject."""
        await self.command("SYNC", sync_request("servers", "forget", [name]))

    # Freezing and watching

    async def freeze(self, wait_s: int = 0, expire_s: int = 60) -> Frozen:
        """SNGL: the source stands still until `release`, or `expire_s` without a command."""
        self.connection.patience_s += wait_s
        try:
            reply = await self.command("SNGL", f"{wait_s}|{expire_s}")
        finally:
            self.connection.patience_s -= wait_s
        return understood("SNGL", reply.text, lambda: Frozen.parse(*reply.text.split("|")))

    async def release(self) -> None:
        """ESNG: end the freeze. Raises IllegalValue if there is none (any more)."""
        await self.command("ESNG")

    async def freeze_ended(self, wait_s: float) -> str | None:
        """Wait up to `wait_s` seconds for word that the freeze of this session, which sent ASYN 1,
        has ended; return by whom, None if it has not."""
        with trio.move_on_after(wait_s):
            while True:
                kind, *fields = (await self.connection.notice()).text.split("|")
                if kind == "release":
                    return unescape("|".join(fields))
        return None

    async def watch(self, types: str) -> AsyncIterator[Token]:
        """SYNC types|watch: yield the token of each commit; those that come close together as
        one."""
        yield await self.begin_watch(types)
        while True:
            token = await self._next_commit()
            if token is not None:
                yield token

    async def begin_watch(self, types: str) -> Token:
        """ASYN 1 and SYNC types|watch; return where the source stands."""
        self.connection.send("ASYN", "1")
        self.connection.send("SYNC", sync_request(types, "watch"))
        await self.log_in()
        await self.connection.reply()
        self._watches = True
        text = (await self.connection.reply()).text
        return understood("watch", text, lambda: Token.parse(text))

    async def wait_for_commit(self, types: str, present: Token, poll_s: float) -> None:
        """Wait until the source is beyond `present`, or `poll_s` seconds, up to a tenth more."""
        if not self._watches and await self.begin_watch(types) != present:
            return
        with trio.move_on_after(poll_s * random.uniform(1.0, 1.1)):
            while await self._next_commit() in (None, present):
                pass

    async def _next_commit(self) -> Token | None:
        """Return the token of the next notice, None if it is about something else."""
        kind, *fields = (await self.connection.notice()).text.split("|")
        if kind != "commit":
            return None
        return understood("a notice", "|".join(fields), lambda: Token.parse(fields[0]))

    async def quit(self) -> None:
        """QUIT."""
        await self.command("QUIT")


def sync_request(
    types: str, action: str, values: Iterable[str] = (), **options: str | int | None
) -> str:
    """Return a SYNC line's argument; options that are None are left out."""
    fields = [types, action, *(value_field(value) for value in values)]
    fields += [f"{key}={escape(str(value))}" for key, value in options.items() if value is not None]
    return "|".join(fields)


def _check_password(password: str) -> None:
    """Refuse a password that cannot be sent, without showing it."""
    if any(char in password for char in "\r\n\0"):
        raise IllegalValue("a password is one line: it has no line end and no NUL")
