"""Store URLs: which databases there are, what drives them, and what of a URL may be shown."""

from importlib.util import find_spec

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError

from syncd.errors import StoreError

_DRIVERS = {
    "sqlite": None,
    "sqlite+pysqlite": None,
    "postgresql+psycopg": ("psycopg", "syncd[postgresql]"),
    "mariadb+pymysql": ("pymysql", "syncd[mariadb]"),
    "mysql+pymysql": ("pymysql", "syncd[mariadb]"),
}
"""By a URL's beginning: the module that it needs, and what brings that."""

KNOWN = "sqlite:///FILE, postgresql+psycopg://USER@HOST/DATABASE or mariadb+pymysql://USER@HOST/DATABASE"

_SECRET_OPTIONS = frozenset(
    {
        "password", "passwd", "sslpassword", "ssl_key_password", "scram_client_key",
        "scram_server_key", "oauth_client_secret",
    }
)  # fmt: skip
"""Of the drivers, behind a URL's `?`."""


def parse_url(text: str, what: str = "store") -> URL:
    """Return the URL of a store, or of `what` messages shall call it.

    Raises StoreError for what is none, or if its driver is missing.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise StoreError(
            f"{what} {_shown_text(text)!r}: no database URL that can be used; it is {KNOWN}"
        ) from None
    if url.drivername not in _DRIVERS:
        raise StoreError(
            f"{what} {shown_url(text)!r}: no database URL that can be used: there is no "
            f"{url.drivername!r}; it is {KNOWN}"
        )
    driver = _DRIVERS[url.drivername]
    if driver is not None and find_spec(driver[0]) is None:
        raise StoreError(
            f"{what} {shown_url(text)}: the driver {driver[0]} is not installed; "
            f"`pip install '{driver[1]}'` brings it"
        )
    return url


def connected(engine: Engine, url: URL, what: str) -> Connection:
    """Return a connection to the database of a URL, which `what` calls it. Raises StoreError for
    what a driver makes of options that it does not know, and of what can be no host's name."""
    try:
        return engine.connect()
    except UnicodeError:
        raise StoreError(f"{what}: {url.host} is no name of a host") from None
    except (TypeError, ValueError, AttributeError):  # from within the driver
        if not url.query:
            raise
        raise StoreError(not_taken(what)) from None


def not_taken(what: str) -> str:
    """Return what to say where a driver has no such options."""
    return f"{what}: cannot be opened: the driver does not take what stands behind the `?`"


def shown_url(text: str) -> str:
    """Return a store's URL as it may be shown: without any password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        return _shown_text(text)
    secret = {name: "***" for name in url.query if name in _SECRET_OPTIONS}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


def holds_password(text: str) -> bool:
    """Say whether a store's URL has a password in it."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        return _may_hold_password(text)
    return url.password is not None or not _SECRET_OPTIONS.isdisjoint(url.query)


def _shown_text(text: str) -> str:
    """Return a text that is no URL as it may be shown: a password may be anywhere in it."""
    if not _may_hold_password(text):
        return text
    scheme, found, _ = text.partition("://")
    return f"{scheme}://***" if found and scheme.replace("+", "").isalnum() else "***"


def _may_hold_password(text: str) -> bool:
    return "@" in text or "?" in text
