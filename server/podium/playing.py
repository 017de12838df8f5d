"""What answers an intent, chosen and played; what is counted, saved or asked because of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from podium.answers.renderer import error_reply, reply_of
from podium.caution import Caution, was_asked
from podium.compositions.params import checked_params, params_schema
from podium.compositions.plans import LibraryPlans
from podium.dialogue import Turning
from podium.documents import validation_faults
from podium.domain.composition import Composition, Plan, StoredComposition, named_calls
from podium.domain.errors import (
    CompositionInvalidError,
    NotResumableError,
    PodiumError,
    UnknownCompositionError,
)
from podium.domain.execution import Checkpoint, Execution
from podium.domain.intent import Intent
from podium.domain.ports import Asker, EventListener
from podium.domain.request import Reply, Request
from podium.domain.values import json_fault
from podium.domain.versions import meaning_of
from podium.domain.void import is_void
from podium.intents.context.deciding import intent_from
from podium.stages import Stages
from podium.synthesis import composition_made


class Player:
    """Plays intents and compositions; what `podium.dialogue` asks for, and more."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._plans = LibraryPlans(stages.compositions, stages.checker)
        self._caution = Caution(
            upstreams=stages.upstreams,
            evaluator=stages.runner.outside.evaluator,
            library=stages.compositions,
            is_pinned=self._is_pinned,
            max_depth=stages.runner.settings.max_depth,
        )

    # --- for a dialogue

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
            return " → ".join(named_calls(composition))
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
                self.plan(stored, params), stored, params, intent, turn.language
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
        reply = await self.play(
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
            stored = self.stored(checkpoint.composition)
            params = {**before.params, **params}
            checked = checked_params(stored.composition, params, is_strict=True)
            plan = self.plan(stored, checked)
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
                self.count(execution, is_ours=is_ours)
        if not execution.is_resumable:
            await self._stages.checkpoints.discard(execution.id)
        await self._keep_made(plan.composition, execution, intent)
        return reply_of(execution, intent, language)

    # --- for whoever has a composition

    def stored(self, composition: str | dict[str, Any]) -> StoredComposition:
        """Return the composition of an id, or one given whole.

        Raises:
            UnknownCompositionError, CompositionInvalidError: there is none, or it is none.

        """
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

    def plan(self, stored: StoredComposition, params: Mapping[str, Any]) -> Plan:
        """Return the plan of a composition for these params; errors say what is wrong with it."""
        return self._plans.of(stored, params.keys())

    async def play(
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
        """Play a plan and return the reply; a composition that is not `is_ours` was given whole."""
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
                self.count(execution, is_ours=is_ours)
        await self._keep_made(plan.composition, execution, intent)
        return reply_of(execution, intent, str(context["language"]))

    def count(self, execution: Execution, *, is_ours: bool = True) -> None:
        """Hand an execution to the monitor; one that was given whole counts for its tools only."""
        if self._stages.learning is not None:
            counted = execution if is_ours else replace(execution, composition_id="")
            self._stages.learning.count(counted)

    # --- inside

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
            self.count(execution, is_ours=self._is_of_library(composition))

    async def _is_pinned(self, composition_id: str) -> bool:
        learning = self._stages.learning
        return learning is not None and await learning.is_pinned(composition_id)


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


def _takes(stored: StoredComposition, params: Mapping[str, Any]) -> bool:
    try:
        checked_params(stored.composition, params, is_strict=False)
    except PodiumError:
        return False
    return True
