"""Calls of single tools that a client makes itself: checked or passed on, journalled, recorded."""

from collections.abc import Callable, Mapping
from typing import Any

import anyio

from podium.domain.errors import Fault, InvalidParamsError, PodiumError
from podium.domain.execution import Execution, ExecutionStatus, StepRecord
from podium.domain.inputs import json_object, refuse_strange_ids, text_or_empty
from podium.domain.ports import Front, ProgressCallback
from podium.domain.relay import Message, PeerError
from podium.domain.tool import Tool, ToolResult
from podium.execution.policy import leaves_doubt
from podium.mapping.coercion import coerce_arguments, schema_faults
from podium.stages import Stages
from podium.tracing import ConversationKey, conversation_key


class ClientCalls:
    """Makes the calls of clients; `count` hands each of them to the monitor."""

    def __init__(self, stages: Stages, count: Callable[[Execution], None]) -> None:
        self._stages = stages
        self._count = count

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
        """Call a tool with arguments that fit its schema; see `Orchestrator.call_tool`."""
        refuse_strange_ids(user_id, conversation_id, server_id, tool_id)
        tool = await self._stages.upstreams.tool(server_id, tool_id)
        given = coerce_arguments(json_object("arguments", arguments), tool.input_schema)
        if faults := schema_faults(given, tool.input_schema):
            raise _unfit_arguments(tool.full_name, faults)
        execution = Execution(
            id=self._stages.ids.new("exec"),
            composition_id="",
            params={},
            user_id=user_id or "",
            conversation_id=conversation_id or "",
            request=text_or_empty(request),
        )
        began, result = self._stages.clock.now(), None
        try:
            result = await self._stages.runner.call(
                tool, given, execution, on_progress=on_progress, timeout_seconds=timeout_seconds
            )
        finally:
            self._count(execution)
            key = conversation_key(execution.user_id, execution.conversation_id, connection_id)
            self._trace(key, tool, given, result, began, execution.request)
        return result

    async def pass_on(
        self,
        tool: Tool,
        params: Message,
        front: Front,
        *,
        on_progress: ProgressCallback | None = None,
        connection_id: str | None = None,
    ) -> Message:
        """Pass a `tools/call` on as it came; see `Orchestrator.pass_on`."""
        clock, journal = self._stages.clock, self._stages.journal
        result: Message | None = None
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
            if self._stages.tracing is not None and record.status != "skipped":
                passed = None if result is None else _as_result(result)
                key = conversation_key(front.principal, "", connection_id)
                self._trace(key, tool, record.inputs or {}, passed, record.started_at)
                if passed is not None:
                    self._stages.tracing.saw(tool, passed)
        return result

    def _trace(
        self,
        key: ConversationKey | None,
        tool: Tool,
        arguments: Mapping[str, Any],
        result: ToolResult | None,
        began: float,
        request: str = "",
    ) -> None:
        """Have a client's call recorded, for others to be learnt from; without a result it failed.

        Without a key it belongs to no conversation.
        """
        if self._stages.tracing is not None and key is not None:
            self._stages.tracing.called(
                key, tool, arguments, result, started_at=began, request=request
            )

    async def _keep_call(self, execution: Execution, record: StepRecord) -> None:
        if record.status == "skipped" and record.effects == "read":
            return  # the client is asked something first; it comes back with the same call
        if record.status == "running":
            record.status = "cancelled" if record.effects == "read" else "in_doubt"
        ended: ExecutionStatus = "success" if record.status == "done" else "cancelled"
        execution.status = "error" if record.error or record.status == "failed" else ended
        execution.duration_ms = record.duration_ms
        execution.result, execution.error = record.output, record.error
        self._count(execution)
        await self._stages.journal.record_execution(execution)


def _note_result(record: StepRecord, result: Message) -> None:
    record.output = result.get("structuredContent", result.get("content"))
    record.status = "failed" if result.get("isError") is True else "done"
    if result.get("resultType") == "input_required":
        record.status = "skipped"


def _as_result(result: Message) -> ToolResult:
    """Return a result that was passed on, as expressions would see it."""
    content, structured = result.get("content"), result.get("structuredContent")
    blocks = content if isinstance(content, list) else []
    return ToolResult(
        tuple(block for block in blocks if isinstance(block, dict)),
        structured,
        has_structured=structured is not None,
        is_error=result.get("isError") is True,
    )


def _unfit_arguments(tool: str, faults: list[Fault]) -> InvalidParamsError:
    listed = "; ".join(map(str, faults))
    return InvalidParamsError(
        f"the arguments do not fit {tool}: {listed}",
        hint=f"its schema: podium tools {tool} --json",
        faults=faults,
    )
