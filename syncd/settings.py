"""Configuration files: TOML, each section one frozen dataclass whose fields say it all.

A field is declared with `setting(default, help, ...)`. From that come the checks of what the file
says, the errors, and the commented file that `--print-config` prints.
"""

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from textwrap import wrap
from typing import Any, TypeVar

from syncd.errors import ConfigError

_WIDTH = 98
_SETTING = "setting"

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """What is known of one key: its help, and what is allowed."""

    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    each: Callable[[str], object] | None = None
    """Of a list of texts: reads one of them; raises ValueError."""
    filled: bool = False
    """Whether a text, or a list of texts, must hold something."""
    secret: bool = False
    """Whether a password may be in it: then no error shows it."""

    def allowed(self, kind: type) -> str:
        """Say what the key may be, in words."""
        if self.choices:
            return "one of " + ", ".join(f'"{choice}"' for choice in self.choices)
        words = {
            bool: "true or false", int: "a whole number", float: "a number", str: "a text",
            tuple: "a list of texts",
        }[kind]  # fmt: skip
        if self.low is not None and self.high is not None:
            words += f" from {self.low} to {self.high}"
        return f"{words}, not empty" if self.filled else words

    def takes(self, value: object, kind: type) -> bool:
        """Say whether a value of the file is allowed."""
        if self.filled and value in ("", [], [""]):
            return False
        if kind is tuple:
            return isinstance(value, list | tuple) and all(map(self._takes_one, value))
        wanted = (int, float) if kind is float else (kind,)
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
            return False
        if self.choices and value not in self.choices:
            return False
        if isinstance(value, str) and "\0" in value:
            return False
        if self.low is None or self.high is None:
            return True
        assert isinstance(value, int | float)  # only numbers have bounds
        return self.low <= value <= self.high

    def _takes_one(self, text: object) -> bool:
        if not isinstance(text, str) or "\0" in text:
            return False
        try:
            if self.each is not None:
                self.each(text)
        except ValueError:
            return False
        return True


def setting(
    default: T,
    help_text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    each: Callable[[str], object] | None = None,
    filled: bool = False,
    secret: bool = False,
) -> T:
    """Declare a field of a section: a bool, int, float, text or tuple of texts, by its default."""
    known = Setting(help_text, low, high, choices, each, filled, secret)
    made: T = field(default=default, metadata={_SETTING: known})
    return made


def load_tables(path: Path) -> dict[str, Any]:
    """Return the tables of a file. Raises ConfigError."""
    try:
        return parse_tables(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8") from None


def parse_tables(text: str, file: str) -> dict[str, Any]:
    """Return the tables that the text of a file has. Raises ConfigError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from None


def read_sections(kind: type[T], tables: Mapping[str, object], file: str, *, within: str = "") -> T:
    """Return the configuration whose fields are sections, or groups of them; one that the file does
    not have has its defaults. Raises ConfigError, with file, section and key.

    `within` is what stands before their names, as in [group.section].
    """
    sections: dict[str, Any] = {each.name: each.default_factory for each in _fields_of(kind)}
    for name in tables:
        if name not in sections:
            known = ", ".join(f"[{within}{section}]" for section in sections)
            raise ConfigError(f"{file}: [{within}{name}]: no such section; there are {known}")
    read: dict[str, Any] = {
        name: _read_one(sections[name], table, file, within + name)
        for name, table in tables.items()
    }
    return kind(**read)


def _read_one(kind: type[T], table: object, file: str, name: str) -> T:
    if _is_group(kind) and isinstance(table, Mapping):
        return read_sections(kind, table, file, within=f"{name}.")
    return read_section(kind, table, file=file, name=name)


def sections_text(config: object, *, within: str = "") -> list[str]:
    """Return each section of a configuration as TOML."""
    texts: list[str] = []
    for each in _fields_of(config):
        section, name = getattr(config, each.name), within + each.name
        if _is_group(type(section)):
            texts += sections_text(section, within=f"{name}.")
        else:
            texts.append(section_text(name, section))
    return texts


def secret_texts(config: Any) -> Iterator[str]:
    """Yield what stands under the keys of a section, or of sections, that may hold a password."""
    for each in _fields_of(config):
        value = getattr(config, each.name)
        declared: Setting | None = each.metadata.get(_SETTING)
        if declared is None:
            yield from secret_texts(value)
        elif declared.secret:
            yield value


def _is_group(kind: type) -> bool:
    """Say whether the fields of a section are sections themselves."""
    return all(_SETTING not in each.metadata for each in _fields_of(kind))


def read_section(kind: type[T], table: object, *, file: str, name: str) -> T:
    """Return the section that a table of the file gives. Raises ConfigError."""
    where = f"{file}: [{name}]"
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: write it as a table, `[{name}]` on a line of its own")
    known = {each.name: each for each in _fields_of(kind)}
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{where} {key}: no such key; there are {', '.join(known)}")
        _check(known[key], value, f"{where} {key}")
    return kind(**{key: _kind_of(known[key])(value) for key, value in table.items()})


def _check(known: Field[Any], value: object, where: str) -> None:
    kind = _kind_of(known)
    declared: Setting = known.metadata[_SETTING]
    if not declared.takes(value, kind):
        shown = "..." if declared.secret else f"{_toml(value):.80}"
        raise ConfigError(f"{where} = {shown}: write {declared.allowed(kind)}; {declared.help}")


def section_text(name: str, section: object, *, heading: str = "[{}]") -> str:
    """Return a section as TOML, each key behind its help; `heading` is for one of several."""
    lines = [heading.format(name)]
    for each in _fields_of(type(section)):
        declared: Setting = each.metadata[_SETTING]
        kind = _kind_of(each)
        comment = f"{declared.help} ({declared.allowed(kind)}; default {_toml(each.default)})"
        lines += ["", *(f"# {line}" for line in wrap(comment, _WIDTH, break_on_hyphens=False))]
        lines.append(f"{each.name} = {_toml(getattr(section, each.name))}")
    return "\n".join(lines) + "\n"


def _fields_of(kind: Any) -> tuple[Field[Any], ...]:
    return fields(kind)


def _kind_of(known: Field[Any]) -> type:
    """Return the type of a key: that of its default."""
    return type(known.default)


def _toml(value: object) -> str:
    """Return a value as TOML writes it; its basic strings are JSON's, but for DEL."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(str(value)).replace("\x7f", "\\u007f")
