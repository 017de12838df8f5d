"""A request and its conversation to the next move; see the package's docstring for the order."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from podium.domain.conversation import (
    MAX_QUESTION_TRIES,
    Conversation,
    Option,
    PendingQuestion,
    Turn,
)
from podium.domain.errors import Fault
from podium.domain.execution import CONFIRM
from podium.domain.intent import Analysis, Intent
from podium.domain.redaction import REDACTED
from podium.intents.context import answers, wording
from podium.intents.context.items import is_plain, label_of
from podium.intents.context.kinds import TEXT, is_of_kind, kind_of_param
from podium.intents.context.moves import (
    Analyse,
    Ask,
    AskAgain,
    Draft,
    Drop,
    Move,
    Play,
    Refuse,
    Resume,
    SchemaOf,
    TitleOf,
    Unclear,
)
from podium.intents.context.plainer import plainer
from podium.intents.context.preparing import MAX_OPTIONS
from podium.intents.context.references import PLACE, Reference, read_reference, spots
from podium.intents.context.referents import find, target_of
from podium.intents.context.repetition import changes, intent_of, read_repetition
from podium.intents.context.rewriting import divided, is_sure, rewritten

SUPERSEDES = 0.8  # confidence from which a request of its own is no answer to what was asked


def decide(
    request: str,
    reading: Analysis,
    conversation: Conversation,
    *,
    match: Analyse,
    schema_of: SchemaOf,
    title_of: TitleOf,
    now: datetime,
) -> Move:
    """Return what to do about a request.

    `reading` is its own analysis; `match` holds a text against the patterns alone.
    """
    request, reading = _in_plain_words(request, reading, conversation, match)
    question = conversation.question
    if question is not None:
        move = _answered(question, request, reading, conversation, match, now)
        if move is not None:
            return move
    if (drafts := divided(request, reading, conversation, match)) is not None:
        return Play(drafts)
    if is_sure(reading):
        return Play(_drafts(request, reading))
    move = _repeated(request, conversation, match, schema_of)
    if move is not None:
        return move
    if (draft := rewritten(request, conversation, match)) is not None:
        return Play((draft,))
    if question is not None and not (reading.intent and reading.intent.matched_by == "pattern"):
        return _again(question)
    if reading.intent is not None and reading.intent.matched_by == "heuristic":
        return _of_guess(request, reading, reading.intent, schema_of, title_of)
    if reading.intent is not None:
        return Play(_drafts(request, reading))
    told = [
        _with_what_is_told(candidate.intent, request, conversation, schema_of)
        for candidate in reading.choices[:MAX_OPTIONS]
    ]
    guesses = [intent for intent in told if intent is not None]
    return which_of(request, guesses, reading.language, title_of) if guesses else Refuse(reading)


def _in_plain_words(
    request: str, reading: Analysis, conversation: Conversation, match: Analyse
) -> tuple[str, Analysis]:
    """Return what a pattern fits once the words that lead up to it are gone, else the request."""
    plain = request if is_sure(reading) else plainer(request)
    if plain == request:
        return request, reading
    own = match(plain)
    is_understood = is_sure(own) or rewritten(plain, conversation, match) is not None
    return (plain, own) if is_understood else (request, reading)


def _drafts(request: str, reading: Analysis) -> tuple[Draft, ...]:
    if reading.plan:  # which words belong to which part is not known
        return tuple(Draft(intent) for intent in reading.plan)
    return () if reading.intent is None else (Draft(reading.intent, request),)


# --- answers


def _answered(
    question: PendingQuestion,
    request: str,
    reading: Analysis,
    conversation: Conversation,
    match: Analyse,
    now: datetime,
) -> Move | None:
    """Return the move that answers the question, or None if the message is about something else."""
    is_of_plan = question.is_of_engine and question.id.startswith(CONFIRM)
    if answers.drops(request):
        return Resume(question, value=False) if is_of_plan else _dropped(question)
    if question.kind == "confirm":
        value = answers.read_confirm(request)
    elif question.kind == "choice":
        value = answers.read_choice(request, question.options) if question.options else request
        if value is answers.NO_ANSWER and answers.read_confirm(request) is False:
            return _declined(question)  # none of them
    elif _is_own_request(question, request, reading, conversation, match):
        return None
    elif answers.declines(request, question.answer_schema, _kind_of(question)):
        return _declined(question)
    elif not question.is_of_engine and answers.knows_none(request):
        return _again(question)
    else:
        value = _said_value(question, request, conversation)
        if value is answers.NO_ANSWER:
            return _again(question)
    return None if value is answers.NO_ANSWER else answer(question, value, now)


def _is_own_request(
    question: PendingQuestion,
    request: str,
    reading: Analysis,
    conversation: Conversation,
    match: Analyse,
) -> bool:
    """Return whether a message is no value for what was asked, but about something else."""
    if is_sure(reading, SUPERSEDES) or request.rstrip().endswith("?"):
        return True
    if _kind_of(question) == TEXT:
        return False
    repetition = read_repetition(request)
    if repetition is not None and not repetition.change:
        return True
    return rewritten(request, conversation, match) is not None


def _kind_of(question: PendingQuestion) -> str:
    intent = intent_from(question.intent)
    type_ = intent.type if intent else ""
    return kind_of_param(question.param, question.answer_schema, type_) if question.param else TEXT


def _said_value(question: PendingQuestion, request: str, conversation: Conversation) -> Any:
    intent = intent_from(question.intent)
    kind = _kind_of(question)
    said = answers.read_param(request, kind)
    literal = said if answers.may_be_value(said, kind, request) else answers.NO_ANSWER
    reference = read_reference(said)
    if reference is None or not question.param:
        return literal
    target = target_of(question.param, question.answer_schema, intent.type if intent else "")
    found = find(reference, target, conversation)
    return found.referents[0].value if len(found.referents) == 1 else literal


def answer(question: PendingQuestion, value: Any, now: datetime) -> Move:
    """Return the move for an answer given as a value, by a message or by `resume_execution`.

    `now` is what "tomorrow" is relative to.
    """
    if isinstance(value, Option):
        return _chosen(question, value)
    if question.options:
        option = answers.option_of(question, value)
        if option is answers.NO_ANSWER:
            return _again(question)
        return _chosen(question, option)
    if question.kind == "confirm":
        confirmed = answers.read_confirm(value) if isinstance(value, str) else value
        if not isinstance(confirmed, bool):
            return _again(question)
        if question.is_of_engine:
            return Resume(question, confirmed)
        return _confirmed(question) if confirmed else _declined(question)
    value, faults = answers.fitting(
        value,
        question.answer_schema,
        question.param or question.id,
        language=question.language,
        now=now,
    )
    if faults:
        return _again(question, faults)
    if question.is_of_engine:
        return Resume(question, value)
    return _filled(question, value)


def _declined(question: PendingQuestion) -> Move:
    return _dropped(question)


def _dropped(question: PendingQuestion) -> Move:
    # An execution that waits may have done something before it asked.
    said = "stopped" if question.is_of_engine else "dropped"
    return Drop(question, wording.sentence(said, question.language))


def _confirmed(question: PendingQuestion) -> Move:
    intent = intent_from(question.intent)
    if intent is None:
        return _declined(question)
    return Play((Draft(intent, question.text), *_rest(question)), question)


def _chosen(question: PendingQuestion, option: Option) -> Move:
    if question.is_of_engine:
        return Resume(question, option.value)
    chosen = intent_from(option.intent)
    if chosen is not None:
        return Play((Draft(chosen, option.text or question.text), *_rest(question)), question)
    return _filled(question, option.value)


def _filled(question: PendingQuestion, value: Any) -> Move:
    intent = intent_from(question.intent)
    if intent is None:
        return _declined(question)
    filled = replace(intent, params={**intent.params, question.param: value})
    text = question.text.replace(PLACE, str(value)) if is_plain(value) else question.text
    return Play((Draft(filled, text), *_rest(question)), question)


def _rest(question: PendingQuestion) -> Iterator[Draft]:
    for data in question.rest:
        if (intent := intent_from(data)) is not None:
            yield Draft(intent)


def _again(question: PendingQuestion, faults: Sequence[Fault] = ()) -> Move:
    if question.tries + 1 >= MAX_QUESTION_TRIES:
        return Drop(question, wording.sentence("gave_up", question.language))
    message = wording.unfit(faults, question.message, question.language)
    return AskAgain(question.model_copy(update={"tries": question.tries + 1}), message)


# --- repetitions


def _repeated(
    request: str, conversation: Conversation, match: Analyse, schema_of: SchemaOf
) -> Move | None:
    turn = next((turn for turn in reversed(conversation.turns) if turn.is_repeatable), None)
    repetition = read_repetition(request) if turn is not None else None
    if turn is None or repetition is None:
        return None
    if repetition.is_place and any(not each.is_single for each in turn.listings):
        return None  # a place in the list just given: what to do with it was not said
    if not repetition.change:
        return Play((_draft_of(turn),))
    found = changes(repetition, turn, schema_of(intent_of(turn)), match)
    if not found:
        return None
    if len(found) == 1:
        change = found[0]
        draft = _draft_of(turn, change.intent, change.text, change.param)
        if change.reference is None:
            return Play((draft,))
        params = {name: v for name, v in draft.intent.params.items() if name != change.param}
        references = {change.param: change.reference}
        return Play((replace(draft, intent=replace(draft.intent, params=params),
                             references=references, text=""),))  # fmt: skip
    properties = schema_of(intent_of(turn)).get("properties") or {}
    if any(change.reference is not None for change in found):
        return None  # which one, of which param: one question too many
    options = tuple(
        Option(
            label=f"{wording.title(change.param, properties.get(change.param), turn.language)}"
            f" = {label_of(change.intent.params[change.param])}",
            intent=intent_data(change.intent),
            text=change.text,
        )
        for change in found
    )
    return Ask(choice_of_intents("change", "change", options, turn.language))


def _draft_of(
    turn: Turn, intent: Intent | None = None, text: str | None = None, changed: str = ""
) -> Draft:
    """Return an earlier turn to be played again; what of it was not kept must be asked."""
    intent = intent or intent_of(turn)
    hidden = [name for name, value in intent.params.items() if REDACTED in str(value)]
    params = {name: value for name, value in intent.params.items() if name not in hidden}
    needed = tuple(name for name in (*turn.lost, *hidden) if name != changed)
    return Draft(replace(intent, params=params), turn.text if text is None else text, {}, needed)


def choice_of_intents(id_: str, lead: str, options: tuple[Option, ...], language: str) -> Unclear:
    """Return the question which of several intents is meant."""
    shown = options[:MAX_OPTIONS]
    return Unclear(
        id=id_,
        kind="choice",
        message=wording.choice(wording.sentence(lead, language), shown, language),
        schema={"type": "string", "enum": [option.label for option in shown]},
        options=shown,
    )


# --- guesses


def _of_guess(
    request: str, reading: Analysis, intent: Intent, schema_of: SchemaOf, title_of: TitleOf
) -> Move:
    """Return the move for a guess that is good enough to be played.

    The guess knows nothing of what "this folder" stands for: it is the value of the one param that
    it fits, or else the guess is only asked about.
    """
    told = _told(request)
    if told is None:
        return Play(_drafts(request, reading))
    names = _fitting(told, intent, schema_of)
    if len(names) == 1:
        return Play((Draft(intent, request, {names[0]: told}),))
    return _to_confirm(intent, request, reading.language, title_of)


def which_of(request: str, intents: Sequence[Intent], language: str, title_of: TitleOf) -> Ask:
    """Return the question what is meant: one guess is to be confirmed, of several one chosen."""
    labels = [_label_of(intent, title_of, language) for intent in intents]
    if len(intents) == 1:
        return replace(_to_confirm(intents[0], request, language, title_of), guesses=tuple(intents))
    options = tuple(
        Option(
            label=label if labels.count(label) == 1 else f"{label} [{intent.type}]",
            intent=intent_data(intent),
            text=request,
        )
        for label, intent in zip(labels, intents, strict=True)
    )
    return Ask(choice_of_intents("intent", "meant", options, language), tuple(intents))


def _with_what_is_told(
    intent: Intent, request: str, conversation: Conversation, schema_of: SchemaOf
) -> Intent | None:
    """Return a guess with what the request points at; None if it takes that, but nobody can tell.

    Without it, a yes would play something else than what was pointed at; what is required is asked
    for after the yes.
    """
    told = _told(request)
    names = _fitting(told, intent, schema_of) if told is not None else []
    if told is None or len(names) != 1:
        return intent
    part = schema_of(intent)["properties"][names[0]]
    found = find(told, target_of(names[0], part, intent.type), conversation).referents
    if len(found) != 1:
        return intent if names[0] in schema_of(intent).get("required", ()) else None
    return replace(intent, params={**intent.params, names[0]: found[0].value})


def _fitting(told: Reference, intent: Intent, schema_of: SchemaOf) -> list[str]:
    """Return the params that a guess has no value for and that are of the kind pointed at."""
    kinds = {
        name: kind_of_param(name, part, intent.type)
        for name, part in (schema_of(intent).get("properties") or {}).items()
        if name not in intent.params
    }
    return [name for name, kind in kinds.items() if is_of_kind(told.kind or "", kind)]


def _told(request: str) -> Reference | None:
    """Return the first words of a request that name a thing that was spoken of."""
    return next(filter(_points, (spot.reference for spot in spots(request))), None)


def _points(reference: Reference) -> bool:
    """Return whether a thing that was spoken of is named; "the repository" may be the only one."""
    is_the_only = reference.form == "noun" and _THE.match(reference.words) is not None
    return reference.kind is not None and not is_the_only


_THE = re.compile(r"(?:le |la |l'|the )")


def _to_confirm(intent: Intent, request: str, language: str, title_of: TitleOf) -> Ask:
    label = _label_of(intent, title_of, language)
    message = wording.sentence("guess", language, label=label)
    return Ask(Unclear("confirm", "confirm", message, {"type": "boolean"}, intent, text=request))


def _label_of(intent: Intent, title_of: TitleOf, language: str) -> str:
    title = wording.in_language(title_of(intent), language)
    values = ", ".join(label_of(value) for value in intent.params.values() if is_plain(value))
    return f"{title} ({values})" if values else title


# --- intents as data


def intent_data(intent: Intent) -> dict[str, Any]:
    """Return an intent as plain JSON, to go on with later."""
    return {
        "type": intent.type,
        "params": intent.params,
        "confidence": intent.confidence,
        "matched_by": intent.matched_by,
        "language": intent.language,
        "pattern": intent.pattern,
        "composition_id": intent.composition_id,
        "made": intent.made,
    }


def intent_from(data: Mapping[str, Any] | None) -> Intent | None:
    """Return the intent that `intent_data` gave."""
    if not data or not isinstance(data.get("type"), str):
        return None
    return Intent(**{name: data[name] for name in intent_data(Intent("")) if name in data})
