"""status, diff, verify: what shows whether two stores hold the same."""

from syncclient.access import Access
from syncclient.answers import parse_proof
from syncclient.cli.session import with_client
from syncclient.client import Client, sync_request
from syncclient.exchange import exchange
from syncclient.repair import read_list
from syncd.content.buckets import short_mark
from syncd.content.tokens import Proof
from syncd.content.versions import fingerprint_text
from syncd.errors import HigherAccessRequired, ReadOnly
from syncd.output import DIFFERS_STATUS, counted, print_record, print_table, say
from syncd.store import Store
from syncd.types import all_types

_SHOWN_DIGITS = 12

_COMPARED_HEADS = ("type", "server", "its fingerprint", "replica", "its fingerprint", "in sync")
_COMPARED_KEYS = (
    "type", "server", "server fingerprint", "replica", "replica fingerprint", "in sync",
    "server at", "replica at",
)  # fmt: skip
"""A table says with the place of a column whose it is, and the tokens below it; JSON does not."""


def _short(fingerprint: int) -> str:
    return fingerprint_text(fingerprint)[:_SHOWN_DIGITS]


def show_status(access: Access, store_url: str | None, as_json: bool) -> int:
    """Print, per type, what the server holds and whether the replica holds the same."""

    async def work(client: Client) -> dict[str, Proof]:
        proofs: dict[str, Proof] = {}
        for kind in all_types():
            try:
                heading, _ = await client.listing("SYNC", sync_request(kind.name, "info", limit=0))
            except HigherAccessRequired:
                continue
            proofs[kind.name] = parse_proof(heading)
        return proofs

    proofs = with_client(access, work)
    if store_url is None:
        rows = [
            (kind, proof.count, _short(proof.fingerprint), str(proof.token))
            for kind, proof in proofs.items()
        ]
        print_table(("type", "objects", "fingerprint", "token"), rows, as_json=as_json)
        return 0
    return _compare_status(proofs, store_url, as_json)


def _compare_status(proofs: dict[str, Proof], store_url: str, as_json: bool) -> int:
    rows = []
    same = True
    with Store.open(store_url) as store:
        view, taken = store.view(), store.clock().types or "*"
        for kind, proof in proofs.items():
            if taken != "*" and kind not in taken.split(","):
                continue  # a replica of some types has nothing of the others
            totals = view.totals([kind])
            in_sync = (totals.count, totals.fingerprint) == (proof.count, proof.fingerprint)
            same = same and in_sync
            rows.append(
                (
                    kind, proof.count, _short(proof.fingerprint), totals.count,
                    _short(totals.fingerprint), "yes" if in_sync else "NO",
                )
            )  # fmt: skip
        token = str(view.token)
    server = str(next(iter(proofs.values())).token) if proofs else "-"
    if as_json:
        print_table(_COMPARED_KEYS, [(*row, server, token) for row in rows], as_json=True)
    else:
        print_table(_COMPARED_HEADS, rows, as_json=False)
        say(f"server at {server}, replica at {token}")
    return 0 if same else DIFFERS_STATUS


def show_diff(access: Access, store_url: str, types: str | None, as_json: bool) -> int:
    """Print the objects in which the replica differs; by digests, without the content."""
    with Store.open(store_url) as store:
        asked = types or store.clock().types or "*"
        names = store.held_types() if asked == "*" else asked.split(",")
        ours = {(kind, name): short_mark(mark) for kind, name, mark in store.view().marks(names)}

    async def work(client: Client) -> dict[tuple[str, str], bytes]:
        theirs: dict[tuple[str, str], bytes] = {}
        request = sync_request(asked, "digest", bits=0, buckets="0", format="msgpack")
        await exchange(client, [request], lambda index, block: theirs.update(read_list(block)))
        return theirs

    theirs = with_client(access, work)
    rows = []
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            state = "differs" if key in ours and key in theirs else "only in the replica"
            rows.append((*key, state if key in ours else "only on the server"))
    if rows or as_json:
        print_table(("type", "name", "state"), rows, as_json=as_json)
    if not rows and not as_json:
        say(f"no difference in {counted(len(ours), 'object')}")
    return DIFFERS_STATUS if rows else 0


def show_text_diff(access: Access, store_url: str, types: str | None) -> int:
    """Print the lines that a resync would change. Raises TokenLost if there is no delta."""
    with Store.open(store_url) as store:
        clock = store.clock()
    if clock.source is None:
        raise ReadOnly(f"{store_url} is no replica: it has no token of a source")

    async def work(client: Client) -> list[str]:
        return await client.delta_text(types or clock.types or "*", clock.token)

    lines = with_client(access, work)
    for line in lines:
        say(line)
    return DIFFERS_STATUS if lines else 0


def show_verification(
    access: Access, store_url: str | None, types: str | None, as_json: bool
) -> int:
    """Print the server's fresh count, and what hashing the whole replica found; of the types that
    it takes, if none are named."""
    if types is None and store_url is not None:
        with Store.open(store_url) as store:
            types = store.clock().types
    asked = types or "*"

    async def work(client: Client) -> Proof:
        return await client.verify(asked)

    proof = with_client(access, work)
    record: dict[str, object] = {
        "server at": str(proof.token),
        "objects": proof.count,
        "fingerprint": fingerprint_text(proof.fingerprint),
    }
    same = True
    if store_url is not None:
        with Store.open(store_url) as store:
            damages = list(store.fsck())
            view = store.view()
            names = store.held_types() if asked == "*" else asked.split(",")
            totals = view.recount(names)
        same = not damages and (totals.count, totals.fingerprint) == (
            proof.count,
            proof.fingerprint,
        )
        record |= {
            "replica at": str(view.token),
            "its objects": totals.count,
            "its fingerprint": fingerprint_text(totals.fingerprint),
            "damages": len(damages),
            "verdict": "the same" if same else "NOT the same",
        }
        for damage in damages:
            say(f"syncclient: {damage.where}: {damage.what}", err=True)
        if damages:
            say("syncclient: `syncclient resync --verify` fetches it again", err=True)
    print_record(record, as_json=as_json)
    return 0 if same else DIFFERS_STATUS
