"""The short way of a modern call over HTTP: one request and its answer, in the caller's own task.

The SDK's transport serves both eras, and takes each message through two streams, two tasks and
three models. A modern call wants none of that: it has no session, its answer is not resumed when
it breaks off, and it is taken back by hanging up.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import httpx2

from podium.upstreams import sdk
from podium.upstreams.sdk import SessionMessage

_HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}

Send = Callable[[httpx2.Request], Awaitable[httpx2.Response]]
"""Sends a request; what fails on the way comes back as a JSON-RPC error."""

Heard = Callable[[SessionMessage], None]
"""Called with what a server says before its answer."""


class Posts:
    """Sends requests to the one address of a client."""

    def __init__(
        self, url: str, client: httpx2.AsyncClient, send: Send, longest_event_bytes: int
    ) -> None:
        self._url = httpx2.URL(url)
        self._client = client
        self._send = send
        self._longest = longest_event_bytes

    async def ask(self, message: SessionMessage, heard: Heard) -> SessionMessage:
        """Send a request and return its answer; a failure is an error that answers it.

        Being cancelled hangs up, which tells the server that nobody waits any more.
        """
        identifier = sdk.request_id(message) or 0
        headers = {**_HEADERS, **sdk.headers_of(message)}
        body = sdk.body_of(message)
        request = self._client.build_request("POST", self._url, content=body, headers=headers)
        response = await self._send(request)
        try:
            kind = response.headers.get("content-type", "").lower()
            is_answer = response.status_code != HTTPStatus.ACCEPTED
            if is_answer and kind.startswith("application/json"):
                return sdk.answer_in_body(await response.aread(), identifier)
            if is_answer and kind.startswith("text/event-stream"):
                return await self._streamed(response, identifier, heard)
        finally:
            await response.aclose()
        status = f"{response.status_code} {response.reason_phrase}".rstrip()
        text = f"it answered with {status} and content of type '{kind[:100]}'"
        return sdk.error_answer(identifier, sdk.BAD_MESSAGE, text)

    async def _streamed(
        self, response: httpx2.Response, identifier: int | str, heard: Heard
    ) -> SessionMessage:
        text = "the stream ended without an answer"
        try:
            async for event in httpx2.EventSource(response, max_event_size=self._longest):
                if event.event != "message" or not event.data:
                    continue
                message = sdk.message_in_event(event.data, identifier)
                if sdk.answer_id(message) is not None:
                    return message
                heard(message)
        except httpx2.SSEError as error:
            return sdk.error_answer(identifier, sdk.TOO_LARGE, f"SSE stream failed: {error}")
        except httpx2.RequestError as error:
            text = str(error) or type(error).__name__
        return sdk.error_answer(identifier, sdk.CLOSED, text)
