"""What one record of a master file leaves to the next (RFC 1035 section 5.1), and the records so
far.

A *run* is a stretch of records of one owner. BIND gives a whole RRset the TTL that its first record
has in the last run it occurs in; so where an RRset is met again in a later run, an empty line marks
the place. Runs are looked at only when an RRset turns out to have a second record.
"""

from dataclasses import dataclass, field
from itertools import islice

from syncd.content.zone.canonical import Warn, settle_rrset
from syncd.content.zone.names import is_below, owner_key, owner_range
from syncd.content.zone.runs import Lines, Rrsets, sort_records

_MANY_LINES = 33_000
"""More different records than an RRset can have; so most lines of such a list are duplicates."""


@dataclass(slots=True)
class ReadingState:
    """Both paths read and leave it, so they can take turns at any line."""

    origin: str
    """Absolute, with its final dot."""
    top: str | None = None
    """Where the zone is expected to be; None if whoever reads does not know it."""
    owner: str | None = None
    default_ttl: int | None = None
    """Of the last $TTL (RFC 2308 section 4)."""
    last_ttl: int | None = None
    """Of the last record that stated one."""
    line: int = 1
    records: dict[str, Lines] = field(default_factory=dict)
    """Lines by key; a list, in the order of the file, where an RRset has several."""
    aliases: set[str] = field(default_factory=set)
    """Keys of the owners of CNAMEs."""
    apexes: set[str] = field(default_factory=set)
    """Owners of SOA records."""
    run: int = 0
    """Number of the present run."""
    run_keys: int = 0
    """How many keys `records` had when the present run began, or was last looked at."""
    met: dict[str, tuple[int, int]] = field(default_factory=dict)
    """For keys met again: the last run they were in, and the TTL of their first record there."""
    uncertain: bool = False
    """Whether what a record left to the next depended on where the zone is, and that is not
    known."""

    def begin_run(self) -> None:
        """Say that the next record begins a run, whatever its owner."""
        self.run += 1
        self.run_keys = len(self.records)

    def add(self, key: str, record: str, ttl: int) -> None:
        """Take one record's line under its key."""
        if self.records.setdefault(key, record) is not record:
            ttl = self.join(key, record, ttl)
        if self.default_ttl is None:
            self.last_ttl = ttl

    def join(self, key: str, record: str, ttl: int) -> int:
        """Take a further line under a known key; return the TTL that it leaves to the next."""
        self._look_at_run()
        lines = self._lines(key)
        run, first_ttl = self.met.get(key, (None, ttl))
        if run != self.run:
            lines.append("")
            first_ttl = ttl
            self.met[key] = self.run, ttl
        lines.append(record)
        return self.left_ttl(record, first_ttl, ttl)

    def left_ttl(self, record: str, first_ttl: int, ttl: int) -> int:
        """Return the TTL that a further record of an RRset leaves to the next one: that which the
        RRset has in this run. But one outside the zone, which BIND leaves out at once, leaves its
        own."""
        if first_ttl == ttl:
            return ttl
        if self.top is None:
            self.uncertain = True
            return first_ttl
        owner = record.partition(" ")[0]
        zones = [apex for apex in self.apexes if is_below(apex, self.top)] or self.apexes
        inside = is_below(owner, self.top) or any(is_below(owner, zone) for zone in zones)
        return first_ttl if inside else ttl

    def add_apart(self, key: str, record: str) -> None:
        """Take a generated line: a run of its own, which counts as before the present one."""
        self._look_at_run()
        if key not in self.records:
            self.records[key] = record
            self.run_keys = len(self.records)
            return
        lines = self._lines(key)
        if self.met.get(key, (None, 0))[0] != self.run:
            lines += ["", record]
        elif "" in lines:
            lines.insert(1, record)
        else:
            lines[:0] = [record, ""]

    def release(self, warn: Warn) -> Rrsets:
        """Give the RRsets away, sorted; but those of the present owner, whose run may go on, stay.

        Raises InvalidContent for an RRset that is too large.
        """
        self._look_at_run()
        for key in self.met:
            if len(self.records[key]) > _MANY_LINES and isinstance(self.records[key], list):
                self.records[key] = settle_rrset(self._lines(key), warn)
        rrsets = sort_records(self.records)
        self.records.clear()
        if self.owner is not None:
            own = slice(*rrsets.range(*owner_range(owner_key(self.owner))))
            self.records.update(zip(rrsets.keys[own], rrsets.lines[own], strict=True))
            del rrsets.keys[own], rrsets.lines[own]
        self.met = {key: self.met[key] for key in self.records if key in self.met}
        self.run_keys = len(self.records)
        return rrsets

    def go_on_from(self, other: "ReadingState") -> None:
        """Stand where another one stands that began with the line behind the last one here, which
        leaves nothing to it. All RRsets were released."""
        self.records, self.met = other.records, other.met
        self.run, self.run_keys = other.run, other.run_keys
        self.owner, self.last_ttl = other.owner, other.last_ttl
        self.aliases |= other.aliases
        self.line += other.line - 1

    def forget(self) -> None:
        """Forget all RRsets so far."""
        self.records.clear()
        self.met.clear()
        self.run_keys = 0

    def _lines(self, key: str) -> list[str]:
        known = self.records[key]
        if isinstance(known, str):
            self.records[key] = known = [known]
        return known

    def _look_at_run(self) -> None:
        """Note as met in this run what it has brought since it was last looked at."""
        for key in islice(reversed(self.records), len(self.records) - self.run_keys):
            known = self.records[key]
            first = known if isinstance(known, str) else known[0]
            self.met[key] = self.run, int(first.split(" ", 2)[1])
        self.run_keys = len(self.records)
