"""LOC: where on earth a host is (RFC 1876)."""

import re

from syncd.content.zone.rdata_coding import Reader, Wire
from syncd.content.zone.rdata_fields import Opaque

_ALTITUDE_BASE_CM = 10_000_000
_DEGREES = re.compile("[0-9]{1,6}")
_LOC_SECONDS = re.compile(r"(?=\.?[0-9])([0-9]{0,6})(?:\.([0-9]{0,3}))?")
_METRES = re.compile(r"(?=[+-]?\.?[0-9])([+-]?)([0-9]{0,9})(?:\.([0-9]{0,2}))?m?")


def _read_angle(reader: Reader, label: str, limit: int, directions: str) -> int:
    degrees = reader.number(label, limit)
    parts = [0, 0]
    token = reader.plain(label)
    for place in range(2):
        if token in directions:
            break
        pattern = _LOC_SECONDS if place else _DEGREES
        match = pattern.fullmatch(token)
        if match is None or int(match[0].partition(".")[0] or 0) > 59:
            reader.fail(label, f'"{token}" is not {"seconds" if place else "minutes"}')
        if place:
            parts[1] = int(match[1] or 0) * 1000 + int((match[2] or "").ljust(3, "0"))
        else:
            parts[0] = int(token)
        token = reader.plain(label)
    if token not in directions:
        reader.fail(label, f'"{token}" is not {directions[0]} or {directions[1]}')
    thousandths = (degrees * 60 + parts[0]) * 60_000 + parts[1]
    if thousandths > limit * 3_600_000:
        reader.fail(label, f"more than {limit} degrees")
    return 2**31 + (thousandths if token == directions[0] else -thousandths)


def _read_metres(reader: Reader, label: str, lowest_cm: int, highest_cm: int) -> int:
    token = reader.plain(label)
    match = _METRES.fullmatch(token)
    if match is None or (match[1] and lowest_cm == 0):
        reader.fail(label, f'"{token}" is not a length in metres')
    value = int(match[2] or 0) * 100 + int((match[3] or "").ljust(2, "0"))
    value = -value if match[1] == "-" else value
    if not lowest_cm <= value <= highest_cm:
        reader.fail(label, f"{token} is out of range")
    return value


def _precision(value_cm: int) -> int:
    exponent = len(str(value_cm)) - 1
    return int(str(value_cm)[0]) << 4 | exponent


def _precision_text(octet: int) -> str:
    mantissa, exponent = octet >> 4, octet & 15
    if exponent > 1:
        return f"{mantissa * 10 ** (exponent - 2)}m"
    return f"0.{mantissa * 10**exponent:02d}m"


def _angle_text(value: int, directions: str) -> str:
    distance = abs(value - 2**31)
    minutes, thousandths = divmod(distance, 60_000)
    degrees, minutes = divmod(minutes, 60)
    seconds, thousandths = divmod(thousandths, 1000)
    direction = directions[0] if value >= 2**31 else directions[1]
    return f"{degrees} {minutes} {seconds}.{thousandths:03d} {direction}"


def read_location(reader: Reader) -> None:
    latitude = _read_angle(reader, "latitude", 90, "NS")
    longitude = _read_angle(reader, "longitude", 180, "EW")
    altitude = _read_metres(reader, "altitude", -_ALTITUDE_BASE_CM, 2**32 - 1 - _ALTITUDE_BASE_CM)
    precisions = [0x12, 0x16, 0x13]
    for place, label in enumerate(("size", "horizontal precision", "vertical precision")):
        if not reader.more:
            break
        precisions[place] = _precision(_read_metres(reader, label, 0, 9_000_000_099))
    reader.wire += bytes((0, *precisions))
    for value in (latitude, longitude, altitude + _ALTITUDE_BASE_CM):
        reader.wire += value.to_bytes(4, "big")


def show_location(wire: Wire) -> str:
    if wire.number("version", 1):
        raise Opaque
    precisions = wire.take("precision", 3)
    for octet in precisions:
        if octet and not (0x10 <= octet <= 0x9F and octet & 15 <= 9):
            wire.fail("precision", f"{octet:02x} is out of range")
    latitude, longitude = wire.number("latitude", 4), wire.number("longitude", 4)
    if abs(latitude - 2**31) > 90 * 3_600_000 or abs(longitude - 2**31) > 180 * 3_600_000:
        wire.fail("latitude or longitude", "is out of range")
    altitude = wire.number("altitude", 4) - _ALTITUDE_BASE_CM
    metres, centimetres = divmod(abs(altitude), 100)
    sign = "-" if altitude < 0 else ""
    return " ".join((
        _angle_text(latitude, "NS"),
        _angle_text(longitude, "EW"),
        f"{sign}{metres}.{centimetres:02d}m",
        *map(_precision_text, precisions),
    ))  # fmt: skip
