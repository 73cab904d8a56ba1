"""A SYNC line, read and checked against what the user may do: types, action, values, options."""

from dataclasses import dataclass

from syncd.errors import HigherAccessRequired, IllegalValue, NotSupported
from syncd.protocol.fields import number_argument, split_options, unescape
from syncd.server.registry import ACTIONS, SUBJECTS, Action
from syncd.types import DataType, Role, all_types, data_type

_ANY_SEQ = (1 << 62) - 1


@dataclass(frozen=True)
class SyncRequest:
    """One SYNC command whose action, types and options are known and allowed."""

    action: Action
    types: tuple[DataType, ...]
    values: tuple[str, ...]
    options: dict[str, str]
    format: str

    @property
    def type(self) -> DataType:
        """The one type of an action that takes only one."""
        return self.types[0]

    @property
    def type_names(self) -> list[str]:
        """The names of the types."""
        return [kind.name for kind in self.types]

    @property
    def about(self) -> str:
        """What the action is on: types, or a subject, as argument 1 names them."""
        subject = self.action.subject
        return ",".join(self.type_names) if subject is None else subject

    @property
    def at(self) -> int | None:
        """The commit that `at=` names. Raises IllegalValue."""
        text = self.options.get("at")
        return None if text is None else number_argument(text, "at", 0, _ANY_SEQ)

    def number(self, option: str, default: int | None, low: int, high: int) -> int:
        """Return a numeric option. Raises IllegalValue, also if it is needed and not there."""
        text = self.options.get(option)
        if text is not None:
            return number_argument(text, option, low, high)
        if default is None:
            raise IllegalValue(f"{option}= is missing; syntax: {self.action.syntax}")
        return default

    def no_value(self) -> None:
        """Raise IllegalValue if there is a value: it would be passed over."""
        if self.values:
            raise IllegalValue(
                f"{self.action.name} takes no value, such as {self.values[0]!r:.40}; syntax: "
                f"{self.action.syntax}"
            )

    def one_value(self, what: str) -> str:
        """Return the only value. Raises IllegalValue."""
        if len(self.values) != 1 or not self.values[0]:
            raise IllegalValue(f"give one {what}; syntax: {self.action.syntax}")
        return self.values[0]


def parse_request(argument: str, role: Role) -> SyncRequest:
    """Read what stands after `SYNC `. Raises IllegalValue, NotSupported, HigherAccessRequired."""
    fields = argument.split("|")
    fields[:2] = map(unescape, fields[:2])
    if len(fields) < 2:
        raise IllegalValue("syntax: SYNC TYPE|ACTION[|...]; SYNC ? lists the types and actions")
    if any(field != field.strip() for field in fields[:2]):
        raise IllegalValue("write types and action without blanks beside the |: SYNC zones|info")
    actions = SUBJECTS.get(fields[0], ACTIONS)
    chosen = actions.get(fields[1].lower())
    if chosen is None:
        raise NotSupported(f"no such action: {fields[1]!r:.40}; there are {', '.join(actions)}")
    types = _parse_types(fields[0], chosen, role)
    values, options = split_options(fields[2:])
    if types and any("\0" in text for text in (*values, *options.values())):
        raise IllegalValue("%00: neither a name nor an option has such a character")
    known = {"format"} | set(chosen.options)
    if chosen.type_options:
        for kind in types:
            known |= set(kind.options)
    for option in options:
        if option not in known:
            raise NotSupported(f"{chosen.name} has no option {option}=; syntax: {chosen.syntax}")
    format_name = options.get("format", chosen.formats[0])
    if format_name not in chosen.formats:
        raise IllegalValue(f"format={format_name}: {chosen.name} has {', '.join(chosen.formats)}")
    return SyncRequest(chosen, types, tuple(values), options, format_name)


def _parse_types(text: str, chosen: Action, role: Role) -> tuple[DataType, ...]:
    if chosen.subject is not None:
        if chosen.role is not None and role < chosen.role:
            raise HigherAccessRequired(
                f"{chosen.name} of {chosen.subject} needs the role {chosen.role.label}, yours "
                f"is {role.label}"
            )
        return ()
    if text == "*":
        types = tuple(kind for kind in all_types() if kind.read_role <= role)
    else:
        types = tuple(data_type(name) for name in sorted(set(text.split(","))))
    if not chosen.several_types and (len(types) > 1 or text == "*"):
        raise IllegalValue(f"{chosen.name} takes one type; syntax: {chosen.syntax}")
    for kind in types:
        least = kind.write_role if chosen.writes else kind.read_role
        if role < least:
            raise HigherAccessRequired(
                f"{chosen.name} of {kind.name} needs the role {least.label}, yours is {role.label}"
            )
    return types
