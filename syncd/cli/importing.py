"""`syncd import`: from master files, folders, name servers and PowerDNS's database."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.options import (
    comment_option,
    json_option,
    open_store,
    store_option,
)
from syncd.errors import InvalidContent
from syncd.output import ProgressBar, counted, print_table, say, warn
from syncd.storeoption import warn_of_password

if TYPE_CHECKING:
    from syncd.ingest.staging import Imported
    from syncd.store import Store

_FAILED_FILES_STATUS = 5
_AUTHOR = "syncd import"

keep_going_option = click.option(
    "--keep-going", is_flag=True, help="Take the good zones, list the bad."
)
large_change_option = click.option(
    "--allow-large-change",
    is_flag=True,
    help="Let --delete take out more than 30 % of what the store has.",
)


def _checked_origin(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    from syncd.content.zone.reader import absolute_name

    try:
        return None if value is None else absolute_name(value, ".")
    except InvalidContent as error:
        raise click.BadParameter(str(error)) from None


@click.group("import")
def import_() -> None:
    """Take in zones or files, in one commit: all of them or none."""


@import_.command("zones")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@store_option
@comment_option
@click.option(
    "--origin",
    callback=_checked_origin,
    help="Origin of relative names; else what the SOA record, or the file's name, says.",
)
@keep_going_option
@click.option("--delete", "delete_others", is_flag=True, help="Zones that are not in PATHS go.")
@large_change_option
@json_option
def import_zones_command(
    paths: tuple[Path, ...],
    store_url: str,
    comment: str,
    origin: str | None,
    keep_going: bool,
    delete_others: bool,
    allow_large_change: bool,
    as_json: bool,
) -> int:
    """Import master files: files, or folders of them."""
    from syncd.ingest.masterfiles import find_master_files
    from syncd.ingest.readahead import reading_ahead

    files = find_master_files(paths)
    with reading_ahead(files, origin) as read, open_store(store_url) as store:
        from syncd.ingest.zones import import_zones

        bar = ProgressBar("import")
        try:
            result = import_zones(
                store,
                files,
                author=_AUTHOR,
                comment=comment,
                keep_going=keep_going,
                delete_others=delete_others,
                allow_large_change=allow_large_change,
                progress=lambda count: bar.advance(count, len(files)),
                read=read,
            )
        finally:
            bar.close()
        return _report(store, "zone", result, as_json)


@import_.command("files")
@click.argument("folder", type=click.Path(path_type=Path))
@store_option
@comment_option
@click.option("--delete", "delete_others", is_flag=True, help="Files not in the folder go.")
@large_change_option
@json_option
def import_files_command(
    folder: Path,
    store_url: str,
    comment: str,
    delete_others: bool,
    allow_large_change: bool,
    as_json: bool,
) -> int:
    """Import a folder's files, with mode and time."""
    from syncd.ingest.files import import_files

    with open_store(store_url) as store:
        result = import_files(
            store,
            folder,
            author=_AUTHOR,
            comment=comment,
            delete_others=delete_others,
            allow_large_change=allow_large_change,
        )
        return _report(store, "file", result, as_json)


@import_.command("axfr")
@click.argument("transfers", nargs=-1, required=True, metavar="ZONE@SERVER[:PORT]...")
@store_option
@comment_option
@click.option(
    "--tsig-key",
    "key_file",
    type=click.Path(path_type=Path),
    help="File with the key to sign with, for its owner only, as `tsig-keygen` prints it.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long each transfer may take.",
)
@keep_going_option
@json_option
def import_axfr_command(
    transfers: tuple[str, ...],
    store_url: str,
    comment: str,
    key_file: Path | None,
    timeout_s: float,
    keep_going: bool,
    as_json: bool,
) -> int:
    """Import zones by transfer (AXFR, over TCP) from name servers.

    An IPv6 address stands in brackets: example.com@[2001:db8::53]:53.
    """
    from syncd.ingest.axfr import Transfer, import_transfers
    from syncd.ingest.tsig import read_key

    wanted = [Transfer.parse(text) for text in transfers]
    key = None if key_file is None else read_key(key_file)
    with open_store(store_url) as store:
        result = import_transfers(
            store,
            wanted,
            key=key,
            timeout_s=timeout_s,
            author=_AUTHOR,
            comment=comment,
            keep_going=keep_going,
        )
        return _report(store, "zone", result, as_json)


@import_.command("powerdns")
@click.argument("url", metavar="URL", envvar="SYNCD_POWERDNS", callback=warn_of_password)
@store_option
@comment_option
@keep_going_option
@click.option(
    "--delete",
    "delete_others",
    is_flag=True,
    help="Zones of the store that PowerDNS does not have go.",
)
@large_change_option
@json_option
def import_powerdns_command(
    url: str,
    store_url: str,
    comment: str,
    keep_going: bool,
    delete_others: bool,
    allow_large_change: bool,
    as_json: bool,
) -> int:
    """Import the native and primary zones of a PowerDNS database (generic SQL schema).

    URL is the database's, written as that of --store; in SYNCD_POWERDNS no process list shows it.
    """
    from syncd.ingest.powerdns import import_powerdns

    with open_store(store_url) as store:
        result = import_powerdns(
            store,
            url,
            author=_AUTHOR,
            comment=comment,
            keep_going=keep_going,
            delete_others=delete_others,
            allow_large_change=allow_large_change,
        )
        return _report(store, "zone", result, as_json)


def _report(store: "Store", what: str, result: "Imported", as_json: bool) -> int:
    for text in result.warnings:
        warn("syncd", text)
    for error in result.failed:
        say(f"syncd: {error}", err=True)
    token = result.token or store.clock().token
    columns = ("read", "changed", "removed", "failed", "token")
    row = (result.objects, result.changed, result.removed, len(result.failed), str(token))
    if as_json:
        print_table(columns, [row], as_json=True)
    else:
        say(
            f"{counted(result.objects, what)} read, {result.changed} changed, "
            f"{result.removed} removed, {len(result.failed)} failed; the store is at {token}"
        )
    return _FAILED_FILES_STATUS if result.failed else 0
