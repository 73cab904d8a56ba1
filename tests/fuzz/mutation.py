"""Changed inputs from a seed: what every machine can do, and the same each time."""

import random
from collections.abc import Iterator, Sequence

_INTERESTING = (b"\0", b"\xff", b"\n", b"\r\n", b"|", b"%", b"(", b'"', b"\\", b"$", b"000\n")


def mutations(seeds: Sequence[bytes], seed: int, max_bytes: int) -> Iterator[bytes]:
    """Yield inputs without end: seeds with one to eight changes each."""
    choose = random.Random(seed)
    while True:
        data = bytearray(choose.choice(seeds)[:max_bytes])
        for _ in range(choose.randint(1, 8)):
            _change(data, seeds, choose)
        yield bytes(data[:max_bytes])


def _change(data: bytearray, seeds: Sequence[bytes], choose: random.Random) -> None:
    at = choose.randint(0, len(data))
    end = min(len(data), at + choose.choice((1, 1, 2, 4, 16, 64)))
    match choose.randrange(7):
        case 0 if at < len(data):
            data[at] ^= 1 << choose.randrange(8)
        case 1 if at < len(data):
            data[at] = choose.randrange(256)
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = data[at:end] * choose.randint(1, 8)
        case 4:
            data[at:end] = choose.choice(_INTERESTING)
        case 5:
            data[at:at] = b"%d" % (1 << choose.randrange(70))
        case _:
            other = choose.choice(seeds)
            begin = choose.randint(0, len(other))
            data[at:end] = other[begin : begin + choose.randint(1, 64)]
