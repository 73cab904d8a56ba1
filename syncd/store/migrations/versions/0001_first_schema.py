"""The first schema. Frozen: later changes are migrations of their own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

_NAME = (
    sa.String(700)
    .with_variant(sa.String(700, collation="C"), "postgresql")
    .with_variant(
        mysql.VARCHAR(700, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )
)
_DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
_BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _content(*, nullable: bool) -> list[sa.Column[object]]:
    return [
        sa.Column("mtime", sa.BigInteger, nullable=nullable),
        sa.Column("size", sa.BigInteger, nullable=nullable),
        sa.Column("lines", sa.BigInteger, nullable=nullable),
        sa.Column("crc32", sa.BigInteger, nullable=nullable),
        sa.Column("digest", _DIGEST, nullable=nullable),
        sa.Column("attributes", _BYTES, nullable=nullable),
        sa.Column("chunks", _BYTES, nullable=nullable),
    ]


def upgrade() -> None:
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.String(16), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("floor", sa.BigInteger, nullable=False),
        sa.Column("swept", sa.BigInteger, nullable=False),
        sa.Column("frozen_by", sa.String(128)),
        sa.Column("frozen_until", sa.Double),
        sa.Column("frozen_for", sa.Double),
        sa.Column("source", sa.String(255)),
        sa.Column("types", sa.String(255)),
    )
    op.create_table(
        "tally",
        sa.Column("type", sa.String(16), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", _DIGEST, nullable=False),
    )
    op.create_table(
        "commit",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("author", sa.String(128), nullable=False),
        sa.Column("comment", sa.String(255), nullable=False),
    )
    op.create_table(
        "version",
        sa.Column("type", sa.String(16), primary_key=True),
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("until", sa.BigInteger),
        *_content(nullable=False),
    )
    op.create_index("version_seq", "version", ["seq"])
    op.create_index("version_until", "version", ["until"])
    op.create_table(
        "chunk",
        sa.Column("digest", _DIGEST, primary_key=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("body", _BYTES, nullable=False),
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("touched", sa.BigInteger, nullable=False),
        sa.Column("token", sa.String(40)),
    )
    op.create_table(
        "staged",
        sa.Column("batch", sa.String(32), primary_key=True),
        sa.Column("type", sa.String(16), primary_key=True),
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("based_on", sa.BigInteger),
        sa.Column("seq", sa.BigInteger),
        *_content(nullable=True),
    )
