"""The agent beside a name server: follows a source, and has the server answer what it holds."""
