"""The types of data: importing this package registers all of them."""

from syncd.types import files, users, zones
from syncd.types.base import EVERY_TYPE, DataType, Prepared, Present, all_types, data_type
from syncd.types.roles import Role

__all__ = [
    "EVERY_TYPE", "DataType", "Prepared", "Present", "Role", "all_types", "data_type", "files",
    "users", "zones",
]  # fmt: skip
