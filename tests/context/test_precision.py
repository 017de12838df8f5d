"""Requests that nothing answers stay that way, however much there is in the conversation."""

import json
from datetime import UTC, datetime
from pathlib import Path

from podium.domain.conversation import Conversation, Entity, Item, Listing, Turn
from podium.domain.limits import Limits
from podium.intents.context.deciding import decide
from podium.intents.context.moves import Refuse
from podium.intents.library import load_patterns
from podium.intents.matcher import Matcher

REPOSITORY = Path(__file__).parents[2]
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def turn(
    number: int, text: str, intent: str, listing: Listing | None = None, **params: str
) -> Turn:
    return Turn(
        number=number,
        request=text,
        text=text,
        status="success",
        intent_type=intent,
        params=params,
        language="fr",
        listings=(listing,) if listing else (),
    )


FILES = tuple(Item(value=f"docs/{n}.md", label=f"docs/{n}.md", kind="file") for n in "abc")
BUSY = Conversation(
    turns=(
        turn(1, "liste les fichiers du dossier docs", "list_files",
             Listing(kind="file", items=FILES), path="docs"),
        turn(2, "quelle heure est-il à Lyon ?", "current_time", city="Lyon"),
        turn(3, "lis docs/a.md", "read_file", file_path="docs/a.md"),
    ),
    entities=(
        Entity(kind="folder", value="docs", label="docs", turn=1, key="path"),
        Entity(kind="city", value="Lyon", label="Lyon", turn=2, key="city"),
        Entity(kind="file", value="docs/a.md", label="docs/a.md", turn=3, key="file_path"),
    ),
    count=3,
)  # fmt: skip


def test_what_no_pattern_means_is_not_made_to_mean_something_by_what_was_said() -> None:
    matcher = Matcher(load_patterns(REPOSITORY / "patterns"), limits=Limits())
    unrelated = REPOSITORY / "tests" / "intents" / "heuristics" / "unrelated.json"
    texts: list[str] = json.loads(unrelated.read_text("utf-8"))
    for loaded in matcher.library.patterns:
        texts += loaded.pattern.counterexamples

    unanswered = [text for text in dict.fromkeys(texts) if matcher.analyse(text).intent is None]
    moved = [
        text
        for text in unanswered
        if not isinstance(
            decide(
                text,
                matcher.analyse(text),
                BUSY,
                match=matcher.analyse,
                schema_of=lambda _: {},
                title_of=lambda intent: intent.type,
                now=NOW,
            ),
            Refuse,
        )
    ]

    assert len(unanswered) > 300
    assert moved == []
