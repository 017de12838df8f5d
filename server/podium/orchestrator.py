"""A request to a reply: intent, composition, execution, answer. The stages meet here only."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
from pydantic import ValidationError

from podium.answers.renderer import error_reply, no_match_reply, reply_of
from podium.compositions.checker import Checker
from podium.compositions.graph import build_plan
from podium.compositions.library import CompositionLibrary
from podium.compositions.params import checked_params, missing_params, params_schema
from podium.documents import validation_faults
from podium.domain.composition import Composition, Plan, StoredComposition
from podium.domain.errors import (
    CompositionInvalidError,
    Fault,
    InternalError,
    InvalidParamsError,
    PodiumError,
    RequestInvalidError,
    UnknownCompositionError,
    WorkspaceError,
)
from podium.domain.execution import Execution, ExecutionStatus, StepRecord
from podium.domain.intent import Analysis, Intent
from podium.domain.limits import Limits
from podium.domain.ports import (
    Clock,
    EventListener,
    Front,
    Ids,
    Journal,
    ProgressCallback,
    Relay,
    Upstreams,
)
from podium.domain.relay import Message, PeerError
from podium.domain.request import Reply, Request
from podium.domain.serving import HttpLimits
from podium.domain.tool import Tool, ToolMatch, ToolResult, UpstreamStatus
from podium.domain.values import json_fault
from podium.execution.policy import leaves_doubt
from podium.execution.runner import Runner
from podium.intents.analysis import analyse
from podium.intents.matcher import Matcher
from podium.mapping.coercion import coerce_arguments, schema_faults
from podium.mapping.transformers import Transformers
from podium.text.language import guess_language

logger = logging.getLogger("podium")


@dataclass(frozen=True, slots=True)
class Stages:
    """Everything an orchestrator joins; made by `podium.app`."""

    matcher: Matcher
    compositions: CompositionLibrary
    checker: Checker
    runner: Runner
    upstreams: Upstreams
    relay: Relay
    journal: Journal
    transformers: Transformers
    clock: Clock
    ids: Ids
    limits: Limits
    default_intent_type: str
    expose: tuple[str, ...] = ()
    prefix: str = "{server}__"
    drain_seconds: float = 5.0
    http: HttpLimits = field(default_factory=HttpLimits)
    faults: tuple[WorkspaceError, ...] = ()


class Orchestrator:
    """Answers requests and plays compositions; safe to use from many tasks of one event loop."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._checked: set[str] = set()  # ids of library compositions that passed the checker
        self._offered: dict[str, tuple[StoredComposition, StoredComposition]] = {}

    # --- requests

    async def process_request(
        self,
        request: str,
        user_id: str = "",
        conversation_id: str = "",
        context: Mapping[str, Any] | None = None,
        *,
        on_event: EventListener | None = None,
    ) -> dict[str, Any]:
        """Understand a request, play the composition that answers it, and return the reply.

        `context` is what the caller already knows; expressions see it as `context`. Errors are
        replies with `status: "error"`; nothing is raised but cancellation.
        """
        language: str = guess_language(request) if isinstance(request, str) else "en"
        conversation = _text_or_empty(conversation_id) or self._stages.ids.new("conv")
        try:
            _refuse_strange_ids(user_id, conversation_id)
            known = _json_object("context", context)
            analysis = self.analyse(request)
            language = analysis.language
            asked = Request(request, user_id or "", conversation)
            intent = analysis.intent or self._default_intent(request, language)
            if intent is None:
                reply = no_match_reply(analysis.suggestions, language, conversation_id=conversation)
            else:
                known |= {"request": request, "user_id": asked.user_id, "language": language}
                reply = await self._answer(asked, intent, language, known, on_event)
        except PodiumError as error:
            reply = error_reply(error, language, conversation_id=conversation)
        except Exception as error:
            # The boundary round one request: a fault of ours is one failed reply, no more.
            logger.exception("request failed unexpectedly")
            reply = error_reply(_internal(error), language, conversation_id=conversation)
        return reply.to_dict()

    def analyse(self, text: str) -> Analysis:
        """Return what a request means, with every candidate.

        Raises:
            RequestInvalidError: it is empty or no text.
            RequestTooLargeError: it is longer than `limits.request_bytes`.

        """
        return analyse(text, self._stages.matcher, self._stages.limits)

    async def _answer(
        self,
        asked: Request,
        intent: Intent,
        language: str,
        context: Mapping[str, Any],
        on_event: EventListener | None,
    ) -> Reply:
        stored = None
        try:
            stored = self._composition_for(intent)
            params = checked_params(stored.composition, intent.params, is_strict=False)
            plan = self._plan(stored, params)
        except PodiumError as error:
            return error_reply(
                error,
                language,
                conversation_id=asked.conversation_id,
                intent=intent,
                composition_id=stored.id if stored else None,
            )
        return await self._play(plan, params, asked, context, on_event, intent=intent)

    def _composition_for(self, intent: Intent) -> StoredComposition:
        library = self._stages.compositions
        if intent.composition_id is not None:
            return library.get(intent.composition_id)
        if (stored := library.for_intent(intent.type)) is not None:
            return stored
        raise UnknownCompositionError(
            f"no composition answers the intent '{intent.type}'",
            hint=f'write one with "intent_type": "{intent.type}", or see: podium compositions',
        )

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
        """Return the compositions (of one intent) as dicts, in file order, `limit` at most."""
        return [_described(s) for s in self._stages.compositions.all(intent_type)[: max(0, limit)]]

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
    ) -> dict[str, Any]:
        """Play a composition by its id, or a whole one given as a dict; return the reply."""
        conversation = _text_or_empty(conversation_id) or self._stages.ids.new("conv")
        name = composition_id if isinstance(composition_id, str) else None
        try:
            _refuse_strange_ids(user_id, conversation_id)
            stored = self._stored(composition_id)
            name = stored.id
            given = _json_object("params", params)
            checked = checked_params(stored.composition, given, is_strict=True)
            plan = self._plan(stored, checked)
            asked = Request("", user_id or "", conversation)
            context = {"request": "", "user_id": asked.user_id, "language": "en"}
            reply = await self._play(plan, checked, asked, context, on_event)
        except PodiumError as error:
            reply = error_reply(error, "en", conversation_id=conversation, composition_id=name)
        except Exception as error:
            # The boundary round one request, as above.
            logger.exception("execution failed unexpectedly")
            reply = error_reply(
                _internal(error), "en", conversation_id=conversation, composition_id=name
            )
        return reply.to_dict()

    def _stored(self, composition: str | dict[str, Any]) -> StoredComposition:
        if isinstance(composition, str):
            return self._stages.compositions.get(composition)
        if fault := json_fault(composition, "composition"):
            raise CompositionInvalidError(f"this is no composition: {fault}")
        try:
            checked = Composition.model_validate(composition, by_alias=True, by_name=False)
        except ValidationError as invalid:
            faults = validation_faults(invalid, composition, Composition)
            listed = "; ".join(map(str, faults))
            raise CompositionInvalidError(
                f"this is no composition: {listed}", hint=faults[0].hint, faults=faults
            ) from None
        return StoredComposition(checked, "template", "(given)")

    def _plan(self, stored: StoredComposition, params: Mapping[str, Any]) -> Plan:
        is_listed = self._stages.compositions.holds(stored)
        if not (is_listed and stored.id in self._checked):
            self._stages.checker.require(stored)
            if is_listed:
                self._checked.add(stored.id)
        plan = build_plan(stored.composition, params.keys())
        if plan.required_params:
            raise missing_params(stored.composition, plan.required_params)
        return plan

    async def _play(
        self,
        plan: Plan,
        params: dict[str, Any],
        asked: Request,
        context: Mapping[str, Any],
        on_event: EventListener | None,
        *,
        intent: Intent | None = None,
    ) -> Reply:
        execution = Execution(
            id=self._stages.ids.new("exec"),
            composition_id=plan.composition.id,
            params=params,
            user_id=asked.user_id,
            conversation_id=asked.conversation_id,
            request=asked.text,
            intent_type=intent.type if intent else plan.composition.intent_type,
        )
        await self._stages.runner.run(plan, execution, context, on_event)
        return reply_of(execution, intent, str(context["language"]))

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
    ) -> ToolResult:
        """Call one upstream tool; an `isError` result is returned as it is.

        The call is journalled like an execution of one step, with the words of the `request` it
        serves.

        Raises:
            InvalidParamsError: the arguments do not fit the tool's schema; every fault is listed.
            PodiumError: unknown server or tool, or the upstream failed.

        """
        _refuse_strange_ids(user_id, conversation_id, server_id, tool_id)
        tool = await self._stages.upstreams.tool(server_id, tool_id)
        given = coerce_arguments(_json_object("arguments", arguments), tool.input_schema)
        if faults := schema_faults(given, tool.input_schema):
            raise _unfit_arguments(tool.full_name, faults)
        execution = Execution(
            id=self._stages.ids.new("exec"),
            composition_id="",
            params={},
            user_id=user_id or "",
            conversation_id=conversation_id or "",
            request=_text_or_empty(request),
        )
        return await self._stages.runner.call(
            tool, given, execution, on_progress=on_progress, timeout_seconds=timeout_seconds
        )

    async def pass_on(
        self,
        tool: Tool,
        params: Message,
        front: Front,
        *,
        on_progress: ProgressCallback | None = None,
    ) -> Message:
        """Pass a client's own `tools/call` on to the upstream and return the result as it came.

        The call is the client's, not Podium's: nothing is checked, filled in or tried again. It is
        journalled when it is over; one that may change something, before it is sent as well.

        Raises:
            PeerError: the upstream answered with a JSON-RPC error.
            JournalError: the intent of a call that writes cannot be put on disk.
            PodiumError: unknown tool, or the upstream failed.

        """
        clock, journal = self._stages.clock, self._stages.journal
        began = clock.monotonic()
        record = StepRecord("call", tool.server_id, tool.name, effects=tool.effects, attempts=1)
        record.inputs, record.started_at = params.get("arguments"), clock.now()
        execution = Execution(
            id=self._stages.ids.new("exec"),
            composition_id="",
            params={},
            started_at=record.started_at,
            steps={record.step_id: record},
        )
        if tool.effects != "read":
            await journal.record_execution(execution)
            await journal.record_step(execution.id, record, durable=True)
        try:
            result = await self._stages.relay.request(
                tool.server_id, "tools/call", {**params, "name": tool.name}, front, on_progress
            )
            _note_result(record, result)
        except (PeerError, PodiumError) as error:
            doubtful = isinstance(error, PodiumError) and leaves_doubt(error, tool.effects)
            record.status = "in_doubt" if doubtful else "failed"
            record.error = {"message": error.message}
            raise
        finally:
            record.duration_ms = 1000 * (clock.monotonic() - began)
            with anyio.CancelScope(shield=True):
                await self._keep_call(execution, record)
        return result

    async def _keep_call(self, execution: Execution, record: StepRecord) -> None:
        if record.status == "skipped" and record.effects == "read":
            return  # the client is asked something first; it comes back with the same call
        if record.status == "running":
            record.status = "cancelled" if record.effects == "read" else "in_doubt"
        ended: ExecutionStatus = "success" if record.status == "done" else "cancelled"
        execution.status = "error" if record.error or record.status == "failed" else ended
        execution.duration_ms = record.duration_ms
        execution.result, execution.error = record.output, record.error
        await self._stages.journal.record_execution(execution)

    async def start_upstreams(self) -> None:
        """Start every upstream concurrently; one that fails keeps its reason in `statuses()`."""
        await self._stages.upstreams.start_all()

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
        """The files of the workspace that could not be used, and why."""
        return self._stages.faults

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


def _note_result(record: StepRecord, result: Message) -> None:
    record.output = result.get("structuredContent", result.get("content"))
    record.status = "failed" if result.get("isError") is True else "done"
    if result.get("resultType") == "input_required":
        record.status = "skipped"


def _described(stored: StoredComposition) -> dict[str, Any]:
    composition = stored.composition
    return {
        "id": composition.id,
        "name": composition.name,
        "description": composition.description,
        "intent_type": composition.intent_type,
        "status": stored.status,
        "input_schema": params_schema(composition),
        "steps": [f"{step.server_id}.{step.tool_id}" for step in composition.steps],
        "examples": [
            example.model_dump(exclude_none=True, by_alias=True) for example in composition.examples
        ],
        "tool": composition.tool,
        "source": stored.source,
    }


def _with_schema(stored: StoredComposition) -> StoredComposition:
    schema = {"input_schema": params_schema(stored.composition)}
    return replace(stored, composition=stored.composition.model_copy(update=schema))


def _unfit_arguments(tool: str, faults: list[Fault]) -> InvalidParamsError:
    listed = "; ".join(map(str, faults))
    return InvalidParamsError(
        f"the arguments do not fit {tool}: {listed}",
        hint=f"its schema: podium tools {tool} --json",
        faults=faults,
    )


def _json_object(name: str, value: Any) -> dict[str, Any]:
    """Return params, arguments or context as a dict of their own.

    Raises:
        InvalidParamsError: it is no JSON object.

    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidParamsError(f"{name} should be an object, not {type(value).__name__}")
    if fault := json_fault(value, name):
        raise InvalidParamsError(
            fault, hint="give texts, numbers, true, false, null, lists, objects"
        )
    return dict(value)


def _refuse_strange_ids(*ids: Any) -> None:
    strange = [value for value in ids if not isinstance(value, str | None)]
    if strange:
        raise RequestInvalidError(f"an id should be a text, not {strange[0]!r:.50}")


def _text_or_empty(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _internal(error: Exception) -> InternalError:
    return InternalError(f"{type(error).__name__}: {error}", hint="Podium's log says more")
