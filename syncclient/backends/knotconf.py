"""The list of zones as Knot DNS reads it: as a file, and as a configuration transaction.

Both say the same, so that a knotd that is started again has the zones that it had. A zone's name
is written so that no character of it means anything to knotd's parser: whatever is not a letter,
a digit, a dash, an underscore or an asterisk stands as \\DDD.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from syncclient.backends.knotcontrol import Control, Item, Unit, errors_of, refusal_text
from syncclient.backends.zonenames import domain_text, is_plain
from syncd.errors import ConfigError
from syncd.types.zone_files import zone_file_name

_OPTION = re.compile(r"([a-z][a-z0-9-]*): *(\S.*)")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_QUOTABLE = re.compile(r"/[ !#-\[\]-~]*")
"""Absolute paths without what has a meaning between quotes."""
_FIXED = (("zonefile-load", "whole"), ("zonefile-sync", "-1"), ("journal-content", "none"))
"""The file is what counts: knotd does not write it, and keeps no journal that a restart, or a
reload of what was, would put on top of it."""
_OURS = frozenset(("id", "storage", "file", *(item for item, _ in _FIXED)))


def template_option(text: str) -> tuple[str, str]:
    """Return item and value of a further line of the template. Raises ValueError."""
    found = _OPTION.fullmatch(text)
    if found is None or not text.isprintable():
        raise ValueError(f"{text!r:.80}: write ITEM: VALUE, as in knot.conf")
    if found[1] in _OURS:
        raise ValueError(f"{found[1]}: is for the agent to say")
    return found[1], found[2]


@dataclass(frozen=True)
class ZoneList:
    """How the zones of one folder are listed: a template, and each zone with nothing but that."""

    template: str
    """Its identifier."""
    folder: Path
    """Of the zone files."""
    options: Sequence[str] = ()
    """Further lines of the template."""

    def __post_init__(self) -> None:
        """Raises ConfigError for what knotd's parser could take for something else."""
        if _IDENTIFIER.fullmatch(self.template) is None:
            raise ConfigError(f"[knot] template = {self.template!r:.80}: write letters and digits")
        if _QUOTABLE.fullmatch(str(self.folder)) is None:
            raise ConfigError(
                f"[agent] folder: knot.conf cannot hold the path {str(self.folder)!r:.200}: take "
                "one without quotes, backslashes and characters beyond ASCII"
            )
        for option in self.options:
            try:
                template_option(option)
            except ValueError as error:
                raise ConfigError(f"[knot] template_options: {error}") from None

    def head(self, *, plain: bool = False) -> str:
        """Return the template; `plain` without the options, which may speak of other files."""
        options = () if plain else self.options
        lines = [
            "template:",
            f"  - id: {self.template}",
            f'    storage: "{self.folder}"',
            '    file: "%s.zone"',
            *(f"    {item}: {value}" for item, value in map(template_option, options)),
            *(f"    {item}: {value}" for item, value in _FIXED),
            "zone:",
        ]
        return "".join(f"{line}\n" for line in lines)

    def text(self, zones: Iterable[str]) -> str:
        """Return the file that knot.conf includes."""
        return self.head() + "".join(map(self._statement, zones))

    def _statement(self, zone: str) -> str:
        statement = f'  - domain: "{domain_text(zone)}"\n    template: {self.template}\n'
        return statement if is_plain(zone) else f'{statement}    file: "{_file(zone)}"\n'

    async def try_options(self, control: Control) -> str | None:
        """Have knotd take the options, in a template that no zone has, and take that out again.

        Returns None, or why it does not: then a file with these options would keep it from
        starting.
        """
        probe = f"{self.template}-check"
        options = map(template_option, self.options)
        sets: list[Unit] = [{Item.ITEM: "id", Item.DATA: probe}]
        sets += [
            {Item.ID: probe, Item.ITEM: item, Item.DATA: value}
            for item, text in options
            for value in _values(text)
        ]
        return await _transaction(control, "template", {"conf-set": sets}) or await _transaction(
            control, "template", {"conf-unset": [{Item.ID: probe}]}
        )

    async def change(
        self, control: Control, added: Iterable[str], removed: Iterable[str]
    ) -> str | None:
        """Have knotd change its list by a configuration transaction.

        Returns None, or why nothing has changed: in knotd's words.
        """
        news, olds = list(added), list(removed)
        zones = [domain_text(zone) for zone in news]
        sets: list[Unit] = [{Item.ITEM: "domain", Item.DATA: zone} for zone in zones]
        sets += [{Item.ID: zone, Item.ITEM: "template", Item.DATA: self.template} for zone in zones]
        sets += [
            {Item.ID: domain_text(zone), Item.ITEM: "file", Item.DATA: _file(zone)}
            for zone in news
            if not is_plain(zone)
        ]
        unsets: list[Unit] = [{Item.ID: domain_text(zone)} for zone in olds]
        return await _transaction(control, "zone", {"conf-unset": unsets, "conf-set": sets})


async def _transaction(
    control: Control, section: str, commands: Mapping[str, Sequence[Unit]]
) -> str | None:
    """Carry out commands on a section as one transaction; return why knotd refuses, if so."""
    refused = errors_of(await control.ask("conf-begin"))
    if refused:
        return refusal_text("conf-begin", refused)
    for command, units in commands.items():
        refused = errors_of(
            await control.ask(command, [{Item.SECTION: section, **unit} for unit in units])
        )
        if refused:
            break
    else:
        command = "conf-commit"
        refused = errors_of(await control.ask(command))
        if not refused:
            return None
    await control.ask("conf-abort")
    return refusal_text(command, refused)


def _values(text: str) -> list[str]:
    """Return the values of an option, which may be a list, without their quotes."""
    listed = text[1:-1].split(",") if text.startswith("[") and text.endswith("]") else [text]
    return [value.strip().strip('"') for value in listed]


def _file(zone: str) -> str:
    """Return the name of a zone's file as knotd takes it: % begins something there."""
    return zone_file_name(zone).replace("%", "%%")
