"""The HTTP server: authentication, dispatch of requests, and encoding of responses."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Any

from aiohttp import web

from ..access import authorization as access
from ..access.tokens import TokenIssuer, User
from ..errors import (
    ApiError,
    bad_request,
    invalid,
    method_not_allowed,
    no_such_path,
    not_found,
    required,
    unsupported_media_type,
)
from ..objects import Object, encode
from ..printing import table
from ..reading.listing import page, selection
from ..reading.views import to_view, to_view_bytes
from ..reading.watch import serve_watch
from ..registry import discovery, openapi
from ..registry.resources import Registry, Resource
from ..schema.kinds import BINDING, DELETE_OPTIONS, TOKEN_REQUEST
from ..storage.sqlite import Storage
from ..storage.store import Entry, Key, Store
from ..writing.operations import APPLY_PATCHES, Operations, WriteOptions
from .decoding import decode, decode_request
from .decoding import parse as parse_body
from .podlogs import serve_log
from .queries import boolean, whole_number
from .routing import Target, parse

_log = logging.getLogger(__name__)
_MAX_BODY = 3 * 1024 * 1024
_VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+mediatask.embedded",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "",
    "goVersion": "",
    "compiler": "python",
    "platform": "linux/amd64",
}
_JSON_TYPES = ("application/json", "application/yaml")
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class ApiServer:
    """The API server of one state directory. `handle` answers requests; `start` binds it to a port."""

    def __init__(self, directory: Path) -> None:
        self._storage = Storage(directory / "cluster.db")
        self._store = Store(self._storage)
        self._registry = Registry()
        self._operations = Operations(self._store, self._registry)
        self._tokens = TokenIssuer(self._store, directory / "service-account.key")
        self._access = access.Access((directory / "admin.token").read_text().strip(), self._tokens)
        self._directory = directory
        self._runner: web.ServerRunner | None = None

    async def start(self, port: int) -> int:
        """Listen on 127.0.0.1; port 0 picks a free one. Returns the port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._directory / "server.crt", self._directory / "server.key")
        # Cancellation ends a watch when its client disconnects; writes have no await between check and commit.
        server = web.Server(self.handle, handler_cancellation=True, request_factory=_request, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=context, backlog=1024)
        await site.start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        for collection in self._store.collections.values():
            for subscription in list(collection.subscriptions):
                subscription.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self._storage.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            user = self._access.authenticate(request.headers.get("Authorization"))
            return await self._dispatch(request, user)
        except ApiError as error:
            return _refusal(error)
        except (ConnectionResetError, asyncio.CancelledError):
            raise
        except web.HTTPRequestEntityTooLarge:
            text = f"Request entity too large: limit is {_MAX_BODY}"
            return _refusal(ApiError(413, "RequestEntityTooLarge", text))
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            text = "Internal error occurred; see the server's log"
            return _refusal(ApiError(500, "InternalError", text))

    # --- dispatch

    async def _dispatch(self, request: web.BaseRequest, user: User) -> web.StreamResponse:
        parts = [part for part in request.path.split("/") if part]
        is_resource = len(parts) > 2 and parts[0] in ("api", "apis")
        target = parse(parts) if is_resource else None
        if request.path in access.PUBLIC_PATHS:
            return _json(_VERSION) if request.path == "/version" else web.Response(text="ok")
        self_review = target is not None and target.plural.startswith("selfsubject")
        if not access.is_allowed(user) and not (self_review and user.uid):
            raise access.forbidden(user, _verb(request, target), request.path, target)
        if target is None:
            return self._serve_document(request, parts)
        resource = self._registry.get(target.group, target.version, target.plural)
        if target.subresource and target.subresource not in resource.subresources:
            raise not_found(resource.plural, resource.group, target.name or "") if resource.custom else no_such_path()
        if resource.is_review:
            return await self._serve_review(request, resource, user)
        if target.name is None:
            return await self._serve_collection(request, resource, target.namespace)
        if resource.namespaced and target.namespace is None:
            raise no_such_path()
        key = Key(target.namespace or "" if resource.namespaced else "", target.name)
        if target.subresource == "token":
            return await self._serve_token_request(request, key)
        if target.subresource == "binding":
            return await self._serve_binding(request, resource, key)
        return await self._serve_object(request, resource, key, target.subresource)

    def _serve_document(self, request: web.BaseRequest, parts: list[str]) -> web.Response:
        if request.method != "GET":
            raise method_not_allowed()
        aggregated = discovery.wants_aggregated(request.headers.get("Accept", ""))
        match parts:
            case []:
                return _json({"paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]})
            case ["api" | "apis" as root] if aggregated:
                body = discovery.aggregated(self._registry, core=root == "api")
                return web.Response(body=encode(body), headers={"Content-Type": discovery.AGGREGATED_TYPE})
            case ["api"]:
                return _json(discovery.core_versions())
            case ["apis"]:
                return _json(discovery.group_list(self._registry))
            case ["apis", group]:
                return _json(discovery.group(self._registry, group))
            case ["api", version]:
                return _json(discovery.resource_list(self._registry, "", version))
            case ["apis", group, version]:
                return _json(discovery.resource_list(self._registry, group, version))
            case ["openapi", "v3"]:
                return _json(openapi.index(self._registry))
            case ["openapi", "v3", "api", version]:
                return _json(openapi.document(self._registry, "", version))
            case ["openapi", "v3", "apis", group, version]:
                return _json(openapi.document(self._registry, group, version))
        raise no_such_path()

    async def _serve_review(self, request: web.BaseRequest, resource: Resource, user: User) -> web.Response:
        if request.method != "POST":
            raise method_not_allowed()
        body = await _body(request)
        decode(resource, body, "Ignore")
        return _json(self._access.review(resource.kind, user, body), 201)

    async def _serve_token_request(self, request: web.BaseRequest, key: Key) -> web.Response:
        if request.method != "POST":
            raise method_not_allowed()
        body = decode_request(await _body(request), TOKEN_REQUEST)
        return _json(self._tokens.request(key.namespace, key.name, body), 201)

    async def _serve_binding(self, request: web.BaseRequest, resource: Resource, key: Key) -> web.Response:
        if request.method != "POST":
            raise method_not_allowed()
        binding = decode_request(await _body(request), BINDING)
        self._operations.bind(resource, key, binding, _write_options(request))
        return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)

    async def _serve_collection(
        self, request: web.BaseRequest, resource: Resource, namespace: str | None
    ) -> web.StreamResponse:
        if request.method == "GET":
            if boolean(request.query, "watch"):
                return await self._watch(request, resource, namespace, None)
            return self._list(request, resource, namespace)
        if request.method == "POST":
            if resource.namespaced and namespace is None:
                raise no_such_path() if resource.custom else method_not_allowed()
            options = _write_options(request)
            body = await _body(request)
            return _entry(resource, self._operations.create(resource, namespace or "", body, options), options, 201)
        if request.method == "DELETE":
            return await self._delete_collection(request, resource, namespace)
        raise method_not_allowed()

    def _list(self, request: web.BaseRequest, resource: Resource, namespace: str | None) -> web.Response:
        selects = selection(resource, namespace, request.query)
        collection = self._operations.collection(resource)
        entries, metadata = page(collection, selects, request.query, self._store.revision)
        if _wants_table(request):
            include = request.query.get("includeObject", "Metadata")
            objects = (entry.object for entry in entries)
            return _json(table.render(resource, objects, metadata, include))
        head = encode({"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata})
        items = b",".join(to_view_bytes(resource, entry) for entry in entries)
        return web.Response(body=b'%s,"items":[%s]}' % (head[:-1], items), content_type="application/json")

    async def _watch(
        self, request: web.BaseRequest, resource: Resource, namespace: str | None, name: str | None
    ) -> web.StreamResponse:
        selects = selection(resource, namespace, request.query, name)

        def render(entry: Entry) -> bytes:
            if _wants_table(request):
                version = {"resourceVersion": entry.object["metadata"]["resourceVersion"]}
                include = request.query.get("includeObject", "Metadata")
                return encode(table.render(resource, [entry.object], version, include))
            return to_view_bytes(resource, entry)

        collection = self._operations.collection(resource)
        return await serve_watch(request, self._store, collection, resource, selects, render)

    async def _delete_collection(
        self, request: web.BaseRequest, resource: Resource, namespace: str | None
    ) -> web.Response:
        options = await _delete_options(request)
        selects = selection(resource, namespace, request.query)
        collection = self._operations.collection(resource)
        entries = []
        for key in list(collection.ordered_keys()):
            entry = collection.entries.get(key)
            if entry is not None and selects(key, entry.object):
                deleted, _ = self._operations.lifecycle.delete(
                    collection, key, options, dry_run="dryRun" in request.query
                )
                entries.append(to_view(resource, deleted.object))
        metadata = {"resourceVersion": str(self._store.revision)}
        kind = f"{resource.kind}List"
        return _json({"kind": kind, "apiVersion": resource.api_version, "metadata": metadata, "items": entries})

    async def _serve_object(
        self, request: web.BaseRequest, resource: Resource, key: Key, subresource: str
    ) -> web.StreamResponse:
        operations = self._operations
        if request.method == "GET":
            if subresource == "log":
                return await self._serve_log(request, resource, key)
            if boolean(request.query, "watch"):
                return await self._watch(request, resource, key.namespace if resource.namespaced else None, key.name)
            entry = operations.get(resource, key)
            if _wants_table(request):
                version = {"resourceVersion": entry.object["metadata"]["resourceVersion"]}
                include = request.query.get("includeObject", "Metadata")
                return _json(table.render(resource, [entry.object], version, include))
            return _entry(resource, entry)
        if request.method == "DELETE" and not subresource:
            return await self._delete(request, resource, key)
        options = _write_options(request)
        if request.method == "PUT":
            body = await _body(request)
            return _entry(resource, operations.update(resource, key, subresource, body, options), options)
        if request.method == "PATCH":
            return await self._patch(request, resource, key, subresource, options)
        raise method_not_allowed()

    async def _patch(
        self, request: web.BaseRequest, resource: Resource, key: Key, subresource: str, options: WriteOptions
    ) -> web.Response:
        body = await _body(request, patch=True)
        if request.content_type not in APPLY_PATCHES:
            entry = self._operations.patch(resource, key, subresource, request.content_type, body, options)
            return _entry(resource, entry, options)
        if not request.query.get("fieldManager"):
            error = required("fieldManager", "is required for apply patch")
            raise invalid("PatchOptions", "meta.k8s.io", "", [error])
        new = key not in self._operations.collection(resource).entries
        entry = self._operations.apply(resource, key, subresource, body, options)
        return _entry(resource, entry, options, 201 if new else 200)

    async def _delete(self, request: web.BaseRequest, resource: Resource, key: Key) -> web.Response:
        options = await _delete_options(request)
        collection = self._operations.collection(resource)
        if key not in collection.entries:
            raise not_found(resource.plural, resource.group, key.name)
        entry, gone = self._operations.lifecycle.delete(collection, key, options, dry_run="dryRun" in request.query)
        if not gone or resource.storage_name == "pods":
            return _entry(resource, entry)
        details = {
            "name": key.name,
            "group": resource.group,
            "kind": resource.plural,
            "uid": entry.object["metadata"]["uid"],
        }
        details = {name: value for name, value in details.items() if value}
        return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})

    async def _serve_log(self, request: web.BaseRequest, resource: Resource, key: Key) -> web.StreamResponse:
        pod = self._operations.get(resource, key).object
        pods = self._operations.collection(resource)

        def current() -> Object | None:
            entry = pods.entries.get(key)
            same = entry is not None and entry.object["metadata"]["uid"] == pod["metadata"]["uid"]
            return entry.object if entry is not None and same else None

        return await serve_log(request, pod, current)


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_MAX_BODY)


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=encode(body), content_type="application/json")


def _refusal(error: ApiError) -> web.Response:
    return _json(error.status(), error.code)


def _entry(resource: Resource, entry: Entry, options: WriteOptions | None = None, status: int = 200) -> web.Response:
    response = web.Response(status=status, body=to_view_bytes(resource, entry), content_type="application/json")
    for text in options.warnings if options else ():
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


async def _body(request: web.BaseRequest, *, patch: bool = False) -> Any:
    kind = request.content_type
    if not patch and kind not in (*_JSON_TYPES, "application/octet-stream", "text/plain"):
        raise unsupported_media_type(_JSON_TYPES)
    return parse_body(await request.read(), kind)


async def _delete_options(request: web.BaseRequest) -> Object:
    """DeleteOptions from the body, with those query parameters that have the same meaning."""
    options: Object = {}
    if request.can_read_body:
        body = await _body(request)
        options = decode_request({} if body is None else body, DELETE_OPTIONS)
    if "propagationPolicy" in request.query:
        options["propagationPolicy"] = request.query["propagationPolicy"]
    grace = whole_number(request.query, "gracePeriodSeconds")
    if grace is not None:
        options["gracePeriodSeconds"] = grace
    return options


def _write_options(request: web.BaseRequest) -> WriteOptions:
    query = request.query
    agent = request.headers.get("User-Agent", "unknown").partition("/")[0]
    validation = query.get("fieldValidation", "Warn")
    if validation not in ("Strict", "Warn", "Ignore"):
        raise bad_request(f"fieldValidation: Unsupported value: {validation!r}")
    if query.get("dryRun", "All") != "All":
        raise bad_request(f'dryRun: Unsupported value: {query["dryRun"]!r}: supported values: "All"')
    return WriteOptions(
        manager=query.get("fieldManager") or agent,
        dry_run="dryRun" in query,
        force=boolean(query, "force"),
        field_validation=validation,
    )


def _wants_table(request: web.BaseRequest) -> bool:
    return "as=Table" in request.headers.get("Accept", "")


def _verb(request: web.BaseRequest, target: Target | None) -> str:
    """The request's verb in the terms of authorization."""
    if target is None:
        return request.method.lower()
    if request.method == "GET" and target.name is None:
        return "watch" if boolean(request.query, "watch") else "list"
    if request.method == "DELETE" and target.name is None:
        return "deletecollection"
    return _VERBS.get(request.method, request.method.lower())
