"""How long an example may take says nothing on a machine with other work to do."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
