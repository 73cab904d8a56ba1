"""Options that several commands of `syncd` share."""

from typing import TYPE_CHECKING

import click

from syncd.storeoption import warn_of_password

if TYPE_CHECKING:
    from syncd.store import Store

_DEFAULT_STORE = "sqlite:///syncd.db"


def open_store(url: str) -> "Store":
    """Open the store that a command was given. Raises StoreError."""
    from syncd.store import Store  # brings in SQLAlchemy, beside which an import reads already

    return Store.open(url)


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
