"""The command line `syncclient`."""

import sys

from syncd.quickstart import few_collections


def main(arguments: list[str] | None = None) -> None:
    """Entry point; ends the process with the exit status that README.md lists."""
    with few_collections():
        from syncclient.cli.commands import syncclient
        from syncd.output import run_command

        sys.exit(run_command("syncclient", syncclient, arguments))
