"""Compare all text octet by octet on PostgreSQL and MariaDB, and take any character on MariaDB.

Before, MariaDB took a name for that with a space at its end, and kept authors and comments in
whatever character set the database had. SQLite compares octets anyway.
"""

from collections.abc import Mapping

from alembic import op

revision = "0002"
down_revision = "0001"

_TEXT: Mapping[str, Mapping[str, int]] = {
    "clock": {"epoch": 16, "frozen_by": 128, "source": 255, "types": 255},
    "tally": {"type": 16},
    "commit": {"author": 128, "comment": 255},
    "version": {"type": 16, "name": 700},
    "chunk": {},
    "batch": {"id": 32, "token": 40},
    "staged": {"batch": 32, "type": 16, "name": 700},
}


def upgrade() -> None:
    dialect = op.get_bind().dialect
    quote = dialect.identifier_preparer.quote
    for table, columns in _TEXT.items():
        if dialect.name == "postgresql" and columns:
            changes = ", ".join(
                f'ALTER COLUMN {quote(name)} TYPE VARCHAR({characters}) COLLATE "C"'
                for name, characters in columns.items()
            )
            op.execute(f"ALTER TABLE {quote(table)} {changes}")
        elif dialect.name in ("mysql", "mariadb"):
            op.execute(
                f"ALTER TABLE {quote(table)} "
                "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
            )
