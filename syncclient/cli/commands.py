"""The commands of `syncclient`; each is one session with a server."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from syncclient.access import Access
from syncclient.cli.access import connection_options
from syncclient.cli.options import (
    condition_options,
    file_option,
    json_option,
    needed_store_option,
    query_options,
    replica_options,
    store_option,
    type_option,
)
from syncd import __version__
from syncd.content.fleet import ServerState
from syncd.output import say


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
    if watch:
        from syncclient.cli.watching import watch_source

        watch_source(**options, verify=verify)
    else:
        from syncclient.cli.replication import replicate

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
@needed_store_option
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
@click.option("--types", help="Types to count, with commas; else those that the replica takes.")
@query_options
@json_option
def verify(
    access: Access, store_url: str | None, types: str | None, as_json: bool, **query: Any
) -> int:
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
        if watch or states or as_json:
            raise click.UsageError("--forget goes by itself")
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

    from syncclient.cli.objects import get_object

    get_object(access, type_name, name, at=at, output=output)


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
    from syncclient.cli.objects import put_object

    put_object(access, type_name, name, path, options)


@syncclient.command()
@connection_options
@click.argument("name")
@type_option
@file_option
@condition_options
def patch(access: Access, name: str, type_name: str, path: Path, **options: Any) -> None:
    """Apply -record / +record lines; without --digest or --serial, to what is there now."""
    from syncclient.cli.objects import patch_object

    patch_object(access, type_name, name, path, options)


@syncclient.command()
@connection_options
@click.argument("name")
@type_option
@condition_options
def delete(access: Access, name: str, type_name: str, **options: Any) -> None:
    """Take an object out."""
    from syncclient.cli.objects import delete_object

    delete_object(access, type_name, name, options)


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
def shell(access: Access) -> int:
    """Talk to a server line by line, with history and completion."""
    from syncclient.cli.shell import run_shell

    return run_shell(access)
