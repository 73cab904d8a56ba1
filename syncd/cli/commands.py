"""The commands of `syncd`; each opens the store it is given and says what it did."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from syncd import __version__
from syncd.cli.importing import import_
from syncd.cli.options import json_option, open_store, store_option
from syncd.output import bytes_text, counted, print_table, say, time_text, warn
from syncd.storeoption import warn_of_password
from syncd.types import EVERY_TYPE, Role

_DAY_S = 24 * 3600
_KEPT_DAYS = 30
_DAMAGED_STATUS = 8


def tls_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that stand for section [tls]."""
    path = click.Path()
    for option in reversed(
        (
            click.option(
                "--tls-cert",
                type=path,
                help="[tls] cert_file: certificate chain, PEM.",
            ),
            click.option("--tls-key", type=path, help="[tls] key_file: its key, if elsewhere."),
            click.option(
                "--tls-listen",
                metavar="HOST[:PORT]",
                help="[tls] listen: with TLS from the first byte (syncds://); port 5041.",
            ),
            click.option(
                "--tls-client-ca",
                type=path,
                help="[tls] client_ca_file: CAs whose client certificates log users in.",
            ),
            click.option(
                "--allow-clear-passwords",
                is_flag=True,
                help="[tls] allow_clear_passwords: from other machines, without TLS.",
            ),
        )
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def syncd() -> None:
    """Keep a fleet of servers, DNS servers first, identical: the source's side."""


@syncd.command()
@store_option
def init(store_url: str) -> None:
    """Make an empty store."""
    from syncd.store import Store
    from syncd.store.url import shown_url

    with Store.create(store_url) as store:
        say(f"{shown_url(store_url)} is an empty store, at {store.clock().token}")


@syncd.command()
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="Configuration, TOML; --print-config shows one.",
)
@click.option(
    "--store",
    "store_url",
    callback=warn_of_password,
    envvar="SYNCD_STORE",
    metavar="URL",
    help="[store] url (or SYNCD_STORE).",
)
@click.option("--host", help="[listen] host.")
@click.option("--port", type=click.IntRange(0, 65535), help="[listen] port; 0 picks a free one.")
@click.option("--max-sessions", type=click.IntRange(1), help="[limits] max_sessions: at once.")
@tls_options
@click.option(
    "--hide-user-names", is_flag=True, help="[login] hide_user_names: USER does not tell them."
)
@click.option("--verbose", "log_level", flag_value="debug", help='[log] level = "debug".')
@click.option("--quiet", "log_level", flag_value="warning", help='[log] level = "warning".')
@click.option("--log-format", type=click.Choice(["text", "json"]), help="[log] format.")
@click.option(
    "--print-config", is_flag=True, help="Print the configuration as a commented file, and end."
)
def serve(print_config: bool, **options: Any) -> None:
    """Serve the store until interrupted. Options come before what the file says.

    SIGHUP: read the certificate again.
    """
    from syncd.cli.serving import read_config, serve_store

    config = read_config(**options)
    if print_config:
        sys.stdout.write(config.text())
    else:
        serve_store(config)


@syncd.command()
@click.option("--keep", is_flag=True, help="Leave the temporary folder for a look.")
def demo(keep: bool) -> None:
    """Show the main job end to end in a temporary folder."""
    from syncd.cli.demo import run_demo

    run_demo(keep=keep)


syncd.add_command(import_)


@syncd.command()
@click.argument("type_name", metavar="zones|files", type=click.Choice(["zones", "files"]))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@store_option
@click.option("--at", type=int, metavar="SEQ", help="As it was at this commit.")
def export(type_name: str, folder: Path, store_url: str, at: int | None) -> None:
    """Write zones or files into a folder."""
    from syncd.ingest.export import export_objects

    with open_store(store_url) as store:
        count = export_objects(store, type_name, folder, at=at)
    say(f"{counted(count, type_name.removesuffix('s'))} written to {folder}")


@syncd.command()
@store_option
@click.option("--limit", type=click.IntRange(1), help="Only the newest so many.")
@json_option
def log(store_url: str, limit: int | None, as_json: bool) -> None:
    """List the commits, newest first."""
    with open_store(store_url) as store:
        rows = [
            (commit.seq, time_text(commit.at), commit.author, commit.objects, commit.comment)
            for commit in store.log(limit)
        ]
    print_table(("commit", "time", "author", "objects", "comment"), rows, as_json=as_json)


@syncd.command()
@store_option
@click.option(
    "--keep-days",
    type=click.IntRange(0),
    help=f"Days that stay readable; {_KEPT_DAYS} if nothing is said.",
)
@click.option(
    "--keep-commits", type=click.IntRange(1), help="Instead: so many commits stay readable."
)
def gc(store_url: str, keep_days: int | None, keep_commits: int | None) -> None:
    """Remove what only old commits can show."""
    if keep_days is not None and keep_commits is not None:
        raise click.UsageError("give --keep-days or --keep-commits, not both")
    with open_store(store_url) as store:
        if keep_commits is not None:
            swept = store.collect(keep_seq=max(0, store.clock().seq + 1 - keep_commits))
        else:
            days = _KEPT_DAYS if keep_days is None else keep_days
            swept = store.collect(keep_since=int(time.time()) - days * _DAY_S)
    say(
        f"the oldest commit is now {swept.floor}; removed {counted(swept.commits, 'commit')}, "
        f"{counted(swept.versions, 'version')}, {counted(swept.chunks, 'chunk')} "
        f"({bytes_text(swept.chunk_bytes)})"
    )


@syncd.command()
@store_option
@json_option
def fsck(store_url: str, as_json: bool) -> int:
    """Hash everything again and compare whatever the store says twice."""
    with open_store(store_url) as store:
        damages = [(damage.where, damage.what) for damage in store.fsck()]
        token = store.clock().token
    if damages or as_json:
        print_table(("where", "what"), damages, as_json=as_json)
    if damages:
        say(f"syncd: {len(damages)} damages found", err=True)
        return _DAMAGED_STATUS
    if not as_json:
        say(f"sound, at {token}")
    return 0


@syncd.command()
@store_option
def restored(store_url: str) -> None:
    """Begin a new history: do this after putting a backup in place of the store."""
    with open_store(store_url) as store:
        token = store.renew_epoch()
    say(f"a new history begins at {token}; every replica compares everything once")


@syncd.command()
@store_option
def promote(store_url: str) -> None:
    """Make a source of a replica: of one that copied all types."""
    with open_store(store_url) as store, store.synchronising():
        copied = store.clock().types
        token = store.promote()
    if copied != EVERY_TYPE:
        warn("syncd", f"it copied {copied} only; what else the source had is not here")
    say(f"a source now, with a new history from {token} on; point its replicas and agents here")


@syncd.group()
def user() -> None:
    """Manage the users of the protocol."""


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask at: give --password-stdin")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password's line from standard input."
)


role_choice = click.Choice([role.label for role in Role], case_sensitive=False)


@user.command("add")
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=role_choice,
    help="What the user may do, each more than the one before.",
)
@password_option
@store_option
def user_add(name: str, role: str, password_stdin: bool, store_url: str) -> None:
    """Add a user."""
    from syncd.cli.users import add_user

    with open_store(store_url) as store:
        added = add_user(store, name, role, lambda: _read_password(password_stdin))
    say(f"user {added} may log in as {role.lower()}")


@user.command("passwd")
@click.argument("name")
@password_option
@store_option
def user_passwd(name: str, password_stdin: bool, store_url: str) -> None:
    """Give a user another password."""
    from syncd.cli.users import change_password

    with open_store(store_url) as store:
        change_password(store, name, lambda: _read_password(password_stdin))
    say(f"user {name} has a new password")


@user.command("role")
@click.argument("name")
@click.argument("role", type=role_choice)
@store_option
def user_role(name: str, role: str, store_url: str) -> None:
    """Give a user another role, in open sessions too."""
    from syncd.cli.users import change_role

    with open_store(store_url) as store:
        change_role(store, name, role)
    say(f"user {name} is {role.lower()} now")


@user.command("remove")
@click.argument("name")
@store_option
def user_remove(name: str, store_url: str) -> None:
    """Remove a user."""
    from syncd.cli.users import remove_user

    with open_store(store_url) as store:
        remove_user(store, name)
    say(f"user {name} is gone")


@user.command("list")
@store_option
@json_option
def user_list(store_url: str, as_json: bool) -> None:
    """List the users."""
    with open_store(store_url) as store:
        rows = [
            (version.name, version.attribute("role"), time_text(version.mtime))
            for version in store.view().versions(["users"])
        ]
    print_table(("user", "role", "changed"), rows, as_json=as_json)
