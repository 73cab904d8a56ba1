"""Connections to PostgreSQL: octets come as such, and what the system refuses is said as the rest.

Imported where one is opened: the driver need not be installed otherwise.
"""

from collections.abc import Generator
from typing import Any, Self, TypeVar

from psycopg import Connection, Cursor, OperationalError
from psycopg.pq import Format

from syncd.errors import file_failure

T = TypeVar("T")


class BinaryCursor(Cursor[Any]):
    """Octets come as such, and not as twice as many hexadecimal digits."""

    def __init__(self, connection: Any, **options: Any) -> None:
        super().__init__(connection, **options)
        self.format = Format.BINARY


class DriverConnection(Connection[Any]):
    """The driver waits with the system's help, and lets the system's errors through: a process out
    of descriptors can send a statement and not wait for its answer."""

    @classmethod
    def connect(cls, *arguments: Any, **options: Any) -> Self:
        """Raises psycopg.Error."""
        try:
            return super().connect(*arguments, **options)
        except OSError as error:
            raise OperationalError(str(file_failure(error))) from error

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        """Raises psycopg.Error; the connection is closed if nobody knows where it stands."""
        try:
            return super().wait(gen, *arguments, **options)
        except OSError as error:
            self.close()
            raise OperationalError(str(file_failure(error))) from error
