"""One turn of a conversation: what a request means there, played or asked, and remembered."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from podium.answers.renderer import question_reply, told_reply
from podium.domain.conversation import Conversation, PendingQuestion
from podium.domain.errors import InvalidParamsError, NotResumableError, PodiumError
from podium.domain.execution import Execution, ExecutionStatus, Question
from podium.domain.intent import Analysis, Intent
from podium.domain.ports import Asker, Clock, EventListener, Ids, Journal
from podium.domain.request import Reply, Request
from podium.execution.recorder import Recorder
from podium.intents.context import wording
from podium.intents.context.deciding import answer, decide, intent_data, intent_from, which_of
from podium.intents.context.history import from_context, with_reply
from podium.intents.context.memory import ConversationMemory, Thread
from podium.intents.context.moves import (
    Analyse,
    Ask,
    AskAgain,
    Draft,
    Drop,
    Move,
    Play,
    Resume,
    Unclear,
)
from podium.intents.context.preparing import prepare
from podium.intents.context.references import PLACE
from podium.intents.heuristics import ACT
from podium.text.language import guess_language

MAX_DECISIONS = 4  # of one request, when others answer the same question at the same moment

logger = logging.getLogger("podium.context")


class Player(Protocol):
    """What plays intents; the orchestrator."""

    def schema_of(self, intent: Intent) -> Mapping[str, Any]:
        """Return the schema of the params of what answers an intent; {} if nothing does."""
        ...

    def composition_of(self, intent: Intent) -> str | None:
        """Return the id of the composition that answers an intent."""
        ...

    def title_of(self, intent: Intent) -> str:
        """Return what people call what answers an intent."""
        ...

    async def made_for(
        self, text: str, language: str, intent: Intent | None = None
    ) -> tuple[Intent, ...]:
        """Return intents with compositions made for a request, or for an intent nothing answers.

        The best one; several if one cannot say which; none if nothing good enough can be made.
        """
        ...

    async def asking_itself(self, intent: Intent) -> Intent | None:
        """Return the intent if what answers it asks for a yes before it does anything."""
        ...

    async def play_intent(self, intent: Intent, turn: "Turning", execution_id: str) -> Reply:
        """Play the composition that answers an intent; "" for an execution id makes a new one."""
        ...

    async def play_on(self, execution_id: str, given: Mapping[str, Any], turn: "Turning") -> Reply:
        """Play an execution on: `given` are answers to what it asks, and params to change.

        Raises:
            NotResumableError: it ended well, is too old, or is being played on.
            PodiumError: what is given does not fit.

        """
        ...


@dataclass(frozen=True, slots=True)
class Turning:
    """What one turn is about, for all that happens in it; `language` is that of the reply."""

    asked: Request
    language: str
    known: Mapping[str, Any]
    on_event: EventListener | None = None
    asker: Asker | None = None

    def context(self, state: Conversation) -> dict[str, Any]:
        """Return what expressions see as `context`."""
        return {
            **self.known,
            "variables": {**state.variables},
            "request": self.asked.text,
            "user_id": self.asked.user_id,
            "language": self.language,
        }


class Dialogue:
    """Takes turns; keeps no state of its own."""

    def __init__(
        self,
        player: Player,
        memory: ConversationMemory,
        *,
        match: Analyse,
        journal: Journal,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._player = player
        self._memory = memory
        self._match = match
        self._journal = journal
        self._recorder = Recorder(journal)
        self._clock = clock
        self._ids = ids

    async def turn(self, thread: Thread, turn: Turning, reading: Analysis) -> Reply | None:
        """Answer a request in its conversation; None if nothing of it is understood."""
        move = await self._decided(
            thread,
            lambda state: decide(
                turn.asked.text,
                reading,
                state,
                match=self._match,
                schema_of=self._player.schema_of,
                title_of=self._player.title_of,
                now=self._now(),
            ),
        )
        if isinstance(move, Ask) and move.guesses:
            move = await self._guessed(move, turn)
        return await self._made(thread, move, turn)

    async def improvised(
        self, thread: Thread, turn: Turning, fallback: Callable[[], Intent | None]
    ) -> Reply | None:
        """Answer what is not understood with something made for it; None if nothing can be.

        `fallback` gives the intent that serves what nothing else does, if there is one.
        """
        text, language = turn.asked.text, turn.language
        made = await self._player.made_for(text, language)
        if len(made) > 1:
            asked = which_of(text, made, language, self._player.title_of)
            return await self._ask(thread, asked.unclear, turn)
        intent = made[0] if made else fallback()
        if intent is None:
            return None
        return await self._play(thread, (Draft(intent, turn.asked.text),), turn)

    async def answered(
        self, thread: Thread, execution: Execution, given: Mapping[str, Any], turn: Turning
    ) -> Reply | None:
        """Answer the question of an execution by a value; None if it has asked nothing here.

        Raises:
            InvalidParamsError: `given` holds no answer.
            NotResumableError: somebody else has answered.

        """
        question = thread.state.question
        if question is None or question.execution_id != execution.id:
            return None
        if question.is_of_engine:
            if not await self._memory.claim(thread, question):
                raise NotResumableError(f"execution '{execution.id}' has been answered already")
            return await self._resume(thread, question, given, turn)
        names = [name for name in (question.id, question.param) if name in given]
        if not names:
            raise InvalidParamsError(
                f"execution '{execution.id}' waits for '{question.id}': {question.message}",
                hint=f'give the answer as params: {{"{question.id}": …}}',
            )
        value = given[names[0]]

        def decided(state: Conversation) -> Move:
            asked = state.question
            if asked is None or asked.execution_id != execution.id:
                raise NotResumableError(f"execution '{execution.id}' has been answered already")
            return answer(asked, value, self._now())

        said = replace(turn, language=question.language)
        return await self._made(thread, await self._decided(thread, decided), said)

    async def keep_question(self, thread: Thread, reply: Reply, turn: Turning) -> None:
        """Have the conversation answer what an execution asks that no message of it has begun.

        Only one question is open: another one is left behind.
        """
        if reply.status != "needs_input":
            return
        other = thread.state.question
        if other is not None and await self._memory.claim(thread, other):
            await self._cancel(other)
        turn = replace(turn, language=guess_language(reply.message))
        await self._remember(thread, reply, None, "", turn, ())

    async def _guessed(self, ask: Ask, turn: Turning) -> Move:
        """Return what to do about guesses: what asks by itself needs no question of ours.

        Beside guesses that are not good, what can be made for the request may be meant.
        """
        text, best = turn.asked.text, ask.guesses[0]
        if best.confidence >= ACT:
            asking = await self._player.asking_itself(best) if len(ask.guesses) == 1 else None
            return Play((Draft(asking, text),)) if asking is not None else ask
        known = {self._player.composition_of(guess) for guess in ask.guesses}
        made = await self._player.made_for(text, turn.language)
        others = [intent for intent in made if intent.composition_id not in known]
        if not others:
            return ask
        return which_of(text, (*ask.guesses, *others), turn.language, self._player.title_of)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now()).astimezone()

    async def _decided(self, thread: Thread, decided: Callable[[Conversation], Move]) -> Move:
        """Return the move, once the question that it ends is ours to end."""
        move = decided(thread.state)
        for _ in range(MAX_DECISIONS):
            question = _ended_question(move, thread.state)
            if question is None:
                return move
            if await self._memory.claim(thread, question):
                if not isinstance(move, Play) or move.answered is None:
                    await self._cancel(question)
                return move
            move = decided(thread.state)  # somebody was quicker: the question is another, or gone
        thread.state = thread.state.changed(question=None)
        return decided(thread.state)

    async def _made(self, thread: Thread, move: Move, turn: Turning) -> Reply | None:
        match move:
            case Play():
                return await self._play(thread, move.drafts, turn, move.answered)
            case Ask():
                return await self._ask(thread, move.unclear, turn)
            case AskAgain():
                return await self._ask_again(thread, move, turn)
            case Drop():
                asked = move.question
                return told_reply(
                    move.message,
                    conversation_id=thread.conversation_id,
                    execution_id=asked.execution_id or None,
                )
            case Resume():
                answers = {move.question.id: move.value}
                return await self._resume(thread, move.question, answers, turn)
            case _:
                return None

    # --- playing

    async def _play(
        self,
        thread: Thread,
        drafts: Sequence[Draft],
        turn: Turning,
        answered: PendingQuestion | None = None,
    ) -> Reply:
        replies: list[Reply] = []
        for number, draft in enumerate(drafts):
            on = answered if number == 0 else None
            replies.append(await self._play_one(thread, draft, turn, on, drafts[number + 1 :]))
            if not _goes_on(replies[-1]):
                break
        return _joined(replies, len(drafts), turn.language)

    async def _play_one(
        self,
        thread: Thread,
        draft: Draft,
        turn: Turning,
        answered: PendingQuestion | None,
        rest: Sequence[Draft],
    ) -> Reply:
        if answered is not None:  # it goes on with what was asked first, in its language
            asked = replace(turn.asked, text=answered.request)
            turn = replace(turn, asked=asked, language=answered.language)
        draft = await self._answerable(draft, turn)
        schema = self._player.schema_of(draft.intent)
        known = from_context(draft.intent.from_context, thread.state, turn.known)
        prepared = prepare(draft, thread.state, schema, turn.language, known)
        execution_id = answered.execution_id if answered else ""
        if isinstance(prepared, Unclear):
            return await self._ask(thread, prepared, turn, rest, execution_id)
        intent = prepared.intent
        reply = await self._player.play_intent(
            intent, replace(turn, known=turn.context(thread.state)), execution_id
        )
        if execution_id and reply.execution_id is None:  # it could not even begin
            await self._close(execution_id, "error", reply.error)
            reply = replace(reply, execution_id=execution_id)
        await self._remember(thread, reply, intent, prepared.text, turn, rest)
        return reply

    async def _answerable(self, draft: Draft, turn: Turning) -> Draft:
        """Return the draft with a composition made for it, if none of the workspace answers it."""
        intent = draft.intent
        if self._player.composition_of(intent) is not None:
            return draft
        said = draft.text if draft.text and PLACE not in draft.text else turn.asked.text
        made = await self._player.made_for(said, turn.language, intent)
        return replace(draft, intent=made[0]) if made else draft

    async def _remember(
        self,
        thread: Thread,
        reply: Reply,
        intent: Intent | None,
        text: str,
        turn: Turning,
        rest: Sequence[Draft],
    ) -> None:
        """Keep what came of an intent: a turn, or the question of the execution itself."""
        question = self._question_of(reply, intent, text, turn, rest)

        def changed(state: Conversation) -> Conversation:
            if question is not None:
                return state.changed(question=question)
            return with_reply(
                state,
                reply,
                intent,
                request=turn.asked.text,
                text=text,
                language=turn.language,
                schema=self._player.schema_of(intent) if intent else {},
                bounds=self._memory.bounds,
            )

        await self._memory.change(thread, changed)

    def _question_of(
        self,
        reply: Reply,
        intent: Intent | None,
        text: str,
        turn: Turning,
        rest: Sequence[Draft],
    ) -> PendingQuestion | None:
        if reply.status != "needs_input" or not reply.question:
            return None
        return PendingQuestion(
            id=reply.question["id"],
            kind=reply.question["kind"],
            message=reply.question["message"],
            answer_schema=reply.question["schema"],
            options=wording.options_of(reply.question["schema"]),
            intent=intent_data(intent) if intent else None,
            rest=tuple(intent_data(draft.intent) for draft in rest),
            execution_id=reply.execution_id or "",
            request=turn.asked.text,
            text=text,
            language=turn.language,
            created_at=self._clock.now(),
            is_of_engine=True,
        )

    async def _resume(
        self, thread: Thread, question: PendingQuestion, given: Mapping[str, Any], turn: Turning
    ) -> Reply:
        on = replace(
            turn,
            asked=replace(turn.asked, text=question.request),
            language=question.language,
        )
        try:
            reply = await self._player.play_on(question.execution_id, given, on)
        except PodiumError as error:
            if not isinstance(error, NotResumableError):  # it still waits, for a better answer
                await self._memory.change(thread, lambda state: state.changed(question=question))
            raise
        intent = intent_from(question.intent)
        rest = [Draft(found) for data in question.rest if (found := intent_from(data))]
        await self._remember(thread, reply, intent, question.text, on, rest)
        if not _goes_on(reply) or not rest:
            return reply
        return _joined([reply, await self._play(thread, rest, on)], 1 + len(rest), on.language)

    # --- asking

    async def _ask(
        self,
        thread: Thread,
        unclear: Unclear,
        turn: Turning,
        rest: Sequence[Draft] = (),
        execution_id: str = "",
    ) -> Reply:
        execution_id = execution_id or self._ids.new("exec")
        intent = unclear.intent
        composition_id = self._player.composition_of(intent) if intent else None
        question = PendingQuestion(
            id=unclear.id,
            kind=unclear.kind,
            message=unclear.message,
            answer_schema=unclear.schema,
            param=unclear.param,
            options=unclear.options,
            intent=intent_data(intent) if intent else None,
            rest=tuple(intent_data(draft.intent) for draft in rest),
            execution_id=execution_id,
            request=turn.asked.text,
            text=unclear.text,
            language=turn.language,
            created_at=self._clock.now(),
        )
        await self._recorder.execution(
            Execution(
                id=execution_id,
                composition_id=composition_id or "",
                params=intent.params if intent else {},
                user_id=thread.user_id,
                conversation_id=thread.conversation_id,
                request=turn.asked.text,
                intent_type=intent.type if intent else None,
                status="needs_input",
                started_at=self._clock.now(),
                question=Question(
                    question.id, question.kind, question.message, question.answer_schema
                ),
            )
        )
        await self._memory.change(thread, lambda state: state.changed(question=question))
        return question_reply(
            question.to_reply(),
            conversation_id=thread.conversation_id,
            execution_id=execution_id,
            intent=intent,
            composition_id=composition_id,
        )

    async def _ask_again(self, thread: Thread, move: AskAgain, turn: Turning) -> Reply:
        asked = move.question

        def changed(state: Conversation) -> Conversation:
            same = state.question is not None and state.question.execution_id == asked.execution_id
            return state.changed(question=asked) if same else state

        await self._memory.change(thread, changed)
        intent = intent_from(asked.intent)
        return question_reply(
            {**asked.to_reply(), "message": move.message},
            conversation_id=thread.conversation_id or turn.asked.conversation_id,
            execution_id=asked.execution_id,
            intent=intent,
            composition_id=self._player.composition_of(intent) if intent else None,
        )

    async def _cancel(self, question: PendingQuestion) -> None:
        """Close the record of what was asked about and will not be played.

        An execution that waits inside a composition is left: it can still be played on by its id.
        """
        if question.is_of_engine or not question.execution_id:
            return
        await self._close(question.execution_id, "cancelled")

    async def _close(
        self, execution_id: str, status: ExecutionStatus, error: dict[str, Any] | None = None
    ) -> None:
        try:
            execution = await self._journal.get(execution_id)
        except PodiumError as failure:
            logger.warning("a question stays open in the journal: %s", failure.message)
            return
        if execution is not None and execution.status == "needs_input":
            closed = replace(execution, status=status, error=error, question=None)
            await self._recorder.execution(closed)


def _goes_on(reply: Reply) -> bool:
    """Return whether what was to come after this is still wanted."""
    return reply.status == "success" and not reply.is_refused


def _ended_question(move: Move, state: Conversation) -> PendingQuestion | None:
    """Return the question that a move answers, drops, or leaves behind."""
    match move:
        case AskAgain():
            return None
        case Drop() | Resume():
            return move.question
        case _:
            return state.question


def _joined(replies: Sequence[Reply], count: int, language: str) -> Reply:
    """Return the reply to several parts: the last one, with what all of them say."""
    last = replies[-1]
    if count == 1:
        return last
    messages = [reply.message for reply in replies]
    if last.status != "success":
        part = wording.sentence("part", language, number=len(replies), count=count)
        messages[-1] = f"{part} {messages[-1]}"
    return replace(last, message="\n".join(message for message in messages if message))
