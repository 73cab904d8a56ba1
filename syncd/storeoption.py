"""A database's URL as an option of a command: what of it does not belong on the command line."""

import click
from click.core import ParameterSource

from syncd.output import warn


def warn_of_password(
    context: click.Context, parameter: click.Parameter, url: str | None
) -> str | None:
    """Return a database's URL as it was given; say so if its password stands on the command line,
    where every user of the machine can read it."""
    assert parameter.name is not None
    given = context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    if given and url is not None and ("@" in url or "?" in url):
        from syncd.store.url import holds_password  # brings in SQLAlchemy

        if holds_password(url):
            warn(
                context.find_root().info_name or "syncd",
                "the list of processes shows everybody the password in this URL; give the URL in "
                f"{parameter.envvar} instead",
            )
    return url
