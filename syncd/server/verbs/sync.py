"""SYNC: finds the action, and the help about it."""

from syncd.protocol.fields import join_fields
from syncd.server.registry import ACTIONS, subject_actions, verb
from syncd.server.requests import parse_request
from syncd.server.session import Session
from syncd.types import Role, all_types


@verb(
    "SYNC types|action[|value...][|option=...]",
    role=Role.READER,
    summary="ask for data or change it; SYNC ? lists the types and actions",
)
async def sync(session: Session, argument: str) -> None:
    if argument.strip() in ("?", ""):
        await session.listing("types and actions", _help_lines())
        return
    assert session.role is not None  # the verb has a least role
    request = parse_request(argument, session.role)
    session.last_request = request
    await request.action.run(session, request)


def _help_lines() -> list[str]:
    lines = [
        join_fields(["type", kind.name, kind.read_role.label, kind.write_role.label, kind.summary])
        for kind in all_types()
    ]
    for known in ACTIONS.values():
        lines.append(f"action|{known.syntax.replace('|', ' | ')}  {known.summary}")
        lines += [f"option|{known.name}|{name}=  {text}" for name, text in known.options.items()]
    for known in subject_actions():
        assert known.subject is not None
        lines.append(f"action|{known.syntax.replace('|', ' | ')}  {known.summary}")
        lines += [
            f"option|{known.subject} {known.name}|{name}=  {text}"
            for name, text in known.options.items()
        ]
    for kind in all_types():
        lines += [f"option|put {kind.name}|{name}=  {text}" for name, text in kind.options.items()]
    return lines
