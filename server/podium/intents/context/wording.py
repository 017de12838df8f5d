"""The sentences of questions and of what is said about them, in French and English."""

from collections.abc import Mapping, Sequence
from typing import Any

from podium.domain.conversation import Option
from podium.domain.errors import Fault

SHOWN_OPTIONS = 20  # of a choice that its message lists; all of them can be chosen

_WHICH: dict[str, dict[str, str]] = {
    "file": {"fr": "Quel fichier ?", "en": "Which file?"},
    "folder": {"fr": "Quel dossier ?", "en": "Which folder?"},
    "path": {"fr": "Quel fichier ou dossier ?", "en": "Which file or folder?"},
    "city": {"fr": "Quelle ville ?", "en": "Which city?"},
    "place": {"fr": "Quel endroit ?", "en": "Which place?"},
    "branch": {"fr": "Quelle branche ?", "en": "Which branch?"},
    "repository": {"fr": "Quel dépôt ?", "en": "Which repository?"},
    "note": {"fr": "Quelle note ?", "en": "Which note?"},
    "person": {"fr": "Quelle personne ?", "en": "Which person?"},
    "email": {"fr": "Quelle adresse e-mail ?", "en": "Which e-mail address?"},
    "message": {"fr": "Quel message ?", "en": "Which message?"},
    "url": {"fr": "Quelle adresse web ?", "en": "Which web address?"},
    "event": {"fr": "Quel événement ?", "en": "Which event?"},
    "task": {"fr": "Quelle tâche ?", "en": "Which task?"},
    "date": {"fr": "Quel jour ?", "en": "Which day?"},
    "time": {"fr": "Quelle heure ou quelle durée ?", "en": "What time, or how long?"},
    "room": {"fr": "Quelle pièce ?", "en": "Which room?"},
    "list": {"fr": "Quelle liste ?", "en": "Which list?"},
    "project": {"fr": "Quel projet ?", "en": "Which project?"},
}
_MISSING = {
    "fr": "Il me manque « {name} ». Que dois-je prendre ?",
    "en": "I need '{name}'. What should it be?",
}
_SENTENCES: dict[str, dict[str, str]] = {
    "which": {"fr": "Lequel ?", "en": "Which one?"},
    "change": {"fr": "Que faut-il changer ?", "en": "What should change?"},
    "meant": {"fr": "Que voulez-vous faire ?", "en": "What do you want to do?"},
    "guess": {
        "fr": "Voulez-vous ceci : {label} ? (oui ou non)",
        "en": "Do you mean: {label}? (yes or no)",
    },
    "more": {"fr": "… et {count} de plus", "en": "… and {count} more"},
    "dropped": {"fr": "D'accord, je ne fais rien.", "en": "All right, nothing is done."},
    "stopped": {"fr": "D'accord, je m'arrête là.", "en": "All right, I stop here."},
    "gave_up": {
        "fr": "Je n'ai pas compris la réponse ; la question est abandonnée.",
        "en": "I did not understand the answer; the question is dropped.",
    },
    "unfit": {"fr": "Cela ne convient pas : {fault}.", "en": "That does not fit: {fault}."},
    "not_understood": {
        "fr": "Je n'ai pas compris cette réponse.",
        "en": "I did not understand that answer.",
    },
    "part": {"fr": "Partie {number} sur {count} :", "en": "Part {number} of {count}:"},
}


def sentence(name: str, language: str, **values: Any) -> str:
    """Return one of the fixed sentences."""
    return _of(_SENTENCES[name], language).format(**values)


def which_param(name: str, kind: str, schema: Mapping[str, Any], language: str) -> str:
    """Return the question for a param; its description and allowed values are added."""
    asked = _of(_WHICH[kind], language) if kind in _WHICH else ""
    asked = asked or _of(_MISSING, language).format(name=title(name, schema, language))
    description = schema.get("description")
    if isinstance(description, str) and description.strip():
        asked += f" ({_translated(description, language).strip().rstrip('.')})"
    allowed = schema.get("enum")
    if isinstance(allowed, list) and allowed:
        asked += "\n" + _numbered([str(value) for value in allowed], language)
    return asked


def title(name: str, schema: Any, language: str) -> str:
    """Return what people call a param: its schema's title, else its name."""
    given = schema.get("title") if isinstance(schema, Mapping) else None
    if not isinstance(given, str) or not given.strip():
        return name
    return _translated(given, language)


def _translated(text: str, language: str) -> str:
    """Return a schema's words in a language; it may have both, English first: "File / Fichier"."""
    parts = text.split(" / ")
    if len(parts) != len(("en", "fr")):
        return text
    return parts[-1] if language == "fr" else parts[0]


def in_language(name: str, language: str) -> str:
    """Return the part of a composition's name in a language: "Lire un fichier / Read a file"."""
    parts = name.split(" / ")
    return parts[0] if language == "fr" else parts[-1]


def choice(lead: str, options: Sequence[Option], language: str) -> str:
    """Return a question with its options, numbered."""
    return f"{lead}\n{_numbered([option.label for option in options], language)}"


def _numbered(labels: Sequence[str], language: str) -> str:
    lines = [f"{number}. {label}" for number, label in enumerate(labels[:SHOWN_OPTIONS], start=1)]
    if len(labels) > SHOWN_OPTIONS:
        lines.append(sentence("more", language, count=len(labels) - SHOWN_OPTIONS))
    return "\n".join(lines)


def unfit(faults: Sequence[Fault], question: str, language: str) -> str:
    """Return a question asked again, with what was wrong about the answer."""
    if not faults:
        return f"{sentence('not_understood', language)} {question}"
    return f"{sentence('unfit', language, fault=faults[0].message)} {question}"


def _of(words: Mapping[str, str], language: str) -> str:
    return words.get(language, words["en"])


def options_of(schema: Mapping[str, Any]) -> tuple[Option, ...]:
    """Return the options of a question that an execution asks: the values of its schema."""
    allowed = schema.get("enum")
    if not isinstance(allowed, list):
        return ()
    return tuple(Option(label=str(value), value=value) for value in allowed)
