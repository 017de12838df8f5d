"""What a draft says to people, in French and English: its name, and why it does what it does."""

from collections.abc import Mapping
from typing import Literal

Language = Literal["fr", "en"]

_REASONS: Mapping[str, tuple[str, str]] = {  # English, French
    "target": ("{tool}: what “{said}” asks for", "{tool} : ce que « {said} » demande"),
    "reader": ("{tool}: gives what is needed next", "{tool} : donne ce qu'il faut ensuite"),
    "given": ("{port} = “{value}”, as you said", "{port} = « {value} », comme vous l'avez dit"),
    "again": ("{port}: the same as for {step}", "{port} : le même que pour {step}"),
    "constant": (
        "{port} = {value}, by the tool's own definition",
        "{port} = {value}, selon la définition de l'outil",
    ),
    "one": ("{port}: {field} of what {step} gives", "{port} : {field} de ce que donne {step}"),
    "list": (
        "{port}: every {field} of what {step} gives",
        "{port} : chaque {field} de ce que donne {step}",
    ),
    "each": (
        "{port}: once for each {field} of what {step} gives",
        "{port} : une fois par {field} de ce que donne {step}",
    ),
    "pick": (
        "{port}: {field} of the first that fits of what {step} gives",
        "{port} : {field} du premier qui convient dans ce que donne {step}",
    ),
    "seen": (
        "{port}: {field} of what {step} gives, as it was done before",
        "{port} : {field} de ce que donne {step}, comme cela a déjà été fait",
    ),
    "guessed": (
        "{port}: {field} of what {step} gives; a guess, since {step} does not say what it gives",
        "{port} : {field} de ce que donne {step} ; supposé, car {step} ne dit pas ce qu'il donne",
    ),
    "told": ("{port}: what {step} gives", "{port} : ce que donne {step}"),
    "undone": (
        "but nothing here does what “{about}” says",
        "mais rien ici ne fait ce que dit « {about} »",
    ),
    "unasked": (
        "but that was a question, and {about} acts",
        "mais c'est une question, et {about} agit",
    ),
    "off_topic": ("but nothing here is about “{about}”", "mais rien ici ne concerne « {about} »"),
    "unheard": ("but “{about}” is left over", "mais « {about} » reste de côté"),
    "unused": ("but “{about}” is not used", "mais « {about} » ne sert pas"),
    "misplaced": ("but {about} is a mere guess", "mais {about} n'est qu'une supposition"),
    "malformed": (
        "but {about} is not written as the tool wants it",
        "mais {about} n'est pas écrit comme l'outil le veut",
    ),
    "unsought": (
        "but what to search for was not said",
        "mais ce qu'il faut chercher n'a pas été dit",
    ),
    "miscounted": (
        "but it may not be “{about}” that it counts",
        "mais ce n'est peut-être pas « {about} » qu'il compte",
    ),
    "wanted": ("{port}: not said, so it is asked", "{port} : non précisé, donc demandé"),
}
MAX_VALUE = 60  # characters of a value that a reason shows


def reason(kind: str, language: Language, **parts: str) -> str:
    """Return one line that says why."""
    shown = {name: _short(part) for name, part in parts.items()}
    return _REASONS[kind][language == "fr"].format(**shown)


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= MAX_VALUE else plain[: MAX_VALUE - 1] + "…"
