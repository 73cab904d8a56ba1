"""Reply codes: Citadel's where Citadel has one, 58x for what it does not know.

The first digit says what follows on the wire (protocol.md, "Replies"); the rest says why.
"""

from enum import IntEnum


class Code(IntEnum):
    """A reply code; see the table "Codes" in protocol.md."""

    LISTING_FOLLOWS = 100
    OK = 200
    MORE_DATA = 300
    SEND_LISTING = 400
    ERROR = 500
    INTERNAL_ERROR = 510
    TOO_BIG = 511
    ILLEGAL_VALUE = 512
    NOT_LOGGED_IN = 520
    NOT_SUPPORTED = 530
    SHUTTING_DOWN = 531
    PASSWORD_REQUIRED = 540
    ALREADY_LOGGED_IN = 541
    HIGHER_ACCESS_REQUIRED = 550
    TOO_MANY_SESSIONS = 551
    BUSY = 552
    NO_SUCH_USER = 570
    NO_SUCH_OBJECT = 571
    ALREADY_EXISTS = 574
    TOKEN_LOST = 580
    MOVED_ON = 581
    READ_ONLY = 582
    VIEW_GONE = 583
    BLOCK_FOLLOWS = 600
    SEND_BLOCK = 700
    ASYNC_MESSAGE = 901
    ASYNC_CHANGE = 902


LISTING, DONE, MORE, WANT_LISTING, REFUSED, BLOCK, WANT_BLOCK, NOTICE = 1, 2, 3, 4, 5, 6, 7, 9
"""First digits of reply codes, by what follows."""
