"""The commands of `syncclient`; each is one session with a server."""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from syncclient.access import Access
from syncclient.cli.access import connection_options
from syncclient.cli.session import with_client
from syncclient.client import Client
from syncclient.dns.server import DnsServer
from syncd import __version__
from syncd.content.fleet import ServerState
from syncd.content.tokens import Token
from syncd.errors import IllegalValue, file_failure
from syncd.output import say, warn
from syncd.storeoption import warn_of_password

_PROGRAM = "syncclient"


def _options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return apply


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
type_option = click.option(
    "--type", "type_name", default="zones", show_default=True, help="Type of the object."
)
store_option = click.option(
    "--store",
    "store_url",
    callback=warn_of_password,
    metavar="URL",
    envvar="SYNCD_STORE",
    help="The replica's database.",
)
condition_options = _options(
    click.option("--digest", help="Refuse unless it is at this digest."),
    click.option("--serial", help="Refuse unless it is at this serial."),
    click.option("--comment", help="A word for the log."),
)


def _name_servers(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> list[DnsServer]:
    try:
        return [DnsServer.parse(text) for text in texts]
    except IllegalValue as error:
        raise click.BadParameter(str(error)) from None


query_options = _options(
    click.option(
        "--query",
        "servers",
        metavar="SERVER:PORT",
        multiple=True,
        callback=_name_servers,
        help="Ask this name server over DNS; may be repeated.",
    ),
    click.option("--records", is_flag=True, help="Ask for every record, not only the serials."),
    click.option(
        "--rate", type=click.FloatRange(min=0.1), metavar="N", help="Questions a second, at most."
    ),
    click.option("--zones", "pattern", metavar="PATTERN", help="Only these: a name, or with * ?"),
)
replica_options = _options(
    click.option(
        "--store",
        "store_url",
        callback=warn_of_password,
        metavar="URL",
        envvar="SYNCD_STORE",
        required=True,
        help="The replica's database, made a store if it is none: sqlite:///FILE, "
        "postgresql+psycopg://USER@HOST/DATABASE or mariadb+pymysql://USER@HOST/DATABASE.",
    ),
    click.option(
        "--zones-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of zone files to keep in step.",
    ),
    click.option("--types", help="Types to copy, with commas; else all that the user may read."),
    click.option(
        "--allow-large-change",
        is_flag=True,
        help="Apply a change that touches over 30 % of a type's objects.",
    ),
    json_option,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def syncclient() -> None:
    """Keep a fleet of servers identical: the replica's side. URL: syncd://USER@HOST:PORT"""


@syncclient.command()
@connection_options
@replica_options
@click.option("--freeze", is_flag=True, help="Have the source stand still meanwhile (SNGL).")
@click.option("--wait", default=10, show_default=True, help="Seconds the freeze waits for others.")
@click.option("--expire", default=60, show_default=True, help="Seconds until it ends by itself.")
def bootstrap(freeze: bool, wait: int, expire: int, **options: Any) -> None:
    """Make an empty store a verified copy of the server's."""
    from syncclient.cli.replication import replicate

    replicate(**options, verify=False, freeze=(wait, expire) if freeze else None, label="bootstrap")


@syncclient.command()
@connection_options
@replica_options
@click.option("--watch", is_flag=True, help="Stay, and follow every commit until interrupted.")
@click.option(
    "--verify",
    is_flag=True,
    help="First hash the whole replica and read all zone files; fetch again what is damaged.",
)
def resync(watch: bool, verify: bool, **options: Any) -> None:
    """Bring a replica to the server's last commit."""
    from syncclient.cli.replication import follow, replicate

    if watch:
        follow(**options, verify=verify)
    else:
        replicate(**options, verify=verify, freeze=None, label="resync")


@syncclient.command()
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML: sources, and the name server that is to answer what they hold.",
)
@click.option(
    "--print-config",
    "backend",
    metavar="BACKEND",
    help="Print a commented configuration for bind, knot, ..., and end.",
)
def follow(file: Path | None, backend: str | None) -> None:
    """Keep the name server on this machine in step with a source, until SIGTERM."""
    if backend is not None:
        from syncclient.follow.config import config_text

        for line in config_text(backend).splitlines():
            say(line)
        return
    if file is None:
        raise click.UsageError("give --config FILE; --print-config BACKEND shows what it may hold")
    from syncclient.cli.following import follow_source

    follow_source(file)


@syncclient.command()
@connection_options
@store_option
@json_option
def status(access: Access, store_url: str | None, as_json: bool) -> int:
    """Show where the server stands, and whether a replica stands there too."""
    from syncclient.cli.comparison import show_status

    return show_status(access, store_url, as_json)


@syncclient.command()
@connection_options
@click.option(
    "--store",
    "store_url",
    callback=warn_of_password,
    metavar="URL",
    envvar="SYNCD_STORE",
    required=True,
    help="The replica.",
)
@click.option("--types", help="Types to compare, with commas.")
@click.option("--text", is_flag=True, help="Show the lines that a resync would change.")
@json_option
def diff(
    access: Access,
    store_url: str,
    types: str | None,
    text: bool,
    as_json: bool,
) -> int:
    """List the objects in which a replica differs from the server."""
    from syncclient.cli.comparison import show_diff, show_text_diff

    if text:
        return show_text_diff(access, store_url, types)
    return show_diff(access, store_url, types, as_json)


@syncclient.command()
@connection_options
@store_option
@click.option("--types", default="*", help="Types to count, with commas.")
@query_options
@json_option
def verify(access: Access, store_url: str | None, types: str, as_json: bool, **query: Any) -> int:
    """Have the server count everything anew; and with --store hash the whole replica too.

    With --query ask name servers instead whether they answer what the server holds: every zone's
    serial, and with --records every record.
    """
    from syncclient.cli.comparison import show_verification

    if query["servers"]:
        # SYNCD_STORE stands for every command, and says nothing about this one.
        source = click.get_current_context().get_parameter_source("store_url")
        if source is ParameterSource.COMMANDLINE:
            raise click.UsageError("give --store or --query: one compares a store, one the answers")
        from syncclient.cli.served import show_served

        return show_served(access, **query, as_json=as_json)
    if query["records"] or query["rate"] is not None or query["pattern"] is not None:
        raise click.UsageError("--records, --rate and --zones belong to --query")
    return show_verification(access, store_url, types, as_json)


@syncclient.command()
@connection_options
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in ServerState]),
    help="Only those in this state; may be given again.",
)
@click.option("--watch", is_flag=True, help="Stay, and show it anew until interrupted.")
@click.option("--forget", metavar="NAME", help="Take a server that is gone off the list.")
@json_option
def servers(
    access: Access, states: tuple[str, ...], watch: bool, forget: str | None, as_json: bool
) -> int:
    """List the name servers behind the agents, and how they stand to the source, worst first."""
    from syncclient.cli.servers import forget_server, show_servers, watch_servers

    if forget is not None:
        forget_server(access, forget)
        return 0
    chosen = [ServerState(state) for state in states]
    if watch:
        watch_servers(access, chosen, as_json)
        return 0
    return show_servers(access, chosen, as_json)


@syncclient.command()
@connection_options
@click.argument("name")
@type_option
@click.option("--at", type=int, metavar="SEQ", help="As it was at this commit.")
@click.option("--output", type=click.Path(path_type=Path), help="File to write, else the terminal.")
def get(
    access: Access,
    name: str,
    type_name: str,
    at: int | None,
    output: Path | None,
) -> None:
    """Print an object's content."""

    async def work(client: Client) -> list[bytes]:
        return [part async for part in client.get(type_name, name, at=at)]

    parts = with_client(access, work)
    if output is None:
        _show(b"".join(parts))
    else:
        _write(output, b"".join(parts))


def _write(output: Path, content: bytes) -> None:
    """Put a file in place, whole. Raises FileFailed."""
    temporary = output.with_name(output.name + ".part")
    try:
        temporary.write_bytes(content)
        temporary.replace(output)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        error.filename = output  # the one that was asked for
        raise file_failure(error) from None


def _show(content: bytes) -> None:
    """Print an object as it is; on a terminal as text that cannot steer it."""
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(content)
        return
    for line in content.decode("utf-8", "backslashreplace").splitlines():
        say(line)


def _content(path: Path) -> list[bytes]:
    if str(path) == "-":
        return [sys.stdin.buffer.read()]
    return [path.read_bytes()]


def _tell(written: tuple[Token | None, list[str]]) -> None:
    token, warnings = written
    for text in warnings:
        warn(_PROGRAM, text)
    say("unchanged" if token is None else f"committed as {token}")


file_option = click.option(
    "--file", "path", type=click.Path(path_type=Path), default="-", help="File to read; - is stdin."
)


@syncclient.command()
@connection_options
@click.argument("name")
@type_option
@file_option
@condition_options
@click.option("--mode", help="Of a file: permissions, octal.")
@click.option("--mtime", help="Of a file: seconds since 1970.")
@click.option("--role", help="Of a user: reader, replica, operator or admin.")
def put(access: Access, name: str, type_name: str, path: Path, **options: Any) -> None:
    """Put an object's whole content."""
    content = _content(path)

    async def work(client: Client) -> tuple[Token | None, list[str]]:
        return await client.put(type_name, name, content, **options)

    _tell(with_client(access, work))


@syncclient.command()
@connection_options
@click.argument("name")
@type_option
@file_option
@condition_options
def patch(access: Access, name: str, type_name: str, path: Path, **options: Any) -> None:
    """Apply -record / +record lines; without --digest or --serial, to what is there now."""
    content = _content(path)

    async def work(client: Client) -> tuple[Token | None, list[str]]:
        if options["digest"] is None and options["serial"] is None:
            found = await client.info(type_name, name)
            if not found.rows:
                raise IllegalValue(f"{type_name} has no {name}")
            options["digest"] = found.rows[0]["digest"]
        return await client.patch(type_name, name, content, **options)

    _tell(with_client(access, work))


@syncclient.command()
@connection_options
@click.argument("name")
@type_option
@condition_options
def delete(access: Access, name: str, type_name: str, **options: Any) -> None:
    """Take an object out."""

    async def work(client: Client) -> tuple[Token | None, list[str]]:
        return await client.delete(type_name, name, **options)

    _tell(with_client(access, work))


@syncclient.command()
@connection_options
@click.option("--wait", default=10, show_default=True, help="Seconds to wait for the others.")
@click.option("--expire", default=60, show_default=True, help="Seconds until it ends by itself.")
def freeze(access: Access, wait: int, expire: int) -> None:
    """Have the source stand still until Ctrl-C."""
    from syncclient.cli.replication import hold_freeze

    hold_freeze(access, wait, expire)


@syncclient.command()
@connection_options
def shell(access: Access) -> None:
    """Talk to a server line by line, with history and completion."""
    from syncclient.cli.shell import run_shell

    run_shell(access)
