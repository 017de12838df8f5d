"""Clients' own requests to upstreams, in plain JSON both ways; satisfies the `Relay` port."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any

import anyio

from podium.domain.errors import PodiumError, UpstreamError, UpstreamTimeoutError
from podium.domain.ports import Front, ProgressCallback
from podium.domain.relay import Message, PeerError, UpstreamChange
from podium.upstreams import sdk
from podium.upstreams.connection import WATCHED_RESOURCES, Connection
from podium.upstreams.definitions import cleaned_items
from podium.upstreams.exchange import Exchange, Exchanges, answered_directly
from podium.upstreams.line import Line
from podium.upstreams.lines import QUESTIONS, line_failure
from podium.upstreams.pool import LONGEST_CALL_SECONDS, UpstreamPool
from podium.upstreams.sdk import RpcError
from podium.upstreams.upstream import Upstream

LISTS = {
    "prompts/list": ("prompts", "prompts"),
    "resources/list": ("resources", "resources"),
    "resources/templates/list": ("resources", "resourceTemplates"),
}
"""What can be listed: the capability that it belongs to, and the field that holds the items."""

LIST_SECONDS = 15.0  # for all pages of a list
LIST_PAGES = 200
LIST_ITEMS = 10_000


class UpstreamRelay:
    """Passes requests of clients on to the upstreams of a pool."""

    def __init__(self, pool: UpstreamPool) -> None:
        self._pool = pool
        self._exchanges = Exchanges()
        self._lists: dict[tuple[str, str], list[Message]] = {}
        self._changes = 0
        self._watched: dict[str, dict[str, int]] = {}
        pool.listen(self._forget)

    def server_ids(self) -> tuple[str, ...]:
        """Return every configured upstream that is not disabled, in file order."""
        return self._pool.server_ids()

    def listen(self, listener: Callable[[UpstreamChange], None]) -> Callable[[], None]:
        """Have a listener called with every change; return what ends that."""
        return self._pool.listen(listener)

    def note_offer(self, capabilities: Mapping[str, Any]) -> None:
        """Take note of what a client offers, before any upstream is started for it."""
        for upstream in self._pool.upstreams():
            upstream.lines.note_offer(capabilities)

    async def tell(self, session: str, method: str, params: Message) -> None:
        """Pass a notification of a client on to the upstreams that know its session."""
        for upstream in self._pool.upstreams():
            await upstream.lines.tell(session, method, sdk.without_envelope(params))

    def leave(self, session: str) -> None:
        """Close what was opened for a client's session."""
        for upstream in self._pool.upstreams():
            upstream.lines.leave(session)

    # --- requests

    async def request(
        self,
        server_id: str,
        method: str,
        params: Message,
        front: Front,
        on_progress: ProgressCallback | None = None,
    ) -> Message:
        """Pass a client's request on and return the result as it came.

        Raises:
            PeerError: the upstream answered with a JSON-RPC error.
            PodiumError: it cannot be reached or used, and why.

        """
        upstream = self._pool.find(server_id)
        params = sdk.without_envelope(params)
        await upstream.suited_to(front)
        schema = None
        if method == "tools/call":
            schema = (await upstream.tool(str(params.get("name")))).input_schema
        if front.is_modern and await self._has_to_wait_for_answers(upstream, front):
            return await self._exchanged(upstream, method, params, front, on_progress, schema)
        with _in_time(_subject(server_id, method, params)):
            return await _passed_on(upstream, method, params, front, on_progress, schema)

    async def _has_to_wait_for_answers(self, upstream: Upstream, front: Front) -> bool:
        era = (await upstream.connection()).era
        return not era.is_modern and not QUESTIONS.isdisjoint(front.capabilities)

    async def _exchanged(
        self,
        upstream: Upstream,
        method: str,
        params: Message,
        front: Front,
        on_progress: ProgressCallback | None,
        schema: Mapping[str, Any] | None,
    ) -> Message:
        self._exchanges.forget_ended()
        subject = _subject(upstream.server_id, method, params)
        purpose = (upstream.server_id, method, subject)
        answers, state = params.pop("inputResponses", None), params.pop("requestState", None)
        if isinstance(state, str):
            exchange = self._exchanges.taken_up(state, front, purpose)
            exchange.join(front, on_progress, answers if isinstance(answers, Mapping) else {})
        else:
            exchange = Exchange(front, purpose)
            exchange.join(front, on_progress, {})
            report = None if on_progress is None else exchange.report
            call = partial(_passed_on, upstream, method, params, exchange, report, schema)
            self._pool.spawn(partial(exchange.play, call))
        with _in_time(subject):
            result = await exchange.next()
        if result is not None:
            return result
        # Waiting calls hold places of their upstream, and must not hold all of them.
        most = max(1, upstream.settings.concurrent_calls // 2)
        return self._exchanges.wait_for_answers(exchange, most)

    # --- lists

    async def listed(self, server_id: str, method: str) -> list[Message]:
        """Return all that an upstream lists; kept until it says that this changed.

        Raises:
            PodiumError: the upstream cannot be used.

        """
        upstream = self._pool.find(server_id)
        if (known := self._lists.get((server_id, method))) is not None:
            return known
        capability, field = LISTS[method]
        subject, items, changes = f"{method} of '{server_id}'", [], self._changes
        async with _failures_told(subject, upstream) as connection:
            if connection.era.declares(capability):
                with _in_time(subject, LIST_SECONDS):
                    items = cleaned_items(await _all_pages(connection.line, method, field))
        if changes == self._changes:  # else it may be outdated already
            self._lists[server_id, method] = items
        return items

    def _forget(self, change: UpstreamChange) -> None:
        self._changes += change.kind != "updated"
        kinds = {"ready": tuple(LISTS), "prompts": ("prompts/list",)}
        resources = ("resources/list", "resources/templates/list")
        stale = kinds.get(change.kind, resources if change.kind == "resources" else ())
        for method in stale:
            self._lists.pop((change.server_id, method), None)
        if change.kind == "ready" and self._watched.get(change.server_id):
            self._pool.spawn(partial(self._watch_again, change.server_id))

    # --- resources that clients watch

    async def watch(self, server_id: str, uri: str) -> None:
        """Have changes of a resource reported; every call wants its `unwatch`."""
        watched = self._watched.setdefault(server_id, {})
        watched[uri] = watched.get(uri, 0) + 1
        await self._watch_again(server_id)

    async def unwatch(self, server_id: str, uri: str) -> None:
        """Take one `watch` back."""
        watched = self._watched.get(server_id, {})
        if uri not in watched:
            return
        watched[uri] -= 1
        if not watched[uri]:
            del watched[uri]
            await self._watch_again(server_id)

    async def _watch_again(self, server_id: str) -> None:
        upstream = self._pool.find(server_id)
        upstream.keep_awake(is_watched=bool(self._watched.get(server_id)))
        with suppress(UpstreamError):
            uris = set(sorted(self._watched.get(server_id, ()))[:WATCHED_RESOURCES])
            await (await upstream.connection()).watch(uris)
            await upstream.lines.watch(uris)


def _subject(server_id: str, method: str, params: Mapping[str, Any]) -> str:
    name = params.get("name") if "name" in params else params.get("uri")
    return f"{server_id}.{name}" if isinstance(name, str) else f"{method} of '{server_id}'"


@contextmanager
def _in_time(subject: str, seconds: float = LONGEST_CALL_SECONDS) -> Iterator[None]:
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise UpstreamTimeoutError(
            f"{subject} did not answer within {seconds:g} s", hint="ask for less"
        ) from None


async def _passed_on(
    upstream: Upstream,
    method: str,
    params: Message,
    front: Front,
    on_progress: ProgressCallback | None,
    schema: Mapping[str, Any] | None,
) -> Message:
    """Send a request on the wire that serves the client."""
    subject = _subject(upstream.server_id, method, params)
    async with (
        _failures_told(subject, upstream) as connection,
        upstream.lines.lent(connection, front) as line,
    ):

        async def send(message: Message) -> Message:
            try:
                return await line.request(
                    method, message, front, on_progress=on_progress, input_schema=schema
                )
            except RpcError as error:
                if error.code in sdk.OWN_CODES and line is not connection.line:
                    raise line_failure(subject, line, error) from None
                raise

        if line.era.is_modern and not front.is_modern:
            return await answered_directly(send, params, front)
        return await send(params)


@asynccontextmanager
async def _failures_told(subject: str, upstream: Upstream) -> AsyncIterator[Connection]:
    """Lend the upstream's connection; what goes wrong with it becomes a typed error.

    An error that the upstream itself answered with is none of its failures, and passes.
    """
    answer: PeerError | None = None
    try:
        async with upstream.lent() as connection:
            try:
                yield connection
            except RpcError as error:
                if error.code in sdk.OWN_CODES:
                    raise await connection.call_failure(subject, error) from None
                answer = error
            except PeerError as error:
                answer = error
    except PodiumError as error:
        raise upstream.redacted(error) from None
    if answer is not None:
        raise answer


async def _all_pages(line: Line, method: str, field: str) -> list[Message]:
    items: list[Message] = []
    params: Message = {}
    for _page in range(LIST_PAGES):
        page = await line.own_request(method, params)
        listed = page.get(field)
        items.extend(item for item in listed or () if isinstance(item, dict))
        cursor = page.get("nextCursor")
        if not isinstance(cursor, str) or not cursor or len(items) > LIST_ITEMS:
            break
        params = {"cursor": cursor}
    return items[:LIST_ITEMS]
