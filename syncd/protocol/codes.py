"""Reply codes: Citadel's where Citadel has one, 58x for what it does not know.

The first digit says what follows on the wire (protocol.md, "Replies"); the rest says why.
"""

from enum import IntEnum


class Code(IntEnum):
    """A reply code and, in `meaning`, what it tells the client; see "Codes" in protocol.md."""

    meaning: str

    def __new__(cls, number: int, meaning: str) -> "Code":
        code = int.__new__(cls, number)
        code._value_ = number
        code.meaning = meaning
        return code

    LISTING_FOLLOWS = 100, "lines follow, up to `000`"
    OK = 200, "done"
    MORE_DATA = 300, "more is needed: after `USER`, send `PASS`"
    SEND_LISTING = 400, "send lines, end with `000`"
    ERROR = 500, "refused, for a reason that has no code of its own"
    INTERNAL_ERROR = 510, "the server failed; its log says why"
    TOO_BIG = 511, "a line, a listing's line or a body is over its limit"
    ILLEGAL_VALUE = 512, "an argument, name, option's value or content that cannot be taken"
    NOT_LOGGED_IN = 520, "log in first"
    NOT_SUPPORTED = 530, "no such verb, type, action or option here"
    SHUTTING_DOWN = 531, "the server is stopping; the connection is closed"
    PASSWORD_REQUIRED = 540, "the password is missing or wrong"
    ALREADY_LOGGED_IN = 541, "logged in already; `LOUT` first"
    HIGHER_ACCESS_REQUIRED = 550, "the user's role does not allow this"
    TOO_MANY_SESSIONS = 551, "no room for another connection; it is closed"
    BUSY = 552, "the source is frozen, or somebody else is at it; try again"
    NO_SUCH_USER = 570, "no user of this name"
    NO_SUCH_OBJECT = 571, "no object, session or message of this name"
    ALREADY_EXISTS = 574, "the name is taken (not sent by this version)"
    TOKEN_LOST = 580, "no delta can be given from this token; compare, or begin anew"
    MOVED_ON = 581, "the object is not at the stated digest or serial, or was changed meanwhile"
    READ_ONLY = 582, "this server is a replica; write at its source"
    VIEW_GONE = 583, "the commit, or a chunk asked for by digest, is not held (any more)"
    TLS_REQUIRED = 584, "no password is taken in clear text; `STLS` first"
    BLOCK_FOLLOWS = 600, "the stated number of bytes follows, then another reply line"
    SEND_BLOCK = 700, "send the stated number of bytes"
    ASYNC_MESSAGE = 901, "a message for the user (not sent by this version)"
    ASYNC_CHANGE = 902, "a commit was made, or the source was frozen or released"


LISTING, DONE, MORE, WANT_LISTING, REFUSED, BLOCK, WANT_BLOCK, NOTICE = 1, 2, 3, 4, 5, 6, 7, 9
"""First digits of reply codes, by what follows."""
