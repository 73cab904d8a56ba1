"""The contract of a data type, and the register of all of them.

A type says how text becomes canonical bytes and who may read and write it; the store, the protocol
and the client treat all types alike. To add one: a file beside this one, registered on its last
line.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar

from syncd.content.versions import ContentReader, Version
from syncd.errors import IllegalValue, NotSupported
from syncd.types.roles import Role

EVERY_TYPE = "*"
"""In place of types' names: all that the user may read."""
MAX_NAME_CHARACTERS = 700
"""What an index of every database takes; only domain names that are mostly escapes are longer."""
MAX_NAME_BYTES = 2500
"""In UTF-8: PostgreSQL's index takes 2,704 octets, with all that stands beside the name."""


@dataclass
class Prepared:
    """Content in canonical form, ready to be cut: `attributes` and `mtime` may be asked for only
    after `chunks` was read to its end."""

    name: str
    chunks: Iterator[bytes]
    attributes: dict[str, Any] = field(default_factory=dict)
    mtime: int | None = None
    """Seconds since 1970, if the content carries one; else the time of the commit."""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Present:
    """What the store holds of an object now: its version, and its content, read when asked for."""

    version: Version
    content: ContentReader


class DataType(ABC):
    """One kind of data that is kept in step; see the module's top."""

    name: ClassVar[str]
    """Argument 1 of SYNC."""
    summary: ClassVar[str]
    has_lines: ClassVar[bool]
    """Cut between lines, shown and patched as lines; else bytes."""
    head_lines: ClassVar[int] = 0
    """Lines that make a chunk of their own."""
    read_role: ClassVar[Role]
    write_role: ClassVar[Role]
    options: ClassVar[Mapping[str, str]] = {}
    """Options of `put` that the type takes, with what each is."""
    columns: ClassVar[tuple[str, ...]]
    """Heads of what `row` returns."""

    @abstractmethod
    def check_name(self, name: str) -> str:
        """Return the one form of a name. Raises IllegalValue."""

    def is_name(self, name: str) -> bool:
        """Say whether `name` is the one form of a name. Raises IllegalValue for what is none."""
        return self.check_name(name) == name

    @abstractmethod
    def prepare(self, name: str, stream: IO[bytes], options: Mapping[str, str]) -> Prepared:
        """Return content that came over the wire in canonical form. Raises InvalidContent."""

    def settle(self, prepared: Prepared, present: Present | None) -> Prepared | None:
        """Fit new content to what is there; None when nothing would change but what is not content.

        Called with the chunks not read yet. Raises InvalidContent.
        """
        return prepared

    @property
    def can_be_patched(self) -> bool:
        """Whether `patch` is there."""
        return type(self).patch is not DataType.patch

    def patch(self, present: Present, diff: IO[bytes]) -> Prepared:
        """Return the content with a text diff applied. Raises InvalidContent, MovedOn."""
        raise NotSupported(f"{self.name} cannot be patched; put them whole")

    @abstractmethod
    def check_attributes(self, attributes: Mapping[Any, Any]) -> None:
        """Raise IllegalValue for attributes, from another store, that no object of it has."""

    @abstractmethod
    def row(self, version: Version) -> tuple[str | int, ...]:
        """Return what listings show of an object, as `columns` says."""

    def is_at(self, version: Version, serial: str) -> bool:
        """Say whether an object is at a `serial=` that a writer stated. Raises NotSupported."""
        raise NotSupported(f"{self.name} have no serial; state digest=")


_TYPES: dict[str, DataType] = {}


def register(data_type: DataType) -> None:
    """Make a type known. Raises ValueError for a name that is taken."""
    if data_type.name in _TYPES:
        raise ValueError(f"a type {data_type.name!r} is registered already")
    _TYPES[data_type.name] = data_type


def data_type(name: str) -> DataType:
    """Return the type of this name. Raises NotSupported."""
    try:
        return _TYPES[name]
    except KeyError:
        known = ", ".join(sorted(_TYPES))
        raise NotSupported(f"no such type: {name!r}; there are {known}") from None


def all_types() -> list[DataType]:
    """Return every type, by name."""
    return [_TYPES[name] for name in sorted(_TYPES)]


def check_plain_name(name: str) -> str:
    """Return `name` if it is short enough and every character can be shown. Raises IllegalValue."""
    if not name or len(name) > MAX_NAME_CHARACTERS:
        raise IllegalValue(f"a name has 1 to {MAX_NAME_CHARACTERS} characters, not {len(name)}")
    if len(name.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES:
        raise IllegalValue(f"a name has at most {MAX_NAME_BYTES} octets in UTF-8")
    if not name.isprintable():
        raise IllegalValue(f"a name with characters that cannot be shown: {name!r}")
    return name
