"""Names in Knot's configuration are names, whatever is in them: knotc reads back what was meant."""

import re
import subprocess
import tempfile
from pathlib import Path

import dns.name
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncclient.backends.knotconf import ZoneList
from syncclient.backends.zonenames import domain_text, is_plain
from syncd.content.zone.names import name_text, name_wire
from syncd.errors import ConfigError

_DOMAIN = re.compile(r"^ +- domain: (\S+)$", re.MULTILINE)

labels = st.binary(min_size=1, max_size=12) | st.sampled_from(
    [b'"', b"#", b"a: b", b"x\n", b"\\", b"%s", b"- domain", b"[a, b]", b"www", b"*", b"0/25"]
)
names = st.lists(labels, max_size=4).map(
    lambda parts: name_text(
        b"".join(bytes([len(part)]) + part.lower() for part in parts) + b"\0"
    ) if parts else "."
)  # fmt: skip


@given(st.lists(names, max_size=12, unique_by=lambda name: name_wire(name, b"").lower()))
@settings(max_examples=40, deadline=None)
def test_no_name_means_anything_but_itself(zones: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "zones.conf"
        file.write_text(ZoneList("syncd", Path("/srv/zones")).text(zones))
        exported = subprocess.run(
            ["knotc", "-c", file, "conf-export"], capture_output=True, text=True, check=True
        ).stdout
    found = {dns.name.from_text(name.strip('"')) for name in _DOMAIN.findall(exported)}
    assert found == set(map(dns.name.from_text, zones))
    assert exported.count("template: ") == len(zones)
    assert "master:" not in exported


@given(names)
def test_a_domain_is_the_name_in_printable_characters_without_quotes(zone: str) -> None:
    text = domain_text(zone)
    assert name_wire(text, b"") == name_wire(zone, b"")
    assert re.fullmatch(r"[a-z0-9_*.\\-]+", text)
    assert not is_plain(zone) or text == zone


@pytest.mark.parametrize("template", ["", "a b", "a\n", "[x]", 'a"'])
def test_a_template_has_a_plain_name(template: str) -> None:
    with pytest.raises(ConfigError, match="template"):
        ZoneList(template, Path("/srv"))
