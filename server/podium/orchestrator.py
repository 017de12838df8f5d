"""A request to a reply: intent, composition, execution, answer. The stages meet here only."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import anyio.lowlevel

from podium.answers.renderer import error_reply, no_match_reply
from podium.client_calls import ClientCalls
from podium.compositions.params import checked_params, params_schema
from podium.dialogue import Dialogue, Turning
from podium.domain.composition import StoredComposition, named_calls
from podium.domain.conversation import Conversation
from podium.domain.errors import (
    InternalError,
    NotLearntError,
    PodiumError,
    StatisticsError,
    UnknownExecutionError,
    WorkspaceError,
)
from podium.domain.execution import Execution
from podium.domain.inputs import json_object, refuse_strange_ids, text_or_empty
from podium.domain.intent import Analysis, Intent
from podium.domain.ports import Asker, EventListener, Front, ProgressCallback, Relay
from podium.domain.relay import Message
from podium.domain.request import Reply, Request
from podium.domain.serving import HttpLimits
from podium.domain.tool import Tool, ToolMatch, ToolResult, UpstreamStatus
from podium.intents.analysis import analyse, checked_request
from podium.intents.context.memory import ConversationMemory
from podium.intents.regexes import RegexFaultError
from podium.learning import Learning
from podium.mapping.transformers import Transformers
from podium.monitor.schemas import Drift
from podium.playing import Player
from podium.stages import Stages
from podium.text.language import guess_language
from podium.tracing import ConversationKey, Tracing, conversation_key

logger = logging.getLogger("podium")


class Orchestrator:
    """Answers requests and plays compositions; safe to use from many tasks of one event loop."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._player = Player(stages)
        self._calls = ClientCalls(stages, self._player.count)
        self._offered: dict[str, tuple[StoredComposition, StoredComposition]] = {}
        self._memory = ConversationMemory(stages.conversations, stages.conversation_bounds)
        self._dialogue = Dialogue(
            self._player,
            self._memory,
            match=stages.matcher.analyse,
            journal=stages.journal,
            clock=stages.clock,
            ids=stages.ids,
        )

    # --- requests

    async def process_request(
        self,
        request: str,
        user_id: str = "",
        conversation_id: str = "",
        context: Mapping[str, Any] | None = None,
        *,
        on_event: EventListener | None = None,
        asker: Asker | None = None,
        connection_id: str | None = None,
    ) -> dict[str, Any]:
        """Understand a request, play the composition that answers it, and return the reply.

        `context` is what the caller already knows: `variables` (name -> value) and `entities` (each
        with `kind`, `value`, `label`) are remembered with the conversation, `language` ("fr", "en")
        is that of the reply; expressions see all of it as `context`. A request that answers a
        question, repeats an earlier one or points at something is understood from the
        conversation. With an `asker` the person can be asked while the call lasts. `connection_id`
        stands for the conversation where the client names none. Errors are replies with
        `status: "error"`; nothing is raised but cancellation.
        """
        language: str = guess_language(request) if isinstance(request, str) else "en"
        conversation = text_or_empty(conversation_id) or self._stages.ids.new("conv")
        try:
            refuse_strange_ids(user_id, conversation_id)
            known = json_object("context", context)
            analysis = await self._understood(request)
            asked = Request(request, user_id or "", conversation)
            thread = await self._memory.open(
                asked.user_id, conversation, known, is_new=not conversation_id
            )
            language = _wanted_language(known) or _language_of(analysis, request, thread.state)
            turn = Turning(asked, language, known, on_event, asker)
            reply = await self._dialogue.turn(thread, turn, analysis)
            if reply is None and await self._has_learnt_meanwhile(asked, connection_id):
                analysis = await self._understood(request)
                reply = await self._dialogue.turn(thread, turn, analysis)
            if reply is None:
                reply = await self._dialogue.improvised(
                    thread, turn, lambda: self._default_intent(request, language)
                )
            if reply is not None:
                self._note_answer(asked, reply, connection_id)
            reply = reply or no_match_reply(
                analysis.suggestions, language, conversation_id=conversation
            )
        except PodiumError as error:
            reply = error_reply(error, language, conversation_id=conversation)
        except Exception as error:
            # The boundary round one request: a fault of ours is one failed reply, no more.
            logger.exception("request failed unexpectedly")
            reply = error_reply(_internal(error), language, conversation_id=conversation)
        return reply.to_dict()

    async def resume_execution(
        self,
        execution_id: str,
        params: Mapping[str, Any] | None = None,
        *,
        user_id: str = "",
        conversation_id: str = "",
        on_event: EventListener | None = None,
        asker: Asker | None = None,
    ) -> dict[str, Any]:
        """Go on with an execution that failed or has asked something; return the reply.

        `params` are the answer, under the question's id, and params to change. What is finished is
        never played again. With a `user_id` or a `conversation_id`, only an execution of that
        person or conversation is found.
        """
        language, conversation, name = "en", text_or_empty(conversation_id), None
        try:
            refuse_strange_ids(user_id, conversation_id, execution_id)
            given = json_object("params", params)
            execution = await self._execution(execution_id, user_id or "", conversation)
            conversation, name = execution.conversation_id, execution.composition_id
            thread = await self._memory.open(execution.user_id, conversation)
            asked = Request(execution.request, execution.user_id, conversation)
            turn = Turning(asked, language, {}, on_event, asker)
            reply = await self._dialogue.answered(thread, execution, given, turn)
            if reply is None:
                reply = await self._player.play_on(execution.id, given, turn)
                await self._dialogue.keep_question(thread, reply, turn)
        except PodiumError as error:
            reply = error_reply(
                error, language, conversation_id=conversation, composition_id=name or None
            )
        except Exception as error:
            # The boundary round one request, as above.
            logger.exception("execution failed unexpectedly")
            reply = error_reply(_internal(error), language, conversation_id=conversation)
        return reply.to_dict()

    async def _execution(self, execution_id: str, user_id: str, conversation_id: str) -> Execution:
        found = await self._stages.journal.get(execution_id)
        is_theirs = found is not None and (
            user_id in ("", found.user_id) and conversation_id in ("", found.conversation_id)
        )
        if found is None or not is_theirs:
            raise UnknownExecutionError(
                f"there is no execution '{execution_id}'",
                hint="see which there are: podium executions",
            )
        return found

    def analyse(self, text: str) -> Analysis:
        """Return what a request means, with every candidate.

        Raises:
            RequestInvalidError: it is empty or no text.
            RequestTooLargeError: it is longer than `limits.request_bytes`.

        """
        reader = self._stages.understanding or self._stages.matcher
        return analyse(text, reader, self._stages.limits)

    async def _understood(self, text: str) -> Analysis:
        """Return what a request means, with what was asked before to help; errors as above."""
        checked_request(text, self._stages.limits)
        if self._stages.lists is not None:
            await self._stages.lists.fill(self._stages.matcher.library.queries)
        analysis, understanding = self.analyse(text), self._stages.understanding
        if analysis.intent is not None or understanding is None:
            return analysis
        return self.analyse(text) if await understanding.remember() else analysis

    def _default_intent(self, request: str, language: str) -> Intent | None:
        """Return the intent that answers what nothing else matched, if a composition serves it."""
        type_ = self._stages.default_intent_type
        if self._stages.compositions.for_intent(type_) is None:
            return None
        return Intent(type_, {"request": request}, 0.0, "default", language)

    # --- compositions

    def get_compositions(
        self, intent_type: str | None = None, limit: int = 10
    ) -> list[dict[str, Any]]:
        """Return the compositions (of one intent) as dicts, in file order, `limit` at most.

        `profile` says what a run takes, of those that ran.
        """
        found = self._stages.compositions.all(intent_type)[: max(0, limit)]
        return [_described(stored) | self._profile_of(stored) for stored in found]

    def _profile_of(self, stored: StoredComposition) -> dict[str, Any]:
        learning = self._stages.learning
        profile = learning.profiles.of_composition(stored.id) if learning is not None else None
        return {"profile": profile.to_dict()} if profile is not None else {}

    def tool_compositions(self) -> list[StoredComposition]:
        """Return what is offered as a tool of its own: validated ones and `tool: true`, by id.

        Each has an input schema: its own, or one of the names that its expressions need.
        """
        known, self._offered = self._offered, {}
        for stored in self._stages.compositions.all():
            is_template = stored.status == "template" and stored.composition.tool
            if stored.status == "validated" or is_template:
                kept = known.get(stored.id)
                if kept is None or kept[0] is not stored:
                    kept = stored, _with_schema(stored)
                self._offered[stored.id] = kept
        return [self._offered[id_][1] for id_ in sorted(self._offered)]

    async def execute_composition(
        self,
        composition_id: str | dict[str, Any],
        params: Mapping[str, Any] | None = None,
        user_id: str = "",
        conversation_id: str = "",
        *,
        on_event: EventListener | None = None,
        asker: Asker | None = None,
    ) -> dict[str, Any]:
        """Play a composition by its id, or a whole one given as a dict; return the reply."""
        conversation = text_or_empty(conversation_id) or self._stages.ids.new("conv")
        name = composition_id if isinstance(composition_id, str) else None
        try:
            refuse_strange_ids(user_id, conversation_id)
            stored = self._player.stored(composition_id)
            name = stored.id
            is_ours = isinstance(composition_id, str)
            if is_ours and self._stages.learning is not None:
                await self._stages.learning.admit(stored.id)
            given = json_object("params", params)
            checked = checked_params(stored.composition, given, is_strict=True)
            plan = self._player.plan(stored, checked)
            asked = Request("", user_id or "", conversation)
            context = {"request": "", "user_id": asked.user_id, "language": "en"}
            reply = await self._player.play(
                plan, checked, asked, context, on_event, asker, is_ours=is_ours
            )
            if reply.status == "needs_input":
                is_new = not conversation_id
                thread = await self._memory.open(asked.user_id, conversation, is_new=is_new)
                turn = Turning(asked, "en", {}, on_event, asker)
                await self._dialogue.keep_question(thread, reply, turn)
        except PodiumError as error:
            reply = error_reply(error, "en", conversation_id=conversation, composition_id=name)
        except Exception as error:
            # The boundary round one request, as above.
            logger.exception("execution failed unexpectedly")
            reply = error_reply(
                _internal(error), "en", conversation_id=conversation, composition_id=name
            )
        return reply.to_dict()

    # --- learning

    async def _has_learnt_meanwhile(self, asked: Request, connection_id: str | None) -> bool:
        """Take note of words that nothing answers: what was done before them is over.

        Returns whether something was learnt of that just now, so that it is worth asking again.
        """
        tracing = self._stages.tracing
        if tracing is None:
            return False
        keys = _keys_of(asked.user_id, asked.conversation_id, connection_id)
        return await tracing.unanswered(keys, asked.text)

    def _note_answer(self, asked: Request, reply: Reply, connection_id: str | None) -> None:
        """Take note of words that were answered: no call that comes next is made for them.

        What was only proposed may still be refused, and done by the client in its own way.
        """
        is_made = reply.intent is not None and reply.intent["matched_by"] == "synthesis"
        if self._stages.tracing is None or (is_made and reply.status != "success"):
            return
        keys = _keys_of(asked.user_id, asked.conversation_id, connection_id)
        self._stages.tracing.answered(keys)

    def disconnected(self, connection_id: str) -> None:
        """Take note that a client has gone: what it did by this connection is over."""
        if self._stages.tracing is not None:
            self._stages.tracing.disconnected(connection_id)

    @property
    def tracing(self) -> Tracing:
        """What was learnt from the calls of clients, and the ways for a person to decide about it.

        Raises:
            NotLearntError: no calls are recorded here.

        """
        if self._stages.tracing is None:
            raise NotLearntError("no calls are recorded here", hint="open a workspace")
        return self._stages.tracing

    def drifts(self) -> list[Drift]:
        """Return the tools that returned something else than before, not long ago."""
        return [] if self._stages.tracing is None else self._stages.tracing.drifts()

    async def save_composition(
        self,
        name: str,
        description: str = "",
        *,
        user_id: str = "",
        conversation_id: str = "",
        connection_id: str | None = None,
    ) -> dict[str, Any]:
        """Keep the tool calls that a conversation has made as a composition of this name.

        Returns the public form of the proposal: `composition_id`, `status`, `composition`,
        `evidence`, `pattern` and more.

        Raises:
            RequestInvalidError: something is no text.
            NotLearntError: there are no calls, they make no composition, or the name is taken.
            TracesError: a file cannot be written.

        """
        refuse_strange_ids(name, description, user_id, conversation_id)
        keys = _keys_of(user_id or "", conversation_id or "", connection_id)
        return (await self.tracing.save(keys, name or "", description or "")).to_dict()

    @property
    def learning(self) -> Learning:
        """What is known of how compositions do, and the ways for a person to decide about them.

        Raises:
            StatisticsError: nothing is counted here.

        """
        if self._stages.learning is None:
            raise StatisticsError("nothing is counted here", hint="open a workspace")
        return self._stages.learning

    async def give_feedback(
        self, execution_id: str, rating: str, comment: str = "", user_id: str = ""
    ) -> dict[str, Any]:
        """Take note of what a person says about an answer: "good" or "bad". The last word counts.

        Returns `execution_id`, `composition_id`, `rating`, the `verdict` that counts now
        ("success", "failure", "uncounted"), and the `changes` that came of it.

        Raises:
            RequestInvalidError: the rating is neither, or something is no text.
            UnknownExecutionError: nothing of this user is on record under the id.
            StatisticsError: it could not be kept.

        """
        refuse_strange_ids(execution_id, rating, comment, user_id)
        return await self.learning.give_feedback(
            execution_id or "", rating or "", comment or "", user_id or ""
        )

    def on_tools_changed(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have a listener called when other compositions are tools; return what ends that."""
        learning = self._stages.learning
        if learning is None:
            return lambda: None
        offered = self.tool_compositions()

        def look() -> None:
            nonlocal offered
            now = self.tool_compositions()
            if now != offered:
                offered = now
                listener()

        return learning.listen(look)

    def active_worker_count(self) -> int:
        """Return how many tool calls of executions are under way."""
        return self._stages.runner.active_worker_count()

    def workload(self) -> dict[str, Any]:
        """Return how busy it is: workers (`busy`, `limit`, `capacity_score`), cache, learning."""
        runner, learning = self._stages.runner, self._stages.learning
        return {
            "workers": {
                "busy": runner.active_worker_count(),
                "limit": runner.pool.limit,
                "capacity_score": round(runner.capacity_score(), 3),
            },
            "cache": {
                "hits": runner.reuse.hits,
                "misses": runner.reuse.misses,
                "shared": runner.reuse.shared,
            },
            "learning": learning.state() if learning is not None else None,
        }

    def capacity_score(self) -> float:
        """Return how much room there is for more calls: 1 all, 0 none."""
        return self._stages.runner.capacity_score()

    # --- tools

    async def search_tools(self, query: str = "", limit: int = 10) -> list[ToolMatch]:
        """Return the upstream tools that fit a query best; without one, all up to `limit`."""
        return await self._stages.upstreams.search(query, max(0, limit))

    async def call_tool(
        self,
        server_id: str,
        tool_id: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        user_id: str = "",
        conversation_id: str = "",
        request: str | None = None,
        on_progress: ProgressCallback | None = None,
        timeout_seconds: float | None = None,
        connection_id: str | None = None,
    ) -> ToolResult:
        """Call one upstream tool; an `isError` result is returned as it is.

        The call is journalled like an execution of one step, with the words of the `request` it
        serves. It is recorded for its conversation, or for the connection where none is named:
        calls that solve a task become a composition.

        Raises:
            InvalidParamsError: the arguments do not fit the tool's schema; every fault is listed.
            PodiumError: unknown server or tool, or the upstream failed.

        """
        return await self._calls.call_tool(
            server_id,
            tool_id,
            arguments,
            user_id=user_id,
            conversation_id=conversation_id,
            request=request,
            on_progress=on_progress,
            timeout_seconds=timeout_seconds,
            connection_id=connection_id,
        )

    async def pass_on(
        self,
        tool: Tool,
        params: Message,
        front: Front,
        *,
        on_progress: ProgressCallback | None = None,
        connection_id: str | None = None,
    ) -> Message:
        """Pass a client's own `tools/call` on to the upstream and return the result as it came.

        The call is the client's, not Podium's: nothing is checked, filled in or tried again. It is
        journalled when it is over; one that may change something, before it is sent as well. It is
        recorded for the connection, as a call of `call_tool` is.

        Raises:
            PeerError: the upstream answered with a JSON-RPC error.
            JournalError: the intent of a call that writes cannot be put on disk.
            PodiumError: unknown tool, or the upstream failed.

        """
        return await self._calls.pass_on(
            tool, params, front, on_progress=on_progress, connection_id=connection_id
        )

    async def start_upstreams(self) -> None:
        """Start every upstream concurrently; one that fails keeps its reason in `statuses()`."""
        await self._stages.upstreams.start_all()

    async def prepare_patterns(self) -> None:
        """Compile what requests may need before they do, a little at a time."""
        for each in self._stages.matcher.library.regexes():
            with suppress(RegexFaultError):  # said where a request needs it
                each.prepare()
            await anyio.lowlevel.checkpoint()

    def statuses(self) -> list[UpstreamStatus]:
        """Return the state of every configured upstream."""
        return self._stages.upstreams.statuses()

    # --- what happened, and what there is

    async def get_execution(self, execution_id: str) -> Execution | None:
        """Return one execution from the journal."""
        return await self._stages.journal.get(execution_id)

    async def recent_executions(self, limit: int = 20) -> list[Execution]:
        """Return the latest executions, newest first."""
        return await self._stages.journal.recent(limit)

    @property
    def data_transformer(self) -> Transformers:
        """The transformers; `converters["name"] = function` adds or replaces one."""
        return self._stages.transformers

    @property
    def faults(self) -> tuple[WorkspaceError, ...]:
        """The files of the workspace that cannot be used, and why: as of now."""
        stages = self._stages
        return (*stages.faults, *stages.compositions.faults, *stages.matcher.library.faults)

    @property
    def relay(self) -> Relay:
        """The upstreams as clients see them that talk to them through Podium."""
        return self._stages.relay

    @property
    def config_expose(self) -> tuple[str, ...]:
        """Globs over `server.tool`: which upstream tools are passed through."""
        return self._stages.expose

    @property
    def config_prefix(self) -> str:
        """What is put before the names of passed-through tools."""
        return self._stages.prefix

    @property
    def config_drain_seconds(self) -> float:
        """How long calls in flight may go on when a server over this is told to stop."""
        return self._stages.drain_seconds

    @property
    def config_http(self) -> HttpLimits:
        """How much a server over HTTP takes on."""
        return self._stages.http


def _keys_of(
    user_id: str, conversation_id: str, connection_id: str | None
) -> list[ConversationKey]:
    """Return the conversation of a request, and that of its connection.

    Whoever calls tools around it may name the conversation, or none.
    """
    keys = (
        conversation_key(user_id, conversation_id, None),
        conversation_key(user_id, "", connection_id),
    )
    return [key for key in keys if key is not None]


def _described(stored: StoredComposition) -> dict[str, Any]:
    composition = stored.composition
    return {
        "id": composition.id,
        "name": composition.name,
        "description": composition.description,
        "intent_type": composition.intent_type,
        "status": stored.status,
        "input_schema": params_schema(composition),
        "steps": list(named_calls(composition)),
        "examples": [
            example.model_dump(exclude_none=True, by_alias=True) for example in composition.examples
        ],
        "tool": composition.tool,
        "source": stored.source,
    }


def _with_schema(stored: StoredComposition) -> StoredComposition:
    schema = {"input_schema": params_schema(stored.composition)}
    return replace(stored, composition=stored.composition.model_copy(update=schema))


def _wanted_language(context: Mapping[str, Any]) -> str | None:
    language = context.get("language")
    return language if language in ("fr", "en") else None


def _language_of(analysis: Analysis, request: str, conversation: Conversation) -> str:
    """Return the language to reply in; what says nothing about it goes on in that spoken so far."""
    if analysis.intent is not None:
        return analysis.language
    return guess_language(request, "fr" if conversation.language == "fr" else "en")


def _internal(error: Exception) -> InternalError:
    return InternalError(f"{type(error).__name__}: {error}", hint="Podium's log says more")
