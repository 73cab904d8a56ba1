"""What one client may cost the daemon: the limits that an operator may set, with their reasons.

Those that are part of the protocol, and so the same everywhere, are in `syncd/protocol/limits.py`.
"""

from dataclasses import dataclass
from ipaddress import ip_network

from syncd.server.throttle import PER_ADDRESS, PER_USER
from syncd.settings import setting

STEP_BYTES = 64 * 1024
"""What `stall_s` and `body_step_s` go by: bytes that have to get through in that time."""

FAREWELL_S, FAREWELL_BYTES = 1.0, 1024 * 1024
"""How long, and how much, a client may go on sending before it has read why its connection is
closed."""

_DAY_S = 24 * 3600


@dataclass(frozen=True)
class Limits:
    """Section [limits]."""

    max_sessions: int = setting(
        1000,
        "Sessions at once; each costs a socket and some 30 KiB. More are refused with 551.",
        low=1,
        high=100_000,
    )
    max_sessions_per_address: int = setting(
        100,
        "Sessions at once from one IPv4 address or IPv6 /64 network, so that one machine cannot "
        "take all; more are refused with 551.",
        low=1,
        high=100_000,
    )
    uncounted_networks: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1/128"),
        "Networks whose addresses max_sessions_per_address does not count: this machine, its "
        "tunnels and proxies, behind which many clients have one address.",
        each=ip_network,
    )
    login_s: float = setting(
        60.0,
        "Seconds that a connection may stay without a login: enough to type a password, too few "
        "for strangers to fill the sessions.",
        low=0.1,
        high=_DAY_S,
    )
    failed_logins_per_address: int = setting(
        PER_ADDRESS.failures,
        "Failed logins at once from one IPv4 address or IPv6 /64 network; one more every "
        f"{PER_ADDRESS.regain_s:.0f} s. Set it higher where many people have one address, as "
        "behind a proxy.",
        low=1,
        high=100_000,
    )
    failed_logins_per_user: int = setting(
        PER_USER.failures,
        "Failed logins at once of one user, from wherever; one more every "
        f"{PER_USER.regain_s:.0f} s.",
        low=1,
        high=100_000,
    )
    password_checks: int = setting(
        2,
        "Passwords checked at once, 19 MiB, a processor and one of the store's 8 threads each: "
        "whoever guesses slows other logins, not the readers.",
        low=1,
        high=7,
    )
    handshake_s: float = setting(
        10.0,
        "Seconds that a client may take for a TLS handshake: a few round trips, on the worst of "
        "lines.",
        low=0.1,
        high=3600,
    )
    idle_s: float = setting(
        900.0,
        "Seconds without a command after which a session is ended; Citadel's time. Not for those "
        "that wait for notices (ASYN 1) or hold a freeze, which ends by itself.",
        low=0.1,
        high=365 * _DAY_S,
    )
    command_s: float = setting(
        60.0,
        "Seconds from the first byte of a command's line to its end: people type over telnet.",
        low=0.1,
        high=_DAY_S,
    )
    body_step_s: float = setting(
        60.0,
        "Seconds in which each 64 KiB of a body that a client sends must come, or its end: "
        "some 1 KiB a second at least.",
        low=0.1,
        high=_DAY_S,
    )
    stall_s: float = setting(
        60.0,
        "Seconds in which a client must take each 64 KiB that it is sent: some 1 KiB a second. "
        "Who does not read holds memory and perhaps a freeze.",
        low=0.1,
        high=_DAY_S,
    )
    max_body_bytes: int = setting(
        1024 * 1024 * 1024,
        "Largest zone or file that is taken over the wire, so that no client can fill the disk. "
        "From 1 MiB on a body is kept in a temporary file (TMPDIR) until it is complete.",
        low=1,
        high=1 << 50,
    )
    drain_s: float = setting(
        20.0,
        "Seconds that sessions have to finish the command in hand when the daemon is told to stop; "
        "service managers kill after 90.",
        low=0,
        high=3600,
    )
