"""What a draft says to people, in French and English: its name, and why it does what it does."""

from collections.abc import Mapping
from typing import Literal

Language = Literal["fr", "en"]

_REASONS: Mapping[str, Mapping[Language, str]] = {
    "target": {"en": "{tool}: what “{said}” asks for", "fr": "{tool} : ce que « {said} » demande"},
    "reader": {"en": "{tool}: gives what is needed next", "fr": "{tool} : donne ce qu'il faut ensuite"},
    "given": {"en": "{port} = “{value}”, as you said", "fr": "{port} = « {value} », comme vous l'avez dit"},
    "again": {"en": "{port}: the same as for {step}", "fr": "{port} : le même que pour {step}"},
    "constant": {"en": "{port} = {value}, by the tool's own definition",
                 "fr": "{port} = {value}, selon la définition de l'outil"},
    "one": {"en": "{port}: {field} of what {step} gives", "fr": "{port} : {field} de ce que donne {step}"},
    "list": {"en": "{port}: every {field} of what {step} gives",
             "fr": "{port} : chaque {field} de ce que donne {step}"},
    "each": {"en": "{port}: once for each {field} of what {step} gives",
             "fr": "{port} : une fois par {field} de ce que donne {step}"},
    "pick": {"en": "{port}: {field} of the first that fits of what {step} gives",
             "fr": "{port} : {field} du premier qui convient dans ce que donne {step}"},
    "seen": {"en": "{port}: {field} of what {step} gives, as it was done before",
             "fr": "{port} : {field} de ce que donne {step}, comme cela a déjà été fait"},
    "guessed": {"en": "{port}: {field} of what {step} gives; a guess, {step} does not say what it gives",
                "fr": "{port} : {field} de ce que donne {step} ; une supposition, {step} ne dit pas ce qu'il donne"},
    "told": {"en": "{port}: what {step} gives", "fr": "{port} : ce que donne {step}"},
    "wanted": {"en": "{port}: not said, so it is asked", "fr": "{port} : non précisé, donc demandé"},
}  # fmt: skip
MAX_VALUE = 60  # characters of a value that a reason shows


def reason(kind: str, language: Language, **parts: str) -> str:
    """Return one line that says why."""
    shown = {name: _short(part) for name, part in parts.items()}
    return _REASONS[kind][language].format(**shown)


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= MAX_VALUE else plain[: MAX_VALUE - 1] + "…"
