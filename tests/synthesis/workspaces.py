"""A workspace over the shipped files server, with a planner whose drafts are data."""

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from podium import Orchestrator
from podium.domain.composition import Composition
from podium.domain.ports import PlanWriter
from podium.domain.synthesis import Draft, PastPlan, Recalled, Sketch
from podium.domain.tool import Tool
from podium.synthesis import Makers

DRAFTS = json.loads(Path(__file__).with_name("drafts.json").read_text("utf-8"))
PATTERNS = {
    "patterns": [
        {"name": "read", "regex": r"^read (?P<file>\S+)$"},
        {"name": "measure", "regex": r"^measure (?P<file>\S+)$"},
    ]
}
READ = {
    "id": "read",
    "intent_type": "read",
    "input_schema": {
        "type": "object",
        "properties": {"file": {"type": "string"}},
        "required": ["file"],
    },
    "steps": [
        {
            "id": "it",
            "server_id": "files",
            "tool_id": "read_file",
            "effects": "read",
            "input_mapping": {"file_path": "file"},
        }
    ],
}


@dataclass
class Recording:
    """A sketcher that only remembers what it was told."""

    learnt: list[PastPlan] = field(default_factory=list)
    recalls_all: bool = False

    def learn(self, past: Iterable[PastPlan]) -> None:
        self.learnt += past

    def sketch(self, text: str) -> Sketch | None:
        known = [plan for plan in self.learnt if self.recalls_all or plan.text == text]
        nearest = tuple(Recalled(plan, 0.9) for plan in known)
        return Sketch(known[0].tools, 1.0, nearest) if known else None


@dataclass
class Scripted:
    """A planner whose drafts are those of `drafts.json`; it waits for `go` first."""

    go: Event = field(default_factory=Event)
    asked: list[tuple[str, str, tuple[str, ...], Sketch | None]] = field(default_factory=list)

    def plan(
        self, request: str, language: str, tools: Sequence[Tool], sketch: Sketch | None
    ) -> tuple[Draft, ...]:
        names = tuple(tool.full_name for tool in tools)
        self.asked.append((request, language, names, sketch))
        self.go.wait(60)
        if request == "make it fail":
            raise RuntimeError("as it should")
        return tuple(_draft(*each) for each in DRAFTS["requests"].get(request, ()))


def _draft(name: str, params: dict[str, Any], confidence: float | None = None) -> Draft:
    found = DRAFTS["drafts"][name]
    composition = Composition.model_validate(found["composition"])
    required = (composition.input_schema or {}).get("required", ())
    return Draft(
        composition,
        params,
        confidence or found["confidence"],
        missing=tuple(each for each in required if each not in params),
        reasons=tuple(found["reasons"]),
    )


class Workspace:
    """The folder; `documents` is what the files server serves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.documents = folder / "documents"
        self.sketcher, self.planner = Recording(), Scripted()
        self.planner.go.set()
        for name in ("patterns", "compositions/templates", "transformers", "documents"):
            (folder / name).mkdir(parents=True)
        (self.documents / "a.txt").write_text("five!", "utf-8")
        (folder / "patterns" / "all.json").write_text(json.dumps(PATTERNS), "utf-8")
        self.write("templates", READ)
        self.configure()

    def configure(self, **options: Any) -> None:
        """Write `config.yaml`, with these keys of the orchestrator."""
        files = ["-m", "podium.interfaces.files_server", str(self.documents)]
        config = {
            "orchestrator": options,
            "mcpServers": {"files": {"command": sys.executable, "args": files}},
        }
        (self.folder / "config.yaml").write_text(json.dumps(config), "utf-8")

    def write(self, status: str, document: dict[str, Any]) -> Path:
        path = self.folder / "compositions" / status / f"{document['id']}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), "utf-8")
        return path

    def open(
        self, plan_writer: PlanWriter | None = None
    ) -> AbstractAsyncContextManager[Orchestrator]:
        makers = Makers(lambda _: self.sketcher, lambda _: self.planner)
        return Orchestrator.open(self.folder, makers=makers, plan_writer=plan_writer)

    def learning(self) -> list[Path]:
        """Return the files of compositions on trial."""
        return sorted((self.folder / "compositions" / "learning").glob("*.json"))

    def text_of(self, name: str) -> str | None:
        path = self.documents / name
        return path.read_text("utf-8") if path.exists() else None
