"""Confman's HTTP interface on one node: its routes, what each does, redirects to the leader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from confman_tui.demo import answers, body, dotnet
from confman_tui.demo.answers import Answer, Listing
from confman_tui.demo.raft import RaftNode
from confman_tui.demo.raft_model import WriteResult
from confman_tui.demo.resource import Call, Resource
from confman_tui.demo.store import Entry, Namespace, Store

ENTRY_NOT_REPLICATED = "Replication failed"
NAMESPACE_NOT_REPLICATED = "The namespace change could not be replicated to the cluster"


class Api:
    """The node's HTTP application. `addresses` gives each node's base URL by its Raft name."""

    def __init__(self, raft: RaftNode, store: Store, addresses: Mapping[str, str]) -> None:
        self._raft = raft
        self._store = store
        self._addresses = addresses
        one = "/api/v1/namespaces/{ns}"
        self._router = Router(
            [
                Route(
                    one + "/config/{key}", Resource(GET=self._get_entry, PUT=self._put_entry, DELETE=self._delete_entry)
                ),
                Route("/health/ready", Resource(open_to_all=True, GET=self._ready)),
                Route("/health", Resource(open_to_all=True, GET=self._health)),
                Route(one + "/config", Resource(GET=self._list_entries)),
                Route(one + "/audit", Resource(GET=self._audit)),
                Route(one, Resource(GET=self._get_ns, PUT=self._put_ns, DELETE=self._delete_ns)),
                Route("/api/v1/namespaces", Resource(GET=self._list_ns)),
                Route("/api/v1/configs", Resource(open_to_all=True, GET=self._all_entries)),
            ],
            redirect_slashes=False,
            default=answers.empty(404),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = dotnet.decoded_path(scope["raw_path"].decode("latin-1"))
        scope["path"] = path.rstrip("/") or "/"
        extra: list[tuple[bytes, bytes]] = []
        correlation = None
        for name, value in scope["headers"]:
            if name == b"x-correlation-id":
                correlation = value
            elif name == b"origin":
                extra.append((b"access-control-allow-origin", b"*"))
        extra.append((b"x-correlation-id", correlation or dotnet.correlation_id().encode()))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        preflight = answers.preflight(scope["headers"]) if scope["method"] == "OPTIONS" else None
        await (preflight or self._router)(scope, receive, send_with_headers)

    # -- health

    async def _health(self, call: Call) -> Answer:
        return answers.ok({"status": "healthy", "timestamp": dotnet.written_time(dotnet.now_ticks())})

    async def _ready(self, call: Call) -> Answer:
        status = self._raft.status
        known = status.leader is not None
        cluster = {
            "role": "leader" if status.serving else "follower",
            "leaderKnown": known,
            "leader": self._addresses[status.leader] + "/" if status.leader is not None else None,
            "term": status.term,
        }
        data = {
            "status": "ready" if known else "not_ready",
            "timestamp": dotnet.written_time(dotnet.now_ticks()),
            "cluster": cluster,
        }
        return answers.ok(data, 200 if known else 503)

    # -- reads

    async def _list_ns(self, call: Call) -> Answer:
        await self._raft.read_barrier()
        return answers.ok([_namespace(path, namespace) for path, namespace in self._store.namespaces()])

    async def _get_ns(self, call: Call) -> Answer:
        await self._raft.read_barrier()
        path = call.params["ns"]
        namespace = self._store.namespace(path)
        return _no_namespace(path) if namespace is None else answers.ok(_namespace(path, namespace))

    async def _list_entries(self, call: Call) -> Listing:
        await self._raft.read_barrier()
        ns = call.params["ns"]
        # A list shows a blob's entry, but not its value.
        rows = self._store.entries_of(ns)
        return Listing(_entry(ns, key, entry, "" if entry.is_blob else entry.value) for key, entry in rows)

    async def _get_entry(self, call: Call) -> Answer:
        await self._raft.read_barrier()
        ns, key = call.params["ns"], call.params["key"]
        entry = self._store.entry(ns, key)
        return _no_entry(ns, key) if entry is None else answers.ok(_entry(ns, key, entry, entry.value))

    async def _all_entries(self, call: Call) -> Listing:
        await self._raft.read_barrier()
        return Listing(_row(ns, key, entry) for ns, key, entry in self._store.entries())

    async def _audit(self, call: Call) -> Answer:
        limit = parse_qs(call.query, keep_blank_values=True).get("limit", ["50"])[0]
        try:
            int(limit)
        except ValueError:
            return answers.invalid({"limit": [f"The value '{limit}' is not valid."]})
        return answers.ok([])  # audit is off by default

    # -- writes

    async def _put_ns(self, call: Call) -> Answer:
        fields = await self._fields(call, body.NAMESPACE)
        if isinstance(fields, Answer):
            return fields
        path, ticks = call.params["ns"], dotnet.now_ticks()
        made = Namespace(fields["description"], fields["owner"] or call.user, dotnet.written_time(ticks))
        refused = await self._write(
            call,
            NAMESPACE_NOT_REPLICATED,
            None,
            ("put_namespace", path, made.description, made.owner, dotnet.stored_time(ticks)),
        )
        return refused or answers.ok(_namespace(path, made))

    async def _delete_ns(self, call: Call) -> Answer:
        path = call.params["ns"]
        refused = await self._write(
            call, NAMESPACE_NOT_REPLICATED, lambda: _no_namespace(path), ("delete_namespace", path)
        )
        return refused or answers.no_content()

    async def _put_entry(self, call: Call) -> Answer:
        fields = await self._fields(call, body.ENTRY)
        if isinstance(fields, Answer):
            return fields
        ns, key, ticks = call.params["ns"], call.params["key"], dotnet.now_ticks()
        value, type_ = fields["value"] or "", fields["type"] or "string"
        # The answer says version 0, as Confman's does: only a later read shows the version.
        made = Entry(value, type_, 0, dotnet.written_time(ticks), call.user)
        refused = await self._write(
            call,
            ENTRY_NOT_REPLICATED,
            None,
            ("put_entry", ns, key, value, type_, dotnet.stored_time(ticks), call.user),
        )
        return refused or answers.ok(_entry(ns, key, made, value))

    async def _delete_entry(self, call: Call) -> Answer:
        ns, key = call.params["ns"], call.params["key"]
        refused = await self._write(call, ENTRY_NOT_REPLICATED, lambda: _no_entry(ns, key), ("delete_entry", ns, key))
        return refused or answers.no_content()

    async def _fields(self, call: Call, shape: body.Shape) -> dict[str, str | None] | Answer:
        content_type = call.header(b"content-type")
        if content_type is None or not body.JSON_TYPE.match(content_type.decode("latin-1")):
            return answers.unsupported_media_type()
        data = await call.body()
        if data is None:
            return answers.empty(413)
        try:
            return body.read(data, shape)
        except body.InvalidBodyError as error:
            return answers.invalid(error.errors)

    async def _write(
        self, call: Call, not_replicated: str, missing: Callable[[], Answer] | None, command: tuple[Any, ...]
    ) -> Answer | None:
        """Replicate a command; the answer when it was not done here, or None when it was."""
        status = self._raft.status
        if not status.serving:
            if status.leader is None:
                return answers.no_leader()
            address = dotnet.location(self._addresses[status.leader], call.path, call.query)
            return answers.empty(500) if address is None else answers.redirect(address)
        result = await self._raft.write(*command)
        if result is WriteResult.UNKNOWN:
            return answers.replication_failed(not_replicated)
        return missing() if result is WriteResult.MISSING and missing is not None else None


def _namespace(path: str, namespace: Namespace) -> dict[str, Any]:
    return {
        "path": path,
        "description": namespace.description,
        "owner": namespace.owner,
        "createdAt": namespace.created_at,
    }


def _entry(ns: str, key: str, entry: Entry, value: str) -> dict[str, Any]:
    return {
        "namespace": ns,
        "key": key,
        "value": value,
        "type": entry.type,
        "version": entry.version,
        "updatedAt": entry.updated_at,
        "updatedBy": entry.updated_by,
    }


def _row(ns: str, key: str, entry: Entry) -> dict[str, Any]:
    blob = entry.blob_id if entry.is_blob else None
    row = _entry(ns, key, entry, entry.value if blob is None else f"[blob:{blob}]")
    del row["namespace"]
    return {"ns": ns, **row, "isBlobBacked": blob is not None, "blobId": blob}


def _no_namespace(path: str) -> Answer:
    return answers.problem(404, "Namespace not found", f"No namespace found with path '{path}'")


def _no_entry(ns: str, key: str) -> Answer:
    detail = f"No configuration entry found with key '{key}' in namespace '{ns}'"
    return answers.problem(404, "Configuration not found", detail)


def application(raft: RaftNode, store: Store, addresses: Mapping[str, str]) -> ASGIApp:
    """The ASGI application of one node."""
    return Api(raft, store, addresses)
