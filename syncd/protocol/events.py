"""What comes out of a connection: one frozen object per thing that the other side said."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """A client's line: `verb` in upper case, `argument` as written after the first space."""

    verb: str
    argument: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """A client's line that could not be read; the server answers `code` and `reason`."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Body:
    """Some bytes of a listing or block that the client sends; lines keep their LF."""

    data: bytes


@dataclass(frozen=True, slots=True)
class BodyEnd:
    """The client's listing or block is complete; `refusal` if a line of it could not be read."""

    refusal: BadLine | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply line; `size` is the count of a 6xx or 7xx, else 0."""

    code: int
    text: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class ListingLine:
    """One line of a server's listing, without its line end."""

    text: str


@dataclass(frozen=True, slots=True)
class ListingEnd:
    """The server's listing is complete."""


@dataclass(frozen=True, slots=True)
class Block:
    """The counted bytes after a server's 6xx line."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    """A 9xx line, sent unasked to a client that said `ASYN 1`."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The other side ended the connection; `complete` is False in the middle of something."""

    complete: bool


ClientSaid = Command | BadLine | Body | BodyEnd | Closed
ServerSaid = Reply | ListingLine | ListingEnd | Block | Notice | Closed
