"""The examples of configurations are such as agents and name servers take."""

import shutil
import subprocess
from pathlib import Path

import pytest

from syncclient.backends import backend_names
from syncclient.backends.knot import KnotSettings
from syncclient.backends.knotconf import ZoneList
from syncclient.follow.config import AgentConfig

EXAMPLES = Path(__file__).parents[3] / "examples" / "backends"


@pytest.mark.parametrize("name", backend_names())
def test_there_is_one_for_each_backend_and_an_agent_takes_it(name: str) -> None:
    config = AgentConfig.load(EXAMPLES / name / "replica.toml")
    assert config.backend_kind.name == name
    assert config.backend().name == name


def test_named_takes_that_of_bind(tmp_path: Path) -> None:
    text = (EXAMPLES / "bind" / "named.conf").read_text()
    for name in ("/etc/bind/rndc.key", "/var/lib/syncd/ns2/zones.conf"):
        (tmp_path / Path(name).name).touch()
        text = text.replace(name, str(tmp_path / Path(name).name))
    (tmp_path / "rndc.key").write_text(
        'key "rndc-key" { algorithm hmac-sha256; secret "c2VjcmV0"; };'
    )
    (tmp_path / "named.conf").write_text(text)
    tool = shutil.which("named-checkconf")
    assert tool is not None, "bind9-utils is missing"
    done = subprocess.run([tool, str(tmp_path / "named.conf")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_knotd_takes_that_of_knot(tmp_path: Path) -> None:
    config = AgentConfig.load(EXAMPLES / "knot" / "replica.toml")
    assert isinstance(config.backend_settings, KnotSettings)
    listed = tmp_path / "zones.conf"
    options = config.backend_settings.template_options
    listed.write_text(ZoneList("syncd", tmp_path, options).text(["example.com."]))
    text = (EXAMPLES / "knot" / "knot.conf").read_text()
    text = text.replace("/var/lib/syncd/ns2/zones.conf", str(listed))
    text = text.replace("user: knot:knot", "")
    (tmp_path / "knot.conf").write_text(text)
    done = subprocess.run(
        ["knotc", "-c", tmp_path / "knot.conf", "conf-check"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_nsd_takes_that_of_nsd(tmp_path: Path) -> None:
    text = (EXAMPLES / "nsd" / "nsd.conf").read_text()
    config = tmp_path / "nsd.conf"
    config.write_text(text.replace("/run/nsd", str(tmp_path)))
    tool = shutil.which("nsd-checkconf")
    assert tool is not None, "nsd is missing"
    done = subprocess.run([tool, str(config)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    settings = AgentConfig.load(EXAMPLES / "nsd" / "replica.toml").backend_settings
    assert f"control-interface: {settings.socket}\n" in text
    assert f'name: "{settings.pattern}"\n' in text


def test_dnsmasq_takes_that_of_dnsmasq(tmp_path: Path) -> None:
    text = (EXAMPLES / "dnsmasq" / "dnsmasq.conf").read_text()
    config = tmp_path / "dnsmasq.conf"
    config.write_text(text.replace("/var/lib/syncd/ns2/zones", str(tmp_path)))
    tool = shutil.which("dnsmasq")
    assert tool is not None, "dnsmasq-base is missing"
    done = subprocess.run([tool, "--test", f"--conf-file={config}"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "dnsmasq: syntax check OK.\n")
