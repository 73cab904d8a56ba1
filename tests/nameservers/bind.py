"""BIND 9: `with running_bind(folder, zones=...) as server: server.rndc("reload")`."""

import base64
import secrets
from collections.abc import Sequence
from pathlib import Path

from bench.measure import free_port
from tests.nameservers.server import NameServer, Zones


def running_bind(
    folder: Path,
    *,
    zones: Zones = {},  # noqa: B006 (nobody writes to it)
    options: str = "",
    zone_options: str = "type primary; allow-transfer { 127.0.0.1; };",
    extra_config: str = "",
) -> "Bind":
    """Return a named to enter with `with`.

    `options` go into its options block, `zone_options` into each zone of `zones`; `extra_config`
    stands below all that (includes, further zones, keys).
    """
    return Bind(folder, zones, options, zone_options, extra_config)


class Bind(NameServer):
    """A named with a control channel of its own; `rndc_config` is for who starts rndc himself."""

    name = "named"

    def __init__(
        self, folder: Path, zones: Zones, options: str, zone_options: str, extra_config: str
    ) -> None:
        super().__init__(folder, zones)
        self.control_port = free_port()
        self.rndc_config = folder / "rndc.conf"
        self._options, self._zone_options = options, zone_options
        self._extra_config = extra_config

    def rndc(self, *words: str) -> str:
        """Run a control command and return what it prints. Raises ControlFailed."""
        return self._control("rndc", "-c", self.rndc_config, *words)

    def _configure(self) -> None:
        secret = base64.b64encode(secrets.token_bytes(32)).decode()
        key = f'key "control" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
        self.rndc_config.write_text(
            key + 'options { default-key "control"; default-server 127.0.0.1; '
            f"default-port {self.control_port}; }};\n"
        )
        zones = "".join(
            f'zone "{zone}" {{ file "{file}"; {self._zone_options} }};\n'
            for zone, file in self._zones.items()
        )
        self.config.write_text(f"""{key}
controls {{
    inet 127.0.0.1 port {self.control_port} allow {{ 127.0.0.1; }} keys {{ "control"; }};
}};
options {{
    directory "{self.folder}";
    listen-on port {self.port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    lock-file none;
    session-keyfile none;
    recursion no;
    dnssec-validation no;
    empty-zones-enable no;
    check-names primary ignore;
    notify no;
    {self._options}
}};
{zones}{self._extra_config}
""")

    def _command(self) -> Sequence[str]:
        return ["named", "-g", "-4", "-n", "1", "-c", str(self.config)]

    def _takes_commands(self) -> bool:
        return self._takes("rndc", "-c", str(self.rndc_config), "status")
