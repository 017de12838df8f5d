"""Questions to the person: how they are put, what counts as an answer, and the wait for it."""

import logging
from collections.abc import Mapping
from typing import Any

import anyio

from podium.domain.composition import AskStep
from podium.domain.errors import MissingValueError
from podium.domain.execution import AskKind, Question
from podium.domain.ports import NO_ANSWER
from podium.execution.session import Result, Session, Site
from podium.execution.stops import SuspendedError
from podium.mapping.coercion import coerce_arguments, schema_faults
from podium.mapping.expressions import MISSING
from podium.text.folding import fold_text

logger = logging.getLogger("podium.execution")

ANSWER = "answer"
_WORDS: Mapping[str, bool] = {
    "yes": True, "y": True, "ok": True, "true": True, "oui": True, "o": True, "vrai": True,
    "no": False, "n": False, "false": False, "non": False, "faux": False,
}  # fmt: skip
_SCHEMAS: Mapping[AskKind, dict[str, Any]] = {
    "ask": {"type": "string"},
    "param": {"type": "string"},
    "choice": {"type": "string"},
    "confirm": {"type": "boolean"},
}
REPEAT, SKIP = "repeat", "skip"


async def play_ask(site: Site, step: AskStep) -> Result:
    """Ask, and return the answer.

    Raises:
        SuspendedError: there is none; the question is kept.

    """
    question = _question(site, step)
    site.begin()
    site.limit.pause()  # a person takes the time that it takes
    try:
        answer = await answer_to(site.session, question, site)
    finally:
        site.limit.go_on()
    return Result(answer)


def _question(site: Site, step: AskStep) -> Question:
    message = site.binder.text(site.spot, "ask", step.ask)
    schema = step.answer_schema or _SCHEMAS[step.kind]
    if step.kind == "choice" and step.options is not None:
        options = site.binder.value(site.spot, "options", step.options)
        if options is MISSING or options is None or options == []:
            raise MissingValueError(
                f"{site.place}, options: `{step.options}`: there is nothing to choose from",
                hint="look at what the steps before it returned: podium executions",
                step_id=site.path,
            )
        schema = {"enum": options if isinstance(options, list) else [options]}
    return Question(site.path, step.kind, message, dict(schema))


async def answer_to(session: Session, question: Question, site: Site | None = None) -> Any:
    """Return the answer to a question: one that was given before, or the person's now.

    Raises:
        SuspendedError: there is none that fits; the question is kept.

    """
    if question.id in session.answers:
        answer, fault = fitting(question, session.answers[question.id])
        if not fault:
            return answer
        del session.answers[question.id]
        question = _again(question, fault)
    if site is not None:
        await session.reporter.step("step_waiting", site.record, question.message)
    answer = await _asked(session, question)
    if answer is not NO_ANSWER:
        answer, fault = fitting(question, answer)
        if not fault:
            session.answers[question.id] = answer
            return answer
        question = _again(question, fault)
    session.questions[question.id] = question
    raise SuspendedError


async def _asked(session: Session, question: Question) -> Any:
    """Ask, one question at a time; who did not answer one is not asked the next."""
    seconds = session.outside.settings.ask_wait_seconds
    if session.asker is None or seconds <= 0:
        return NO_ANSWER
    async with session.asking:
        if not session.is_anybody_there:
            return NO_ANSWER
        answer = NO_ANSWER
        with anyio.move_on_after(seconds):
            try:
                answer = await session.asker(question)
            except Exception:
                # A way to ask that fails is none: the question stays open.
                logger.exception("asking failed", extra={"question": question.id})
        session.is_anybody_there = answer is not NO_ANSWER
        return answer


def fitting(question: Question, answer: Any) -> tuple[Any, str]:
    """Return an answer as the question's schema wants it, and what is wrong with it, if anything.

    Coercion is lossless, as for arguments; a yes or no may be said in words, an option in other
    letter case.
    """
    answer = _in_words(question, answer)
    schema = {"type": "object", "properties": {ANSWER: question.schema}}
    coerced = coerce_arguments({ANSWER: answer}, schema)[ANSWER]
    faults = schema_faults(coerced, question.schema)
    return coerced, "; ".join(fault.message for fault in faults[:3])


def _in_words(question: Question, answer: Any) -> Any:
    if not isinstance(answer, str):
        return answer
    said = fold_text(answer.strip())
    if question.schema.get("type") == "boolean":
        return _WORDS.get(said, answer)
    options = question.schema.get("enum")
    if isinstance(options, list) and answer not in options:
        alike = [
            option for option in options if isinstance(option, str) and fold_text(option) == said
        ]
        return alike[0] if len(alike) == 1 else answer
    return answer


def _again(question: Question, fault: str) -> Question:
    return Question(
        question.id,
        question.kind,
        f"{question.message} (the answer given {fault})",
        question.schema,
    )


def doubt_question(path: str, tool: str) -> Question:
    """Return what is asked before a write whose outcome nobody knows is made again."""
    return Question(
        path,
        "choice",
        f"step '{path}': nobody knows whether {tool} has done its work. "
        f"Look first; then '{REPEAT}' to call it again, or '{SKIP}' to go on as if it was done.",
        {"enum": [REPEAT, SKIP]},
    )
