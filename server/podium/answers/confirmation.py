"""What is done to words, in French or English: may it be done; and this was done."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from podium.domain.deed import Circumstance, Deed
from podium.domain.execution import CONFIRM, Question
from podium.domain.tool import Effects
from podium.text.clean import printable, shortened

SHOWN_DEEDS = 30
SHOWN_CHARACTERS = 200  # of one argument; how long it really is stands beside it
SHOWN_REASONS = 10
TOLD_DEEDS, TOLD_CHARACTERS = 5, 60  # of the line after it, and of one argument in it
DIGEST_CHARACTERS = 12

_LEAD = {
    "made": {
        "en": "I have no ready answer to this, but I could do it like this:",
        "fr": "Je n'ai pas de réponse toute prête, mais je peux m'y prendre ainsi :",
    },
    "on trial": {
        "en": "This composition ({id}) has not proven itself yet. It would do this:",
        "fr": "Cette composition ({id}) n'a pas encore fait ses preuves. Elle ferait ceci :",
    },
}
_EFFECTS: Mapping[Effects, dict[str, str]] = {
    "read": {"en": "only reads", "fr": "lit seulement"},
    "write": {"en": "WRITES", "fr": "ÉCRIT"},
    "destructive": {"en": "DESTROYS", "fr": "DÉTRUIT"},
}
_CIRCUMSTANCES: Mapping[Circumstance, dict[str, str]] = {
    "each": {"en": "again for each element", "fr": "à nouveau pour chaque élément"},
    "maybe": {"en": "only if a condition holds", "fr": "seulement sous condition"},
    "instead": {"en": "if the call before fails", "fr": "si l'appel précédent échoue"},
    "undo": {"en": "to take it back", "fr": "pour revenir en arrière"},
}
_OPEN = {"en": "known later: {source}", "fr": "connu plus tard : {source}"}
_CUT = {"en": "{count} characters", "fr": "{count} caractères"}
_MORE = {"en": "… and {count} more", "fr": "… et {count} de plus"}
_GUESSED = {
    "en": "Guessed from your words ({percent} % sure):",
    "fr": "Deviné d'après vos mots (sûr à {percent} %) :",
}
_ACCOUNT = {
    "en": "Done for this request: {calls}.",
    "fr": "Fait pour cette demande : {calls}.",
}
_ASKED = {"en": "Shall I? (yes or no)", "fr": "Faut-il le faire ? (oui ou non)"}


def plan_question(
    deeds: Sequence[Deed],
    language: str,
    *,
    composition_id: str,
    guessed: tuple[float, Sequence[str]] | None = None,
) -> Question:
    """Return the question; `guessed` are the confidence (0 to 1) and the reasons of a made one."""
    lead = _of(_LEAD["on trial" if guessed is None else "made"], language)
    lines = [lead.format(id=composition_id)]
    for number, deed in enumerate(deeds[:SHOWN_DEEDS], start=1):
        lines += _deed(number, deed, language)
    if len(deeds) > SHOWN_DEEDS:
        lines.append(_of(_MORE, language).format(count=len(deeds) - SHOWN_DEEDS))
    if guessed is not None:
        confidence, reasons = guessed
        lines.append(_of(_GUESSED, language).format(percent=round(100 * confidence)))
        lines += [f"- {_one_line(reason)}" for reason in reasons[:SHOWN_REASONS]]
    lines.append(_of(_ASKED, language))
    id_ = f"{CONFIRM}{_digest(deeds)}"  # a yes to this is none to anything else
    return Question(id_, "confirm", "\n".join(lines), {"type": "boolean"})


def account_of(deeds: Sequence[Deed], language: str) -> str:
    """Return one line that says which calls were made for a request; "" for none."""
    told = [_call(deed) for deed in deeds[:TOLD_DEEDS]]
    if len(deeds) > TOLD_DEEDS:
        told.append(_of(_MORE, language).format(count=len(deeds) - TOLD_DEEDS))
    return _of(_ACCOUNT, language).format(calls=", ".join(told)) if told else ""


def _call(deed: Deed) -> str:
    values = {name: _plain(value) for name, value in deed.arguments.items()}
    later = dict.fromkeys(deed.sources, "…")
    shown = ", ".join(f"{_one_line(name)}={text}" for name, text in {**values, **later}.items())
    return f"{_one_line(deed.tool)}({shown})"


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return shortened(_one_line(text), TOLD_CHARACTERS)


def _digest(deeds: Sequence[Deed]) -> str:
    text = json.dumps([asdict(deed) for deed in deeds], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]


def _deed(number: int, deed: Deed, language: str) -> list[str]:
    said = [_of(_EFFECTS[deed.effects], language)]
    said += [_of(_CIRCUMSTANCES[each], language) for each in deed.circumstances]
    return [
        f"{number}. {_one_line(deed.tool)} ({', '.join(said)})",
        *(f"   {_one_line(n)} = {_value(v, language)}" for n, v in deed.arguments.items()),
        *(f"   {_one_line(n)} ← {_source(s, language)}" for n, s in deed.sources.items()),
    ]


def _value(value: Any, language: str) -> str:
    """Return a value as JSON, on one line: what it holds cannot look like a line of ours."""
    text = " ".join(printable(json.dumps(value, ensure_ascii=False, default=str)).splitlines())
    if len(text) <= SHOWN_CHARACTERS:
        return text
    count = _of(_CUT, language).format(count=len(text))
    return f"{shortened(text, SHOWN_CHARACTERS)} ({count})"


def _source(source: str, language: str) -> str:
    return _of(_OPEN, language).format(source=f"`{_one_line(source)}`")


def _one_line(text: str) -> str:
    return shortened(" ".join(printable(text).split()), SHOWN_CHARACTERS)


def _of(words: Mapping[str, str], language: str) -> str:
    return words.get(language, words["en"])
