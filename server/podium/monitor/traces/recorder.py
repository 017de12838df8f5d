"""Calls of clients to traces: one for each task of each conversation, bounded, without secrets."""

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from podium.domain.ports import Clock, Ids
from podium.domain.redaction import REDACTED, Redactor
from podium.domain.trace import Trace, TracedCall
from podium.monitor.traces.values import leaves

REQUEST_CHARACTERS = 2_000
DEEPEST = 32  # levels of arguments that are searched for secrets
MOST_SECRETS = 50  # texts under one name that says they are secret

_SECRET_NAMES = re.compile(
    r"pass(?:word|wd|phrase|code)|mot_?de_?passe|secret|api_?key|authori[sz]ation|bearer"
    r"|credential|private_?key|(?:access|auth|refresh)_?token",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class TraceBounds:
    """How much of conversations is kept in memory; calls, bytes, seconds, counts."""

    calls: int = 500  # of one trace; nobody solves one task with more
    bytes: int = 5 * 1024 * 1024  # of one trace, arguments and results together
    call_bytes: int = 2 * 1024 * 1024  # of one call
    idle_seconds: float = 600.0  # after which a conversation counts as over
    conversations: int = 200


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """Whose conversation, and which: the id a client gave, else its connection or session."""

    user_id: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Weighed:
    """A call as it may be kept, without secrets; `request` apart, `bytes` of its JSON.

    `secrets` are the texts that were taken out because of their names: the words of the request, or
    other calls, may hold them as well.
    """

    call: TracedCall
    request: str
    bytes: int
    secrets: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Open:
    id: str
    request: str = ""
    calls: list[TracedCall] = field(default_factory=list)
    bytes: int = 0
    secrets: set[str] = field(default_factory=set)
    is_whole: bool = True
    last_at: float = 0.0


def conversation_key(
    user_id: str, conversation_id: str, connection_id: str | None
) -> ConversationKey | None:
    """Return which conversation a call belongs to; None for a stateless call without one.

    `connection_id` is the stdio connection or the legacy session, None where there is neither.
    """
    if conversation_id:
        return ConversationKey(user_id, conversation_id)
    if connection_id is None:
        return None
    return ConversationKey(user_id, _of_connection(connection_id))


class Recorder:
    """Collects calls; what is over is handed out by `ended`, and forgotten here.

    A request of other words begins another trace in the same conversation.
    """

    def __init__(
        self, *, clock: Clock, ids: Ids, redactor: Redactor, bounds: TraceBounds | None = None
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._redactor = redactor
        self._bounds = bounds or TraceBounds()
        self._open: OrderedDict[ConversationKey, _Open] = OrderedDict()
        self._over: list[Trace] = []

    def note_request(self, key: ConversationKey | None, request: str) -> None:
        """Take note of what a person asked and nothing answered: the next calls may be for that.

        The calls before are for something else, unless it was asked in the same words.
        """
        if key is None or not request.strip():
            return
        text = self._redactor.text(request.strip()[:REQUEST_CHARACTERS])
        found = self._open.get(key)
        if found is not None and found.calls and found.request != text:
            self.end(key)
        self._at(key, text)

    def record(self, key: ConversationKey | None, call: TracedCall) -> None:
        """Take a finished call into its conversation's trace; without a conversation, do nothing.

        Values are kept as they are, so they must not be changed afterwards.
        """
        if key is not None:
            self.keep(key, self.weighed(call))

    def weighed(self, call: TracedCall) -> Weighed:
        """Return a call as it may be kept: nothing of the recorder is changed, on any thread."""
        size = _size(call.arguments) + _size(call.value)
        request = self._redactor.text(call.request.strip()[:REQUEST_CHARACTERS])
        secrets = frozenset(_secrets(call.arguments))
        if size > self._bounds.call_bytes:
            return Weighed(_cut(call), request, size, secrets)
        kept = replace(
            call,
            arguments=self._redactor.value(without_secrets(call.arguments)),
            value=self._redactor.value(call.value),
            request="",
        )
        return Weighed(kept, request, size, secrets)

    def keep(self, key: ConversationKey, weighed: Weighed) -> None:
        """Take a weighed call into its conversation's trace."""
        trace = self._at(key, weighed.request)
        trace.secrets |= weighed.secrets
        if len(trace.calls) >= self._bounds.calls:
            trace.is_whole = False
        elif weighed.call.is_cut or trace.bytes + weighed.bytes > self._bounds.bytes:
            trace.calls.append(_cut(weighed.call))
        else:
            trace.bytes += weighed.bytes
            trace.calls.append(weighed.call)

    def has_room(self, key: ConversationKey) -> bool:
        """Return whether a conversation may have more calls, as far as is known."""
        found = self._open.get(key)
        return found is None or len(found.calls) < self._bounds.calls

    def lose(self, key: ConversationKey) -> None:
        """Take note that a call of a conversation could not be recorded."""
        self._at(key, "").is_whole = False

    def current(self, key: ConversationKey | None) -> Trace | None:
        """Return the trace of a conversation as it stands, or None if it has no calls."""
        found = None if key is None else self._open.get(key)
        return None if key is None or found is None or not found.calls else _trace(key, found)

    def end(self, key: ConversationKey | None) -> None:
        """Take note that a conversation is over (its connection closed, its task was saved)."""
        if key is not None and (found := self._open.pop(key, None)) is not None:
            self._close(key, found)

    def disconnect(self, connection_id: str) -> None:
        """Take note that a connection is closed, and all that was only told by it is over."""
        own = _of_connection(connection_id)
        for key in [key for key in self._open if key.conversation_id == own]:
            self.end(key)

    def end_all(self) -> None:
        """Take note that all conversations are over: the program ends."""
        for key in list(self._open):
            self.end(key)

    def ended(self) -> list[Trace]:
        """Return the traces that are over since the last time; idle conversations count as over."""
        before = self._clock.now() - self._bounds.idle_seconds
        for key in [key for key, found in self._open.items() if found.last_at <= before]:
            self.end(key)
        over, self._over = self._over, []
        return over

    def put_back(self, traces: list[Trace]) -> None:
        """Have traces that `ended` handed out handed out again."""
        self._over = [*traces, *self._over]

    def _at(self, key: ConversationKey, text: str) -> _Open:
        found = self._open.get(key)
        if found is not None and text and found.request and text != found.request:
            self.end(key)
            found = None
        if found is None:
            found = self._open[key] = _Open(self._ids.new("trace"))
            while len(self._open) > self._bounds.conversations:
                self.end(self._oldest())
        found.request = found.request or text
        found.last_at = self._clock.now()
        self._open.move_to_end(key)
        return found

    def _oldest(self) -> ConversationKey:
        """Return what is given up for another: a request that nothing was called for, if any."""
        *earlier, _latest = self._open.items()
        return next((key for key, found in earlier if not found.calls), earlier[0][0])

    def _close(self, key: ConversationKey, found: _Open) -> None:
        # What nobody fetches is bounded as well.
        if found.calls and len(self._over) < self._bounds.conversations:
            self._over.append(_trace(key, found))


def _of_connection(connection_id: str) -> str:
    return f"connection {connection_id}"


def _cut(call: TracedCall) -> TracedCall:
    return replace(call, arguments={}, value=None, is_cut=True, request="")


def _trace(key: ConversationKey, found: _Open) -> Trace:
    redactor = Redactor(found.secrets)
    in_order = sorted(found.calls, key=lambda call: call.started_at)  # recorded as they ended
    return Trace(
        found.id,
        tuple(_redacted(call, redactor) for call in in_order) if found.secrets else tuple(in_order),
        key.user_id,
        key.conversation_id,
        redactor.text(found.request),
        found.is_whole,
    )


def _redacted(call: TracedCall, redactor: Redactor) -> TracedCall:
    arguments, value = _values_redacted(call.arguments, redactor), call.value
    return replace(call, arguments=arguments, value=_values_redacted(value, redactor))


def _values_redacted(value: Any, redactor: Redactor) -> Any:
    """Return a value without secrets; names stay, since a secret may be a word like `data`."""
    if isinstance(value, dict):
        return {name: _values_redacted(item, redactor) for name, item in value.items()}
    if isinstance(value, list):
        return [_values_redacted(item, redactor) for item in value]
    return redactor.text(value) if isinstance(value, str) else value


def without_secrets(value: Any, depth: int = 0) -> Any:
    """Return arguments without what stands under a name that says it is secret."""
    if isinstance(value, dict) and depth < DEEPEST:
        return {
            key: _masked(item)
            if _SECRET_NAMES.search(str(key))
            else without_secrets(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list) and depth < DEEPEST:
        return [without_secrets(item, depth + 1) for item in value]
    return value


def _secrets(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the texts that `without_secrets` takes out."""
    if depth >= DEEPEST:
        return
    if isinstance(value, list):
        for item in value:
            yield from _secrets(item, depth + 1)
    if isinstance(value, dict):
        for name, item in value.items():
            if _SECRET_NAMES.search(str(name)):
                texts = (leaf for _, leaf in leaves(item, MOST_SECRETS) if _masked(leaf) != leaf)
                yield from map(str, texts)
            else:
                yield from _secrets(item, depth + 1)


def _masked(value: Any) -> Any:
    """Return what is left of a secret: that there is one; null, truth values and "" hold none."""
    return value if value is None or isinstance(value, bool) or value == "" else REDACTED


def _size(value: Any) -> int:
    try:
        return len(orjson.dumps(value))
    except (TypeError, RecursionError):  # numbers beyond 64 bits, half characters
        return len(repr(value))
