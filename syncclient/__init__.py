"""The client of syncd: dials, never listens. `Client` has one method per verb; see README.md."""

from syncclient.client import Client

__all__ = ["Client"]
