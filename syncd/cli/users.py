"""Users, as the command line changes them: straight in the store, no daemon needed.

Asking for a password takes a while. Whatever somebody else changes meanwhile stays: of a user only
what was to be changed is.
"""

from collections.abc import Callable
from io import BytesIO

from syncd.errors import AlreadyExists, NoSuchObject
from syncd.store import Store
from syncd.types import Prepared, Present, Role
from syncd.types.users import USERS, hash_password

_AUTHOR = "syncd user"


def add_user(store: Store, name: str, role: str, ask_password: Callable[[], str]) -> str:
    """Add a user and return the name as it is kept. Raises AlreadyExists, IllegalValue."""
    name = USERS.check_name(name)
    wanted = Role.parse(role)

    def check_new(present: Present | None) -> None:
        if present is not None:
            raise AlreadyExists(
                f"there is a user {name}; `syncd user passwd` changes the password, "
                "`syncd user role` the role"
            )

    check_new(store.view().present("users", name))
    hashed = hash_password(ask_password())

    def make(present: Present | None) -> Prepared:
        check_new(present)
        return _prepared(name, wanted, hashed)

    store.write("users", name, make, author=_AUTHOR, comment=f"add {name}")
    return name


def change_password(store: Store, name: str, ask_password: Callable[[], str]) -> None:
    """Give a user another password, the role as it is. Raises NoSuchObject."""
    name = USERS.check_name(name)
    _found(name, store.view().present("users", name))
    hashed = hash_password(ask_password())

    def make(present: Present | None) -> Prepared:
        role = Role.parse(_found(name, present).version.attribute("role"))
        return _prepared(name, role, hashed)

    store.write("users", name, make, author=_AUTHOR, comment=f"new password of {name}")


def change_role(store: Store, name: str, role: str) -> None:
    """Give a user another role, the password as it is. Raises NoSuchObject."""
    name = USERS.check_name(name)
    wanted = Role.parse(role)

    def make(present: Present | None) -> Prepared:
        hashed = b"".join(_found(name, present).content.chunks()).decode()
        return _prepared(name, wanted, hashed)

    store.write("users", name, make, author=_AUTHOR, comment=f"new role of {name}")


def remove_user(store: Store, name: str) -> None:
    """Remove a user. Raises NoSuchObject."""
    name = USERS.check_name(name)
    _found(name, store.view().present("users", name))
    store.remove("users", name, author=_AUTHOR, comment=f"remove {name}")


def _found(name: str, present: Present | None) -> Present:
    if present is None:
        raise NoSuchObject(f"there is no user {name}")
    return present


def _prepared(name: str, role: Role, hashed: str) -> Prepared:
    return USERS.prepare(name, BytesIO(hashed.encode()), {"role": role.label})
