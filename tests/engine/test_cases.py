"""Each case of `cases/*.json`: a composition over scripted tools, and what comes of it.

Cases are played in virtual time. What a case may say is in `cases/README.md`.
"""

import json
import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import anyio
import pytest

from podium.domain.errors import PodiumError
from podium.domain.execution import Execution
from podium.domain.limits import Limits
from podium.execution.runner import Runner, RunnerSettings
from podium.mapping.expressions import Evaluator
from podium.mapping.transformers import Transformers
from podium.testing import (
    LoopClock,
    MemoryCheckpoints,
    MemoryJournal,
    VirtualTimeLoop,
    Watcher,
)
from tests.engine.scripted import (
    ScriptedAsker,
    ScriptedCache,
    ScriptedUpstreams,
    cache_seconds,
    planned,
    plans_of,
    upstreams_of,
)

pytestmark = pytest.mark.anyio

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(Path(__file__).with_name("cases").glob("*.json"))
    for case in json.loads(path.read_text("utf-8"))
]
LATEST_END = 3_600.0  # virtual seconds; whatever takes longer hangs
ENDED = {"done", "failed", "skipped", "cancelled", "in_doubt", "waiting", "undone"}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.mark.parametrize("case", CASES)
async def test_a_composition_comes_to_what_its_case_says(case: dict[str, Any]) -> None:
    stage = Stage(case)

    for number, turn in enumerate([case, *case.get("then", [])]):
        outcome = (
            await stage.play(turn) if number == 0 or "play" in turn else await stage.resume(turn)
        )

        expected = turn["expect"]
        assert {key: outcome.get(key) for key in expected} == expected, outcome.get("message")
        stage.check()


def test_there_are_cases_enough_and_no_two_have_one_name() -> None:
    names = [case.id for case in CASES]

    assert len(names) == len(set(names))
    assert len(names) >= 150


class Stage:
    """The engine between scripted ports, over all turns of one case."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.upstreams: ScriptedUpstreams = upstreams_of(case["tools"])
        self.journal, self.clock, self.checkpoints = (
            MemoryJournal(),
            LoopClock(),
            MemoryCheckpoints(),
        )
        limits, settings = Limits(**case.get("limits", {})), case.get("settings", {})
        checker, plans = plans_of(case.get("library", []), settings)
        self.checker = None if case.get("is_unchecked") else checker
        cache = case.get("cache", {})
        self.runner = Runner(
            upstreams=self.upstreams,
            evaluator=Evaluator(Transformers(), clock=self.clock, limits=limits),
            journal=self.journal,
            clock=self.clock,
            limits=limits,
            settings=RunnerSettings(**settings),
            plans=plans,
            checkpoints=self.checkpoints,
            cache=ScriptedCache(is_broken=cache.get("is_broken", False)),
            cache_seconds=cache_seconds(cache.get("seconds", {})),
            source=random.Random(7),
        )
        self.execution = Execution("none", "", {})
        self.played = 0

    async def play(self, turn: dict[str, Any]) -> dict[str, Any]:
        """Play the case's composition; return everything that a case may expect."""
        composition, given = self.case["composition"], turn.get("play", turn.get("params", {}))
        self.played += 1
        self.execution = Execution(
            f"exec_{self.played}", composition.get("id", ""), {}, user_id=turn.get("user_id", "")
        )
        try:
            plan, self.execution.params = planned(composition, given, self.checker)
        except PodiumError as error:
            return {"refused": error.code, "message": error.message, "hint": error.hint}
        context = self.case.get("context", {"language": "en"})
        return await self._run(turn, plan, context)

    async def resume(self, turn: dict[str, Any]) -> dict[str, Any]:
        """Play the execution on, with a param changed or a question answered."""
        checkpoint = await self.checkpoints.load(self.execution.id)
        assert checkpoint is not None, "there is nothing to play on"
        checkpoint = deepcopy(checkpoint)
        json.dumps(checkpoint.outcomes)  # it must survive a restart
        json.dumps(checkpoint.choices)
        self.execution = deepcopy(checkpoint.execution)
        self.execution.status, self.execution.error, self.execution.question = "running", None, None
        given = {**self.execution.params, **turn.get("resume", {})}
        plan, self.execution.params = planned(checkpoint.composition, given, self.checker)
        extra = {"checkpoint": checkpoint, "answers": turn.get("given", {})}
        return await self._run(turn, plan, checkpoint.context, **extra)

    async def _run(
        self, turn: dict[str, Any], plan: Any, context: dict[str, Any], **extra: Any
    ) -> dict[str, Any]:
        self._forget()
        watcher = Watcher()
        asker = ScriptedAsker(turn["answers"]) if "answers" in turn else None
        refused, began = None, anyio.current_time()
        with anyio.fail_after(LATEST_END), anyio.CancelScope() as caller:
            caller.deadline = began + turn.get("cancel_at", float("inf"))
            try:
                await self.runner.run(plan, self.execution, context, watcher, asker=asker, **extra)
            except PodiumError as error:
                refused = error
        took = round(anyio.current_time() - began, 6)
        if refused is not None:
            return {"refused": refused.code, "message": refused.message, "hint": refused.hint}
        return self._outcome(turn, watcher, took, asker.asked if asker else [])

    def _forget(self) -> None:
        self.upstreams.calls.clear()
        self.upstreams.times.clear()
        self.upstreams.broken_off.clear()
        self.upstreams.most_running = 0
        self.upstreams.began = anyio.current_time()
        self.journal.durable.clear()
        self.clock.slept.clear()

    def _outcome(
        self, turn: dict[str, Any], watcher: Watcher, took: float, asked: list[Any]
    ) -> dict[str, Any]:
        execution, calls = self.execution, len(self.upstreams.calls)
        error, records = execution.error or {}, execution.steps
        checkpoint = self.checkpoints.kept.get(execution.id)
        return {
            "status": execution.status,
            "result": execution.result,
            "error": error.get("code"),
            "error_step": error.get("step_id"),
            "message": error.get("message"),
            "hint": error.get("hint"),
            "steps": {id_: record.status for id_, record in records.items()},
            "attempts": {id_: record.attempts for id_, record in records.items()},
            "outputs": {id_: record.output for id_, record in records.items()},
            "inputs": {id_: record.inputs for id_, record in records.items()},
            "errors": {id_: r.error["code"] for id_, r in records.items() if r.error},
            "tools": {id_: f"{r.server_id}.{r.tool_id}" for id_, r in records.items() if r.tool_id},
            "cached": [id_ for id_, record in records.items() if record.is_cached],
            "calls": [[name, arguments] for name, arguments in self.upstreams.calls],
            "called": [name for name, _ in self.upstreams.calls],
            "times": self.upstreams.times,
            "broken_off": self.upstreams.broken_off,
            "most_running": self.upstreams.most_running,
            "durable": self.journal.durable,
            "files": list(execution.files),
            "naps": len(self.clock.slept),
            "took": took,
            "call_count": calls,
            "fewer_calls_than": next(
                (n for n in [turn["expect"].get("fewer_calls_than", 0)] if calls < n), None
            ),
            "rounds": {
                path: [record.status, record.inputs] for path, record in self.journal.rounds.items()
            },
            "events": [[event.kind, event.step_id] for event in watcher.events],
            "counts": [[e.done, e.total] for e in watcher.events if e.kind == "step_finished"],
            "question": execution.question.to_dict() if execution.question else None,
            "asked": asked,
            "went_without": list(execution.went_without),
            "resumable": execution.is_resumable,
            "in_doubt": list(checkpoint.in_doubt) if checkpoint else [],
            "timeline": [entry["event"] for entry in execution.timeline],
        }

    def check(self) -> None:
        """Hold what must be true after every turn, whatever happened."""
        if self.execution.status == "running":
            return  # refused
        assert self.upstreams.running == 0
        assert self.runner.active_worker_count() == 0
        assert self.runner.pool.most_used <= self.runner.pool.limit
        assert {record.status for record in self.execution.steps.values()} <= ENDED
        is_kept = self.execution.id in self.checkpoints.kept
        assert self.execution.is_resumable == is_kept
        written = self.journal.executions[self.execution.id]
        assert written.to_dict() == self.execution.to_dict()
