"""The line protocol without IO; protocol.md is its specification."""
