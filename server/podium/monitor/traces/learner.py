"""What clients did, again and again, to compositions that a person can accept, edit or refuse."""

import difflib
import hashlib
import json
import logging
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import anyio
from anyio import to_thread

from podium.domain.errors import NotLearntError
from podium.domain.learning import Baseline
from podium.domain.ports import Clock
from podium.domain.trace import (
    Learnt,
    LearntFiles,
    PatternGate,
    Trace,
    TraceStore,
    skeleton_of,
)
from podium.mapping.expressions import Evaluator
from podium.monitor.traces.compiler import Compiled, Refusal, compile_traces
from podium.monitor.traces.composing import NAME_CHARACTERS
from podium.monitor.traces.recorder import ConversationKey, Recorder
from podium.text.clean import printable, shortened

MOST_TRACES = 8  # of one task that are compiled together
MOST_PUT_OFF = 20  # conversations that are kept for the next start
LEAST_CALLS = 2  # one call alone is no composition, the tool itself does
ID_CHARACTERS = 64
_DEVICES = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]")  # Windows has no files of these names
_PUT_OFF = ""  # in place of a task: what was not looked at yet

logger = logging.getLogger("podium.learning")

ProposalStatus = Literal["proposed", "learnt", "edited", "gone", "refused"]
"""`learnt`: its file is in compositions/learning; `edited`: a person changed that file since;
`gone`: it was promoted, moved or deleted, and is not written again by itself."""
_THERE: frozenset[ProposalStatus] = frozenset({"learnt", "edited"})


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """What the configuration says about learning from traces."""

    is_enabled: bool = True
    traces_before_learning: int = 3  # then the file is written without being asked for
    most_steps: int = 10  # that a composition may have to be played


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was learnt of one task.

    `diff` is from the file that is there to what the traces say now; "" where they agree.
    `pattern_faults` is why the pattern cannot be active, `is_pattern_active` whether its file is
    there.
    """

    composition_id: str
    status: ProposalStatus
    composition: dict[str, Any]
    evidence: dict[str, Any]
    traces: int
    pattern: dict[str, Any] | None = None
    pattern_faults: tuple[str, ...] = ()
    is_pattern_active: bool = False
    diff: str = ""

    @property
    def baseline(self) -> Baseline:
        """What one conversation had cost its client, on average."""
        return Baseline(self.evidence.get("client_calls", 0), self.evidence.get("client_tokens", 0))

    def to_dict(self) -> dict[str, Any]:
        """Return the public form."""
        return {
            "composition_id": self.composition_id,
            "status": self.status,
            "composition": self.composition,
            "evidence": self.evidence,
            "traces": self.traces,
            "pattern": self.pattern,
            "pattern_faults": list(self.pattern_faults),
            "pattern_active": self.is_pattern_active,
            "diff": self.diff,
        }


class Learner:
    """Turns traces into proposals; call `sweep` now and then, and once when the program ends.

    `make_evaluator` gives an evaluator that is used in one worker thread and closed there.
    """

    def __init__(
        self,
        *,
        recorder: Recorder,
        store: TraceStore,
        files: LearntFiles,
        make_evaluator: Callable[[], Evaluator],
        clock: Clock,
        gate: PatternGate | None = None,
        settings: LearnerSettings | None = None,
    ) -> None:
        self.recorder = recorder
        self._store = store
        self._files = files
        self._make_evaluator = make_evaluator
        self._clock = clock
        self._gate = gate
        self._settings = settings or LearnerSettings()
        self._turn = anyio.Lock()  # two sweeps at once would write one task twice

    async def take_up(self) -> list[Proposal | Refusal]:
        """Learn from the conversations that had ended when a program did; see `put_off`.

        Raises:
            TracesError: the store cannot be read or written.

        """
        async with self._turn:
            waiting = await self._store.of_task(_PUT_OFF, MOST_PUT_OFF)
        if not waiting:
            return []
        self.recorder.put_back(waiting)
        outcomes = await self.sweep()
        await self._store.forget(_PUT_OFF)  # not before: what breaks off is done again
        return outcomes

    async def put_off(self) -> None:
        """Keep what is over for the next start: the program ends, and compiling takes a while.

        Raises:
            TracesError: the store cannot be written.

        """
        async with self._turn:
            self.recorder.end_all()
            ended = self.recorder.ended() if self._settings.is_enabled else self._forgotten()
            for trace in ended[-MOST_PUT_OFF:]:
                if _is_worth_learning(trace):
                    await self._store.add(_PUT_OFF, trace)

    async def sweep(self) -> list[Proposal | Refusal]:
        """Learn from the conversations that are over; return what came of each.

        Raises:
            TracesError: the store cannot be read or written.

        """
        async with self._turn:
            ended = self.recorder.ended() if self._settings.is_enabled else self._forgotten()
            outcomes: list[Proposal | Refusal] = []
            for number, trace in enumerate(ended):
                try:
                    outcome = await self._learn(trace)
                except BaseException:
                    self.recorder.put_back(ended[number:])
                    raise
                if outcome is not None:
                    outcomes.append(outcome)
            return outcomes

    def _forgotten(self) -> list[Trace]:
        self.recorder.ended()
        return []

    async def save(self, key: ConversationKey | None, name: str, description: str = "") -> Proposal:
        """Keep what a conversation did under a name that its client gives, as a learning file.

        Raises:
            NotLearntError: it has no calls, they make no composition, or the name is taken.
            TracesError: the store cannot be written.

        """
        async with self._turn:
            return await self._saved(key, name, description)

    async def _saved(self, key: ConversationKey | None, name: str, description: str) -> Proposal:
        name, trace = printable(name), self._current(key)
        task = task_of(trace)
        composition_id = _as_id(name)
        known = [entry for entry in await self._store.learnt() if entry.key != task]
        is_ours = any(entry.composition_id == composition_id for entry in known)
        own = await self._record(task)
        mine = own is not None and own.composition_id == composition_id
        file = await to_thread.run_sync(self._files.read, composition_id)
        if is_ours or (not mine and file is not None):
            raise _taken(composition_id)
        compiled = await self._compiled(trace)
        if isinstance(compiled, Refusal):
            raise NotLearntError(compiled.message, hint=compiled.hint)
        title = shortened(" ".join(name.split()), NAME_CHARACTERS)
        compiled = renamed(compiled, composition_id, title, printable(description))
        learnt = self._learnt(task, compiled, own if mine else None)
        is_written = await self._write(learnt)
        if not is_written and not mine:
            raise _taken(composition_id)
        await self._store.add(task, trace)
        if key is not None:
            self.recorder.end(key)
            self._skip(trace)
        sha256 = _sha256(learnt.content) if is_written else learnt.sha256
        learnt = replace(learnt, sha256=sha256, is_refused=False, is_accepted=True)
        await self._store.keep(learnt)
        return await self._shown(learnt)

    async def learnt(self) -> list[Proposal]:
        """Return everything that was learnt, the latest first; what was refused is not shown."""
        entries = await self._store.learnt()
        return [await self._shown(entry) for entry in entries if not entry.is_refused]

    async def proposal(self, composition_id: str) -> Proposal:
        """Return what was learnt under a name.

        Raises:
            NotLearntError: nothing was, or it was refused.

        """
        entry = await self._named(composition_id)
        if entry.is_refused:
            raise _unknown(composition_id)
        return await self._shown(entry)

    async def accept(self, composition_id: str, *, with_pattern: bool = True) -> Proposal:
        """Write a proposal's file, and its pattern if nothing speaks against it.

        A file that a person edited stays as it is.

        Raises:
            NotLearntError: there is no such proposal.

        """
        async with self._turn:
            return await self._accepted(composition_id, with_pattern=with_pattern)

    async def _accepted(self, composition_id: str, *, with_pattern: bool) -> Proposal:
        entry = await self._named(composition_id)
        # One that was deleted and is accepted now is wanted again.
        file = await to_thread.run_sync(self._files.read, composition_id)
        known = "" if file is None else entry.sha256
        pattern = await to_thread.run_sync(self._files.read_pattern, composition_id)
        known_pattern = "" if pattern is None else entry.pattern_sha256
        return await self._written(
            replace(
                entry,
                sha256=known,
                pattern_sha256=known_pattern,
                is_accepted=True,
                is_refused=False,
            ),
            with_pattern=with_pattern,
        )

    async def refuse(self, composition_id: str) -> None:
        """Never propose this task again; the file, if there is one, is left to the person.

        Raises:
            NotLearntError: there is no such proposal.

        """
        async with self._turn:
            entry = await self._named(composition_id)
            await self._store.keep(replace(entry, is_refused=True, updated_at=self._clock.now()))

    # --- one trace

    async def _learn(self, trace: Trace) -> Proposal | Refusal | None:
        if not _is_worth_learning(trace):
            return None
        task = task_of(trace)
        known = await self._record(task)
        if known is not None and known.is_refused:
            return None
        compiled = await self._compiled(trace)
        if isinstance(compiled, Refusal):
            return compiled
        await self._store.add(task, trace)
        if known is not None:
            compiled = renamed(compiled, known.composition_id, _name_of(known))
        learnt = self._learnt(task, compiled, known)
        is_ready = learnt.traces >= self._settings.traces_before_learning
        if learnt.is_accepted or is_ready:
            return await self._written(learnt, with_pattern=is_ready and _only_reads(trace))
        await self._store.keep(learnt)
        return await self._shown(learnt)

    async def _compiled(self, trace: Trace) -> Compiled | Refusal:
        """Return what a trace and earlier ones of its task become together."""
        earlier = await self._store.of_task(task_of(trace), MOST_TRACES - 1)
        others = [other for other in earlier if other.id != trace.id]
        # When the program ends nobody waits for it: the trace is kept for the next start.
        return await to_thread.run_sync(self._compile, others, trace, abandon_on_cancel=True)

    def _compile(self, others: Sequence[Trace], trace: Trace) -> Compiled | Refusal:
        evaluator = self._make_evaluator()
        try:
            return _bounded(compiled_together(others, trace, evaluator), self._settings.most_steps)
        except Exception:
            # A boundary like that round a step: values of upstreams that nobody thought of end the
            # learning from one conversation, or every later round would fail at it again.
            logger.exception("no composition could be made of trace '%s'", trace.id)
            return Refusal("failed", "learning from these calls failed unexpectedly")
        finally:
            evaluator.close()

    def _current(self, key: ConversationKey | None) -> Trace:
        trace = self.recorder.current(key)
        if trace is None:
            raise NotLearntError(
                "this conversation has made no tool calls that were recorded",
                hint="call the tools first, with `call_tool` and the same conversation_id",
            )
        return trace

    def _skip(self, trace: Trace) -> None:
        """Keep the trace that was just saved from being learnt a second time."""
        self.recorder.put_back([other for other in self.recorder.ended() if other.id != trace.id])

    # --- records

    async def _record(self, task: str) -> Learnt | None:
        found = await self._store.learnt(task)
        return await self._reconciled(found[0]) if found else None

    async def _reconciled(self, entry: Learnt) -> Learnt:
        """Return a record that knows of its file, also where a program broke off before noting it.

        `_written` notes what it is about to write.
        """
        file = await to_thread.run_sync(self._files.read, entry.composition_id)
        if file == entry.content:
            entry = replace(entry, sha256=_sha256(entry.content))
        pattern = await to_thread.run_sync(self._files.read_pattern, entry.composition_id)
        if entry.pattern is not None and pattern == _pattern_text(entry.pattern):
            entry = replace(entry, pattern_sha256=_sha256(pattern))
        return entry

    async def _named(self, composition_id: str) -> Learnt:
        for entry in await self._store.learnt():
            if entry.composition_id == composition_id:
                return await self._reconciled(entry)
        raise _unknown(composition_id)

    def _learnt(self, task: str, compiled: Compiled, known: Learnt | None) -> Learnt:
        entry = known or Learnt(task, compiled.composition["id"], "")
        return replace(
            entry,
            composition_id=compiled.composition["id"],
            content=_text(compiled.composition),
            evidence=compiled.evidence.to_dict(),
            pattern=compiled.pattern,
            traces=len(compiled.evidence.traces),
            updated_at=self._clock.now(),
        )

    async def _written(self, entry: Learnt, *, with_pattern: bool) -> Proposal:
        """Write the file unless a person edited it, its pattern if nothing is against it.

        The record is kept with it. A pattern that is active already follows the file's params.
        """
        await self._store.keep(entry)
        if await self._write(entry):
            entry = replace(entry, sha256=_sha256(entry.content))
        await self._store.keep(entry)
        shown = await self._shown(entry)
        if not (with_pattern or entry.pattern_sha256) or shown.status not in _THERE:
            return shown
        if shown.pattern is None or shown.pattern_faults:
            return shown
        content = _pattern_text(shown.pattern)
        if not await to_thread.run_sync(
            self._files.write_pattern, entry.composition_id, content, entry.pattern_sha256
        ):
            return shown
        await self._store.keep(replace(entry, pattern_sha256=_sha256(content)))
        return replace(shown, is_pattern_active=True)

    async def _write(self, entry: Learnt) -> bool:
        return await to_thread.run_sync(
            self._files.write, entry.composition_id, entry.content, entry.sha256
        )

    async def _shown(self, entry: Learnt) -> Proposal:
        return await to_thread.run_sync(self._show, entry)

    def _show(self, entry: Learnt) -> Proposal:
        file = self._files.read(entry.composition_id)
        faults: list[str] = []
        if entry.pattern is not None and self._gate is not None:
            faults = self._gate.faults(entry.pattern)
        return Proposal(
            entry.composition_id,
            _status(entry, file),
            json.loads(entry.content),
            entry.evidence or {},
            entry.traces,
            entry.pattern,
            tuple(faults),
            self._files.read_pattern(entry.composition_id) is not None,
            _diff(entry, file),
        )


def compiled_together(
    others: Sequence[Trace], trace: Trace, evaluator: Evaluator
) -> Compiled | Refusal:
    """Return the composition of a trace, with as many earlier ones as tell of the same task.

    Two tasks may use the same tools: an earlier trace counts only if the composition keeps its
    steps and does not lose most of its data flow by it.
    """
    together = compile_traces([*others, trace], evaluator)
    alone = compile_traces([trace], evaluator) if others else together
    if not others or isinstance(alone, Refusal):
        return together
    if isinstance(together, Compiled) and _is_same_task(together, alone):
        return together
    group, best = [trace], alone
    for other in reversed(others):
        candidate = compile_traces([other, *group], evaluator)
        if isinstance(candidate, Compiled) and _is_same_task(candidate, alone):
            group, best = [other, *group], candidate
    return best


def _bounded(compiled: Compiled | Refusal, most_steps: int) -> Compiled | Refusal:
    steps = 0 if isinstance(compiled, Refusal) else len(compiled.composition["steps"])
    if steps <= most_steps:
        return compiled
    return Refusal(
        "too_many_steps",
        f"it would have {steps} steps, and a composition may have {most_steps}",
        "save a smaller task, or raise orchestrator.max_steps_per_composition in config.yaml",
    )


def _is_same_task(together: Compiled, alone: Compiled) -> bool:
    steps = [{step["tool_id"] for step in made.composition["steps"]} for made in (together, alone)]
    return steps[0] >= steps[1] and 2 * _flows(together) >= _flows(alone)


def _flows(compiled: Compiled) -> int:
    steps = {step["id"] for step in compiled.composition["steps"]}
    return sum(bool(steps & set(argument.reads)) for argument in compiled.evidence.arguments)


def renamed(
    compiled: Compiled, composition_id: str, name: str = "", description: str = ""
) -> Compiled:
    """Return a composition under another id, in its pattern too."""
    own = {
        **compiled.composition,
        "id": composition_id,
        "intent_type": composition_id,
        "name": name or compiled.composition["name"],
        "description": description or compiled.composition["description"],
    }
    pattern = compiled.pattern and {
        **compiled.pattern,
        "name": composition_id,
        "composition": composition_id,
    }
    return replace(compiled, composition=own, pattern=pattern)


def task_of(trace: Trace) -> str:
    """Return the key of a trace's task: whose it is, and which tools it needs.

    Traces of two people never meet, since the values of one would stand in the file of the other.
    """
    return _sha256(json.dumps([trace.user_id, skeleton_of(trace)]))


def _is_worth_learning(trace: Trace) -> bool:
    return sum(not call.is_error for call in trace.calls) >= LEAST_CALLS


def _only_reads(trace: Trace) -> bool:
    return all(call.effects == "read" for call in trace.calls)


def _name_of(known: Learnt) -> str:
    return str(json.loads(known.content).get("name", "")) if known.content else ""


def _status(entry: Learnt, file: str | None) -> ProposalStatus:
    if entry.is_refused:
        return "refused"
    if not entry.sha256:
        return "proposed"
    if file is None:
        return "gone"
    return "learnt" if _sha256(file) == entry.sha256 else "edited"


def _diff(entry: Learnt, file: str | None) -> str:
    if file is None or file == entry.content:
        return ""
    name = f"{entry.composition_id}.json"
    lines = difflib.unified_diff(
        file.splitlines(), entry.content.splitlines(), name, f"{name} (learnt)", lineterm=""
    )
    return "\n".join(lines)


def _unknown(composition_id: str) -> NotLearntError:
    return NotLearntError(
        f"nothing was learnt under the name '{composition_id}'", hint="podium learn lists all"
    )


def _taken(composition_id: str) -> NotLearntError:
    return NotLearntError(
        f"there is a composition '{composition_id}' already", hint="give another name"
    )


def _as_id(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:ID_CHARACTERS].strip("_")
    if not made:
        raise NotLearntError("a name needs letters or digits", hint="for example 'weekly report'")
    return f"{made}_composition" if _DEVICES.fullmatch(made) else made


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _pattern_text(pattern: dict[str, Any]) -> str:
    return _text({"patterns": [pattern]})


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
