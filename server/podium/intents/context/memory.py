"""The store of conversations as a request uses it: what fails costs the context, not the answer."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from podium.domain.conversation import Conversation, ConversationBounds, PendingQuestion
from podium.domain.errors import PodiumError
from podium.domain.ports import Conversations
from podium.intents.context.history import with_context

MAX_CONFLICTS = 8  # turns of one conversation that end at the same moment

Change = Callable[[Conversation], Conversation]

logger = logging.getLogger("podium.context")


@dataclass(slots=True)
class Thread:
    """One conversation while a request of it is answered; `state` holds the caller's context."""

    user_id: str
    conversation_id: str
    given: Mapping[str, Any]
    state: Conversation
    version: int = 0
    is_kept: bool = True


class ConversationMemory:
    """Loads, changes and keeps conversations; several requests of one may run at once."""

    def __init__(self, store: Conversations, bounds: ConversationBounds) -> None:
        self._store = store
        self.bounds = bounds

    async def open(
        self,
        user_id: str,
        conversation_id: str,
        given: Mapping[str, Any] | None = None,
        *,
        is_new: bool = False,
    ) -> Thread:
        """Return a conversation with the caller's context in it; `is_new`: its id was just made.

        Raises:
            InvalidParamsError: the context is not of the documented shape.

        """
        thread = Thread(user_id, conversation_id, given or {}, Conversation())
        if is_new:
            thread.state = with_context(thread.state, thread.given, self.bounds)
        else:
            await self._load(thread)
        return thread

    async def change(self, thread: Thread, change: Change) -> None:
        """Change the state and keep it; if somebody else did so meanwhile, change theirs."""
        for _ in range(MAX_CONFLICTS):
            changed = change(thread.state).bounded(self.bounds)
            if await self._save(thread, changed):
                return
            await self._load(thread)
        logger.warning("a conversation changes too fast, a turn of it is not remembered")

    async def claim(self, thread: Thread, question: PendingQuestion) -> bool:
        """Take a question out of the conversation; False if somebody else has answered it.

        Only who has claimed a question may act on its answer, so nothing is played twice.
        """
        for _ in range(MAX_CONFLICTS):
            asked = thread.state.question
            if asked is None or _name(asked) != _name(question):
                return False
            if await self._save(thread, thread.state.changed(question=None)):
                return True
            await self._load(thread)
        return False

    async def _load(self, thread: Thread) -> None:
        try:
            state, thread.version = await self._store.load(thread.user_id, thread.conversation_id)
        except PodiumError as error:
            self._give_up(thread, error)
            state = thread.state
        thread.state = with_context(state, thread.given, self.bounds)

    async def _save(self, thread: Thread, state: Conversation) -> bool:
        """Return whether the state is now this one; what cannot be written is only lost later."""
        if thread.is_kept:
            try:
                if not await self._store.save(
                    thread.user_id, thread.conversation_id, state, thread.version
                ):
                    return False
            except PodiumError as error:
                self._give_up(thread, error)
        thread.version += 1
        thread.state = state
        return True

    def _give_up(self, thread: Thread, error: PodiumError) -> None:
        if thread.is_kept:
            thread.is_kept = False
            logger.warning("a request goes without its conversation: %s", error.message)


def _name(question: PendingQuestion) -> tuple[str, str]:
    return question.execution_id, question.id
