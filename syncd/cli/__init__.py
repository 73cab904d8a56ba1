"""The command line `syncd`."""

import sys

from syncd.quickstart import few_collections


def main(arguments: list[str] | None = None) -> None:
    """Entry point; ends the process with the exit status that README.md lists."""
    with few_collections():
        from syncd.cli.commands import syncd
        from syncd.output import run_command

        sys.exit(run_command("syncd", syncd, arguments))
