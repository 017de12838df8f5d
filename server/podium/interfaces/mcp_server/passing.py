"""Requests that are passed on to upstreams: prompts, resources, completion, log levels."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from podium.domain.errors import PodiumError
from podium.domain.ports import Relay
from podium.domain.relay import Message, PeerError
from podium.interfaces.mcp_server.directory import Directory, Place
from podium.interfaces.mcp_server.fronts import Context, front_of, is_modern, session_of
from podium.interfaces.mcp_server.progress import Progress

MOST_WATCHED = 256  # resources that one client watches

_FIELDS = {
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
_SEEN = {"prompts/list": "prompts", "resources/list": "resources"}
_NOT_CACHED = {"ttlMs": 0, "cacheScope": "private"}
_MODERN_FIELDS = ("resultType", "ttlMs", "cacheScope")
_MODERN_OR_META = frozenset((*_MODERN_FIELDS, "_meta"))

Answer = Callable[[Context], Awaitable[Message]]


class Passing:
    """Answers what is passed on; each answer is in the era of the client."""

    def __init__(self, relay: Relay, directory: Directory, saw: Callable[[str, Any], None]) -> None:
        self._relay = relay
        self._saw = saw
        self._directory = directory
        self.answers: Mapping[str, tuple[type[types.RequestParams], Answer]] = {
            "prompts/list": (types.PaginatedRequestParams, self._list),
            "prompts/get": (types.GetPromptRequestParams, self._get_prompt),
            "resources/list": (types.PaginatedRequestParams, self._list),
            "resources/templates/list": (types.PaginatedRequestParams, self._list),
            "resources/read": (types.ReadResourceRequestParams, self._read),
            "resources/subscribe": (types.SubscribeRequestParams, self._subscribe),
            "resources/unsubscribe": (types.UnsubscribeRequestParams, self._unsubscribe),
            "completion/complete": (types.CompleteRequestParams, self._complete),
            "logging/setLevel": (types.SetLevelRequestParams, self._set_level),
        }

    # --- lists

    async def _list(self, context: Context) -> Message:
        if (context.params or {}).get("cursor") is not None:
            raise MCPError(types.INVALID_PARAMS, "unknown cursor: the list has one page")
        return await self.listed(context.method, is_modern=is_modern(context))

    async def listed(self, method: str, *, is_modern: bool) -> Message:
        """Return a list in the era of the client."""
        shown = await self._directory.shown(method)
        if method in _SEEN:
            self._saw(_SEEN[method], shown)
        result: Message = {_FIELDS[method]: shown}
        if is_modern:
            result |= {"resultType": "complete", **_NOT_CACHED}
        return result

    # --- single ones

    async def _get_prompt(self, context: Context) -> Message:
        params = dict(context.params or {})
        place = await self._directory.prompt(params["name"])
        if place is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {params['name'][:100]}")
        return await self._passed(context, place, {**params, "name": place.name})

    async def _read(self, context: Context) -> Message:
        params = dict(context.params or {})
        uri = params["uri"]
        places = await self._directory.resource(uri)
        fault = MCPError(types.INVALID_PARAMS, "Resource not found", {"uri": uri})
        for place in places:
            try:
                result = await self._passed(context, place, {**params, "uri": place.name})
            except MCPError as error:
                fault = error
                continue
            if is_modern(context) and result.get("resultType") == "complete":
                result = {**_NOT_CACHED, **result}
            return _as_asked_for(result, place.name, uri)
        raise fault

    async def _complete(self, context: Context) -> Message:
        params = dict(context.params or {})
        ref = params["ref"]
        if ref.get("type") == "ref/prompt":
            place, key = await self._directory.prompt(ref["name"]), "name"
        else:
            place, key = await self._directory.template(ref["uri"]), "uri"
        if place is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown reference: {ref[key][:100]}")
        return await self._passed(context, place, {**params, "ref": {**ref, key: place.name}})

    async def _passed(self, context: Context, place: Place, params: Message) -> Message:
        on_progress = progress_of(context)
        try:
            result = await self._relay.request(
                place.server_id, context.method, params, front_of(context), on_progress
            )
        except PeerError as error:
            raise MCPError(error.code, error.message, error.data) from None
        except PodiumError as error:
            raise as_protocol_error(error) from None
        return in_era_of(result, is_modern=is_modern(context))

    # --- what a client of the handshake era wants to hear of

    async def _set_level(self, context: Context) -> Message:
        if (session := session_of(context)) is not None:
            session.log_level = (context.params or {})["level"]
        return {}

    async def _subscribe(self, context: Context) -> Message:
        session, uri = session_of(context), (context.params or {})["uri"]
        places = await self._directory.resource(uri)
        if session is None or not places:
            raise MCPError(types.INVALID_PARAMS, "Resource not found", {"uri": uri})
        if uri not in session.watched:
            if len(session.watched) >= MOST_WATCHED:
                text = f"no more than {MOST_WATCHED} resources can be watched"
                raise MCPError(types.INVALID_PARAMS, text)
            session.watched[uri] = places[0]
            await self._relay.watch(*places[0])
        return {}

    async def _unsubscribe(self, context: Context) -> Message:
        session, uri = session_of(context), (context.params or {})["uri"]
        if session is not None and (place := session.watched.pop(uri, None)) is not None:
            await self._relay.unwatch(*place)
        return {}

    @asynccontextmanager
    async def watching(self, uris: list[str]) -> AsyncIterator[None]:
        """Have changes of resources reported inside the block."""
        places: list[Place] = []
        for uri in uris[:MOST_WATCHED]:
            places += (await self._directory.resource(uri))[:1]
        for place in places:
            await self._relay.watch(*place)
        try:
            yield
        finally:
            for place in places:
                await self._relay.unwatch(*place)


def progress_of(context: Context) -> Any:
    """Return what takes an upstream's progress to the client, if it asked for that."""
    meta = (context.params or {}).get("_meta")
    if not isinstance(meta, Mapping) or "progressToken" not in meta:
        return None
    return Progress(context.session).on_progress


def in_era_of(result: Message, *, is_modern: bool) -> Message:
    """Return an upstream's result with the fields that the client's era demands."""
    if is_modern:
        return result if "resultType" in result else {"resultType": "complete", **result}
    if _MODERN_OR_META.isdisjoint(result):
        return result
    kept = {key: value for key, value in result.items() if key not in _MODERN_FIELDS}
    meta = kept.get("_meta")
    if isinstance(meta, Mapping) and types.SERVER_INFO_META_KEY in meta:
        rest = {key: value for key, value in meta.items() if key != types.SERVER_INFO_META_KEY}
        kept = {key: value for key, value in kept.items() if key != "_meta"}
        kept |= {"_meta": rest} if rest else {}
    return kept


def as_protocol_error(error: PodiumError) -> MCPError:
    """Return an error of ours where no tool result can carry it."""
    text = f"{error.message} ({error.hint})" if error.hint else error.message
    return MCPError(types.INTERNAL_ERROR, text, error.to_dict())


def _as_asked_for(result: Message, name: str, uri: str) -> Message:
    """Return contents under the URI by which the client knows them."""
    contents = result.get("contents")
    if name == uri or not isinstance(contents, list):
        return result
    named = [
        {**one, "uri": uri} if isinstance(one, dict) and one.get("uri") == name else one
        for one in contents
    ]
    return {**result, "contents": named}
