"""Where a server is found unless it is said otherwise (protocol.md)."""

DEFAULT_PORT = 5040
"""Of `syncd://`."""
DEFAULT_TLS_PORT = 5041
"""Of `syncds://`, where TLS begins with the first byte."""
