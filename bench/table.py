"""The goals, and the one table in which they are held against what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from bench.measure import Figure

NOT_MEASURED = "-"


@dataclass(frozen=True)
class Row:
    figure: str
    ours: str
    peer: str
    peer_value: str
    ratio: float | None
    goal: str
    met: bool | None  # None where there is no goal, or nothing to hold against it


def ratio_row(
    figure: str, ours: Figure | None, peer: str, theirs: Figure | None, at_most: float | None
) -> Row:
    """Compare seconds; `at_most` is the goal for ours divided by the peer's."""
    ratio = None
    if ours and theirs and ours.seconds is not None and theirs.seconds:
        ratio = ours.seconds / theirs.seconds
    return Row(
        figure,
        seconds_text(ours),
        peer,
        seconds_text(theirs),
        ratio,
        f"ratio at most {at_most}" if at_most is not None else "",
        ratio <= at_most if ratio is not None and at_most is not None else None,
    )


def seconds_text(figure: Figure | None) -> str:
    if figure is None:
        return NOT_MEASURED
    if figure.seconds is None:
        return f"not done in time ({figure.fraction_done:.0%})"
    return f"{figure.seconds:.3f} s"


def traffic_text(figure: Figure | None) -> str:
    """Bytes up and down, round trips where they were counted, and the seconds."""
    if figure is None:
        return NOT_MEASURED
    words = [f"{figure.bytes_sent or 0:,} B up, {figure.bytes_received or 0:,} B down"]
    if figure.round_trips is not None:
        words.append(f"{figure.round_trips:,} round trip{'s' * (figure.round_trips != 1)}")
    return ", ".join([*words, seconds_text(figure)])


def traffic_ratio(ours: Figure | None, theirs: Figure | None) -> float | None:
    """Ours divided by the peer's, of the bytes both ways together."""
    if ours is None or theirs is None:
        return None
    return _bytes(ours) / max(1, _bytes(theirs))


def _bytes(figure: Figure) -> int:
    return (figure.bytes_sent or 0) + (figure.bytes_received or 0)


def table(rows: Sequence[Row]) -> str:
    met = {True: "yes", False: "NO", None: ""}
    return tabulate(
        [
            [
                row.figure,
                row.ours,
                row.peer,
                row.peer_value,
                "" if row.ratio is None else f"{row.ratio:.3g}",
                row.goal,
                met[row.met],
            ]
            for row in rows
        ],
        headers=["figure", "ours", "peer", "its value", "ratio", "goal", "met?"],
        disable_numparse=True,
    )
