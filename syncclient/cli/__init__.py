"""The command line `syncclient`."""

import sys

from syncclient.cli.commands import syncclient
from syncd.output import run_command


def main(arguments: list[str] | None = None) -> None:
    """Entry point; ends the process with the exit status that README.md lists."""
    sys.exit(run_command("syncclient", syncclient, arguments))
