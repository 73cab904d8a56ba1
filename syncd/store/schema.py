"""The tables, as the newest migration leaves them. One meaning for a column wherever it stands.

clock    one row: which history this is, where it stands, who froze it, whose replica it is
tally    per type: count and fingerprint of the live objects, kept up to date by every commit
commit   the numbers a view can be had of; a replica has only those it stood at
version  an object from commit `seq` until, not including, commit `until`; the head has none
chunk    content, once per digest
batch    a write that is being made ready, perhaps over several transactions
staged   its objects: nothing sees them until `publish` moves them into `version`
server   the last report of each name server; no object, so no commit is made of it
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeEngine

from syncd.content.reports import (
    MAX_REASON_CHARACTERS,
    MAX_SERVER_NAME_CHARACTERS,
    MAX_VERSION_CHARACTERS,
)
from syncd.types.base import MAX_NAME_CHARACTERS

metadata = MetaData()

_MYSQL = ("mysql", "mariadb")


@compiles(CreateTable, *_MYSQL)
def _create_with_order(element: Any, compiler: Any, **options: Any) -> str:
    """On MariaDB: any character, and text that is compared as `_text` says."""
    statement: str = compiler.visit_create_table(element, **options).rstrip()
    if element.element.metadata is metadata:
        statement += " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
    return statement


def _text(characters: int) -> TypeEngine[str]:
    """Text compared octet by octet, spaces at its end included, on every database: paging by name
    depends on it."""
    return String(characters).with_variant(String(characters, collation="C"), "postgresql")


class _Bytes(TypeDecorator[bytes]):
    """Octets: a digest if their number is given, else any number."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in _MYSQL:
            from sqlalchemy.dialects.mysql import BINARY, LONGBLOB

            return LONGBLOB() if self.length is None else BINARY(self.length)
        return LargeBinary(self.length)


MAX_AUTHOR_CHARACTERS, MAX_COMMENT_CHARACTERS = 128, 255
MAX_SOURCE_CHARACTERS = 255
"""As many are kept. SQLite would keep any number; the other databases refuse what is longer."""

_NAME = _text(MAX_NAME_CHARACTERS)
_TYPE = _text(16)
_DIGEST = _Bytes(32)
_BYTES = _Bytes()

clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", _text(16), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("floor", BigInteger, nullable=False),
    Column("swept", BigInteger, nullable=False, doc="how often gc removed chunks"),
    Column("frozen_by", _text(128)),
    Column("frozen_until", Double, doc="seconds since 1970"),
    Column("frozen_for", Double, doc="seconds without a command after which it ends"),
    Column("source", _text(MAX_SOURCE_CHARACTERS), doc="of a replica: whom it copies"),
    Column("types", _text(255), doc="of a replica: which types, as it asks for them"),
)

tally = Table(
    "tally",
    metadata,
    Column("type", _TYPE, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("fingerprint", _DIGEST, nullable=False),
)

commit = Table(
    "commit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False, doc="seconds since 1970"),
    Column("author", _text(MAX_AUTHOR_CHARACTERS), nullable=False),
    Column("comment", _text(MAX_COMMENT_CHARACTERS), nullable=False),
)


def _content_columns(*, nullable: bool) -> list[Column[object]]:
    """What describes an object; in `staged` it is absent for one that is to go."""
    return [
        Column("mtime", BigInteger, nullable=nullable),
        Column("size", BigInteger, nullable=nullable),
        Column("lines", BigInteger, nullable=nullable),
        Column("crc32", BigInteger, nullable=nullable),
        Column("digest", _DIGEST, nullable=nullable),
        Column("attributes", _BYTES, nullable=nullable),
        Column("chunks", _BYTES, nullable=nullable),
    ]


version = Table(
    "version",
    metadata,
    Column("type", _TYPE, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("until", BigInteger),
    *_content_columns(nullable=False),
    Index("version_seq", "seq"),
    Index("version_until", "until"),
)

chunk = Table(
    "chunk",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("body", _BYTES, nullable=False),
)

batch = Table(
    "batch",
    metadata,
    Column("id", _text(32), primary_key=True),
    Column("touched", BigInteger, nullable=False, doc="seconds since 1970"),
    Column("token", _text(40), doc="of a replica's: the view that is being copied"),
)

staged = Table(
    "staged",
    metadata,
    Column("batch", _text(32), primary_key=True),
    Column("type", _TYPE, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("based_on", BigInteger, doc="seq of the head it was made from, 0 for none"),
    Column("seq", BigInteger, doc="of a replica's: the source's number"),
    *_content_columns(nullable=True),
)

server = Table(
    "server",
    metadata,
    Column("name", _text(MAX_SERVER_NAME_CHARACTERS), primary_key=True),
    Column("user", _text(64), nullable=False, doc="who reported it first"),
    Column("seen", Double, nullable=False, doc="seconds since 1970"),
    Column("backend", _text(32), nullable=False),
    Column("release", _text(MAX_VERSION_CHARACTERS), nullable=False, doc="of the name server"),
    Column("every", BigInteger, nullable=False, doc="seconds"),
    Column("outcome", _text(16), nullable=False),
    Column("reason", _text(MAX_REASON_CHARACTERS), nullable=False),
    Column("token", _text(40)),
    Column("fingerprint", _DIGEST),
    Column("took", BigInteger, doc="milliseconds"),
    Column("changed", BigInteger, doc="seconds before `seen`"),
    Column("zones", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
)
