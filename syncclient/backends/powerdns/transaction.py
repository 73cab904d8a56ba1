"""The one transaction that brings the database from what it has to what a step wants.

Zones whose mark says that they hold the wanted content already are passed over: a step over
everything, after a crash or a change of sources, costs only what really differs.
"""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext

from sqlalchemy import Connection

from syncclient.backends.powerdns.domains import (
    MARK,
    NATIVE,
    Domain,
    Marking,
    Metadata,
    RowWriter,
    add_domains,
    all_domains,
    compare_rows,
    delete_domains,
    disable_domains,
    disable_records,
    find_domains,
    indexes_made_last,
    last_record_id,
    pages,
    read_metadata,
    set_kind,
    write_metadata,
)
from syncclient.backends.powerdns.journal import Entry, Journal
from syncclient.backends.powerdns.patching import Patch
from syncclient.backends.powerdns.records import Unfit, stored_name
from syncclient.backends.powerdns.zonetext import ZoneText
from syncclient.backends.step import TYPE, Stage, Step

_MANY_ZONES = 100
"""New zones, from how many on an empty table is filled without indexes."""


class Transaction:
    """Writes a step through a connection; whoever calls commits."""

    def __init__(
        self,
        connection: Connection,
        step: Step,
        marking: Marking,
        patches: Mapping[str, Patch],
        *,
        odd_names: bool,
    ) -> None:
        self._connection, self._step, self._marking = connection, step, marking
        self._patches, self._odd_names = patches, odd_names
        self._journal = Journal(last_record_id(connection))
        self._writer = RowWriter(connection)

    def run(self) -> Journal:
        """Write everything, and return what was done. Zones that do not fit fail the step."""
        self._remove(list(self._going()))
        coming = self._step.coming()
        is_first = self._journal.floor == 0 and len(coming) >= _MANY_ZONES
        with indexes_made_last(self._connection) if is_first else nullcontext():
            for page in pages(coming):
                self._write(page)
            self._writer.flush()
        return self._journal

    def _write(self, zones: list[str]) -> None:
        there = find_domains(self._connection, [stored_name(zone) for zone in zones])
        new: list[ZoneText] = []
        changed: list[tuple[ZoneText, Domain]] = []
        for text in ZoneText.of_all(self._step, zones):
            domain = there.get(stored_name(text.zone))
            if domain is None:
                new.append(text)
            elif domain.mark != self._marking.of(text.digest):
                changed.append((text, domain))
        self._change(changed)
        self._add(new)

    def _going(self) -> Iterator[tuple[str, Domain]]:
        """Yield what is ours and has to go: if the step is about everything, whatever is left."""
        if not self._step.whole:
            going = self._step.going()
            there = find_domains(self._connection, [stored_name(zone) for zone in going])
            for zone in going:
                domain = there.get(stored_name(zone))
                if domain is not None and self._marking.owns(domain):
                    yield zone, domain
            return
        wanted = {stored_name(marked.name) for marked in self._step.goal.marks([TYPE])}
        wanted -= {stored_name(zone) for zone in self._step.going()}
        for domain in all_domains(self._connection):
            if domain.name not in wanted and self._marking.owns(domain):
                yield f"{domain.name}.", domain

    def _remove(self, going: list[tuple[str, Domain]]) -> None:
        ids = [domain.id for _, domain in going]
        said = read_metadata(self._connection, ids)
        for zone, domain in going:
            entry = Entry(domain.id, gone=True, metadata=said[domain.id])
            self._journal.entries[zone] = entry
        disable_domains(self._connection, ids, self._marking.gone)

    def _change(self, changed: list[tuple[ZoneText, Domain]]) -> None:
        before = read_metadata(self._connection, [domain.id for _, domain in changed])
        said: dict[int, Metadata] = {}
        disabled: list[int] = []
        for text, domain in changed:
            entry = Entry(domain.id, metadata=before[domain.id])
            self._journal.entries[text.zone] = entry
            if (domain.type, domain.master) != (NATIVE, None):
                entry.kind, entry.master = domain.type, domain.master
                set_kind(self._connection, domain, NATIVE, None)
            said[domain.id] = [(MARK, self._marking.of(text.digest))]
            patch = self._patches.get(text.zone)
            if patch is not None:
                entry.disabled = patch.disable
                disabled += patch.disable
                self._writer.add(domain.id, patch.insert)
            else:
                said[domain.id] += self._replace(text, domain)
        disable_records(self._connection, disabled)
        write_metadata(self._connection, said, new=False)

    def _replace(self, text: ZoneText, domain: Domain) -> Metadata:
        signing = text.signing()
        rows = text.rows(signing, odd_names=self._odd_names)
        self._writer.flush()
        compare_rows(self._connection, domain.id, rows, self._writer)
        return [] if signing is None else signing.metadata

    def _add(self, texts: list[ZoneText]) -> None:
        ids = add_domains(self._connection, [stored_name(text.zone) for text in texts])
        said: dict[int, Metadata] = {}
        for text in ZoneText.read_all(texts):
            number = ids[stored_name(text.zone)]
            try:
                signing = text.signing()
                self._writer.add(number, text.rows(signing, odd_names=self._odd_names))
            except Unfit as error:
                self._writer.flush()
                delete_domains(self._connection, [number])
                self._step.fail(text.zone, Stage.ACTIVATE, str(error))
                continue
            self._journal.entries[text.zone] = Entry(number, added=True)
            said[number] = [(MARK, self._marking.of(text.digest))]
            said[number] += [] if signing is None else signing.metadata
        write_metadata(self._connection, said, new=True)
