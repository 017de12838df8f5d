"""An orchestrator over fakes, with patterns and compositions made for conversations."""

import json
from pathlib import Path
from typing import Any

from podium.compositions.checker import Checker
from podium.compositions.library import load_compositions
from podium.domain.conversation import ConversationBounds
from podium.domain.limits import Limits
from podium.domain.ports import Conversations
from podium.domain.tool import ToolResult
from podium.execution.runner import Runner, RunnerSettings
from podium.intents.library import load_patterns
from podium.intents.matcher import Matcher
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.orchestrator import Orchestrator
from podium.stages import Stages
from podium.testing import (
    FakeClock,
    FakeRelay,
    FakeUpstreams,
    MemoryCheckpoints,
    MemoryConversations,
    MemoryJournal,
    SequentialIds,
)

HERE = Path(__file__).parent
FOLDERS: dict[str, dict[str, list[str]]] = {
    ".": {"files": ["README.md", "todo.txt", "plan.md"], "directories": []},
    "docs": {"files": ["docs/a.md", "docs/b.md", "docs/c.md"], "directories": []},
    "bare": {"files": ["x.md", "y.md"], "directories": []},
    "one": {"files": ["one/only.md"], "directories": []},
    "mixed": {"files": ["mixed/a.md", "mixed/b.md"], "directories": ["mixed/s", "mixed/t"]},
    "odd": {"files": ["odd/a.md", "odd/b.md"], "directories": ["odd/s"]},
    "two": {"files": ["two/l.md", "two/r.md"], "directories": []},
    "empty": {"files": [], "directories": []},
    "many": {"files": [f"many/{n:02}.md" for n in range(1, 31)], "directories": []},
}


class World:
    """An orchestrator and the fakes behind it; `conversations` may be a store of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        conversations: Conversations | None = None,
        clock: FakeClock | None = None,
        bounds: ConversationBounds | None = None,
        journal: MemoryJournal | None = None,
        checkpoints: MemoryCheckpoints | None = None,
    ) -> None:
        patterns, templates = folder / "patterns", folder / "compositions" / "templates"
        if not patterns.exists():
            patterns.mkdir()
            templates.mkdir(parents=True)
            (patterns / "all.json").write_text((HERE / "patterns.json").read_text("utf-8"), "utf-8")
            for composition in json.loads((HERE / "compositions.json").read_text("utf-8")):
                path = templates / f"{composition['id']}.json"
                path.write_text(json.dumps(composition), "utf-8")
        self.upstreams, self.clock = FakeUpstreams(), clock or FakeClock()
        self.journal = journal or MemoryJournal()
        self.checkpoints = checkpoints or MemoryCheckpoints()
        bounds = bounds or ConversationBounds()
        self.store = conversations or MemoryConversations(self.clock, bounds)
        self._add_tools()
        transformers, limits = Transformers(), Limits()
        library = load_patterns(patterns)
        assert library.faults == ()
        self.orchestrator = Orchestrator(
            Stages(
                matcher=Matcher(library, limits=limits),
                compositions=load_compositions(folder / "compositions"),
                checker=Checker(max_steps=10),
                runner=Runner(
                    upstreams=self.upstreams,
                    evaluator=Evaluator(transformers, clock=self.clock, limits=limits),
                    journal=self.journal,
                    clock=self.clock,
                    limits=limits,
                    settings=RunnerSettings(),
                    checkpoints=self.checkpoints,
                ),
                upstreams=self.upstreams,
                relay=FakeRelay(),
                journal=self.journal,
                conversations=self.store,
                checkpoints=self.checkpoints,
                conversation_bounds=bounds,
                transformers=transformers,
                clock=self.clock,
                ids=SequentialIds(),
                limits=limits,
                default_intent_type="generic",
            )
        )

    def _add_tools(self) -> None:
        add = self.upstreams.add
        add("s.echo", echo)
        add("s.write", echo, effects="destructive")
        add("s.fail", fail)
        add("files.list", list_folder)
        add("files.find", find)
        add("tasks.create", create_task, effects="write")
        add("tasks.list", list_tasks)
        add("git.branches", branches)
        add("notes.list", notes)

    async def say(
        self, text: str, user: str = "ana", conversation: str = "c1", **options: Any
    ) -> dict[str, Any]:
        """Send one message and return the reply."""
        return await self.orchestrator.process_request(text, user, conversation, **options)


async def echo(arguments: dict[str, Any]) -> Any:
    return arguments


async def fail(_: dict[str, Any]) -> Any:
    return ToolResult(content=({"type": "text", "text": "no"},), is_error=True)


async def list_folder(arguments: dict[str, Any]) -> Any:
    return FOLDERS.get(arguments.get("path", "."), FOLDERS["empty"])


async def find(_: dict[str, Any]) -> Any:
    matches = [("docs/a.md", 3), ("notes/z.txt", 9)]
    return {"matches": [{"file_path": path, "line": line} for path, line in matches]}


async def create_task(arguments: dict[str, Any]) -> Any:
    return {"id": f"t-{len(arguments['title'])}", "title": arguments["title"], "done": False}


async def list_tasks(_: dict[str, Any]) -> Any:
    return {"tasks": [{"id": "t-1", "title": "milk"}, {"id": "t-2", "title": "bread"}]}


async def branches(_: dict[str, Any]) -> Any:
    return {"branches": ["main", "dev", "fix-login"]}


async def notes(_: dict[str, Any]) -> Any:
    return {"titles": ["courses", "voyage", "idées cadeaux"]}
