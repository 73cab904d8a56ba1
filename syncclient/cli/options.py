"""Options that several commands of `syncclient` have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.errors import IllegalValue
from syncd.storeoption import warn_of_password

if TYPE_CHECKING:
    from syncclient.dns import DnsServer


def _options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return apply


def _store(text: str, *, required: bool = False) -> Callable[[Any], Any]:
    return click.option(
        "--store",
        "store_url",
        callback=warn_of_password,
        metavar="URL",
        envvar="SYNCD_STORE",
        required=required,
        help=text,
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
type_option = click.option(
    "--type", "type_name", default="zones", show_default=True, help="Type of the object."
)
store_option = _store("The replica's database.")
needed_store_option = _store("The replica.", required=True)
file_option = click.option(
    "--file", "path", type=click.Path(path_type=Path), default="-", help="File to read; - is stdin."
)
condition_options = _options(
    click.option("--digest", help="Refuse unless it is at this digest."),
    click.option("--serial", help="Refuse unless it is at this serial."),
    click.option("--comment", help="A word for the log."),
)


def _name_servers(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> "list[DnsServer]":
    from syncclient.dns import DnsServer

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
    _store(
        "The replica's database, made a store if it is none: sqlite:///FILE, "
        "postgresql+psycopg://USER@HOST/DATABASE or mariadb+pymysql://USER@HOST/DATABASE.",
        required=True,
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
