"""A plan to one that asks first: what is not proven changes nothing without a person's yes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from podium.answers.confirmation import account_of, plan_question
from podium.compositions.keeping import MADE_FOR
from podium.compositions.library import CompositionLibrary
from podium.domain.composition import (
    Composition,
    CompositionStatus,
    Plan,
    StoredComposition,
)
from podium.domain.deed import Deed
from podium.domain.execution import CONFIRM, Checkpoint
from podium.domain.intent import Intent
from podium.domain.ports import Upstreams
from podium.execution.preview import foresee
from podium.mapping.expressions import Evaluator

SURE = 0.75  # confidence from which a made composition that only reads is played at once
_UNPROVEN: frozenset[CompositionStatus] = frozenset({"learning", "deprecated"})

IsPinned = Callable[[str], Awaitable[bool]]
"""Called with a composition's id; whether a person vouches for it."""


class Caution:
    """Decides which plans want a yes, and words the question."""

    def __init__(
        self,
        *,
        upstreams: Upstreams,
        evaluator: Evaluator,
        library: CompositionLibrary,
        is_pinned: IsPinned,
        max_depth: int,
    ) -> None:
        self._upstreams = upstreams
        self._evaluator = evaluator
        self._library = library
        self._is_pinned = is_pinned
        self._max_depth = max_depth

    async def guarded(
        self,
        plan: Plan,
        stored: StoredComposition,
        params: Mapping[str, Any],
        intent: Intent,
        language: str,
    ) -> Plan:
        """Return the plan with its question, if it has to ask before it is played.

        A yes is for what was shown: with other params it is another question.
        """
        is_guess = intent.matched_by == "synthesis"  # that it is meant, however well it does
        if not is_guess and not await self._is_unproven(stored):
            return plan
        deeds = await self._deeds(stored, params)
        is_sure = not is_guess or intent.confidence >= SURE
        if is_sure and _only_read(deeds):
            return plan
        question = plan_question(
            deeds,
            language,
            composition_id=stored.id,
            guessed=(intent.confidence, _comment(stored.composition)) if is_guess else None,
        )
        return replace(plan, confirm=question)

    async def account(
        self,
        stored: StoredComposition,
        params: Mapping[str, Any],
        intent: Intent,
        language: str,
    ) -> str:
        """Return one line that names the calls of what was made for a request and is not proven.

        "" for anything else: a wrong answer must not look like one that can be relied on.
        """
        is_made = intent.matched_by == "synthesis" or _says_it_was_made(stored.composition)
        if not is_made or not await self._is_unproven(stored):
            return ""
        return account_of(await self._deeds(stored, params), language)

    async def wants_a_yes(self, stored: StoredComposition) -> bool:
        """Return whether a composition asks before it is played, whatever its params are."""
        return await self._is_unproven(stored) and not _only_read(await self._deeds(stored, {}))

    async def _is_unproven(self, stored: StoredComposition) -> bool:
        return stored.status in _UNPROVEN and not await self._is_pinned(stored.id)

    async def _deeds(
        self, stored: StoredComposition, params: Mapping[str, Any]
    ) -> tuple[Deed, ...]:
        return await foresee(
            stored.composition,
            params,
            upstreams=self._upstreams,
            evaluator=self._evaluator,
            find=self._found,
            max_depth=self._max_depth,
        )

    def _found(self, composition_id: str) -> Composition | None:
        if not self._library.knows(composition_id):
            return None
        return self._library.get(composition_id).composition


def _only_read(deeds: Sequence[Deed]) -> bool:
    return all(deed.effects == "read" for deed in deeds)


def _says_it_was_made(composition: Composition) -> bool:
    return any(line.startswith(MADE_FOR) for line in _comment(composition)[:1])


def _comment(composition: Composition) -> list[str]:
    comment = composition.comment_ or []
    return [comment] if isinstance(comment, str) else comment


def was_asked(checkpoint: Checkpoint) -> bool:
    """Return whether an execution wanted a yes before it was played."""
    question = checkpoint.execution.question
    ids = [*checkpoint.answers, *([question.id] if question else ())]
    return any(each.startswith(CONFIRM) for each in ids)
