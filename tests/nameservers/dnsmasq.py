"""dnsmasq: `with running_dnsmasq(folder, options="conf-dir=...") as server: server.restart()`."""

from collections.abc import Sequence
from pathlib import Path

import dns.exception

from tests.nameservers.server import NameServer


def running_dnsmasq(folder: Path, *, options: str = "") -> "Dnsmasq":
    """Return a dnsmasq to enter with `with`; `options` are further lines of its configuration."""
    return Dnsmasq(folder, options)


class Dnsmasq(NameServer):
    """A dnsmasq under a script that stands for the system's service: `restart_command` has it end
    the dnsmasq that runs and start another."""

    name = "dnsmasq"

    def __init__(self, folder: Path, options: str) -> None:
        super().__init__(folder, {})
        self._options = options
        self.restart_command = folder / "restart"

    def _configure(self) -> None:
        self.config.write_text(f"""\
port={self.port}
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
keep-in-foreground
log-facility=-
local-ttl=60
pid-file={self.folder}/pid
user=root
{self._options}
""")
        # The service starts dnsmasq again as long as it runs itself.
        service = self.folder / "service"
        service.write_text(f"""\
#!/bin/sh
trap 'kill "$child"; exit 0' TERM
while :; do
    dnsmasq -C {self.config} &
    child=$!
    echo "$child" >{self.folder}/child
    wait "$child"
done
""")
        self.restart_command.write_text(f"""\
#!/bin/sh
[ -e {self.folder}/running ] || {{ echo "the service does not run"; exit 1; }}
child=$(cat {self.folder}/child)
kill "$child"
while kill -0 "$child" 2>/dev/null; do sleep 0.01; done
""")
        for script in (service, self.restart_command):
            script.chmod(0o755)

    def start(self) -> None:
        super().start()
        (self.folder / "running").touch()

    def _end(self, number: int) -> None:
        (self.folder / "running").unlink(missing_ok=True)
        super()._end(number)

    def _command(self) -> Sequence[str]:
        return [str(self.folder / "service")]

    def _takes_commands(self) -> bool:
        try:
            self.query("version.bind.", "TXT")
        except (dns.exception.Timeout, OSError):
            return False
        return True
