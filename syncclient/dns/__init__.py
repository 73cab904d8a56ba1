"""Asking name servers over DNS, many questions at once: which serials and records they answer."""

from syncclient.dns.confirmation import Confirmation, Difference, confirm_records, confirm_rrsets
from syncclient.dns.expectation import Place, Rrset, Unseen, ZoneRrsets, expected_rrsets
from syncclient.dns.questions import AskLimits
from syncclient.dns.serials import SerialAnswer, ask_serials
from syncclient.dns.server import DnsServer

__all__ = [
    "AskLimits",
    "Confirmation",
    "Difference",
    "DnsServer",
    "Place",
    "Rrset",
    "SerialAnswer",
    "Unseen",
    "ZoneRrsets",
    "ask_serials",
    "confirm_records",
    "confirm_rrsets",
    "expected_rrsets",
]
