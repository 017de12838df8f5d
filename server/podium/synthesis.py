"""A request that nothing answers to a composition made for it; what ran well to a file.

Which tools, from what served like requests before; how data flows between them, from their schemas;
then the checker, against the tools as they are now. Where all that gives nothing, a model may be
asked for a plan. Nothing is played here, and no tool is called.
"""

import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import anyio
from anyio import to_thread

from podium.compositions.checker import Checker
from podium.compositions.keeping import (
    MADE_FOR,
    holds_values,
    repeats_values,
    without_values,
)
from podium.compositions.library import CompositionLibrary
from podium.compositions.synthesizer.written import MAX_TOOLS, ModelPlanner
from podium.domain.composition import (
    OPEN_PARAM,
    Alternative,
    Composition,
    CompositionExample,
    StoredComposition,
    ToolStep,
    all_calls,
)
from podium.domain.errors import PodiumError, UnknownToolError
from podium.domain.execution import Execution
from podium.domain.findings import Finding
from podium.domain.intent import Intent
from podium.domain.ports import Clock, PastPlans, PlanWriter, Upstreams
from podium.domain.redaction import Redactor
from podium.domain.synthesis import MAX_PAST_PLANS, Draft, PastPlan, Sketch
from podium.domain.tool import Tool
from podium.domain.trace import LearntFiles
from podium.domain.versions import meaning_of, tools_of
from podium.mapping.coercion import coerce_arguments, schema_faults
from podium.text.clean import shortened

MOST_TOOLS = 2_000  # that a plan is made of
GATHER_SECONDS = 5.0  # for servers never tried; then what is known has to do
RANK_SECONDS = 1.0  # for the tools that fit a request best; then any order has to do
MAKE_SECONDS = 3.0  # for the drafts of one request; some 50 ms once what was served is learnt
PAST_SECONDS = 60.0  # what was served before is looked up again after so long, at the earliest
LEAST_CONFIDENCE = 0.5  # below it nothing is proposed
NEAR = 0.05  # drafts whose confidence differs by no more are to be chosen from
MOST_CHOICES = 3
MOST_WRITING = 4  # requests for which a model is asked at a time; the next one does without
BASE_CHARACTERS = 55  # of an id, before the hash of what it does
HASH_CHARACTERS = 8
REQUEST_CHARACTERS = 1_000  # of a request kept in a file
NAME_CHARACTERS = 100
MOST_ON_TRIAL = 500  # compositions; beyond it nothing is kept until some rise or fall
WRITTEN = "written"  # the id of what a model writes, until its tools are known
MADE = "(made)"  # stands for the file of a composition that has none

logger = logging.getLogger("podium.synthesis")


class Sketching(Protocol):
    """Says which tools a request probably needs, from what served like ones."""

    def learn(self, past: Iterable[PastPlan]) -> None:
        """Take note of what was served, oldest first."""
        ...

    def sketch(self, text: str) -> Sketch | None:
        """Return the tools in their order; None if nothing speaks for any."""
        ...


class Planning(Protocol):
    """Joins tools into compositions."""

    def plan(
        self, request: str, language: str, tools: Sequence[Tool], sketch: Sketch | None
    ) -> tuple[Draft, ...]:
        """Return what may serve the request, best first."""
        ...


@dataclass(frozen=True, slots=True)
class Makers:
    """What makes the two, of the tools there are; called again when these have changed."""

    sketcher: Callable[[Sequence[Tool]], Sketching]
    planner: Callable[[Sequence[Tool]], Planning]


class Synthesis:
    """Makes compositions for requests, one at a time; one for each orchestrator."""

    def __init__(
        self,
        makers: Makers,
        *,
        upstreams: Upstreams,
        known_tools: Callable[[], Sequence[Tool]],
        past: PastPlans,
        library: CompositionLibrary,
        checker: Checker,
        clock: Clock,
        redactor: Redactor,
        files: LearntFiles | None = None,
        plan_writer: PlanWriter | None = None,
    ) -> None:
        """`known_tools` gives the tools known without starting any upstream.

        Without `files` nothing that was made is kept; without a `plan_writer` no model is asked.
        """
        self._upstreams = upstreams
        self._known_tools = known_tools
        self._past = past
        self._library = library
        self._checker = checker
        self._clock = clock
        self._redactor = redactor
        self._files = files
        self._plan_writer = plan_writer
        self._writing = anyio.CapacityLimiter(MOST_WRITING)
        self._bench = _Bench(makers)
        self._turn = anyio.CapacityLimiter(1)
        self._plans: list[PastPlan] = []
        self._looked_at = float("-inf")

    async def intents(
        self, text: str, language: str, intent: Intent | None = None
    ) -> tuple[Intent, ...]:
        """Return intents that say what to play for a request: the best, or those to choose from.

        With an `intent` nothing answers, compositions are made for it, and its params hold.
        """
        tools = await self._tools()
        if not tools:
            return ()
        drafts, sketch = await self._drafts(text, language, tools)
        good = [draft for draft in drafts if draft.confidence >= LEAST_CONFIDENCE]
        live = {(tool.server_id, tool.name): tool for tool in tools}
        found = [(draft, self._sound(draft, language, intent, live)) for draft in good]
        sound = [(draft, made) for draft, made in found if made is not None]
        if not sound:
            written = await self._written(text, language, live, sketch, drafts)
            made = self._sound(written, language, intent, live) if written is not None else None
            return (made,) if made is not None else ()
        best, first = sound[0]
        rivals = {tools_of(best.composition): first}
        for draft, made in sound[1:]:
            if best.confidence - draft.confidence <= NEAR:
                rivals.setdefault(tools_of(draft.composition), made)
        return tuple(rivals.values())[:MOST_CHOICES]

    async def keep(self, composition: Composition, execution: Execution) -> bool:
        """Write what was made and ran well as a file on trial; return whether it was written.

        Not over another file, and not with a secret in it, or with values of the request that it
        would use again for whoever plays it next.
        """
        if self._files is None or self._library.knows(composition.id):
            return False
        if sum(stored.status == "learning" for stored in self._library.all()) >= MOST_ON_TRIAL:
            logger.warning("%d compositions are on trial: no other is kept", MOST_ON_TRIAL)
            return False
        if repeats_values(_document(composition)["steps"], execution.request):
            logger.info("composition %s serves one request only and is not kept", composition.id)
            return False
        text = self._file_of(composition, execution)
        if self._redactor.may_be_in(text + json.dumps([execution.request, execution.params])):
            logger.info("composition %s holds a secret and is not kept", composition.id)
            return False
        try:
            return await to_thread.run_sync(self._files.write, composition.id, text, "")
        except PodiumError as error:
            logger.warning("composition %s is not kept: %s", composition.id, error.message)
            return False

    # --- inside

    async def _tools(self) -> tuple[Tool, ...]:
        with anyio.move_on_after(GATHER_SECONDS):
            matches = await self._upstreams.search("", MOST_TOOLS)
            return tuple(match.tool for match in matches)
        return tuple(self._known_tools())[:MOST_TOOLS]

    async def _drafts(
        self, text: str, language: str, tools: tuple[Tool, ...]
    ) -> tuple[tuple[Draft, ...], Sketch | None]:
        past, revision = await self._served(), self._library.revision
        work = partial(self._bench.drafts, text, language, tools, past, revision)
        with anyio.move_on_after(MAKE_SECONDS):
            return await to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._turn)
        logger.warning("no composition is made: it takes longer than %g s", MAKE_SECONDS)
        return (), None

    async def _written(
        self,
        text: str,
        language: str,
        live: Mapping[tuple[str, str], Tool],
        sketch: Sketch | None,
        drafts: Sequence[Draft],
    ) -> Draft | None:
        """Return the draft that a model writes; None without one, or without a place to ask it."""
        if self._plan_writer is None:
            return None
        planner = ModelPlanner(self._plan_writer, partial(self._findings, live=live))
        try:
            self._writing.acquire_nowait()
        except anyio.WouldBlock:
            logger.warning("no model is asked: it is asked %d things already", MOST_WRITING)
            return None
        try:
            writing = await planner.plan(
                text,
                await self._likeliest(text, live, sketch),
                composition_id=WRITTEN,
                language=language,
                nearest=sketch.nearest if sketch is not None else (),
                drafts=drafts,
            )
        finally:
            self._writing.release()
        if writing.draft is None:
            logger.warning("no plan by a model: %s", self._redactor.text(writing.reasons[-1]))
            return None
        composition = writing.draft.composition
        named = composition.model_copy(update={"id": _id_after_tools(composition)})
        return replace(writing.draft, composition=named)

    async def _likeliest(
        self, text: str, live: Mapping[tuple[str, str], Tool], sketch: Sketch | None
    ) -> list[Tool]:
        """Return the tools, the likeliest to serve a request first."""
        tools = {tool.full_name: tool for tool in live.values()}
        names = list(sketch.tools if sketch else ())
        with anyio.move_on_after(RANK_SECONDS):
            matches = await self._upstreams.search(text, MAX_TOOLS)
            names += [match.tool.full_name for match in matches]
        return [tools[name] for name in dict.fromkeys((*names, *tools)) if name in tools]

    async def _served(self) -> list[PastPlan]:
        """Return what was served before, read now and then; without a journal plans know less."""
        now = self._clock.monotonic()
        if now - self._looked_at >= PAST_SECONDS:
            self._looked_at = now
            try:
                self._plans = await self._past.past_plans(MAX_PAST_PLANS)
            except PodiumError as error:
                logger.warning("past plans cannot be read", extra={"code": error.code})
        return self._plans

    def _sound(
        self,
        draft: Draft,
        language: str,
        intent: Intent | None,
        live: Mapping[tuple[str, str], Tool],
    ) -> Intent | None:
        """Return the intent that plays a draft; None for one that cannot be played."""
        composition = draft.composition
        if intent is not None:
            composition = composition.model_copy(update={"intent_type": intent.type})
        suffix = f"_{meaning_of(composition)[:HASH_CHARACTERS]}"
        known = next((each for each in self._library.all() if each.id.endswith(suffix)), None)
        if known is None:
            id_ = composition.id[:BASE_CHARACTERS] + suffix
            named = {"id": id_, "intent_type": composition.intent_type or id_}
            made = composition.model_copy(update={**named, "comment_": list(draft.reasons)})
        elif known.status == "deprecated":  # it was made before, and did not do well
            return None
        else:
            made = known.composition
        params = {**draft.params, **_of_schema(intent, made)}
        if not self._can_be_played(made, live) or not _fit(params, made):
            return None
        return Intent(
            type=made.intent_type or made.id,
            params=params,
            confidence=round(draft.confidence, 3),
            matched_by="synthesis",
            language=language,
            composition_id=made.id,
            made=None if known else _document(made),
        )

    def _can_be_played(
        self, composition: Composition, live: Mapping[tuple[str, str], Tool]
    ) -> bool:
        findings = self._findings(composition, live)
        is_sound = all(finding.severity != "error" for finding in findings)
        return is_sound and _leaves_effects_to_tools(composition, live)

    def _findings(
        self, composition: Composition, live: Mapping[tuple[str, str], Tool]
    ) -> list[Finding]:
        tools: dict[tuple[str, str], Tool | PodiumError] = {
            (call.server_id, call.tool_id): UnknownToolError("there is no such tool")
            for call in all_calls(composition.steps)
        }
        stored = StoredComposition(composition, "learning", MADE)
        return self._checker.check(stored, tools={**tools, **live})

    def _file_of(self, composition: Composition, execution: Execution) -> str:
        """Return the file, with no value of the request in what it says to people."""
        params = execution.params
        asked = without_values(execution.request, params)[:REQUEST_CHARACTERS]
        words = OPEN_PARAM.sub(r"{\g<name>}", asked)
        served = f"the request '{words}'" if words else "a request"
        day = datetime.fromtimestamp(self._clock.now()).astimezone().date()
        reasons = composition.comment_ if isinstance(composition.comment_, list) else []
        named = {
            field: shortened(words, NAME_CHARACTERS)
            for field in ("name", "description")
            if holds_values(getattr(composition, field), params)
        }
        noted = {
            "comment_": [
                f"{MADE_FOR}{served}, which it served on {day}.",
                *(reason for reason in reasons if not holds_values(reason, params)),
            ],
            "examples": (CompositionExample(request=asked),) if asked else (),
            **named,
        }
        document = _document(composition.model_copy(update=noted))
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


class _Bench:
    """Makes drafts in a worker thread; what it has learnt stays for the next request."""

    def __init__(self, makers: Makers) -> None:
        self._makers = makers
        self._at_work = threading.Lock()
        self._tools: tuple[Tool, ...] = ()
        self._revision = -1
        self._sketcher: Sketching | None = None
        self._planner: Planning | None = None
        self._learnt: frozenset[tuple[str, tuple[str, ...]]] = frozenset()

    def drafts(
        self,
        text: str,
        language: str,
        tools: tuple[Tool, ...],
        past: Sequence[PastPlan],
        revision: int,
    ) -> tuple[tuple[Draft, ...], Sketch | None]:
        """Return drafts, best first, and the sketch; none while what was given up still goes on."""
        if not self._at_work.acquire(blocking=False):
            return (), None
        try:
            sketcher, planner = self._prepared(tools, revision)
            known = {(plan.text, plan.tools): plan for plan in reversed(past)}
            sketcher.learn(plan for key, plan in known.items() if key not in self._learnt)
            self._learnt = frozenset(known)
            sketch = sketcher.sketch(text)
            return planner.plan(text, language, tools, sketch), sketch
        except Exception:
            # A boundary like that round a step: the makers may be anybody's, and that nothing can
            # be made is no error of the request.
            logger.exception("making a composition failed unexpectedly")
            return (), None
        finally:
            self._at_work.release()

    def _prepared(self, tools: tuple[Tool, ...], revision: int) -> tuple[Sketching, Planning]:
        if self._sketcher is None or tools != self._tools:
            self._sketcher, self._learnt = self._makers.sketcher(tools), frozenset()
            self._planner = None
        if self._planner is None or revision != self._revision:
            self._planner = self._makers.planner(tools)
        self._tools, self._revision = tools, revision
        return self._sketcher, self._planner


def composition_made(document: Mapping[str, Any]) -> StoredComposition:
    """Return the composition that an intent says was made for it."""
    composition = Composition.model_validate(document, by_alias=True, by_name=False)
    return StoredComposition(composition, "learning", MADE)


def _leaves_effects_to_tools(
    composition: Composition, live: Mapping[tuple[str, str], Tool]
) -> bool:
    """Return whether nothing is said to be milder, or stronger, than the tools say themselves.

    A person may overrule a tool in a file; what was made for a request may not.
    """
    said = {
        (call.server_id, call.tool_id, call.effects)
        for call in all_calls(composition.steps)
        if isinstance(call, ToolStep | Alternative) and call.effects is not None
    }
    return all(live[server, tool].effects == effects for server, tool, effects in said)


def _id_after_tools(composition: Composition) -> str:
    """Return an id that says what is called: `read_file_send_mail`."""
    names = dict.fromkeys(call.tool_id for call in all_calls(composition.steps))
    return re.sub(r"[^a-z0-9]+", "_", "_".join(names).lower()).strip("_") or WRITTEN


def _document(composition: Composition) -> dict[str, Any]:
    return composition.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _of_schema(intent: Intent | None, composition: Composition) -> dict[str, Any]:
    """Return the params of an intent that a composition takes."""
    properties = (composition.input_schema or {}).get("properties", {})
    params = intent.params if intent is not None else {}
    return {name: value for name, value in params.items() if name in properties}


def _fit(params: Mapping[str, Any], composition: Composition) -> bool:
    """Return whether params are as they should be; what is missing is asked for."""
    schema = {**(composition.input_schema or {}), "required": []}
    return not schema_faults(coerce_arguments(dict(params), schema), schema)
