"""Everything that an orchestrator and its parts join; made by `podium.app`."""

from dataclasses import dataclass, field

from podium.compositions.checker import Checker
from podium.compositions.library import CompositionLibrary
from podium.domain.conversation import ConversationBounds
from podium.domain.errors import WorkspaceError
from podium.domain.limits import Limits
from podium.domain.ports import (
    Checkpoints,
    Clock,
    Conversations,
    Ids,
    Journal,
    Relay,
    Upstreams,
)
from podium.domain.serving import HttpLimits
from podium.execution.runner import Runner
from podium.intents.runtime_lists import RuntimeLists
from podium.intents.understanding import Patterns, Understanding
from podium.learning import Learning
from podium.mapping.transformers import Transformers
from podium.synthesis import Synthesis
from podium.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of a request, the adapters behind their ports, and settings of the whole."""

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
