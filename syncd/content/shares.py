"""How much of what there is may change at once before somebody has to say that it is meant."""

SUSPICIOUS_SHARE = 0.30
MIN_OBJECTS = 10
"""Of fewer, a share says nothing."""


def is_suspicious(touched: int, count: int) -> bool:
    """Say whether `touched` of `count` objects are too many to go, or be replaced, unasked."""
    return count >= MIN_OBJECTS and touched > SUSPICIOUS_SHARE * count
