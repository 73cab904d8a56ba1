"""Options that several commands of `syncd` share."""

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from syncd.output import warn

if TYPE_CHECKING:
    from syncd.store import Store

_DEFAULT_STORE = "sqlite:///syncd.db"


def open_store(url: str) -> "Store":
    """Open the store that a command was given. Raises StoreError."""
    from syncd.store import Store  # brings in SQLAlchemy, beside which an import reads already

    return Store.open(url)


def warn_of_password(context: click.Context, parameter: click.Parameter, url: str) -> str:
    """Return a database's URL as it was given; say so if its password stands on the command line,
    where every user of the machine can read it."""
    assert parameter.name is not None
    given = context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    if given and ("@" in url or "?" in url):
        from syncd.store.url import holds_password  # brings in SQLAlchemy

        if holds_password(url):
            warn(
                "syncd",
                "the list of processes shows everybody the password in this URL; give the URL in "
                f"{parameter.envvar} instead",
            )
    return url


store_option = click.option(
    "--store",
    "store_url",
    callback=warn_of_password,
    envvar="SYNCD_STORE",
    default=_DEFAULT_STORE,
    show_default=True,
    metavar="URL",
    help="Database of the store (or SYNCD_STORE): sqlite:///FILE, "
    "postgresql+psycopg://USER@HOST/DATABASE or mariadb+pymysql://USER@HOST/DATABASE.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
comment_option = click.option("--comment", default="", help="A word for the log.")
