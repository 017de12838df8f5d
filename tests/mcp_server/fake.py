"""An orchestrator that does what the request says; as a program it serves itself."""

import argparse
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import anyio

from podium.domain.composition import Composition, StoredComposition
from podium.domain.errors import NotLearntError, UnknownExecutionError, UnknownServerError
from podium.domain.execution import Event, Execution, Question, StepRecord
from podium.domain.ports import NO_ANSWER, Asker
from podium.domain.request import Reply
from podium.domain.tool import Tool, ToolMatch, ToolResult, UpstreamStatus
from podium.interfaces.mcp_server import serve_http, serve_stdio

READ_FILE = {
    "name": "read_file",
    "title": "Read",
    "description": "Read a text file.",
    "inputSchema": {
        "type": "object",
        "properties": {"path": {"type": "string"}, "encoding": {"type": "string"}},
        "required": ["path"],
    },
    "annotations": {"readOnlyHint": True},
    "x-vendor": {"kept": True},
}
COUNT = {
    "name": "count",
    "description": "Count lines.",
    "inputSchema": {"type": "object"},
    "outputSchema": {"type": "integer"},
}
TOOLS = (
    Tool(
        "files",
        "read_file",
        "Read a text file.",
        READ_FILE["inputSchema"],
        annotations={"readOnlyHint": True},
        definition=READ_FILE,
    ),
    Tool("files", "count", "Count lines.", {"type": "object"}, definition=COUNT),
)
COMPOSITIONS = tuple(
    StoredComposition(
        Composition.model_validate(
            {
                "id": id_,
                "name": f"Name of {id_}",
                "description": f"What {id_} does.",
                "input_schema": {
                    "type": "object",
                    "properties": {"path": {"type": "string"}},
                    "required": ["path"],
                },
                "steps": [
                    {
                        "id": "read",
                        "server_id": "files",
                        "tool_id": "read_file",
                        "effects": "read",
                        "input_mapping": {"path": "path"},
                    }
                ],
                "tool": True,
            }
        ),
        "template",
        f"compositions/{id_}.json",
    )
    for id_ in ("count_lines", "process_request")
)


QUESTIONS = {
    "sure": Question("sure", "confirm", "Are you sure?", {"type": "boolean"}),
    "color": Question("color", "choice", "Which color?", {"enum": ["red", "again"]}),
    "who": Question(
        "who",
        "ask",
        "Who is it?",
        {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    ),
    "only": Question(
        "only",
        "ask",
        "What is the answer?",
        {"type": "object", "properties": {"answer": {"type": "string"}}},
    ),
    "deep": Question("deep", "ask", "Which ones?", {"type": "array", "items": {"type": "object"}}),
}
"""By the request that asks it; no form of the protocol asks for the last two."""


class SilentRelay:
    """Upstreams that offer clients nothing but tools and never change."""

    def server_ids(self) -> tuple[str, ...]:
        return ("files",)

    def listen(self, _listener: Any) -> Any:
        return lambda: None

    def note_offer(self, capabilities: Mapping[str, Any]) -> None:
        """There is nobody to offer it to."""

    def leave(self, session: str) -> None:
        """There is nothing to close."""

    async def listed(self, _server_id: str, _method: str) -> list[dict[str, Any]]:
        return []


class FakeOrchestrator:
    """Answers by the request: fail, crash, print, steps, wait; anything else succeeds."""

    def __init__(self, *, expose: tuple[str, ...] = (), prefix: str = "{server}__") -> None:
        self.config_expose = expose
        self.config_prefix = prefix
        self.relay = SilentRelay()
        self.calls: list[tuple[Any, ...]] = []
        self.compositions = list(COMPOSITIONS)
        self.tools = TOOLS
        self.waiting = "none"
        self.listeners: list[Callable[[], None]] = []
        self.connections: list[str | None] = []  # by which each request came
        self.gone: list[str] = []  # connections that are closed

    async def process_request(
        self,
        request: str,
        user_id: str = "",
        conversation_id: str = "",
        context: Mapping[str, Any] | None = None,
        *,
        on_event: Any = None,
        asker: Asker | None = None,
        connection_id: str | None = None,
    ) -> dict[str, Any]:
        self.connections.append(connection_id)
        self.calls.append(("process_request", request, user_id, conversation_id, context))
        if request == "crash":
            raise RuntimeError("the secret of the house")
        if request == "fail":
            error = UnknownServerError("there is no server 'fles'", hint="did you mean 'files'?")
            return Reply("error", error.message, error=error.to_dict()).to_dict()
        if request in QUESTIONS:
            return await self._ask(QUESTIONS[request], asker)
        if request == "print":
            print("noise from a tool")  # noqa: T201 - the point of it
        if request == "steps":
            await self._steps(on_event)
        if request == "wait":
            await on_event(Event("step_started", "exec_1", "c", "s", "files.count", total=1))
            await self._wait()
        return Reply(
            "success",
            f"did {request}",
            result={"request": request},
            conversation_id=conversation_id or "conv_1",
            execution_id="exec_1",
        ).to_dict()

    async def _ask(self, question: Question, asker: Asker | None) -> dict[str, Any]:
        answer = NO_ANSWER if asker is None else await asker(question)
        if answer is NO_ANSWER:
            return Reply(
                "needs_input",
                question.message,
                conversation_id="conv_1",
                execution_id="exec_1",
                question=question.to_dict(),
            ).to_dict()
        return Reply("success", f"answered {answer}", result=answer).to_dict()

    async def resume_execution(
        self,
        execution_id: str,
        params: Mapping[str, Any] | None = None,
        *,
        user_id: str = "",
        on_event: Any = None,  # noqa: ARG002 - part of the signature
        asker: Asker | None = None,
    ) -> dict[str, Any]:
        self.calls.append(("resume_execution", execution_id, params, user_id))
        for name, question in QUESTIONS.items():
            if params and question.id in params:
                if params[question.id] == "again":
                    return await self._ask(QUESTIONS["color"], asker)
                return Reply("success", f"{name}: {params[question.id]}").to_dict()
        return await self._ask(QUESTIONS["sure"], asker)

    async def _steps(self, on_event: Any) -> None:
        step = ("exec_1", "list_and_read")
        await on_event(Event("execution_started", *step, total=2))
        await on_event(Event("step_started", *step, "list", "files.list", total=2))
        await on_event(
            Event("step_finished", *step, "list", "files.list", "done", "", 1, 2, duration_ms=3.4)
        )
        await on_event(Event("step_progress", *step, "read", message="half", done=1, total=2))
        await on_event(
            Event("step_finished", *step, "read", "files.read", "failed", "gone", 2, 2, 12.0)
        )
        await on_event(Event("execution_finished", *step, status="error", done=2, total=2))

    async def _wait(self) -> None:
        self.waiting = "running"
        try:
            await anyio.sleep_forever()
        finally:
            self.waiting = "cancelled"

    def get_compositions(
        self, intent_type: str | None = None, limit: int = 10
    ) -> list[dict[str, Any]]:
        self.calls.append(("get_compositions", intent_type, limit))
        return [
            {
                "id": stored.id,
                "description": stored.composition.description,
                "intent_type": None,
                "input_schema": stored.composition.input_schema,
                "steps": ["files.read_file"],
            }
            for stored in COMPOSITIONS
        ][:limit]

    async def execute_composition(
        self,
        composition: str,
        params: Mapping[str, Any] | None = None,
        user_id: str = "",
        conversation_id: str = "",
        *,
        on_event: Any = None,
        asker: Asker | None = None,  # noqa: ARG002 - part of the signature
    ) -> dict[str, Any]:
        self.calls.append(("execute_composition", composition, params, user_id, conversation_id))
        if on_event is not None:
            await on_event(Event("execution_started", "exec_1", composition, total=1))
        return Reply("success", f"played {composition}", composition_id=composition).to_dict()

    async def save_composition(
        self, name: str, description: str = "", *, connection_id: str | None = None, **about: Any
    ) -> dict[str, Any]:
        self.connections.append(connection_id)
        self.calls.append(("save_composition", name, description, about))
        if name == "nothing":
            raise NotLearntError("no calls were recorded", hint="call the tools first")
        return {
            "composition_id": name,
            "status": "learnt",
            "composition": {"id": name, "input_schema": {"type": "object", "properties": {}}},
            "evidence": {"fragile": ["one conversation only"]},
            "traces": 1,
            "pattern": None,
            "pattern_active": False,
            "pattern_faults": [],
            "diff": "",
        }

    def disconnected(self, connection_id: str) -> None:
        self.gone.append(connection_id)

    def drifts(self) -> list[Any]:
        return []

    async def give_feedback(
        self, execution_id: str, rating: str, comment: str = "", user_id: str = ""
    ) -> dict[str, Any]:
        self.calls.append(("give_feedback", execution_id, rating, comment, user_id))
        if execution_id != "exec_1":
            raise UnknownExecutionError(f"there is no execution '{execution_id}' of yours")
        return {
            "execution_id": execution_id,
            "composition_id": "count_lines",
            "rating": rating,
            "verdict": "failure",
            "changes": [],
        }

    def on_tools_changed(self, listener: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    async def search_tools(self, query: str = "", limit: int = 10) -> list[ToolMatch]:
        return [ToolMatch(t, 1.5) for t in self.tools if query in t.description][:limit]

    async def call_tool(
        self,
        server_id: str,
        tool_id: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        on_progress: Any = None,
        connection_id: str | None = None,
        **about: Any,
    ) -> ToolResult:
        self.connections.append(connection_id)
        self.calls.append(("call_tool", server_id, tool_id, dict(arguments or {}), about))
        if server_id != "files":
            raise UnknownServerError(
                f"no server is called '{server_id}'", hint="did you mean 'files'?"
            )
        await on_progress(1.0, 4.0, "a quarter")
        await on_progress(1.0, 4.0, "again")
        await on_progress(3.0, 4.0, None)
        if tool_id == "count":
            return ToolResult(({"type": "text", "text": "7"},), 7, has_structured=True)
        if (arguments or {}).get("path") == "nowhere":
            return ToolResult(({"type": "text", "text": "no such file"},), is_error=True)
        text = {"type": "text", "text": '{"lines": 7}', "x-vendor": {"kept": True}}
        return ToolResult((text,))

    async def pass_on(
        self,
        tool: Tool,
        params: dict[str, Any],
        _front: Any,
        *,
        on_progress: Any = None,
        connection_id: str | None = None,
    ) -> dict[str, Any]:
        self.connections.append(connection_id)
        self.calls.append(("pass_on", tool.full_name, params))
        if on_progress is not None:
            await on_progress(1.0, 4.0, "a quarter")
        if tool.name == "count":
            return {"content": [{"type": "text", "text": "7"}], "structuredContent": 7}
        if (params.get("arguments") or {}).get("path") == "nowhere":
            return {"content": [{"type": "text", "text": "no such file"}], "isError": True}
        text = {"type": "text", "text": '{"lines": 7}', "x-vendor": {"kept": True}}
        return {"content": [text], "_meta": {"vendor": 1}}

    async def get_execution(self, execution_id: str) -> Execution | None:
        if execution_id != "exec_1":
            return None
        status = "cancelled" if self.waiting == "cancelled" else "success"
        step = StepRecord("read", "files", "read_file", "failed", error={"message": "gone"})
        return Execution(
            "exec_1", "count_lines", {}, status=status, duration_ms=5.0, steps={"read": step}
        )

    def tool_compositions(self) -> list[StoredComposition]:
        return self.compositions

    def workload(self) -> dict[str, Any]:
        return {"workers": {"busy": 0, "limit": 64, "capacity_score": 1.0}}

    faults = ()

    def statuses(self) -> list[UpstreamStatus]:
        return [UpstreamStatus("files", "ready", tools=2)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--expose", nargs="*", default=[])
    parser.add_argument("--prefix", default="{server}__")
    parser.add_argument("--http", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    orchestrator = FakeOrchestrator(expose=tuple(options.expose), prefix=options.prefix)
    anyio.run(serve_and_tell if options.http else serve_stdio, orchestrator)


async def serve_and_tell(orchestrator: FakeOrchestrator) -> None:
    """Serve on a free port and print the address."""
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(serve_http, orchestrator, "127.0.0.1", 0)
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
