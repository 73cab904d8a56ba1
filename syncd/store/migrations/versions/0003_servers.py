"""A table for what the agents of name servers report: a row for each server, written over."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

_DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


def _text(characters: int) -> sa.types.TypeEngine[str]:
    return sa.String(characters).with_variant(sa.String(characters, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "server",
        sa.Column("name", _text(100), primary_key=True),
        sa.Column("user", _text(64), nullable=False),
        sa.Column("seen", sa.Double, nullable=False),
        sa.Column("backend", _text(32), nullable=False),
        sa.Column("release", _text(100), nullable=False),
        sa.Column("every", sa.BigInteger, nullable=False),
        sa.Column("outcome", _text(16), nullable=False),
        sa.Column("reason", _text(500), nullable=False),
        sa.Column("token", _text(40)),
        sa.Column("fingerprint", _DIGEST),
        sa.Column("took", sa.BigInteger),
        sa.Column("changed", sa.BigInteger),
        sa.Column("zones", sa.BigInteger, nullable=False),
        sa.Column("refused", sa.BigInteger, nullable=False),
        if_not_exists=True,  # where DDL ends a transaction, this may be the second attempt
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_nopad_bin",
    )
