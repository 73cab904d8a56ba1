"""Serial number arithmetic, RFC 1982."""

_HALF = 1 << 31
_MODULUS = 1 << 32


def serial_is_newer(candidate: int, present: int) -> bool:
    """Say whether `candidate` comes after `present` (RFC 1982 section 3.2)."""
    return candidate != present and (candidate - present) % _MODULUS < _HALF


def next_serial(present: int) -> int:
    """Return the serial after `present`; 0 is passed over, as name servers give it a meaning."""
    return (present + 1) % _MODULUS or 1
