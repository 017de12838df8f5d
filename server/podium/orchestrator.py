"""A request to a reply: intent, composition, execution, answer. The stages meet here only."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
from pydantic import ValidationError

from podium.answers.renderer import error_reply, no_match_reply, reply_of
from podium.caution import Caution, was_asked
from podium.compositions.checker import Checker
from podium.compositions.library import CompositionLibrary
from podium.compositions.params import checked_params, params_schema
from podium.compositions.plans import LibraryPlans
from podium.dialogue import Dialogue, Turning
from podium.documents import validation_faults
from podium.domain.composition import (
    Composition,
    CompositionStep,
    Plan,
    StoredComposition,
    ToolStep,
    all_steps,
)
from podium.domain.conversation import Conversation, ConversationBounds
from podium.domain.errors import (
    CompositionInvalidError,
    Fault,
    InternalError,
    InvalidParamsError,
    NotLearntError,
    NotResumableError,
    PodiumError,
    RequestInvalidError,
    StatisticsError,
    UnknownCompositionError,
    UnknownExecutionError,
    WorkspaceError,
)
from podium.domain.execution import Checkpoint, Execution, ExecutionStatus, StepRecord
from podium.domain.intent import Analysis, Intent
from podium.domain.limits import Limits
from podium.domain.ports import (
    Asker,
    Checkpoints,
    Clock,
    Conversations,
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
from podium.domain.versions import meaning_of
from podium.domain.void import is_void
from podium.execution.policy import leaves_doubt
from podium.execution.runner import Runner
from podium.intents.analysis import analyse, checked_request
from podium.intents.context.deciding import intent_from
from podium.intents.context.memory import ConversationMemory
from podium.intents.runtime_lists import RuntimeLists
from podium.intents.understanding import Patterns, Understanding
from podium.learning import Learning
from podium.mapping.coercion import coerce_arguments, schema_faults
from podium.mapping.transformers import Transformers
from podium.monitor.schemas import Drift
from podium.synthesis import Synthesis, composition_made
from podium.text.language import guess_language
from podium.tracing import ConversationKey, Tracing, conversation_key

logger = logging.getLogger("podium")


@dataclass(frozen=True, slots=True)
class Stages:
    """Everything an orchestrator joins; made by `podium.app`."""

    matcher: Patterns
    compositions: CompositionLibrary
    checker: Checker
    runner: Runner
    upstreams: Upstreams
    relay: Relay
    journal: Journal
    conversations: Conversations
    checkpoints: Checkpoints
    transformers: Transformers
    clock: Clock
    ids: Ids
    limits: Limits
    default_intent_type: str
    expose: tuple[str, ...] = ()
    prefix: str = "{server}__"
    drain_seconds: float = 5.0
    lists: RuntimeLists | None = None  # what slots take from tools
    understanding: Understanding | None = None  # guesses where no pattern of `matcher` matches
    conversation_bounds: ConversationBounds = field(default_factory=ConversationBounds)
    http: HttpLimits = field(default_factory=HttpLimits)
    faults: tuple[WorkspaceError, ...] = ()
    learning: Learning | None = None  # None: nothing is counted, and no composition moves
    tracing: Tracing | None = None  # None: nothing is learnt from what clients do themselves
    synthesis: Synthesis | None = None  # None: what no composition answers stays unanswered


class Orchestrator:
    """Answers requests and plays compositions; safe to use from many tasks of one event loop."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._plans = LibraryPlans(stages.compositions, stages.checker)
        self._offered: dict[str, tuple[StoredComposition, StoredComposition]] = {}
        self._memory = ConversationMemory(stages.conversations, stages.conversation_bounds)
        self._caution = Caution(
            upstreams=stages.upstreams,
            evaluator=stages.runner.outside.evaluator,
            library=stages.compositions,
            is_pinned=self._is_pinned,
            max_depth=stages.runner.settings.max_depth,
        )
        self._dialogue = Dialogue(
            self,
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
        conversation = _text_or_empty(conversation_id) or self._stages.ids.new("conv")
        try:
            _refuse_strange_ids(user_id, conversation_id)
            known = _json_object("context", context)
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
        language, conversation, name = "en", _text_or_empty(conversation_id), None
        try:
            _refuse_strange_ids(user_id, conversation_id, execution_id)
            given = _json_object("params", params)
            execution = await self._execution(execution_id, user_id or "", conversation)
            conversation, name = execution.conversation_id, execution.composition_id
            thread = await self._memory.open(execution.user_id, conversation)
            asked = Request(execution.request, execution.user_id, conversation)
            turn = Turning(asked, language, {}, on_event, asker)
            reply = await self._dialogue.answered(thread, execution, given, turn)
            if reply is None:
                reply = await self.play_on(execution.id, given, turn)
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

    # --- what a dialogue plays

    def schema_of(self, intent: Intent) -> Mapping[str, Any]:
        """Return the schema of the params of what answers an intent; {} if nothing does."""
        try:
            return params_schema(self._composition_for(intent).composition)
        except PodiumError:  # playing it says why
            return {}

    def composition_of(self, intent: Intent) -> str | None:
        """Return the id of the composition that answers an intent."""
        try:
            return self._composition_for(intent).id
        except PodiumError:
            return None

    def title_of(self, intent: Intent) -> str:
        """Return what people call what answers an intent; of what was made for it, its tools."""
        try:
            composition = self._composition_for(intent).composition
        except PodiumError:
            return intent.type
        if intent.matched_by == "synthesis":
            return " → ".join(_calls(composition))
        return composition.name or intent.type

    async def made_for(
        self, text: str, language: str, intent: Intent | None = None
    ) -> tuple[Intent, ...]:
        """Return intents with compositions made for a request; see `podium.synthesis`."""
        if self._stages.synthesis is None:
            return ()
        return await self._stages.synthesis.intents(text, language, intent)

    async def asking_itself(self, intent: Intent) -> Intent | None:
        """Return the intent if what answers it asks for a yes before it does anything."""
        try:
            stored = self._composition_for(intent)
        except PodiumError:
            return None
        is_asking = await self._caution.wants_a_yes(stored)
        return replace(intent, composition_id=stored.id) if is_asking else None

    async def play_intent(self, intent: Intent, turn: Turning, execution_id: str) -> Reply:
        """Play the composition that answers an intent; "" for an execution id makes a new one."""
        stored = None
        try:
            stored = await self._chosen_for(intent)
            params = checked_params(stored.composition, intent.params, is_strict=False)
            plan = await self._caution.guarded(
                self._plan(stored, params), stored, params, intent, turn.language
            )
            account = ""
            if plan.confirm is None:  # else the calls are shown before they are made
                account = await self._caution.account(stored, params, intent, turn.language)
        except PodiumError as error:
            return error_reply(
                error,
                turn.language,
                conversation_id=turn.asked.conversation_id,
                intent=intent,
                composition_id=stored.id if stored else None,
            )
        reply = await self._play(
            plan,
            params,
            turn.asked,
            {**turn.known, "intent": intent.to_dict()},
            turn.on_event,
            turn.asker,
            intent=intent,
            execution_id=execution_id,
            is_ours=self._stages.compositions.holds(stored),
        )
        if not account or reply.status != "success":
            return reply
        return replace(reply, message=f"{account}\n{reply.message}")

    async def play_on(self, execution_id: str, given: Mapping[str, Any], turn: Turning) -> Reply:
        """Play an execution on: `given` are answers to what it asks, and params to change.

        Raises:
            NotResumableError: it ended well, is too old, or is being played on.
            ResumeConflictError: a finished step has read what would be changed.
            InvalidParamsError: params or answers do not fit.

        """
        checkpoint = await self._claimed(execution_id)
        before = checkpoint.execution
        execution, is_ours = None, False
        language = str(checkpoint.context.get("language", "en"))
        intent = intent_from(checkpoint.context.get("intent"))
        try:
            params, answers = _apart(given, checkpoint)
            stored = self._stored(checkpoint.composition)
            params = {**before.params, **params}
            checked = checked_params(stored.composition, params, is_strict=True)
            plan = self._plan(stored, checked)
            is_ours = self._is_of_library(stored.composition)
            if intent is not None and was_asked(checkpoint):
                unproven = replace(stored, status="learning")
                plan = await self._caution.guarded(plan, unproven, checked, intent, language)
            execution = replace(
                before,
                params=checked,
                status="running",
                question=None,
                error=None,
                is_resumable=False,
            )
            await self._stages.runner.run(
                plan,
                execution,
                checkpoint.context,
                turn.on_event,
                asker=turn.asker,
                checkpoint=checkpoint,
                answers=answers,
            )
        except PodiumError:  # refused before anything was played: it is as it was
            execution = None
            await self._stages.checkpoints.save(checkpoint)
            raise
        finally:
            if execution is not None and not _is_made(execution, intent):
                self._count(execution, is_ours=is_ours)
        if not execution.is_resumable:
            await self._stages.checkpoints.discard(execution.id)
        await self._keep_made(plan.composition, execution, intent)
        return reply_of(execution, intent, language)

    async def _claimed(self, execution_id: str) -> Checkpoint:
        checkpoint = await self._stages.checkpoints.claim(execution_id)
        if checkpoint is not None:
            return checkpoint
        played = await self._stages.journal.get(execution_id)
        raise NotResumableError(
            f"execution '{execution_id}' cannot be played on: {_why_not(played)}",
            hint=f"see what it did: podium executions {execution_id}; or run it anew",
        )

    def _composition_for(self, intent: Intent) -> StoredComposition:
        library = self._stages.compositions
        if intent.made is not None and not library.knows(intent.composition_id or ""):
            return composition_made(intent.made)
        if intent.composition_id is not None:
            return library.get(intent.composition_id)
        if (stored := library.for_intent(intent.type)) is not None:
            return stored
        raise UnknownCompositionError(
            f"no composition answers the intent '{intent.type}'",
            hint=f'write one with "intent_type": "{intent.type}", or see: podium compositions',
        )

    async def _chosen_for(self, intent: Intent) -> StoredComposition:
        """Return what answers an intent this time; of several, those that take its params.

        Raises:
            UnknownCompositionError: nothing does.
            CompositionPausedError, CompositionForbiddenError: nothing may now.

        """
        first, learning = self._composition_for(intent), self._stages.learning
        if learning is None or not self._stages.compositions.holds(first):
            return first
        if intent.composition_id is not None:
            await learning.admit(first.id)
            return first
        library = self._stages.compositions
        serving = [s for s in library.all(intent.type) if s is first or _takes(s, intent.params)]
        chosen = await learning.choose(intent.type, serving)
        return first if chosen is None else library.get(chosen)

    def _is_of_library(self, composition: Composition) -> bool:
        """Return whether the library holds one that does the same under this id."""
        library = self._stages.compositions
        if not library.knows(composition.id):
            return False
        return meaning_of(library.get(composition.id).composition) == meaning_of(composition)

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
        conversation = _text_or_empty(conversation_id) or self._stages.ids.new("conv")
        name = composition_id if isinstance(composition_id, str) else None
        try:
            _refuse_strange_ids(user_id, conversation_id)
            stored = self._stored(composition_id)
            name = stored.id
            is_ours = isinstance(composition_id, str)
            if is_ours and self._stages.learning is not None:
                await self._stages.learning.admit(stored.id)
            given = _json_object("params", params)
            checked = checked_params(stored.composition, given, is_strict=True)
            plan = self._plan(stored, checked)
            asked = Request("", user_id or "", conversation)
            context = {"request": "", "user_id": asked.user_id, "language": "en"}
            reply = await self._play(
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
        return self._plans.of(stored, params.keys())

    async def _play(
        self,
        plan: Plan,
        params: dict[str, Any],
        asked: Request,
        context: Mapping[str, Any],
        on_event: EventListener | None,
        asker: Asker | None,
        *,
        intent: Intent | None = None,
        execution_id: str = "",
        is_ours: bool = True,
    ) -> Reply:
        execution = Execution(
            id=execution_id or self._stages.ids.new("exec"),
            composition_id=plan.composition.id,
            params=params,
            user_id=asked.user_id,
            conversation_id=asked.conversation_id,
            request=asked.text,
            intent_type=intent.type if intent else plan.composition.intent_type,
        )
        try:
            await self._stages.runner.run(plan, execution, context, on_event, asker=asker)
        finally:
            if not _is_made(execution, intent):
                self._count(execution, is_ours=is_ours)
        await self._keep_made(plan.composition, execution, intent)
        return reply_of(execution, intent, str(context["language"]))

    # --- learning

    def _count(self, execution: Execution, *, is_ours: bool = True) -> None:
        """Hand an execution to the monitor; one that was given whole counts for its tools only."""
        if self._stages.learning is not None:
            counted = execution if is_ours else replace(execution, composition_id="")
            self._stages.learning.count(counted)

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
        _refuse_strange_ids(name, description, user_id, conversation_id)
        keys = _keys_of(user_id or "", conversation_id or "", connection_id)
        return (await self.tracing.save(keys, name or "", description or "")).to_dict()

    async def _keep_made(
        self, composition: Composition, execution: Execution, intent: Intent | None
    ) -> None:
        """Save a composition that was made for a request and did well; it is counted from then.

        One that only read, and found nothing, may be the wrong one: nobody could tell.
        """
        if not _is_made(execution, intent):
            return
        synthesis, learning = self._stages.synthesis, self._stages.learning
        is_telling = bool(execution.wrote) or not is_void(execution.result)
        is_kept = (
            synthesis is not None and is_telling and await synthesis.keep(composition, execution)
        )
        if learning is not None and is_kept:
            learning.adopt(execution)
        else:
            self._count(execution, is_ours=self._is_of_library(composition))

    async def _is_pinned(self, composition_id: str) -> bool:
        learning = self._stages.learning
        return learning is not None and await learning.is_pinned(composition_id)

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
        _refuse_strange_ids(execution_id, rating, comment, user_id)
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


def _apart(
    given: Mapping[str, Any], checkpoint: Checkpoint
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is given to play an execution on: params to change, answers to what it asks."""
    question = checkpoint.execution.question
    asked = {*checkpoint.in_doubt, *([question.id] if question else ())}
    params = {name: value for name, value in given.items() if name not in asked}
    return params, {name: value for name, value in given.items() if name in asked}


def _why_not(execution: Execution | None) -> str:
    if execution is not None and execution.status == "success":
        return "it has ended well"
    if execution is not None and execution.status == "running":
        return "it is running"
    return "it is being played on already, or what it had done so far is no longer kept"


def _is_made(execution: Execution, intent: Intent | None) -> bool:
    """Return whether something that was made for a request has just done well."""
    return intent is not None and intent.matched_by == "synthesis" and execution.status == "success"


def _note_result(record: StepRecord, result: Message) -> None:
    record.output = result.get("structuredContent", result.get("content"))
    record.status = "failed" if result.get("isError") is True else "done"
    if result.get("resultType") == "input_required":
        record.status = "skipped"


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


def _takes(stored: StoredComposition, params: Mapping[str, Any]) -> bool:
    try:
        checked_params(stored.composition, params, is_strict=False)
    except PodiumError:
        return False
    return True


def _described(stored: StoredComposition) -> dict[str, Any]:
    composition = stored.composition
    return {
        "id": composition.id,
        "name": composition.name,
        "description": composition.description,
        "intent_type": composition.intent_type,
        "status": stored.status,
        "input_schema": params_schema(composition),
        "steps": list(_calls(composition)),
        "examples": [
            example.model_dump(exclude_none=True, by_alias=True) for example in composition.examples
        ],
        "tool": composition.tool,
        "source": stored.source,
    }


def _calls(composition: Composition) -> Iterator[str]:
    """Yield the tools and compositions that its steps call, in file order."""
    for step in all_steps(composition.steps):
        if isinstance(step, ToolStep):
            yield f"{step.server_id}.{step.tool_id}"
        elif isinstance(step, CompositionStep):
            yield step.composition


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


def _wanted_language(context: Mapping[str, Any]) -> str | None:
    language = context.get("language")
    return language if language in ("fr", "en") else None


def _language_of(analysis: Analysis, request: str, conversation: Conversation) -> str:
    """Return the language to reply in; what says nothing about it goes on in that spoken so far."""
    if analysis.intent is not None:
        return analysis.language
    return guess_language(request, "fr" if conversation.language == "fr" else "en")


def _text_or_empty(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _internal(error: Exception) -> InternalError:
    return InternalError(f"{type(error).__name__}: {error}", hint="Podium's log says more")
