"""Users, as the command line changes them: straight in the store, no daemon needed."""

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
    if store.view().find("users", [name]):
        raise AlreadyExists(
            f"there is a user {name}; `syncd user passwd` changes the password, `syncd user role` "
            "the role"
        )
    _write(store, name, wanted, hash_password(ask_password()), comment=f"add {name}")
    return name


def change_password(store: Store, name: str, ask_password: Callable[[], str]) -> None:
    """Give a user another password. Raises NoSuchObject."""
    name = USERS.check_name(name)
    found = store.view().find("users", [name])
    if not found:
        raise NoSuchObject(f"there is no user {name}")
    role = Role.parse(found[name].attribute("role"))
    _write(store, name, role, hash_password(ask_password()), comment=f"new password of {name}")


def change_role(store: Store, name: str, role: str) -> None:
    """Give a user another role, the password as it is. Raises NoSuchObject."""
    name = USERS.check_name(name)
    wanted = Role.parse(role)
    view = store.view()
    found = view.find("users", [name])
    if not found:
        raise NoSuchObject(f"there is no user {name}")
    hashed = b"".join(view.content(found[name])).decode()
    _write(store, name, wanted, hashed, comment=f"new role of {name}")


def remove_user(store: Store, name: str) -> None:
    """Remove a user. Raises NoSuchObject."""
    name = USERS.check_name(name)
    if not store.view().find("users", [name]):
        raise NoSuchObject(f"there is no user {name}")
    store.remove("users", name, author=_AUTHOR, comment=f"remove {name}")


def _write(store: Store, name: str, role: Role, hashed: str, *, comment: str) -> None:
    def make(present: Present | None) -> Prepared:
        return USERS.prepare(name, BytesIO(hashed.encode()), {"role": role.label})

    store.write("users", name, make, author=_AUTHOR, comment=comment)
